// Requests to answers; every error of the compiler becomes a message in the answer.
#include "tuner/worker/builder.h"

#include <chrono>
#include <map>
#include <utility>

#include "codegen/artifact/artifact.h"
#include "cost_model/features/features.h"
#include "tuner/search/lowered_record.h"
#include "tuner/search/round.h"
#include "tuner/worker/pipe.h"

namespace hone {
namespace {

using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

/// The search spaces of the tasks proposed for so far: their lowered features are worth keeping between
/// rounds.
class Spaces {
 public:
  Result<TaskSpace*> find(const wire::Round& round) {
    const auto key = std::make_tuple(round.task, round.target, round.ports);
    const auto found = spaces_.find(key);
    if (found != spaces_.end()) return &found->second;
    HONE_TRY(const TaskPtr task, parse_any_task(round.task));
    HONE_TRY(Target target, parse_target(round.target));
    HONE_TRY(const Ports ports, parse_ports(round.ports));
    HONE_TRY(TaskSpace space, TaskSpace::make(*task, std::move(target), ports));
    if (spaces_.size() >= 64) spaces_.clear();
    return &spaces_.emplace(key, std::move(space)).first->second;
  }

 private:
  std::map<std::tuple<std::string, std::string, std::string>, TaskSpace> spaces_;
};

wire::Built built_of(const TaskSpace& space, const wire::Round& round, const Proposal::Entry& entry) {
  wire::Built built;
  built.lease = round.lease;
  built.candidate.task = round.task;
  built.candidate.target = round.target;
  built.candidate.ports = round.ports;
  built.candidate.formulation = entry.point.formulation;
  built.candidate.parameters = to_text(entry.point.parameters);
  built.candidate.space_version = static_cast<uint32_t>(space.version_of(entry.point.formulation));
  built.features = entry.features;
  built.feature_version = entry.features.empty() ? 0 : feature_version;
  built.predicted = entry.predicted;
  return built;
}

/// Lowering a point costs up to some milliseconds (Winograd), and this core has candidates to compile: look
/// at fewer points a round than a pure search would.
SearchSettings search_settings() {
  SearchSettings settings;
  settings.enumerate_up_to = 1024;
  settings.population = 40;
  return settings;
}

Status answer_round(int fd, Spaces& spaces, const wire::Round& round, const wire::Propose& asked,
                    const wire::Bytes& model) {
  const auto begin = Clock::now();
  wire::RoundDone done;
  done.lease = round.lease;
  const Result<TaskSpace*> space = spaces.find(round);
  if (space) {
    Result<Proposal> proposal = propose_round(
        **space, asked, {reinterpret_cast<const char*>(model.data()), model.size()}, search_settings());
    // A model of another version helps nobody, but costs nothing either: search without it.
    if (!proposal) proposal = propose_round(**space, asked, {}, search_settings());
    HONE_CHECK(proposal);
    uint64_t trial = asked.first_trial;
    for (const Proposal::Entry& entry : proposal->entries) {
      wire::Built built = built_of(**space, round, entry);
      built.trial = trial++;
      HONE_RETURN_IF_ERROR(write_frame(fd, built));
    }
    done.proposed = static_cast<uint32_t>(proposal->entries.size());
    done.exhausted = proposal->exhausted;
  } else {
    // Nothing can be proposed, ever: one failed candidate says why, so that the job shows it.
    wire::Built built;
    built.lease = round.lease;
    built.trial = asked.first_trial;
    built.candidate = {round.task, round.target, "none", 0, round.ports, "", ""};
    built.status = MeasureStatus::build_error;
    built.message = space.error().text();
    HONE_RETURN_IF_ERROR(write_frame(fd, built));
    done.proposed = 1;
    done.exhausted = true;
  }
  done.propose_ms = ms_since(begin);
  return write_frame(fd, done);
}

/// The features of rows that an older version wrote; what no longer lowers gets none.
Status answer_featurising(int fd, const wire::LeaseRef& lease, const wire::Featurise& asked) {
  const auto begin = Clock::now();
  const Bodies bodies;
  RecordLowering lowering(bodies);
  for (size_t i = 0; i < asked.rows.size(); ++i) {
    auto features = lowering.features(asked.rows[i]);
    if (!features) continue;
    HONE_RETURN_IF_ERROR(write_frame(fd, wire::Featurised{lease, i, std::move(*features), feature_version}));
  }
  wire::RoundDone done;
  done.lease = lease;
  done.propose_ms = ms_since(begin);
  return write_frame(fd, done);
}

Result<Artifact> compile_request(CandidateText& request) {
  HONE_TRY(const TaskPtr task, parse_any_task(request.task));
  HONE_TRY(const Target target, parse_target(request.target));
  if (request.formulation == reference_formulation) {
    HONE_TRY(Kernel kernel, task->reference(target));
    return compile(std::move(kernel));
  }
  HONE_TRY(const Ports ports, parse_ports(request.ports));
  HONE_TRY(const Parameters parameters, parse_parameters(request.parameters));
  HONE_TRY(const auto lowering, task->on(target, ports));
  HONE_TRY(auto lowered, lowering->kernel({request.formulation, parameters}));
  request.schedule = std::move(lowered.schedule);
  return compile(std::move(lowered.kernel));
}

Status answer_build(int fd, wire::Built built) {
  const auto begin = Clock::now();
  Result<Artifact> artifact = compile_request(built.candidate);
  built.build_ms = ms_since(begin);
  if (!artifact) {
    built.status = MeasureStatus::build_error;
    built.message = artifact.error().text();
    return write_frame(fd, built);
  }
  built.status = MeasureStatus::ok;
  built.artifact = artifact->digest;
  built.signature = to_json(artifact->signature);
  return write_frame(fd, built, artifact->shared_object);
}

}  // namespace

int run_builder(int fd) {
  FrameReader reader(fd);
  Spaces spaces;
  for (;;) {
    Result<std::optional<PipeFrame>> frame = reader.next();
    if (!frame) return 1;
    if (!*frame) {
      if (!reader.fill(true)) return 0;  // the tuner has closed the pipe: nothing more to do
      continue;
    }
    Status answered;
    if (auto* want = std::get_if<wire::Want>(&(*frame)->message); want && want->rounds.size() == 1) {
      const wire::Round& round = want->rounds[0];
      if (const auto* propose = std::get_if<wire::Propose>(&round.asks))
        answered = answer_round(fd, spaces, round, *propose, (*frame)->blob);
      else if (const auto* featurise = std::get_if<wire::Featurise>(&round.asks))
        answered = answer_featurising(fd, round.lease, *featurise);
      else
        return 1;  // its candidates come one by one
    } else if (auto* built = std::get_if<wire::Built>(&(*frame)->message)) {
      answered = answer_build(fd, std::move(*built));
    } else {
      return 1;
    }
    if (!answered) return 0;
  }
}

}  // namespace hone
