// Texts of random tasks, for the sweeps.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tests/numeric/checking.h"

namespace hone::testing {

struct ConvText {
  int64_t in, out, h, w, kernel, stride = 1, pad = 0, dilation = 1, groups = 1, batch = 1;
  std::string chain = "relu";
  bool bias = true;
  int64_t kernel_w = 0, pad_w = 0;  ///< of a window that is no square; 0: as `kernel` and `pad`

  int64_t width() const { return kernel_w > 0 ? kernel_w : kernel; }
  int64_t pad_across() const { return kernel_w > 0 ? pad_w : pad; }
  int64_t extent(int64_t size, int64_t window, int64_t around) const {
    return (size + 2 * around - dilation * (window - 1) - 1) / stride + 1;
  }
  std::string text() const {
    std::string s = fmt::format("%x = input f32[{}x{}x{}x{}]\n", batch, in, h, w);
    if (chain == "add")
      s += fmt::format("%r = input f32[{}x{}x{}x{}]\n", batch, out, extent(h, kernel, pad),
                       extent(w, width(), pad_across()));
    if (chain == "mul") s += fmt::format("%r = input f32[1x{}x1x1]\n", out);
    s += fmt::format("%w = constant f32[{}x{}x{}x{}]\n", out, in / groups, kernel, width());
    if (bias) s += fmt::format("%b = constant f32[{}]\n", out);
    s += fmt::format("%0 = conv %x %w{} {{strides=[{},{}] pads=[{},{},{},{}] dilations=[{},{}] groups={}}}\n",
                     bias ? " %b" : "", stride, stride, pad, pad_across(), pad, pad_across(), dilation,
                     dilation, groups);
    if (chain == "none") return s + "output %0\n";
    if (chain == "add") return s + "%1 = add %0 %r\n%2 = relu %1\noutput %2\n";
    if (chain == "mul") return s + "%1 = mul %0 %r\n%2 = hard_swish %1\noutput %2\n";
    if (chain == "clip") return s + "%1 = clip %0 {min=0.0 max=6.0}\noutput %1\n";
    return s + "%1 = " + chain + " %0\noutput %1\n";
  }
};

inline ConvText random_conv(std::mt19937& random) {
  ConvText c{};
  c.in = pick<int64_t>(random, {5, 8, 16, 20, 24, 32, 100});
  c.out = pick<int64_t>(random, {1, 3, 5, 16, 20, 24, 32, 64, 100});
  c.h = pick<int64_t>(random, {7, 9, 13});
  c.w = pick<int64_t>(random, {7, 13, 14, 17, 28, 35, 55});
  c.kernel = pick<int64_t>(random, {1, 1, 3, 3, 5});
  c.stride = pick<int64_t>(random, {1, 1, 2});
  c.pad = pick<int64_t>(random, {0, c.kernel / 2});
  c.dilation = c.kernel == 3 ? pick<int64_t>(random, {1, 1, 2}) : 1;
  c.bias = random() % 2;
  c.batch = pick<int64_t>(random, {1, 1, 1, 2});
  c.chain = pick<std::string>(random, {"none", "relu", "clip", "add", "mul", "sigmoid"});
  return c;
}

inline std::string type_text(const Shape& shape) { return fmt::format("f32[{}]", to_text(shape)); }
inline std::string input(const char* name, const Shape& shape) {
  return fmt::format("%{} = input {}\n", name, type_text(shape));
}
inline std::string constant(const char* name, const Shape& shape) {
  return fmt::format("%{} = constant {}\n", name, type_text(shape));
}
inline std::string list(const Shape& values) { return fmt::format("[{}]", fmt::join(values, ",")); }

inline Shape random_image(std::mt19937& random) {
  return {pick<int64_t>(random, {1, 1, 1, 3}), pick<int64_t>(random, {1, 3, 5, 16, 20, 24, 100}),
          pick<int64_t>(random, {7, 8, 13}), pick<int64_t>(random, {7, 13, 17, 35, 55})};
}

inline std::string random_pool(std::mt19937& random) {
  const int64_t k = pick<int64_t>(random, {2, 3, 5}), s = pick<int64_t>(random, {1, 2, 3});
  const Shape pads{pick<int64_t>(random, {0, 1}), pick<int64_t>(random, {0, 1}),
                   pick<int64_t>(random, {0, 1}), 1};
  const bool maximum = random() % 2;
  return input("x", random_image(random)) +
         fmt::format("%0 = {} %x {{kernel=[{},{}] strides=[{},{}] pads={}{}}}\noutput %0\n",
                     maximum ? "max_pool" : "average_pool", k, k, s, s, list(pads),
                     maximum ? "" : fmt::format(" include_pad={}", random() % 2));
}

}  // namespace hone::testing
