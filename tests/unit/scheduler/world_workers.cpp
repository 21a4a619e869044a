// How the simulated tuners build and the simulated boards measure: functions of round and artifact alone.
#include <algorithm>

#include "tests/unit/scheduler/world.h"

namespace hone::scheduler::test {
namespace {

wire::Bytes bytes_of(const std::string& text) {
  const auto* data = reinterpret_cast<const std::byte*>(text.data());
  return wire::Bytes(data, data + text.size());
}

Digest digest(const wire::Bytes& bytes) { return digest_of(std::span<const std::byte>(bytes)); }

uint64_t hash(const std::string& text) { return std::stoull(digest_of(text).hex(15), nullptr, 16); }

double part(const std::string& text) { return static_cast<double>(hash(text) % 100000) / 100000; }

}  // namespace

void World::build_one(Worker& worker) {
  auto& [lease, round] = *worker.rounds.begin();
  const uint32_t number = worker.built[lease]++;
  if (const auto* lost = std::get_if<wire::Rebuild>(&round.asks)) {
    if (number == lost->candidates.size()) {
      const wire::RoundDone done{lease, number, false, 1};
      worker.built.erase(lease);
      worker.rounds.erase(worker.rounds.begin());
      to_scheduler(worker, done);
      return;
    }
    ++rebuilt;
    wire::Built built;
    built.lease = lease;
    built.candidate = lost->candidates[number];
    const std::vector<wire::Bytes> blobs = {
        bytes_of("artifact " + round.task + " " + built.candidate.parameters),
        bytes_of("reference " + round.task)};
    built.artifact = digest(blobs[0]);
    built.reference = digest(blobs[1]);
    to_scheduler(worker, built, blobs);
    return;
  }
  const auto& asked = std::get<wire::Propose>(round.asks);
  const std::set<std::string> seen(asked.seen.begin(), asked.seen.end());
  // Proposals are a function of the round alone.
  std::vector<int> fresh;
  for (uint64_t i = 0; fresh.size() < asked.count && i < 4 * static_cast<uint64_t>(nature_.space); ++i) {
    const int value =
        asked.first_trial == 0 && i == 0
            ? 0
            : static_cast<int>(hash(std::to_string(asked.seed + i)) % static_cast<uint64_t>(nature_.space));
    if (!seen.contains("direct p=" + std::to_string(value)) &&
        std::find(fresh.begin(), fresh.end(), value) == fresh.end())
      fresh.push_back(value);
  }
  if (number >= fresh.size()) {
    wire::RoundDone done;
    done.lease = lease;
    done.proposed = static_cast<uint32_t>(fresh.size());
    done.exhausted = fresh.size() < asked.count;
    done.propose_ms = 1;
    worker.built.erase(lease);
    worker.rounds.erase(worker.rounds.begin());
    to_scheduler(worker, done);
    return;
  }
  wire::Built built;
  built.lease = lease;
  built.candidate = {round.task, round.target, "direct", 1, round.ports, "p=" + std::to_string(fresh[number]),
                     "split"};
  built.trial = asked.first_trial + number;
  built.build_ms = nature_.build_ms;
  built.features = {static_cast<float>(fresh[number]), 1.0f};
  built.feature_version = 1;
  const std::string name = round.task + " " + built.candidate.parameters;
  std::vector<wire::Bytes> blobs;
  if (part("build " + name) < nature_.build_error && built.trial != 0) {
    built.status = MeasureStatus::build_error;
    built.message = "no registers left";
  } else {
    blobs.push_back(bytes_of("artifact " + name));
    built.artifact = digest(blobs[0]);
    built.signature = "{}";
  }
  blobs.push_back(bytes_of("reference " + round.task));
  built.reference = digest(blobs.back());
  to_scheduler(worker, built, blobs);
}

void World::check_health(Worker& worker) {
  wire::HealthReport report;
  report.check = std::exchange(worker.check, 0);
  report.ok = now >= worker.sick_until;
  if (!report.ok) report.message = "the known kernel gave another answer";
  report.reference_ns = 200000 + static_cast<double>(random_() % 2000);
  to_scheduler(worker, report);
}

void World::measure_one(Worker& worker) {
  const wire::MeasureRequest request = worker.measurements.front();
  const BlobPointer artifact = const_cast<ArtifactStore&>(core_->artifacts()).get(request.artifact);
  wire::Measured result;
  result.lease = request.lease;
  result.id = request.id;
  result.check_ms = 2;
  result.run_ms = nature_.measure_ms - 2;
  const std::string name = request.artifact.hex();
  if (part("kills " + name) < nature_.kills_board) {
    die(worker);
    return;
  }
  worker.measurements.pop_front();
  if (!artifact) {
    result.measurement.status = MeasureStatus::board_lost;
    result.measurement.message = "the artifact is gone";
  } else if (now < worker.sick_until) {
    result.measurement.status = MeasureStatus::board_unhealthy;
    result.measurement.message = "the reference kernel slowed down";
  } else if (part("crash " + name) < nature_.crash) {
    result.measurement.status = MeasureStatus::crashed;
    result.measurement.message = "signal 11";
  } else if (part("wrong " + name) < nature_.wrong) {
    result.measurement.status = MeasureStatus::wrong_answer;
    result.measurement.message = "element 3 is off";
  } else {
    const double truth = 50000 + 100000 * part("time " + name);
    const bool raced = request.best_ns > 0 && truth > request.best_ns * request.sampling.race_factor;
    result.measurement.status = raced ? MeasureStatus::raced_out : MeasureStatus::ok;
    for (int i = 0; i < (raced ? 2 : 5); ++i)
      result.measurement.samples_ns.push_back(truth * (1 + 0.002 * static_cast<double>(random_() % 10)));
  }
  worker.results[request.id] = result;
  to_scheduler(worker, result);
}

}  // namespace hone::scheduler::test
