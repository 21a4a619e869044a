// A signature is of the oracle's task, or the oracle says what differs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "codegen/artifact/artifact.h"
#include "codegen/artifact/lowered.h"
#include "codegen/formulation/formulation.h"
#include "codegen/oracle/oracle.h"

namespace hone {
namespace {

using ::testing::HasSubstr;

Task task_of(const std::string& text) {
  auto graph = parse_graph(text);
  EXPECT_TRUE(graph) << graph.error().text();
  return make_task(std::move(*graph));
}

Task residual() {
  return task_of(
      "%x = input f32[1x32x14x14]\n%r = input f32[1x32x14x14]\n%w = constant f32[32x32x3x3]\n%b = constant "
      "f32[32]\n"
      "%0 = conv %x %w %b {pads=[1,1,1,1]}\n%1 = add %0 %r\n%2 = relu %1\noutput %2\n");
}

Target target() { return resolve_target("x86-64-v4").value(); }

Signature candidate_signature(const Task& task) {
  return lower_candidate(default_candidate(task, target()).value()).value().signature;
}

std::string difference(const Task& task, const Signature& signature) {
  const Oracle oracle = Oracle::create(task.text).value();
  const Status status = matches(oracle, signature);
  return status ? "" : status.error().text();
}

TEST(Matches, CandidatesAndReferencesOfTheTask) {
  const Task task = residual();
  EXPECT_EQ(difference(task, candidate_signature(task)), "");
  const auto reference = compile_reference(task, resolve_target("host").value());
  ASSERT_TRUE(reference);
  EXPECT_EQ(difference(task, reference->signature), "");
}

TEST(Matches, NothingElse) {
  const Task task = residual();
  const Signature right = candidate_signature(task);
  const auto with = [&](auto change) {
    Signature wrong = right;
    change(wrong);
    return difference(task, wrong);
  };
  const auto buffer = [](Signature& s, Role role) -> BufferSpec& {
    for (BufferSpec& spec : s.buffers)
      if (spec.role == role) return spec;
    std::abort();
  };
  EXPECT_THAT(with([](Signature& s) { s.task += " "; }), HasSubstr("of another task"));
  EXPECT_THAT(with([&](Signature& s) { buffer(s, Role::input).range = {0, 0}; }),
              HasSubstr("'x' wants test data in [0.000000,0.000000), not in [-1.000000,1.000000)"));
  EXPECT_THAT(with([&](Signature& s) { buffer(s, Role::input).name = "x1"; }),
              HasSubstr("'x1' stands where the task has 'x'"));
  EXPECT_THAT(with([&](Signature& s) { buffer(s, Role::input).role = Role::scratch; }),
              HasSubstr("1 inputs instead of the task's 2"));
  EXPECT_THAT(with([&](Signature& s) { buffer(s, Role::output).type.shape = {1, 32, 14, 7}; }),
              HasSubstr("'y' is f32[1x32x14x7], not f32[1x32x14x14]"));
  EXPECT_THAT(with([&](Signature& s) { s.buffers.push_back(buffer(s, Role::output)); }),
              HasSubstr("2 outputs instead of the task's 1"));
  EXPECT_THAT(with([](Signature& s) { s.constants.pop_back(); }),
              HasSubstr("1 constants instead of the task's 2"));
  EXPECT_THAT(with([](Signature& s) { s.constants[0].range.hi = 2; }), HasSubstr("'w' wants test data"));
  EXPECT_THAT(with([](Signature& s) { s.bound.relative_l2 = 1e-3; }),
              HasSubstr("an error bound of 0.001000"));
  EXPECT_THAT(with([](Signature& s) { s.bound.element_factor = std::numeric_limits<double>::quiet_NaN(); }),
              HasSubstr("no way to compute the task needs more than"));
  EXPECT_THAT(with([](Signature& s) { s.reference = true; }), HasSubstr("1 outputs instead of the task's 2"));
}

/// Tasks that between them every formulation covers.
std::vector<Task> tasks() {
  std::vector<Task> all;
  const auto conv = [&](int64_t in, int64_t out, int64_t size, const std::string& kernel,
                        const std::string& rest) {
    all.push_back(task_of("%x = input f32[1x" + std::to_string(in) + "x" + std::to_string(size) + "x" +
                          std::to_string(size) + "]\n%w = constant f32[" + std::to_string(out) + "x" +
                          kernel + "]\n%y = conv %x %w {" + rest + "}\noutput %y\n"));
  };
  conv(64, 64, 28, "64x3x3", "pads=[1,1,1,1]");
  conv(64, 64, 56, "64x5x5", "pads=[2,2,2,2]");
  conv(64, 64, 56, "64x7x1", "pads=[3,0,3,0]");
  conv(5, 24, 28, "5x3x3", "pads=[1,1,1,1] strides=[2,2]");
  conv(512, 64, 7, "512x1x1", "strides=[1,1]");
  conv(3, 16, 28, "3x3x3", "strides=[2,2]");
  conv(32, 32, 14, "1x3x3", "pads=[1,1,1,1] groups=32");
  conv(32, 32, 14, "8x3x3", "pads=[1,1,1,1] groups=4");
  all.push_back(task_of(
      "%x = input f32[1x64x28x28]\n%g = input f32[1x64x1x1]\n%w = constant f32[32x64x1x1]\n%0 = mul %x "
      "%g\n%1 = conv %0 %w\noutput %1\n"));
  all.push_back(task_of(
      "%x = input f32[1x64x28x28]\n%s = constant f32[64x1x1]\n%w = constant f32[32x64x1x1]\n%0 = mul %x "
      "%s\n%1 = relu %0\n%2 = conv %1 %w\noutput %2\n"));
  const std::string x = "%x = input f32[2x32x14x14]\n";
  for (const char* node :
       {"max_pool %x {kernel=[2,2]}", "average_pool %x {kernel=[3,3] pads=[1,1,1,1]}",
        "global_average_pool %x", "global_max_pool %x", "reduce_mean %x {axes=[1] keep_dims=1}",
        "softmax %x {axis=1}", "log_softmax %x {axis=3}", "transform %x", "concat %x %x {axis=1}",
        "pad %x {pads=[0,0,1,1,0,0,1,1]}", "transpose %x {permutation=[0,2,3,1]}",
        "slice %x {axes=[1] starts=[0] ends=[16] steps=[1]}", "reshape %x {shape=[2,6272]}",
        "lrn %x {size=5}", "channel_shuffle %x {groups=4}", "relu %x"})
    all.push_back(task_of(x + "%y = " + node + "\noutput %y\n"));
  all.push_back(
      task_of("%x = input f32[3x100]\n%i = constant i64[2]\n%y = gather %x %i {axis=1}\noutput %y\n"));
  all.push_back(task_of("%x = input f32[3x100]\n%w = constant f32[100x10]\n%y = dense %x %w\noutput %y\n"));
  all.push_back(task_of("%x = input f32[3x100]\n%z = input f32[100x10]\n%y = matmul %x %z\noutput %y\n"));
  return all;
}

TEST(Bounds, OfEveryFormulationAreWithinTheLoosest) {
  std::set<std::string_view> seen;
  for (const Task& task : tasks()) {
    const Oracle oracle = Oracle::create(task.text).value();
    const ErrorBound loosest = loosest_bound(oracle);
    for (const char* name : {"x86-64-v4", "x86-64-v3", "x86-64-v2"}) {
      const Target target = resolve_target(name).value();
      for (const Formulation* formulation : formulations_for(task, target)) {
        seen.insert(formulation->name);
        const auto made = formulation->formulate(task, target, default_ports(*formulation, task, target));
        ASSERT_TRUE(made) << made.error().text();
        EXPECT_LE(made->bound.relative_l2, loosest.relative_l2) << formulation->name << "\n" << task.text;
        EXPECT_LE(made->bound.element_factor, loosest.element_factor) << formulation->name << "\n"
                                                                      << task.text;
      }
    }
  }
  for (const Formulation& formulation : formulations())
    EXPECT_TRUE(seen.contains(formulation.name)) << formulation.name << " has no task here";
}

}  // namespace
}  // namespace hone
