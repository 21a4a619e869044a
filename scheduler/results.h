// Results between the boards and the disk: which measurements were issued, which records wait for the
// journal, and who is told what once it is there. No clock, no IO: what may be sent is given back.
//
// Invariants:
// - An acknowledgement is given back only once the record that it is for is durable.
// - What is held is given back in the order of the appends that it waits for, each once.
// - A measurement that was issued stays so until it is committed, over restarts too: its result makes a
// record.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "scheduler/effects.h"

namespace hone::scheduler {

class Results {
 public:
  /// Those of earlier starts, by measurement id.
  void restore(std::unordered_map<Digest, Record> issued) { issued_ = std::move(issued); }
  /// A board is given this measurement; `record`: without its measurement. False: it was issued already.
  bool issue(const Digest& id, const Record& record) { return issued_.emplace(id, record).second; }
  /// nullptr: it was never issued, or is committed.
  const Record* issued(const Digest& id) const;
  const std::unordered_map<Digest, Record>& issued() const { return issued_; }
  /// Its result will make no record (any more).
  void settle(const Digest& id) { issued_.erase(id); }

  /// One more entry or record was appended; gives its sequence.
  uint64_t append() { return ++sequence_; }
  /// append() for the record of measurement `id`, which is settled by it.
  void commit(const Digest& id);
  /// Everything up to `sequence` is durable. What waited for it, the acknowledgements of one peer together in
  /// its first.
  std::vector<Outgoing> durable(uint64_t sequence);

  /// The acknowledgement of a result: at once if its record is durable or there is none; nothing: it is held.
  std::optional<Outgoing> acknowledge(const PeerId& peer, const Digest& id);
  /// At once if all that was appended is durable; nothing: it is held until then.
  std::optional<Outgoing> when_durable(Outgoing outgoing);

  uint64_t sequence() const { return sequence_; }        ///< of the last append; 0: none
  uint64_t last_commit() const { return last_commit_; }  ///< of the last record; 0: none
  bool is_durable(uint64_t sequence) const { return sequence <= durable_; }
  size_t waiting() const { return committing_.size(); }  ///< records that are not durable yet: the newest

 private:
  std::unordered_map<Digest, Record> issued_;
  std::unordered_map<Digest, uint64_t> committing_;  ///< to the sequence of its append
  std::map<uint64_t, std::vector<Outgoing>> held_;   ///< by the sequence that they wait for
  uint64_t sequence_ = 0, durable_ = 0, last_commit_ = 0;
};

}  // namespace hone::scheduler
