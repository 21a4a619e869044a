// Private to codegen/runtime/data: decoders of picture files. A picture that is not whole is an Error, never
// a picture with grey in it.
#pragma once

#include <string_view>

#include "codegen/runtime/data/picture.h"

namespace hone {

inline constexpr int64_t kMostPixels = int64_t{1} << 28;  ///< of a picture that is read

/// Each gives RGB or grey, as `channels` says. Errors: what the decoder says, its warnings too: data that
/// ends early, does not fit its check sums, cannot be what an encoder wrote; more than kMostPixels. What lies
/// behind the picture's end does not count.
Result<Picture> decode_jpeg(std::string_view bytes, int64_t channels);
Result<Picture> decode_png(std::string_view bytes, int64_t channels);

}  // namespace hone
