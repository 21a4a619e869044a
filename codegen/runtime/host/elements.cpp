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
  if (spec.type.shape.empty()) return;
  width_ = spec.type.shape.back();
  rows_ = width_ == 0 ? 0 : element_count(spec.type.shape) / width_;
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

void BufferElements::generate_row(std::byte* buffer, int64_t row, uint64_t name_hash) const {
  auto* values = reinterpret_cast<float*>(buffer) + offset_of_row(row);
  const size_t last = spec_.type.shape.size() - 1;
  const auto offset = [&](int64_t i) { return spec_.type.shape.empty() ? 0 : tables_->along(last, i); };
  constexpr int64_t some = 256;
  float run[some];
  for (int64_t begin = 0; begin < width_; begin += some) {
    const int64_t count = std::min(some, width_ - begin);
    generate_run(name_hash, spec_.range.lo, spec_.range.hi, row * width_ + begin, 1,
                 {run, static_cast<size_t>(count)});
    for (int64_t i = 0; i < count; ++i) values[offset(begin + i)] = run[i];
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
