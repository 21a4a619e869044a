// The scheduler killed at every write of its journals, and started again from what lay on the disk: whole
// writes, torn ones, and writes that the machine forgot because they were not synced.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "logs/record_log.h"
#include "scheduler/jobs_file.h"
#include "tests/unit/scheduler/world.h"

namespace hone::scheduler {
namespace {

using test::make_request;
using test::World;

/// Thrown instead of SIGKILL.
struct Killed {};

/// Real files, and a kill or an error at the n-th call. What was written and not synced is lost with the
/// power.
class FailingFiles : public Files {
 public:
  enum class Way { before, torn, after, power, no_space, io_error };
  uint64_t calls = 0, fail_at = 0;
  Way way = Way::before;
  bool failed = false;
  bool armed = true;

  ssize_t pwrite(int file, const void* bytes, size_t size, off_t offset) override {
    if (!is_due()) return Files::pwrite(file, bytes, size, offset);
    if (way == Way::no_space || way == Way::io_error) {
      // Part of it fits, then the disk is full.
      if (size > 1 && way == Way::no_space) return Files::pwrite(file, bytes, size / 2, offset);
      errno = way == Way::no_space ? ENOSPC : EIO;
      return -1;
    }
    if (way == Way::torn) Files::pwrite(file, bytes, size / 2, offset);
    if (way == Way::after || way == Way::power) Files::pwrite(file, bytes, size, offset);
    if (way == Way::power) forget(file);
    throw Killed();
  }
  int fdatasync(int file) override {
    if (is_due()) {
      if (way == Way::no_space || way == Way::io_error) {
        errno = EIO;
        return -1;
      }
      if (way == Way::power) forget(file);
      if (way != Way::after) throw Killed();
    }
    struct stat facts{};
    ::fstat(file, &facts);
    synced_[facts.st_ino] = facts.st_size;  // no real sync: this process is never really killed
    if (way == Way::after && failed && calls == fail_at) throw Killed();
    return 0;
  }
  int ftruncate(int file, off_t size) override {
    if (is_due() && way != Way::no_space && way != Way::io_error) throw Killed();
    return Files::ftruncate(file, size);
  }

 private:
  bool is_due() {
    if (!armed || ++calls < fail_at || fail_at == 0 || failed) return false;
    failed = true;
    return true;
  }
  void forget(int file) {
    struct stat facts{};
    ::fstat(file, &facts);
    (void)Files::ftruncate(file, std::min<off_t>(facts.st_size, synced_[facts.st_ino]));
  }
  std::map<ino_t, off_t> synced_;
};

class JournalDisk : public test::Disk {
 public:
  JournalDisk() {
    char name[] = "/tmp/hone-kills-XXXXXX";
    folder_ = ::mkdtemp(name);
  }
  ~JournalDisk() override {
    close();
    std::filesystem::remove_all(folder_);
  }
  void close() {
    snapshot_.reset();
    compaction_.reset();
    log_.reset();
    jobs_.reset();
  }
  std::pair<LogDatabase, Recovered> open() override {
    close();
    auto log = RecordLog::open(folder_ / "x.h5", files);
    if (!log) throw std::runtime_error(log.error().text());
    log_.emplace(std::move(*log));
    auto jobs = JobsFile::open(folder_ / "x.h5", files);
    if (!jobs) throw std::runtime_error(jobs.error().text());
    jobs_.emplace(std::move(*jobs));
    return {log_->database(), jobs_->recovered()};
  }
  bool commit(const std::vector<Record>& records, const std::vector<JournalEntry>& jobs) override {
    for (; queued_records_ < records.size(); ++queued_records_)
      EXPECT_TRUE(log_->append(records[queued_records_]));
    for (; queued_jobs_ < jobs.size(); ++queued_jobs_) jobs_->append(jobs[queued_jobs_]);
    if (!log_->sync() || !jobs_->sync()) {
      ++errors;
      return false;
    }
    killed();
    tidy();
    return true;
  }
  /// Now and then the jobs journal is replaced by what it amounts to, and the log compacted: prepared after
  /// one commit, finished after a later one. On an error the old ones are still there.
  void tidy() {
    if (++commits_ % 4 != 0) return;
    const auto is_over = [this](const Digest& id) { return log_->is_durable(id); };
    if (snapshot_) {
      if (!jobs_->adopt(*std::exchange(snapshot_, {}))) ++errors;
    } else if (auto prepared = jobs_->prepare_snapshot(jobs_->bytes(), is_over)) {
      snapshot_ = std::move(*prepared);
    } else {
      ++errors;
    }
    if (compaction_) {
      if (!log_->adopt(*std::exchange(compaction_, {}))) ++errors;
    } else if (auto prepared = log_->prepare_compaction()) {
      compaction_ = std::move(*prepared);
    } else {
      ++errors;
    }
  }
  /// What was queued is gone.
  void killed() { queued_records_ = queued_jobs_ = 0; }

  FailingFiles files;
  uint64_t errors = 0;

 private:
  std::filesystem::path folder_;
  std::optional<RecordLog> log_;
  std::optional<JobsFile> jobs_;
  std::optional<Journal::Tail> snapshot_;
  std::optional<RecordLog::Compaction> compaction_;
  uint64_t commits_ = 0;
  size_t queued_records_ = 0, queued_jobs_ = 0;
};

/// One job with one failure at the n-th call; false: the job ended before it.
bool run_with_failure(uint64_t at, FailingFiles::Way way) {
  JournalDisk disk;
  disk.files.fail_at = at;
  disk.files.way = way;
  Settings settings;
  settings.finalists = 1;
  settings.repetitions = 1;
  std::optional<World> world;
  bool is_submitted = false;
  wire::JobRequest request = make_request(1, 6);
  request.token = "once";
  const Time end(120000);
  for (Time now{0}; now < end; now += Time(10)) {
    try {
      if (!world) {
        // An error at the start is told and ends the program: there is nothing to lose yet.
        disk.files.armed = way != FailingFiles::Way::no_space && way != FailingFiles::Way::io_error;
        world.emplace(settings, 5, test::Nature{}, &disk);
        disk.files.armed = true;
        world->add_tuner("tuner");
        world->add_runner("board");
      }
      if (!is_submitted && world->job() == 0) {
        is_submitted = true;
        world->submit(request);
      }
      world->step();
    } catch (const Killed&) {
      disk.killed();
      if (!world) continue;
      world->restart_scheduler();
      if (world->job() == 0) is_submitted = false;  // the same token: one job, whatever became of the first
    }
    if (!world->broken.empty()) break;
    const std::string& state = world->last_event().state;
    if (state == "Completed" || state == "Failed") break;
  }
  EXPECT_THAT(world->broken, testing::IsEmpty()) << "call " << at << ", way " << static_cast<int>(way);
  EXPECT_EQ(world->last_event().state, "Completed")
      << "call " << at << ", way " << static_cast<int>(way) << ": " << world->last_event().reason;
  EXPECT_EQ(world->core().jobs().size(), 1u);
  if (way == FailingFiles::Way::no_space || way == FailingFiles::Way::io_error) {
    EXPECT_EQ(world->restarts, 0u);
  }
  return disk.files.failed;
}

class Killing : public testing::TestWithParam<FailingFiles::Way> {};

TEST_P(Killing, AtEveryWriteLosesNothingThatWasAcknowledged) {
  uint64_t at = 1;
  while (run_with_failure(at, GetParam()) && !HasFailure()) ++at;
  EXPECT_GT(at, 30u) << "there are many writes in a job";
}

std::string name_of(const testing::TestParamInfo<FailingFiles::Way>& way) {
  return std::vector<std::string>{
      "Before", "Torn", "After", "WithThePower", "NoSpace", "IoError"}[static_cast<size_t>(way.param)];
}

INSTANTIATE_TEST_SUITE_P(Ways, Killing,
                         testing::Values(FailingFiles::Way::before, FailingFiles::Way::torn,
                                         FailingFiles::Way::after, FailingFiles::Way::power,
                                         FailingFiles::Way::no_space, FailingFiles::Way::io_error),
                         name_of);

}  // namespace
}  // namespace hone::scheduler
