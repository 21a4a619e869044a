// Private header of the TFLite importer. One operator being imported, and the layouts of what it reads: a
// value of rank 4 is either NCHW or still in TFLite's own order NHWC, and is brought into the order that an
// operator wants.
#pragma once

#include <string>
#include <vector>

#include "codegen/import/builder.h"
#include "tflite_generated.h"

namespace hone::tflite_import {

struct Operand {
  ValueId id = -1;
  bool nchw = false;  ///< rank 4 with channels second; else in TFLite's order
};

struct Call {
  const tflite::Operator& op;
  const std::string name;  ///< of the output
  GraphBuilder& graph;
  std::vector<Operand> operands;  ///< absent ones have id -1

  Result<Operand> operand(size_t i) const;
  const Shape& shape(Operand x) const { return graph.shape(x.id); }
  /// The value with channels second, or in TFLite's order.
  Result<ValueId> nchw(Operand x);
  Result<ValueId> plain(Operand x);
  Result<std::vector<int64_t>> integers(size_t i, const char* what) const;
  /// Adds a fused activation, if any.
  Result<Operand> activate(ValueId x, bool is_nchw, tflite::Activation activation);
};

using Handler = Result<Operand> (*)(Call&);
/// Null if the operator is not covered.
Handler find_handler(int builtin_code);
std::string operator_name(int builtin_code);

}  // namespace hone::tflite_import
