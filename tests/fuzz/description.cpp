// Any text as a built model's description: an Error, or numbers that a picture can be prepared by.
#include <cmath>
#include <cstdlib>
#include <string>

#include "codegen/runtime/data/preprocessing.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hone;
  const auto read = described_preprocessing(std::string(reinterpret_cast<const char*>(data), size));
  if (!read || !*read) return 0;
  const Preprocessing& p = **read;
  if (p.resize < 0 || p.crop < 0 || !std::isfinite(p.scale)) std::abort();
  for (const float value : p.deviation)
    if (!std::isfinite(value) || value == 0) std::abort();
  return 0;
}
