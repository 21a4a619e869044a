// One message with at most one blob at a time over a local socket: how a tuner talks to its own builder
// processes. Both ends are the same program, so a frame that does not parse is a dead builder, nothing finer.
#pragma once

#include <optional>
#include <vector>

#include "measure/wire.h"

namespace hone {

struct PipeFrame {
  wire::Message message;
  wire::Bytes blob;  ///< empty: none
};

/// Blocks until everything is written. Error: the other end is gone, or the message is beyond wire::Limits.
Status write_frame(int fd, const wire::Message& message, const wire::Bytes& blob = {});

/// Collects what arrives on a socket.
class FrameReader {
 public:
  explicit FrameReader(int fd) : fd_(fd) {}
  /// Reads what lies there (`wait`: at least one byte). Error: the other end is gone.
  Status fill(bool wait);
  /// The next whole frame. Error: it makes no sense.
  Result<std::optional<PipeFrame>> next();

 private:
  int fd_;
  wire::Bytes buffer_;
};

}  // namespace hone
