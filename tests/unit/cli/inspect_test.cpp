// `hone inspect` on models that are not covered or not there: its exit codes.
#include "tuner/cli/inspect.h"

#include <gmock/gmock.h>

#include <fstream>

#include "onnx.pb.h"
#include "tuner/cli/commands.h"

namespace hone::cli {
namespace {

std::filesystem::path write_model(const std::string& op) {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(13);
  auto& graph = *model.mutable_graph();
  auto& input = *graph.add_input();
  input.set_name("x");
  input.mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::FLOAT);
  input.mutable_type()->mutable_tensor_type()->mutable_shape()->add_dim()->set_dim_value(4);
  auto& node = *graph.add_node();
  node.set_name("only");
  node.set_op_type(op);
  node.add_input("x");
  node.add_output("y");
  graph.add_output()->set_name("y");
  const auto path =
      std::filesystem::path(testing::TempDir()) / ("hone_inspect_" + op + std::to_string(getpid()) + ".onnx");
  std::ofstream(path, std::ios::binary) << model.SerializeAsString();
  return path;
}

struct Said {
  int code;
  std::string data, messages;
};
Said run(const std::filesystem::path& model, bool json) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int code = inspect({model, {}, json}, Output());
  return {code, testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
}

TEST(Inspect, ACoveredModelEndsWithZero) {
  const Said said = run(write_model("Relu"), false);
  EXPECT_EQ(said.code, kSuccess);
  EXPECT_THAT(said.data, testing::HasSubstr("1 operators, 1 tasks"));
  EXPECT_EQ(said.messages, "");
}

TEST(Inspect, AnUncoveredModelEndsWithItsOwnCodeAndListsTheNode) {
  const Said said = run(write_model("Celu"), false);
  EXPECT_EQ(said.code, kUnsupported);
  EXPECT_THAT(said.data, testing::ContainsRegex("only +Celu +- +13 +operator is not covered"));
  EXPECT_THAT(said.messages, testing::HasSubstr("1 of its nodes are not covered"));
}

TEST(Inspect, JsonIsOneObjectInBothCases) {
  EXPECT_THAT(run(write_model("Relu"), true).data, testing::StartsWith("{\"model\":\"hone_inspect_Relu"));
  const Said said = run(write_model("Celu"), true);
  EXPECT_THAT(said.data, testing::HasSubstr(
                             "{\"node\":\"only\",\"operator\":\"Celu\",\"attribute\":\"\",\"opset\":13,"));
}

TEST(Inspect, AMissingModelEndsWithFailure) {
  const Said said = run("/nowhere/model.onnx", false);
  EXPECT_EQ(said.code, kFailure);
  EXPECT_THAT(said.messages, testing::HasSubstr("/nowhere/model.onnx: there is no such file"));
}

}  // namespace
}  // namespace hone::cli
