// Private to measure: the doorkeeper of a Hub's socket. It answers ZAP, watches handshakes and connections,
// says whose key a message came with, and counts who was turned away or cut off; it needs no thread, since
// the Hub polls its two sockets beside its own.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <zmq.hpp>

#include "measure/connections.h"
#include "measure/key_list.h"
#include "measure/transport.h"

namespace hone {

/// ZeroMQ's account of handshakes of `socket`, and of connections that it accepts, readable at the returned
/// PAIR. `name` is unique in the context.
zmq::socket_t monitor_handshakes(zmq::context_t& context, zmq::socket_t& socket, const std::string& name);
/// Before the PAIR or `socket` is closed: ZeroMQ's own thread waits for ever to tell of an event when nobody
/// holds the PAIR.
void stop_monitoring(zmq::socket_t& socket);
struct HandshakeEvent {
  uint16_t what = 0;  ///< ZMQ_EVENT_...
  int32_t value = 0;  ///< a descriptor, an errno, a protocol error or a ZAP status
};
std::optional<HandshakeEvent> next_event(zmq::socket_t& monitor);

class Guard {
 public:
  /// Before `router` is bound. Without keys everybody may come in, within the limits.
  Guard(zmq::context_t& context, zmq::socket_t& router, const std::optional<TransportKeys>& keys,
        const ConnectionLimits& limits);

  /// Sockets to poll.
  std::array<void*, 2> handles() { return {zap_.handle(), monitor_.handle()}; }
  /// Does what is to be done at them, and looks whether the list of keys changed. Never blocks.
  void serve();
  /// There is no message left to take.
  void drained();
  std::optional<TimePoint> next_watch() const { return connections_.next_watch(); }

  /// A message was taken: `wire_bytes` of it went over the wire.
  void took(const PeerId& sender, const zmq::message_t& body, uint64_t wire_bytes);
  /// Whether it may pass. Gives the reason if not; empty: dropped silently.
  std::optional<std::string> objection(const PeerId& sender, const zmq::message_t& body,
                                       const Received& received);
  /// Whose key the message came with; nobody's without keys.
  KeyHolder holder(const zmq::message_t& body) const;
  /// Whether so many bytes may be sent to the peer; counts them if so.
  bool may_send(const PeerId& peer, uint64_t bytes) { return connections_.may_send(peer, bytes); }

  Refused refused() const;
  size_t connections() const { return connections_.size(); }
  std::vector<PeerLeft> take_left() { return connections_.take_left(); }
  bool encrypts() const { return list_.has_value(); }

 private:
  void answer_zap();
  void refresh_list();
  /// All that ZeroMQ told of connections.
  void take_events();
  /// The key that a message came with; nullptr: none, or it is not on the list any more.
  const AllowedKey* key_of(const zmq::message_t& body) const;

  ConnectionLimits limits_;
  std::optional<KeyList> list_;
  zmq::socket_t zap_, monitor_;
  Connections connections_;
  bool is_first_ = false;     ///< the message that was taken last is its peer's first
  bool failed_ = false;       ///< the last event was a failed handshake: its connection closes next
  uint64_t turned_away_ = 0;  ///< by ZAP, whose connections are not closed yet
  Refused refused_;
};

}  // namespace hone
