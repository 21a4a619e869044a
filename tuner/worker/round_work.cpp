// Every failure of a builder becomes a `built` message with a status: a round always ends with as many
// candidates as it proposed.
#include "tuner/worker/round_work.h"

#include <algorithm>

#include "tuner/worker/builder.h"

namespace hone {
namespace {

/// References and models beyond this many are forgotten, oldest key first: they are built or fetched again.
constexpr size_t kept = 32;

/// The cost model that a round's proposals need; empty: none.
Digest model_of(const wire::Round& round) {
  const auto* propose = std::get_if<wire::Propose>(&round.asks);
  return propose != nullptr ? propose->cost_model : Digest();
}

}  // namespace

void RoundWork::want(const wire::Want& want) {
  for (auto active = active_.begin(); active != active_.end();) {
    if (std::ranges::find(want.leases, active->first) == want.leases.end()) {
      drop(active->second);
      active = active_.erase(active);
    } else {
      ++active;
    }
  }
  for (const wire::Round& round : want.rounds) {
    if (!active_.contains(round.lease)) begin(round);
  }
}

void RoundWork::drop(Active& active) {
  for (const auto& [ticket, built] : active.builds) cancel_(ticket);
  std::erase_if(proposals_, [&](const auto& entry) {
    if (entry.second != active.round.lease) return false;
    cancel_(entry.first);
    return true;
  });
}

void RoundWork::begin(wire::Round round) {
  Active& active = active_[round.lease];
  active.round = std::move(round);
  active.done.lease = active.round.lease;
  if (const auto* lost = std::get_if<wire::Rebuild>(&active.round.asks))
    rebuild(active, *lost);
  else if (const Digest model = model_of(active.round); model.empty() || models_.contains(model))
    ask_builder(active);
  else
    outgoing_.push_back({wire::Fetch{model}, {}});
}

void RoundWork::blob(const wire::Blob& blob, const wire::Bytes& bytes) {
  while (models_.size() >= kept) models_.erase(models_.begin());
  models_[blob.digest] = blob.found ? bytes : wire::Bytes();
  for (auto& [lease, active] : active_) {
    if (active.phase == Phase::fetching && model_of(active.round) == blob.digest) ask_builder(active);
  }
}

void RoundWork::ask_builder(Active& active) {
  active.phase = Phase::proposing;
  wire::Want request;
  request.rounds.push_back(active.round);
  const auto model = models_.find(model_of(active.round));
  proposals_[submit_({std::move(request), model == models_.end() ? wire::Bytes() : model->second})] =
      active.round.lease;
}

void RoundWork::rebuild(Active& active, const wire::Rebuild& lost) {
  active.phase = Phase::building;
  reference_of(active.round);
  uint64_t trial = 0;
  for (const CandidateText& candidate : lost.candidates) {
    wire::Built built;
    built.lease = active.round.lease;
    built.trial = trial++;
    built.candidate = candidate;
    active.builds.emplace(submit_({built, {}}), built);
  }
  active.done.proposed = static_cast<uint32_t>(lost.candidates.size());
}

RoundWork::Reference& RoundWork::reference_of(const wire::Round& round) {
  const ReferenceKey key{round.task, round.target};
  const auto found = references_.find(key);
  if (found != references_.end()) return found->second;
  if (references_.size() >= kept) {
    std::erase_if(references_, [&](const auto& entry) {
      return !entry.second.ticket && std::ranges::none_of(active_, [&](const auto& active) {
        return active.second.round.task == entry.first.first;
      });
    });
  }
  Reference& reference = references_[key];
  wire::Built request;
  request.candidate.task = round.task;
  request.candidate.target = round.target;
  request.candidate.formulation = reference_formulation;
  reference.ticket = submit_({std::move(request), {}});
  return reference;
}

void RoundWork::answer(BuilderAnswer answer) {
  if (const auto proposal = proposals_.find(answer.ticket); proposal != proposals_.end()) {
    const wire::LeaseRef lease = proposal->second;
    proposals_.erase(proposal);
    proposed(active_.at(lease), std::move(answer));
  } else {
    for (auto& [key, reference] : references_) {
      if (reference.ticket == answer.ticket) reference_built(reference, answer);
    }
    for (auto& [lease, active] : active_) {
      if (const auto build = active.builds.find(answer.ticket); build != active.builds.end()) {
        wire::Built request = std::move(build->second);
        active.builds.erase(build);
        built(active, std::move(request), std::move(answer));
        break;
      }
    }
  }
  advance();
}

void RoundWork::proposed(Active& active, BuilderAnswer answer) {
  active.phase = Phase::building;
  const auto* asked = std::get_if<wire::Propose>(&active.round.asks);
  if (asked == nullptr) {
    for (PipeFrame& frame : answer.frames)
      if (auto* row = std::get_if<wire::Featurised>(&frame.message))
        outgoing_.push_back({std::move(*row), {}});
    return;  // a builder that died gives none: the rows stay as they are
  }
  if (answer.status != MeasureStatus::ok) {
    // Searching itself failed: one failed candidate says so, and the task gets no further round of this kind.
    wire::Built failed;
    failed.lease = active.round.lease;
    failed.trial = asked->first_trial;
    failed.candidate = {active.round.task, active.round.target, "search", 0, active.round.ports, "", ""};
    failed.status = answer.status;
    failed.message = "proposing candidates: " + answer.message;
    outgoing_.push_back({std::move(failed), {}});
    active.done.proposed = 1;
    active.done.exhausted = true;
    return;
  }
  for (PipeFrame& frame : answer.frames) {
    if (auto* done = std::get_if<wire::RoundDone>(&frame.message)) active.done = *done;
    auto* candidate = std::get_if<wire::Built>(&frame.message);
    if (candidate == nullptr) continue;
    if (candidate->status != MeasureStatus::ok) {
      outgoing_.push_back({std::move(*candidate), {}});
      continue;
    }
    reference_of(active.round);  // submitted before the first candidate that needs it
    active.builds.emplace(submit_({*candidate, {}}), *candidate);
  }
}

void RoundWork::built(Active& active, wire::Built request, BuilderAnswer answer) {
  Outgoing outgoing;
  if (answer.status == MeasureStatus::ok && answer.frames.size() == 1) {
    outgoing.message = std::get<wire::Built>(std::move(answer.frames[0].message));
    if (!answer.frames[0].blob.empty()) outgoing.blobs.push_back(std::move(answer.frames[0].blob));
  } else {
    request.status = answer.status == MeasureStatus::ok ? MeasureStatus::build_error : answer.status;
    request.message = answer.message;
    outgoing.message = std::move(request);
  }
  active.held.push_back(std::move(outgoing));
}

void RoundWork::reference_built(Reference& reference, BuilderAnswer answer) {
  reference.ticket.reset();
  const auto* built =
      answer.frames.size() == 1 ? std::get_if<wire::Built>(&answer.frames[0].message) : nullptr;
  if (answer.status != MeasureStatus::ok || built == nullptr || built->status != MeasureStatus::ok) {
    reference.failed = true;
    reference.message = built != nullptr ? built->message : answer.message;
    return;
  }
  reference.digest = built->artifact;
  reference.bytes = std::move(answer.frames[0].blob);
}

void RoundWork::advance() {
  for (auto entry = active_.begin(); entry != active_.end();) {
    Active& active = entry->second;
    if (!active.held.empty() && !reference_of(active.round).ticket) {
      for (Outgoing& outgoing : active.held) deliver(active, std::move(outgoing));
      active.held.clear();
    }
    if (active.phase == Phase::building && active.builds.empty() && active.held.empty()) {
      outgoing_.push_back({active.done, {}});
      entry = active_.erase(entry);
    } else {
      ++entry;
    }
  }
}

void RoundWork::deliver(Active& active, Outgoing outgoing) {
  auto& built = std::get<wire::Built>(outgoing.message);
  const Reference& reference = reference_of(active.round);
  if (built.status == MeasureStatus::ok && reference.failed) {
    // What cannot be checked is not timed.
    built.status = MeasureStatus::build_error;
    built.message = "the reference of this task: " + reference.message;
    built.artifact = {};
    built.signature.clear();
    outgoing.blobs.clear();
  }
  if (built.status == MeasureStatus::ok) {
    built.reference = reference.digest;
    if (!active.reference_sent) outgoing.blobs.push_back(reference.bytes);
    active.reference_sent = true;
  }
  outgoing_.push_back(std::move(outgoing));
}

void RoundWork::reconnected() {
  outgoing_.clear();
  for (auto& [lease, active] : active_) {
    active.reference_sent = false;
    if (active.phase == Phase::fetching) outgoing_.push_back({wire::Fetch{model_of(active.round)}, {}});
  }
}

std::vector<wire::LeaseRef> RoundWork::leases() const {
  std::vector<wire::LeaseRef> result;
  for (const auto& [lease, active] : active_) result.push_back(lease);
  return result;
}

std::vector<Outgoing> RoundWork::take_outgoing() { return std::exchange(outgoing_, {}); }

}  // namespace hone
