// Private header of the ONNX importer. One node being imported: its operands, its attributes, and the graph
// it adds to. A handler answers with the values of the node's outputs, or with an Error whose `where` is the
// attribute or operand that is not covered.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "codegen/import/builder.h"
#include "onnx.pb.h"

namespace hone::onnx_import {

class Call {
 public:
  Call(const onnx::NodeProto& node, int64_t opset, GraphBuilder& graph, std::vector<ValueId> operands,
       std::vector<bool> read)
      : node(node), opset(opset), graph(graph), operands_(std::move(operands)), read_(std::move(read)) {}

  const onnx::NodeProto& node;
  const int64_t opset;
  GraphBuilder& graph;

  /// Operands: absent optional ones are -1.
  size_t count() const { return operands_.size(); }
  bool has(size_t i) const { return i < operands_.size() && operands_[i] >= 0; }
  Result<ValueId> operand(size_t i) const;  ///< error if absent
  const std::vector<ValueId>& operands() const { return operands_; }
  /// Whether anything reads output `i`.
  bool is_read(size_t i) const { return i < read_.size() && read_[i]; }
  /// Data of an operand that must be constant; `what` names it in the message. Absent: nothing.
  Result<std::optional<std::vector<int64_t>>> constant_integers(size_t i, const char* what) const;
  Result<std::optional<double>> constant_number(size_t i, const char* what) const;

  /// Attributes; asking for one marks it as covered.
  bool has_attribute(const char* key);
  Result<int64_t> integer(const char* key, int64_t otherwise);
  Result<double> real(const char* key, double otherwise);
  Result<std::string> text(const char* key, std::string otherwise);
  Result<std::vector<int64_t>> integers(const char* key);  ///< empty if absent
  const onnx::TensorProto* tensor(const char* key);
  const onnx::AttributeProto* attribute(const char* key);
  void ignore(std::initializer_list<const char*> keys);
  /// The name of an attribute that nobody asked for, or "".
  std::string left_over() const;

  /// Name for the values that come of it: that of its first output.
  const std::string& name() const { return node.output(0); }
  /// `axis` counted from the front.
  Result<int64_t> axis(int64_t axis, size_t rank, const char* key = "axis") const;

 private:
  std::vector<ValueId> operands_;
  std::vector<bool> read_;
  std::set<std::string> asked_;
};

using Outputs = std::vector<ValueId>;
using Handler = Result<Outputs> (*)(Call&);

/// The handler of an operator of the default domain, or null. Each file of handlers has a table of its own.
Handler find_handler(const std::string& op);
Handler find_elementwise(const std::string& op);  ///< onnx_elementwise.cpp
Handler find_window(const std::string& op);       ///< onnx_window.cpp: convolutions and pools
Handler find_arithmetic(const std::string& op);   ///< onnx_arithmetic.cpp: products, norms, softmax, means
Handler find_movement(const std::string& op);  ///< onnx_movement.cpp: reshape, transpose, concat, slice, ...
Handler find_constant(const std::string& op);  ///< onnx_constant.cpp: constants and the arithmetic of shapes

}  // namespace hone::onnx_import
