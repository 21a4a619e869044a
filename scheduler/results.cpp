#include "scheduler/results.h"

#include <algorithm>
#include <utility>

namespace hone::scheduler {

const Record* Results::issued(const Digest& id) const {
  const auto place = issued_.find(id);
  return place == issued_.end() ? nullptr : &place->second;
}

void Results::commit(const Digest& id) {
  settle(id);
  committing_[id] = last_commit_ = append();
}

std::vector<Outgoing> Results::durable(uint64_t sequence) {
  durable_ = std::max(durable_, sequence);
  std::vector<Outgoing> out;
  std::unordered_map<PeerId, size_t> told;  // one message to each peer for all of its results
  while (!held_.empty() && held_.begin()->first <= durable_) {
    for (Outgoing& outgoing : held_.begin()->second) {
      if (auto* committed = std::get_if<wire::Committed>(&outgoing.message)) {
        const auto [place, is_first] = told.try_emplace(outgoing.peer, out.size());
        if (!is_first) {
          auto& ids = std::get<wire::Committed>(out[place->second].message).ids;
          for (const Digest& id : committed->ids)
            if (ids.back() != id) ids.push_back(id);  // a result that was sent twice at once
          continue;
        }
      }
      out.push_back(std::move(outgoing));
    }
    held_.erase(held_.begin());
  }
  std::erase_if(committing_, [&](const auto& entry) { return entry.second <= durable_; });
  return out;
}

std::optional<Outgoing> Results::acknowledge(const PeerId& peer, const Digest& id) {
  Outgoing outgoing{peer, wire::Committed{{id}}, {}};
  const auto place = committing_.find(id);
  if (place == committing_.end()) return outgoing;
  held_[place->second].push_back(std::move(outgoing));
  return std::nullopt;
}

std::optional<Outgoing> Results::when_durable(Outgoing outgoing) {
  if (is_durable(sequence_)) return outgoing;
  held_[sequence_].push_back(std::move(outgoing));
  return std::nullopt;
}

}  // namespace hone::scheduler
