// ZAP (RFC 27) in the Hub's own loop; ZeroMQ's socket monitor for handshakes that never reach ZAP.
#include "measure/guard.h"

#include <cstring>
#include <vector>

#include "measure/keys.h"

namespace hone {
namespace {

constexpr size_t frames_at_most = 16;

/// A whole message, or nothing.
std::vector<std::string> texts_at(zmq::socket_t& socket) {
  std::vector<std::string> frames;
  for (zmq::message_t frame;;) {
    if (!socket.recv(frame, frames.empty() ? zmq::recv_flags::dontwait : zmq::recv_flags::none)) return {};
    const bool more = frame.more();
    if (frames.size() < frames_at_most) frames.push_back(frame.to_string());
    if (!more) return frames;
  }
}

/// The key as lists write it; empty: it is none.
std::string text_of_key(const std::string& binary) {
  char text[41];
  const bool is_key = binary.size() == 32 &&
                      zmq_z85_encode(text, reinterpret_cast<const uint8_t*>(binary.data()), 32) != nullptr;
  return is_key ? text : "";
}

}  // namespace

zmq::socket_t monitor_handshakes(zmq::context_t& context, zmq::socket_t& socket, const std::string& name) {
  constexpr int events = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                         ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
  const std::string endpoint = "inproc://" + name;
  if (zmq_socket_monitor(socket.handle(), endpoint.c_str(), events) != 0) throw zmq::error_t();
  zmq::socket_t monitor(context, zmq::socket_type::pair);
  monitor.set(zmq::sockopt::linger, 0);
  monitor.set(zmq::sockopt::rcvhwm, 0);  // ZeroMQ's own thread must never wait for a reader
  monitor.connect(endpoint);
  return monitor;
}

void stop_monitoring(zmq::socket_t& socket) { (void)zmq_socket_monitor(socket.handle(), nullptr, 0); }

std::optional<HandshakeEvent> next_event(zmq::socket_t& monitor) {
  const std::vector<std::string> frames = texts_at(monitor);
  HandshakeEvent event;
  if (frames.empty() || frames[0].size() < sizeof event.what + sizeof event.value) return std::nullopt;
  std::memcpy(&event.what, frames[0].data(), sizeof event.what);
  std::memcpy(&event.value, frames[0].data() + sizeof event.what, sizeof event.value);
  return event;
}

Guard::Guard(zmq::context_t& context, zmq::socket_t& router, const std::optional<TransportKeys>& keys,
             const ConnectionLimits& limits)
    : limits_(limits), zap_(context, zmq::socket_type::rep), connections_(limits) {
  zap_.set(zmq::sockopt::linger, 0);
  zap_.bind("inproc://zeromq.zap.01");
  if (keys) {
    list_.emplace(keys->allowed);
    router.set(zmq::sockopt::curve_server, true);
    router.set(zmq::sockopt::curve_secretkey, keys->own.secret_key);
    router.set(zmq::sockopt::zap_domain, "hone");
  }
  monitor_ = monitor_handshakes(context, router, "handshakes");
}

void Guard::answer_zap() {
  // Frames: version, request id, domain, address, routing id, mechanism, the client's key.
  std::vector<std::string> request;
  while (!(request = texts_at(zap_)).empty()) {
    std::string key;
    if (list_ && request.size() == 7 && request[0] == "1.0" && request[5] == "CURVE") {
      refresh_list();  // a change holds at once
      key = text_of_key(request[6]);
      if (!list_->is_readable() || list_->find(key) == nullptr) key.clear();
    }
    if (key.empty()) ++refused_.keys;
    const std::vector<std::string> answer = {"1.0",
                                             request.size() > 1 ? request[1] : "",
                                             key.empty() ? "400" : "200",
                                             key.empty() ? "this key is not on the list" : "OK",
                                             key,
                                             ""};
    for (size_t i = 0; i < answer.size(); ++i)
      zap_.send(zmq::buffer(answer[i]),
                i + 1 < answer.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
  }
}

void Guard::refresh_list() {
  if (const std::vector<std::string> changed = list_->refresh(); !changed.empty())
    connections_.cut_keys(changed);
}

void Guard::take_events() {
  const TimePoint now = std::chrono::steady_clock::now();
  while (const auto event = next_event(monitor_)) {
    if (event->what == ZMQ_EVENT_ACCEPTED) {
      connections_.opened(event->value, now);
    } else if (event->what == ZMQ_EVENT_DISCONNECTED) {
      // Bytes of no protocol are closed without a failed handshake: whoever leaves unheard was no peer. Whose
      // key ZAP turned away was counted there, and who was cut off here when that was done.
      const Connections::End end = connections_.closed(event->value);
      const bool failed = std::exchange(failed_, false);
      if (end == Connections::End::cut) continue;
      if (!failed && end == Connections::End::unheard && turned_away_ > 0)
        --turned_away_;
      else if (failed || end == Connections::End::unheard)
        ++refused_.handshakes;
    } else if (event->what == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) {
      ++turned_away_;
    } else {
      failed_ = true;
    }
  }
}

void Guard::serve() {
  try {
    answer_zap();
    take_events();
    if (list_) refresh_list();
    connections_.watch(std::chrono::steady_clock::now(), false);
  } catch (const zmq::error_t& error) {
    if (error.num() != EINTR) throw;
  }
}

void Guard::drained() {
  connections_.drained();
  connections_.watch(std::chrono::steady_clock::now(), true);
}

Refused Guard::refused() const {
  Refused out = refused_;
  out.crowded += connections_.crowded();
  out.greedy += connections_.greedy();
  out.removed += connections_.removed();
  return out;
}

const AllowedKey* Guard::key_of(const zmq::message_t& body) const {
  const char* user = list_ ? zmq_msg_gets(body.handle(), "User-Id") : nullptr;
  return user == nullptr ? nullptr : list_->find(user);
}

KeyHolder Guard::holder(const zmq::message_t& body) const {
  const AllowedKey* key = key_of(body);
  return key == nullptr ? KeyHolder{} : holder_of(*key);
}

void Guard::took(const PeerId& sender, const zmq::message_t& body, uint64_t wire_bytes) {
  const char* user = list_ ? zmq_msg_gets(body.handle(), "User-Id") : nullptr;
  const int descriptor = zmq_msg_get(body.handle(), ZMQ_SRCFD);
  if (!connections_.knows(sender)) take_events();  // its connection was told of before its first message came
  is_first_ = connections_.took(descriptor, sender, user == nullptr ? "" : user, wire_bytes,
                                std::chrono::steady_clock::now());
}

std::optional<std::string> Guard::objection(const PeerId& sender, const zmq::message_t& body,
                                            const Received& received) {
  // A name of its own choice could be one that somebody with another role has just left.
  if (sender.empty() || sender[0] != 0) {
    ++refused_.roles;
    return "";
  }
  if (!list_) return std::nullopt;
  const AllowedKey* key = key_of(body);
  if (key == nullptr) {
    ++refused_.removed;
    return "its key was removed from the scheduler's list";
  }
  if (connections_.is_leaving(sender)) return "";
  if (is_first_ && connections_.of_key(key->public_key) > limits_.of_key) {
    const std::string why = "the key of " + key->name + " has " + std::to_string(limits_.of_key) +
                            " connections, the most that one key may have";
    ++refused_.crowded;
    connections_.cut_soon(sender, why, std::chrono::steady_clock::now());
    return why;
  }
  if (!received.message) return std::nullopt;
  const auto* hello = std::get_if<wire::Hello>(&*received.message);
  if (hello == nullptr || hello->role == key->role) return std::nullopt;
  ++refused_.roles;
  return "its key is for a" + std::string(key->is_operator ? "n " : " ") + std::string(role_text(*key)) +
         ", not for a " + std::string(to_text(hello->role));
}

}  // namespace hone
