// Architectures with seeded weights, compiled: ONNX Runtime's outputs and logits, and equal bits on any
// number of threads.
#include <gmock/gmock.h>

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/models/compiled.h"
#include "tests/support/onnx/seed_weights.h"
#include "tests/support/relative_error.h"

namespace hone {
namespace {

using namespace testing_models;
namespace fs = std::filesystem;

class Seeded : public testing::TestWithParam<const char*> {
 protected:
  nlohmann::json expected() const {
    std::ifstream file(data() / "onnx-light-expected/expected.json");
    return nlohmann::json::parse(file).at(GetParam());
  }
  Result<Graph> graph(const std::string& output) const {
    const std::string name = GetParam();
    const fs::path folder = data() / (name.starts_with("tv_") ? "onnx-light-torchvision" : "onnx-light");
    return test::import_seeded(folder / (name + ".onnx"), expected().at("final_scale"), output);
  }
  std::vector<float> stored(const std::string& what) const {
    return read_npy(data() / "onnx-light-expected" / (std::string(GetParam()) + "_" + what + ".npy")).values;
  }
};

TEST_P(Seeded, GivesOnnxRuntimesOutputOnAnyNumberOfThreads) {
  HONE_NEEDS_DATA();
  const auto whole = graph("");
  ASSERT_TRUE(whole) << whole.error().text();
  const auto made = Compiled::make(*whole);
  ASSERT_TRUE(made) << made.error().text();
  const auto input = generated("input_0", whole->value(whole->inputs[0]).type.shape);
  const auto one = made->run({input}), two = made->run({input}, 2), three = made->run({input}, 3);
  ASSERT_TRUE(one && two && three);
  EXPECT_LT(test::relative_error(one->at(0), stored("output")), 1e-4);
  EXPECT_EQ(std::memcmp(one->at(0).data(), two->at(0).data(), one->at(0).size() * 4), 0);
  EXPECT_EQ(std::memcmp(one->at(0).data(), three->at(0).data(), one->at(0).size() * 4), 0);
}

/// Models that end in a softmax or so, cut at their last linear operator.
class SeededAndCut : public Seeded {};
TEST_P(SeededAndCut, GivesOnnxRuntimesLogits) {
  HONE_NEEDS_DATA();
  const auto cut = graph(expected().at("last_linear"));
  ASSERT_TRUE(cut) << cut.error().text();
  const auto made = Compiled::make(*cut);
  ASSERT_TRUE(made) << made.error().text();
  const auto outputs = made->run({generated("input_0", cut->value(cut->inputs[0]).type.shape)});
  ASSERT_TRUE(outputs) << outputs.error().text();
  EXPECT_LT(test::relative_error(outputs->at(0), stored("logits")), 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Models, Seeded,
                         testing::Values("light_bvlc_alexnet", "light_densenet121", "light_inception_v1",
                                         "light_inception_v2", "light_resnet50", "light_shufflenet",
                                         "light_squeezenet", "light_vgg19", "light_zfnet512", "tv_alexnet",
                                         "tv_densenet121", "tv_densenet121_nofold",
                                         "tv_efficientnet_b0_nofold", "tv_googlenet", "tv_inception_v3",
                                         "tv_mnasnet1_0", "tv_mobilenet_v2_nofold", "tv_mobilenet_v3_large",
                                         "tv_mobilenet_v3_large_nofold", "tv_mobilenet_v3_small",
                                         "tv_resnet18", "tv_resnet18_nofold", "tv_resnet18_nofold_identity",
                                         "tv_resnet50_nofold", "tv_shufflenet_v2_x1_0", "tv_squeezenet1_0",
                                         "tv_squeezenet1_1", "tv_vgg16", "tv_vgg16_bn_nofold"),
                         [](const auto& info) { return std::string(info.param); });

INSTANTIATE_TEST_SUITE_P(Models, SeededAndCut,
                         testing::Values("light_bvlc_alexnet", "light_inception_v1", "light_inception_v2",
                                         "light_resnet50", "light_shufflenet", "light_squeezenet",
                                         "light_vgg19", "light_zfnet512", "tv_squeezenet1_0",
                                         "tv_squeezenet1_1"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace hone
