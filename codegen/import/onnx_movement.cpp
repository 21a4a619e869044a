// ONNX operators that move elements: reshape, transpose, concat, slice, split, pad, gather, and those that do
// nothing at inference. Their shape operands must be constant once the shape arithmetic before them is
// evaluated.
#include <algorithm>
#include <map>
#include <numeric>

#include "codegen/import/onnx_call.h"

namespace hone::onnx_import {
namespace {

using Integers = std::vector<int64_t>;

Result<Outputs> one(Result<ValueId> value) {
  if (!value) return pass(std::move(value).error());
  return Outputs{*value};
}

/// An attribute in old opsets, an operand since `since`; absent in both: nothing.
Result<std::optional<Integers>> list(Call& c, const char* key, int64_t since, size_t operand) {
  if (c.opset >= since) return c.constant_integers(operand, key);
  if (!c.has_attribute(key)) return std::optional<Integers>();
  HONE_TRY(Integers values, c.integers(key));
  return std::optional(std::move(values));
}

Result<Outputs> identity(Call& c) {
  HONE_TRY(const ValueId x, c.operand(0));
  return Outputs{x};
}

Result<Outputs> dropout(Call& c) {
  c.ignore({"ratio", "seed"});
  HONE_TRY(const int64_t inference, c.integer("is_test", c.opset < 7 ? 0 : 1));
  if (!inference) return fail("training mode", "is_test");
  if (c.is_read(1)) return fail("its second output, the mask, is read", "mask");
  HONE_TRY(const auto training, c.constant_number(2, "training_mode"));
  if (training.value_or(0) != 0) return fail("training mode", "training_mode");
  return identity(c);
}

Result<Outputs> reshape(Call& c) {
  HONE_TRY(const ValueId x, c.operand(0));
  HONE_TRY(auto target, c.constant_integers(1, "shape"));
  HONE_TRY(const int64_t allow_zero, c.integer("allowzero", 0));
  if (!target) return fail("shape is missing", "shape");
  const Shape& from = c.graph.shape(x);
  Shape shape = *target;
  int64_t known = 1, open = -1;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0 && !allow_zero) {
      if (i >= from.size())
        return fail("shape copies dimension " + std::to_string(i) + " of " + to_text(from), "shape");
      shape[i] = from[i];
    }
    if (shape[i] == -1 && open < 0)
      open = static_cast<int64_t>(i);
    else if (shape[i] < 1 || known > (int64_t{1} << 40) / shape[i])
      return fail("shape has the entry " + std::to_string(shape[i]), "shape");
    else
      known *= shape[i];
  }
  if (open >= 0) shape[static_cast<size_t>(open)] = element_count(from) / known;
  return one(c.graph.reshape(c.name(), x, std::move(shape)));
}

Result<Outputs> flatten(Call& c) {
  HONE_TRY(const ValueId x, c.operand(0));
  const Shape& shape = c.graph.shape(x);
  HONE_TRY(int64_t axis, c.integer("axis", 1));
  if (axis != static_cast<int64_t>(shape.size())) {
    HONE_TRY(axis, c.axis(axis, shape.size()));
  }
  const int64_t outer = std::accumulate(shape.begin(), shape.begin() + axis, int64_t{1}, std::multiplies<>());
  return one(c.graph.reshape(c.name(), x, {outer, element_count(shape) / std::max<int64_t>(outer, 1)}));
}

Result<Outputs> squeeze(Call& c) {
  HONE_TRY(const ValueId x, c.operand(0));
  HONE_TRY(const auto axes, list(c, "axes", 13, 1));
  const Shape& shape = c.graph.shape(x);
  std::vector<bool> dropped(shape.size());
  for (size_t d = 0; d < shape.size(); ++d) dropped[d] = !axes && shape[d] == 1;
  for (const int64_t given : axes.value_or(Integers{})) {
    HONE_TRY(const int64_t axis, c.axis(given, shape.size(), "axes"));
    if (shape[static_cast<size_t>(axis)] != 1)
      return fail("axis " + std::to_string(axis) + " of " + to_text(shape) + " is not 1", "axes");
    dropped[static_cast<size_t>(axis)] = true;
  }
  Shape result;
  for (size_t d = 0; d < shape.size(); ++d)
    if (!dropped[d]) result.push_back(shape[d]);
  return one(c.graph.reshape(c.name(), x, std::move(result)));
}

Result<Outputs> unsqueeze(Call& c) {
  HONE_TRY(const ValueId x, c.operand(0));
  HONE_TRY(const auto axes, list(c, "axes", 13, 1));
  if (!axes) return fail("axes are missing", "axes");
  Shape shape = c.graph.shape(x);
  const size_t rank = shape.size() + axes->size();
  Integers sorted;
  for (const int64_t given : *axes) {
    HONE_TRY(const int64_t axis, c.axis(given, rank, "axes"));
    sorted.push_back(axis);
  }
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end())
    return fail("an axis occurs twice", "axes");
  for (const int64_t axis : sorted) shape.insert(shape.begin() + axis, 1);
  return one(c.graph.reshape(c.name(), x, std::move(shape)));
}

Result<Outputs> transpose(Call& c) {
  HONE_TRY(const ValueId x, c.operand(0));
  HONE_TRY(Integers permutation, c.integers("perm"));
  if (permutation.empty()) {
    permutation.resize(c.graph.shape(x).size());
    std::iota(permutation.rbegin(), permutation.rend(), 0);
  }
  return one(c.graph.transpose(c.name(), x, std::move(permutation)));
}

Result<Outputs> concat(Call& c) {
  std::vector<ValueId> operands;
  for (const ValueId id : c.operands())
    if (id >= 0 && element_count(c.graph.shape(id)) > 0) operands.push_back(id);
  if (operands.empty()) return fail("has no operand");
  HONE_TRY(const int64_t given, c.integer("axis", 1));
  HONE_TRY(const int64_t axis, c.axis(given, c.graph.shape(operands[0]).size()));
  return one(c.graph.add(Op::concat, c.name(), std::move(operands), {{"axis", axis}}));
}

/// The part from `start` up to `end` of one axis; the whole is `x` itself.
Result<ValueId> part(Call& c, const std::string& name, ValueId x, int64_t axis, int64_t start, int64_t end,
                     int64_t step = 1) {
  if (start == 0 && end == c.graph.shape(x)[static_cast<size_t>(axis)] && step == 1) return x;
  return c.graph.add(Op::slice, name, {x},
                     {{"axes", Integers{axis}},
                      {"starts", Integers{start}},
                      {"ends", Integers{end}},
                      {"steps", Integers{step}}});
}

Result<Outputs> slice(Call& c) {
  HONE_TRY(ValueId x, c.operand(0));
  HONE_TRY(const auto starts, list(c, "starts", 10, 1));
  HONE_TRY(const auto ends, list(c, "ends", 10, 2));
  HONE_TRY(auto axes, list(c, "axes", 10, 3));
  HONE_TRY(auto steps, list(c, "steps", c.opset < 10 ? 99 : 10, 4));
  if (!starts || !ends || starts->size() != ends->size()) return fail("starts and ends do not fit", "starts");
  if (!axes) {
    axes.emplace(starts->size());
    std::iota(axes->begin(), axes->end(), 0);
  }
  if (!steps) steps.emplace(starts->size(), 1);
  if (axes->size() != starts->size() || steps->size() != starts->size())
    return fail("axes or steps do not fit", "axes");
  for (size_t i = 0; i < starts->size(); ++i) {
    HONE_TRY(const int64_t axis, c.axis((*axes)[i], c.graph.shape(x).size(), "axes"));
    const int64_t extent = c.graph.shape(x)[static_cast<size_t>(axis)], step = (*steps)[i];
    if (step < 1) return fail("step " + std::to_string(step), "steps");
    const auto resolve = [&](int64_t at) {
      return std::clamp<int64_t>(at < 0 ? at + extent : at, 0, extent);
    };
    const int64_t start = resolve((*starts)[i]), end = resolve((*ends)[i]);
    if (start >= end) return fail("the result is empty", "ends");
    HONE_TRY(x, part(c, c.name(), x, axis, start, end, std::min(step, extent)));
  }
  return Outputs{x};
}

Result<Outputs> split(Call& c) {
  HONE_TRY(const ValueId x, c.operand(0));
  HONE_TRY(const int64_t given, c.integer("axis", 0));
  HONE_TRY(const int64_t axis, c.axis(given, c.graph.shape(x).size()));
  HONE_TRY(auto sizes, list(c, "split", 13, 1));
  const int64_t extent = c.graph.shape(x)[static_cast<size_t>(axis)], parts = c.node.output_size();
  c.ignore({"num_outputs"});  // that is how many outputs there are
  if (!sizes) {
    const int64_t size = (extent + parts - 1) / parts;
    sizes.emplace(static_cast<size_t>(parts), size);
    sizes->back() = extent - size * (parts - 1);
  }
  if (static_cast<int64_t>(sizes->size()) != parts)
    return fail("split has another length than the outputs", "split");
  Outputs outputs;
  int64_t begin = 0;
  for (int64_t i = 0; i < parts; ++i) {
    const int64_t size = (*sizes)[static_cast<size_t>(i)];
    if (size < 1 || size > extent - begin)
      return fail("split has the entry " + std::to_string(size), "split");
    HONE_TRY(const ValueId y, part(c, c.node.output(static_cast<int>(i)), x, axis, begin, begin + size));
    outputs.push_back(y);
    begin += size;
  }
  return outputs;
}

Result<Outputs> pad(Call& c) {
  HONE_TRY(ValueId x, c.operand(0));
  HONE_TRY(const std::string mode, c.text("mode", "constant"));
  if (mode != "constant") return fail("mode is '" + mode + "'", "mode");
  HONE_TRY(auto given, list(c, "pads", 11, 1));
  if (!given) return fail("pads are missing", "pads");
  double value = 0;
  if (c.opset < 11) {
    HONE_TRY(value, c.real("value", 0));
  } else {
    HONE_TRY(const auto number, c.constant_number(2, "constant_value"));
    value = number.value_or(0);
  }
  const size_t rank = c.graph.shape(x).size();
  HONE_TRY(auto axes, c.constant_integers(3, "axes"));
  if (!axes) {
    axes.emplace(rank);
    std::iota(axes->begin(), axes->end(), 0);
  }
  if (given->size() != 2 * axes->size())
    return fail("pads have another length than the input's rank", "pads");
  Integers pads(2 * rank, 0);
  for (size_t i = 0; i < axes->size(); ++i) {
    HONE_TRY(const int64_t axis, c.axis((*axes)[i], rank, "axes"));
    const auto d = static_cast<size_t>(axis);
    const int64_t before = (*given)[i], after = (*given)[axes->size() + i], extent = c.graph.shape(x)[d];
    if (before <= -extent || after <= -extent || before + after <= -extent)
      return fail("the result is empty", "pads");
    HONE_TRY(x, part(c, c.name() + ".cut", x, axis, std::max<int64_t>(0, -before),
                     extent + std::min<int64_t>(0, after)));
    pads[d] = std::max<int64_t>(0, before);
    pads[rank + d] = std::max<int64_t>(0, after);
  }
  if (std::all_of(pads.begin(), pads.end(), [](int64_t p) { return p == 0; })) return Outputs{x};
  return one(c.graph.add(Op::pad, c.name(), {x}, {{"pads", pads}, {"value", value}}));
}

Result<Outputs> gather(Call& c) {
  HONE_TRY(ValueId x, c.operand(0));
  HONE_TRY(const ValueId indices, c.operand(1));
  const Shape shape = c.graph.shape(x), wanted = c.graph.shape(indices);
  HONE_TRY(const int64_t given, c.integer("axis", 0));
  HONE_TRY(const int64_t axis, c.axis(given, shape.size()));
  auto at = c.graph.known_integers(indices);
  if (!at) return fail("indices are not constant", "indices");
  if (at->empty()) return fail("indices are empty", "indices");
  const int64_t extent = shape[static_cast<size_t>(axis)];
  for (int64_t& index : *at) {
    if (index < -extent || index >= extent)
      return fail("index " + std::to_string(index) + " of " + std::to_string(extent), "indices");
    if (index < 0) index += extent;
  }
  const int64_t step = at->size() > 1 ? (*at)[1] - (*at)[0] : 1;
  for (size_t i = 1; i < at->size(); ++i)
    if ((*at)[i] - (*at)[i - 1] != step || step < 1)
      return fail("indices are no ascending sequence", "indices");
  HONE_TRY(x, part(c, c.name() + ".part", x, axis, at->front(), at->back() + 1, step));
  Shape result = shape;
  result.erase(result.begin() + axis);
  result.insert(result.begin() + axis, wanted.begin(), wanted.end());
  return one(c.graph.reshape(c.name(), x, std::move(result)));
}

}  // namespace

Handler find_movement(const std::string& op) {
  static const std::map<std::string, Handler> kHandlers = {
      {"Identity", identity},   {"Dropout", dropout}, {"Reshape", reshape},
      {"Flatten", flatten},     {"Squeeze", squeeze}, {"Unsqueeze", unsqueeze},
      {"Transpose", transpose}, {"Concat", concat},   {"Slice", slice},
      {"Split", split},         {"Pad", pad},         {"Gather", gather},
  };
  const auto found = kHandlers.find(op);
  return found == kHandlers.end() ? nullptr : found->second;
}

}  // namespace hone::onnx_import
