// Reads an ONNX model: checks the file, declares inputs and constants, and hands each needed node to its
// handler. Nodes that are not covered are gathered, so that a user sees all of them at once.
#include "codegen/import/onnx_model.h"

#include <google/protobuf/io/coded_stream.h>

#include <algorithm>
#include <map>
#include <set>

#include "codegen/import/onnx_call.h"
#include "codegen/import/onnx_tensor.h"

namespace hone::onnx_import {
namespace {

constexpr int64_t kOldestOpset = 1, kNewestOpset = 23;
constexpr int kMaxNodes = 1 << 18;

/// Walks over the outermost fields: tells a truncated file from one that is no model.
Status check_frame(std::string_view bytes) {
  constexpr const char* kHint = "an .onnx or .tflite file is expected";
  size_t at = 0;
  const auto varint = [&]() -> std::optional<uint64_t> {
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && at < bytes.size(); shift += 7) {
      const auto byte = static_cast<uint8_t>(bytes[at++]);
      value |= static_cast<uint64_t>(byte & 127) << shift;
      if (byte < 128) return value;
    }
    return std::nullopt;
  };
  while (at < bytes.size()) {
    const auto tag = varint();
    if (!tag || *tag >> 3 == 0 || *tag >> 3 > 100) return fail("this is not a model", {}, kHint);
    const auto wire = *tag & 7;
    const auto value = wire == 0 || wire == 2 ? varint() : std::optional<uint64_t>(wire == 1 ? 8 : 4);
    if (wire != 0 && wire != 1 && wire != 2 && wire != 5) return fail("this is not a model", {}, kHint);
    if (!value) return fail("the model is truncated", {}, "copy or download the file again");
    if (wire == 0) continue;
    if (*value > bytes.size() - at)
      return fail("the model is truncated: field " + std::to_string(*tag >> 3) + " has " +
                      std::to_string(*value) + " bytes, the file ends after " +
                      std::to_string(bytes.size() - at),
                  {}, "copy or download the file again");
    at += *value;
  }
  return {};
}

Result<onnx::ModelProto> parse(std::string_view bytes) {
  if (bytes.empty()) return fail("the file is empty");
  HONE_RETURN_IF_ERROR(check_frame(bytes));
  onnx::ModelProto model;
  google::protobuf::io::CodedInputStream stream(reinterpret_cast<const uint8_t*>(bytes.data()),
                                                static_cast<int>(bytes.size()));
  stream.SetTotalBytesLimit(INT32_MAX);
  if (!model.ParseFromCodedStream(&stream))
    return fail("this is not a model: its messages do not parse", {}, "an .onnx or .tflite file is expected");
  if (!model.has_graph() || model.graph().output_size() == 0)
    return fail("the model has no graph with outputs");
  if (model.ir_version() >= 3 && model.opset_import_size() == 0)
    return fail("the model does not say which opset it uses", {}, "is it truncated?");
  if (model.graph().node_size() > kMaxNodes)
    return fail("the graph has more than " + std::to_string(kMaxNodes) + " nodes");
  return model;
}

std::string label(const onnx::NodeProto& node) {
  return !node.name().empty()     ? node.name()
         : node.output_size() > 0 ? node.output(0)
                                  : std::string("(without a name)");
}

class Reader {
 public:
  Reader(onnx::ModelProto model, std::filesystem::path folder, const ImportOptions& options)
      : model_(std::move(model)),
        folder_(std::move(folder)),
        options_(options),
        graph_(used_names(model_.graph())) {}

  Result<ImportResult> read() {
    find_opset();
    result_.format = "ONNX IR " + std::to_string(model_.ir_version()) + ", opset " + std::to_string(opset_);
    if (!model_.producer_name().empty()) result_.format += ", " + model_.producer_name();
    if (!model_.producer_version().empty()) result_.format += " " + model_.producer_version();
    if (opset_ < kOldestOpset || opset_ > kNewestOpset) {
      refuse(
          "", "", "",
          "opsets " + std::to_string(kOldestOpset) + " to " + std::to_string(kNewestOpset) + " are covered");
      return std::move(result_);
    }
    HONE_RETURN_IF_ERROR(declare_constants());
    HONE_RETURN_IF_ERROR(declare_inputs());
    HONE_RETURN_IF_ERROR(add_nodes());
    HONE_RETURN_IF_ERROR(declare_outputs());
    if (!result_.unsupported.empty()) return std::move(result_);
    Graph graph = simplify(graph_.finish(model_.graph().name()));
    check_coverage(graph);
    if (!result_.unsupported.empty()) return std::move(result_);
    HONE_RETURN_IF_ERROR(verify(graph));
    result_.graph = std::move(graph);
    return std::move(result_);
  }

 private:
  static std::set<std::string> used_names(const onnx::GraphProto& graph) {
    std::set<std::string> names;
    for (const auto& tensor : graph.initializer()) names.insert(tensor.name());
    for (const auto& node : graph.node()) names.insert(node.output().begin(), node.output().end());
    for (const auto& input : graph.input()) names.insert(input.name());
    return names;
  }

  void refuse(std::string node, std::string op, std::string attribute, std::string reason) {
    result_.unsupported.push_back(
        {std::move(node), std::move(op), std::move(attribute), std::move(reason), opset_});
  }

  void find_opset() {
    for (const auto& set : model_.opset_import())
      if (set.domain().empty() || set.domain() == "ai.onnx") opset_ = set.version();
    if (model_.opset_import_size() == 0) opset_ = 1;  // as IR 2 prescribes
  }

  Status declare_constants() {
    if (model_.graph().sparse_initializer_size() > 0)
      refuse("", "", "sparse_initializer", "sparse tensors are not covered");
    for (auto& tensor : *model_.mutable_graph()->mutable_initializer()) {
      const auto type = widened(tensor.data_type());
      if (!type) {
        refuse(tensor.name(), "initializer", "data_type", type.error().what);
        continue;
      }
      HONE_TRY(DecodedTensor decoded, decode(tensor, folder_));
      HONE_TRY(const ValueId id,
               graph_.constant(tensor.name(), std::move(decoded.type), std::move(decoded.data)));
      if (!values_.emplace(tensor.name(), id).second)
        return fail("two initializers have this name", tensor.name());
      tensor.clear_raw_data();
      tensor.clear_float_data();
    }
    return {};
  }

  Status declare_inputs() {
    for (const auto& input : model_.graph().input()) {
      if (values_.count(input.name())) continue;  // IR 3: initializers are inputs too
      const auto& tensor = input.type().tensor_type();
      const auto type = widened(tensor.elem_type());
      if (!input.type().has_tensor_type() || !type) {
        refuse(input.name(), "input", "type", type ? "it is no tensor" : type.error().what);
        continue;
      }
      HONE_TRY(const Shape shape, input_shape(input));
      values_.emplace(input.name(), graph_.input(input.name(), {*type, shape}));
    }
    return {};
  }

  Result<Shape> input_shape(const onnx::ValueInfoProto& input) {
    if (const auto found = options_.input_shapes.find(input.name()); found != options_.input_shapes.end())
      return found->second;
    const auto& tensor = input.type().tensor_type();
    constexpr const char* kHint = "give the shape of the input";
    if (!tensor.has_shape())
      return fail("the model does not say which shape it has", "input " + input.name(), kHint);
    Shape shape;
    for (const auto& dim : tensor.shape().dim()) {
      int64_t extent = dim.dim_value();
      if (extent <= 0 && shape.empty()) extent = options_.batch;
      if (extent <= 0)
        return fail("dimension " + std::to_string(shape.size()) +
                        (dim.dim_param().empty() ? "" : " ('" + dim.dim_param() + "')") + " is open",
                    "input " + input.name(), kHint);
      if (extent > (int64_t{1} << 32))
        return fail("dimension " + std::to_string(shape.size()) + " is " + std::to_string(extent),
                    "input " + input.name());
      shape.push_back(extent);
    }
    return shape;
  }

  /// Names that the outputs depend on.
  std::set<std::string> needed_names() const {
    std::set<std::string> needed;
    for (const auto& output : model_.graph().output()) needed.insert(output.name());
    for (int i = model_.graph().node_size(); i-- > 0;) {
      const auto& node = model_.graph().node(i);
      if (std::any_of(node.output().begin(), node.output().end(),
                      [&](const auto& name) { return needed.count(name) != 0; }))
        needed.insert(node.input().begin(), node.input().end());
    }
    needed.erase("");
    return needed;
  }

  Status add_nodes() {
    const auto needed = needed_names();
    for (const auto& node : model_.graph().node()) {
      std::vector<bool> read;
      for (const auto& name : node.output()) read.push_back(needed.count(name) != 0);
      if (std::find(read.begin(), read.end(), true) == read.end()) continue;
      HONE_RETURN_IF_ERROR(add_node(node, std::move(read)));
    }
    return {};
  }

  Status add_node(const onnx::NodeProto& node, std::vector<bool> read) {
    std::vector<ValueId> operands;
    bool complete = true;
    for (const auto& name : node.input()) {
      const auto found = values_.find(name);
      if (!name.empty() && found == values_.end() && !unknown_.count(name))
        return fail("it reads '" + name + "', which nothing before it makes", label(node));
      complete = complete && !unknown_.count(name);
      operands.push_back(found == values_.end() ? -1 : found->second);
    }
    const bool own = node.domain().empty() || node.domain() == "ai.onnx";
    const Handler handler = own ? find_handler(node.op_type()) : nullptr;
    if (!handler)
      refuse(label(node), node.op_type(), "",
             own ? "operator is not covered" : "domain '" + node.domain() + "' is not covered");
    std::optional<Outputs> outputs;
    if (handler && complete) {
      Call call(node, opset_, graph_, std::move(operands), std::move(read));
      graph_.set_node_name(label(node));
      auto answer = handler(call);
      const std::string extra = answer ? call.left_over() : "";
      if (!answer)
        refuse(label(node), node.op_type(), answer.error().where == label(node) ? "" : answer.error().where,
               answer.error().what);
      else if (!extra.empty())
        refuse(label(node), node.op_type(), extra, "attribute is not covered");
      else
        outputs = std::move(*answer);
    }
    for (int i = 0; i < node.output_size(); ++i) {
      const std::string& name = node.output(i);
      if (name.empty()) continue;
      if (values_.count(name) || unknown_.count(name))
        return fail("'" + name + "' is made twice", label(node));
      if (outputs && i < static_cast<int>(outputs->size()))
        values_.emplace(name, (*outputs)[static_cast<size_t>(i)]);
      else
        unknown_.insert(name);
    }
    return {};
  }

  Status declare_outputs() {
    std::set<ValueId> taken;
    for (const auto& output : model_.graph().output()) {
      const auto found = values_.find(output.name());
      if (found == values_.end()) {
        if (!unknown_.count(output.name())) return fail("nothing makes it", "output " + output.name());
        continue;
      }
      ValueId id = found->second;
      const auto& inputs = graph_.graph().inputs;
      const bool direct = std::find(inputs.begin(), inputs.end(), id) != inputs.end();
      if (graph_.data(id))
        refuse(output.name(), "output", "", "it does not depend on any input: there is nothing to compute");
      if (!taken.insert(id).second || direct) {  // a name of its own
        HONE_TRY(id, graph_.add(Op::reshape, output.name(), {id}, {{"shape", graph_.shape(id)}}));
      }
      graph_.add_output(id, output.name());
    }
    return {};
  }

  /// What is left must be float32, but for indices.
  void check_coverage(const Graph& graph) {
    for (const ValueId id : graph.inputs)
      if (graph.value(id).type.dtype != DType::f32)
        refuse(graph.value(id).name, "input", "type", "inputs of integers are not covered");
    for (const Node& node : graph.nodes) {
      if (graph.value(node.output).type.dtype != DType::f32)
        refuse(node.name, std::string(to_text(node.op)), "",
               "works on integers that are known at run time only");
    }
  }

  onnx::ModelProto model_;
  std::filesystem::path folder_;
  const ImportOptions& options_;
  GraphBuilder graph_;
  ImportResult result_;
  int64_t opset_ = 0;
  std::map<std::string, ValueId> values_;
  std::set<std::string> unknown_;
};

}  // namespace

Result<ImportResult> read(std::string_view bytes, const std::filesystem::path& folder,
                          const ImportOptions& options) {
  HONE_TRY(onnx::ModelProto model, parse(bytes));
  return Reader(std::move(model), folder, options).read();
}

}  // namespace hone::onnx_import
