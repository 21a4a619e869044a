// ONNX's own tests (libonnx-testdata): one small model each with inputs and expected outputs.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "codegen/graph/graph.h"
#include "codegen/import/import.h"

namespace hone::test {

/// Folder of the distribution's node tests; may be missing.
inline std::filesystem::path node_test_folder() { return "/usr/share/libonnx-testdata/data/node"; }

struct NodeTest {
  std::string name;  ///< "test_conv_with_strides_padding"
  std::vector<std::string> operators;
  ImportResult imported;
  bool half = false;               ///< some tensor of it is float16: results agree to its precision only
  std::vector<Constant> inputs;    ///< float32, in the order of the graph's inputs
  std::vector<Constant> expected;  ///< float32, in the order of the graph's outputs
};

/// Weights, parameters and shapes, which these tests give as inputs, are made constants of the model first,
/// as they are in real models. Error: not imported at all, or data of a kind that is not read.
Result<NodeTest> load_node_test(const std::filesystem::path& folder);

/// A TensorProto file as float32 or int64 elements.
Result<Constant> read_tensor(const std::filesystem::path& pb);

}  // namespace hone::test
