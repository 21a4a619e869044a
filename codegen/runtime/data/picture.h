// Pictures as tensors: JPEG and PNG files are read, resized, cropped and normalised as the model was trained
// with.
#pragma once

#include <filesystem>
#include <vector>

#include "codegen/base/preprocessing.h"
#include "codegen/base/result.h"
#include "codegen/base/tensor.h"

namespace hone {

struct Picture {
  int64_t width = 0, height = 0, channels = 3;
  std::vector<uint8_t> pixels;  ///< rows of interleaved channels
};

/// JPEG or PNG; `channels` is 1 (grey) or 3 (RGB). Errors: missing, not a picture, too large, not whole: what
/// is cut off or damaged is refused if its decoder can notice. All of a PNG is under check sums; a JPEG has
/// none, and about half of the flipped bits in its data give another picture that is as good as the first.
Result<Picture> read_picture(const std::filesystem::path& file, int64_t channels);

/// Bilinear with antialiasing, as PIL's BILINEAR: a triangle filter, as wide as two source pixels when
/// enlarging and two target pixels when shrinking; first along rows, then along columns, each rounded to 8
/// bits.
Picture resize(const Picture& picture, int64_t width, int64_t height);
/// So that the shorter side has that many pixels; the other is rounded down.
Picture resize_shorter(const Picture& picture, int64_t side);
/// The middle; what is left over is one pixel more at the right and the bottom.
Picture crop_centre(const Picture& picture, int64_t width, int64_t height);

/// A picture as the input of this shape: [1, C, H, W] or [1, H, W, C], C 1 or 3. Error: another shape, a crop
/// of another size, mean or deviation of another length.
Result<std::vector<float>> picture_tensor(const std::filesystem::path& file, const Shape& shape,
                                          const Preprocessing& preprocessing);

}  // namespace hone
