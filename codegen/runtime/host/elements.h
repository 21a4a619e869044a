// The elements of a laid-out buffer by their logical place: new values for all of an input between two runs,
// and a look at a few elements of an output, without packing or unpacking the whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "codegen/base/signature.h"

namespace hone {

/// Buffers of float32 only.
class BufferElements {
 public:
  explicit BufferElements(const BufferSpec& spec);
  BufferElements(BufferElements&&) noexcept;
  ~BufferElements();

  /// Writes every element as the generator has it for the tensor of this name (codegen/base/generator.h).
  /// What else lies in the buffer (halo, padding) stays.
  void generate(std::byte* buffer, uint64_t name_hash) const;
  /// Element `index` of the tensor, row-major.
  float at(const std::byte* buffer, int64_t index) const;

 private:
  void generate_blocks(float* values, uint64_t name_hash) const;
  void generate_rows(float* values, uint64_t name_hash) const;
  /// A row lies along the last dimension: elements [row * width, (row + 1) * width) of the tensor.
  int64_t offset_of_row(int64_t row) const;
  BufferSpec spec_;
  int64_t rows_ = 1, width_ = 1;
  int64_t step_ = 1;    ///< between the neighbours of a row in memory; 0: it varies
  size_t blocked_ = 0;  ///< a dimension before the last whose neighbours are neighbours in memory, ...
  int64_t block_ = 0;   ///< ... by so many; 0: there is none
  struct Tables;
  std::unique_ptr<const Tables> tables_;
};

}  // namespace hone
