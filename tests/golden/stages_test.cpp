// What the compiler makes of small networks, stage by stage: each pass of the simplifier, tasks, plan.
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "codegen/graph/task.h"
#include "codegen/model/model.h"
#include "tests/golden/networks.h"
#include "tests/support/golden.h"

namespace hone {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::stringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

/// The lines that differ, those of `before` with "-" and those of `after` with "+", in order.
std::string difference(const std::string& before, const std::string& after) {
  const std::vector<std::string> a = lines_of(before), b = lines_of(after);
  // common[i][k]: length of the longest common subsequence of a from i on and b from k on.
  std::vector<std::vector<size_t>> common(a.size() + 1, std::vector<size_t>(b.size() + 1, 0));
  for (size_t i = a.size(); i-- > 0;)
    for (size_t k = b.size(); k-- > 0;)
      common[i][k] = a[i] == b[k] ? common[i + 1][k + 1] + 1 : std::max(common[i + 1][k], common[i][k + 1]);
  std::string text;
  for (size_t i = 0, k = 0; i < a.size() || k < b.size();) {
    if (i < a.size() && k < b.size() && a[i] == b[k]) {
      ++i, ++k;
    } else if (i < a.size() && (k == b.size() || common[i + 1][k] >= common[i][k + 1])) {
      text += "- " + a[i++] + '\n';
    } else {
      text += "+ " + b[k++] + '\n';
    }
  }
  return text;
}

class Stages : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    Result<Graph> read = test::read_network(GetParam());
    ASSERT_TRUE(read) << read.error().text();
    given_ = std::move(*read);
  }
  void expect(const std::string& stage, const std::string& text) const {
    test::expect_golden("stages/" + std::string(GetParam()) + "." + stage + ".txt", text);
  }

  Graph given_;
};

TEST_P(Stages, EachPassChangesTheGraphAsRecorded) {
  std::string before = to_text(given_), text;
  const Graph simple = simplify(given_, [&](std::string_view pass, const Graph& graph) {
    const auto sound = verify(graph);
    EXPECT_TRUE(sound) << pass << ": " << sound.error().text();
    const std::string after = to_text(graph);
    text += "=== " + std::string(pass) + '\n' + difference(before, after);
    before = after;
  });
  expect("passes", text + "\n=== the graph in the end\n" + to_text(simple));
}

TEST_P(Stages, FallsIntoTheRecordedTasks) {
  const Graph graph = simplify(given_);
  const std::vector<FusedOp> ops = partition(graph);
  expect("partition", to_text(graph, ops));
  std::string text;
  std::vector<Digest> seen;
  for (const FusedOp& op : ops) {
    if (std::ranges::find(seen, op.task.key) != seen.end()) continue;
    seen.push_back(op.task.key);
    text += "=== " + op.task.key.hex() + '\n' + op.task.text;
  }
  expect("tasks", text);
}

TEST_P(Stages, IsPlannedAsRecorded) {
  const Graph graph = simplify(given_);
  for (const char* target : {"x86-64-v4", "aarch64-neon"}) {
    const Result<Plan> planned = plan(graph, resolve_target(target).value(), {});
    ASSERT_TRUE(planned) << planned.error().text();
    expect("plan." + std::string(target), to_text(*planned));
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, Stages, testing::Values("residual", "mobile", "branches"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace hone
