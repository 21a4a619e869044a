#include "measure/greeting.h"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>

namespace hone {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr size_t signature_bytes = 10, mechanism_at = 12, mechanism_bytes = 20;

/// A socket that is being connected, or -1.
int connecting(int family, const sockaddr* address, socklen_t size) {
  const int descriptor = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return -1;
  if (::connect(descriptor, address, size) == 0 || errno == EINPROGRESS) return descriptor;
  ::close(descriptor);
  return -1;
}

int connect_ipc(std::string_view path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return -1;
  std::memcpy(address.sun_path, path.data(), path.size());
  auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  if (path.starts_with('@'))
    address.sun_path[0] = '\0';  // an abstract name, as ZeroMQ writes it
  else
    ++size;
  return connecting(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), size);
}

int connect_tcp(std::string_view place) {
  const size_t colon = place.rfind(':');
  if (colon == std::string_view::npos) return -1;
  std::string host(place.substr(0, colon)), port(place.substr(colon + 1));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  if (::getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) return -1;
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, ::freeaddrinfo);
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next)
    if (const int descriptor = connecting(one->ai_family, one->ai_addr, one->ai_addrlen); descriptor >= 0)
      return descriptor;
  return -1;
}

bool is_ready(int descriptor, short events, Clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return false;
    pollfd item{descriptor, events, 0};
    const int ready = ::poll(&item, 1, static_cast<int>(left));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

/// Says that it speaks version 3 and not with which mechanism, so that the other side cannot object yet.
std::optional<std::string> ask(int descriptor, Clock::time_point deadline) {
  constexpr unsigned char opening[signature_bytes + 1] = {0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3};
  if (!is_ready(descriptor, POLLOUT, deadline)) return std::nullopt;
  if (::send(descriptor, opening, sizeof opening, MSG_NOSIGNAL) != sizeof opening) return std::nullopt;
  char greeting[mechanism_at + mechanism_bytes];
  size_t have = 0;
  while (have < sizeof greeting) {
    if (!is_ready(descriptor, POLLIN, deadline)) return std::nullopt;
    const ssize_t got = ::recv(descriptor, greeting + have, sizeof greeting - have, 0);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got <= 0) return std::nullopt;
    have += static_cast<size_t>(got);
  }
  if (static_cast<unsigned char>(greeting[0]) != 0xff || greeting[signature_bytes - 1] != 0x7f ||
      greeting[signature_bytes] < 3)
    return std::nullopt;
  const char* mechanism = greeting + mechanism_at;
  return std::string(mechanism, ::strnlen(mechanism, mechanism_bytes));
}

}  // namespace

std::optional<std::string> greeted_mechanism(const std::string& endpoint, milliseconds patience) {
  const auto deadline = Clock::now() + patience;
  const std::string_view text = endpoint;
  constexpr std::string_view tcp = "tcp://", ipc = "ipc://";
  const int descriptor = text.starts_with(tcp)   ? connect_tcp(text.substr(tcp.size()))
                         : text.starts_with(ipc) ? connect_ipc(text.substr(ipc.size()))
                                                 : -1;
  if (descriptor < 0) return std::nullopt;
  auto mechanism = ask(descriptor, deadline);
  ::close(descriptor);
  return mechanism;
}

}  // namespace hone
