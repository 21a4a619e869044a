#include "codegen/base/tensor.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <utility>

#include "codegen/base/text.h"

namespace hone {
namespace {

struct DTypeFacts {
  DType dtype;
  std::string_view text;
  int64_t bytes;
};
constexpr std::array<DTypeFacts, 8> kDTypes{{{DType::f32, "f32", 4},
                                             {DType::f64, "f64", 8},
                                             {DType::f16, "f16", 2},
                                             {DType::i8, "i8", 1},
                                             {DType::u8, "u8", 1},
                                             {DType::i32, "i32", 4},
                                             {DType::i64, "i64", 8},
                                             {DType::boolean, "bool", 1}}};

const DTypeFacts& facts(DType dtype) {
  return *std::find_if(kDTypes.begin(), kDTypes.end(), [&](const DTypeFacts& f) { return f.dtype == dtype; });
}

int64_t halo_at(const std::vector<int64_t>& halo, size_t dimension) {
  return halo.empty() ? 0 : halo[dimension];
}

}  // namespace

int64_t saturating_sum(int64_t a, int64_t b) {
  int64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? std::numeric_limits<int64_t>::max() : sum;
}

int64_t saturating_product(int64_t a, int64_t b) {
  int64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? std::numeric_limits<int64_t>::max() : product;
}

int64_t size_of(DType dtype) { return facts(dtype).bytes; }
std::string_view to_text(DType dtype) { return facts(dtype).text; }

Result<DType> parse_dtype(std::string_view text) {
  for (const DTypeFacts& f : kDTypes)
    if (f.text == text) return f.dtype;
  return fail("unknown element type '" + std::string(text) + "'");
}

int64_t element_count(const Shape& shape) {
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, saturating_product);
}

int64_t byte_count(const TensorType& type) {
  return saturating_product(element_count(type.shape), size_of(type.dtype));
}

Status verify(const TensorType& type) {
  constexpr size_t kMaxRank = 8;
  constexpr int64_t kMaxElements = int64_t{1} << 36;
  const auto empty = [](int64_t extent) { return extent < 1; };
  if (type.shape.size() > kMaxRank)
    return fail("shape " + to_text(type.shape) + " has more than " + std::to_string(kMaxRank) +
                " dimensions");
  if (std::any_of(type.shape.begin(), type.shape.end(), empty) || element_count(type.shape) > kMaxElements)
    return fail("shape " + to_text(type.shape) + " is empty or too large");
  return {};
}

std::string to_text(const Shape& shape) { return shape.empty() ? "scalar" : join(shape, "x"); }

Result<Shape> parse_shape(std::string_view text) {
  if (text == "scalar") return Shape{};
  HONE_TRY(Shape shape, parse_integers(text, 'x'));
  if (shape.empty()) return fail("empty shape");
  for (const int64_t extent : shape)
    if (extent < 0) return fail("negative extent in shape '" + std::string(text) + "'");
  return shape;
}

std::string to_text(const TensorType& type) {
  return std::string(to_text(type.dtype)) + "[" + to_text(type.shape) + "]";
}

Result<TensorType> parse_tensor_type(std::string_view text) {
  const size_t open = text.find('[');
  if (open == std::string_view::npos || text.back() != ']')
    return fail("'" + std::string(text) + "' is not a tensor type such as f32[1x3x224x224]");
  HONE_TRY(const DType dtype, parse_dtype(text.substr(0, open)));
  HONE_TRY(Shape shape, parse_shape(text.substr(open + 1, text.size() - open - 2)));
  return TensorType{dtype, std::move(shape)};
}

// --- Layout ---------------------------------------------------------------------------------------

bool Layout::is_plain() const { return blocks.empty() && std::is_sorted(order.begin(), order.end()); }

Layout Layout::plain(int rank) {
  Layout layout;
  layout.order.resize(rank);
  std::iota(layout.order.begin(), layout.order.end(), 0);
  return layout;
}

Layout Layout::channel_blocked(int64_t block) {
  Layout layout = plain(4);
  layout.blocks.push_back({1, block});
  return layout;
}

std::string to_text(const Layout& layout) {
  if (layout.order.empty()) return "scalar";
  std::string text;
  for (const int dimension : layout.order) {
    const bool blocked =
        std::any_of(layout.blocks.begin(), layout.blocks.end(),
                    [&](const Layout::Block& block) { return block.dimension == dimension; });
    text += static_cast<char>((blocked ? 'A' : 'a') + dimension);
  }
  for (const Layout::Block& block : layout.blocks)
    text += std::to_string(block.size) + static_cast<char>('a' + block.dimension);
  return text;
}

Result<Layout> parse_layout(std::string_view text) {
  const std::string whole(text);
  Layout layout;
  if (text == "scalar") return layout;
  std::vector<bool> blocked(26, false), has_block(26, false);
  size_t at = 0;
  for (; at < text.size() && !(text[at] >= '0' && text[at] <= '9'); ++at) {
    const char letter = text[at];
    const bool upper = letter >= 'A' && letter <= 'Z';
    if (!upper && !(letter >= 'a' && letter <= 'z')) return fail("bad letter in layout '" + whole + "'");
    const int dimension = letter - (upper ? 'A' : 'a');
    blocked[dimension] = upper;
    layout.order.push_back(dimension);
  }
  std::vector<int> sorted = layout.order;
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 0; i < sorted.size(); ++i)
    if (sorted[i] != static_cast<int>(i))
      return fail("layout '" + whole + "' does not name each dimension once");
  while (at < text.size()) {
    const size_t digits = text.find_first_not_of("0123456789", at);
    if (digits == std::string_view::npos) return fail("layout '" + whole + "' ends in a number");
    HONE_TRY(const int64_t size, parse_integer(text.substr(at, digits - at)));
    const int dimension = text[digits] - 'a';
    if (dimension < 0 || dimension >= static_cast<int>(sorted.size()) || !blocked[dimension] || size < 1)
      return fail("bad block in layout '" + whole + "'");
    has_block[dimension] = true;
    layout.blocks.push_back({dimension, size});
    at = digits + 1;
  }
  if (blocked != has_block) return fail("layout '" + whole + "' has a capital letter without a block");
  return layout;
}

// --- Placement ------------------------------------------------------------------------------------

bool Placement::has_halo() const {
  const auto positive = [](int64_t elements) { return elements > 0; };
  return std::any_of(halo_before.begin(), halo_before.end(), positive) ||
         std::any_of(halo_after.begin(), halo_after.end(), positive);
}

std::string to_text(const Placement& placement) {
  std::string text;
  if (placement.has_halo())
    text = "halo " + join(placement.halo_before, ",") + ":" + join(placement.halo_after, ",");
  if (placement.buffer_channels > 0) {
    if (!text.empty()) text += ' ';
    text += "channels " + std::to_string(placement.buffer_channels) + "+" +
            std::to_string(placement.channel_offset);
  }
  return text;
}

Result<Placement> parse_placement(std::string_view text) {
  Placement placement;
  const std::vector<std::string_view> words = split_text(text, ' ');
  for (size_t i = 0; i + 1 < words.size(); i += 2) {
    const std::vector<std::string_view> pair = split_text(words[i + 1], words[i] == "halo" ? ':' : '+');
    if (pair.size() != 2) return fail("bad placement '" + std::string(text) + "'");
    if (words[i] == "halo") {
      HONE_TRY(placement.halo_before, parse_integers(pair[0], ','));
      HONE_TRY(placement.halo_after, parse_integers(pair[1], ','));
    } else if (words[i] == "channels") {
      HONE_TRY(placement.buffer_channels, parse_integer(pair[0]));
      HONE_TRY(placement.channel_offset, parse_integer(pair[1]));
    } else {
      return fail("bad placement '" + std::string(text) + "'");
    }
  }
  if (words.size() % 2 != 0 || placement.halo_before.size() != placement.halo_after.size())
    return fail("bad placement '" + std::string(text) + "'");
  return placement;
}

// --- Geometry -------------------------------------------------------------------------------------

Geometry geometry(const Shape& shape, const Layout& layout, const Placement& placement) {
  HONE_CHECK(layout.order.size() == shape.size());
  HONE_CHECK(placement.halo_before.empty() || placement.halo_before.size() == shape.size());
  // Extents of the buffer, and of what is left of each dimension outside its inner blocks.
  Shape extent = shape;
  if (placement.buffer_channels > 0) extent[1] = placement.buffer_channels;
  for (size_t d = 0; d < shape.size(); ++d)
    extent[d] = saturating_sum(
        extent[d], saturating_sum(halo_at(placement.halo_before, d), halo_at(placement.halo_after, d)));
  std::vector<int64_t> block(shape.size(), 1);
  for (const Layout::Block& b : layout.blocks) block[b.dimension] *= b.size;

  Geometry result;
  std::vector<int64_t> inner(shape.size(), 1);  // product of the blocks of a dimension inside the current one
  int64_t stride = 1;
  const auto place = [&](int dimension, int64_t modulus, int64_t positions) {
    result.dims.insert(result.dims.begin(), {dimension, inner[dimension], modulus, stride, positions});
    stride = saturating_product(stride, positions);
  };
  for (auto b = layout.blocks.rbegin(); b != layout.blocks.rend(); ++b) {
    place(b->dimension, b->size, b->size);
    inner[b->dimension] *= b->size;
  }
  for (auto d = layout.order.rbegin(); d != layout.order.rend(); ++d)
    place(*d, 0, extent[*d] / block[*d] + (extent[*d] % block[*d] != 0 ? 1 : 0));
  result.elements = stride;

  // A halo exists only where a dimension has no block, and a channel offset is a multiple of its block: both
  // are then constants, and part of the origin.
  for (const PhysicalDim& dim : result.dims) {
    const int64_t before = halo_at(placement.halo_before, dim.dimension);
    HONE_CHECK(before == 0 || block[dim.dimension] == 1);
    result.origin = saturating_sum(result.origin, saturating_product(before, dim.stride));
    if (placement.buffer_channels > 0 && dim.dimension == 1 && dim.modulus == 0) {
      HONE_CHECK(placement.channel_offset % block[1] == 0);
      result.origin =
          saturating_sum(result.origin, saturating_product(placement.channel_offset / block[1], dim.stride));
    }
  }
  return result;
}

namespace {

constexpr size_t kMostRank = 16, kMostBlocks = 16;
constexpr int64_t kMostElements = int64_t{1} << 40;

bool within(int64_t value, int64_t least, int64_t most) { return value >= least && value <= most; }
/// product *= factor, if both are positive and it stays within kMostElements.
bool multiply(int64_t& product, int64_t factor) {
  if (factor < 1 || product > kMostElements / factor) return false;
  product *= factor;
  return true;
}

bool fits(const Shape& shape, const Layout& layout, const Placement& placement) {
  const size_t rank = shape.size();
  const auto fits_rank = [&](const std::vector<int64_t>& halo) {
    return halo.empty() || halo.size() == rank;
  };
  if (rank > kMostRank || layout.order.size() != rank || layout.blocks.size() > kMostBlocks ||
      !fits_rank(placement.halo_before) || !fits_rank(placement.halo_after))
    return false;
  std::vector<int> order = layout.order;
  std::sort(order.begin(), order.end());
  std::vector<int64_t> block(rank, 1);
  for (const Layout::Block& b : layout.blocks)
    if (b.dimension < 0 || b.dimension >= static_cast<int>(rank) ||
        !multiply(block[static_cast<size_t>(b.dimension)], b.size))
      return false;
  int64_t elements = 1;
  for (size_t d = 0; d < rank; ++d) {
    const int64_t before = halo_at(placement.halo_before, d), after = halo_at(placement.halo_after, d);
    if (order[d] != static_cast<int>(d) || !within(shape[d], 1, kMostElements) ||
        !within(before, 0, kMostElements) || !within(after, 0, kMostElements) ||
        (block[d] != 1 && before + after != 0))
      return false;
    int64_t extent = shape[d];
    if (placement.buffer_channels != 0 && d == 1) {
      extent = placement.buffer_channels;
      if (!within(extent, 1, kMostElements) || !within(placement.channel_offset, 0, extent) ||
          placement.channel_offset % block[d] != 0 || placement.channel_offset + shape[d] > extent)
        return false;
    }
    if (!multiply(elements, block[d]) ||
        !multiply(elements, (extent + before + after + block[d] - 1) / block[d]))
      return false;
  }
  return placement.buffer_channels == 0 ? placement.channel_offset == 0 : rank >= 2;
}

}  // namespace

Result<Geometry> checked_geometry(const Shape& shape, const Layout& layout, const Placement& placement) {
  if (!fits(shape, layout, placement))
    return fail("layout or placement does not fit the shape " + to_text(shape).substr(0, 100));
  return geometry(shape, layout, placement);
}

int64_t element_offset(const Geometry& geometry, const std::vector<int64_t>& index) {
  const auto floor_div = [](int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); };
  int64_t offset = geometry.origin;
  for (const PhysicalDim& dim : geometry.dims) {
    int64_t position = floor_div(index[dim.dimension], dim.divisor);
    if (dim.modulus > 0) position -= floor_div(position, dim.modulus) * dim.modulus;
    offset += position * dim.stride;
  }
  return offset;
}

}  // namespace hone
