#include "codegen/runtime/data/picture.h"

#include <algorithm>
#include <cmath>

#include "codegen/base/input_file.h"
#include "codegen/runtime/data/picture_file.h"

namespace hone {
namespace {

/// For every target position: which source positions, and how much of each (sums to one).
struct Weights {
  int64_t first;
  std::vector<double> of;
};

std::vector<Weights> triangle(int64_t from, int64_t to) {
  const double ratio = static_cast<double>(from) / static_cast<double>(to), scale = std::max(ratio, 1.0);
  std::vector<Weights> all(static_cast<size_t>(to));
  for (int64_t i = 0; i < to; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * ratio;
    const auto first = std::max<int64_t>(0, static_cast<int64_t>(centre - scale + 0.5));
    const auto last = std::min<int64_t>(from, static_cast<int64_t>(centre + scale + 0.5));
    Weights& weights = all[static_cast<size_t>(i)];
    weights.first = first;
    double sum = 0;
    for (int64_t k = first; k < last; ++k) {
      const double distance = std::abs((static_cast<double>(k) - centre + 0.5) / scale);
      weights.of.push_back(std::max(0.0, 1 - distance));
      sum += weights.of.back();
    }
    for (double& w : weights.of) w /= sum;
  }
  return all;
}

uint8_t rounded(double value) {
  return static_cast<uint8_t>(std::clamp(std::floor(value + 0.5), 0.0, 255.0));
}

}  // namespace

Result<Picture> read_picture(const std::filesystem::path& file, int64_t channels) {
  constexpr uint64_t most_bytes = uint64_t{1} << 30;
  HONE_TRY(const std::string bytes, read_regular_file(file, most_bytes));
  auto picture = bytes.starts_with("\xff\xd8\xff") ? decode_jpeg(bytes, channels)
                 : bytes.starts_with("\x89PNG\r\n\x1a\n")
                     ? decode_png(bytes, channels)
                     : Result<Picture>(fail("is no JPEG or PNG picture"));
  if (!picture) picture.error().where = file.string();
  return picture;
}

Picture resize(const Picture& picture, int64_t width, int64_t height) {
  const int64_t channels = picture.channels;
  Picture narrow = picture;
  if (width != picture.width) {
    const auto columns = triangle(picture.width, width);
    narrow = {width, picture.height, channels,
              std::vector<uint8_t>(static_cast<size_t>(width * picture.height * channels))};
    for (int64_t y = 0; y < picture.height; ++y)
      for (int64_t x = 0; x < width; ++x)
        for (int64_t c = 0; c < channels; ++c) {
          const Weights& weights = columns[static_cast<size_t>(x)];
          double sum = 0;
          for (size_t k = 0; k < weights.of.size(); ++k)
            sum += weights.of[k] *
                   picture.pixels[static_cast<size_t>(
                       (y * picture.width + weights.first + static_cast<int64_t>(k)) * channels + c)];
          narrow.pixels[static_cast<size_t>((y * width + x) * channels + c)] = rounded(sum);
        }
  }
  if (height == picture.height) return narrow;
  const auto rows = triangle(picture.height, height);
  Picture result{width, height, channels,
                 std::vector<uint8_t>(static_cast<size_t>(width * height * channels))};
  const int64_t pitch = width * channels;
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < pitch; ++x) {
      const Weights& weights = rows[static_cast<size_t>(y)];
      double sum = 0;
      for (size_t k = 0; k < weights.of.size(); ++k)
        sum += weights.of[k] *
               narrow.pixels[static_cast<size_t>((weights.first + static_cast<int64_t>(k)) * pitch + x)];
      result.pixels[static_cast<size_t>(y * pitch + x)] = rounded(sum);
    }
  return result;
}

Picture resize_shorter(const Picture& picture, int64_t side) {
  const int64_t shorter = std::min(picture.width, picture.height);
  return resize(picture, picture.width * side / shorter, picture.height * side / shorter);
}

Picture crop_centre(const Picture& picture, int64_t width, int64_t height) {
  HONE_CHECK(width <= picture.width && height <= picture.height);
  const int64_t left = (picture.width - width) / 2, top = (picture.height - height) / 2;
  Picture result{width, height, picture.channels, {}};
  for (int64_t y = 0; y < height; ++y) {
    const auto row = picture.pixels.begin() + ((top + y) * picture.width + left) * picture.channels;
    result.pixels.insert(result.pixels.end(), row, row + width * picture.channels);
  }
  return result;
}

Result<std::vector<float>> picture_tensor(const std::filesystem::path& file, const Shape& shape,
                                          const Preprocessing& p) {
  const bool rank = shape.size() == 4 && shape[0] == 1;
  const bool planes = rank && (shape[1] == 3 || (shape[1] == 1 && shape[3] != 3));
  if (!planes && !(rank && (shape[3] == 1 || shape[3] == 3)))
    return fail("a picture cannot be an input of shape " + to_text(shape), file.string(),
                "give a .npy or .pb tensor");
  const int64_t channels = planes ? shape[1] : shape[3], height = planes ? shape[2] : shape[1],
                width = planes ? shape[3] : shape[2];
  if (p.crop != 0 && (p.crop != width || p.crop != height))
    return fail("the crop is " + std::to_string(p.crop) + " pixels, the model's input " +
                    std::to_string(width) + " x " + std::to_string(height),
                file.string(), "give --crop of that size, or none");
  for (const auto* list : {&p.mean, &p.deviation})
    if (list->size() > 1 && static_cast<int64_t>(list->size()) != channels)
      return fail("mean or deviation has " + std::to_string(list->size()) + " numbers, the input " +
                      std::to_string(channels) + " channels",
                  file.string());
  HONE_TRY(Picture picture, read_picture(file, channels));
  const int64_t side = p.resize != 0 ? p.resize : std::max(width, height);
  if (picture.width != width || picture.height != height) picture = resize_shorter(picture, side);
  if (picture.width < width || picture.height < height)
    return fail("resized to " + std::to_string(picture.width) + " x " + std::to_string(picture.height) +
                    " the picture is smaller than the model's input",
                file.string(), "give a larger --resize at build");
  picture = crop_centre(picture, width, height);
  std::vector<float> values(static_cast<size_t>(channels * height * width));
  const auto of_channel = [](const std::vector<float>& list, int64_t c, float otherwise) {
    return list.empty() ? otherwise : list.size() == 1 ? list[0] : list[static_cast<size_t>(c)];
  };
  for (int64_t c = 0; c < channels; ++c) {
    const int64_t source = p.channel_order == "bgr" ? channels - 1 - c : c;
    const float mean = of_channel(p.mean, c, 0), deviation = of_channel(p.deviation, c, 1);
    for (int64_t i = 0; i < height * width; ++i)
      values[static_cast<size_t>(planes ? c * height * width + i : i * channels + c)] =
          (static_cast<float>(picture.pixels[static_cast<size_t>(i * channels + source)]) * p.scale - mean) /
          deviation;
  }
  return values;
}

}  // namespace hone
