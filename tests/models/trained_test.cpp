// Trained networks, compiled: the outputs that lie beside them, and their accuracy.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "codegen/import/import.h"
#include "codegen/runtime/data/picture.h"
#include "tests/models/compiled.h"
#include "tests/support/relative_error.h"
#include "tuner/session/run.h"

namespace hone {
namespace {

using namespace testing_models;
namespace fs = std::filesystem;

Result<Compiled> compiled(const std::string& model) {
  auto graph = import_graph(data() / "onnx-real" / (model + ".onnx"));
  if (!graph) return pass(graph.error());
  return Compiled::make(*graph);
}

std::vector<float> values_of(const fs::path& file) {
  const auto tensor = session::read_tensor(file);
  EXPECT_TRUE(tensor) << tensor.error().text();
  return tensor ? tensor->values : std::vector<float>();
}

/// Every folder in `sets` with an input_0 and an output_0 that end so.
void gives_its_test_data(const std::string& model, const fs::path& sets, const std::string& ending,
                         double bound) {
  const auto made = compiled(model);
  ASSERT_TRUE(made) << made.error().text();
  int count = 0;
  for (const auto& set : fs::directory_iterator(sets)) {
    const auto outputs = made->run({values_of(set.path() / ("input_0" + ending))});
    ASSERT_TRUE(outputs) << outputs.error().text();
    EXPECT_LT(test::relative_error(outputs->at(0), values_of(set.path() / ("output_0" + ending))), bound)
        << set.path();
    ++count;
  }
  EXPECT_EQ(count, 3);
}

TEST(Trained, MnistGivesItsTestData) {
  HONE_NEEDS_DATA();
  gives_its_test_data("mnist-1", data() / "onnx-real-testdata/mnist", ".pb", 1e-4);
}
TEST(Trained, SqueezeNetGivesTheZoosTestData) {
  HONE_NEEDS_DATA();
  gives_its_test_data("squeezenet1.1_zoo", data() / "onnx-real-testdata/squeezenet1.1_nchw/test_data_set",
                      ".npy", 1e-4);
}
TEST(Trained, MobileNetV2GivesTheZoosTestDataAsFarAsItsRoundedClassifierAllows) {
  HONE_NEEDS_DATA();
  gives_its_test_data("mobilenetv2_torchvision", data() / "onnx-real-testdata/mobilenetv2_nchw/test_data_set",
                      ".npy", 2e-2);
}

/// Every sample picture: the exact crop in, ONNX Runtime's outputs and label out.
class Pictures : public testing::TestWithParam<const char*> {};
TEST_P(Pictures, GetTheExpectedOutputsAndLabels) {
  HONE_NEEDS_DATA();
  const std::string model = GetParam();
  std::ifstream file(data() / "onnx-real-expected/expected_top5.json");
  const auto expected = nlohmann::json::parse(file).at(model);
  const Array stored = read_npy(data() / "onnx-real-expected" / (model + "_outputs.npy"));
  const auto made = compiled(model);
  ASSERT_TRUE(made) << made.error().text();
  const int64_t size = expected.at("size");
  Preprocessing how;
  if (expected.at("preprocess") == "torch")
    how.mean = {.485f, .456f, .406f}, how.deviation = {.229f, .224f, .225f};
  if (expected.at("preprocess") == "tf") how.mean = {.5f}, how.deviation = {.5f};
  size_t row = 0;
  for (const std::string picture : expected.at("rows")) {
    const fs::path crop =
        data() / "onnx-real-expected/crops" / (picture + "_" + std::to_string(size) + ".png");
    const auto input = picture_tensor(crop, {1, 3, size, size}, how);
    ASSERT_TRUE(input) << input.error().text();
    const auto outputs = made->run({*input});
    ASSERT_TRUE(outputs) << outputs.error().text();
    const std::vector<float>& found = outputs->at(0);
    const auto begin = stored.values.begin() + static_cast<ptrdiff_t>(row++ * found.size());
    EXPECT_LT(test::relative_error(found, {begin, begin + static_cast<ptrdiff_t>(found.size())}), 1e-4)
        << picture;
    EXPECT_EQ(std::max_element(found.begin(), found.end()) - found.begin(),
              expected.at("images").at(picture).at(0).at(0).get<int>())
        << picture;
  }
  EXPECT_GT(row, 0u);
}
INSTANTIATE_TEST_SUITE_P(Models, Pictures,
                         testing::Values("squeezenet1.1_zoo", "mobilenetv2_torchvision",
                                         "mobilenet_v1_0.25_224_tf", "mobilenet_v1_0.25_96_vww"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

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
