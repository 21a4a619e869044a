// Whether the compiler still gives the code it gave: digests of every task's trial 0 and of whole built
// models. Nothing runs, so the targets may be of any machine; neither weights nor the machine that compiles
// decide a digest.
#include <gtest/gtest.h>

#include <filesystem>

#include "codegen/artifact/artifact.h"
#include "codegen/base/temporary_folder.h"
#include "codegen/llvm/emit.h"
#include "codegen/model/model.h"
#include "codegen/runtime/host/elf_image.h"
#include "codegen/runtime/host/file_bytes.h"
#include "codegen/runtime/host/model_file.h"
#include "codegen/task/graph_task.h"
#include "tests/golden/networks.h"
#include "tests/support/golden.h"
#include "tuner/search/round.h"

namespace hone {
namespace {

constexpr const char* kTargets[] = {"x86-64-v2", "x86-64-v3", "x86-64-v4", "aarch64-neon"};

/// What a tuner makes of a task's first round: parsed, proposed and compiled as its builders do.
Result<Candidate> trial_0(const Candidate& planned) {
  wire::Round round;
  round.task = planned.task.text;
  round.target = to_text(planned.target);
  round.ports = to_text(planned.ports);
  wire::Propose asked;
  asked.count = 1;
  HONE_TRY(Task task, parse_task(round.task));
  HONE_TRY(Target target, parse_target(round.target));
  HONE_TRY(const Ports ports, parse_ports(round.ports));
  HONE_TRY(TaskSpace space, TaskSpace::make(*any_task(task), target, ports));
  HONE_TRY(const Proposal proposal, propose_round(space, asked, {}));
  if (proposal.entries.empty()) return fail("nothing is proposed", summary(task));
  const Point& first = proposal.entries[0].point;
  HONE_TRY(const Parameters parameters, parse_parameters(to_text(first.parameters)));
  return make_candidate(task, target, *find_formulation(first.formulation), ports, parameters);
}

/// One digest of all ranges of a part of a built model.
Digest part_of(const ModelNotes& notes, const std::string& name) {
  std::string digests;
  for (const ModelPart& part : notes.parts)
    if (part.name == name) digests += part.digest;
  return digest_of(digests);
}

Result<ModelNotes> built(const Plan& plan, const std::string& name) {
  HONE_TRY(const TemporaryFolder folder, TemporaryFolder::make("golden"));
  BuildOptions options;
  options.model_name = name;
  options.check = false;
  const std::filesystem::path file = folder.path() / "model.so";
  HONE_TRY(const BuildReport report, build(plan, file, options));
  HONE_TRY(const FileBytes bytes, FileBytes::read(file.string()));
  HONE_TRY(const ElfImage image, ElfImage::parse(bytes.bytes(), kMostModelBytes, ImageMachine::any));
  return verify_model(image);
}

std::string line(const Digest& digest, const Digest& key, const std::string& what, const std::string& title) {
  std::string text = "  " + digest.hex(32) + "  " + key.hex(12) + "  " + what;
  text.resize(std::max(text.size(), size_t{65}), ' ');
  return text + ' ' + title + '\n';
}

/// Code and table say how far away the other lies: a change of one's size may change both digests.
class Replay : public testing::TestWithParam<test::Network> {};

TEST_P(Replay, GivesTheRecordedCode) {
  const test::Network& network = GetParam();
  if (network.is_shared() && test::shared_file(network).empty())
    GTEST_SKIP() << "no data/" << network.file << " in the folder with the shared test data (HONE_SHARED)";
  const std::string name = "replay/" + network.name + ".txt", version = llvm_version();
  const std::string recorded = test::golden_first_line(name);
  if (!recorded.empty() && recorded != version && !test::updates_golden())
    GTEST_SKIP() << name << " was recorded with " << recorded << "; this is " << version
                 << ", whose code may differ";
  const Result<Graph> graph = test::load(network);
  ASSERT_TRUE(graph) << graph.error().text();
  std::string text = version + '\n';
  for (const char* target : kTargets) {
    const Result<Plan> planned = plan(*graph, resolve_target(target).value(), {});
    ASSERT_TRUE(planned) << planned.error().text();
    text += "\n" + std::string(target) + '\n';
    for (const PlannedTask& task : distinct_tasks(*planned)) {
      const std::string title = summary(task.candidate.task);
      const Result<Candidate> first = trial_0(task.candidate);
      ASSERT_TRUE(first) << title << ": " << first.error().text();
      EXPECT_EQ(candidate_key(*first), candidate_key(task.candidate))
          << title << ": an untuned build takes another candidate than the tuner's trial 0";
      const Result<Artifact> artifact = compile(*first);
      ASSERT_TRUE(artifact) << title << ": " << artifact.error().text();
      text += line(artifact->digest, task.candidate.task.key, first->formulation, title);
    }
    const Result<ModelNotes> notes = built(*planned, network.name);
    ASSERT_TRUE(notes) << notes.error().text();
    text += "  " + part_of(*notes, "code").hex(32) + "  the model's code\n";
    text += "  " + part_of(*notes, "description").hex(32) + "  the model's table and description\n";
  }
  test::expect_golden(name, text);
}

INSTANTIATE_TEST_SUITE_P(
    Networks, Replay,
    testing::Values(test::Network{"residual", ""}, test::Network{"mobile", ""}, test::Network{"branches", ""},
                    test::Network{"tiny", "tests/system/tiny.onnx"},
                    test::Network{"squeezenet", "onnx-real/squeezenet1.1_zoo.onnx"},
                    test::Network{"mobilenet_v2", "onnx-real/mobilenetv2_torchvision.onnx"},
                    test::Network{"mobilenet_v1", "tflite/mobilenet_v1_0.25_224_float.tflite"},
                    test::Network{"resnet20_v2", "onnx-real/cifar10_resnet20_v2_gluoncv.onnx"},
                    test::Network{"resnet18", "onnx-light-torchvision/tv_resnet18.onnx"},
                    test::Network{"mobilenet_v3", "onnx-light-torchvision/tv_mobilenet_v3_small.onnx"},
                    test::Network{"shufflenet", "onnx-light/light_shufflenet.onnx"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace hone
