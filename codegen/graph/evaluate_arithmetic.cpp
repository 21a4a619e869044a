// Evaluation of convolutions, products, pools, reductions and normalisations, as written in the operators'
// definitions. Float32 operands, float64 arithmetic.
#include <algorithm>
#include <cmath>

#include "codegen/graph/evaluate_parts.h"

namespace hone::evaluation {
namespace {

using Values = std::vector<float>;

std::vector<int64_t> or_else(std::vector<int64_t> values, std::vector<int64_t> otherwise) {
  return values.empty() ? std::move(otherwise) : std::move(values);
}

struct Window {
  explicit Window(const Node& node)
      : strides(or_else(node.integers("strides"), {1, 1})),
        dilations(or_else(node.integers("dilations"), {1, 1})),
        pads(or_else(node.integers("pads"), {0, 0, 0, 0})) {}
  std::vector<int64_t> strides, dilations, pads;
  int64_t h(int64_t oh, int64_t kh) const { return oh * strides[0] + kh * dilations[0] - pads[0]; }
  int64_t w(int64_t ow, int64_t kw) const { return ow * strides[1] + kw * dilations[1] - pads[1]; }
};

Values conv(const Call& c) {
  const Window window(c.node);
  const Shape &xs = c.shape(0), &ws = c.shape(1), &ys = c.output.shape;
  const auto x = c.values(0), w = c.values(1);
  const int64_t per_group = ys[1] / c.node.integer("groups", 1);
  std::vector<double> plane(static_cast<size_t>(ys[2] * ys[3]));
  Values y;
  for (int64_t n = 0; n < ys[0]; ++n)
    for (int64_t o = 0; o < ys[1]; ++o) {
      std::fill(plane.begin(), plane.end(),
                c.operands.size() > 2 ? static_cast<double>(c.values(2)[o]) : 0.0);
      for (int64_t i = 0; i < ws[1]; ++i)
        for (int64_t kh = 0; kh < ws[2]; ++kh)
          for (int64_t kw = 0; kw < ws[3]; ++kw) {
            const double weight = w[((o * ws[1] + i) * ws[2] + kh) * ws[3] + kw];
            const float* from = x.data() + (n * xs[1] + o / per_group * ws[1] + i) * xs[2] * xs[3];
            for (int64_t oh = 0; oh < ys[2]; ++oh) {
              const int64_t h = window.h(oh, kh);
              if (h < 0 || h >= xs[2]) continue;
              for (int64_t ow = 0; ow < ys[3]; ++ow) {
                const int64_t at = window.w(ow, kw);
                if (at >= 0 && at < xs[3]) plane[oh * ys[3] + ow] += weight * from[h * xs[3] + at];
              }
            }
          }
      for (const double value : plane) y.push_back(static_cast<float>(value));
    }
  return y;
}

Values pool(const Call& c) {
  const Window window(c.node);
  const auto kernel = c.node.integers("kernel");
  const bool average = c.node.op == Op::average_pool, all = c.node.integer("include_pad", 0) != 0;
  const Shape &xs = c.shape(0), &ys = c.output.shape;
  Values y;
  for (int64_t nc = 0; nc < ys[0] * ys[1]; ++nc)
    for (int64_t oh = 0; oh < ys[2]; ++oh)
      for (int64_t ow = 0; ow < ys[3]; ++ow) {
        double sum = 0, most = -INFINITY;
        int64_t count = 0;
        for (int64_t kh = 0; kh < kernel[0]; ++kh)
          for (int64_t kw = 0; kw < kernel[1]; ++kw) {
            const int64_t h = window.h(oh, kh), w = window.w(ow, kw);
            if (h < 0 || h >= xs[2] || w < 0 || w >= xs[3]) continue;
            const double value = c.values(0)[(nc * xs[2] + h) * xs[3] + w];
            sum += value;
            most = std::max(most, value);
            ++count;
          }
        if (all) count = kernel[0] * kernel[1];
        y.push_back(static_cast<float>(average ? sum / static_cast<double>(count) : most));
      }
  return y;
}

/// Reduces the dimensions that are marked; the output keeps them as 1.
Values reduce(const Call& c, const std::vector<bool>& reduced, bool maximum) {
  const Shape& xs = c.shape(0);
  Shape kept = xs;
  double count = 1;
  for (size_t d = 0; d < xs.size(); ++d)
    if (reduced[d]) {
      count *= static_cast<double>(xs[d]);
      kept[d] = 1;
    }
  std::vector<double> sums(static_cast<size_t>(element_count(kept)), maximum ? -INFINITY : 0.0);
  for_each_point(xs, {strides_of(xs), broadcast_strides(kept, xs)}, [&](const int64_t* at) {
    double& sum = sums[static_cast<size_t>(at[1])];
    const double value = c.values(0)[static_cast<size_t>(at[0])];
    sum = maximum ? std::max(sum, value) : sum + value;
  });
  Values y;
  for (const double sum : sums) y.push_back(static_cast<float>(maximum ? sum : sum / count));
  return y;
}

Values product(const Call& c) {
  const Shape &xs = c.shape(0), &ws = c.shape(1), &ys = c.output.shape;
  const bool transposed = c.node.integer("transpose_b", 0) != 0;
  const int64_t m = ys[ys.size() - 2], n = ys.back(), k = xs.back();
  const Shape batch(ys.begin(), ys.end() - 2);
  Values y(static_cast<size_t>(element_count(ys)));
  float* to = y.data();
  for_each_point(batch,
                 {broadcast_strides(Shape(xs.begin(), xs.end() - 2), batch),
                  broadcast_strides(Shape(ws.begin(), ws.end() - 2), batch)},
                 [&](const int64_t* at) {
                   const float* a = c.values(0).data() + at[0] * m * k;
                   const float* b = c.values(1).data() + at[1] * k * n;
                   for (int64_t i = 0; i < m; ++i)
                     for (int64_t j = 0; j < n; ++j) {
                       double sum = 0;
                       for (int64_t p = 0; p < k; ++p)
                         sum += static_cast<double>(a[i * k + p]) *
                                static_cast<double>(transposed ? b[j * k + p] : b[p * n + j]);
                       *to++ = static_cast<float>(sum);
                     }
                 });
  if (c.operands.size() > 2)
    for_each_point(ys, {strides_of(ys), broadcast_strides(c.shape(2), ys)}, [&](const int64_t* at) {
      y[static_cast<size_t>(at[0])] += c.values(2)[static_cast<size_t>(at[1])];
    });
  return y;
}

Values softmax(const Call& c) {
  const Shape& xs = c.shape(0);
  const auto axis = static_cast<size_t>(c.node.integer("axis", 0));
  const int64_t stride = strides_of(xs)[axis], extent = xs[axis];
  const auto x = c.values(0);
  Values y(x.size());
  for (int64_t outer = 0; outer < static_cast<int64_t>(x.size()) / (stride * extent); ++outer)
    for (int64_t inner = 0; inner < stride; ++inner) {
      const int64_t base = outer * stride * extent + inner;
      double most = -INFINITY, sum = 0;
      for (int64_t i = 0; i < extent; ++i) most = std::max(most, static_cast<double>(x[base + i * stride]));
      for (int64_t i = 0; i < extent; ++i) sum += std::exp(x[base + i * stride] - most);
      for (int64_t i = 0; i < extent; ++i) {
        const double shifted = x[base + i * stride] - most;
        y[base + i * stride] =
            static_cast<float>(c.node.op == Op::softmax ? std::exp(shifted) / sum : shifted - std::log(sum));
      }
    }
  return y;
}

Values batch_norm(const Call& c) {
  const auto x = c.values(0), scale = c.values(1), bias = c.values(2), mean = c.values(3),
             variance = c.values(4);
  const int64_t inner = strides_of(c.shape(0))[1], channels = c.shape(0)[1];
  Values y;
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t ch = i / static_cast<size_t>(inner) % static_cast<size_t>(channels);
    y.push_back(static_cast<float>((x[i] - static_cast<double>(mean[ch])) /
                                       std::sqrt(variance[ch] + c.node.real("epsilon", 1e-5)) * scale[ch] +
                                   bias[ch]));
  }
  return y;
}

Values lrn(const Call& c) {
  const auto x = c.values(0);
  const int64_t inner = strides_of(c.shape(0))[1], channels = c.shape(0)[1], size = c.node.integer("size", 1);
  Values y;
  for (int64_t i = 0; i < static_cast<int64_t>(x.size()); ++i) {
    const int64_t ch = i / inner % channels;
    double squares = 0;
    for (int64_t k = std::max<int64_t>(0, ch - (size - 1) / 2); k <= std::min(channels - 1, ch + size / 2);
         ++k) {
      const double value = x[i + (k - ch) * inner];
      squares += value * value;
    }
    y.push_back(
        static_cast<float>(x[i] / std::pow(c.node.real("bias", 1) + c.node.real("alpha", 1e-4) /
                                                                        static_cast<double>(size) * squares,
                                           c.node.real("beta", 0.75))));
  }
  return y;
}

}  // namespace

std::optional<Constant> arithmetic(const Call& c) {
  for (size_t i = 0; i < c.operands.size(); ++i)
    if (c.type(i).dtype != DType::f32) return std::nullopt;
  std::vector<bool> reduced(c.shape(0).size(), false);
  switch (c.node.op) {
    case Op::conv:
      return constant_of(conv(c));
    case Op::batch_norm:
      return constant_of(batch_norm(c));
    case Op::max_pool:
    case Op::average_pool:
      return constant_of(pool(c));
    case Op::dense:
    case Op::matmul:
      return constant_of(product(c));
    case Op::softmax:
    case Op::log_softmax:
      return constant_of(softmax(c));
    case Op::lrn:
      return constant_of(lrn(c));
    case Op::reduce_mean:
      for (const int64_t axis : c.node.integers("axes")) reduced[static_cast<size_t>(axis)] = true;
      return constant_of(reduce(c, reduced, false));
    case Op::global_average_pool:
    case Op::global_max_pool:
      std::fill(reduced.begin() + 2, reduced.end(), true);
      return constant_of(reduce(c, reduced, c.node.op == Op::global_max_pool));
    default:
      return std::nullopt;
  }
}

}  // namespace hone::evaluation
