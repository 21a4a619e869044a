// Random computations under random legal schedules compute what the computation says. Every failure prints
// both.
#include <gtest/gtest.h>

#include "tests/support/equivalence.h"
#include "tests/support/properties.h"
#include "tests/support/random_schedule.h"
#include "tests/support/samples.h"

namespace hone {
namespace {

/// At any size of a run the whole range is drawn from; shrinking still goes towards 0.
int64_t choose(int64_t n) { return *rc::gen::resize(rc::kNominalSize, rc::gen::inRange<int64_t>(0, n)); }

bool uses(const Schedule& schedule, StepKind kind) {
  for (const StageSchedule& stage : schedule.stages)
    for (const Step& step : stage.steps)
      if (step.kind == kind) return true;
  return false;
}

void check(const Computation& computation, const Schedule& schedule) {
  std::string text = to_text(schedule);
  RC_CLASSIFY(uses(schedule, StepKind::split), "split");
  RC_CLASSIFY(uses(schedule, StepKind::fuse), "fuse");
  RC_CLASSIFY(uses(schedule, StepKind::register_tile), "register_tile");
  RC_CLASSIFY(uses(schedule, StepKind::vectorize), "vectorize");
  RC_CLASSIFY(uses(schedule, StepKind::parallel), "parallel");
  RC_LOG() << to_text(computation) << "\n" << text;
  Result<Schedule> parsed = parse_schedule(text);
  RC_ASSERT(parsed.has_value());
  RC_ASSERT(to_text(*parsed) == text);
  Result<Computation> same = parse_computation(to_text(computation));
  RC_ASSERT(same.has_value());
  RC_ASSERT(to_text(*same) == to_text(computation));
  Result<loop::Program> program = loop::lower(computation, schedule);
  std::string problem = program ? test::difference(computation, *program, test::computes_twice(schedule))
                                : program.error().text();
  if (!problem.empty()) RC_FAIL(problem + "\n" + (program ? to_text(*program) : ""));
}

TEST(LowerProperty, ElementwiseOverOddWidths) {
  test::check_property("elementwise", [] {
    Computation c = test::elementwise(1 + choose(3), *rc::gen::element<int64_t>(7, 13, 17, 35, 55));
    check(c, test::random_schedule(c, 16, choose));
  });
}

TEST(LowerProperty, ConvolutionsOfAnyStridePaddingAndBlock) {
  test::check_property("convolution", [] {
    test::ConvSample s;
    s.block = *rc::gen::element<int64_t>(1, 4, 8);
    s.in_channels = 1 + choose(9), s.out_channels = 1 + choose(17);
    s.height = 1 + choose(4), s.width = *rc::gen::element<int64_t>(1, 2, 5, 7, 13);
    s.kernel = *rc::gen::element<int64_t>(1, 2, 3), s.stride = 1 + choose(2), s.padding = choose(s.kernel);
    s.extra_halo = choose(2), s.bias_relu = choose(2) == 1;
    RC_PRE((s.height - 1) * s.stride + s.kernel > 2 * s.padding &&
           (s.width - 1) * s.stride + s.kernel > 2 * s.padding);
    Computation c = test::conv(s);
    check(c, test::random_schedule(c, 16, choose));
  });
}

TEST(LowerProperty, PoolingGuardsItsBorder) {
  test::check_property("pooling", [] {
    Computation c = test::max_pool(1 + choose(12), 1 + choose(4), *rc::gen::element<int64_t>(1, 3, 7, 13),
                                   *rc::gen::element<int64_t>(1, 4, 8));
    check(c, test::random_schedule(c, 16, choose));
  });
}

TEST(LowerProperty, StagesOneAfterTheOther) {
  test::check_property("two stages", [] {
    Computation c = test::depthwise_pointwise(1 + choose(9), 1 + choose(9), 1 + choose(4), 1 + choose(7),
                                              *rc::gen::element<int64_t>(1, 4));
    check(c, test::random_schedule(c, 16, choose));
  });
}

TEST(LowerProperty, StagesComputedInsideAnother) {
  test::check_property("compute_at", [] {
    Computation c = test::depthwise_pointwise(1 + choose(9), 1 + choose(9), 1 + choose(4), 1 + choose(13),
                                              *rc::gen::element<int64_t>(1, 4));
    check(c, test::random_inside(c, 16, choose));
  });
}

TEST(LowerProperty, ChainsComputedInsideAnother) {
  test::check_property("chain", [] {
    Computation c = test::chain(1 + choose(4), 1 + choose(17));
    check(c, test::random_inside(c, 16, choose));
  });
}

/// A text with a few characters replaced, dropped or doubled.
std::string mutated(std::string text) {
  for (int64_t i = 1 + choose(3); i > 0 && !text.empty(); --i) {
    size_t at = choose(static_cast<int64_t>(text.size()));
    const char replacement = "0123456789abo.,:;[]()+-*/% \n"[choose(28)];
    switch (choose(3)) {
      case 0:
        text[at] = replacement;
        break;
      case 1:
        text.erase(at, 1);
        break;
      default:
        text.insert(at, 1, replacement);
    }
  }
  return text;
}

TEST(LowerProperty, DamagedTextsAreErrorsOrProgramsButNeverCrashes) {
  test::check_property("damaged texts", [] {
    Computation c = choose(2) ? test::depthwise_pointwise(5, 9, 3, 7, 4) : test::chain(2, 9);
    std::string schedule_text =
        to_text(choose(2) ? test::random_schedule(c, 16, choose) : test::random_inside(c, 16, choose));
    std::string computation_text = to_text(c);
    if (choose(2) == 0)
      schedule_text = mutated(schedule_text);
    else
      computation_text = mutated(computation_text);
    RC_LOG() << computation_text << "\n" << schedule_text;
    Result<Computation> computation = parse_computation(computation_text);
    Result<Schedule> schedule = parse_schedule(schedule_text);
    if (!computation || !schedule) return;
    Result<loop::Program> program = loop::lower(*computation, *schedule);
    if (program) RC_ASSERT(loop::verify(*program).has_value());
  });
}

}  // namespace
}  // namespace hone
