// Private to measure: the doorkeeper of a Hub's socket. It answers ZAP, watches handshakes and counts who was
// turned away; it needs no thread, since the Hub polls its two sockets beside its own.
#pragma once

#include <array>
#include <optional>
#include <set>
#include <string>
#include <zmq.hpp>

#include "measure/transport.h"

namespace hone {

/// ZeroMQ's account of handshakes of `socket`, readable at the returned PAIR. `name` is unique in the
/// context.
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
  /// Before `router` is bound. Without keys it only counts.
  Guard(zmq::context_t& context, zmq::socket_t& router, const std::optional<TransportKeys>& keys);

  /// Sockets to poll.
  std::array<void*, 2> handles() { return {zap_.handle(), monitor_.handle()}; }
  /// Does what is to be done at them. Never blocks.
  void serve();
  /// Looks at a message's first frames: whether it may pass. Gives the reason if not; empty: dropped
  /// silently.
  std::optional<std::string> objection(const zmq::message_t& sender, const zmq::message_t& body,
                                       const Received& received);
  /// Whose key the message came with; nobody's without keys.
  KeyHolder holder(const zmq::message_t& body) const;
  const Refused& refused() const { return refused_; }

 private:
  void answer_zap();
  std::optional<TransportKeys> keys_;
  zmq::socket_t zap_, monitor_;
  std::set<int> spoke_;  ///< descriptors of connections that sent a message
  bool failed_ = false;  ///< the last event was a failed handshake: its connection closes next
  Refused refused_;
};

}  // namespace hone
