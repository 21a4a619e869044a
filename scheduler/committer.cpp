// One batch at a time.
#include "scheduler/committer.h"

#include <pthread.h>
#include <sys/resource.h>

#include <algorithm>
#include <iterator>

namespace hone::scheduler {

Committer::Committer(RecordLog log, JobsFile jobs)
    : log_(std::move(log)), jobs_(std::move(jobs)), thread_([this] { work(); }) {}

Committer::~Committer() {
  {
    std::lock_guard lock(mutex_);
    leaving_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void Committer::submit(Batch batch) {
  HONE_CHECK(!busy_);
  busy_ = true;
  {
    std::lock_guard lock(mutex_);
    waiting_ = std::move(batch);
  }
  changed_.notify_one();
}

std::optional<Committer::Outcome> Committer::take() {
  std::lock_guard lock(mutex_);
  if (!outcome_) return std::nullopt;
  done_.clear();
  busy_ = false;
  return std::exchange(outcome_, std::nullopt);
}

void Committer::work() {
  ::pthread_setname_np(::pthread_self(), "committer");
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return leaving_ || waiting_; });
    if (leaving_) return;
    Batch batch = std::move(*waiting_);
    waiting_.reset();
    lock.unlock();
    Outcome outcome = commit(std::move(batch));
    lock.lock();
    outcome_ = std::move(outcome);
    done_.notify();
  }
}

Committer::Outcome Committer::commit(Batch batch) {
  Outcome outcome;
  outcome.goal = batch.goal;
  for (size_t i = 0; i < batch.records.size(); ++i)
    if (auto appended = log_.append(batch.records[i], batch.identities[i]); !appended)
      outcome.notes.push_back("a record could not be kept: " + appended.error().text());
  for (const JournalEntry& entry : batch.jobs) jobs_.append(entry);
  // What was issued only has to outlive this process, not the machine: such entries are written, not synced.
  const bool issued_only = std::all_of(batch.jobs.begin(), batch.jobs.end(),
                                       [](const JournalEntry& entry) { return entry.type == kIssuedEntry; });
  outcome.status = log_.sync();
  if (outcome.status) outcome.status = issued_only ? jobs_.write() : jobs_.sync();
  for (auto notes : {log_.take_notes(), jobs_.take_notes()})
    std::move(notes.begin(), notes.end(), std::back_inserter(outcome.notes));
  if (!outcome.status) return outcome;
  if (batch.prepared) outcome.tidied = finish(std::move(*batch.prepared));
  return outcome;
}

void Committer::prepare(bool compact, bool snapshot) {
  HONE_CHECK(!busy_ && !is_preparing());
  preparing_ = std::async(std::launch::async, [this, compact, snapshot, upto = jobs_.bytes()] {
    ::pthread_setname_np(::pthread_self(), "tidier");
    ::setpriority(PRIO_PROCESS, 0, 5);  // this thread alone: results go first
    Prepared prepared;
    const auto is_over = [this](const Digest& id) { return log_.is_durable(id); };
    if (compact) {
      if (auto log = log_.prepare_compaction())
        prepared.log = std::move(*log);
      else
        prepared.status = pass(log.error());
    }
    if (snapshot) {
      if (auto jobs = jobs_.prepare_snapshot(upto, is_over))
        prepared.jobs = std::move(*jobs);
      else
        prepared.status = pass(jobs.error());
    }
    return prepared;
  });
}

std::optional<Committer::Prepared> Committer::take_prepared(bool wait) {
  if (!is_preparing()) return std::nullopt;
  if (!wait && preparing_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return std::nullopt;
  return preparing_.get();
}

Status Committer::finish(Prepared prepared) {
  Status status = std::move(prepared.status);
  if (prepared.log)
    if (auto adopted = log_.adopt(std::move(*prepared.log)); !adopted) status = adopted;
  if (prepared.jobs)
    if (auto adopted = jobs_.adopt(std::move(*prepared.jobs)); !adopted) status = adopted;
  return status;
}

}  // namespace hone::scheduler
