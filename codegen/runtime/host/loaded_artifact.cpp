// Loads an artifact: sealed memory file, inspection, dynamic loader, signature.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "codegen/runtime/host/host.h"

namespace hone {
namespace {

Result<int> sealed_memory_file(std::span<const std::byte> bytes) {
  const int fd = memfd_create("hone-artifact", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return fail(std::string("cannot create a memory file: ") + std::strerror(errno));
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t n = write(fd, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      const int error = errno;
      close(fd);
      return fail(std::string("cannot write the artifact to memory: ") + std::strerror(error));
    }
    done += static_cast<size_t>(n);
  }
  if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    const int error = errno;
    close(fd);
    return fail(std::string("cannot seal the artifact: ") + std::strerror(error));
  }
  return fd;
}

Status check_signature(const Signature& signature) {
  if (signature.phases.empty()) return fail("the artifact's signature lists no phases");
  bool output = false, constants = false;
  for (const BufferSpec& b : signature.buffers) {
    output |= b.role == Role::output;
    constants |= b.role == Role::constant;
    const Geometry g = geometry(b.type.shape, b.layout, b.placement);
    if (b.bytes < g.elements * size_of(b.type.dtype) || b.bytes % 64 != 0)
      return fail("buffer '" + b.name + "' has " + std::to_string(b.bytes) + " bytes, its geometry needs " +
                  std::to_string(g.elements * size_of(b.type.dtype)) + ", in whole lines of 64");
  }
  if (!output) return fail("the artifact's signature has no output");
  if (constants && signature.prepare_phases.empty())
    return fail("the artifact has packed constants but no phases that prepare them");
  return {};
}

}  // namespace

Result<LoadedLibrary> LoadedLibrary::load(std::span<const std::byte> shared_object) {
  HONE_RETURN_IF_ERROR(inspect_shared_object(shared_object));
  HONE_TRY(const int fd, sealed_memory_file(shared_object));
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  LoadedLibrary library;
  // The file stays open: the loader knows shared objects by name, so the number must not be given to another
  // one.
  library.file_ = fd;
  library.handle_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library.handle_ == nullptr)
    return fail(std::string("the loader refused the shared object: ") + dlerror());
  return library;
}

LoadedLibrary::LoadedLibrary(LoadedLibrary&& other) noexcept { *this = std::move(other); }

LoadedLibrary& LoadedLibrary::operator=(LoadedLibrary&& other) noexcept {
  std::swap(handle_, other.handle_);
  std::swap(file_, other.file_);
  return *this;
}

LoadedLibrary::~LoadedLibrary() {
  if (handle_ != nullptr) dlclose(handle_);
  if (file_ >= 0) close(file_);
}

void* LoadedLibrary::symbol(const std::string& name) const { return dlsym(handle_, name.c_str()); }

Result<LoadedArtifact> LoadedArtifact::load(std::span<const std::byte> shared_object) {
  LoadedArtifact artifact;
  HONE_TRY(artifact.library_, LoadedLibrary::load(shared_object));
  const auto* json = static_cast<const char*>(artifact.library_.symbol("hone_signature"));
  artifact.run_ = reinterpret_cast<hone_run_function*>(artifact.library_.symbol("hone_run"));
  artifact.prepare_ = reinterpret_cast<hone_prepare_function*>(artifact.library_.symbol("hone_prepare"));
  if (json == nullptr || artifact.run_ == nullptr)
    return fail("no hone artifact: it lacks hone_signature or hone_run");
  HONE_TRY(artifact.signature_, parse_signature(json));
  HONE_RETURN_IF_ERROR(check_signature(artifact.signature_));
  if (!artifact.signature_.prepare_phases.empty() && artifact.prepare_ == nullptr)
    return fail("the artifact's signature has phases of hone_prepare, but there is no such symbol");
  return artifact;
}

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
