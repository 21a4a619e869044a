// Trained networks, compiled: the outputs that lie beside them, and their accuracy.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "codegen/import/import.h"
#include "tests/models/compiled.h"
#include "tests/support/onnx/node_test.h"

namespace hone {
namespace {

using namespace testing_models;
namespace fs = std::filesystem;

Result<Compiled> compiled(const std::string& model) {
  auto graph = import_graph(data() / "onnx-real" / (model + ".onnx"));
  if (!graph) return pass(graph.error());
  return Compiled::make(*graph);
}

std::vector<float> values_of(const fs::path& pb) {
  const auto constant = test::read_tensor(pb);
  EXPECT_TRUE(constant) << pb;
  if (!constant) return {};
  std::vector<float> values(constant->bytes.size() / 4);
  std::memcpy(values.data(), constant->bytes.data(), values.size() * 4);
  return values;
}

void gives_its_test_data(const std::string& model, const fs::path& sets, double bound) {
  const auto made = compiled(model);
  ASSERT_TRUE(made) << made.error().text();
  int count = 0;
  for (const auto& set : fs::directory_iterator(sets)) {
    const fs::path input = set.path() / "input_0.pb";
    if (!fs::exists(input)) continue;
    const auto outputs = made->run({values_of(input)});
    ASSERT_TRUE(outputs) << outputs.error().text();
    EXPECT_LT(relative_error(outputs->at(0), values_of(set.path() / "output_0.pb")), bound) << set.path();
    ++count;
  }
  EXPECT_GT(count, 0);
}

TEST(Trained, MnistGivesItsTestData) {
  HONE_NEEDS_DATA();
  gives_its_test_data("mnist-1", data() / "onnx-real-testdata/mnist", 1e-4);
}
TEST(Trained, SqueezeNetGivesTheZoosTestData) {
  HONE_NEEDS_DATA();
  gives_its_test_data("squeezenet1.1_zoo", data() / "onnx-real-testdata/squeezenet1.1_nchw", 1e-4);
}
TEST(Trained, MobileNetV2GivesTheZoosTestDataAsFarAsItsRoundedClassifierAllows) {
  HONE_NEEDS_DATA();
  gives_its_test_data("mobilenetv2_torchvision", data() / "onnx-real-testdata/mobilenetv2_nchw", 2e-2);
}

/// CIFAR-10 top-1 in per cent over the first thousand test images.
double accuracy(const std::string& model, const std::vector<float>& mean, const std::vector<float>& deviation,
                float scale) {
  const auto made = compiled(model);
  EXPECT_TRUE(made) << made.error().text();
  if (!made) return 0;
  std::ifstream file(data() / "cifar10/test_first1000.bin", std::ios::binary);
  std::vector<std::vector<float>> samples;
  std::vector<int> labels;
  std::vector<char> row(3073);
  while (file.read(row.data(), 3073)) {
    labels.push_back(static_cast<uint8_t>(row[0]));
    std::vector<float> sample(3072);
    for (size_t i = 0; i < 3072; ++i)
      sample[i] = (static_cast<float>(static_cast<uint8_t>(row[i + 1])) * scale - mean[i / 1024]) /
                  deviation[i / 1024];
    samples.push_back(std::move(sample));
  }
  const auto outputs = made->run_all(samples);
  EXPECT_TRUE(outputs && labels.size() == 1000);
  if (!outputs) return 0;
  int right = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    const auto& scores = (*outputs)[i];
    right += std::max_element(scores.begin(), scores.end()) - scores.begin() == labels[i];
  }
  return right / 10.0;
}

class Cifar10 : public testing::TestWithParam<std::pair<const char*, double>> {};
TEST_P(Cifar10, HasTheAccuracyThatOnnxRuntimeHas) {
  HONE_NEEDS_DATA();
  const auto [model, expected] = GetParam();
  const bool gluon = std::string(model).ends_with("gluoncv");
  const double found = gluon ? accuracy(model, {.4914f, .4822f, .4465f}, {.2023f, .1994f, .2010f}, 1.0f / 255)
                             : accuracy(model, {0, 0, 0}, {1, 1, 1}, 1);
  std::printf("%s: top-1 %.1f %%, ONNX Runtime %.1f %%\n", model, found, expected);
  EXPECT_NEAR(found, expected, 0.2);
}
INSTANTIATE_TEST_SUITE_P(Models, Cifar10,
                         testing::Values(std::pair{"cifar10_resnet20_v1_gluoncv", 93.8},
                                         std::pair{"cifar10_resnet20_v2_gluoncv", 93.5},
                                         std::pair{"cifar10_resnet56_v1_gluoncv", 93.1},
                                         std::pair{"resnet8_cifar10_mlperftiny", 88.1},
                                         std::pair{"resnet8large_cifar10_mlperftiny", 91.5}),
                         [](const auto& info) {
                           std::string name = info.param.first;
                           return name;
                         });

}  // namespace
}  // namespace hone
