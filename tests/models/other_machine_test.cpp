// Models for other machines and narrower vectors, run under an emulator where there is one: the same answers,
// on one thread and on two.
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>

#include "codegen/base/generator.h"
#include "codegen/model/model.h"
#include "tests/models/compiled.h"
#include "tests/support/relative_error.h"

namespace hone {
namespace {

using namespace testing_models;

constexpr const char* kNetwork = R"(%x = input f32[1x3x33x29]
%w0 = constant f32[24x3x3x3]
%b0 = constant f32[24]
%w1 = constant f32[24x1x3x3]
%b1 = constant f32[24]
%w2 = constant f32[40x24x1x1]
%b2 = constant f32[40]
%w3 = constant f32[40x40x3x3]
%w4 = constant f32[10x40]
%b4 = constant f32[10]
%0 = conv %x %w0 %b0 {strides=[2,2] pads=[1,1,1,1] dilations=[1,1] groups=1}
%1 = relu %0
%2 = conv %1 %w1 %b1 {strides=[1,1] pads=[1,1,1,1] dilations=[1,1] groups=24}
%3 = sigmoid %2
%4 = conv %3 %w2 %b2 {strides=[1,1] pads=[0,0,0,0] dilations=[1,1] groups=1}
%5 = max_pool %4 {kernel=[3,3] strides=[2,2] pads=[1,1,1,1] dilations=[1,1]}
%6 = conv %5 %w3 {strides=[1,1] pads=[1,1,1,1] dilations=[1,1] groups=1}
%7 = add %6 %5
%8 = relu %7
%9 = global_average_pool %8
%10 = reshape %9 {shape=[1,40]}
%11 = dense %10 %w4 %b4 {transpose_b=1}
%12 = softmax %11 {axis=1}
output %12
)";

Graph network() {
  Graph graph = parse_graph(kNetwork).value();
  for (Value& value : graph.values) {
    if (!value.is_constant) continue;
    const int64_t elements = element_count(value.type.shape);
    const float bound =
        value.type.shape.size() < 2
            ? 0.5f
            : std::sqrt(6.0f * static_cast<float>(value.type.shape[0]) / static_cast<float>(elements));
    std::vector<float> data(static_cast<size_t>(elements));
    generate("data/" + value.name, -bound, bound, data);
    auto constant = std::make_shared<Constant>();
    constant->bytes.resize(data.size() * 4);
    std::memcpy(constant->bytes.data(), data.data(), constant->bytes.size());
    value.constant = constant;
  }
  return graph;
}

/// Exit code of a program; 127 if there is none of that name.
int run(std::vector<std::string> arguments) {
  const pid_t child = fork();
  if (child == 0) {
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    execvp(argv[0], argv.data());
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

struct Machine {
  const char *target, *driver;
  std::vector<std::string> emulator;
};

constexpr int kNotCreated = 15;  // what driver.c ends with then

class OtherMachine : public testing::TestWithParam<Machine> {};

TEST_P(OtherMachine, GivesTheReferencesAnswerOnOneAndTwoThreads) {
  const Machine& machine = GetParam();
  std::vector<std::string> command = machine.emulator;
  if (!command.empty() && run({command[0], "--version"}) == 127) GTEST_SKIP() << "no " << command[0];
  const Graph graph = network();
  const auto plan = hone::plan(graph, resolve_target(machine.target).value(), {});
  ASSERT_TRUE(plan) << plan.error().text();
  const std::string base =
      testing::TempDir() + "hone-machine-" + std::to_string(getpid()) + "-" + machine.target;
  BuildOptions options;
  options.check = false;
  const auto report = build(*plan, base + ".so", options);
  ASSERT_TRUE(report) << report.error().text();
  const auto input = generated("input", {1, 3, 33, 29});
  std::ofstream(base + ".in", std::ios::binary)
      .write(reinterpret_cast<const char*>(input.data()), static_cast<std::streamsize>(input.size() * 4));
  std::string first;
  command.insert(command.end(), {std::string(DRIVERS) + "/" + machine.driver, base + ".so", "1", base + ".in",
                                 base + ".out"});
  for (const char* threads : {"1", "2"}) {
    command[command.size() - 3] = threads;
    ASSERT_EQ(run(command), 0) << threads << " threads";
    std::ifstream stream(base + ".out", std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(stream)), {});
    ASSERT_EQ(bytes.size(), 40u);
    if (first.empty()) first = bytes;
    EXPECT_EQ(bytes, first);
  }
  std::vector<float> found(10), wanted;
  std::memcpy(found.data(), first.data(), 40);
  const auto reference = evaluate_reference(graph, {input});
  ASSERT_TRUE(reference) << reference.error().text();
  wanted.assign(reference->at(0).begin(), reference->at(0).end());
  EXPECT_LT(test::relative_error(found, wanted), 1e-5);
  for (const char* ending : {".so", ".in", ".out"}) unlink((base + ending).c_str());
}

TEST(LesserProcessor, IsRefusedBeforeAnyInstructionThatItLacks) {
  const std::vector<std::string> emulator{"qemu-x86_64", "-cpu", "Nehalem"};
  if (run({emulator[0], "--version"}) == 127) GTEST_SKIP() << "no " << emulator[0];
  for (const char* target : {"x86-64-v3", "x86-64-v4"}) {
    const auto plan = hone::plan(network(), resolve_target(target).value(), {});
    ASSERT_TRUE(plan) << plan.error().text();
    const std::string base = testing::TempDir() + "hone-lesser-" + std::to_string(getpid());
    BuildOptions options;
    options.check = false;
    const auto report = build(*plan, base + ".so", options);
    ASSERT_TRUE(report) << report.error().text();
    std::ofstream(base + ".in", std::ios::binary) << std::string(3 * 33 * 29 * 4, '\0');
    std::vector<std::string> command = emulator;
    command.insert(command.end(),
                   {std::string(DRIVERS) + "/driver.x86_64", base + ".so", "1", base + ".in", base + ".out"});
    EXPECT_EQ(run(command), kNotCreated) << target;
    for (const char* ending : {".so", ".in", ".out"}) unlink((base + ending).c_str());
  }
}

INSTANTIATE_TEST_SUITE_P(
    Machines, OtherMachine,
    testing::Values(Machine{"aarch64-neon", "driver.aarch64", {"qemu-aarch64"}},
                    Machine{"x86-64-v2", "driver.x86_64", {"qemu-x86_64", "-cpu", "max"}},
                    Machine{"x86-64-v3", "driver.x86_64", {"qemu-x86_64", "-cpu", "max"}}),
    [](const auto& info) {
      std::string name = info.param.target;
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });

}  // namespace
}  // namespace hone
