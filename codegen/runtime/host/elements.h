// Single rows and elements of a laid-out buffer by their logical place: what changes an input a little between
// two runs, and looks at a few elements of an output, without packing or unpacking the whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "codegen/base/signature.h"

namespace hone {

/// A row lies along a tensor's last dimension: elements [row * width, (row + 1) * width) of it, row-major.
/// Buffers of float32 only.
class BufferElements {
 public:
  explicit BufferElements(const BufferSpec& spec);
  BufferElements(BufferElements&&) noexcept;
  ~BufferElements();

  int64_t rows() const { return rows_; }
  int64_t width() const { return width_; }
  /// Writes a row as the generator has it for the tensor of this name (codegen/base/generator.h).
  void generate_row(std::byte* buffer, int64_t row, uint64_t name_hash) const;
  /// Element `index` of the tensor, row-major.
  float at(const std::byte* buffer, int64_t index) const;

 private:
  int64_t offset_of_row(int64_t row) const;
  BufferSpec spec_;
  int64_t rows_ = 1, width_ = 1;
  struct Tables;
  std::unique_ptr<const Tables> tables_;
};

}  // namespace hone
