// What loading an artifact costs: by our own loader, and as before it, through a sealed memory file and the
// dynamic linker; each from the first byte to the first call and away again. usage: load_benchmark
// ARTIFACT.so
#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <vector>

#include "codegen/runtime/host/host.h"
#include "tests/performance/timing.h"

namespace {

using namespace hone;

void through_the_dynamic_linker(std::span<const std::byte> bytes) {
  if (!inspect_shared_object(bytes)) std::abort();
  const int fd = memfd_create("artifact", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (write(fd, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) std::abort();
  fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  void* handle = dlopen(("/proc/self/fd/" + std::to_string(fd)).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr || dlsym(handle, "hone_run") == nullptr) std::abort();
  const auto signature = parse_signature(static_cast<const char*>(dlsym(handle, "hone_signature")));
  if (!signature || !check_signature(*signature)) std::abort();
  dlclose(handle);
  close(fd);
}

template <class Function>
void print(const char* what, const Function& function) {
  std::vector<double> us;
  for (int i = 0; i < 2000; ++i) us.push_back(1e6 * benchmark::seconds(function));
  std::sort(us.begin(), us.end());
  fmt::print("{:24} median {:7.1f} us, least {:7.1f} us\n", what, us[us.size() / 2], us.front());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::ifstream file(argv[1], std::ios::binary);
  const std::vector<char> chars{std::istreambuf_iterator<char>(file), {}};
  const auto bytes = std::as_bytes(std::span(chars));
  if (const auto loaded = LoadedArtifact::load(bytes); !loaded) {
    fmt::print(stderr, "{}\n", loaded.error().text());
    return 1;
  }
  print("own loader", [&] {
    if (!LoadedArtifact::load(bytes)) std::abort();
  });
  print("sealed file and dlopen", [&] { through_the_dynamic_linker(bytes); });
  print("signature alone", [&] {
    if (!read_signature(bytes)) std::abort();
  });
}
