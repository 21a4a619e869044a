// libjpeg, whose warnings are errors here: it goes on with grey where a file is torn or damaged.
#include <csetjmp>
#include <cstdio>
// Wants size_t and FILE before it.
#include <jpeglib.h>

#include "codegen/runtime/data/picture_file.h"

namespace hone {
namespace {

/// What went wrong, and where to go on then: no C++ object may live between there and libjpeg.
struct Problem {
  jpeg_error_mgr base;
  std::jmp_buf back;
  char message[JMSG_LENGTH_MAX];
};

[[noreturn]] void give_up(j_common_ptr info) {
  auto* problem = reinterpret_cast<Problem*>(info->err);
  problem->base.format_message(info, problem->message);
  std::longjmp(problem->back, 1);
}

void warned(j_common_ptr info, int level) {
  if (level < 0) give_up(info);
}

/// A small file may hold many scans of a large picture.
void watch(j_common_ptr info) {
  constexpr int most_scans = 500;
  auto* problem = reinterpret_cast<Problem*>(info->err);
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= most_scans) return;
  std::snprintf(problem->message, sizeof problem->message, "more than %d scans", most_scans);
  std::longjmp(problem->back, 1);
}

/// CMYK as Adobe's programs write it, inverted, and as the standard says.
void cmyk_to_rgb(const uint8_t* from, bool is_inverted, int64_t width, uint8_t* to) {
  for (int64_t x = 0; x < width; ++x, from += 4, to += 3)
    for (int c = 0; c < 3; ++c)
      to[c] = static_cast<uint8_t>(is_inverted ? from[c] * from[3] / 255
                                               : (255 - from[c]) * (255 - from[3]) / 255);
}

/// False: see `problem`.
bool decode(std::string_view bytes, Picture& picture, std::vector<uint8_t>& row, Problem& problem) {
  jpeg_decompress_struct info = {};
  jpeg_progress_mgr progress = {};
  info.err = &problem.base;
  if (setjmp(problem.back) != 0) {
    jpeg_destroy_decompress(&info);
    return false;
  }
  jpeg_create_decompress(&info);
  progress.progress_monitor = watch;
  info.progress = &progress;
  jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_read_header(&info, TRUE);
  const bool is_cmyk = info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK;
  const bool is_inverted = info.saw_Adobe_marker;
  info.out_color_space = is_cmyk ? JCS_CMYK : picture.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  picture.width = info.image_width;
  picture.height = info.image_height;
  if (picture.width * picture.height > kMostPixels || (is_cmyk && picture.channels == 1)) {
    std::snprintf(problem.message, sizeof problem.message,
                  is_cmyk ? "a CMYK picture has no grey" : "it has too many pixels");
    jpeg_destroy_decompress(&info);
    return false;
  }
  picture.pixels.resize(static_cast<size_t>(picture.width * picture.height * picture.channels));
  row.resize(is_cmyk ? static_cast<size_t>(picture.width) * 4 : 0);
  jpeg_start_decompress(&info);
  while (info.output_scanline < info.output_height) {
    uint8_t* line = picture.pixels.data() + int64_t{info.output_scanline} * picture.width * picture.channels;
    JSAMPROW into = is_cmyk ? row.data() : line;
    jpeg_read_scanlines(&info, &into, 1);
    if (is_cmyk) cmyk_to_rgb(row.data(), is_inverted, picture.width, line);
  }
  jpeg_finish_decompress(&info);
  jpeg_destroy_decompress(&info);
  return true;
}

}  // namespace

Result<Picture> decode_jpeg(std::string_view bytes, int64_t channels) {
  Picture picture{0, 0, channels, {}};
  std::vector<uint8_t> row;
  Problem problem = {};
  jpeg_std_error(&problem.base);
  problem.base.error_exit = give_up;
  problem.base.emit_message = warned;
  if (decode(bytes, picture, row, problem)) return picture;
  return fail(std::string("the JPEG picture is damaged or cut off: ") + problem.message);
}

}  // namespace hone
