// For tests: a Program made by hand, compiled for a target, loaded into this process and called.
#pragma once

#include <dlfcn.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "codegen/llvm/emit.h"

namespace hone::test {

inline Target sse2() { return {"x86_64-linux-gnu", "generic", "+sse2", 128, 16}; }
inline Target avx2() { return {"x86_64-linux-gnu", "haswell", "+avx,+avx2,+fma,+sse4.1", 256, 16}; }
inline Target avx512() {
  return {"x86_64-linux-gnu", "znver4", "+avx,+avx2,+avx512bw,+avx512dq,+avx512f,+avx512vl,+fma,+sse4.1", 512,
          32};
}
inline Target neon() { return {"aarch64-linux-gnu", "generic", "+fp-armv8,+neon", 128, 32}; }

inline bool host_runs(const Target& target) {
#if defined(__x86_64__)
  if (target.triple.rfind("x86_64", 0) != 0) return false;
  if (target.vector_bits == 256) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (target.vector_bits == 512) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
  }
  return true;
#else
  return target.triple.rfind("aarch64", 0) == 0;
#endif
}

/// The plain Target of the machine that runs the tests.
inline Target host_baseline() { return host_runs(sse2()) ? sse2() : neon(); }

#ifdef HONE_EMULATOR
inline constexpr const char* kEmulator[] = {HONE_EMULATOR, "-L", HONE_EMULATED_ROOT, HONE_EMULATED_DRIVER};
inline constexpr bool kEmulates = true;
#else
inline constexpr const char* kEmulator[] = {""};
inline constexpr bool kEmulates = false;
#endif

/// Whether code for `target` can be run, on this processor or under an emulator.
inline bool runs(const Target& target) {
  return host_runs(target) || (kEmulates && target.triple.rfind("aarch64", 0) == 0);
}

/// A memory file that other programs can open by name while this lives.
class MemoryFile {
 public:
  MemoryFile(const void* data, size_t bytes) : number_(memfd_create("test", MFD_CLOEXEC)) {
    good_ = write(number_, data, bytes) == static_cast<ssize_t>(bytes);
  }
  MemoryFile(MemoryFile&& other) noexcept : number_(std::exchange(other.number_, -1)), good_(other.good_) {}
  ~MemoryFile() { close(number_); }
  std::string path() const { return "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(number_); }
  bool read_back(void* data, size_t bytes) const {
    return pread(number_, data, bytes, 0) == static_cast<ssize_t>(bytes);
  }
  bool good() const { return good_; }

 private:
  int number_;
  bool good_ = false;
};

struct View {
  void* data;
  size_t bytes;
};

/// A shared object: in this process, or for another architecture under the emulator.
class Library {
 public:
  using Function = void(void* const*, int32_t, int64_t, int64_t);
  explicit Library(const std::vector<std::byte>& elf, bool native = true) : file_(elf.data(), elf.size()) {
    if (!native) return;
    // The loader knows objects by name: the file stays open, so that no other gets its number.
    handle_ = dlopen(file_.path().c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle_) error_ = dlerror();
  }
  Library(const Library&) = delete;
  ~Library() {
    if (handle_) dlclose(handle_);
  }
  const std::string& error() const { return error_; }
  void* symbol(const std::string& name) const { return handle_ ? dlsym(handle_, name.c_str()) : nullptr; }

  Function* function(const std::string& name) const { return reinterpret_cast<Function*>(symbol(name)); }

  /// Calls `run`. False if it could not be called.
  [[nodiscard]] bool run(const std::vector<View>& buffers, int32_t phase, int64_t begin, int64_t end) const {
    if (handle_) {
      std::vector<void*> pointers;
      for (const View& view : buffers) pointers.push_back(view.data);
      Function* run = function("run");
      if (run) run(pointers.data(), phase, begin, end);
      return run != nullptr;
    }
    std::vector<MemoryFile> files;
    std::vector<std::string> words(std::begin(kEmulator), std::end(kEmulator));
    words.insert(words.end(),
                 {file_.path(), std::to_string(phase), std::to_string(begin), std::to_string(end)});
    for (const View& view : buffers) words.push_back(files.emplace_back(view.data, view.bytes).path());
    if (!spawn_and_wait(words)) return false;
    for (size_t k = 0; k < buffers.size(); ++k) {
      if (!files[k].good() || !files[k].read_back(buffers[k].data, buffers[k].bytes)) return false;
    }
    return true;
  }

 private:
  static bool spawn_and_wait(const std::vector<std::string>& words) {
    std::vector<char*> arguments;
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    pid_t child = 0;
    if (posix_spawn(&child, arguments[0], nullptr, nullptr, arguments.data(), environ) != 0) return false;
    int status = 0;
    return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

  MemoryFile file_;
  void* handle_ = nullptr;
  std::string error_;
};

/// `run` of one program for a target, or the error.
inline Result<std::unique_ptr<Library>> compile(const loop::Program& program, const Target& target) {
  HONE_TRY(const ObjectCode code, emit({{"run", &program}}, target, {}));
  HONE_TRY(const std::vector<std::byte> elf, link_shared({code.elf}, target, {"run"}));
  auto library = std::make_unique<Library>(elf, host_runs(target));
  if (!library->error().empty()) return fail("cannot load: " + library->error());
  return library;
}

/// A 64-byte aligned array with one vector of slack.
template <class T>
class Array {
 public:
  explicit Array(size_t count, T fill = {})
      : count_(count), data_(static_cast<T*>(std::aligned_alloc(64, bytes())), &std::free) {
    for (size_t k = 0; k < bytes() / sizeof(T); ++k) data_.get()[k] = fill;
  }
  T& operator[](size_t k) { return data_.get()[k]; }
  T* data() { return data_.get(); }
  size_t size() const { return count_; }
  View view() { return {data_.get(), bytes()}; }

 private:
  size_t bytes() const { return (count_ * sizeof(T) + 127) / 64 * 64; }
  size_t count_;
  std::unique_ptr<T, void (*)(void*)> data_;
};

// --- programs by hand -----------------------------------------------------------------------------

inline Index var(const std::string& name) { return Index::axis(name); }

inline int add_tensor(loop::Program& program, const std::string& name, Role role, Shape shape,
                      DType dtype = DType::f32) {
  Tensor tensor;
  tensor.name = name;
  tensor.role = role;
  tensor.type = {dtype, shape};
  tensor.layout = Layout::plain(static_cast<int>(shape.size()));
  Geometry geometry;
  geometry.elements = 1;
  for (int64_t extent : shape) geometry.elements *= extent;
  program.tensors.push_back(std::move(tensor));
  program.geometries.push_back(std::move(geometry));
  return static_cast<int>(program.tensors.size()) - 1;
}

inline loop::Phase phase(std::vector<loop::TileLoop> parallel, int64_t extent,
                         std::vector<loop::Statement> body) {
  loop::Phase result;
  result.parallel = std::move(parallel);
  result.extent = extent;
  result.body = std::move(body);
  return result;
}

/// The scalar that reads access number `access` of a tile.
inline ScalarPtr read_access(int access) {
  auto scalar = std::make_shared<Scalar>();
  scalar->op = ScalarOp::read;
  scalar->tensor = access;
  return scalar;
}

inline ScalarPtr make(ScalarOp op, std::vector<ScalarPtr> args = {}, double value = 0) {
  auto scalar = std::make_shared<Scalar>();
  scalar->op = op;
  scalar->args = std::move(args);
  scalar->value = value;
  return scalar;
}

inline loop::Statement statement(loop::Tile tile) {
  loop::Statement result;
  result.tile.push_back(std::move(tile));
  return result;
}
inline loop::Statement statement(loop::Loop loop) {
  loop::Statement result;
  result.loop.push_back(std::move(loop));
  return result;
}

/// y[i] = f(x0[i], x1[i], ...) over `count` elements in whole vectors.
inline loop::Program elementwise(int64_t count, int64_t lanes, int inputs, const ScalarPtr& value,
                                 DType dtype = DType::f32) {
  loop::Program program;
  program.arithmetic = dtype;
  loop::Tile tile;
  tile.stage = "f";
  const Index offset = var("i") * lanes + (lanes > 1 ? var("v") : Index(0));
  if (lanes > 1) tile.vector_variable = "v";
  tile.lanes = tile.active_lanes = lanes;
  for (int k = 0; k < inputs; ++k) {
    tile.accesses.push_back(
        {add_tensor(program, "x" + std::to_string(k), Role::input, {count}, dtype), offset, {}, 0});
  }
  tile.store = {add_tensor(program, "y", Role::output, {count}, dtype), offset, {}, 0};
  tile.value = value;
  program.phases.push_back(phase({{"i", count / lanes, 1}}, count / lanes, {statement(std::move(tile))}));
  return program;
}

}  // namespace hone::test
