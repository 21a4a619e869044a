// Any bytes as an artifact: refused, or mapped with all that it exports inside its segments. Nothing of it is
// run.
#include <cstdlib>

#include "codegen/runtime/host/host.h"

namespace {

using namespace hone;

bool inside(const LoadedImage& image, const void* function) {
  for (const auto range : image.ranges())
    if (function >= range.data() && function < range.data() + range.size()) return true;
  return false;
}

void look(const LoadedImage& image) {
  volatile std::byte sum{};
  for (const auto range : image.ranges())
    for (size_t i = 0; i < range.size(); i += 4096) sum = sum ^ range[i];  // all of it can be read
  for (const char* name : {"hone_run", "hone_prepare"})
    if (const void* function = image.function(name); function != nullptr && !inside(image, function))
      std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
  const auto image = ElfImage::parse(bytes, 16 << 20);
  if (inspect_shared_object(bytes).has_value() < image.has_value()) std::abort();
  if (!image) return 0;
  if (const auto mapped = LoadedImage::map(*image)) look(*mapped);
  const auto signature = read_signature(bytes);
  if (signature && !image->function("hone_run")) std::abort();
  return 0;
}
