// Types of node outputs: the one place that knows how attributes and operand shapes make an output shape.
// Everything is checked, since graphs come from files and tasks from the wire.
#include <algorithm>
#include <numeric>

#include "codegen/graph/graph.h"

namespace hone {
namespace {

using Inferred = Result<TensorType>;

constexpr int64_t kMaxAttribute = int64_t{1} << 26;  // times any extent it stays within int64

/// One node under inference: its operand types and the error texts that name it.
struct Context {
  const Graph& graph;
  const Node& node;
  std::vector<TensorType> operands;

  tl::unexpected<Error> error(const std::string& what) const {
    const std::string where = !node.name.empty() ? node.name
                              : node.output >= 0 && node.output < static_cast<int>(graph.values.size())
                                  ? graph.values[node.output].name
                                  : std::string();
    return fail(std::string(to_text(node.op)) + ": " + what, where);
  }
  const Shape& shape(size_t i) const { return operands[i].shape; }
  size_t count() const { return operands.size(); }
  DType dtype() const { return operands[0].dtype; }

  /// A list attribute of `size` entries, each at least `least`; `otherwise` for all if it is absent.
  Result<std::vector<int64_t>> list(const std::string& key, size_t size, int64_t least,
                                    int64_t otherwise) const {
    std::vector<int64_t> values = node.integers(key);
    if (values.empty()) values.assign(size, otherwise);
    if (values.size() != size)
      return error(key + " has " + std::to_string(values.size()) + " entries, not " + std::to_string(size));
    for (const int64_t value : values)
      if (value < least || value > kMaxAttribute)
        return error(key + " has the entry " + std::to_string(value));
    return values;
  }
  Result<size_t> axis(int64_t value, size_t rank) const {
    if (value < 0 || value >= static_cast<int64_t>(rank))
      return error("axis " + std::to_string(value) + " of a tensor of rank " + std::to_string(rank));
    return static_cast<size_t>(value);
  }
};

/// Output extents (h, w) of a window that slides over `x`.
Result<Shape> window(const Context& c, const Shape& x, const std::vector<int64_t>& kernel) {
  HONE_TRY(const auto strides, c.list("strides", 2, 1, 1));
  HONE_TRY(const auto dilations, c.list("dilations", 2, 1, 1));
  HONE_TRY(const auto pads, c.list("pads", 4, 0, 0));
  Shape result;
  for (size_t d = 0; d < 2; ++d) {
    const int64_t reach = (kernel[d] - 1) * dilations[d] + 1;
    const int64_t padded = x[2 + d] + pads[d] + pads[2 + d];
    if (padded < reach)
      return c.error("a window of " + std::to_string(reach) + " does not fit an extent of " +
                     std::to_string(padded));
    result.push_back((padded - reach) / strides[d] + 1);
  }
  return result;
}

Inferred conv(const Context& c) {
  if (c.count() < 2 || c.count() > 3 || c.shape(0).size() != 4 || c.shape(1).size() != 4)
    return c.error("needs x and w of rank 4 and an optional bias");
  const Shape &x = c.shape(0), &w = c.shape(1);
  const int64_t groups = c.node.integer("groups", 1);
  if (groups < 1 || w[0] % groups != 0 || x[1] != w[1] * groups)
    return c.error("weights " + to_text(w) + " with " + std::to_string(groups) + " groups do not fit " +
                   to_text(x));
  if (c.count() == 3 && c.shape(2) != Shape{w[0]}) return c.error("bias of shape " + to_text(c.shape(2)));
  HONE_TRY(const Shape hw, window(c, x, {w[2], w[3]}));
  return TensorType{c.dtype(), {x[0], w[0], hw[0], hw[1]}};
}

Inferred pool(const Context& c) {
  if (c.count() != 1 || c.shape(0).size() != 4) return c.error("needs one operand of rank 4");
  HONE_TRY(const auto kernel, c.list("kernel", 2, 1, 0));
  HONE_TRY(const Shape hw, window(c, c.shape(0), kernel));
  return TensorType{c.dtype(), {c.shape(0)[0], c.shape(0)[1], hw[0], hw[1]}};
}

Inferred global_pool(const Context& c) {
  if (c.count() != 1 || c.shape(0).size() < 3) return c.error("needs one operand of rank 3 or more");
  TensorType type = c.operands[0];
  std::fill(type.shape.begin() + 2, type.shape.end(), 1);
  return type;
}

Inferred batch_norm(const Context& c) {
  if (c.count() != 5 || c.shape(0).size() < 2) return c.error("needs x, scale, bias, mean and variance");
  for (size_t i = 1; i < 5; ++i)
    if (c.shape(i) != Shape{c.shape(0)[1]}) return c.error("parameter of shape " + to_text(c.shape(i)));
  return c.operands[0];
}

Result<Shape> broadcast(const Context& c, Shape a, Shape b) {
  if (a.size() < b.size()) std::swap(a, b);
  b.insert(b.begin(), a.size() - b.size(), 1);
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && a[i] != 1 && b[i] != 1)
      return c.error("shapes " + to_text(c.shape(0)) + " and " + to_text(c.shape(1)) + " do not broadcast");
    a[i] = std::max(a[i], b[i]);
  }
  return a;
}

Inferred elementwise(const Context& c) {
  const bool binary = c.node.op >= Op::add;
  if (c.count() != (binary ? 2 : 1)) return c.error("has " + std::to_string(c.count()) + " operands");
  if (!binary) return c.operands[0];
  if (c.operands[0].dtype != c.operands[1].dtype)
    return c.error("operands are " + to_text(c.operands[0]) + " and " + to_text(c.operands[1]));
  HONE_TRY(Shape shape, broadcast(c, c.shape(0), c.shape(1)));
  return TensorType{c.dtype(), std::move(shape)};
}

Inferred dense(const Context& c) {
  if (c.count() < 2 || c.count() > 3 || c.shape(0).size() != 2 || c.shape(1).size() != 2)
    return c.error("needs x and w of rank 2 and an optional bias");
  const Shape& w = c.shape(1);
  const bool transposed = c.node.integer("transpose_b", 0) != 0;
  const int64_t k = transposed ? w[1] : w[0], n = transposed ? w[0] : w[1];
  if (c.shape(0)[1] != k) return c.error("x " + to_text(c.shape(0)) + " does not fit weights " + to_text(w));
  const Shape result{c.shape(0)[0], n};
  if (c.count() == 3) {
    Shape b = c.shape(2);
    if (b.size() > 2) return c.error("bias of shape " + to_text(b));
    b.insert(b.begin(), 2 - b.size(), 1);
    for (size_t i = 0; i < 2; ++i)
      if (b[i] != 1 && b[i] != result[i]) return c.error("bias of shape " + to_text(c.shape(2)));
  }
  return TensorType{c.dtype(), result};
}

Inferred matmul(const Context& c) {
  if (c.count() != 2 || c.shape(0).size() < 2 || c.shape(1).size() < 2)
    return c.error("needs two operands of rank 2 or more");
  Shape a = c.shape(0), b = c.shape(1);
  const int64_t m = a[a.size() - 2], k = a.back(), n = b.back();
  if (b[b.size() - 2] != k) return c.error("shapes " + to_text(a) + " and " + to_text(b) + " do not fit");
  a.resize(a.size() - 2);
  b.resize(b.size() - 2);
  HONE_TRY(Shape shape, broadcast(c, a, b));
  shape.push_back(m);
  shape.push_back(n);
  return TensorType{c.dtype(), std::move(shape)};
}

Inferred concat(const Context& c) {
  if (c.count() == 0) return c.error("has no operand");
  HONE_TRY(const size_t axis, c.axis(c.node.integer("axis", -1), c.shape(0).size()));
  TensorType type = c.operands[0];
  for (size_t i = 1; i < c.count(); ++i) {
    Shape other = c.shape(i);
    if (other.size() != type.shape.size()) return c.error("operands of different rank");
    type.shape[axis] += other[axis];
    other[axis] = type.shape[axis];
    if (other != type.shape || c.operands[i].dtype != type.dtype)
      return c.error("operand " + to_text(c.operands[i]) + " does not fit " + to_text(c.operands[0]));
  }
  return type;
}

Inferred reshape(const Context& c) {
  if (c.count() != 1) return c.error("needs one operand");
  Shape shape;
  if (const auto found = c.node.attributes.find("shape"); found != c.node.attributes.end())
    shape = c.node.integers("shape");
  else if (c.node.output >= 0 && c.node.output < static_cast<int>(c.graph.values.size()))
    shape = c.graph.values[c.node.output].type.shape;
  if (!verify(TensorType{c.dtype(), shape}))
    return c.error("shape " + to_text(shape) + " is not resolved, or too large");
  if (element_count(shape) != element_count(c.shape(0)))
    return c.error(to_text(c.shape(0)) + " does not become " + to_text(shape));
  return TensorType{c.dtype(), std::move(shape)};
}

Inferred transpose(const Context& c) {
  if (c.count() != 1) return c.error("needs one operand");
  const auto permutation = c.node.integers("permutation");
  auto sorted = permutation;
  std::sort(sorted.begin(), sorted.end());
  std::vector<int64_t> all(c.shape(0).size());
  std::iota(all.begin(), all.end(), 0);
  if (sorted != all) return c.error("permutation does not fit rank " + std::to_string(all.size()));
  TensorType type{c.dtype(), {}};
  for (const int64_t d : permutation) type.shape.push_back(c.shape(0)[d]);
  return type;
}

Inferred softmax(const Context& c) {
  if (c.count() != 1) return c.error("needs one operand");
  HONE_TRY(const size_t axis, c.axis(c.node.integer("axis", -1), c.shape(0).size()));
  static_cast<void>(axis);
  return c.operands[0];
}

Inferred pad(const Context& c) {
  if (c.count() != 1) return c.error("needs one operand");
  TensorType type = c.operands[0];
  const size_t rank = type.shape.size();
  HONE_TRY(const auto pads, c.list("pads", 2 * rank, 0, 0));
  for (size_t d = 0; d < rank; ++d) type.shape[d] += pads[d] + pads[rank + d];
  return type;
}

Inferred reduce(const Context& c) {
  if (c.count() != 1) return c.error("needs one operand");
  const size_t rank = c.shape(0).size();
  std::vector<bool> reduced(rank, false);
  for (const int64_t value : c.node.integers("axes")) {
    HONE_TRY(const size_t axis, c.axis(value, rank));
    reduced[axis] = true;
  }
  TensorType type{c.dtype(), {}};
  for (size_t d = 0; d < rank; ++d) {
    if (!reduced[d])
      type.shape.push_back(c.shape(0)[d]);
    else if (c.node.integer("keep_dims", 1) != 0)
      type.shape.push_back(1);
  }
  return type;
}

Inferred slice(const Context& c) {
  if (c.count() != 1) return c.error("needs one operand");
  TensorType type = c.operands[0];
  const auto axes = c.node.integers("axes");
  HONE_TRY(const auto starts, c.list("starts", axes.size(), 0, 0));
  HONE_TRY(const auto ends, c.list("ends", axes.size(), 0, 0));
  HONE_TRY(const auto steps, c.list("steps", axes.size(), 1, 1));
  std::vector<bool> sliced(type.shape.size(), false);
  for (size_t i = 0; i < axes.size(); ++i) {
    HONE_TRY(const size_t axis, c.axis(axes[i], type.shape.size()));
    if (sliced[axis]) return c.error("axis " + std::to_string(axis) + " is given twice");
    sliced[axis] = true;
    const int64_t extent = c.shape(0)[axis];
    if (ends[i] > extent || starts[i] >= ends[i])
      return c.error("from " + std::to_string(starts[i]) + " to " + std::to_string(ends[i]) + " of " +
                     std::to_string(extent));
    type.shape[axis] = (ends[i] - starts[i] + steps[i] - 1) / steps[i];
  }
  return type;
}

Inferred channel_shuffle(const Context& c) {
  if (c.count() != 1 || c.shape(0).size() != 4) return c.error("needs one operand of rank 4");
  const int64_t groups = c.node.integer("groups", 0);
  if (groups < 1 || c.shape(0)[1] % groups != 0)
    return c.error(std::to_string(c.shape(0)[1]) + " channels are not " + std::to_string(groups) + " groups");
  return c.operands[0];
}

Inferred gather(const Context& c) {
  if (c.count() != 2) return c.error("needs data and indices");
  HONE_TRY(const size_t axis, c.axis(c.node.integer("axis", 0), c.shape(0).size()));
  TensorType type = c.operands[0];
  type.shape.erase(type.shape.begin() + static_cast<long>(axis));
  type.shape.insert(type.shape.begin() + static_cast<long>(axis), c.shape(1).begin(), c.shape(1).end());
  return type;
}

}  // namespace

Result<TensorType> infer_type(const Graph& graph, const Node& node) {
  Context c{graph, node, {}};
  for (const ValueId id : node.inputs) {
    if (id < 0 || id >= static_cast<ValueId>(graph.values.size())) return c.error("an operand is missing");
    c.operands.push_back(graph.values[id].type);
  }
  switch (node.op) {
    case Op::conv:
      return conv(c);
    case Op::batch_norm:
      return batch_norm(c);
    case Op::max_pool:
    case Op::average_pool:
      return pool(c);
    case Op::global_average_pool:
    case Op::global_max_pool:
      return global_pool(c);
    case Op::dense:
      return dense(c);
    case Op::matmul:
      return matmul(c);
    case Op::concat:
      return concat(c);
    case Op::reshape:
      return reshape(c);
    case Op::transpose:
      return transpose(c);
    case Op::softmax:
    case Op::log_softmax:
      return softmax(c);
    case Op::pad:
      return pad(c);
    case Op::reduce_mean:
      return reduce(c);
    case Op::slice:
      return slice(c);
    case Op::gather:
      return gather(c);
    case Op::lrn:
      if (c.count() != 1 || c.shape(0).size() < 2) return c.error("needs one operand of rank 2 or more");
      if (node.integer("size", 0) < 1) return c.error("needs a positive size");
      return c.operands[0];
    case Op::channel_shuffle:
      return channel_shuffle(c);
    case Op::transform:
      if (c.count() != 1) return c.error("needs one operand");
      return c.operands[0];
    default:
      return elementwise(c);
  }
}

}  // namespace hone
