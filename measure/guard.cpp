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

/// The list's entry for the key; nothing if it is not there or the list cannot be read.
std::optional<AllowedKey> find_key(const TransportKeys& keys, const std::string& binary) {
  char text[41];
  if (binary.size() != 32 ||
      zmq_z85_encode(text, reinterpret_cast<const uint8_t*>(binary.data()), 32) == nullptr)
    return std::nullopt;
  const auto list = read_key_list(keys.allowed);
  if (!list) return std::nullopt;
  for (const AllowedKey& key : *list)
    if (key.public_key == text) return key;
  return std::nullopt;
}

}  // namespace

zmq::socket_t monitor_handshakes(zmq::context_t& context, zmq::socket_t& socket, const std::string& name) {
  constexpr int events = ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
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

Guard::Guard(zmq::context_t& context, zmq::socket_t& router, const std::optional<TransportKeys>& keys)
    : keys_(keys), zap_(context, zmq::socket_type::rep) {
  zap_.set(zmq::sockopt::linger, 0);
  zap_.bind("inproc://zeromq.zap.01");
  if (keys_) {
    router.set(zmq::sockopt::curve_server, true);
    router.set(zmq::sockopt::curve_secretkey, keys_->own.secret_key);
    router.set(zmq::sockopt::zap_domain, "hone");
  }
  monitor_ = monitor_handshakes(context, router, "handshakes");
}

void Guard::answer_zap() {
  // Frames: version, request id, domain, address, routing id, mechanism, the client's key.
  std::vector<std::string> request;
  while (!(request = texts_at(zap_)).empty()) {
    std::optional<AllowedKey> key;
    if (keys_ && request.size() == 7 && request[0] == "1.0" && request[5] == "CURVE")
      key = find_key(*keys_, request[6]);
    if (!key) ++refused_.keys;
    const std::vector<std::string> answer = {"1.0",
                                             request.size() > 1 ? request[1] : "",
                                             key ? "200" : "400",
                                             key ? "OK" : "this key is not on the list",
                                             key ? std::string(role_text(*key)) + " " + key->name : "",
                                             ""};
    for (size_t i = 0; i < answer.size(); ++i)
      zap_.send(zmq::buffer(answer[i]),
                i + 1 < answer.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
  }
}

void Guard::serve() {
  try {
    answer_zap();
    while (const auto event = next_event(monitor_)) {
      if (event->what == ZMQ_EVENT_DISCONNECTED) {
        // Bytes of no protocol are closed without a failed handshake: whoever leaves unheard was no peer.
        if (spoke_.erase(event->value) == 0 && !failed_) ++refused_.handshakes;
        failed_ = false;
      } else {
        failed_ = true;
        if (event->what != ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) ++refused_.handshakes;  // ZAP has counted those
      }
    }
  } catch (const zmq::error_t& error) {
    if (error.num() != EINTR) throw;
  }
}

KeyHolder Guard::holder(const zmq::message_t& body) const {
  const char* user = keys_ ? zmq_msg_gets(body.handle(), "User-Id") : nullptr;
  const char* space = user == nullptr ? nullptr : std::strchr(user, ' ');
  if (space == nullptr) return {};
  AllowedKey key;
  (void)set_role(key,
                 std::string_view(user, static_cast<size_t>(space - user)));  // it was written by answer_zap
  return {space + 1, key.is_operator};
}

std::optional<std::string> Guard::objection(const zmq::message_t& sender, const zmq::message_t& body,
                                            const Received& received) {
  if (const int descriptor = zmq_msg_get(body.handle(), ZMQ_SRCFD); descriptor >= 0)
    spoke_.insert(descriptor);
  // A name of its own choice could be one that somebody with another role has just left.
  if (sender.size() == 0 || *static_cast<const char*>(sender.data()) != 0) {
    ++refused_.roles;
    return "";
  }
  if (!keys_) return std::nullopt;
  const char* user = zmq_msg_gets(body.handle(), "User-Id");
  if (user == nullptr) {
    ++refused_.roles;
    return "";
  }
  AllowedKey key;
  (void)set_role(key, std::string_view(user, std::strcspn(user, " ")));
  if (!received.message) return std::nullopt;
  const auto* hello = std::get_if<wire::Hello>(&*received.message);
  if (hello == nullptr || hello->role == key.role) return std::nullopt;
  ++refused_.roles;
  return "its key is for a" + std::string(key.is_operator ? "n " : " ") + std::string(role_text(key)) +
         ", not for a " + std::string(to_text(hello->role));
}

}  // namespace hone
