// Where everything lies that one artifact reads and writes: in pages that the child server shares with the child
// that runs it. The server fills them before the child exists and looks at what was written itself.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "codegen/base/result.h"
#include "codegen/base/signature.h"

namespace hone {

class Workspace {
 public:
  /// Buffers of the checked run and, apart, the outputs of timed ones; then `slots` places of inputs and
  /// outputs for runs that the server times, as many as fit in `slot_bytes` (none if not two do).
  /// Errors: the signature's sizes overflow, or exceed `most_bytes`.
  static Result<Workspace> plan(const Signature& signature, int slots, size_t slot_bytes, size_t most_bytes);
  /// Elements of the largest input or output.
  size_t largest_tensor() const { return largest_tensor_; }
  /// Of all together, whole pages.
  size_t bytes() const { return bytes_; }
  /// Where it begins: a page. Everything below needs this first.
  void place(std::byte* memory);

  // --- the server ---

  /// Test data of the seed in constants and inputs; packed constants, scratch and outputs poisoned; nothing of
  /// an earlier artifact left anywhere. `work`: largest_tensor() elements to work in.
  void fill(const std::string& seed, std::span<float> work);
  /// Poisons the outputs of one place.
  void poison_outputs(int place) const;
  /// The first output that the timed runs left otherwise than the checked run; empty: none.
  std::string differing_output() const;

  // --- both ---

  /// Of hone_prepare: logical constants, then packed ones.
  std::span<void* const> prepare() const { return prepare_; }
  /// Of hone_run, with the outputs of the checked run.
  std::span<void* const> checked() const { return checked_; }
  /// Places for timed runs: 0 has the inputs of the checked run and outputs of its own.
  int places() const { return static_cast<int>(places_.size()); }
  std::span<void* const> at(int place) const { return places_[static_cast<size_t>(place)]; }

  // --- the child ---

  /// Maps all of it at once, which is cheaper than page by page, and closes the pages between buffers. Errors:
  /// the system's.
  Status map() const;

 private:
  /// `offset` of the first byte; a closed page lies before and after it if it is `guarded`.
  struct Block {
    size_t offset = 0;
    size_t bytes = 0;
  };
  Block add_guarded(size_t bytes);

  Signature signature_;
  std::vector<Block> logical_, buffers_, timed_;  ///< `timed_`: of outputs, the others are empty
  std::vector<std::vector<Block>> slots_;          ///< inputs and outputs, the others are empty
  std::vector<size_t> guards_;                     ///< offsets of closed pages
  size_t bytes_ = 0, largest_tensor_ = 0;
  std::byte* memory_ = nullptr;
  std::vector<void*> prepare_, checked_;
  std::vector<std::vector<void*>> places_;
};

}  // namespace hone
