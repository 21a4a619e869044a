// Private to scheduler: makes records and job entries durable on a thread of its own, a batch at a time
// (group commit), so that the loop never waits for the disk. What is queued while one batch is written is the
// next one.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "logs/record_log.h"
#include "measure/transport.h"
#include "scheduler/jobs_file.h"

namespace hone::scheduler {

class Committer {
 public:
  struct Batch {
    std::vector<Record> records;
    std::vector<Digest> identities;  ///< of the records
    std::vector<JournalEntry> jobs;
    uint64_t goal = 0;     ///< of the core's sequence: durable once this batch is
    bool compact = false;  ///< afterwards; the log's journal goes into the file
    std::optional<std::vector<JournalEntry>> snapshot = {};  ///< replaces the jobs journal afterwards
    bool empty() const { return records.empty() && jobs.empty(); }
  };
  struct Outcome {
    uint64_t goal = 0;
    Status status = {};  ///< on an error nothing is lost: what is queued is tried again with the next batch
    std::vector<std::string> notes = {};
    Status tidied = {};  ///< of the compaction and the snapshot, if they were asked for
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
  bool leaving_ = false;
  std::thread thread_;
};

}  // namespace hone::scheduler
