// Runs both interpreters on the same inputs and compares every output element.
#include "tests/support/equivalence.h"

#include <fmt/format.h>

#include <cmath>

#include "tests/support/interpreter.h"

namespace hone::test {

std::string difference(const Computation& computation, const loop::Program& program, bool twice) {
  Buffers expected = make_buffers(computation, 1), actual = expected;
  interpret(computation, expected);
  Execution run = interpret(program, actual);
  if (!run.problem.empty()) return run.problem;
  for (size_t t = 0; t < expected.size(); ++t) {
    if (computation.tensors[t].role != Role::output) continue;
    for (size_t i = 0; i < expected[t].size(); ++i) {
      std::string element = fmt::format("{} element {}", computation.tensors[t].name, i);
      int written = run.written[t][i];
      if (std::isnan(expected[t][i])) {
        if (written > 0) return element + " is written, but it is not the stage's";
        continue;
      }
      if (written == 0) return element + " is not written";
      if (written > 1 && !twice) return fmt::format("{} is written {} times", element, written);
      double tolerance = 1e-9 * (1 + std::fabs(expected[t][i]));
      if (!(std::fabs(actual[t][i] - expected[t][i]) <= tolerance) && actual[t][i] != expected[t][i])
        return fmt::format("{} is {}, expected {}", element, actual[t][i], expected[t][i]);
    }
  }
  return "";
}

}  // namespace hone::test
