// Model files become Graphs: ONNX (protobuf) and TFLite (flatbuffers), told apart by content, not by name.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/graph/graph.h"

namespace hone {

struct ImportOptions {
  int64_t batch = 1;                          ///< what a symbolic or zero first dimension becomes
  std::map<std::string, Shape> input_shapes;  ///< by input name: overrides what the file says
};

/// A model that cannot be read or is not covered. Every uncovered node is listed.
struct Unsupported {
  std::string node, op, attribute, reason;
  int64_t opset = 0;
};

struct ImportResult {
  Graph graph;  ///< simplified; valid only if `unsupported` is empty
  std::vector<Unsupported> unsupported;
  std::string format;  ///< "ONNX IR 8, opset 13, pytorch 1.13"
};

/// Error: no such file, truncated, not a model, over a size limit. Uncovered operators are no Error: they are
/// listed.
Result<ImportResult> import_model(const std::filesystem::path& file, const ImportOptions& options = {});
/// As import_model, from memory; `folder` is where external data lies.
Result<ImportResult> import_bytes(std::string_view bytes, const std::filesystem::path& folder,
                                  const ImportOptions& options = {});
/// As above, but uncovered operators are an Error that names the first few.
Result<Graph> import_graph(const std::filesystem::path& file, const ImportOptions& options = {});

/// A tensor in a file of its own (ONNX TensorProto, .pb): float types widened to float32, integers and
/// booleans to int64.
struct ImportedTensor {
  TensorType type;
  Constant data;
};
/// `bytes`: the file's content; `folder`: where external data would lie. Error: no tensor, torn, of an
/// uncovered type.
Result<ImportedTensor> import_tensor(std::string_view bytes, const std::filesystem::path& folder);

}  // namespace hone
