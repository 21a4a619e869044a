// Rows of an older feature version train no model. Before the search begins a tuner works their features out
// again, from the texts of the records: in memory only, the log keeps what it was given.
#include <algorithm>

#include "scheduler/core.h"
#include "scheduler/training.h"

namespace hone::scheduler {
namespace {

constexpr size_t kBatch = 64;  // rows of one round

}  // namespace

Record& Core::row(const FeatureRow& place) {
  return place.of_transfer ? transfer_[place.index] : log_.record_at(place.index);
}

bool Core::is_featurising(const std::string& target) const {
  const auto model = models_.find(target);
  return model != models_.end() && model->second.featurising && now_.steady < model->second.featurise_until;
}

bool Core::make_featurising(const PeerId& tuner, Job& job, size_t lane_index) {
  const int version = peers_.at(tuner).feature_version;
  Lane& lane = job.lanes[lane_index];
  Model& model = models_[lane.target_text];
  if (model.features < version) {
    model.features = version;
    model.stale = stale_rows({&log_.records(), &transfer_}, lane.target_text, version, settings_);
    model.featurising = !model.stale.empty();
    model.featurise_until = now_.steady + settings_.featurise;
  }
  if (model.featurising && now_.steady >= model.featurise_until) featurising_ended(lane.target_text);
  if (model.stale.empty() || version != model.features) return false;
  RoundWork what;
  wire::Round& round = what.round;
  round.job = job.id;
  round.task = lane.tasks[0].task.task;
  round.target = lane.target_text;
  round.ports = lane.tasks[0].task.ports;
  round.threads = lane.threads;
  round.mode = lane.mode;
  std::vector<CandidateText> rows;
  while (!model.stale.empty() && rows.size() < kBatch) {
    const Record& record = row(model.stale.front());
    rows.push_back(record.candidate);
    what.featurising.push_back(model.stale.front());
    model.stale.pop_front();
  }
  round.asks = wire::Featurise{std::move(rows)};
  Work work;
  work.id = next_work_++;
  work.job = job.id;
  work.lane = lane_index;
  work.what = std::move(what);
  ++lane.tasks[0].rounds;
  grant(works_.emplace(work.id, std::move(work)).first->second, tuner);
  return true;
}

void Core::featurised(const PeerId& peer, const wire::Featurised& said) {
  Work* work = leased(said.lease, peer);
  const auto* what = work == nullptr ? nullptr : std::get_if<RoundWork>(&work->what);
  if (what == nullptr || !std::holds_alternative<wire::Featurise>(what->round.asks)) {
    ++counters_.stale;
    return;
  }
  work->moved = now_.steady;
  Model& model = models_[what->round.target];
  const bool is_asked = said.row < what->featurising.size() && !said.features.empty() &&
                        static_cast<int>(said.feature_version) == model.features;
  if (!is_asked) return;  // what no longer lowers teaches nothing
  Record& record = row(what->featurising[said.row]);
  record.features = said.features;
  record.feature_version = model.features;
  ++model.featurised;
}

void Core::featurising_ended(const std::string& target) {
  Model& model = models_[target];
  if (now_.steady >= model.featurise_until) model.stale.clear();  // the search is not to wait any longer
  const auto is_open = [&](const auto& entry) {
    const auto* round = std::get_if<RoundWork>(&entry.second.what);
    return round != nullptr && round->round.target == target &&
           std::holds_alternative<wire::Featurise>(round->round.asks);
  };
  if (!model.stale.empty() || std::ranges::any_of(works_, is_open)) return;
  model.featurising = false;
  if (model.featurised == 0) return;
  out_.notes.push_back("features of " + std::to_string(model.featurised) +
                       " earlier trials were worked out again, as version " + std::to_string(model.features));
  model.records_since += std::exchange(model.featurised, 0);
  model.train_featurised = true;
  train_on_featurised(target);
}

void Core::train_on_featurised(const std::string& target) {
  Model& model = models_[target];
  if (!model.train_featurised || model.request != 0) return;  // after that training then
  model.train_featurised = false;
  model.rest_until = Time(0);
  train_if_due(target, model.features);
  model.warming = model.request != 0;
}

}  // namespace hone::scheduler
