// Models that cannot be read: each gives an Error that says what is wrong and where; none crashes.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "codegen/import/import.h"
#include "onnx.pb.h"

namespace hone {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

/// A folder of its own, removed at the end.
class ImportErrors : public testing::Test {
 protected:
  ImportErrors()
      : folder_(fs::path(testing::TempDir()) / ("hone_import_errors_" + std::to_string(getpid()))) {
    fs::create_directories(folder_);
  }
  ~ImportErrors() override { fs::remove_all(folder_); }

  fs::path write(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return folder_ / name;
  }
  std::string error_of(const fs::path& file) const {
    const auto result = import_graph(file);
    return result ? "no error" : result.error().text();
  }
  std::string error_of(const onnx::ModelProto& model) const {
    return error_of(write("model.onnx", model.SerializeAsString()));
  }

  fs::path folder_;
};

void add_input(onnx::GraphProto& graph, const std::string& name, const std::vector<int64_t>& shape,
               int type = onnx::TensorProto::FLOAT) {
  auto& input = *graph.add_input();
  input.set_name(name);
  auto& tensor = *input.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(type);
  for (const int64_t extent : shape) tensor.mutable_shape()->add_dim()->set_dim_value(extent);
}

onnx::NodeProto& add_node(onnx::GraphProto& graph, const std::string& op,
                          const std::vector<std::string>& inputs, const std::string& output) {
  auto& node = *graph.add_node();
  node.set_op_type(op);
  node.set_name("the_" + output);
  for (const auto& input : inputs) node.add_input(input);
  node.add_output(output);
  return node;
}

onnx::TensorProto& add_weights(onnx::GraphProto& graph, const std::string& name,
                               const std::vector<int64_t>& shape) {
  auto& tensor = *graph.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  int64_t count = 1;
  for (const int64_t extent : shape) {
    tensor.add_dims(extent);
    count *= extent;
  }
  tensor.set_raw_data(std::string(static_cast<size_t>(count) * 4, '\0'));
  return tensor;
}

/// x[1,3,8,8] -> conv with w[4,3,3,3] -> relu -> y
onnx::ModelProto small_model() {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(13);
  auto& graph = *model.mutable_graph();
  add_input(graph, "x", {1, 3, 8, 8});
  add_weights(graph, "w", {4, 3, 3, 3});
  add_node(graph, "Conv", {"x", "w"}, "c");
  add_node(graph, "Relu", {"c"}, "y");
  graph.add_output()->set_name("y");
  return model;
}

/// Leaves dimension `index` of x open, called `name`.
void open_dimension(onnx::ModelProto& model, int index, const std::string& name) {
  auto& tensor = *model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type();
  tensor.mutable_shape()->mutable_dim(index)->set_dim_param(name);
}

TEST_F(ImportErrors, TheSmallModelItselfIsFine) { EXPECT_EQ(error_of(small_model()), "no error"); }

TEST_F(ImportErrors, ThirtyThousandOperatorsInARowAreFine) {
  auto model = small_model();
  std::string last = "y";
  for (int i = 0; i < 30000; ++i) {
    const std::string next = "v" + std::to_string(i);
    add_node(*model.mutable_graph(), i % 2 == 0 ? "Sigmoid" : "Relu", {last}, next);
    last = next;
  }
  model.mutable_graph()->mutable_output(0)->set_name(last);
  EXPECT_EQ(error_of(model), "no error");
}

TEST_F(ImportErrors, AMissingFileIsSaidToBeMissing) {
  EXPECT_EQ(error_of(folder_ / "none.onnx"), (folder_ / "none.onnx").string() + ": there is no such file");
}
TEST_F(ImportErrors, AFolderIsNoFile) {
  EXPECT_THAT(error_of(folder_), HasSubstr("is a folder, not a file"));
}
TEST_F(ImportErrors, APipeIsNoFileAndIsNotWaitedFor) {
  ASSERT_EQ(::mkfifo((folder_ / "pipe.onnx").c_str(), 0600), 0);
  EXPECT_THAT(error_of(folder_ / "pipe.onnx"), HasSubstr("pipe.onnx: is a pipe, not a file"));
}
TEST_F(ImportErrors, ADeviceThatNeverEndsIsNoFile) {
  EXPECT_EQ(error_of("/dev/zero"), "/dev/zero: is a device, not a file");
}
TEST_F(ImportErrors, AnEmptyFileIsNamedSo) {
  EXPECT_THAT(error_of(write("e.onnx", "")), HasSubstr("e.onnx: the file is empty"));
}

TEST_F(ImportErrors, TextIsNoModel) {
  EXPECT_THAT(error_of(write("t.onnx", "Once upon a time there was a model.\n")),
              HasSubstr("this is not a model (an .onnx or .tflite file is expected)"));
}

TEST_F(ImportErrors, ATruncatedModelIsNamedSo) {
  const std::string bytes = small_model().SerializeAsString();
  EXPECT_THAT(error_of(write("t.onnx", bytes.substr(0, bytes.size() - 20))),
              HasSubstr("the model is truncated: field 7 has"));
}

TEST_F(ImportErrors, ATruncatedTfliteModelIsNamedSo) {
  EXPECT_THAT(error_of(write("t.tflite", std::string("\x1c\0\0\0TFL3\0\0\0\0", 12))),
              HasSubstr("the TFLite model is truncated or damaged"));
}

TEST_F(ImportErrors, EveryPrefixAndEveryFlippedByteIsSurvived) {
  const std::string bytes = small_model().SerializeAsString();
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(import_bytes(bytes.substr(0, size), folder_)) << size;
  std::mt19937 random(7);
  for (int round = 0; round < 3000; ++round) {
    std::string damaged = bytes;
    for (int flips = 0; flips < 1 + round % 4; ++flips)
      damaged[random() % damaged.size()] = static_cast<char>(random());
    static_cast<void>(import_bytes(damaged, folder_));  // an Error or a graph, never a crash
  }
}

TEST_F(ImportErrors, AModelWithoutAGraphIsNamedSo) {
  onnx::ModelProto model;
  model.set_ir_version(8);
  EXPECT_THAT(error_of(model), HasSubstr("the model has no graph with outputs"));
}

TEST_F(ImportErrors, AHugeTensorClaimIsRefusedBeforeAnythingIsAllocated) {
  auto model = small_model();
  auto* tensor = model.mutable_graph()->mutable_initializer(0);
  tensor->set_dims(0, int64_t{1} << 40);
  EXPECT_THAT(error_of(model), HasSubstr("w: shape 1099511627776x3x3x3 is not possible"));
  tensor->set_dims(0, 1 << 20);
  EXPECT_THAT(error_of(model), HasSubstr("w: it has 432 bytes, its shape 1048576x3x3x3 needs 113246208"));
}

TEST_F(ImportErrors, AnInputWhoseElementsOverflowIsSaidToBeTooLarge) {
  auto model = small_model();
  add_input(*model.mutable_graph(), "huge", {int64_t{1} << 32, int64_t{1} << 32});
  add_node(*model.mutable_graph(), "Relu", {"huge"}, "z");
  model.mutable_graph()->mutable_output(0)->set_name("z");
  EXPECT_THAT(error_of(model), HasSubstr("an operand of shape 4294967296x4294967296 is too large"));
}

TEST_F(ImportErrors, AHugeConstantMadeByANodeIsRefused) {
  auto model = small_model();
  auto& graph = *model.mutable_graph();
  auto& shape = *graph.add_initializer();
  shape.set_name("shape");
  shape.set_data_type(onnx::TensorProto::INT64);
  shape.add_dims(2);
  shape.add_int64_data(1 << 20);
  shape.add_int64_data(1 << 20);
  add_node(graph, "ConstantOfShape", {"shape"}, "huge");
  add_node(graph, "Add", {"y", "huge"}, "z");
  graph.mutable_output(0)->set_name("z");
  EXPECT_THAT(
      error_of(model),
      HasSubstr("ConstantOfShape 'the_huge', shape, opset 13: shape 1048576x1048576 is not possible"));
}

TEST_F(ImportErrors, MissingExternalDataIsNamedWithItsTensor) {
  auto model = small_model();
  auto* tensor = model.mutable_graph()->mutable_initializer(0);
  tensor->clear_raw_data();
  tensor->set_data_location(onnx::TensorProto::EXTERNAL);
  auto* entry = tensor->add_external_data();
  entry->set_key("location");
  entry->set_value("weights.bin");
  EXPECT_THAT(error_of(model),
              testing::AllOf(HasSubstr("model.onnx: w: the file with its weights"),
                             HasSubstr("weights.bin': there is no such file (it belongs beside the model)")));
  write("weights.bin", "too short");
  EXPECT_THAT(error_of(model),
              HasSubstr("weights.bin' is too short: it has 9 bytes, 432 from byte 0 on are needed"));
  write("weights.bin", std::string(432, '\0'));
  EXPECT_EQ(error_of(model), "no error");
  entry->set_value("../weights.bin");
  EXPECT_THAT(error_of(model), HasSubstr("/../weights.bin': leads out of " + folder_.string()));
  entry->set_value((folder_ / "weights.bin").string());
  EXPECT_THAT(error_of(model), HasSubstr("weights.bin': leads out of " + folder_.string()));
}

TEST_F(ImportErrors, ExternalDataThatALinkLeadsOutOfTheFolderIsNotRead) {
  const fs::path outside = write("secret", std::string(432, '\0'));
  fs::create_directory(folder_ / "model");
  fs::create_symlink(outside, folder_ / "model/weights.bin");
  fs::create_symlink(folder_, folder_ / "model/up");
  auto model = small_model();
  auto* tensor = model.mutable_graph()->mutable_initializer(0);
  tensor->clear_raw_data();
  tensor->set_data_location(onnx::TensorProto::EXTERNAL);
  auto* entry = tensor->add_external_data();
  entry->set_key("location");
  for (const std::string location : {"weights.bin", "up/secret"}) {
    entry->set_value(location);
    EXPECT_THAT(error_of(write("model/model.onnx", model.SerializeAsString())),
                HasSubstr(location + "': leads out of " + (folder_ / "model").string()));
  }
  entry->set_value(std::string("weights.bin\0.png", 16));
  EXPECT_THAT(error_of(write("model/model.onnx", model.SerializeAsString())),
              HasSubstr("the path holds a NUL"));
  ASSERT_EQ(::mkfifo((folder_ / "model/pipe").c_str(), 0600), 0);
  entry->set_value("pipe");
  EXPECT_THAT(error_of(write("model/model.onnx", model.SerializeAsString())),
              HasSubstr("pipe': is a pipe, not a file"));
}

TEST_F(ImportErrors, ANodeThatReadsWhatNothingMakesIsNamed) {
  auto model = small_model();
  model.mutable_graph()->mutable_node(1)->set_input(0, "nothing");
  EXPECT_THAT(error_of(model), HasSubstr("the_y: it reads 'nothing', which nothing before it makes"));
}

TEST_F(ImportErrors, AnOpenDimensionIsNamed) {
  auto model = small_model();
  open_dimension(model, 2, "height");
  EXPECT_THAT(error_of(model),
              HasSubstr("input x: dimension 2 ('height') is open (give the shape of the input)"));
}

TEST_F(ImportErrors, AnOpenFirstDimensionIsTheBatch) {
  auto model = small_model();
  open_dimension(model, 0, "N");
  const auto graph = import_bytes(model.SerializeAsString(), folder_, {.batch = 3, .input_shapes = {}});
  ASSERT_TRUE(graph) << graph.error().text();
  EXPECT_EQ(graph->graph.value(graph->graph.outputs[0]).type.shape, (Shape{3, 4, 6, 6}));
}

TEST_F(ImportErrors, EveryUncoveredNodeIsListedWithOperatorAttributeOpsetAndReason) {
  auto model = small_model();
  auto& graph = *model.mutable_graph();
  add_node(graph, "Celu", {"y"}, "a");
  auto& pool = add_node(graph, "MaxPool", {"y"}, "b");
  auto* attribute = pool.add_attribute();
  attribute->set_name("kernel_shape");
  attribute->set_type(onnx::AttributeProto::INTS);
  for (int i = 0; i < 3; ++i) attribute->add_ints(2);
  auto& relu = add_node(graph, "Relu", {"y"}, "d");
  relu.add_attribute()->set_name("sideways");
  add_node(graph, "Custom", {"d"}, "e").set_domain("my.ops");
  for (const char* name : {"a", "b", "e"}) graph.add_output()->set_name(name);
  const auto result = import_bytes(model.SerializeAsString(), folder_);
  ASSERT_TRUE(result) << result.error().text();
  std::vector<std::string> lines;
  for (const Unsupported& one : result->unsupported)
    lines.push_back(one.node + "|" + one.op + "|" + one.attribute + "|" + std::to_string(one.opset) + "|" +
                    one.reason);
  EXPECT_THAT(lines, testing::ElementsAre("the_a|Celu||13|operator is not covered",
                                          "the_b|MaxPool|kernel_shape|13|kernel_shape does not fit",
                                          "the_d|Relu|sideways|13|attribute is not covered",
                                          "the_e|Custom||13|domain 'my.ops' is not covered"));
  EXPECT_THAT(error_of(model),
              HasSubstr("4 nodes are not covered: Celu 'the_a', opset 13: operator is not covered; MaxPool"));
}

TEST_F(ImportErrors, ANewerOpsetThanIsKnownIsRefused) {
  auto model = small_model();
  model.mutable_opset_import(0)->set_version(99);
  EXPECT_THAT(error_of(model), HasSubstr("opset 99: opsets 1 to 23 are covered"));
}

TEST_F(ImportErrors, WeightsThatDoNotFitTheInputAreNamed) {
  auto model = small_model();
  auto& graph = *model.mutable_graph();
  add_weights(graph, "v", {4, 5, 3, 3});
  graph.mutable_node(0)->set_input(1, "v");
  EXPECT_THAT(error_of(model), HasSubstr("weights 4x5x3x3 with 1 groups do not fit 1x3x8x8"));
}

TEST_F(ImportErrors, AnOutputThatNoInputReachesIsRefused) {
  auto model = small_model();
  model.mutable_graph()->mutable_output(0)->set_name("w");
  EXPECT_THAT(error_of(model), HasSubstr("it does not depend on any input: there is nothing to compute"));
}

}  // namespace
}  // namespace hone
