// Operators that sum or take maxima: convolutions, products, pools, means, softmax and normalisations. What
// rounds like the formulations does is written like them: magnitudes follow the operations, not the
// mathematics.
#include <limits>

#include "codegen/oracle/evaluation.h"

namespace hone::oracle {
namespace {

/// Positions k of a window, first <= k < end, for which first_position + k * dilation lies in [0, extent).
struct Inside {
  int64_t begin, end;
  int64_t count() const { return std::max<int64_t>(0, end - begin); }
};
Inside inside(int64_t first_position, int64_t dilation, int64_t window, int64_t extent) {
  const int64_t begin = first_position >= 0 ? 0 : (-first_position + dilation - 1) / dilation;
  const int64_t last = extent - 1 - first_position;
  const int64_t end = last < 0 ? 0 : last / dilation + 1;
  return {std::min(begin, window), std::min(end, window)};
}

}  // namespace

Element Evaluation::convolution(const Step& s, int64_t index) {
  const Shape &x = s.shapes[0], &w = s.shapes[1];
  const auto at = coordinates(s.shape, index);
  const int64_t n = at[0], o = at[1];
  const int64_t first_h = at[2] * s.strides[0] - s.pads[0], first_w = at[3] * s.strides[1] - s.pads[1];
  const Inside rows = inside(first_h, s.dilations[0], w[2], x[2]);
  const Inside columns = inside(first_w, s.dilations[1], w[3], x[3]);
  const int64_t channel = o / (s.shape[1] / s.groups) * w[1];
  const int64_t plane = x[2] * x[3], window = w[2] * w[3];
  const auto x_at = [&](int64_t ic, int64_t kh, int64_t kw) {
    return (n * x[1] + channel + ic) * plane + (first_h + kh * s.dilations[0]) * x[3] + first_w +
           kw * s.dilations[1];
  };
  const auto w_at = [&](int64_t ic, int64_t kh, int64_t kw) {
    return (o * w[1] + ic) * window + kh * w[3] + kw;
  };
  Element sum;
  for (int64_t kh = rows.begin; kh < rows.end; ++kh) {
    if (w[1] >= columns.count()) {  // the longer of the two is the run
      for (int64_t kw = columns.begin; kw < columns.end; ++kw)
        sum = plus(sum, dot({s.operands[0], x_at(0, kh, kw), plane}, {s.operands[1], w_at(0, kh, kw), window},
                            w[1]));
    } else {
      for (int64_t ic = 0; ic < w[1]; ++ic)
        sum = plus(sum, dot({s.operands[0], x_at(ic, kh, columns.begin), s.dilations[1]},
                            {s.operands[1], w_at(ic, kh, columns.begin), 1}, columns.count()));
    }
  }
  return s.operands.size() > 2 ? plus(sum, this->at(s.operands[2], o)) : sum;
}

Element Evaluation::product(const Step& s, int64_t index) {
  const Shape &x = s.shapes[0], &w = s.shapes[1];
  const auto at = coordinates(s.shape, index);
  const size_t rank = s.shape.size();
  const int64_t m = at[rank - 2], n = at[rank - 1], k = x.back();
  /// Where the matrix of an operand begins.
  const auto matrix = [&](const Shape& shape) {
    const auto strides = strides_of(shape);
    int64_t begin = 0;
    for (size_t d = 0; d + 2 < shape.size(); ++d)
      if (shape[d] > 1) begin += at[rank - shape.size() + d] * strides[d];
    return begin;
  };
  const Run row{s.operands[0], matrix(x) + m * k, 1};
  const int64_t columns = w.back();
  const Run column = s.flag ? Run{s.operands[1], n * columns, 1} : Run{s.operands[1], matrix(w) + n, columns};
  const Element sum = dot(row, column, k);
  if (s.operands.size() < 3) return sum;
  const Shape& bias = s.shapes[2];
  int64_t b = 0;
  if (!bias.empty() && bias.back() > 1) b += n;
  if (bias.size() > 1 && bias[0] > 1) b += m * bias[1];
  return plus(sum, this->at(s.operands[2], b));
}

Element Evaluation::pool(const Step& s, int64_t index) {
  const Shape &x = s.shapes[0], &y = s.shape;
  const auto at = coordinates(y, index);
  const int64_t base = (at[0] * x[1] + at[1]) * x[2] * x[3];
  int64_t first[2];
  Inside in[2];
  bool padded = false, dilated = false;
  for (size_t d = 0; d < 2; ++d) {
    first[d] = at[2 + d] * s.strides[d] - s.pads[d];
    in[d] = inside(first[d], s.dilations[d], s.kernel[d], x[2 + d]);
    const int64_t reach = (y[2 + d] - 1) * s.strides[d] + (s.kernel[d] - 1) * s.dilations[d] - s.pads[d];
    padded = padded || s.pads[d] > 0 || reach > x[2 + d] - 1;
    dilated = dilated || s.dilations[d] > 1;
  }
  const auto for_window = [&](auto take) {
    for (int64_t kh = in[0].begin; kh < in[0].end; ++kh)
      for_run(s.operands[0],
              base + (first[0] + kh * s.dilations[0]) * x[3] + first[1] + in[1].begin * s.dilations[1],
              s.dilations[1], in[1].count(), take);
  };
  if (s.op == Op::max_pool) {
    // A window that lies outside altogether sees the nearest elements, as those of reference artifacts do.
    if (!dilated)
      for (size_t d = 0; d < 2; ++d)
        if (in[d].count() == 0) {
          first[d] = first[d] < 0 ? 0 : x[2 + d] - 1;
          in[d] = {0, 1};
        }
    Element most{std::numeric_limits<float>::lowest(), 0};
    for_window([&](Element e) { most = maximum(most, e); });
    return most;
  }
  Element sum;
  for_window([&](Element e) { sum = plus(sum, e); });
  if (!padded || s.flag) {
    const auto positions = static_cast<double>(s.kernel[0]) * static_cast<double>(s.kernel[1]);
    return times(sum, constant(1.0 / positions));
  }
  const auto counted = [&](size_t d) {
    if (dilated) return exact(static_cast<double>(in[d].count()));
    return exact(
        static_cast<double>(std::min(first[d] + s.kernel[d], x[2 + d]) - std::max<int64_t>(first[d], 0)));
  };
  return over(sum, times(counted(0), counted(1)));
}

Element Evaluation::reduced(const Step& s, int64_t index) {
  const Shape& x = s.shapes[0];
  const auto strides = strides_of(x);
  std::vector<bool> gone(x.size(), false);
  Shape outer;  // extents and strides of what is reduced, but for the last
  std::vector<int64_t> outer_strides;
  int64_t last = 1, last_stride = 1;
  double count = 1;
  for (const int64_t axis : s.axes) {
    const auto d = static_cast<size_t>(axis);
    gone[d] = true;
    count *= static_cast<double>(x[d]);
    outer.push_back(last);
    outer_strides.push_back(last_stride);
    last = x[d];
    last_stride = strides[d];
  }
  // Dimensions that stay keep their order, with or without the others as 1.
  int64_t base = 0, rest = index;
  for (size_t d = x.size(); d-- > 0;) {
    if (gone[d]) continue;
    base += rest % x[d] * strides[d];
    rest /= x[d];
  }
  const bool maximal = s.op == Op::global_max_pool;
  Element result;
  bool any = false;
  const auto take = [&](Element e) {
    result = !any ? e : maximal ? maximum(result, e) : plus(result, e);
    any = true;
  };
  std::vector<int64_t> at(outer.size(), 0);
  for (;;) {
    int64_t begin = base;
    for (size_t d = 0; d < outer.size(); ++d) begin += at[d] * outer_strides[d];
    for_run(s.operands[0], begin, last_stride, last, take);
    size_t d = outer.size();
    while (d > 0 && ++at[d - 1] == outer[d - 1]) at[--d] = 0;
    if (d == 0) break;
  }
  return maximal ? result : times(result, constant(1 / count));
}

Element Evaluation::softmax(const Step& s, int64_t index) {
  const int64_t stride = strides_of(s.shape)[s.axis], extent = s.shape[s.axis];
  const int64_t first = index - index / stride % extent * stride;
  Element top{-std::numeric_limits<double>::infinity(), 0}, total;
  for_run(s.operands[0], first, stride, extent, [&](Element e) { top = maximum(top, e); });
  for_run(s.operands[0], first, stride, extent,
          [&](Element e) { total = plus(total, power_of_e(minus(e, top))); });
  const Element centred = minus(at(s.operands[0], index), top);
  return s.op == Op::softmax ? over(power_of_e(centred), total) : minus(centred, logarithm(total));
}

/// x * factor + shift; both are constants that reference artifacts prepare, exact like any other.
Element Evaluation::normalised(const Step& s, int64_t index) {
  const int64_t channel = index / strides_of(s.shape)[1] % s.shape[1];
  const auto parameter = [&](size_t k) { return at(s.operands[k], channel).value; };
  const double factor = parameter(1) / std::sqrt(parameter(4) + s.a);
  const double shift = parameter(2) - parameter(3) * factor;
  return plus(times(at(s.operands[0], index), exact(factor)), exact(shift));
}

Element Evaluation::response(const Step& s, int64_t index) {
  const int64_t stride = strides_of(s.shape)[1], channels = s.shape[1];
  const int64_t channel = index / stride % channels, before = (s.size - 1) / 2;
  const int64_t begin = std::max<int64_t>(0, channel - before);
  const int64_t end = std::min(channels - 1, channel + (s.size - 1 - before)) + 1;
  Element squares;
  for_run(s.operands[0], index + (begin - channel) * stride, stride, end - begin,
          [&](Element e) { squares = plus(squares, times(e, e)); });
  const Element x = at(s.operands[0], index);
  const Element base = plus(constant(s.c), times(squares, constant(s.a / static_cast<double>(s.size))));
  if (s.b == 0.75) return over(x, times(root(base), root(root(base))));
  return times(x, power_of_e(times(logarithm(base), constant(-s.b))));
}

}  // namespace hone::oracle
