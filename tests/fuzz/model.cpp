// Any bytes as a built model, as `hone run` reads one: refused or damaged, or its notes hold and it is
// mapped.
#include <cstdlib>

#include "codegen/runtime/host/loaded_image.h"
#include "codegen/runtime/host/model_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hone;
  const auto image =
      ElfImage::parse({reinterpret_cast<const std::byte*>(data), size}, 16 << 20, ImageMachine::any);
  if (!image) return 0;
  const auto notes = verify_model(*image);
  if (!notes) return 0;
  uint64_t bytes = 0;
  for (const ModelPart& part : notes->parts) bytes += part.bytes;
  if (bytes > size || notes->has_digests == notes->parts.empty()) std::abort();
  if (const auto target = parse_target(notes->target)) (void)check_processor(*target);
  if (!LoadedImage::map(*image)) std::abort();
  return 0;
}
