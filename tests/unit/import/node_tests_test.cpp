// ONNX's own node tests: every one is imported or refused with a reason, none crashes, and what is imported
// computes what it should (by the graph's interpreter).
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <map>
#include <set>

#include "codegen/graph/evaluate.h"
#include "tests/support/onnx/node_test.h"

namespace hone {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> folders() {
  std::vector<fs::path> result;
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(test::node_test_folder(), code))
    result.push_back(entry.path());
  std::sort(result.begin(), result.end());
  return result;
}

/// "" or where the outputs differ.
std::string difference(const test::NodeTest& test) {
  const auto outputs = interpret(test.imported.graph, test.inputs);
  if (!outputs) return outputs.error().text();
  for (size_t k = 0; k < outputs->size(); ++k) {
    const auto got = floats((*outputs)[k]), wanted = floats(test.expected[k]);
    if (got.size() != wanted.size()) return "output " + std::to_string(k) + " has another size";
    for (size_t i = 0; i < got.size(); ++i) {
      const bool same = got[i] == wanted[i] || (std::isnan(got[i]) && std::isnan(wanted[i]));
      const double relative = test.half ? 1e-3 : 1e-4;
      if (!same && !(std::fabs(got[i] - wanted[i]) <= 1e-5 + relative * std::fabs(wanted[i])))
        return "output " + std::to_string(k) + " element " + std::to_string(i) + " is " +
               std::to_string(got[i]) + ", not " + std::to_string(wanted[i]);
    }
  }
  return "";
}

TEST(OnnxNodeTests, NoneGivesAWrongAnswer) {
  const auto all = folders();
  if (all.empty()) GTEST_SKIP() << "no " << test::node_test_folder();
  const bool list = std::getenv("HONE_LIST_NODE_TESTS") != nullptr;
  std::map<std::string, int> passed;
  int refused = 0;
  for (const fs::path& folder : all) {
    const auto test = test::load_node_test(folder);
    if (!test || !test->imported.unsupported.empty()) {
      ++refused;
      if (list && !test) std::cout << folder.filename() << " ERROR " << test.error().text() << '\n';
      if (list && test)
        for (const Unsupported& one : test->imported.unsupported)
          std::cout << test->name << " REFUSED " << one.op << " [" << one.attribute << "] " << one.reason
                    << '\n';
      continue;
    }
    const std::string wrong = difference(*test);
    EXPECT_EQ(wrong, "") << test->name << '\n' << to_text(test->imported.graph);
    if (!wrong.empty()) continue;
    for (const std::string& op : std::set<std::string>(test->operators.begin(), test->operators.end()))
      ++passed[op];
    if (list) std::cout << test->name << " PASSED\n";
  }
  if (list)
    for (const auto& [op, count] : passed) std::cout << "operator " << op << ": " << count << '\n';
  std::cout << refused << " of " << all.size() << " refused\n";
  for (const char* op :
       {"Conv", "BatchNormalization", "Relu", "Clip", "MaxPool", "AveragePool", "GlobalAveragePool", "Gemm",
        "MatMul", "Add", "Sum", "Mul", "Concat", "Reshape", "Flatten", "Transpose", "Softmax", "Pad"})
    EXPECT_GT(passed[op], 0) << op;
}

}  // namespace
}  // namespace hone
