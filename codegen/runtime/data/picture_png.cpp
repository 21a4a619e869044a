// libpng, to the very end of the file: every check sum counts.
#include <png.h>

#include <csetjmp>
#include <cstdio>
#include <cstring>

#include "codegen/runtime/data/picture_file.h"

namespace hone {
namespace {

struct Source {
  std::string_view left;
  char message[160];
};

void read(png_structp png, png_bytep to, size_t bytes) {
  auto& source = *static_cast<Source*>(png_get_io_ptr(png));
  if (bytes > source.left.size()) png_error(png, "the data end early");
  std::memcpy(to, source.left.data(), bytes);
  source.left.remove_prefix(bytes);
}

[[noreturn]] void give_up(png_structp png, png_const_charp message) {
  auto& source = *static_cast<Source*>(png_get_error_ptr(png));
  std::snprintf(source.message, sizeof source.message, "%s", message);
  png_longjmp(png, 1);
}

/// Of an odd colour profile, say: the pixels are whole.
void warned(png_structp, png_const_charp) {}

/// Grey of 1 channel or RGB of 3, whatever lies there. No C++ object may live between setjmp and libpng.
bool decode(Source& source, Picture& picture, bool wants_rgb) {
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &source, give_up, warned);
  png_infop info = png == nullptr ? nullptr : png_create_info_struct(png);
  if (info == nullptr || setjmp(png_jmpbuf(png)) != 0) {
    png_destroy_read_struct(&png, &info, nullptr);
    return false;
  }
  png_set_read_fn(png, &source, read);
  png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
  png_set_user_limits(png, 1u << 20, 1u << 20);
  png_read_info(png, info);
  picture.width = png_get_image_width(png, info);
  picture.height = png_get_image_height(png, info);
  if (picture.width * picture.height > kMostPixels) png_error(png, "it has too many pixels");
  const int colour = png_get_color_type(png, info);
  const bool is_grey = (colour & PNG_COLOR_MASK_COLOR) == 0;
  png_set_expand(png);
  png_set_strip_16(png);
  png_set_strip_alpha(png);
  if (is_grey && wants_rgb) png_set_gray_to_rgb(png);
  const int passes = png_set_interlace_handling(png);
  png_read_update_info(png, info);
  picture.channels = png_get_channels(png, info);
  if (picture.channels != (is_grey && !wants_rgb ? 1 : 3)) png_error(png, "its colours are not covered");
  const auto pitch = static_cast<size_t>(picture.width * picture.channels);
  picture.pixels.resize(pitch * static_cast<size_t>(picture.height));
  for (int pass = 0; pass < passes; ++pass)
    for (int64_t y = 0; y < picture.height; ++y)
      png_read_row(png, picture.pixels.data() + static_cast<size_t>(y) * pitch, nullptr);
  png_read_end(png, nullptr);
  png_destroy_read_struct(&png, &info, nullptr);
  return true;
}

/// ITU-R 601, as PIL rounds it.
void make_grey(Picture& picture) {
  const size_t pixels = picture.pixels.size() / 3;
  for (size_t i = 0; i < pixels; ++i) {
    const uint8_t* rgb = picture.pixels.data() + 3 * i;
    picture.pixels[i] =
        static_cast<uint8_t>((rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 0x8000) >> 16);
  }
  picture.pixels.resize(pixels);
  picture.channels = 1;
}

}  // namespace

Result<Picture> decode_png(std::string_view bytes, int64_t channels) {
  Picture picture;
  Source source = {bytes, {}};
  if (!decode(source, picture, channels == 3))
    return fail(std::string("the PNG picture is damaged or cut off: ") + source.message);
  if (channels == 1 && picture.channels == 3) make_grey(picture);
  return picture;
}

}  // namespace hone
