// Any bytes as a message or as a record of a journal: an Error, or something that can be encoded and decoded
// again.
#include <cstdlib>

#include "measure/wire.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  if (const auto message = hone::wire::decode(bytes)) {
    const auto again = hone::wire::encode(*message);
    if (!again || !hone::wire::decode(*again)) std::abort();
  }
  if (const auto record = hone::wire::decode_record(bytes)) {
    const auto again = hone::wire::encode_record(*record);
    if (!again || !hone::wire::decode_record(*again)) std::abort();
  }
  return 0;
}
