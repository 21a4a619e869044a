// A descriptor that ZeroMQ has closed may belong to another socket by the time its number is used here: its
// cookie (SO_COOKIE) says so before anything is done to it.
#include "measure/connections.h"

#include <arpa/inet.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>

namespace hone {
namespace {

using std::chrono::milliseconds;

/// What heartbeats of both sides take at most, encrypted: they are bytes of no message.
constexpr uint64_t heartbeat_bytes_per_second = 128;
constexpr uint64_t soon_whole_bytes = 64 << 10;  ///< less than this may lie there for ever: it is bounded
constexpr milliseconds last_words{300};          ///< that a refusal has to go out

struct Traffic {
  uint64_t received = 0, unread = 0, acknowledged = 0;
};

/// What the kernel counted; nothing for sockets that are no TCP.
std::optional<Traffic> traffic_of(int descriptor) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
      size < offsetof(tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received)
    return std::nullopt;
  int unread = 0;
  if (::ioctl(descriptor, FIONREAD, &unread) != 0) return std::nullopt;
  return Traffic{info.tcpi_bytes_received, static_cast<uint64_t>(std::max(0, unread)), info.tcpi_bytes_acked};
}

uint64_t cookie_of(int descriptor) {
  uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  return ::getsockopt(descriptor, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

std::string source_of(int descriptor) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  char text[INET6_ADDRSTRLEN] = "";
  if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&address), &size) != 0) return "";
  if (address.ss_family == AF_INET)
    ::inet_ntop(AF_INET, &reinterpret_cast<sockaddr_in*>(&address)->sin_addr, text, sizeof text);
  else if (address.ss_family == AF_INET6)
    ::inet_ntop(AF_INET6, &reinterpret_cast<sockaddr_in6*>(&address)->sin6_addr, text, sizeof text);
  return text;
}

uint64_t memory_of_process() {
  uint64_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

/// ZeroMQ numbers its peers in the order in which they come.
bool is_newer(const PeerId& one, const PeerId& other) {
  const auto number = [](const PeerId& id) {
    uint32_t value = 0;
    if (id.size() == 1 + sizeof value) std::memcpy(&value, id.data() + 1, sizeof value);
    return ntohl(value);
  };
  return static_cast<int32_t>(number(one) - number(other)) > 0;
}

}  // namespace

void Connections::opened(int descriptor, TimePoint now) {
  if (const auto old = open_.find(descriptor); old != open_.end()) closed(descriptor);
  Connection connection;
  connection.cookie = cookie_of(descriptor);
  connection.source = source_of(descriptor);
  connection.opened = connection.taken_at = now;
  open_.emplace(descriptor, std::move(connection));
  if (open_.size() - cut_now_ > limits_.connections) cut_most_silent();
}

void Connections::cut_most_silent() {
  std::map<std::string, std::vector<std::pair<TimePoint, int>>> silent;  // by source
  for (const auto& [descriptor, connection] : open_)
    if (connection.peer.empty() && !connection.is_cut)
      silent[connection.source].emplace_back(connection.opened, descriptor);
  const auto most =
      std::ranges::max_element(silent, {}, [](const auto& of_source) { return of_source.second.size(); });
  if (most == silent.end()) return;  // all have spoken, or are on their way out
  // Some at once: looking at all for each that comes would be work that strangers can cause.
  auto& victims = most->second;
  std::ranges::sort(victims);
  victims.resize(std::min(victims.size(), std::max<size_t>(1, limits_.connections / 16)));
  for (const auto& [opened, descriptor] : victims) {
    ++crowded_;
    cut(descriptor, open_.at(descriptor), "there are too many connections");
  }
}

void Connections::forget(Connection& connection) {
  of_peer_.erase(connection.peer);
  if (const auto count = of_key_.find(connection.key); count != of_key_.end() && --count->second == 0)
    of_key_.erase(count);
  connection.peer.clear();
  connection.key.clear();
}

void Connections::leave(const PeerId& peer, const std::string& why) { leaving_.push_back({peer, why}); }

Connections::End Connections::closed(int descriptor) {
  const auto place = open_.find(descriptor);
  if (place == open_.end()) return End::heard;  // its refusal was counted before
  Connection& connection = place->second;
  const End end = connection.is_cut ? End::cut : connection.peer.empty() ? End::unheard : End::heard;
  if (connection.is_cut) --cut_now_;
  if (!connection.peer.empty() && !connection.is_told) leave(connection.peer, connection.why);
  forget(connection);
  open_.erase(place);
  return end;
}

bool Connections::took(int descriptor, const PeerId& peer, const std::string& key, uint64_t bytes,
                       TimePoint now) {
  auto known = of_peer_.find(peer);
  const bool is_first = known == of_peer_.end();
  if (is_first) {
    const auto place = open_.find(descriptor);
    if (place == open_.end()) {  // it left before this was taken
      leave(peer, "");
      return true;
    }
    Connection& connection = place->second;
    if (!connection.peer.empty()) {
      // One of the two has left, and its descriptor is used again.
      if (is_newer(connection.peer, peer)) {
        leave(peer, "");
        return true;
      }
      leave(connection.peer, connection.why);
      forget(connection);
      connection.taken = connection.sent = connection.acknowledged = 0;
    }
    connection.peer = peer;
    connection.key = key;
    if (!key.empty()) ++of_key_[key];
    known = of_peer_.emplace(peer, descriptor).first;
  }
  Connection& connection = open_.at(known->second);
  connection.taken += bytes;
  connection.taken_at = now;
  return is_first;
}

bool Connections::is_leaving(const PeerId& peer) const {
  const auto place = of_peer_.find(peer);
  if (place == of_peer_.end()) return false;
  const Connection& connection = open_.at(place->second);
  return connection.is_cut || connection.cut_at.has_value();
}

size_t Connections::of_key(const std::string& key) const {
  const auto count = of_key_.find(key);
  return count == of_key_.end() ? 0 : count->second;
}

bool Connections::may_send(const PeerId& peer, uint64_t bytes) {
  const auto place = of_peer_.find(peer);
  if (place == of_peer_.end()) return true;  // it has left: ZeroMQ says so
  Connection& connection = open_.at(place->second);
  if (connection.is_cut) return false;
  if (connection.sent + bytes > connection.acknowledged + limits_.unread_bytes)
    if (const auto traffic = traffic_of(place->second)) {
      connection.acknowledged = traffic->acknowledged;
      if (connection.sent + bytes > connection.acknowledged + limits_.unread_bytes) {
        ++greedy_;
        cut(place->second, connection,
            "it does not read: " + std::to_string(connection.sent - connection.acknowledged) +
                " bytes wait for it");
        return false;
      }
    }
  connection.sent += bytes;
  return true;
}

void Connections::cut(int descriptor, Connection& connection, const std::string& why) {
  if (connection.is_cut) return;
  connection.is_cut = true;
  ++cut_now_;
  connection.why = why;
  if (cookie_of(descriptor) == connection.cookie) ::shutdown(descriptor, SHUT_RDWR);
}

void Connections::cut_soon(const PeerId& peer, const std::string& why, TimePoint now) {
  const auto place = of_peer_.find(peer);
  if (place == of_peer_.end()) return;
  Connection& connection = open_.at(place->second);
  if (connection.cut_at) return;
  connection.cut_at = now + last_words;
  connection.why = why;
}

void Connections::cut_keys(const std::vector<std::string>& keys) {
  for (auto& [descriptor, connection] : open_) {
    if (connection.is_cut) continue;
    if (connection.peer.empty()) {
      cut(descriptor, connection, "it has not said whose key it has");
    } else if (std::ranges::find(keys, connection.key) != keys.end()) {
      ++removed_;
      cut(descriptor, connection, "its key was removed from the list, or changed there");
      // At once: what lies there of it is not wanted any more.
      told_.push_back({connection.peer, connection.why});
      connection.is_told = true;
    }
  }
}

uint64_t Connections::waiting(int descriptor, const Connection& connection, TimePoint now) const {
  const auto traffic = traffic_of(descriptor);
  if (!traffic) return 0;
  const auto age = static_cast<uint64_t>(std::chrono::duration<double>(now - connection.opened).count());
  const uint64_t accounted = traffic->unread + connection.taken + age * heartbeat_bytes_per_second;
  return traffic->received > accounted ? traffic->received - accounted : 0;
}

uint64_t Connections::look_at(int descriptor, Connection& connection, TimePoint now, bool drained) {
  const bool is_silent = connection.peer.empty();
  if (is_silent && now - connection.opened > limits_.first_message) {
    ++crowded_;
    cut(descriptor, connection, "it did not speak in time");
  }
  if (connection.cut_at && now >= *connection.cut_at) cut(descriptor, connection, connection.why);
  if (connection.is_cut) return 0;
  const uint64_t bytes = waiting(descriptor, connection, now);
  std::string why;
  if (is_silent && drained && bytes > limits_.first_bytes)
    why = "its first message has " + std::to_string(bytes) + " bytes and no end";
  else if (!is_silent && bytes > limits_.waiting_bytes)
    why = std::to_string(bytes) + " bytes came from it that belong to no whole message, or to too many";
  else if (drained && bytes > soon_whole_bytes && now - connection.taken_at > limits_.message)
    why = "its message has had no end for too long";
  if (why.empty()) return bytes;
  ++greedy_;
  cut(descriptor, connection, why);
  return 0;
}

void Connections::watch(TimePoint now, bool drained) {
  // Looking costs about two microseconds a connection: a hundredth of the time, and less with few.
  const auto pause =
      std::max<TimePoint::duration>(milliseconds(20), open_.size() * std::chrono::microseconds(100));
  if (open_.empty() || now < next_watch_ || (!drained && now < next_watch_ + pause)) return;
  next_watch_ = now + pause;
  uint64_t all = 0;
  std::vector<std::pair<uint64_t, int>> large;
  for (auto& [descriptor, connection] : open_) {
    const uint64_t bytes = connection.is_cut ? 0 : look_at(descriptor, connection, now, drained);
    all += bytes;
    if (bytes > soon_whole_bytes) large.emplace_back(bytes, descriptor);
  }
  const uint64_t memory = memory_of_process();
  if (large.empty()) calm_memory_ = memory;
  std::ranges::sort(large, std::greater<>());
  bool is_swollen = memory > calm_memory_ + limits_.memory_bytes;
  for (const auto& [bytes, descriptor] : large) {
    if (all <= limits_.all_waiting_bytes && !std::exchange(is_swollen, false)) break;
    ++greedy_;
    cut(descriptor, open_.at(descriptor),
        "what peers sent that is not whole takes too much memory, and its most");
    all -= bytes;
    calm_memory_ = memory;  // it may never shrink again
  }
}

std::optional<TimePoint> Connections::next_watch() const {
  if (open_.empty()) return std::nullopt;
  return next_watch_;
}

void Connections::drained() {
  std::move(leaving_.begin(), leaving_.end(), std::back_inserter(told_));
  leaving_.clear();
}

}  // namespace hone
