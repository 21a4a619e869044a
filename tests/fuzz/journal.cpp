// Any bytes as a journal file: an Error, or entries; those that are records are read as such.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "logs/crc32c.h"
#include "logs/journal.h"
#include "measure/wire.h"

namespace {

void read(int file, const std::string& bytes) {
  if (::ftruncate(file, 0) != 0 ||
      ::pwrite(file, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    std::abort();
  const auto contents = hone::read_journal("/proc/self/fd/" + std::to_string(file));
  if (!contents) return;
  if (contents->valid_bytes > bytes.size()) std::abort();
  for (const hone::JournalEntry& entry : contents->entries)
    (void)hone::wire::decode_record(std::as_bytes(std::span(entry.payload)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const int file = ::memfd_create("journal", MFD_CLOEXEC);
  static const std::string header = [] {
    char path[] = "/tmp/hone-fuzz-XXXXXX";
    ::close(::mkstemp(path));
    ::unlink(path);
    const auto journal = hone::Journal::open(path);  // goes when it is closed: no record is in it
    if (!journal) std::abort();
    const int made = ::open(path, O_RDONLY | O_CLOEXEC);
    std::string text(4096, '\0');
    const ssize_t got = ::read(made, text.data(), text.size());
    ::close(made);
    text.resize(static_cast<size_t>(std::max<ssize_t>(got, 0)));
    return text;
  }();
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  read(file, bytes);
  read(file, header + bytes);
  // With right check sums the bytes get further: the first says the type, the rest is the payload.
  if (size < 1) return 0;
  auto number = [](uint32_t value) { return std::string(reinterpret_cast<const char*>(&value), 4); };
  const std::string payload = bytes.substr(1),
                    head = number(static_cast<uint32_t>(payload.size())) + number(data[0]);
  read(file, header + head + number(hone::crc32c(payload, hone::crc32c(head))) + payload + bytes);
  return 0;
}
