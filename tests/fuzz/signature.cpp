// Any text as an artifact's signature: refused, or fit to be allocated, filled, packed and unpacked by.
#include <cstdlib>

#include "codegen/runtime/host/host.h"

namespace {

using namespace hone;

void use(const BufferSpec& spec) {
  auto buffer = GuardedBuffer::allocate(spec.bytes);
  if (!buffer) std::abort();
  poison(buffer->data(), buffer->size());
  const std::vector<float> plain(static_cast<size_t>(element_count(spec.type.shape)), 1.0f);
  pack(spec, std::span<const float>(plain), kTestPadding, buffer->data());
  if (unpack(spec, buffer->data()) != plain) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto signature = parse_signature({reinterpret_cast<const char*>(data), size});
  if (!signature || !check_signature(*signature)) return 0;
  const auto again = parse_signature(to_json(*signature));
  if (!again || !check_signature(*again)) std::abort();
  int64_t bytes = 0;
  for (const BufferSpec& spec : signature->buffers) bytes += spec.bytes;
  if (bytes > 1 << 20) return 0;  // mere size is a limit of the process that runs it
  ArtifactBuffers buffers;
  for (const BufferSpec& spec : signature->buffers) {
    use(spec);
    auto buffer = GuardedBuffer::allocate(spec.bytes);
    if (!buffer) std::abort();
    poison(buffer->data(), buffer->size());
    buffers.pointers.push_back(buffer->data());
    buffers.owned.push_back(std::move(*buffer));
  }
  const ReferenceOutput reference{{1}, {1}};
  (void)check(*signature, buffers, reference);
  return 0;
}
