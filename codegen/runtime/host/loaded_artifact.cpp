// An artifact: an image with a signature, and the functions that the signature promises.
#include <utility>

#include "codegen/runtime/host/host.h"

namespace hone {
namespace {

Result<Signature> signature_of(const ElfImage& image) {
  const auto json = image.text("hone_signature", kMostSignatureBytes);
  if (!json || !image.function("hone_run"))
    return fail("no hone artifact: it lacks hone_signature or hone_run", "",
                "both are exported; the signature is a text of at most " +
                    std::to_string(kMostSignatureBytes >> 20) + " MiB that ends with a 0");
  HONE_TRY(Signature signature, parse_signature(*json));
  HONE_RETURN_IF_ERROR(check_signature(signature));
  if (!signature.prepare_phases.empty() && !image.function("hone_prepare"))
    return fail("the artifact's signature has phases of hone_prepare, but there is no such symbol");
  return signature;
}

}  // namespace

Status inspect_shared_object(std::span<const std::byte> shared_object) {
  HONE_TRY([[maybe_unused]] const ElfImage image, ElfImage::parse(shared_object, kMostModelBytes));
  return {};
}

Result<Signature> read_signature(std::span<const std::byte> shared_object) {
  HONE_TRY(const ElfImage image, ElfImage::parse(shared_object));
  return signature_of(image);
}

Result<LoadedArtifact> LoadedArtifact::load(std::span<const std::byte> shared_object) {
  HONE_TRY(const ElfImage image, ElfImage::parse(shared_object));
  HONE_TRY(Signature signature, signature_of(image));
  HONE_TRY(LoadedImage loaded, LoadedImage::map(image));
  return LoadedArtifact(std::move(signature), std::move(loaded));
}

LoadedArtifact::LoadedArtifact(Signature signature, LoadedImage image)
    : signature_(std::move(signature)),
      image_(std::move(image)),
      run_(reinterpret_cast<hone_run_function*>(image_.function("hone_run"))),
      prepare_(reinterpret_cast<hone_prepare_function*>(image_.function("hone_prepare"))) {}

void LoadedArtifact::run(void* const* buffers) const {
  for (size_t p = 0; p < signature_.phases.size(); ++p)
    run_(buffers, static_cast<int32_t>(p), 0, signature_.phases[p].extent);
}

void LoadedArtifact::run_range(void* const* buffers, int32_t phase, int64_t begin, int64_t end) const {
  run_(buffers, phase, begin, end);
}

void LoadedArtifact::prepare(void* const* buffers) const {
  for (size_t p = 0; p < signature_.prepare_phases.size(); ++p)
    prepare_(buffers, static_cast<int32_t>(p), 0, signature_.prepare_phases[p].extent);
}

}  // namespace hone
