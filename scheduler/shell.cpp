// One loop: wait, hand in what came, carry out what is asked, sync once for all of it, hand in that it is
// durable.
#include "scheduler/shell.h"

#include <algorithm>

#include "logs/record_log.h"
#include "measure/transport.h"
#include "scheduler/core.h"
#include "scheduler/jobs_file.h"
#include "scheduler/trainer.h"

namespace hone::scheduler {
namespace {

using std::chrono::milliseconds;

class Shell {
 public:
  Shell(const ShellOptions& options, Hub hub, RecordLog log, JobsFile jobs)
      : options_(options),
        hub_(std::move(hub)),
        log_(std::move(log)),
        jobs_(std::move(jobs)),
        core_(options.settings, log_.database(), jobs_.recovered()) {}

  Status run(TerminationSignals& signals) {
    carry_out(core_.start(now()));
    sync();
    bool leaving = false;
    TimePoint leave_by;
    while (true) {
      const int fds[] = {signals.fd(), trainer_.fd()};
      const Now time = now();
      const auto pause = std::max(milliseconds(1), core_.next_tick(time) - time.steady);
      hub_.wait(std::chrono::steady_clock::now() + pause, fds);
      if (signals.take() != 0 && !leaving) {
        leaving = true;
        leave_by = std::chrono::steady_clock::now() + milliseconds(3000);
        carry_out(core_.stop(now()));
      }
      take_messages();
      note_refused();
      while (auto model = trainer_.take()) carry_out(core_.trained(now(), model->first, model->second));
      carry_out(core_.tick(now()));
      sync();
      if (leaving && (is_quiet() || std::chrono::steady_clock::now() >= leave_by)) return leave();
      tidy();
    }
  }

 private:
  static Now now() {
    using std::chrono::duration_cast;
    return {duration_cast<milliseconds>(std::chrono::steady_clock::now().time_since_epoch()),
            duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count()};
  }

  void note(const std::string& line) {
    if (options_.note) options_.note(line);
  }

  /// At most so many before the next sync, so that acknowledgements do not wait for ever.
  void take_messages() {
    for (int i = 0; i < 256; ++i) {
      auto received = hub_.receive();
      if (!received) return;
      auto& [message, blobs] = received->received;
      carry_out(message ? core_.message(now(), received->peer, *message, std::move(blobs))
                        : core_.malformed(now(), received->peer, message.error().text()));
    }
  }

  void carry_out(Effects effects) {
    std::vector<PeerId> gone;
    for (Record& record : effects.records)
      if (auto appended = log_.append(std::move(record)); !appended)
        note("a record could not be kept: " + appended.error().text());
    for (const JournalEntry& entry : effects.jobs) jobs_.append(entry);
    wanted_ = std::max(wanted_, effects.sequence);
    for (TrainRequest& request : effects.train) trainer_.submit(std::move(request));
    for (const std::string& line : effects.notes) note(line);
    for (const Outgoing& outgoing : effects.send) {
      std::vector<wire::Bytes> blobs;
      for (const BlobPointer& blob : outgoing.blobs) blobs.push_back(*blob);
      if (!hub_.send(outgoing.peer, outgoing.message, blobs)) gone.push_back(outgoing.peer);
    }
    std::sort(gone.begin(), gone.end());
    gone.erase(std::unique(gone.begin(), gone.end()), gone.end());
    for (const PeerId& peer : gone)
      if (core_.peers().contains(peer)) carry_out(core_.gone(now(), peer));
  }

  /// At most one line a second: strangers must not fill the log.
  void note_refused() {
    const Refused refused = hub_.refused();
    const TimePoint time = std::chrono::steady_clock::now();
    if (refused.total() == told_refused_ || time < tell_refused_) return;
    told_refused_ = refused.total();
    tell_refused_ = time + milliseconds(1000);
    note("refused " + std::to_string(refused.total()) +
         " connections so far: " + std::to_string(refused.handshakes) + " spoke no protocol or had no key, " +
         std::to_string(refused.keys) + " had an unknown key, " + std::to_string(refused.roles) +
         " came in another role than their key's");
  }

  /// Group commit. On a full disk nothing is acknowledged, and it is tried again.
  void sync() {
    while (wanted_ > durable_) {
      const uint64_t goal = wanted_;
      auto status = log_.sync();
      if (status) status = jobs_.sync();
      if (!status) {
        if (trouble_ != status.error().text()) note("nothing is acknowledged: " + status.error().text());
        trouble_ = status.error().text();
        return;
      }
      if (!trouble_.empty()) note("the log can be written again");
      trouble_.clear();
      durable_ = goal;
      carry_out(core_.durable(now(), goal));
    }
  }

  bool is_quiet() const {
    if (wanted_ > durable_) return false;
    return std::all_of(core_.jobs().begin(), core_.jobs().end(),
                       [](const auto& entry) { return is_terminal(entry.second.state); });
  }

  void tidy() {
    const bool idle = is_quiet();
    if (log_.uncompacted() > 0 && (idle || log_.uncompacted() >= next_compact_)) {
      if (auto status = log_.compact(); !status) note("the log was not compacted: " + status.error().text());
      next_compact_ = log_.uncompacted() + options_.compact_every;
    }
    if (jobs_.bytes() > options_.snapshot_bytes || (idle && jobs_.bytes() > (options_.snapshot_bytes >> 6)))
      if (auto status = jobs_.replace(core_.snapshot_entries(now())); !status) note(status.error().text());
  }

  Status leave() {
    HONE_RETURN_IF_ERROR(log_.close());
    return is_quiet() ? jobs_.remove() : jobs_.replace(core_.snapshot_entries(now()));
  }

  const ShellOptions& options_;
  Hub hub_;
  RecordLog log_;
  JobsFile jobs_;
  Core core_;
  Trainer trainer_;
  uint64_t wanted_ = 0, durable_ = 0, told_refused_ = 0;
  TimePoint tell_refused_ = {};
  size_t next_compact_ = options_.compact_every;
  std::string trouble_;
};

}  // namespace

Status serve(const ShellOptions& options) {
  TerminationSignals signals;
  HONE_TRY(RecordLog log, RecordLog::open(options.log));
  HONE_TRY(JobsFile jobs, JobsFile::open(options.log));
  if (options.note) {
    for (const std::string& warning : log.database().warnings()) options.note(warning);
    if (!jobs.warning().empty()) options.note(jobs.warning());
  }
  HONE_TRY(Hub hub, Hub::bind(options.listen, options.transport));
  if (options.note)
    options.note("listens on " + hub.endpoint() + "; " + std::to_string(log.database().records().size()) +
                 " records in " + options.log.string());
  Shell shell(options, std::move(hub), std::move(log), std::move(jobs));
  return shell.run(signals);
}

}  // namespace hone::scheduler
