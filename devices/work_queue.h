// What a runner holds: measurements that wait for bytes, the one that runs, results that wait for their
// commit. A pure state machine: time comes as a parameter, messages go out as values.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "devices/blob_cache.h"
#include "devices/device.h"
#include "measure/transport.h"

namespace hone {

/// A measurement with all that it needs.
struct ReadyWork {
  wire::MeasureRequest request;
  BlobCache::Blob artifact, reference;
};

class WorkQueue {
 public:
  struct Limits {
    size_t cached_blobs = 512, cached_bytes = size_t{256} << 20;
    size_t uncommitted = 4096;                ///< results kept; beyond it the oldest is given up
    std::chrono::milliseconds upload{30000};  ///< for requests that name no deadline of their own
  };
  explicit WorkQueue(Limits limits);

  /// Takes what the scheduler wants held: adds what is new, drops what is no longer wanted (what runs is to
  /// be cancelled, see take_cancel, and then thrown away). A measurement whose result is still here is not
  /// run again but sent again.
  void want(const wire::Want& want, TimePoint now);
  /// Bytes that came. Wrong or missing ones end the measurements that need them with board_lost and a reason.
  void blob(const wire::Blob& blob, wire::Bytes bytes, TimePoint now);
  void committed(const std::vector<Digest>& ids);
  /// A new connection: everything unanswered is asked for, and every result sent, once more.
  void reconnected();
  /// Ends measurements whose bytes did not come in time.
  void check_deadlines(TimePoint now);

  /// Digests to ask for; each is given once per connection.
  std::vector<Digest> take_fetches();
  /// The next measurement, oldest first, if nothing runs and its bytes are here. It runs until `finished`.
  std::optional<ReadyWork> start();
  /// True once, when what runs is not wanted any more. If it is wanted again before it has ended, it is run
  /// anew.
  bool take_cancel();
  void finished(DeviceResult result, TimePoint now);
  /// Results to send; each is given once per connection.
  std::vector<wire::Measured> take_results();

  bool running() const { return running_.has_value(); }
  bool empty() const { return waiting_.empty() && !running_ && results_.empty(); }
  bool has_uncommitted() const { return !results_.empty(); }
  /// Everything held: waiting, running, not yet committed.
  std::vector<wire::LeaseRef> leases() const;
  /// When check_deadlines has something to do next.
  std::optional<TimePoint> next_deadline() const;

 private:
  struct Waiting {
    wire::MeasureRequest request;
    TimePoint since, deadline;
    BlobCache::Blob artifact, reference;
    double upload_ms = 0;  ///< of what it took to come, what the board had nothing else to do in
    bool ready() const { return artifact && reference; }
  };
  struct Running {
    wire::MeasureRequest request;
    double upload_ms;
    bool wanted = true, cancelled = false;
  };
  struct Kept {
    wire::Measured measured;
    bool sent = false;
  };

  void fill(Waiting& waiting, TimePoint now);
  void fail_waiting(size_t index, const std::string& why);
  void keep(wire::Measured measured);

  Limits limits_;
  BlobCache cache_;
  std::deque<Waiting> waiting_;
  std::optional<Running> running_;
  TimePoint free_since_{};  ///< nothing has run or come since
  std::deque<Kept> results_;
  std::set<Digest> asked_;
};

}  // namespace hone
