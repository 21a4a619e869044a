#include "devices/workspace.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "codegen/runtime/host/host.h"
#include "codegen/runtime/host/test_data.h"

namespace hone {
namespace {

constexpr size_t page = 4096, line = 64;

size_t whole(size_t bytes, size_t of) { return (bytes + of - 1) / of * of; }

bool moves(Role role) { return role == Role::input || role == Role::output; }

}  // namespace

Workspace::Block Workspace::add_guarded(size_t bytes) {
  // It ends just before its second closed page, which is the first of the next one.
  const size_t aligned = whole(bytes, line), inner = whole(aligned, page);
  const Block block{bytes_ + page + (inner - aligned), aligned};
  guards_.push_back(bytes_);
  bytes_ += page + inner;
  return block;
}

Result<Workspace> Workspace::plan(const Signature& signature, int slots, size_t slot_bytes,
                                  size_t most_bytes) {
  Workspace space;
  space.signature_ = signature;
  size_t total = 0;
  const auto count = [&](int64_t bytes) {
    constexpr size_t around = 2 * page;
    if (bytes < 0 || most_bytes - total < around || static_cast<uint64_t>(bytes) > most_bytes - total - around)
      return false;
    total += static_cast<size_t>(bytes) + around;
    return true;
  };
  bool fits = true;
  for (const LogicalConstant& constant : signature.constants) fits = fits && count(plain_bytes(constant));
  for (const BufferSpec& spec : signature.buffers) {
    fits = fits && count(spec.bytes);
    if (spec.role == Role::output) fits = fits && count(spec.bytes);
  }
  if (!fits)
    return fail("its buffers take more than the " + std::to_string(most_bytes) + " bytes that a candidate may have");

  for (const LogicalConstant& constant : signature.constants)
    space.logical_.push_back(space.add_guarded(static_cast<size_t>(plain_bytes(constant))));
  size_t moving = 0;
  for (const BufferSpec& spec : signature.buffers) {
    const auto bytes = static_cast<size_t>(spec.bytes);
    space.buffers_.push_back(space.add_guarded(bytes));
    space.timed_.push_back(spec.role == Role::output ? space.add_guarded(bytes) : Block{});
    if (!moves(spec.role)) continue;
    moving += whole(bytes, line);
    space.largest_tensor_ = std::max(space.largest_tensor_, static_cast<size_t>(element_count(spec.type.shape)));
  }
  space.guards_.push_back(space.bytes_);
  space.bytes_ += page;

  const size_t fitting = moving == 0 ? 0 : slot_bytes / moving;
  for (int slot = 1; slot < std::min<int>(slots, static_cast<int>(std::min<size_t>(fitting, 1u << 16))); ++slot) {
    auto& blocks = space.slots_.emplace_back();
    for (const BufferSpec& spec : signature.buffers) {
      const size_t bytes = moves(spec.role) ? whole(static_cast<size_t>(spec.bytes), line) : 0;
      blocks.push_back({space.bytes_, bytes});
      space.bytes_ += bytes;
    }
  }
  space.bytes_ = whole(space.bytes_, page);
  return space;
}

void Workspace::place(std::byte* memory) {
  memory_ = memory;
  const auto at = [&](const Block& block) -> void* { return memory_ + block.offset; };
  prepare_.clear(), checked_.clear(), places_.clear();
  for (const Block& block : logical_) prepare_.push_back(at(block));
  for (size_t i = 0; i < buffers_.size(); ++i) {
    if (signature_.buffers[i].role == Role::constant) prepare_.push_back(at(buffers_[i]));
    checked_.push_back(at(buffers_[i]));
  }
  auto& timed = places_.emplace_back(checked_);
  for (size_t i = 0; i < timed_.size(); ++i)
    if (timed_[i].bytes != 0) timed[i] = at(timed_[i]);
  for (const auto& blocks : slots_) {
    auto& pointers = places_.emplace_back(checked_);
    for (size_t i = 0; i < blocks.size(); ++i)
      if (moves(signature_.buffers[i].role)) pointers[i] = at(blocks[i]);
  }
}

void Workspace::fill(const std::string& seed, std::span<float> work) {
  // What lies before a buffer in its first page, and everything that nobody has filled yet.
  const auto clear_head = [&](const Block& block) {
    if (block.bytes != 0) std::memset(memory_ + block.offset / page * page, 0, block.offset % page);
  };
  for (size_t i = 0; i < logical_.size(); ++i) {
    clear_head(logical_[i]);
    fill_constant(signature_.constants[i], seed, memory_ + logical_[i].offset);
  }
  for (size_t i = 0; i < buffers_.size(); ++i) {
    const BufferSpec& spec = signature_.buffers[i];
    clear_head(buffers_[i]);
    clear_head(timed_[i]);
    std::byte* data = memory_ + buffers_[i].offset;
    if (spec.role == Role::input)
      fill_input(spec, seed, work, data);
    else
      poison(data, static_cast<int64_t>(buffers_[i].bytes));
    if (timed_[i].bytes != 0) poison(memory_ + timed_[i].offset, static_cast<int64_t>(timed_[i].bytes));
  }
  const size_t first = slots_.empty() ? bytes_ : slots_.front().front().offset;
  std::memset(memory_ + first, 0, bytes_ - first);
}

void Workspace::poison_outputs(int place) const {
  for (size_t i = 0; i < signature_.buffers.size(); ++i)
    if (signature_.buffers[i].role == Role::output)
      poison(static_cast<std::byte*>(at(place)[i]), signature_.buffers[i].bytes);
}

std::string Workspace::differing_output() const {
  for (size_t i = 0; i < timed_.size(); ++i)
    if (timed_[i].bytes != 0 &&
        std::memcmp(memory_ + buffers_[i].offset, memory_ + timed_[i].offset, timed_[i].bytes) != 0)
      return signature_.buffers[i].name;
  return {};
}

Status Workspace::map() const {
#ifdef MADV_POPULATE_READ
  (void)::madvise(memory_, bytes_, MADV_POPULATE_READ);
#endif
  for (const size_t offset : guards_)
    if (::mprotect(memory_ + offset, page, PROT_NONE) != 0)
      return fail(std::string("cannot guard a buffer: ") + std::strerror(errno));
  return {};
}

}  // namespace hone
