// Operators that move elements: which element of which operand an element is.
#include "codegen/oracle/evaluation.h"

namespace hone::oracle {

Element Evaluation::moved(const Step& s, int64_t index) {
  if (s.op == Op::reshape || s.op == Op::transform) return at(s.operands[0], index);
  std::vector<int64_t> to = coordinates(s.shape, index);
  size_t operand = 0;
  std::vector<int64_t> from = to;
  switch (s.op) {
    case Op::concat:
      while (from[s.axis] >= s.shapes[operand][s.axis]) from[s.axis] -= s.shapes[operand++][s.axis];
      break;
    case Op::transpose:
      for (size_t d = 0; d < to.size(); ++d) from[static_cast<size_t>(s.permutation[d])] = to[d];
      break;
    case Op::pad:
      for (size_t d = 0; d < to.size(); ++d) {
        from[d] = to[d] - s.pads[d];
        if (from[d] < 0 || from[d] >= s.shapes[0][d]) return constant(s.a);
      }
      break;
    case Op::slice:
      for (size_t i = 0; i < s.axes.size(); ++i) {
        const auto d = static_cast<size_t>(s.axes[i]);
        from[d] = to[d] * s.steps[i] + s.starts[i];
      }
      break;
    case Op::channel_shuffle:
      from[1] = to[1] % s.groups * (s.shape[1] / s.groups) + to[1] / s.groups;
      break;
    default:
      check_failed("an operator that moves elements", __FILE__, __LINE__);
  }
  const auto strides = strides_of(s.shapes[operand]);
  int64_t flat = 0;
  for (size_t d = 0; d < from.size(); ++d) flat += from[d] * strides[d];
  return at(s.operands[operand], flat);
}

/// An index beyond the data gives 0, as in reference artifacts, which look for the element with that number.
Element Evaluation::gathered(const Step& s, int64_t index) {
  const Shape &data = s.shapes[0], &indices = s.shapes[1];
  const std::vector<int64_t> to = coordinates(s.shape, index);
  const auto data_strides = strides_of(data), index_strides = strides_of(indices);
  int64_t which = 0, from = 0;
  for (size_t d = 0; d < indices.size(); ++d) which += to[s.axis + d] * index_strides[d];
  double wanted = std::floor(at(s.operands[1], which).value);
  if (wanted < 0) wanted += static_cast<double>(data[s.axis]);
  if (!(wanted >= 0 && wanted < static_cast<double>(data[s.axis]))) return {};
  for (size_t d = 0; d < data.size(); ++d) {
    const int64_t position = d < s.axis    ? to[d]
                             : d == s.axis ? static_cast<int64_t>(wanted)
                                           : to[d + indices.size() - 1];
    from += position * data_strides[d];
  }
  return at(s.operands[0], from);
}

}  // namespace hone::oracle
