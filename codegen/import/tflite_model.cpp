// Reads a TFLite model: verifies the buffer, declares inputs and constants, hands each operator to its
// handler. See tflite_model.h.
#include "codegen/import/tflite_model.h"

#include <cstring>
#include <set>

#include "codegen/graph/evaluate.h"
#include "codegen/import/tflite_call.h"
#include "codegen/import/widen.h"

namespace hone::tflite_import {
namespace {

constexpr int64_t kMaxElements = int64_t{1} << 31;

template <class Vector>
size_t size_of_list(const Vector* list) {
  return list ? list->size() : 0;
}

std::optional<DType> widened(tflite::TensorType type) {
  switch (type) {
    case tflite::TensorType_FLOAT32:
    case tflite::TensorType_FLOAT16:
      return DType::f32;
    case tflite::TensorType_INT32:
    case tflite::TensorType_INT64:
      return DType::i64;
    default:
      return std::nullopt;
  }
}

Constant from_bytes(tflite::TensorType type, std::span<const std::byte> bytes) {
  switch (type) {
    case tflite::TensorType_FLOAT16:
      return constant_of(widen_halves(bytes));
    case tflite::TensorType_INT32:
      return constant_of(read_as<int32_t, int64_t>(bytes));
    default:
      return {{bytes.begin(), bytes.end()}};  // already float32 or int64
  }
}

int64_t element_bytes(tflite::TensorType type) {
  switch (type) {
    case tflite::TensorType_FLOAT16:
      return 2;
    case tflite::TensorType_INT64:
      return 8;
    default:
      return 4;
  }
}

class Reader {
 public:
  Reader(const tflite::Model& model, const ImportOptions& options) : model_(model), options_(options) {}

  Result<ImportResult> read() {
    result_.format = "TFLite schema " + std::to_string(model_.version());
    if (model_.description() && model_.description()->size() > 0)
      result_.format += ", " + model_.description()->str();
    result_.format += ", NHWC read as NCHW";
    if (size_of_list(model_.subgraphs()) != 1)
      return fail("the model has " + std::to_string(size_of_list(model_.subgraphs())) +
                  " subgraphs; one is expected");
    const auto& subgraph = *model_.subgraphs()->Get(0);
    if (!subgraph.tensors() || !subgraph.operators() || !subgraph.inputs() ||
        size_of_list(subgraph.outputs()) == 0)
      return fail("the model has no graph with inputs and outputs");
    tensors_ = subgraph.tensors();
    values_.resize(tensors_->size());
    unknown_.resize(tensors_->size());
    HONE_RETURN_IF_ERROR(declare_constants());
    HONE_RETURN_IF_ERROR(declare_inputs(*subgraph.inputs()));
    for (const auto* op : *subgraph.operators()) HONE_RETURN_IF_ERROR(add_operator(*op));
    HONE_RETURN_IF_ERROR(declare_outputs(*subgraph.outputs()));
    if (!result_.unsupported.empty()) return std::move(result_);
    Graph graph = simplify(graph_.finish(subgraph.name() ? subgraph.name()->str() : ""));
    for (const Node& node : graph.nodes)
      if (graph.value(node.output).type.dtype != DType::f32)
        refuse(node.name, std::string(to_text(node.op)), "",
               "works on integers that are known at run time only", 0);
    if (!result_.unsupported.empty()) return std::move(result_);
    HONE_RETURN_IF_ERROR(verify(graph));
    result_.graph = std::move(graph);
    return std::move(result_);
  }

 private:
  void refuse(std::string node, std::string op, std::string attribute, std::string reason, int64_t version) {
    result_.unsupported.push_back(
        {std::move(node), std::move(op), std::move(attribute), std::move(reason), version});
  }

  std::string name_of(int64_t index) const {
    const auto* name = tensors_->Get(static_cast<unsigned>(index))->name();
    return name && name->size() > 0 ? name->str() : "tensor" + std::to_string(index);
  }
  bool is_index(int64_t index) const { return index >= 0 && index < static_cast<int64_t>(tensors_->size()); }

  Result<Shape> shape_of(int64_t index) const {
    const auto* list = tensors_->Get(static_cast<unsigned>(index))->shape();
    Shape shape;
    int64_t count = 1;
    for (size_t d = 0; d < size_of_list(list); ++d) {
      int64_t extent = list->Get(static_cast<unsigned>(d));
      if (extent < 0 && d == 0) extent = options_.batch;
      if (extent < 0 || (extent > 0 && count > kMaxElements / extent))
        return fail("dimension " + std::to_string(d) + " is " + std::to_string(extent), name_of(index));
      count *= extent;
      shape.push_back(extent);
    }
    return shape;
  }

  Status declare_constants() {
    for (unsigned i = 0; i < tensors_->size(); ++i) {
      const auto& tensor = *tensors_->Get(i);
      if (tensor.buffer() >= size_of_list(model_.buffers())) return fail("its buffer is missing", name_of(i));
      const auto* data = model_.buffers()->Get(tensor.buffer())->data();
      if (size_of_list(data) == 0) continue;
      const auto dtype = widened(tensor.type());
      if (!dtype) continue;  // refused where it is read
      HONE_TRY(const Shape shape, shape_of(i));
      const int64_t needed = element_count(shape) * element_bytes(tensor.type());
      if (needed != data->size())
        return fail("it has " + std::to_string(data->size()) + " bytes, its shape " + to_text(shape) +
                        " needs " + std::to_string(needed),
                    name_of(i));
      Constant constant = from_bytes(tensor.type(), std::as_bytes(std::span(data->data(), data->size())));
      HONE_TRY(values_[i].id, graph_.constant(name_of(i), {*dtype, shape}, std::move(constant)));
    }
    return {};
  }

  Status declare_inputs(const flatbuffers::Vector<int32_t>& inputs) {
    for (const int32_t index : inputs) {
      if (!is_index(index)) return fail("an input is no tensor of the model");
      const auto type = tensors_->Get(static_cast<unsigned>(index))->type();
      if (type != tflite::TensorType_FLOAT32) {
        refuse(name_of(index), "input", "type",
               std::string("element type ") + tflite::EnumNameTensorType(type) + " is not covered", 0);
        unknown_[static_cast<size_t>(index)] = true;
        continue;
      }
      HONE_TRY(Shape shape, shape_of(index));
      if (const auto found = options_.input_shapes.find(name_of(index)); found != options_.input_shapes.end())
        shape = found->second;
      else if (shape.size() == 4)
        shape = {shape[0], shape[3], shape[1], shape[2]};
      for (const int64_t extent : shape)
        if (extent < 1)
          return fail("dimension is " + std::to_string(extent), "input " + name_of(index),
                      "give the shape of the input");
      const ValueId id = graph_.input(name_of(index), {DType::f32, shape});
      values_[static_cast<size_t>(index)] = {id, shape.size() == 4};
    }
    return {};
  }

  Status add_operator(const tflite::Operator& op) {
    if (op.opcode_index() >= size_of_list(model_.operator_codes())) return fail("an operator has no code");
    for (size_t k = 0; k < size_of_list(op.outputs()); ++k)
      if (!is_index(op.outputs()->Get(static_cast<unsigned>(k))))
        return fail("an output of an operator is no tensor of the model");
    if (size_of_list(op.outputs()) == 0) return fail("an operator has no output");
    const auto& code = *model_.operator_codes()->Get(op.opcode_index());
    const int builtin = std::max<int>(code.old_builtin_code(), code.builtin_code());
    const int64_t output = op.outputs()->Get(0);
    std::string label = operator_name(builtin);
    if (builtin == 32 && code.custom_code()) label += " " + code.custom_code()->str();
    Call call{op, name_of(output), graph_, {}};
    bool complete = true;
    for (size_t k = 0; k < size_of_list(op.inputs()); ++k) {
      const int32_t index = op.inputs()->Get(static_cast<unsigned>(k));
      if (index != -1 && !is_index(index)) return fail("it reads no tensor of the model", call.name);
      if (index == -1) {
        call.operands.push_back({});
        continue;
      }
      const Operand& value = values_[static_cast<size_t>(index)];
      const auto type = tensors_->Get(static_cast<unsigned>(index))->type();
      if (!widened(type)) {
        if (!unknown_[static_cast<size_t>(index)])
          refuse(call.name, label, "type",
                 std::string("element type ") + tflite::EnumNameTensorType(type) + " is not covered",
                 code.version());
        complete = false;
      } else if (value.id < 0 && !unknown_[static_cast<size_t>(index)]) {
        return fail("it reads '" + name_of(index) + "', which nothing before it makes", call.name);
      }
      complete = complete && value.id >= 0;
      call.operands.push_back(value);
    }
    const Handler handler = find_handler(builtin);
    if (!handler || op.outputs()->size() != 1)
      refuse(call.name, label, "", "operator is not covered", code.version());
    if (handler && complete && op.outputs()->size() == 1) {
      graph_.set_node_name(call.name);
      auto answer = handler(call);
      if (answer) {
        values_[static_cast<size_t>(output)] = *answer;
        return {};
      }
      refuse(call.name, label, answer.error().where == call.name ? "" : answer.error().where,
             answer.error().what, code.version());
    }
    for (const int32_t index : *op.outputs()) unknown_[static_cast<size_t>(index)] = true;
    return {};
  }

  Status declare_outputs(const flatbuffers::Vector<int32_t>& outputs) {
    std::set<ValueId> taken(graph_.graph().inputs.begin(), graph_.graph().inputs.end());
    for (const int32_t index : outputs) {
      if (!is_index(index)) return fail("an output is no tensor of the model");
      ValueId id = values_[static_cast<size_t>(index)].id;
      if (id < 0) {
        if (unknown_[static_cast<size_t>(index)]) continue;
        return fail("nothing makes it", "output " + name_of(index));
      }
      if (graph_.data(id))
        refuse(name_of(index), "output", "", "it does not depend on any input: there is nothing to compute",
               0);
      if (!taken.insert(id).second) {  // a name of its own
        HONE_TRY(id, graph_.add(Op::reshape, name_of(index), {id}, {{"shape", graph_.shape(id)}}));
      }
      graph_.add_output(id, name_of(index));
    }
    return {};
  }

  const tflite::Model& model_;
  const ImportOptions& options_;
  GraphBuilder graph_;
  ImportResult result_;
  const flatbuffers::Vector<flatbuffers::Offset<tflite::Tensor>>* tensors_ = nullptr;
  std::vector<Operand> values_;
  std::vector<bool> unknown_;
};

}  // namespace

bool is_tflite(std::string_view bytes) {
  return bytes.size() >= 8 && bytes.substr(4, 4) == tflite::ModelIdentifier();
}

Result<ImportResult> read(std::string_view bytes, const ImportOptions& options) {
  flatbuffers::Verifier verifier(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  if (!tflite::VerifyModelBuffer(verifier))
    return fail("the TFLite model is truncated or damaged", {}, "copy or download the file again");
  return Reader(*tflite::GetModel(bytes.data()), options).read();
}

}  // namespace hone::tflite_import
