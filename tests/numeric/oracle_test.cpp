// The interpreter of task texts gives what reference artifacts give, in every task of whole networks. (The
// sweeps of this folder hold it to the reference of each random task too.)
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <set>

#include "codegen/import/import.h"
#include "codegen/oracle/oracle.h"
#include "tests/numeric/checking.h"

namespace hone::testing {
namespace {

namespace fs = std::filesystem;

fs::path data() {
  const char* given = std::getenv("HONE_SHARED");
  const fs::path folder = fs::path(given ? given : HONE_SOURCE_DIR "/../shared") / "data";
  return fs::exists(folder / "MANIFEST.md") ? folder : fs::path();
}

#define HONE_NEEDS_DATA() \
  if (data().empty()) GTEST_SKIP() << "no folder with the shared test data"

std::vector<Task> tasks_of(const fs::path& file, std::set<Digest>& seen) {
  std::vector<Task> tasks;
  const auto graph = import_graph(file);
  EXPECT_TRUE(graph) << graph.error().text();
  if (!graph) return tasks;
  for (FusedOp& op : partition(*graph))
    if (seen.insert(op.task.key).second) tasks.push_back(std::move(op.task));
  return tasks;
}

TEST(Oracle, GivesWhatTheReferenceGivesInEveryTaskOfSeveralNetworks) {
  HONE_NEEDS_DATA();
  std::set<Digest> seen;
  std::mt19937 random(7);
  const Target target = runnable_targets()[0];
  int compared = 0;
  for (const char* name : {"onnx-real/mnist-1.onnx", "onnx-real/resnet8_cifar10_mlperftiny.onnx",
                           "onnx-light/light_squeezenet.onnx", "onnx-light/light_shufflenet.onnx",
                           "onnx-light/light_densenet121.onnx", "onnx-light/light_inception_v1.onnx",
                           "onnx-light-torchvision/tv_mobilenet_v3_small.onnx"}) {
    for (const Task& task : tasks_of(data() / name, seen)) {
      if (task.flops() > 5e7) continue;  // for the test's time: their like are smaller elsewhere
      const auto reference = reference_output(task, target, "network");
      if (!reference) {
        EXPECT_EQ(task.anchor().op, Op::reshape) << reference.error().text();
        continue;
      }
      EXPECT_EQ(oracle_disagreement(task, *reference, "network", random, 6), "") << task.text;
      ++compared;
    }
  }
  std::printf("%d tasks compared\n", compared);
  EXPECT_GE(compared, 60);
}

TEST(Oracle, UnderstandsEveryTaskOfEveryModelAndEachElementIsAffordable) {
  HONE_NEEDS_DATA();
  std::set<Digest> seen;
  double most = 0;
  for (const char* folder : {"onnx-real", "onnx-light", "onnx-light-torchvision", "tflite"})
    for (const auto& entry : fs::directory_iterator(data() / folder)) {
      const std::string extension = entry.path().extension();
      if (extension != ".onnx" && extension != ".tflite") continue;
      for (const Task& task : tasks_of(entry.path(), seen)) {
        const auto oracle = Oracle::create(task.text);
        ASSERT_TRUE(oracle) << oracle.error().text() << "\n" << task.text;
        EXPECT_LT(oracle->cost(), 1e6) << task.text;
        most = std::max(most, oracle->cost());
        EXPECT_TRUE(oracle->element(oracle->elements() - 1, test_data(*oracle, "any")));
      }
    }
  std::printf("%zu tasks, the dearest element %.0f operations\n", seen.size(), most);
}

}  // namespace
}  // namespace hone::testing
