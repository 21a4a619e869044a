// Any bytes at a Hub's socket, some of them after a right greeting: the Hub goes on, and a real peer is still
// heard.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "measure/transport.h"

namespace {

using Clock = std::chrono::steady_clock;

/// ZMTP 3.0 without security, then READY as a DEALER.
const std::string greeting = [] {
  std::string text = "\xff" + std::string(8, '\0') + "\x7f\x03" + std::string(1, '\0') + "NULL";
  text.resize(64, '\0');
  const std::string ready = std::string("\x05READY\x0bSocket-Type", 18) + std::string("\0\0\0\6DEALER", 10);
  text += std::string("\x04", 1) + static_cast<char>(ready.size()) + ready;
  return text;
}();

struct House {
  std::string folder = "/tmp/hone-fuzz-XXXXXX";
  std::optional<hone::Hub> hub;
  House() {
    if (::mkdtemp(folder.data()) == nullptr) std::abort();
    auto made = hone::Hub::bind("ipc://" + path());
    if (!made) std::abort();
    hub.emplace(std::move(*made));
  }
  ~House() {
    hub.reset();
    ::unlink(path().c_str());
    ::rmdir(folder.c_str());
  }
  std::string path() const { return folder + "/socket"; }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static House house;
  const int file = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, house.path().c_str(), sizeof address.sun_path - 1);
  if (::connect(file, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) std::abort();
  if (size > 0 && data[0] % 4 != 0) (void)::send(file, greeting.data(), greeting.size(), MSG_NOSIGNAL);
  if (size > 1) (void)::send(file, data + 1, size - 1, MSG_NOSIGNAL);
  // Until it is read or the connection was closed, but not for long.
  house.hub->wait(Clock::now() + std::chrono::milliseconds(2));
  while (auto received = house.hub->receive()) {
    const std::vector<hone::wire::Bytes> blob = {{}};
    (void)house.hub->send(received->peer, hone::wire::Refuse{"no"}, blob);
  }
  ::close(file);
  static uint64_t runs = 0;
  if (++runs % 512 != 0) return 0;
  auto peer = hone::Peer::connect(house.hub->endpoint());
  if (!peer || !peer->send(hone::wire::Hello{})) std::abort();
  for (const auto deadline = Clock::now() + std::chrono::seconds(5);;) {
    auto received = house.hub->receive(deadline);
    if (!received) std::abort();
    if (received->received.message && std::holds_alternative<hone::wire::Hello>(*received->received.message))
      return 0;
  }
}
