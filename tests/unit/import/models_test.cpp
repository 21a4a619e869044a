// Whole models: imported, and computed by the graph's interpreter as expected.
#include <gmock/gmock.h>
#include <sodium.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "codegen/base/generator.h"
#include "codegen/graph/evaluate.h"
#include "codegen/graph/task.h"
#include "codegen/import/import.h"
#include "tests/support/onnx/node_test.h"
#include "tests/support/onnx/seed_weights.h"
#include "tests/support/relative_error.h"

namespace hone {
namespace {

namespace fs = std::filesystem;

/// The shared data folder, or an empty path.
fs::path data() {
  const char* given = std::getenv("HONE_SHARED");
  const fs::path folder = fs::path(given ? given : HONE_SOURCE_DIR "/../shared") / "data";
  return fs::exists(folder / "MANIFEST.md") ? folder : fs::path();
}

#define HONE_NEEDS_DATA() \
  if (data().empty()) GTEST_SKIP() << "no folder with the shared test data"

/// float32 elements of a .npy file.
std::vector<float> read_npy(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(stream)), {});
  if (bytes.size() < 10) return {};
  const size_t header = 10 + static_cast<uint8_t>(bytes[8]) + 256 * static_cast<uint8_t>(bytes[9]);
  std::vector<float> values((bytes.size() - header) / sizeof(float));
  std::memcpy(values.data(), bytes.data() + header, values.size() * sizeof(float));
  return values;
}

std::vector<float> generated(const std::string& name, const Shape& shape) {
  std::vector<float> values(static_cast<size_t>(element_count(shape)));
  generate(name, -1, 1, values);
  return values;
}

std::vector<float> compute(const Graph& graph, const std::vector<float>& input) {
  const std::vector<Constant> inputs{constant_of(input)};
  const auto outputs = interpret(graph, inputs);
  EXPECT_TRUE(outputs) << outputs.error().text();
  if (!outputs) return {};
  const auto values = floats(outputs->at(0));
  return {values.begin(), values.end()};
}

Graph imported(const fs::path& file) {
  auto graph = import_graph(file);
  EXPECT_TRUE(graph) << graph.error().text();
  return graph ? std::move(*graph) : Graph();
}

TEST(Models, EveryModelOfTheDataFolderIsImportedAndPartitioned) {
  HONE_NEEDS_DATA();
  int count = 0;
  for (const char* folder : {"onnx-real", "onnx-light", "onnx-light-torchvision", "tflite"})
    for (const auto& entry : fs::directory_iterator(data() / folder)) {
      const std::string extension = entry.path().extension();
      if (extension != ".onnx" && extension != ".tflite") continue;
      const Graph graph = imported(entry.path());
      const auto sound = verify(graph);
      EXPECT_TRUE(sound) << entry.path() << sound.error().text();
      size_t nodes = 0;
      for (const FusedOp& op : partition(graph)) {
        nodes += op.nodes.size();
        const auto again = parse_task(op.task.text);
        ASSERT_TRUE(again) << again.error().text();
        EXPECT_EQ(again->key, op.task.key);
      }
      EXPECT_EQ(nodes, graph.nodes.size());
      ++count;
    }
  EXPECT_GE(count, 42);
}

TEST(Models, MnistGivesWhatItsOwnTestDataExpects) {
  HONE_NEEDS_DATA();
  const Graph graph = imported(data() / "onnx-real/mnist-1.onnx");
  for (const char* set : {"test_data_set_0", "test_data_set_1", "test_data_set_2"}) {
    const fs::path folder = data() / "onnx-real-testdata/mnist" / set;
    const auto input = test::read_tensor(folder / "input_0.pb"),
               output = test::read_tensor(folder / "output_0.pb");
    ASSERT_TRUE(input && output);
    const auto in = floats(*input), out = floats(*output);
    EXPECT_LT(test::relative_error(compute(graph, {in.begin(), in.end()}), {out.begin(), out.end()}), 1e-5);
  }
}

TEST(Models, TheTfliteFileComputesWhatTheSameNetworkInOnnxComputes) {
  HONE_NEEDS_DATA();
  for (const auto& [tflite, onnx] :
       {std::pair{"tflite/mobilenet_v1_0.25_224_float.tflite", "onnx-real/mobilenet_v1_0.25_224_tf.onnx"},
        std::pair{"tflite/resnet8_cifar10_float.tflite", "onnx-real/resnet8_cifar10_mlperftiny.onnx"}}) {
    const Graph a = imported(data() / tflite), b = imported(data() / onnx);
    ASSERT_EQ(a.value(a.inputs[0]).type, b.value(b.inputs[0]).type);
    const auto input = generated("input_0", a.value(a.inputs[0]).type.shape);
    EXPECT_LT(test::relative_error(compute(a, input), compute(b, input)), 1e-4) << tflite;
  }
}

TEST(Models, DamagedFilesAreSurvived) {
  HONE_NEEDS_DATA();
  for (const char* name : {"tflite/resnet8_cifar10_float.tflite", "onnx-real/mnist-1.onnx",
                           "onnx-light-torchvision/tv_shufflenet_v2_x1_0.onnx"}) {
    std::ifstream stream(data() / name, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(stream)), {});
    std::mt19937 random(11);
    int refused = 0;
    for (int round = 0; round < 150; ++round) {
      std::string damaged = bytes;
      if (round % 3 == 0) damaged.resize(random() % bytes.size());
      // Structure lies at the ends of a file, weights between.
      for (int flips = 0; flips < 8 && !damaged.empty(); ++flips) {
        const size_t at = random() % std::min<size_t>(damaged.size(), 20000);
        damaged[flips % 2 ? at : damaged.size() - 1 - at] = static_cast<char>(random());
      }
      const auto result = import_bytes(damaged, data());
      refused += !result || !result->unsupported.empty();
    }
    EXPECT_GT(refused, 50) << name;
  }
}

TEST(Models, Float16WeightsAreWidened) {
  HONE_NEEDS_DATA();
  const Graph graph = imported(data() / "onnx-real/squeezenet1.1_winml_fp16.onnx");
  for (const Value& value : graph.values) EXPECT_EQ(value.type.dtype, DType::f32) << value.name;
  const auto weights = floats(*graph.value(graph.nodes[0].inputs[1]).constant);
  EXPECT_EQ(weights[0], 0.25732421875f);
  EXPECT_EQ(weights[3], -0.10046386718750f);
}

TEST(Models, SeededWeightsAreThoseOfThePythonTool) {
  HONE_NEEDS_DATA();
  std::ifstream file(data() / "onnx-light-expected/expected.json");
  const auto all = nlohmann::json::parse(file);
  for (const auto& [folder, name] : {std::pair{"onnx-light-torchvision", "tv_squeezenet1_1"},
                                     std::pair{"onnx-light", "light_densenet121"}}) {
    const auto bytes =
        test::seed_weights(data() / folder / (std::string(name) + ".onnx"), all.at(name).at("final_scale"));
    ASSERT_TRUE(bytes) << bytes.error().text();
    unsigned char digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(digest, reinterpret_cast<const unsigned char*>(bytes->data()), bytes->size());
    char hex[2 * sizeof digest + 1];
    EXPECT_EQ(sodium_bin2hex(hex, sizeof hex, digest, sizeof digest),
              all.at(name).at("sha256").get<std::string>());
  }
}

/// A light model with seeded weights against ONNX Runtime's logits.
class SeededModel : public testing::TestWithParam<const char*> {};
TEST_P(SeededModel, GivesTheExpectedLogits) {
  HONE_NEEDS_DATA();
  const std::string name = GetParam();
  std::ifstream file(data() / "onnx-light-expected/expected.json");
  const auto expected = nlohmann::json::parse(file).at(name);
  const fs::path folder = data() / (name.starts_with("tv_") ? "onnx-light-torchvision" : "onnx-light");
  const auto graph =
      test::import_seeded(folder / (name + ".onnx"), expected.at("final_scale"), expected.at("last_linear"));
  ASSERT_TRUE(graph) << graph.error().text();
  const auto logits = compute(*graph, generated("input_0", graph->value(graph->inputs[0]).type.shape));
  EXPECT_LT(test::relative_error(logits, read_npy(data() / "onnx-light-expected" / (name + "_logits.npy"))),
            1e-4);
}
INSTANTIATE_TEST_SUITE_P(Small, SeededModel,
                         testing::Values("tv_squeezenet1_1", "tv_mobilenet_v3_small", "tv_shufflenet_v2_x1_0",
                                         "tv_mnasnet1_0", "tv_efficientnet_b0_nofold", "light_shufflenet",
                                         "light_squeezenet", "tv_mobilenet_v2_nofold"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace hone
