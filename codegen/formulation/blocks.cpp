// Channel blocks: the one rule for V, see blocks.h.
#include "codegen/formulation/blocks.h"

#include <bit>

namespace hone {

int64_t channel_block(const Target& target, int64_t channels) {
  const int64_t lanes = target.lanes();
  if (2 * channels <= lanes) return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(channels)));
  return lanes;
}

Layout activation_layout(const Target& target, const Shape& shape) {
  if (shape.size() == 4) {
    const int64_t block = channel_block(target, shape[1]);
    if (block > 1) return Layout::channel_blocked(block);
  }
  return Layout::plain(static_cast<int>(shape.size()));
}

int64_t block_of(const Layout& layout, int dimension) {
  int64_t block = 1;
  for (const auto& b : layout.blocks)
    if (b.dimension == dimension) block *= b.size;
  return block;
}

}  // namespace hone
