// Private to measure: the open connections of a Hub. ZeroMQ's monitor tells when one opens and closes, the
// Hub what it takes from and gives to each, the kernel how many bytes went over it (TCP_INFO); whoever takes
// more than ConnectionLimits allow is cut off. Nothing is copied or relayed for that.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "measure/transport.h"

namespace hone {

class Connections {
 public:
  explicit Connections(const ConnectionLimits& limits) : limits_(limits) {}

  /// A connection was accepted. Beyond the limit the one that has kept silent for longest, of the source that
  /// has most of them, is cut off; this one if all have spoken.
  void opened(int descriptor, TimePoint now);
  enum class End : uint8_t { unheard, heard, cut };
  /// It is closed: whether it had spoken, or was cut off here.
  End closed(int descriptor);

  /// The Hub took a message of so many `bytes` on the wire; `key`: the sender's public key, if there are
  /// keys. True: it is the first of this peer.
  bool took(int descriptor, const PeerId& peer, const std::string& key, uint64_t bytes, TimePoint now);
  bool knows(const PeerId& peer) const { return of_peer_.contains(peer); }
  /// It is cut off, or soon will be: what comes from it is not wanted.
  bool is_leaving(const PeerId& peer) const;
  /// How many connections have this key.
  size_t of_key(const std::string& key) const;
  /// Whether the peer may be sent so many bytes more; counts them if so.
  bool may_send(const PeerId& peer, uint64_t bytes);

  /// Cuts the peer off after a moment in which what was sent to it goes out.
  void cut_soon(const PeerId& peer, const std::string& why, TimePoint now);
  /// Cuts off all of these keys, and whoever has not said yet whose key it has.
  void cut_keys(const std::vector<std::string>& keys);

  /// Looks at all connections, not more often than their number allows. `drained`: the Hub has just taken all
  /// that could be taken, so what came beyond it belongs to messages that are not whole.
  void watch(TimePoint now, bool drained);
  /// When watch has something to do at the latest.
  std::optional<TimePoint> next_watch() const;

  /// The Hub has taken all that there was: those that left before have nothing more to say.
  void drained();
  std::vector<PeerLeft> take_left() { return std::exchange(told_, {}); }

  size_t size() const { return open_.size(); }
  uint64_t crowded() const { return crowded_; }
  uint64_t greedy() const { return greedy_; }
  uint64_t removed() const { return removed_; }

 private:
  struct Connection {
    uint64_t cookie = 0;  ///< of the socket: tells it from another with the same descriptor
    std::string source;   ///< address without the port; empty: this machine's own kind of socket
    TimePoint opened, taken_at;
    PeerId peer;  ///< empty: it has not spoken
    std::string key;
    uint64_t taken = 0, sent = 0;  ///< bytes
    uint64_t acknowledged = 0;     ///< of those sent, as last seen
    std::optional<TimePoint> cut_at;
    std::string why;  ///< it is cut off
    bool is_cut = false, is_told = false;
  };
  void cut(int descriptor, Connection& connection, const std::string& why);
  void leave(const PeerId& peer, const std::string& why);
  void forget(Connection& connection);
  void cut_most_silent();
  /// Gives the bytes that wait; 0 too if it is cut off.
  uint64_t look_at(int descriptor, Connection& connection, TimePoint now, bool drained);
  /// Bytes that came and were not taken: whole messages that wait, and one that is not whole.
  uint64_t waiting(int descriptor, const Connection& connection, TimePoint now) const;

  ConnectionLimits limits_;
  std::map<int, Connection> open_;  ///< by descriptor
  std::unordered_map<PeerId, int> of_peer_;
  std::map<std::string, size_t> of_key_;
  std::vector<PeerLeft> leaving_, told_;
  TimePoint next_watch_ = {};
  size_t cut_now_ = 0;        ///< of `open_`, those that are cut off and not closed yet
  uint64_t calm_memory_ = 0;  ///< of this process when no unfinished message lay here
  uint64_t crowded_ = 0, greedy_ = 0, removed_ = 0;
};

}  // namespace hone
