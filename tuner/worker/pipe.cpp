// Frames: two 64-bit lengths, the message, the blob.
#include "tuner/worker/pipe.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace hone {
namespace {

constexpr size_t header_bytes = 16;

Status write_all(int fd, const void* data, size_t size) {
  const char* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t written = send(fd, at, size, MSG_NOSIGNAL);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return fail(std::string("the other end of the pipe is gone: ") + std::strerror(errno));
    at += written;
    size -= static_cast<size_t>(written);
  }
  return {};
}

}  // namespace

Status write_frame(int fd, const wire::Message& message, const wire::Bytes& blob) {
  HONE_TRY(const wire::Bytes bytes, wire::encode(message));
  const std::array<uint64_t, 2> header = {bytes.size(), blob.size()};
  HONE_RETURN_IF_ERROR(write_all(fd, header.data(), header_bytes));
  HONE_RETURN_IF_ERROR(write_all(fd, bytes.data(), bytes.size()));
  return write_all(fd, blob.data(), blob.size());
}

Status FrameReader::fill(bool wait) {
  std::array<std::byte, 65536> chunk;
  int flags = wait ? 0 : MSG_DONTWAIT;
  for (;;) {
    const ssize_t got = recv(fd_, chunk.data(), chunk.size(), flags);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return {};
    if (got <= 0) return fail("the other end of the pipe is gone");
    buffer_.insert(buffer_.end(), chunk.begin(), chunk.begin() + got);
    flags = MSG_DONTWAIT;
  }
}

Result<std::optional<PipeFrame>> FrameReader::next() {
  std::array<uint64_t, 2> header;
  if (buffer_.size() < header_bytes) return std::nullopt;
  std::memcpy(header.data(), buffer_.data(), header_bytes);
  if (header[0] > wire::Limits::message_bytes || header[1] > wire::Limits::blob_bytes)
    return fail("a frame is too large");
  const size_t size = header_bytes + header[0] + header[1];
  if (buffer_.size() < size) return std::nullopt;
  HONE_TRY(wire::Message message, wire::decode(std::span(buffer_).subspan(header_bytes, header[0])));
  PipeFrame frame{std::move(message), {}};
  frame.blob.assign(buffer_.begin() + static_cast<ptrdiff_t>(header_bytes + header[0]),
                    buffer_.begin() + static_cast<ptrdiff_t>(size));
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<ptrdiff_t>(size));
  return frame;
}

}  // namespace hone
