// What the state machine asks of its shell: values, so that tests can look at them. Whatever `acknowledges` a
// commit is only handed out after the shell has said that the journals are durable.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cost_model/ranking/ranking.h"
#include "logs/journal.h"
#include "measure/record.h"
#include "measure/wire.h"

namespace hone::scheduler {

/// Steady time from any origin, and the wall clock for what is written down. Always a parameter.
struct Now {
  std::chrono::milliseconds steady{0};
  int64_t unix_ms = 0;
};
using Time = std::chrono::milliseconds;

using PeerId = std::string;  ///< the transport's name of a connection
using BlobPointer = std::shared_ptr<const wire::Bytes>;

struct Outgoing {
  PeerId peer;
  wire::Message message;
  std::vector<BlobPointer> blobs;
};

/// Rows to train a cost model on; the answer is Core::trained with the same `id`.
struct TrainRequest {
  uint64_t id = 0;
  FeatureMatrix rows;
  std::vector<int> groups;
  std::vector<double> scores;
  uint64_t seed = 0;
};

/// In order: append `records` and `jobs` to their journals, sync both, then Core::durable(sequence); `send`
/// may go at any time.
struct Effects {
  std::vector<Record> records;
  std::vector<Digest> identities;  ///< record_identity of each of `records`
  std::vector<JournalEntry> jobs;
  uint64_t sequence = 0;  ///< of the last append so far; 0: nothing appended by this step
  std::vector<Outgoing> send;
  std::vector<TrainRequest> train;
  std::vector<std::string> notes;  ///< for people: one line each
};

}  // namespace hone::scheduler
