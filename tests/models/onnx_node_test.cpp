// ONNX's own node tests, compiled: each covered one is built into a shared object and gives the expected
// output; each other is refused with a reason. None gives a wrong answer.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>

#include "codegen/graph/evaluate.h"
#include "tests/models/compiled.h"
#include "tests/support/onnx/node_test.h"

namespace hone::testing_models {
namespace {

namespace fs = std::filesystem;

/// Operators that hone promises to cover: their tests must be built, or be refused for a stated reason.
const std::vector<std::string> kPromised{"AveragePool",
                                         "BatchNormalization",
                                         "Cast",
                                         "Clip",
                                         "Concat",
                                         "Constant",
                                         "ConstantOfShape",
                                         "Conv",
                                         "Dropout",
                                         "Flatten",
                                         "Gemm",
                                         "Add",
                                         "Identity",
                                         "GlobalAveragePool",
                                         "MatMul",
                                         "MaxPool",
                                         "Mul",
                                         "Pad",
                                         "Relu",
                                         "Reshape",
                                         "Shape",
                                         "Softmax",
                                         "Sum",
                                         "Transpose"};

struct Outcome {
  enum class Kind : uint8_t { passed, refused, wrong } kind;
  std::string reason;
};

Outcome refused(const Error& error) { return {Outcome::Kind::refused, error.text()}; }

/// As ONNX's own runner compares: |got - wanted| <= 1e-7 + 1e-3 |wanted|, and the same not-a-numbers; float16
/// models to that type's precision.
std::string difference(const std::vector<float>& got, std::span<const float> wanted, bool half) {
  if (got.size() != wanted.size())
    return "has " + std::to_string(got.size()) + " elements, not " + std::to_string(wanted.size());
  for (size_t i = 0; i < got.size(); ++i) {
    const float bound = (half ? 1e-3f : 1e-7f) + (half ? 1e-2f : 1e-3f) * std::fabs(wanted[i]);
    const bool same = got[i] == wanted[i] || (std::isnan(got[i]) && std::isnan(wanted[i])) ||
                      std::fabs(got[i] - wanted[i]) <= bound;
    if (!same)
      return "element " + std::to_string(i) + " is " + std::to_string(got[i]) + ", not " +
             std::to_string(wanted[i]);
  }
  return {};
}

Outcome run(const fs::path& folder) {
  const auto test = test::load_node_test(folder);
  if (!test) return refused(test.error());
  if (!test->imported.unsupported.empty()) {
    const Unsupported& first = test->imported.unsupported.front();
    return {Outcome::Kind::refused, first.op + " " + first.attribute + ": " + first.reason};
  }
  const auto compiled = Compiled::make(test->imported.graph);
  if (!compiled) return refused(compiled.error());
  std::vector<std::vector<float>> inputs;
  for (const Constant& input : test->inputs) {
    const auto values = floats(input);
    inputs.emplace_back(values.begin(), values.end());
  }
  const auto outputs = compiled->run(inputs);
  if (!outputs) return refused(outputs.error());
  for (size_t k = 0; k < test->expected.size(); ++k) {
    const std::string wrong = difference(outputs->at(k), floats(test->expected[k]), test->half);
    if (!wrong.empty()) return {Outcome::Kind::wrong, "output " + std::to_string(k) + " " + wrong};
  }
  return {Outcome::Kind::passed, ""};
}

/// Operators of a test's model, as the loader read them; empty if it could not.
bool promised(const fs::path& folder) {
  const auto test = test::load_node_test(folder);
  // A test that cannot be loaded at all is judged by its name: test_<operator in lower case>...
  const auto in_name = [&](std::string op) {
    std::transform(op.begin(), op.end(), op.begin(), [](unsigned char c) { return std::tolower(c); });
    return folder.filename().string().starts_with("test_" + op);
  };
  if (!test) return std::any_of(kPromised.begin(), kPromised.end(), in_name);
  return !test->operators.empty() &&
         std::all_of(test->operators.begin(), test->operators.end(), [](const std::string& op) {
           return std::find(kPromised.begin(), kPromised.end(), op) != kPromised.end();
         });
}

TEST(OnnxNodeTests, NoneOfThePromisedOperatorsGivesAWrongAnswer) {
  if (!fs::exists(test::node_test_folder())) GTEST_SKIP() << "libonnx-testdata is not installed";
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(test::node_test_folder()))
    if (promised(entry.path())) folders.push_back(entry.path());
  std::sort(folders.begin(), folders.end());

  int passed = 0, refused = 0;
  std::map<std::string, std::vector<std::string>> reasons;
  for (const fs::path& folder : folders) {
    const Outcome outcome = run(folder);
    const std::string name = folder.filename();
    switch (outcome.kind) {
      case Outcome::Kind::passed:
        ++passed;
        break;
      case Outcome::Kind::refused:
        ++refused;
        EXPECT_FALSE(outcome.reason.empty()) << name;
        reasons[outcome.reason].push_back(name);
        break;
      case Outcome::Kind::wrong:
        ADD_FAILURE() << name << ": " << outcome.reason;
        break;
    }
  }
  std::printf("ONNX node tests of the promised operators: %zu, %d passed, %d refused\n", folders.size(),
              passed, refused);
  for (const auto& [reason, names] : reasons)
    std::printf("  refused %zu, such as %s: %s\n", names.size(), names.front().c_str(), reason.c_str());
  EXPECT_GE(passed, 100);
}

}  // namespace
}  // namespace hone::testing_models
