// Pictures that are whole are read, all others are refused: cut off at every byte, with flipped bits, too
// large.
#include <gmock/gmock.h>
#include <png.h>

#include <csetjmp>
#include <cstdio>
#include <fstream>
#include <random>
// Wants size_t and FILE before it.
#include <jpeglib.h>

#include "codegen/base/temporary_folder.h"
#include "codegen/runtime/data/picture.h"

namespace hone {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr int kWidth = 40, kHeight = 24;

/// Smooth, with an edge: RGB or grey rows.
std::vector<uint8_t> pixels(int channels) {
  std::vector<uint8_t> all;
  for (int y = 0; y < kHeight; ++y)
    for (int x = 0; x < kWidth; ++x)
      for (int c = 0; c < channels; ++c)
        all.push_back(static_cast<uint8_t>((x > y ? 200 : 0) + (x * (c + 1) + y * 2) % 50));
  return all;
}

std::string jpeg(int channels, bool is_progressive, J_COLOR_SPACE space) {
  jpeg_compress_struct info = {};
  jpeg_error_mgr errors;
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &bytes, &size);
  info.image_width = kWidth;
  info.image_height = kHeight;
  info.input_components = channels;
  info.in_color_space = space;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, 95, TRUE);
  if (is_progressive) jpeg_simple_progression(&info);
  jpeg_start_compress(&info, TRUE);
  std::vector<uint8_t> all = pixels(channels);
  while (info.next_scanline < info.image_height) {
    JSAMPROW row = all.data() + info.next_scanline * kWidth * channels;
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  const std::string file(reinterpret_cast<char*>(bytes), size);
  std::free(bytes);
  return file;
}

void append(png_structp png, png_bytep bytes, size_t size) {
  static_cast<std::string*>(png_get_io_ptr(png))->append(reinterpret_cast<char*>(bytes), size);
}

std::string png(int channels, int depth, int colour, bool is_interlaced, std::vector<uint8_t> all) {
  std::string file;
  png_structp out = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(out);
  png_set_write_fn(out, &file, append, nullptr);
  png_set_IHDR(out, info, kWidth, kHeight, depth, colour,
               is_interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  png_color palette[256];
  for (int i = 0; i < 256; ++i) palette[i] = {static_cast<png_byte>(i), static_cast<png_byte>(255 - i), 7};
  if (colour == PNG_COLOR_TYPE_PALETTE) png_set_PLTE(out, info, palette, 256);
  png_write_info(out, info);
  const int pitch = kWidth * channels * depth / 8;
  for (int pass = png_set_interlace_handling(out); pass > 0; --pass)
    for (int y = 0; y < kHeight; ++y) png_write_row(out, all.data() + y * pitch);
  png_write_end(out, nullptr);
  png_destroy_write_struct(&out, &info);
  return file;
}

std::string plain_png() { return png(3, 8, PNG_COLOR_TYPE_RGB, false, pixels(3)); }

/// Whether libjpeg has nothing at all to say of it.
bool libjpeg_is_content(const std::string& bytes) {
  struct Errors {
    jpeg_error_mgr base;
    std::jmp_buf back;
  } errors = {};
  jpeg_decompress_struct info = {};
  info.err = jpeg_std_error(&errors.base);
  errors.base.error_exit = [](j_common_ptr from) {
    std::longjmp(reinterpret_cast<Errors*>(from->err)->back, 1);
  };
  errors.base.output_message = [](j_common_ptr) {};
  if (setjmp(errors.back) != 0) {
    jpeg_destroy_decompress(&info);
    return false;
  }
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_read_header(&info, TRUE);
  info.out_color_space = JCS_RGB;
  static uint8_t line[65536 * 4];
  if (info.image_width * info.image_height > 1u << 26) jpeg_abort_decompress(&info);
  jpeg_start_decompress(&info);
  while (info.output_scanline < info.output_height) {
    JSAMPROW row = line;
    jpeg_read_scanlines(&info, &row, 1);
  }
  jpeg_finish_decompress(&info);
  const long warnings = errors.base.num_warnings;
  jpeg_destroy_decompress(&info);
  return warnings == 0;
}

class PictureFile : public testing::Test {
 protected:
  Result<Picture> read(const std::string& bytes, int64_t channels = 3) const {
    const auto file = folder_.path() / "picture";
    std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
    return read_picture(file, channels);
  }
  TemporaryFolder folder_ = *TemporaryFolder::make("test");
};

TEST_F(PictureFile, IsReadAsItWasWritten) {
  for (const bool is_interlaced : {false, true}) {
    const auto rgb = read(png(3, 8, PNG_COLOR_TYPE_RGB, is_interlaced, pixels(3)));
    ASSERT_TRUE(rgb) << rgb.error().text();
    EXPECT_EQ(rgb->width, kWidth);
    EXPECT_EQ(rgb->height, kHeight);
    EXPECT_EQ(rgb->pixels, pixels(3));
    EXPECT_EQ(read(png(1, 8, PNG_COLOR_TYPE_GRAY, is_interlaced, pixels(1)), 1)->pixels, pixels(1));
  }
  for (const bool is_progressive : {false, true}) {
    const auto rgb = read(jpeg(3, is_progressive, JCS_RGB)),
               grey = read(jpeg(1, is_progressive, JCS_GRAYSCALE), 1);
    ASSERT_TRUE(rgb) << rgb.error().text();
    ASSERT_EQ(rgb->pixels.size(), pixels(3).size());
    for (size_t i = 0; i < pixels(3).size(); ++i) ASSERT_NEAR(rgb->pixels[i], pixels(3)[i], 60) << i;
    for (size_t i = 0; i < pixels(1).size(); ++i) ASSERT_NEAR(grey->pixels[i], pixels(1)[i], 12) << i;
  }
}

TEST_F(PictureFile, OfOtherColoursBecomesWhatTheModelWants) {
  const auto first = [](const Result<Picture>& picture, size_t count) {
    EXPECT_TRUE(picture) << picture.error().text();
    return picture ? std::vector<int>(picture->pixels.begin(),
                                      picture->pixels.begin() + static_cast<ptrdiff_t>(count))
                   : std::vector<int>();
  };
  EXPECT_THAT(
      first(read(png(1, 8, PNG_COLOR_TYPE_GRAY, false, std::vector<uint8_t>(kWidth * kHeight, 9)), 3), 3),
      ElementsAre(9, 9, 9));
  EXPECT_THAT(
      first(read(png(1, 8, PNG_COLOR_TYPE_PALETTE, false, std::vector<uint8_t>(kWidth * kHeight, 9)), 3), 3),
      ElementsAre(9, 246, 7));
  EXPECT_THAT(
      first(read(png(1, 8, PNG_COLOR_TYPE_PALETTE, false, std::vector<uint8_t>(kWidth * kHeight, 9)), 1), 1),
      ElementsAre(148))
      << "0.299 * 9 + 0.587 * 246 + 0.114 * 7";
  EXPECT_THAT(
      first(read(png(4, 8, PNG_COLOR_TYPE_RGB_ALPHA, false, std::vector<uint8_t>(kWidth * kHeight * 4, 8))),
            3),
      ElementsAre(8, 8, 8));
  EXPECT_THAT(
      first(read(png(3, 16, PNG_COLOR_TYPE_RGB, false, std::vector<uint8_t>(kWidth * kHeight * 6, 5))), 3),
      ElementsAre(5, 5, 5));
  EXPECT_THAT(first(read(jpeg(4, false, JCS_CMYK)), 0), ElementsAre());
  EXPECT_THAT(read(jpeg(4, false, JCS_CMYK), 1).error().text(), HasSubstr("a CMYK picture has no grey"));
}

TEST_F(PictureFile, ThatIsCutOffAnywhereIsRefused) {
  for (const std::string& whole : {jpeg(3, false, JCS_RGB), jpeg(3, true, JCS_RGB), plain_png(),
                                   png(1, 8, PNG_COLOR_TYPE_GRAY, true, pixels(1))}) {
    ASSERT_TRUE(read(whole));
    for (size_t size = 0; size < whole.size(); ++size) {
      const auto cut = read(whole.substr(0, size));
      ASSERT_FALSE(cut) << size << " of " << whole.size() << " bytes";
      EXPECT_THAT(cut.error().text(), testing::AnyOf(HasSubstr("picture is damaged or cut off: "),
                                                     HasSubstr("is no JPEG or PNG picture")));
    }
    EXPECT_TRUE(read(whole + "what a camera adds")) << "what lies behind its end does not count";
  }
}

TEST_F(PictureFile, WithAFlippedBitIsRefusedIfItsDecoderNotices) {
  std::mt19937 random(11);
  const std::string whole = plain_png();
  for (int i = 0; i < 1000; ++i) {
    std::string damaged = whole;
    damaged[random() % damaged.size()] ^= static_cast<char>(1 << random() % 8);
    EXPECT_FALSE(read(damaged)) << "every byte of a PNG is under a check sum";
  }
  int noticed = 0;
  for (const bool is_progressive : {false, true}) {
    const std::string picture = jpeg(3, is_progressive, JCS_RGB);
    for (int i = 0; i < 1000; ++i) {
      std::string damaged = picture;
      damaged[random() % damaged.size()] ^= static_cast<char>(1 << random() % 8);
      if (libjpeg_is_content(damaged)) continue;
      ++noticed;
      EXPECT_FALSE(read(damaged)) << i;
    }
  }
  EXPECT_GT(noticed, 200);
}

TEST_F(PictureFile, ThatIsNoneIsNamedWithWhatItIs) {
  EXPECT_THAT(read("GIF89a").error().text(), HasSubstr("is no JPEG or PNG picture"));
  EXPECT_THAT(read_picture("/dev/zero", 3).error().text(), HasSubstr("/dev/zero: is a device, not a file"));
  EXPECT_THAT(read_picture(folder_.path(), 3).error().text(), HasSubstr("is a folder, not a file"));
}

TEST_F(PictureFile, ThatClaimsToBeHugeTakesNoMemory) {
  std::string huge = jpeg(3, false, JCS_RGB);
  const size_t frame = huge.find("\xff\xc0");
  ASSERT_NE(frame, std::string::npos);
  huge.replace(frame + 5, 4, std::string("\xff\x00\xff\x00", 4));
  EXPECT_THAT(read(huge).error().text(), HasSubstr("it has too many pixels"));
}

}  // namespace
}  // namespace hone
