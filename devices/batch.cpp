#include "devices/batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "codegen/base/generator.h"
#include "codegen/runtime/host/test_data.h"
#include "devices/cold.h"
#include "devices/secrets.h"
#include "devices/thread_team.h"

namespace hone {
namespace {

constexpr int checks_a_round = 10;
constexpr double most_check_cost = 5e7;  ///< operations of the oracle a batch, about: at most 0.2 s

const BufferSpec& output_of(const Signature& signature) {
  return *std::find_if(signature.buffers.begin(), signature.buffers.end(),
                       [](const BufferSpec& spec) { return spec.role == Role::output; });
}

/// Of the time that a round took, what nobody else's work on this board explains; at least what its threads were on
/// processors for, shared alike.
double own_time(double whole_ns, const ChildProcess::Time& before, const ChildProcess::Time& after,
                const BatchParameters& parameters) {
  // The others of a team spin for a while once there is nothing left to do.
  const int others = std::max(1, parameters.threads) - 1;
  const double worked = (static_cast<double>(after.on_processor_ns - before.on_processor_ns) -
                         static_cast<double>(ThreadTeam::spin_ns * others)) /
                        (others + 1);
  const auto waited = static_cast<double>(after.waited_ns - before.waited_ns);
  const double own = std::max(worked, whole_ns - waited);
  // What was done while it settled counts: the inputs lay there.
  return parameters.settle_ns > 0 ? own : std::min(whole_ns, own);
}

}  // namespace

Batch::Batch(const Signature& signature, Workspace& workspace, const Oracle& oracle, const std::string& seed,
             std::span<float> work, const BatchParameters& parameters)
    : signature_(signature),
      workspace_(workspace),
      oracle_(oracle),
      work_(work),
      parameters_(parameters),
      constants_(test_data(oracle, seed)),
      output_elements_(output_of(signature)) {
  for (size_t i = 0; i < signature.buffers.size(); ++i) {
    const BufferSpec& spec = signature.buffers[i];
    if (spec.role == Role::output) output_ = i;
    // By the task's shapes: what else lies in a buffer is the candidate's choice.
    if (spec.role == Role::input || spec.role == Role::output)
      moved_bytes_ += static_cast<double>(element_count(spec.type.shape) * size_of(spec.type.dtype));
    if (spec.role != Role::input) continue;
    size_t tensor = 0;
    while (oracle.inputs()[tensor].name != spec.name) ++tensor;
    inputs_.push_back({i, tensor, BufferElements(spec)});
  }
  hashes_.resize(static_cast<size_t>(workspace.places()));
  hashes_[0].resize(inputs_.size());  // the checked run's data lie there, halo and padding too
}

/// New inputs in a place, poison in its outputs.
void Batch::refresh(int place) {
  auto& hashes = hashes_[static_cast<size_t>(place)];
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const Input& input = inputs_[i];
    auto* buffer = static_cast<std::byte*>(workspace_.at(place)[input.buffer]);
    if (hashes.size() <= i) {  // nothing of ours lies there yet
      const BufferSpec& spec = signature_.buffers[input.buffer];
      const std::string seed = std::to_string(random_bits());
      fill_input(spec, seed, work_, buffer);
      hashes.push_back(fnv1a64(seed + "/" + spec.name));
    } else {
      hashes[i] = random_bits();
      input.elements.generate(buffer, hashes[i]);
    }
  }
  workspace_.poison_outputs(place);
}

/// An element of what the last run wrote there, against what the oracle makes of the same inputs.
std::string Batch::spot_check(int place) const {
  const auto& hashes = hashes_[static_cast<size_t>(place)];
  const Oracle::Source source = [&](size_t tensor, int64_t first, int64_t stride, std::span<float> out) {
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if (inputs_[i].tensor != tensor) continue;
      const ValueRange range = signature_.buffers[inputs_[i].buffer].range;
      generate_run(hashes[i], range.lo, range.hi, first, stride, out);
      return;
    }
    constants_(tensor, first, stride, out);
  };
  const auto index = static_cast<int64_t>(random_bits() % static_cast<uint64_t>(oracle_.elements()));
  const auto right = oracle_.element(index, source);
  if (!right) return "an element of the timed runs cannot be checked: " + right.error().text();
  const double value =
      output_elements_.at(static_cast<const std::byte*>(workspace_.at(place)[output_]), index);
  if (std::isnan(value) && std::isnan(right->value)) return {};
  const double factor = error_factor(value, right->value, right->magnitude);
  if (signature_.bound.is_exact() ? value == right->value : factor <= signature_.bound.element_factor)
    return {};
  return fmt::format("in a timed run over other inputs element {} is {:.9g}, right is {:.9g}: {:.4g} x epsilon x "
                     "magnitude, bound {:.4g}",
                     index, value, right->value, factor, signature_.bound.element_factor);
}

/// What a round takes beside its runs: the handshake, a cold start of the process, and of a team its threads' way
/// back to their cores.
double Batch::around_ns(int places) const {
  constexpr double start_ns = 15e3, team_ns = 80e3, page_ns = 40, page_bytes = 4096;
  return parameters_.handshake_ns + start_ns + (parameters_.settle_ns > 0 ? team_ns : 0) +
         places * moved_bytes_ / page_bytes * page_ns;
}

/// Samples find their inputs nearer than runs here do, by a cache: that much a run here may be slower, but never
/// so much that any claim would do.
bool Batch::is_plausible(double least_sample_ns, double call_ns) const {
  constexpr double bytes_a_ns = 40;
  return least_sample_ns >= std::max(parameters_.least_part * call_ns - moved_bytes_ / bytes_a_ns,
                                     parameters_.least_part / 2 * call_ns);
}

Batch::Result Batch::time(ChildProcess& child, ChildOrders& orders, double least_sample_ns,
                          int64_t deadline_ns) {
  Result result;
  const double claimed = std::clamp(least_sample_ns, 1.0, parameters_.round_ns);
  const int places =
      std::clamp(static_cast<int>(std::ceil(parameters_.round_ns / claimed)), 1, workspace_.places());
  double left_cost = most_check_cost;
  const double cost = std::max(1.0, oracle_.cost());

  double sum_ns = 0;
  int done = 0;
  for (;;) {
    for (int place = 0; place < places; ++place) refresh(place);
    orders.calls = static_cast<uint32_t>(places);
    const ChildProcess::Time before = child.time();
    const int64_t start = child.go(parameters_.settle_ns);
    result.woke = child.wait(deadline_ns);
    const double whole_ns = static_cast<double>(clock_ns() - start);
    if (result.woke != ChildProcess::Woke::rang) return result;
    if (!child.stop()) {
      result.woke = ChildProcess::Woke::ended;
      return result;
    }
    const double took = own_time(whole_ns, before, child.time(), parameters_) - around_ns(places);
    // A round that is not looked at says nothing: it may have been left out.
    if (done == 0 || left_cost >= 0) {
      const double call_ns = std::max(1.0, took) / places;
      result.call_ns = done == 0 ? call_ns : std::min(result.call_ns, call_ns);
    }
    for (int check = 0; check < checks_a_round && (done == 0 || left_cost >= 0); ++check, left_cost -= cost)
      if (result.wrong = spot_check(static_cast<int>(random_bits() % static_cast<uint64_t>(places)));
          !result.wrong.empty())
        return result;
    sum_ns += std::max(1.0, took);
    result.calls += places;
    ++done;
    const bool enough = done >= parameters_.most_rounds ||
                        (done >= parameters_.least_rounds && sum_ns >= parameters_.least_ns) ||
                        (done >= 2 && sum_ns >= parameters_.enough_ns);
    if (!enough) continue;
    // A board that does something else meanwhile makes rounds slower, never faster: more of them find it idle.
    result.plausible = is_plausible(least_sample_ns, result.call_ns);
    if (result.plausible || done >= parameters_.most_rounds || sum_ns >= parameters_.patience_ns) return result;
  }
}

}  // namespace hone
