// Loading of ONNX's node tests: see node_test.h.
#include "tests/support/onnx/node_test.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <set>

#include "codegen/import/onnx_tensor.h"
#include "onnx.pb.h"

namespace hone::test {
namespace {

namespace fs = std::filesystem;

Result<onnx::TensorProto> load(const fs::path& pb) {
  std::ifstream stream(pb, std::ios::binary);
  onnx::TensorProto tensor;
  if (!stream || !tensor.ParseFromIstream(&stream)) return fail("is no tensor", pb.string());
  return tensor;
}

/// Operators whose operands from the second on are weights, parameters or shapes.
bool wants_constants(const std::string& op) {
  static const std::set<std::string> kOps = {"Conv",      "Gemm",    "BatchNormalization",
                                             "Clip",      "Reshape", "Pad",
                                             "Slice",     "Split",   "Squeeze",
                                             "Unsqueeze", "Gather",  "ReduceMean",
                                             "ReduceSum", "Expand",  "Dropout",
                                             "Pow",       "PRelu"};
  return kOps.count(op) != 0;
}

}  // namespace

Result<Constant> read_tensor(const fs::path& pb) {
  HONE_TRY(const onnx::TensorProto tensor, load(pb));
  HONE_TRY(auto decoded, onnx_import::decode(tensor, pb.parent_path()));
  return std::move(decoded.data);
}

Result<NodeTest> load_node_test(const fs::path& folder) {
  std::ifstream stream(folder / "model.onnx", std::ios::binary);
  onnx::ModelProto model;
  if (!model.ParseFromIstream(&stream)) return fail("cannot be parsed", folder.string());
  NodeTest test{folder.filename().string(), {}, {}, false, {}, {}};
  std::set<std::string> constants;
  for (const auto& node : model.graph().node()) {
    test.operators.push_back(node.op_type());
    const int first = node.op_type() == "ConstantOfShape" ? 0 : 1;
    if (first == 0 || wants_constants(node.op_type()))
      for (int i = first; i < node.input_size(); ++i) constants.insert(node.input(i));
  }
  std::vector<std::string> names;
  for (const auto& input : model.graph().input()) names.push_back(input.name());
  std::map<std::string, Constant> data;
  for (size_t i = 0; i < names.size(); ++i) {
    HONE_TRY(onnx::TensorProto tensor,
             load(folder / "test_data_set_0" / ("input_" + std::to_string(i) + ".pb")));
    tensor.set_name(names[i]);
    const int declared = model.graph().input(static_cast<int>(i)).type().tensor_type().elem_type();
    if (tensor.data_type() != declared) return fail("data is of another type than the input", names[i]);
    test.half |= declared == onnx::TensorProto::FLOAT16;
    if (constants.count(names[i])) {
      *model.mutable_graph()->add_initializer() = std::move(tensor);
    } else {
      HONE_TRY(auto decoded, onnx_import::decode(tensor, folder));
      data[names[i]] = std::move(decoded.data);
    }
  }
  for (const auto& output : model.graph().output()) {
    const int declared = output.type().tensor_type().elem_type();
    if (declared == onnx::TensorProto::BFLOAT16)
      return fail("outputs of bfloat16 are stored as integers", output.name());
    test.half |= declared == onnx::TensorProto::FLOAT16;
  }
  HONE_TRY(test.imported, import_bytes(model.SerializeAsString(), folder));
  const Graph& graph = test.imported.graph;
  for (const ValueId id : graph.inputs) test.inputs.push_back(data[graph.value(id).name]);
  for (size_t i = 0; test.imported.unsupported.empty() && i < graph.outputs.size(); ++i) {
    HONE_TRY(Constant expected,
             read_tensor(folder / "test_data_set_0" / ("output_" + std::to_string(i) + ".pb")));
    test.expected.push_back(std::move(expected));
  }
  return test;
}

}  // namespace hone::test
