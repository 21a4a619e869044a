// Compiles a task with some formulation and parameters, runs it on seeded data and holds it against the
// reference.
#pragma once

#include <functional>
#include <random>
#include <string>
#include <vector>

#include "codegen/artifact/artifact.h"
#include "codegen/runtime/host/host.h"

namespace hone::testing {

/// A task from its graph's text; stops the test program if the text is wrong.
Task task_of(const std::string& graph_text);

/// Targets of this machine, the best first, down to 128 bits: those that the host can run.
std::vector<Target> runnable_targets();

/// The reference's output for (task, seed), compiled once.
Result<ReferenceOutput> reference_output(const Task& task, const Target& target, const std::string& seed);

/// Compiled, run into poisoned outputs and checked; an error of any step is the report's reason.
CheckReport checked(const Candidate& candidate, const std::string& seed);
CheckReport checked_against(const Candidate& candidate, const ReferenceOutput& reference,
                            const std::string& seed);

/// Where the interpreter of task texts and the reference artifact differ by more than the order of summation,
/// in up to `count` elements by `random`; empty if nowhere.
std::string oracle_disagreement(const Task& task, const ReferenceOutput& reference, const std::string& seed,
                                std::mt19937& random, int count = 12);

/// Parameters drawn from the space (as far as they are legal: several tries), by `random`.
Candidate random_candidate(const Task& task, const Target& target, const Formulation& formulation,
                           const Ports& ports, std::mt19937& random);

/// `ports` with wider halos, and tensors of rank 4 as parts of wider buffers, by `random`.
Ports random_placements(const Task& task, const Ports& ports, std::mt19937& random);

/// Draws `count` tasks from `make`, each with the default and one random candidate of `formulation` on a
/// target in turn; the reference is held to the interpreter of task texts. Gives the reports that failed as
/// texts, and the largest errors seen.
struct Sweep {
  std::vector<std::string> failures;
  double worst_factor = 0, worst_l2 = 0;
  int checked = 0;
};
Sweep sweep(std::string_view formulation, int count, uint32_t seed,
            const std::function<std::string(std::mt19937&)>& make, bool placements = false);

template <class T>
T pick(std::mt19937& random, const std::vector<T>& choices) {
  return choices[random() % choices.size()];
}

}  // namespace hone::testing
