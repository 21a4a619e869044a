// How messages travel: a Peer (tuner, runner, client) talks to one scheduler's Hub over ipc:// or tcp://
// (ZeroMQ). Nothing here sleeps or starts threads of its own: loops wait for messages, deadlines and file
// descriptors in one place.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "measure/keys.h"
#include "measure/wire.h"

namespace hone {

/// ZeroMQ's thread and sockets for many peers of one process; without one each Peer has its own.
class SharedTransport {
 public:
  /// Errors: more sockets than this process may open.
  static Result<std::shared_ptr<SharedTransport>> create(size_t peers);
  ~SharedTransport();

 private:
  friend class Peer;
  SharedTransport();
  struct State;
  std::unique_ptr<State> state_;
};

/// What the peers of one Hub may take at most. Bytes are counted for TCP; a Hub at ipc:// is its own user's,
/// who needs none of this to harm it. See the table in measure/README.md.
struct ConnectionLimits {
  size_t connections = 4096;  ///< at once; fewer if this process may not open so many files
  size_t of_key = 2048;       ///< of them with one key
  std::chrono::milliseconds first_message{10000};  ///< from the accepted connection to it, handshake included
  uint64_t first_bytes = 1 << 20;                  ///< of it, as long as it is not whole
  uint64_t waiting_bytes =
      160u << 20;  ///< of one connection: came and not taken, whole messages and one that is not
  uint64_t all_waiting_bytes = 1u << 30;  ///< of all connections together
  uint64_t memory_bytes = 1u << 30;  ///< that this process grows by while messages lie there that are not
                                     ///< whole: frames of few bytes take many times their size
  uint64_t unread_bytes = 256u << 20;         ///< sent to one peer that has not read it
  std::chrono::milliseconds message{300000};  ///< from a message's first bytes to its last
};

/// Unsafe defaults of ZeroMQ, made safe.
struct TransportOptions {
  std::chrono::milliseconds heartbeat_interval{1000};  ///< of the transport; the application speaks too
  std::chrono::milliseconds heartbeat_timeout{3000};   ///< a half-open connection is closed after this
  int queue_messages = 1000;                           ///< beyond it `send` gives an Error instead of waiting
  std::optional<TransportKeys> keys = {};              ///< needed off loopback
  std::shared_ptr<SharedTransport> shared = {};        ///< of peers; none: its own
  /// Of peers: a scheduler that never was heard and closes connections in the handshake again and again shows
  /// as a received wire::Refuse. Else it is tried on, about once a second.
  bool give_up_unheard = false;
  ConnectionLimits limits = {};  ///< of hubs
};

/// Who was turned away at the door, each attempt counted.
struct Refused {
  uint64_t handshakes = 0;  ///< no key, a wrong key of the scheduler, or bytes of no protocol
  uint64_t keys = 0;        ///< a key that is not on the list
  uint64_t roles = 0;       ///< a hello in another role than the key's, or a name of its own choice
  uint64_t crowded = 0;     ///< one connection too many, or one that said nothing for too long
  uint64_t greedy = 0;      ///< cut off: more bytes than ConnectionLimits allow
  uint64_t removed = 0;     ///< of a key that is on the list no more: connections cut off, and messages
  uint64_t total() const { return handshakes + keys + roles + crowded + greedy + removed; }
};

using TimePoint = std::chrono::steady_clock::time_point;

/// What ended a wait. More than one may be set; none: the deadline passed, a signal came, or a handshake did.
struct Waited {
  bool message = false;
  std::vector<int> ready;  ///< those of the given file descriptors that can be read
};

/// One message as it came; `message` is an Error if its first frame made no sense.
struct Received {
  Result<wire::Message> message;
  std::vector<wire::Bytes> blobs;
};

/// The scheduler's address of one connection. Made by the transport: a peer that reconnects gets a new one.
using PeerId = std::string;

/// A peer whose connection is closed. `why`: it was cut off here; empty: it left by itself.
struct PeerLeft {
  PeerId peer;
  std::string why;
};

struct ReceivedFrom {
  PeerId peer;
  Received received;
  KeyHolder key = {};
};

/// One connection to a scheduler. A resource: movable, not copyable.
class Peer {
 public:
  /// Errors: a malformed endpoint, tcp:// off loopback without keys. Succeeds though nobody listens yet. A
  /// scheduler that turns this peer's key away shows as a received wire::Refuse.
  static Result<Peer> connect(std::string endpoint, TransportOptions options = {});
  Peer(Peer&&) noexcept;
  Peer& operator=(Peer&&) noexcept;
  ~Peer();

  /// Never blocks. Errors: beyond wire::Limits, or the queue is full (nobody listens).
  Status send(const wire::Message& message, std::span<const wire::Bytes> blobs = {});
  /// Waits for a message, one of `fds` or the deadline. Returns early at a signal that has a handler.
  Waited wait(TimePoint deadline, std::span<const int> fds = {});
  /// What lies there; nothing if nothing does. Never blocks.
  std::optional<Received> receive();
  /// wait + receive.
  std::optional<Received> receive(TimePoint deadline);
  /// Throws this socket away with all it has queued, and connects a new one: say hello again afterwards.
  /// Errors: no file or socket is left. Then nothing is sent or received until a reconnect succeeds.
  Status reconnect();
  /// wait for many peers at once; gives the indices of those that have a message. A refused handshake ends no
  /// wait here: it shows at the next receive.
  struct WaitedForMany {
    std::vector<size_t> peers;
    std::vector<int> ready;
  };
  static WaitedForMany wait_for_any(std::span<Peer* const> peers, TimePoint deadline,
                                    std::span<const int> fds = {});

 private:
  struct State;
  explicit Peer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// The scheduler's end of every connection.
class Hub {
 public:
  /// Errors: a malformed endpoint, an address in use, a path too long for a socket, tcp:// off loopback
  /// without keys. A hello in another role than the key's is answered with a Refuse and never received.
  /// ipc:// sockets can be reached by this user only.
  static Result<Hub> bind(std::string endpoint, TransportOptions options = {});
  Hub(Hub&&) noexcept;
  Hub& operator=(Hub&&) noexcept;
  ~Hub();

  /// Where it listens; with tcp://127.0.0.1:* the port that was chosen.
  std::string endpoint() const;
  Refused refused() const;
  size_t connections() const;  ///< that are open now
  /// Peers that were heard and have left since the last call: nothing more comes from them.
  std::vector<PeerLeft> take_left();
  /// Never blocks. Errors: "is not connected" when the peer has gone, or its queue is full.
  Status send(const PeerId& peer, const wire::Message& message, std::span<const wire::Bytes> blobs = {});
  Waited wait(TimePoint deadline, std::span<const int> fds = {});
  std::optional<ReceivedFrom> receive();
  std::optional<ReceivedFrom> receive(TimePoint deadline);

 private:
  struct State;
  explicit Hub(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// An event that wakes a loop from another thread (an eventfd): give `fd()` to wait, `clear()` when it is
/// ready.
class WakeUp {
 public:
  WakeUp();
  WakeUp(const WakeUp&) = delete;
  ~WakeUp();
  int fd() const { return fd_; }
  void notify();  ///< from any thread, also from a signal handler
  void clear();

 private:
  int fd_;
};

/// SIGTERM and SIGINT as a file descriptor. Make it before any thread starts, so that all inherit the blocked
/// mask.
class TerminationSignals {
 public:
  TerminationSignals();
  TerminationSignals(const TerminationSignals&) = delete;
  ~TerminationSignals();
  int fd() const { return fd_; }
  /// The signal that came, 0 if none.
  int take();

 private:
  int fd_;
};

}  // namespace hone
