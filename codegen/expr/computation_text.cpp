// Computations as text: one line per tensor and stage, in the notation of the header.
#include <cmath>
#include <cstdio>

#include "codegen/expr/computation.h"

namespace hone {
namespace {

const char* function_name(ScalarOp op) {
  switch (op) {
    case ScalarOp::abs:
      return "abs";
    case ScalarOp::exp:
      return "exp";
    case ScalarOp::log:
      return "log";
    case ScalarOp::tanh:
      return "tanh";
    case ScalarOp::sigmoid:
      return "sigmoid";
    case ScalarOp::sqrt:
      return "sqrt";
    case ScalarOp::floor:
      return "floor";
    case ScalarOp::maximum:
      return "max";
    case ScalarOp::minimum:
      return "min";
    case ScalarOp::select_less:
      return "select_less";
    default:
      return nullptr;
  }
}

const char* infix(ScalarOp op) {
  switch (op) {
    case ScalarOp::add:
      return " + ";
    case ScalarOp::sub:
      return " - ";
    case ScalarOp::mul:
      return " * ";
    case ScalarOp::div:
      return " / ";
    default:
      return nullptr;
  }
}

std::string number_text(double value) {
  char text[32];
  for (int digits = 6; digits <= 17; ++digits) {  // the fewest digits that read back as the same number
    std::snprintf(text, sizeof text, "%.*g", digits, value);
    if (std::isnan(value) || std::strtod(text, nullptr) == value) break;
  }
  return text;
}

std::string index_list(const std::vector<Index>& index) {
  std::string text = "[";
  for (size_t i = 0; i < index.size(); ++i) text += (i ? "," : "") + to_text(index[i]);
  return text + "]";
}

std::string axis_list(const std::vector<Axis>& axes) {
  std::string text;
  for (const Axis& axis : axes)
    text += (text.empty() ? "" : ", ") + axis.name + " " + std::to_string(axis.extent);
  return text;
}

int precedence(ScalarOp op) {
  switch (op) {
    case ScalarOp::add:
    case ScalarOp::sub:
      return 1;
    case ScalarOp::mul:
    case ScalarOp::div:
      return 2;
    case ScalarOp::neg:
      return 3;
    default:
      return 4;
  }
}

struct Printer {
  const Computation& computation;
  const Stage* stage = nullptr;
  const ScalarNames* names = nullptr;
  mutable bool reduced = false;  ///< the reduction is printed where it is first read, as "acc" after that

  /// Below the root a name stands for its node.
  std::string operand(const Scalar& s) const {
    if (names)
      if (auto named = names->find(&s); named != names->end()) return named->second;
    return print(s);
  }

  std::string wrapped(const Scalar& s, int minimum_precedence) const {
    std::string text = operand(s);
    bool named = names && names->count(&s);
    return !named && printed_precedence(s) < minimum_precedence ? "(" + text + ")" : text;
  }

  int printed_precedence(const Scalar& s) const {
    return s.op == ScalarOp::constant && s.value < 0 ? 3 : precedence(s.op);
  }

  std::string print(const Scalar& s) const {
    switch (s.op) {
      case ScalarOp::constant:
        return number_text(s.value);
      case ScalarOp::read: {
        std::string text = computation.tensors.at(s.tensor).name + index_list(s.index);
        return s.outside ? text + " else " + number_text(*s.outside) : text;
      }
      case ScalarOp::from_index:
        return "index(" + to_text(s.index.at(0)) + ")";
      case ScalarOp::accumulator:
        return reduction();
      case ScalarOp::neg:
        return "-" + wrapped(*s.args[0], 4);
      default:
        break;
    }
    if (const char* symbol = infix(s.op)) {
      int own = precedence(s.op);
      return wrapped(*s.args[0], own) + symbol + wrapped(*s.args[1], own + 1);
    }
    std::string text;
    for (const ScalarPtr& arg : s.args) text += (text.empty() ? "" : ", ") + operand(*arg);
    return std::string(function_name(s.op)) + "(" + text + ")";
  }

  std::string reduction() const {
    if (!stage || !stage->reduction || reduced) return "acc";
    reduced = true;
    const char* name = stage->reduction->combiner == Combiner::sum ? "sum[" : "max[";
    return name + axis_list(stage->reduction->axes) + "](" + print(*stage->reduction->update) + ")";
  }
};

}  // namespace

std::string to_text(const Computation& computation, const Scalar& scalar, const ScalarNames& names) {
  return Printer{computation, nullptr, &names}.print(scalar);
}

std::string to_text(const Computation& computation, const Scalar& scalar) {
  return Printer{computation}.print(scalar);
}

std::string to_text(const Computation& computation) {
  std::string text;
  if (computation.arithmetic != DType::f32)
    text += "arithmetic " + std::string(to_text(computation.arithmetic)) + "\n";
  for (const Tensor& t : computation.tensors) {
    text += std::string(to_text(t.role)) + " " + t.name + " " + to_text(t.type) + " " + to_text(t.layout);
    if (std::string placement = to_text(t.placement); !placement.empty()) text += " " + placement;
    if (t.halo_value != 0) text += " halo_value " + number_text(t.halo_value);
    if (!(t.range == ValueRange{}))
      text += " in [" + number_text(t.range.lo) + "," + number_text(t.range.hi) + "]";
    text += "\n";
  }
  for (const Stage& stage : computation.stages) {
    text += stage.name + ": " + computation.tensors.at(stage.output).name + index_list(stage.store_index);
    if (!stage.axes.empty()) text += " over " + axis_list(stage.axes);
    text += " = " + Printer{computation, &stage}.print(*stage.value) + "\n";
  }
  return text;
}

}  // namespace hone
