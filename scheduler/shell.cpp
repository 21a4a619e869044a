// One loop: wait, hand in what came, carry out what is asked, sync once for all of it, hand in that it is
// durable.
#include "scheduler/shell.h"

#include <algorithm>
#include <optional>

#include "scheduler/committer.h"
#include "scheduler/core.h"
#include "scheduler/delays.h"
#include "scheduler/note_limit.h"
#include "scheduler/trainer.h"

namespace hone::scheduler {
namespace {

using std::chrono::milliseconds;

class Shell {
 public:
  Shell(const ShellOptions& options, Hub hub, RecordLog log, JobsFile jobs, std::vector<Record> transfer)
      : options_(options),
        settings_(options.settings),
        hub_(std::move(hub)),
        core_(options.settings, log.take_database(), jobs.recovered(), std::move(transfer)),
        committer_(std::move(log), std::move(jobs)) {}

  Status run(TerminationSignals& signals) {
    carry_out(core_.start(now()));
    commit();
    bool leaving = false;
    TimePoint leave_by;
    while (true) {
      const int fds[] = {signals.fd(), trainer_.fd(), committer_.fd()};
      const Now time = now();
      auto pause = std::max({milliseconds(1), core_.next_tick(time) - time.steady, tick_left()});
      if (!trouble_.empty()) pause = std::min(pause, milliseconds(100));
      hub_.wait(std::chrono::steady_clock::now() + pause, fds);
      if (signals.take() != 0 && !leaving) {
        leaving = true;
        leave_by = std::chrono::steady_clock::now() + milliseconds(3000);
        carry_out(core_.stop(now()));
      }
      take_commits();
      tidy();
      watch_disk();
      const bool drained = take_messages();
      take_left();
      note_refused();
      while (auto model = trainer_.take()) carry_out(core_.trained(now(), model->first, model->second));
      // Who is silent is only known once all that lies there was read; under a flood it must still be asked.
      // Looking at every peer and lease costs most when little came: not for each message.
      if (const auto steady = std::chrono::steady_clock::now();
          (drained && steady >= ticked_ + tick_) || steady >= ticked_ + settings_.loss) {
        ticked_ = steady;
        carry_out(core_.tick(now()));
      }
      commit();
      if (leaving && committer_.idle() &&
          (is_quiet() || (settings_.abandon.count() == 0 && wanted_ <= durable_) ||
           std::chrono::steady_clock::now() >= leave_by))
        return leave();
    }
  }

 private:
  /// Time in which this process stood still (stopped, a slow disk) does not pass for the core: nobody is
  /// silent because the scheduler did not listen.
  Now now() {
    using std::chrono::duration_cast;
    const auto steady = duration_cast<milliseconds>(std::chrono::steady_clock::now().time_since_epoch());
    const milliseconds most = std::max(milliseconds(100), 2 * settings_.heartbeat);
    if (seen_.count() > 0 && steady - seen_ > most) stood_still_ += steady - seen_ - most;
    seen_ = steady;
    return {steady - stood_still_,
            duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count()};
  }

  /// Until the next tick is due.
  milliseconds tick_left() const {
    return std::chrono::ceil<milliseconds>(ticked_ + tick_ - std::chrono::steady_clock::now());
  }

  void note(const std::string& line) {
    if (!options_.note) return;
    if (const auto shown = notes_.admit(now().steady, line)) options_.note(*shown);
  }

  /// At most so many before the next sync, so that acknowledgements do not wait for ever. Work is dealt out
  /// once for all of them. False: there are more.
  bool take_messages() {
    bool all = false;
    const TimePoint enough = std::chrono::steady_clock::now() + milliseconds(2);
    for (int i = 0; i < 256 && !all && std::chrono::steady_clock::now() < enough; ++i) {
      auto received = hub_.receive();
      if (!received) {
        all = true;
        break;
      }
      auto& [message, blobs] = received->received;
      if (message && std::holds_alternative<wire::Measured>(*message))
        came_.push_back(std::chrono::steady_clock::now());
      if (message)
        core_.take(now(), received->peer, *message, std::move(blobs), received->key);
      else
        carry_out(core_.malformed(now(), received->peer, message.error().text()));
    }
    carry_out(core_.finish(now()));
    return all;
  }

  void take_left() {
    const std::vector<PeerLeft> left = hub_.take_left();
    for (const PeerLeft& peer : left) {
      if (peer.why.empty()) continue;
      const auto known = core_.peers().find(peer.peer);
      note("cut off " + (known == core_.peers().end() ? std::string("a peer") : known->second.name) + ": " +
           peer.why);
    }
    if (!left.empty()) carry_out(core_.left(now(), left));
  }

  void carry_out(Effects effects) {
    std::vector<PeerId> gone;
    std::move(effects.records.begin(), effects.records.end(), std::back_inserter(batch_.records));
    std::move(effects.identities.begin(), effects.identities.end(), std::back_inserter(batch_.identities));
    std::move(effects.jobs.begin(), effects.jobs.end(), std::back_inserter(batch_.jobs));
    wanted_ = std::max(wanted_, effects.sequence);
    for (TrainRequest& request : effects.train) trainer_.submit(std::move(request));
    for (const std::string& line : effects.notes) note(line);
    for (Outgoing& outgoing : effects.send) {
      if (auto* status = std::get_if<wire::SchedulerStatus>(&outgoing.message)) {
        status->log = options_.log.string();
        const Refused refused = hub_.refused();
        status->refused = refused.total() + core_.counters().refused_boards;
        status->connections = static_cast<uint32_t>(hub_.connections());
        status->crowded = refused.crowded;
        status->greedy = refused.greedy;
        status->removed = refused.removed;
        status->acknowledged_median_us = delays_.quantile_us(0.5);
        status->acknowledged_high_us = delays_.quantile_us(0.99);
      }
      const auto* want = std::get_if<wire::Want>(&outgoing.message);
      if (want != nullptr && !want->measurements.empty())
        held_.push_back(std::move(outgoing));
      else if (!send(outgoing))
        gone.push_back(outgoing.peer);
    }
    lose(std::move(gone));
  }

  bool send(const Outgoing& outgoing) {
    std::vector<wire::Bytes> blobs;
    for (const BlobPointer& blob : outgoing.blobs) blobs.push_back(*blob);
    return static_cast<bool>(hub_.send(outgoing.peer, outgoing.message, blobs));
  }

  /// Measurements whose issue is journaled go out: a result that comes after a kill is known then.
  void send_issued() {
    std::vector<PeerId> gone;
    for (Outgoing& outgoing : std::exchange(issued_, {})) {
      // What was cancelled while it waited here is not begun: a later want may have gone out before this one.
      auto& want = std::get<wire::Want>(outgoing.message);
      const auto is_over = [&](const wire::LeaseRef& lease) {
        const auto work = core_.works().find(lease.id);
        return work == core_.works().end() || work->second.epoch != lease.epoch ||
               work->second.holder != outgoing.peer;
      };
      std::erase_if(want.leases, is_over);
      std::erase_if(want.measurements, [&](const auto& request) { return is_over(request.lease); });
      if (!send(outgoing)) gone.push_back(outgoing.peer);
    }
    lose(std::move(gone));
  }

  void lose(std::vector<PeerId> gone) {
    if (gone.empty()) return;
    take_left();  // who was cut off, and why, is known already
    std::sort(gone.begin(), gone.end());
    gone.erase(std::unique(gone.begin(), gone.end()), gone.end());
    for (const PeerId& peer : gone)
      if (core_.peers().contains(peer)) carry_out(core_.gone(now(), peer));
  }

  /// A line after a second, two, four, ... at most a minute: strangers must not fill the log.
  void note_refused() {
    constexpr milliseconds first{1000}, longest{60000};
    const Refused refused = hub_.refused();
    const TimePoint time = std::chrono::steady_clock::now();
    if (refused.total() == told_refused_ || time < tell_refused_) return;
    told_refused_ = refused.total();
    refused_pause_ = time > tell_refused_ + longest ? first : std::min(longest, 2 * refused_pause_);
    tell_refused_ = time + refused_pause_;
    note("refused " + std::to_string(refused.total()) +
         " connections so far: " + std::to_string(refused.handshakes) + " spoke no protocol or had no key, " +
         std::to_string(refused.keys) + " had an unknown key, " + std::to_string(refused.roles) +
         " came in another role than their key's, " + std::to_string(refused.crowded) +
         " were too many or said nothing, " + std::to_string(refused.greedy) + " took too much, " +
         std::to_string(refused.removed) + " had a key that was removed");
  }

  /// Group commit: all that came while the last batch was written is the next. On a full disk nothing is
  /// acknowledged, and it is tried again.
  /// Now and then there is nothing to write, but somebody may have deleted the files: that is noticed by a
  /// commit.
  void commit() {
    const TimePoint time = std::chrono::steady_clock::now();
    const bool is_empty = batch_.empty() && held_.empty() && issued_.empty() && wanted_ <= durable_;
    if (!committer_.idle() || (is_empty && time < look_again_)) return;
    if (!trouble_.empty() && time < try_again_) return;
    look_again_ = time + settings_.look_at_files;
    batch_.goal = wanted_;
    committer_.submit(std::exchange(batch_, {}));
    submitted_ = std::chrono::steady_clock::now();
    std::move(held_.begin(), held_.end(), std::back_inserter(issued_));
    held_.clear();
    std::move(came_.begin(), came_.end(), std::back_inserter(committing_));
    came_.clear();
  }

  void set_trouble(const std::string& why) {
    if (trouble_ == why) return;
    note(why.empty() ? "the log can be written again" : "nothing is acknowledged: " + why);
    trouble_ = why;
    carry_out(core_.trouble(now(), why));
  }

  /// A disk that does not answer is as bad as one that is full: said before a lease runs out that no runner
  /// was told of.
  void watch_disk() {
    const milliseconds patience = std::min(settings_.slow_disk, settings_.lease / 2);
    if (submitted_ && trouble_.empty() && std::chrono::steady_clock::now() >= *submitted_ + patience)
      set_trouble("the disk has been writing for more than " + std::to_string(patience.count()) + " ms");
  }

  void take_commits() {
    while (auto outcome = committer_.take()) {
      submitted_.reset();
      for (const std::string& line : outcome->notes) note(line);
      if (!outcome->status) {
        set_trouble(outcome->status.error().text());
        try_again_ = std::chrono::steady_clock::now() + milliseconds(100);
        return;
      }
      set_trouble("");
      if (!outcome->tidied) {
        if (std::exchange(untidy_, outcome->tidied.error().text()) != outcome->tidied.error().text())
          note("the log was not compacted, it is tried again: " + untidy_);
        tidy_again_ = std::chrono::steady_clock::now() + settings_.snapshot;
      }
      if (outcome->goal > durable_) {  // acknowledgements first: a board that waits for one has its work
        durable_ = outcome->goal;
        carry_out(core_.durable(now(), durable_));
      }
      const TimePoint answered = std::chrono::steady_clock::now();
      for (const TimePoint came : std::exchange(committing_, {})) delays_.add(answered - came);
      send_issued();
    }
  }

  bool is_quiet() const {
    if (wanted_ > durable_) return false;
    return std::all_of(core_.jobs().begin(), core_.jobs().end(),
                       [](const auto& entry) { return is_terminal(entry.second.state); });
  }

  /// Compaction and snapshots are prepared on a thread of their own, while results go on being committed, and
  /// finished with the next batch.
  void tidy() {
    if (auto prepared = committer_.take_prepared()) batch_.prepared = std::move(*prepared);
    if (committer_.is_preparing() || batch_.prepared || !committer_.idle() || !trouble_.empty() ||
        std::chrono::steady_clock::now() < tidy_again_)
      return;
    const bool idle = is_quiet();
    bool compact = false;
    const size_t uncompacted = committer_.log().uncompacted();
    if (uncompacted > 0 && (idle || uncompacted >= next_compact_)) {
      compact = true;
      next_compact_ = std::max(options_.compact_every, committer_.log().size() / 2);
    }
    const uint64_t bytes = committer_.jobs().bytes();
    const bool snapshot = bytes > options_.snapshot_bytes || (idle && bytes > (options_.snapshot_bytes >> 6));
    if (compact || snapshot) committer_.prepare(compact, snapshot);
  }

  Status leave() {
    if (auto prepared = committer_.take_prepared(true))
      if (auto finished = committer_.finish(std::move(*prepared)); !finished)
        note("the log was not compacted, it is tried again: " + finished.error().text());
    HONE_RETURN_IF_ERROR(committer_.log().close());
    const bool is_private = settings_.abandon.count() > 0;
    return is_private && is_quiet() ? committer_.jobs().remove()
                                    : committer_.jobs().replace(core_.snapshot_entries(now()));
  }

  const ShellOptions& options_;
  const Settings& settings_;
  milliseconds seen_{0}, stood_still_{0};
  const milliseconds tick_{std::clamp(settings_.heartbeat / 10, milliseconds(1), milliseconds(50))};
  TimePoint ticked_ = {};
  Hub hub_;
  Core core_;
  Committer committer_;
  Trainer trainer_;
  Committer::Batch batch_;               ///< what is to be made durable next
  std::vector<Outgoing> held_, issued_;  ///< wait for the next batch, and for the one that is being written
  std::vector<TimePoint> came_, committing_;  ///< results: for the next batch, in the one under way
  Delays delays_;
  TimePoint try_again_ = {}, tidy_again_ = {}, look_again_ = {};
  std::optional<TimePoint> submitted_;  ///< the commit that is under way
  uint64_t wanted_ = 0, durable_ = 0, told_refused_ = 0;
  TimePoint tell_refused_ = {};
  milliseconds refused_pause_{1000};
  NoteLimit notes_{4096, 50, 1000};
  size_t next_compact_ = options_.compact_every;
  std::string trouble_, untidy_;
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
  std::vector<Record> transfer;
  for (const std::filesystem::path& file : options.transfer) {
    HONE_TRY(const LogDatabase other, LogDatabase::open(file));
    transfer.insert(transfer.end(), other.records().begin(), other.records().end());
  }
  HONE_TRY(Hub hub, Hub::bind(options.listen, options.transport));
  if (options.note)
    options.note("listens on " + hub.endpoint() + "; " + std::to_string(log.database().records().size()) +
                 " records in " + options.log.string());
  Shell shell(options, std::move(hub), std::move(log), std::move(jobs), std::move(transfer));
  return shell.run(signals);
}

}  // namespace hone::scheduler
