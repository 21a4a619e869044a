// Private to scheduler: makes records and job entries durable on a thread of its own, a batch at a time
// (group commit), so that the loop never waits for the disk. What is queued while one batch is written is the
// next one.
#pragma once

#include <condition_variable>
#include <future>
#include <mutex>
#include <optional>
#include <thread>

#include "logs/record_log.h"
#include "measure/transport.h"
#include "scheduler/jobs_file.h"

namespace hone::scheduler {

class Committer {
 public:
  /// A compaction of the log, a snapshot of the jobs, or both: all but what came since it was begun.
  struct Prepared {
    Status status = {};
    std::optional<RecordLog::Compaction> log = {};
    std::optional<Journal::Tail> jobs = {};
  };
  struct Batch {
    std::vector<Record> records;
    std::vector<Digest> identities;  ///< of the records
    std::vector<JournalEntry> jobs;
    uint64_t goal = 0;                      ///< of the core's sequence: durable once this batch is
    std::optional<Prepared> prepared = {};  ///< finished afterwards
    bool empty() const { return records.empty() && jobs.empty() && !prepared; }
  };
  struct Outcome {
    uint64_t goal = 0;
    Status status = {};  ///< on an error nothing is lost: what is queued is tried again with the next batch
    std::vector<std::string> notes = {};
    Status tidied = {};  ///< of what was prepared
  };

  Committer(RecordLog log, JobsFile jobs);
  ~Committer();

  /// Whether submit may be called and log() and jobs() may be looked at.
  bool idle() const { return !busy_; }
  void submit(Batch batch);
  /// Readable when an outcome is there.
  int fd() const { return done_.fd(); }
  std::optional<Outcome> take();
  RecordLog& log() { return log_; }
  JobsFile& jobs() { return jobs_; }

  /// Begins to compact the log, to make a snapshot of the jobs, or both, while batches go on being committed:
  /// only if idle() and nothing is being prepared. What comes of it goes with the next batch.
  void prepare(bool compact, bool snapshot);
  bool is_preparing() const { return preparing_.valid(); }
  /// What was prepared, once it is there; `wait`: then.
  std::optional<Prepared> take_prepared(bool wait = false);
  /// Only if idle().
  Status finish(Prepared prepared);

 private:
  void work();
  Outcome commit(Batch batch);

  RecordLog log_;
  JobsFile jobs_;
  bool busy_ = false;  ///< the loop's own
  WakeUp done_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Batch> waiting_;
  std::optional<Outcome> outcome_;
  std::future<Prepared> preparing_;
  bool leaving_ = false;
  std::thread thread_;
};

}  // namespace hone::scheduler
