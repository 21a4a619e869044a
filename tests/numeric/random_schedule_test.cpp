// Random computations under random legal schedules, compiled and run at every vector width of this machine,
// against the interpreter of the computation. By seed: a failure names its own.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "tests/support/interpreter.h"
#include "tests/support/random_schedule.h"
#include "tests/support/samples.h"
#include "tests/unit/llvm/compiled.h"

namespace hone {
namespace {

constexpr float kPoison = 12345.5F;  // what nobody may write over

/// Runs the program over all phases, each parallel index in two pieces; "" or the first element that is
/// wrong.
std::string wrong_element(const Computation& computation, const loop::Program& program,
                          const Target& target) {
  auto library = test::compile(program, target);
  if (!library) return library.error().text();
  test::Buffers expected = test::make_buffers(computation, 1);
  std::vector<test::Array<float>> arrays;
  for (size_t t = 0; t < expected.size(); ++t) {
    arrays.emplace_back(expected[t].size() + 16, kPoison);
    for (size_t i = 0; i < expected[t].size(); ++i)
      if (!std::isnan(expected[t][i])) arrays[t][i] = static_cast<float>(expected[t][i]);
  }
  test::interpret(computation, expected);
  std::vector<test::View> views;
  for (test::Array<float>& array : arrays) views.push_back(array.view());
  for (size_t phase = 0; phase < program.phases.size(); ++phase) {
    for (int local : program.phases[phase].locals) views[static_cast<size_t>(local)] = {nullptr, 0};
    int64_t extent = program.phases[phase].extent, middle = extent / 2;
    if (!(*library)->run(views, static_cast<int32_t>(phase), middle, extent) ||
        !(*library)->run(views, static_cast<int32_t>(phase), 0, middle))
      return "the program could not be run";
  }
  for (size_t t = 0; t < expected.size(); ++t) {
    if (computation.tensors[t].role != Role::output) continue;
    expected[t].resize(arrays[t].size(), std::nan(""));  // the slack
    for (size_t i = 0; i < expected[t].size(); ++i) {
      double want = std::isnan(expected[t][i]) ? kPoison : expected[t][i], got = arrays[t][i];
      if (got != want && !(std::fabs(got - want) <= 2e-5 * (1 + std::fabs(want))))
        return computation.tensors[t].name + " element " + std::to_string(i) + " is " + std::to_string(got) +
               ", expected " + std::to_string(want);
    }
  }
  return "";
}

struct Random {
  std::mt19937_64 engine;
  int64_t operator()(int64_t n) { return static_cast<int64_t>(engine() % static_cast<uint64_t>(n)); }
  int64_t of(std::initializer_list<int64_t> choices) {
    return choices.begin()[(*this)(static_cast<int64_t>(choices.size()))];
  }
};

Computation random_computation(Random& random) {
  switch (random(5)) {
    case 0:
      return test::elementwise(1 + random(3), random.of({7, 13, 17, 35, 55}));
    case 1:
      return test::max_pool(1 + random(20), 1 + random(4), random.of({3, 7, 13}), random.of({1, 4, 8}));
    case 2:
      return test::depthwise_pointwise(1 + random(9), 1 + random(17), 1 + random(4), 1 + random(13),
                                       random.of({1, 4, 8}));
    case 3:
      return test::chain(1 + random(4), 1 + random(17));
    default:
      break;
  }
  test::ConvSample s;
  s.block = random.of({1, 4, 8, 16});
  s.in_channels = 1 + random(20), s.out_channels = 1 + random(33);
  s.height = 2 + random(4), s.width = random.of({2, 5, 7, 13, 17});
  s.kernel = random.of({1, 2, 3}), s.stride = 1 + random(2), s.padding = s.kernel / 2;
  s.extra_halo = random(2), s.bias_relu = random(2) == 1;
  return test::conv(s);
}

/// A random schedule; of several stages half the time all are computed inside the last.
Schedule random_schedule(const Computation& computation, Random& random) {
  test::Choose choose = [&](int64_t n) { return random(n); };
  Schedule schedule = test::random_schedule(computation, 16, choose);
  if (random(2) == 0) schedule = test::random_inside(computation, 16, choose);
  return schedule;
}

class RandomSchedules : public testing::TestWithParam<int> {};

TEST_P(RandomSchedules, ComputeWhatTheComputationSays) {
  Random random{std::mt19937_64(GetParam())};
  for (int trial = 0; trial < 5; ++trial) {
    Computation computation = random_computation(random);
    Schedule schedule = random_schedule(computation, random);
    Result<loop::Program> program = loop::lower(computation, schedule);
    ASSERT_TRUE(program) << program.error().text() << "\n" << to_text(computation) << to_text(schedule);
    for (const Target& target : {test::host_baseline(), test::avx2(), test::avx512()}) {
      if (!test::host_runs(target)) continue;
      ASSERT_EQ(wrong_element(computation, *program, target), "")
          << "on " << to_text(target) << "\n"
          << to_text(computation) << to_text(schedule) << to_text(*program);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seed, RandomSchedules, testing::Range(0, 20));

}  // namespace
}  // namespace hone
