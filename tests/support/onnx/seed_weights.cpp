// The rule for seeded weights over protobuf messages: see seed_weights.h.
#include "tests/support/onnx/seed_weights.h"

#include <cmath>
#include <fstream>
#include <map>
#include <numeric>
#include <set>

#include "codegen/base/generator.h"
#include "onnx.pb.h"

namespace hone::test {
namespace {

struct Use {
  const onnx::NodeProto* node;
  int operand;
};

class Seeding {
 public:
  Seeding(onnx::GraphProto& graph, double final_scale)
      : graph_(graph), final_scale_(static_cast<float>(final_scale)) {
    for (const auto& tensor : graph.initializer()) shapes_[tensor.name()] = integers(tensor);
    for (const auto& node : graph.node()) {
      for (int k = 0; k < node.input_size(); ++k) uses_[node.input(k)].push_back({&node, k});
      if (node.op_type() == "Conv" || node.op_type() == "Gemm") last_ = &node;
    }
  }

  void run() {
    std::set<std::string> shapes_used;
    google::protobuf::RepeatedPtrField<onnx::NodeProto> kept;
    std::vector<onnx::TensorProto> weights;
    for (const auto& node : graph_.node()) {
      const bool typed =
          node.attribute_size() > 0 && node.attribute(0).t().data_type() != onnx::TensorProto::FLOAT;
      const bool fills =
          node.op_type() == "ConstantOfShape" && shapes_.count(node.input(0)) && uses_.count(node.output(0));
      if (!fills || typed) {
        *kept.Add() = node;
        continue;
      }
      weights.push_back(weight(node.output(0), shapes_[node.input(0)]));
      shapes_used.insert(node.input(0));
    }
    drop(*graph_.mutable_initializer(), shapes_used);
    drop(*graph_.mutable_input(), shapes_used);
    for (auto& one : weights) *graph_.add_initializer() = std::move(one);
    graph_.mutable_node()->Swap(&kept);
  }

 private:
  static std::vector<int64_t> integers(const onnx::TensorProto& tensor) {
    if (tensor.data_type() != onnx::TensorProto::INT64) return {};
    if (!tensor.has_raw_data()) return {tensor.int64_data().begin(), tensor.int64_data().end()};
    std::vector<int64_t> values(tensor.raw_data().size() / 8);
    std::copy(tensor.raw_data().begin(), tensor.raw_data().end(), reinterpret_cast<char*>(values.data()));
    return values;
  }

  template <class List>
  static void drop(List& list, const std::set<std::string>& names) {
    List kept;
    for (auto& one : list)
      if (!names.count(one.name())) *kept.Add() = std::move(one);
    list.Swap(&kept);
  }

  Use first_user(const std::string& name) const {
    const Use& use = uses_.at(name).front();
    const std::string& op = use.node->op_type();
    const bool passes = op == "Identity" || op == "Unsqueeze" || op == "Reshape";
    return passes && use.operand == 0 ? first_user(use.node->output(0)) : use;
  }

  static std::pair<float, float> bounds(const Use& use, const std::vector<int64_t>& shape) {
    const std::string& op = use.node->op_type();
    bool transposed = false;
    for (const auto& attribute : use.node->attribute())
      transposed |= attribute.name() == "transB" && attribute.i() != 0;
    if ((op == "Conv" || op == "Gemm") && use.operand == 1) {
      const int64_t fan_in = op == "Conv" || transposed ? std::accumulate(shape.begin() + 1, shape.end(),
                                                                          int64_t{1}, std::multiplies<>())
                                                        : shape[0];
      const auto bound = static_cast<float>(std::sqrt(6.0 / static_cast<double>(fan_in)));
      return {-bound, bound};
    }
    if (op == "BatchNormalization") {
      if (use.operand == 1) return {0.7f, 1.1f};
      if (use.operand == 4) return {0.8f, 1.2f};
    } else if (op == "Mul") {
      return {0.8f, 1.2f};
    }
    return {-0.1f, 0.1f};
  }

  onnx::TensorProto weight(const std::string& name, const std::vector<int64_t>& shape) const {
    const Use use = first_user(name);
    const auto [lo, hi] = bounds(use, shape);
    std::vector<float> values(static_cast<size_t>(element_count(shape)));
    generate(name, lo, hi, values);
    if (use.node == last_)
      for (float& value : values) value *= final_scale_;
    onnx::TensorProto tensor;
    tensor.set_name(name);
    tensor.set_data_type(onnx::TensorProto::FLOAT);
    for (const int64_t extent : shape) tensor.add_dims(extent);
    tensor.set_raw_data(values.data(), values.size() * sizeof(float));
    return tensor;
  }

  onnx::GraphProto& graph_;
  float final_scale_;
  std::map<std::string, std::vector<int64_t>> shapes_;
  std::map<std::string, std::vector<Use>> uses_;
  const onnx::NodeProto* last_ = nullptr;
};

}  // namespace

Result<std::string> seed_weights(const std::filesystem::path& file, double final_scale,
                                 const std::string& output) {
  std::ifstream stream(file, std::ios::binary);
  onnx::ModelProto model;
  if (!model.ParseFromIstream(&stream)) return fail("cannot be parsed", file.string());
  Seeding(*model.mutable_graph(), final_scale).run();
  model.set_ir_version(std::max<int64_t>(model.ir_version(), 4));  // initializers need not be inputs
  if (!output.empty()) {
    model.mutable_graph()->clear_output();
    model.mutable_graph()->add_output()->set_name(output);
  }
  return model.SerializeAsString();
}

Result<Graph> import_seeded(const std::filesystem::path& model, double final_scale,
                            const std::string& output) {
  HONE_TRY(const std::string bytes, seed_weights(model, final_scale, output));
  HONE_TRY(ImportResult result, import_bytes(bytes, model.parent_path()));
  if (!result.unsupported.empty())
    return fail(result.unsupported[0].op + ": " + result.unsupported[0].reason, result.unsupported[0].node);
  return std::move(result.graph);
}

}  // namespace hone::test
