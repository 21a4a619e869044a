// For tests: a Program made by hand, compiled for a target, loaded into this process and called.
#pragma once

#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>
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

/// A shared object in this process.
class Library {
 public:
  using Function = void(void* const*, int32_t, int64_t, int64_t);
  explicit Library(const std::vector<std::byte>& elf) {
    file_ = memfd_create("test", MFD_CLOEXEC);
    if (write(file_, elf.data(), elf.size()) == static_cast<ssize_t>(elf.size())) {
      handle_ = dlopen(("/proc/self/fd/" + std::to_string(file_)).c_str(), RTLD_NOW | RTLD_LOCAL);
    }
    if (!handle_) error_ = dlerror();
  }
  Library(const Library&) = delete;
  ~Library() {
    if (handle_) dlclose(handle_);
    close(file_);
  }
  const std::string& error() const { return error_; }
  void* symbol(const std::string& name) const { return handle_ ? dlsym(handle_, name.c_str()) : nullptr; }
  Function* function(const std::string& name) const { return reinterpret_cast<Function*>(symbol(name)); }

 private:
  void* handle_ = nullptr;
  int file_ = -1;  // the loader knows objects by name, so the number stays taken while this is loaded
  std::string error_;
};

/// `run` of one program for a target, or the error.
inline Result<std::unique_ptr<Library>> compile(const loop::Program& program, const Target& target) {
  HONE_TRY(const ObjectCode code, emit({{"run", &program}}, target, {}));
  HONE_TRY(const std::vector<std::byte> elf, link_shared({code.elf}, target, {"run"}));
  auto library = std::make_unique<Library>(elf);
  if (!library->function("run")) return fail("cannot load: " + library->error());
  return library;
}

/// A 64-byte aligned array with one vector of slack.
template <class T>
class Array {
 public:
  explicit Array(size_t count, T fill = {})
      : count_(count),
        data_(static_cast<T*>(std::aligned_alloc(64, (count * sizeof(T) + 127) / 64 * 64)), &std::free) {
    for (size_t k = 0; k < count; ++k) data_.get()[k] = fill;
  }
  T& operator[](size_t k) { return data_.get()[k]; }
  T* data() { return data_.get(); }
  size_t size() const { return count_; }

 private:
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
