#include "codegen/runtime/host/elements.h"

#include <algorithm>
#include <cstring>

#include "codegen/base/generator.h"
#include "codegen/runtime/host/offsets.h"

namespace hone {

struct BufferElements::Tables : OffsetTables {
  using OffsetTables::OffsetTables;
};

BufferElements::BufferElements(const BufferSpec& spec)
    : spec_(spec), tables_(std::make_unique<Tables>(spec)) {
  HONE_CHECK(spec.type.dtype == DType::f32);
  const Shape& shape = spec.type.shape;
  if (shape.empty()) return;
  width_ = shape.back();
  rows_ = width_ == 0 ? 0 : element_count(shape) / width_;
  const size_t last = shape.size() - 1;
  step_ = width_ > 1 ? tables_->along(last, 1) : 1;
  for (int64_t i = 0; i < width_; ++i)
    if (tables_->along(last, i) != i * step_) step_ = 0;
  if (width_ > 1 && tables_->along(last, 1) == 1) return;
  for (size_t d = 0; d < last && block_ <= 1; ++d) {
    blocked_ = d;
    for (block_ = 1; block_ < shape[d] && tables_->along(d, block_) == block_;) ++block_;
  }
  if (block_ <= 1) block_ = 0;
}
BufferElements::BufferElements(BufferElements&&) noexcept = default;
BufferElements::~BufferElements() = default;

int64_t BufferElements::offset_of_row(int64_t row) const {
  int64_t offset = tables_->origin;
  for (size_t d = spec_.type.shape.size(); d-- > 1;) {
    const int64_t extent = spec_.type.shape[d - 1];
    offset += tables_->along(d - 1, row % extent);
    row /= extent;
  }
  return offset;
}

void BufferElements::generate(std::byte* buffer, uint64_t name_hash) const {
  auto* values = reinterpret_cast<float*>(buffer);
  const auto [lo, hi] = spec_.range;
  if (tables_->is_contiguous())
    return generate_run(name_hash, lo, hi, 0, 1, {values, static_cast<size_t>(rows_ * width_)});
  if (block_ > 0) return generate_blocks(values, name_hash);
  generate_rows(values, name_hash);
}

/// Along the block, which memory has innermost: grids of a row's elements by a block's.
void BufferElements::generate_blocks(float* values, uint64_t name_hash) const {
  const Shape& shape = spec_.type.shape;
  int64_t block_stride = 1;
  for (size_t d = blocked_ + 1; d < shape.size(); ++d) block_stride *= shape[d];
  // Rows of the index 0 of the blocked dimension: [outer][inner], the blocked one between them.
  const int64_t inner = block_stride / width_, outer = rows_ / shape[blocked_] / inner;
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t begin = 0; begin < shape[blocked_]; begin += block_)
      for (int64_t i = 0; i < inner; ++i) {
        const int64_t row = (o * shape[blocked_] + begin) * inner + i;
        ElementGrid grid{.first = row * width_,
                         .rows = width_,
                         .row_stride = 1,
                         .out_step = 0,
                         .width = std::min(block_, shape[blocked_] - begin),
                         .stride = block_stride};
        float* to = values + offset_of_row(row);
        if (step_ > 0) {
          grid.out_step = step_;
          generate_grid(name_hash, spec_.range.lo, spec_.range.hi, grid, to);
          continue;
        }
        grid.rows = 1;
        for (int64_t w = 0; w < width_; ++w, ++grid.first)
          generate_grid(name_hash, spec_.range.lo, spec_.range.hi, grid,
                        to + tables_->along(shape.size() - 1, w));
      }
}

/// A few rows at a time, since they may be short, and from there to their places.
void BufferElements::generate_rows(float* values, uint64_t name_hash) const {
  constexpr int64_t some = 4096;
  float run[some];
  const size_t rank = spec_.type.shape.size();
  for (int64_t begin = 0, all = rows_ * width_; begin < all;) {
    // Whole rows, or a piece of a long one.
    const int64_t row = begin / width_, within = begin % width_;
    const int64_t count =
        width_ <= some ? std::min(some / width_ * width_, all - begin) : std::min(some, width_ - within);
    generate_run(name_hash, spec_.range.lo, spec_.range.hi, begin, 1, {run, static_cast<size_t>(count)});
    for (int64_t done = 0; done < count;) {
      const int64_t piece = std::min(count, width_);
      float* to = values + offset_of_row(row + done / width_);
      if (step_ == 1)
        std::memcpy(to + within, run + done, static_cast<size_t>(piece) * sizeof(float));
      else
        for (int64_t i = 0; i < piece; ++i) to[tables_->along(rank - 1, within + i)] = run[done + i];
      done += piece;
    }
    begin += count;
  }
}

float BufferElements::at(const std::byte* buffer, int64_t index) const {
  HONE_CHECK(index >= 0 && index < rows_ * width_);
  const size_t rank = spec_.type.shape.size();
  const int64_t within = rank == 0 ? 0 : tables_->along(rank - 1, index % width_);
  float value;
  std::memcpy(&value, buffer + 4 * (offset_of_row(index / width_) + within), sizeof value);
  return value;
}

}  // namespace hone
