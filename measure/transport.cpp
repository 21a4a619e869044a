// Peer (DEALER) and Hub (ROUTER) over cppzmq. A message is one frame of Cap'n Proto and up to
// wire::Limits::blobs frames more.
#include "measure/transport.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <zmq.hpp>

#include "measure/greeting.h"
#include "measure/guard.h"

namespace hone {
namespace {

using Frames = std::vector<zmq::message_t>;

constexpr std::string_view ipc_prefix = "ipc://", tcp_prefix = "tcp://";

bool is_loopback(std::string_view host) {
  in_addr address;
  const bool is_number =
      ::inet_pton(AF_INET, std::string(host).c_str(), &address) == 1;  // not 127.example.org
  return (is_number && host.starts_with("127.")) || host == "localhost" || host == "[::1]";
}

/// Errors for what ZeroMQ would refuse without saying why, and for what would be remote code execution.
Status check_endpoint(const std::string& endpoint, bool has_keys) {
  if (endpoint.starts_with(ipc_prefix)) {
    std::string path = endpoint.substr(ipc_prefix.size());
    if (path.empty()) return fail("an ipc:// endpoint needs a path", endpoint);
    if (path.size() >= sizeof(sockaddr_un::sun_path))
      return fail("the path of an ipc:// endpoint has " + std::to_string(path.size()) + " bytes, at most " +
                      std::to_string(sizeof(sockaddr_un::sun_path) - 1) + " fit",
                  endpoint, "use a shorter folder, e.g. under /tmp");
    return {};
  }
  if (endpoint.starts_with(tcp_prefix)) {
    std::string_view address = std::string_view(endpoint).substr(tcp_prefix.size());
    size_t colon = address.rfind(':');
    if (colon == std::string_view::npos || colon == 0 || colon + 1 == address.size())
      return fail("a tcp:// endpoint needs a host and a port", endpoint, "tcp://127.0.0.1:5555");
    if (!has_keys && !is_loopback(address.substr(0, colon)))
      return fail(
          "off this machine hone only speaks with CURVE keys", endpoint,
          "hone keygen NAME makes them; --key FILE with --server-key FILE, or --keys FILE, uses them");
    return {};
  }
  return fail("is no endpoint", endpoint, "ipc://PATH or tcp://127.0.0.1:PORT");
}

void set_options(zmq::socket_t& socket, const TransportOptions& options) {
  socket.set(zmq::sockopt::linger, 0);
  socket.set(zmq::sockopt::heartbeat_ivl, static_cast<int>(options.heartbeat_interval.count()));
  socket.set(zmq::sockopt::heartbeat_timeout, static_cast<int>(options.heartbeat_timeout.count()));
  socket.set(zmq::sockopt::maxmsgsize,
             static_cast<int64_t>(std::max(wire::Limits::message_bytes, wire::Limits::blob_bytes)));
  socket.set(zmq::sockopt::sndhwm, options.queue_messages);
  socket.set(zmq::sockopt::rcvhwm, options.queue_messages);
  socket.set(zmq::sockopt::reconnect_ivl, 50);
  socket.set(zmq::sockopt::reconnect_ivl_max, 1000);
}

Result<Frames> frames_of(const wire::Message& message, std::span<const wire::Bytes> blobs) {
  if (blobs.size() > wire::Limits::blobs)
    return fail("a message has " + std::to_string(blobs.size()) + " blobs, at most " +
                std::to_string(wire::Limits::blobs) + " are allowed");
  HONE_TRY(wire::Bytes bytes, wire::encode(message));
  Frames frames;
  frames.emplace_back(bytes.data(), bytes.size());
  for (const wire::Bytes& blob : blobs) {
    if (blob.size() > wire::Limits::blob_bytes)
      return fail("a blob has " + std::to_string(blob.size()) + " bytes, at most " +
                  std::to_string(wire::Limits::blob_bytes) + " are allowed");
    frames.emplace_back(blob.data(), blob.size());
  }
  return frames;
}

/// Sends all or nothing: ZeroMQ decides at the first frame.
Status send_frames(zmq::socket_t& socket, Frames& frames, const std::string& to) {
  try {
    for (size_t i = 0; i < frames.size(); ++i) {
      auto flags = zmq::send_flags::dontwait;
      if (i + 1 < frames.size()) flags = flags | zmq::send_flags::sndmore;
      if (!socket.send(frames[i], flags)) return fail("the queue is full: the other side does not read", to);
    }
    return {};
  } catch (const zmq::error_t& error) {
    if (error.num() == EHOSTUNREACH) return fail("is not connected", to);
    return fail(error.what(), to);
  }
}

/// What a frame of so many bytes takes on the wire (ZMTP 3; a message of CURVE has 33 bytes more).
uint64_t wire_size(size_t bytes, bool encrypted) {
  const uint64_t body = bytes + (encrypted ? 33 : 0);
  return body + (body > 255 ? 9 : 2);
}

std::optional<Frames> receive_frames(zmq::socket_t& socket, bool encrypted = false,
                                     uint64_t* wire_bytes = nullptr) {
  Frames frames;
  for (;;) {
    zmq::message_t frame;
    try {
      if (!socket.recv(frame, frames.empty() ? zmq::recv_flags::dontwait : zmq::recv_flags::none))
        return std::nullopt;
    } catch (const zmq::error_t& error) {
      if (error.num() == EINTR) {
        if (frames.empty()) return std::nullopt;
        continue;
      }
      throw;
    }
    // Frames beyond the limit are read and dropped, so that the connection stays in step.
    bool more = frame.more();
    if (wire_bytes != nullptr && !frames.empty()) *wire_bytes += wire_size(frame.size(), encrypted);
    if (frames.size() < wire::Limits::blobs + 3) frames.push_back(std::move(frame));
    if (!more) return frames;
  }
}

std::span<const std::byte> bytes_of(const zmq::message_t& frame) {
  return {static_cast<const std::byte*>(frame.data()), frame.size()};
}

/// `first`: where the Cap'n Proto frame lies.
Received received_from(const Frames& frames, size_t first) {
  if (frames.size() <= first) return {fail("has no frames", "message"), {}};
  if (frames.size() - first - 1 > wire::Limits::blobs) return {fail("has too many frames", "message"), {}};
  Received received{wire::decode(bytes_of(frames[first])), {}};
  if (!received.message) return received;
  for (size_t i = first + 1; i < frames.size(); ++i) {
    auto bytes = bytes_of(frames[i]);
    received.blobs.emplace_back(bytes.begin(), bytes.end());
  }
  return received;
}

/// False: a signal came.
bool poll_until(std::vector<zmq::pollitem_t>& items, TimePoint deadline) {
  auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  left = std::clamp(left, std::chrono::milliseconds(0), std::chrono::milliseconds(24 * 3600 * 1000));
  try {
    zmq::poll(items, left);
    return true;
  } catch (const zmq::error_t& error) {
    if (error.num() != EINTR) throw;
    return false;
  }
}

/// `also`: sockets that end the wait and are not spoken of.
Waited wait_on(zmq::socket_t& socket, TimePoint deadline, std::span<const int> fds,
               std::span<void* const> also) {
  std::vector<zmq::pollitem_t> items = {{socket.handle(), 0, ZMQ_POLLIN, 0}};
  for (int fd : fds) items.push_back({nullptr, fd, ZMQ_POLLIN, 0});
  for (void* other : also) items.push_back({other, 0, ZMQ_POLLIN, 0});
  Waited waited;
  if (!poll_until(items, deadline)) return waited;
  waited.message = items[0].revents & ZMQ_POLLIN;
  for (size_t i = 1; i <= fds.size(); ++i)
    if (items[i].revents) waited.ready.push_back(items[i].fd);
  return waited;
}

}  // namespace

struct SharedTransport::State {
  zmq::context_t context{1};
  uint64_t peers = 0;  ///< made so far
};

SharedTransport::SharedTransport() : state_(std::make_unique<State>()) {}
SharedTransport::~SharedTransport() = default;

Result<std::shared_ptr<SharedTransport>> SharedTransport::create(size_t peers) {
  // Of one peer: its own and two of its monitor, and what they open. Twice, since one that connects anew has
  // both until ZeroMQ's own thread has closed the old ones, and all may do so at once.
  constexpr size_t sockets = 2 * 3, files = 2 * 6;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t needed = peers * files + 64;
  if (limit.rlim_max < needed)
    return fail(std::to_string(peers) + " connections need " + std::to_string(needed) +
                    " open files, this process may have " + std::to_string(limit.rlim_max),
                "", "raise it: ulimit -Hn");
  limit.rlim_cur = std::max(limit.rlim_cur, needed);
  ::setrlimit(RLIMIT_NOFILE, &limit);
  std::shared_ptr<SharedTransport> shared(new SharedTransport);
  shared->state_->context.set(zmq::ctxopt::max_sockets, static_cast<int>(peers * sockets + 16));
  return shared;
}

namespace {
constexpr int most_failures = 3;
constexpr std::chrono::milliseconds rest_time{1000}, greeting_time{500};
constexpr const char* uses_no_keys = "it uses no keys";
constexpr const char* demands_a_key = "it demands a key: give --key and --server-key";
}  // namespace

struct Peer::State {
  std::string endpoint;
  TransportOptions options;
  std::optional<zmq::context_t> own;
  zmq::context_t* context = nullptr;
  std::string name;  ///< unique in the context
  std::optional<zmq::socket_t> socket, monitor;
  int sockets = 0;   ///< made so far
  int failures = 0;  ///< handshakes in a row that the other side ended
  bool was_heard = false;
  bool has_asked = false;                ///< since it connected: which security the other side uses
  std::optional<TimePoint> rests_until;  ///< it is not connected: the handshake failed too often

  ~State() { close(); }
  void close() {
    if (socket) stop_monitoring(*socket);
    socket.reset();
    monitor.reset();
  }

  /// Why the scheduler will not have this peer, if it said so or it can be told from how it behaves.
  std::optional<std::string> refusal() {
    while (const auto event = next_event(*monitor)) {
      if (event->what == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)
        return "this key is not on the scheduler's list: hone keys add ROLE NAME.pub --keys LIST there";
      if (event->what == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL &&
          event->value == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH)
        return options.keys ? uses_no_keys : demands_a_key;
      if (event->what != ZMQ_EVENT_ACCEPTED && event->what != ZMQ_EVENT_DISCONNECTED) ++failures;
    }
    if (failures < most_failures) return std::nullopt;
    if (auto why = differs()) return why;
    if (options.give_up_unheard && !was_heard)
      return std::to_string(failures) + " connections in a row were closed in the handshake" +
             (options.keys ? ": is --server-key the key of the scheduler there?" : "");
    // ZeroMQ would try again at once, for ever, and be counted and noted each time.
    rest();
    return std::nullopt;
  }
  /// The other side closed the connections and may have done so before its greeting was read here.
  std::optional<std::string> differs() {
    if (was_heard || std::exchange(has_asked, true)) return std::nullopt;
    const auto mechanism = greeted_mechanism(endpoint, greeting_time);
    if (mechanism == "NULL" && options.keys) return uses_no_keys;
    if (mechanism == "CURVE" && !options.keys) return demands_a_key;
    return std::nullopt;
  }
  void rest() {
    if (rests_until) return;
    try {
      socket->disconnect(endpoint);
    } catch (const zmq::error_t&) {
      return;  // it is just being connected anew
    }
    rests_until = std::chrono::steady_clock::now() + rest_time;
  }
  void wake() {
    if (!rests_until || std::chrono::steady_clock::now() < *rests_until) return;
    rests_until.reset();
    failures = most_failures - 1;
    socket->connect(endpoint);
  }
  TimePoint deadline(TimePoint wanted) const { return rests_until ? std::min(wanted, *rests_until) : wanted; }
};

Peer::Peer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Peer::Peer(Peer&&) noexcept = default;
Peer& Peer::operator=(Peer&&) noexcept = default;
Peer::~Peer() = default;

Result<Peer> Peer::connect(std::string endpoint, TransportOptions options) {
  HONE_RETURN_IF_ERROR(check_endpoint(endpoint, options.keys.has_value()));
  auto state = std::make_unique<State>();
  state->endpoint = std::move(endpoint);
  state->options = std::move(options);
  if (auto& shared = state->options.shared) {
    state->context = &shared->state_->context;
    state->name = std::to_string(shared->state_->peers++) + "-";
  } else {
    state->context = &state->own.emplace(1);
  }
  Peer peer(std::move(state));
  HONE_RETURN_IF_ERROR(peer.reconnect());
  return peer;
}

Status Peer::reconnect() {
  try {
    state_->close();
    state_->failures = 0;
    state_->rests_until.reset();
    state_->has_asked = false;
    state_->socket.emplace(*state_->context, zmq::socket_type::dealer);
    set_options(*state_->socket, state_->options);
    if (const auto& keys = state_->options.keys) {
      state_->socket->set(zmq::sockopt::curve_serverkey, keys->server);
      state_->socket->set(zmq::sockopt::curve_publickey, keys->own.public_key);
      state_->socket->set(zmq::sockopt::curve_secretkey, keys->own.secret_key);
    }
    state_->monitor = monitor_handshakes(*state_->context, *state_->socket,
                                         "handshakes" + state_->name + std::to_string(state_->sockets++));
    state_->socket->connect(state_->endpoint);
    return {};
  } catch (const zmq::error_t& error) {
    state_->close();
    return fail(std::string("cannot connect: ") + error.what(), state_->endpoint);
  }
}

Status Peer::send(const wire::Message& message, std::span<const wire::Bytes> blobs) {
  if (!state_->socket) return fail("has no connection", state_->endpoint);
  HONE_TRY(Frames frames, frames_of(message, blobs));
  return send_frames(*state_->socket, frames, state_->endpoint);
}

Waited Peer::wait(TimePoint deadline, std::span<const int> fds) {
  if (!state_->socket) {
    Waited waited;
    waited.ready = wait_for_any({}, deadline, fds).ready;
    return waited;
  }
  state_->wake();
  void* const also[] = {state_->monitor->handle()};
  return wait_on(*state_->socket, state_->deadline(deadline), fds, also);
}

Peer::WaitedForMany Peer::wait_for_any(std::span<Peer* const> peers, TimePoint deadline,
                                       std::span<const int> fds) {
  std::vector<zmq::pollitem_t> items;
  items.reserve(peers.size() + fds.size());
  for (Peer* peer : peers) {
    auto& socket = peer->state_->socket;  // without one nothing is waited for: poll passes over -1
    items.push_back({socket ? socket->handle() : nullptr, socket ? 0 : -1, ZMQ_POLLIN, 0});
  }
  for (int fd : fds) items.push_back({nullptr, fd, ZMQ_POLLIN, 0});
  WaitedForMany waited;
  if (!poll_until(items, deadline)) return waited;
  for (size_t i = 0; i < peers.size(); ++i)
    if (items[i].revents & ZMQ_POLLIN) waited.peers.push_back(i);
  for (size_t i = peers.size(); i < items.size(); ++i)
    if (items[i].revents) waited.ready.push_back(items[i].fd);
  return waited;
}

std::optional<Received> Peer::receive() {
  if (!state_->socket) return std::nullopt;
  state_->wake();
  if (auto why = state_->refusal()) return Received{wire::Message(wire::Refuse{std::move(*why)}), {}};
  auto frames = receive_frames(*state_->socket);
  if (!frames) return std::nullopt;
  state_->was_heard = true;
  state_->failures = 0;
  return received_from(*frames, 0);
}

std::optional<Received> Peer::receive(TimePoint deadline) {
  for (;;) {
    if (auto received = receive()) return received;
    if (std::chrono::steady_clock::now() >= deadline) return std::nullopt;
    wait(deadline);
  }
}

namespace {
/// As many as this process may open files, but for those that it needs itself.
size_t most_connections() {
  constexpr rlim_t own_files = 128;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<size_t>(limit.rlim_cur > 2 * own_files ? limit.rlim_cur - own_files : own_files);
}
}  // namespace

struct Hub::State {
  std::string endpoint;
  zmq::context_t context{1};
  std::optional<zmq::socket_t> socket;
  std::optional<Guard> guard;

  ~State() {
    if (socket && guard) stop_monitoring(*socket);
  }
};

Hub::Hub(std::unique_ptr<State> state) : state_(std::move(state)) {}
Hub::Hub(Hub&&) noexcept = default;
Hub& Hub::operator=(Hub&&) noexcept = default;
Hub::~Hub() = default;

Result<Hub> Hub::bind(std::string endpoint, TransportOptions options) {
  HONE_RETURN_IF_ERROR(check_endpoint(endpoint, options.keys.has_value()));
  auto state = std::make_unique<State>();
  try {
    state->socket.emplace(state->context, zmq::socket_type::router);
    set_options(*state->socket, options);
    state->socket->set(zmq::sockopt::router_mandatory, true);
    state->socket->set(zmq::sockopt::handshake_ivl, static_cast<int>(options.limits.first_message.count()));
    state->socket->set(zmq::sockopt::backlog, 1024);
    options.limits.connections = std::min(options.limits.connections, most_connections());
    state->guard.emplace(state->context, *state->socket, options.keys, options.limits);
    mode_t before = ::umask(0077);
    try {
      state->socket->bind(endpoint);
    } catch (...) {
      ::umask(before);
      throw;
    }
    ::umask(before);
    state->endpoint = state->socket->get(zmq::sockopt::last_endpoint);
    return Hub(std::move(state));
  } catch (const zmq::error_t& error) {
    return fail(std::string("cannot listen: ") + error.what(), endpoint);
  }
}

std::string Hub::endpoint() const { return state_->endpoint; }

Refused Hub::refused() const { return state_->guard->refused(); }

size_t Hub::connections() const { return state_->guard->connections(); }

std::vector<PeerLeft> Hub::take_left() { return state_->guard->take_left(); }

Status Hub::send(const PeerId& peer, const wire::Message& message, std::span<const wire::Bytes> blobs) {
  HONE_TRY(Frames frames, frames_of(message, blobs));
  uint64_t bytes = 0;
  for (const zmq::message_t& frame : frames) bytes += wire_size(frame.size(), state_->guard->encrypts());
  if (!state_->guard->may_send(peer, bytes)) return fail("it does not read what is sent to it", "peer");
  frames.emplace(frames.begin(), peer.data(), peer.size());
  return send_frames(*state_->socket, frames, "peer");
}

Waited Hub::wait(TimePoint deadline, std::span<const int> fds) {
  const auto also = state_->guard->handles();
  if (const auto watch = state_->guard->next_watch()) deadline = std::min(deadline, *watch);
  Waited waited = wait_on(*state_->socket, deadline, fds, also);
  state_->guard->serve();
  return waited;
}

std::optional<ReceivedFrom> Hub::receive() {
  Guard& guard = *state_->guard;
  for (;;) {
    uint64_t bytes = 0;
    auto frames = receive_frames(*state_->socket, guard.encrypts(), &bytes);
    if (!frames) break;
    ReceivedFrom from{frames->front().to_string(), received_from(*frames, 1), guard.holder(frames->back())};
    guard.took(from.peer, frames->back(), bytes);
    const auto objection = guard.objection(from.peer, frames->back(), from.received);
    if (!objection) return from;
    if (!objection->empty()) (void)send(from.peer, wire::Refuse{*objection});
  }
  guard.drained();
  guard.serve();
  return std::nullopt;
}

std::optional<ReceivedFrom> Hub::receive(TimePoint deadline) {
  for (;;) {
    if (auto received = receive()) return received;
    if (std::chrono::steady_clock::now() >= deadline) return std::nullopt;
    wait(deadline);
  }
}

WakeUp::WakeUp() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { HONE_CHECK(fd_ >= 0); }
WakeUp::~WakeUp() { ::close(fd_); }
void WakeUp::notify() {
  uint64_t one = 1;
  [[maybe_unused]] ssize_t written = ::write(fd_, &one, sizeof one);  // a full counter is as good as one more
}
void WakeUp::clear() {
  uint64_t count;
  [[maybe_unused]] ssize_t got = ::read(fd_, &count, sizeof count);
}

namespace {
sigset_t termination_set() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}
}  // namespace

TerminationSignals::TerminationSignals() {
  sigset_t set = termination_set();
  HONE_CHECK(::pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
  fd_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  HONE_CHECK(fd_ >= 0);
}
TerminationSignals::~TerminationSignals() {
  while (take() != 0) {  // what came was obeyed: it must not end the process on its way out
  }
  ::close(fd_);
  sigset_t set = termination_set();
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}
int TerminationSignals::take() {
  signalfd_siginfo info;
  return ::read(fd_, &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
}

}  // namespace hone
