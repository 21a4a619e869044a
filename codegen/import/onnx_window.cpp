// ONNX convolutions and pools over one or two spatial dimensions; one dimension is height 1.
// Automatic padding and ceil mode are resolved to explicit padding.
#include "codegen/import/window.h"

#include <map>

#include "codegen/import/onnx_call.h"

namespace hone::onnx_import {
namespace {

constexpr int64_t kMost = int64_t{1} << 24;  // of any kernel, stride, dilation or padding

/// [w] becomes [1, w].
void insert_height(Shape& list, int64_t value, size_t at = 0) {
  list.insert(list.begin() + static_cast<long>(at), value);
}

struct Spatial {
  ValueId x = -1;     ///< rank 4
  bool flat = false;  ///< it had rank 3
  Shape kernel, strides, dilations, pads;

  std::map<std::string, Attribute> attributes() const {
    return {{"strides", strides}, {"dilations", dilations}, {"pads", pads}};
  }
};

Result<Shape> spatial_list(Call& c, const char* key, size_t size, int64_t least, int64_t otherwise) {
  HONE_TRY(Shape values, c.integers(key));
  if (values.empty()) values.assign(size, otherwise);
  if (values.size() != size) return fail(std::string(key) + " does not fit the input's rank", key);
  for (const int64_t value : values)
    if (value < least || value > kMost)
      return fail(std::string(key) + " has the entry " + std::to_string(value), key);
  return values;
}

Result<Spatial> spatial(Call& c, Shape kernel_of_weights) {
  Spatial s;
  HONE_TRY(s.x, c.operand(0));
  const Shape shape = c.graph.shape(s.x);
  if (shape.size() != 3 && shape.size() != 4)
    return fail("input of rank " + std::to_string(shape.size()) +
                "; one or two spatial dimensions are covered");
  const size_t dims = shape.size() - 2;
  HONE_TRY(s.kernel, c.integers("kernel_shape"));
  if (s.kernel.empty()) s.kernel = kernel_of_weights;
  if (s.kernel.size() != dims || (!kernel_of_weights.empty() && s.kernel != kernel_of_weights))
    return fail("kernel_shape does not fit", "kernel_shape");
  for (const int64_t k : s.kernel)
    if (k < 1 || k > kMost) return fail("kernel_shape has the entry " + std::to_string(k), "kernel_shape");
  HONE_TRY(s.strides, spatial_list(c, "strides", dims, 1, 1));
  HONE_TRY(s.dilations, spatial_list(c, "dilations", dims, 1, 1));
  HONE_TRY(s.pads, spatial_list(c, "pads", 2 * dims, 0, 0));
  HONE_TRY(const std::string automatic, c.text("auto_pad", "NOTSET"));
  const bool lower = automatic == "SAME_LOWER";
  if (lower || automatic == "SAME_UPPER") {
    for (size_t d = 0; d < dims; ++d)
      std::tie(s.pads[d], s.pads[dims + d]) =
          same_padding(shape[2 + d], reach(s.kernel[d], s.dilations[d]), s.strides[d], lower);
  } else if (automatic == "VALID") {
    s.pads.assign(2 * dims, 0);
  } else if (automatic != "NOTSET" && !automatic.empty()) {
    return fail("auto_pad is '" + automatic + "'", "auto_pad");
  }
  if (dims == 1) {
    s.flat = true;
    HONE_TRY(s.x, c.graph.reshape(c.name() + ".plane", s.x, {shape[0], shape[1], 1, shape[2]}));
    for (Shape* list : {&s.kernel, &s.strides, &s.dilations}) insert_height(*list, 1);
    s.pads = {0, s.pads[0], 0, s.pads[1]};
  }
  return s;
}

/// Adds the node, and takes the height away again that `spatial` put in.
Result<Outputs> finish(Call& c, const Spatial& s, Op op, std::vector<ValueId> operands,
                       std::map<std::string, Attribute> attributes) {
  HONE_TRY(ValueId y, c.graph.add(op, s.flat ? c.name() + ".plane" : c.name(), std::move(operands),
                                  std::move(attributes)));
  if (s.flat) {
    const Shape shape = c.graph.shape(y);
    HONE_TRY(y, c.graph.reshape(c.name(), y, {shape[0], shape[1], shape[3]}));
  }
  return Outputs{y};
}

Result<Outputs> conv(Call& c) {
  HONE_TRY(ValueId w, c.operand(1));
  const Shape weights = c.graph.shape(w);
  if (!c.graph.data(w)) return fail("the weights are not constant", "W");
  if (weights.size() < 3) return fail("weights of rank " + std::to_string(weights.size()), "W");
  HONE_TRY(const Spatial s, spatial(c, Shape(weights.begin() + 2, weights.end())));
  HONE_TRY(const int64_t groups, c.integer("group", 1));
  if (s.flat) {
    HONE_TRY(w, c.graph.reshape(c.name() + ".weights", w, {weights[0], weights[1], 1, weights[2]}));
  }
  std::vector<ValueId> operands{s.x, w};
  if (c.has(2)) {
    operands.push_back(c.operands()[2]);
    if (!c.graph.data(operands[2])) return fail("the bias is not constant", "B");
  }
  auto attributes = s.attributes();
  attributes["groups"] = groups;
  return finish(c, s, Op::conv, std::move(operands), std::move(attributes));
}

/// Rounds positions up by more padding after.
Status apply_ceil_mode(Call& c, Spatial& s) {
  const Shape shape = c.graph.shape(s.x);
  for (size_t d = 0; d < 2; ++d) {
    const int64_t over = reach(s.kernel[d], s.dilations[d]);
    if (shape[2 + d] + s.pads[d] + s.pads[2 + d] < over) return fail("the window is larger than the input");
    s.pads[2 + d] = ceil_padding(shape[2 + d], s.pads[d], s.pads[2 + d], over, s.strides[d]);
  }
  return {};
}

Result<Outputs> max_pool(Call& c) {
  if (c.is_read(1)) return fail("its second output, the indices, is read", "Indices");
  HONE_TRY(Spatial s, spatial(c, {}));
  c.ignore({"storage_order"});  // of the indices
  HONE_TRY(const int64_t ceil, c.integer("ceil_mode", 0));
  if (ceil) HONE_RETURN_IF_ERROR(apply_ceil_mode(c, s));
  auto attributes = s.attributes();
  attributes["kernel"] = s.kernel;
  return finish(c, s, Op::max_pool, {s.x}, std::move(attributes));
}

Result<Outputs> average_pool(Call& c) {
  HONE_TRY(Spatial s, spatial(c, {}));
  HONE_TRY(const int64_t ceil, c.integer("ceil_mode", 0));
  HONE_TRY(int64_t include, c.integer("count_include_pad", 0));
  const Shape own = s.pads;
  if (ceil) HONE_RETURN_IF_ERROR(apply_ceil_mode(c, s));
  if (include && own != s.pads) {  // its own padding counts, what ceil mode adds does not
    HONE_TRY(s.x, c.graph.add(Op::pad, c.name() + ".padded", {s.x},
                              {{"pads", Shape{0, 0, own[0], own[1], 0, 0, own[2], own[3]}}, {"value", 0.0}}));
    s.pads = {0, 0, s.pads[2] - own[2], s.pads[3] - own[3]};
    include = 0;
  }
  auto attributes = s.attributes();
  attributes["kernel"] = s.kernel;
  attributes["include_pad"] = include ? int64_t{1} : int64_t{0};
  return finish(c, s, Op::average_pool, {s.x}, std::move(attributes));
}

template <Op op>
Result<Outputs> global_pool(Call& c) {
  HONE_TRY(ValueId x, c.operand(0));
  const Shape shape = c.graph.shape(x);
  if (shape.size() < 3) return fail("input of rank " + std::to_string(shape.size()));
  int64_t rows = 1;
  for (size_t d = 2; d + 1 < shape.size(); ++d) rows *= shape[d];
  HONE_TRY(x, c.graph.reshape(c.name() + ".plane", x, {shape[0], shape[1], rows, shape.back()}));
  HONE_TRY(ValueId y, c.graph.add(op, shape.size() == 4 ? c.name() : c.name() + ".pooled", {x}));
  Shape kept(shape.size(), 1);
  kept[0] = shape[0];
  kept[1] = shape[1];
  HONE_TRY(y, c.graph.reshape(c.name(), y, kept));
  return Outputs{y};
}

}  // namespace

Handler find_window(const std::string& op) {
  static const std::map<std::string, Handler> kHandlers = {
      {"Conv", conv},
      {"MaxPool", max_pool},
      {"AveragePool", average_pool},
      {"GlobalAveragePool", global_pool<Op::global_average_pool>},
      {"GlobalMaxPool", global_pool<Op::global_max_pool>},
  };
  const auto found = kHandlers.find(op);
  return found == kHandlers.end() ? nullptr : found->second;
}

}  // namespace hone::onnx_import
