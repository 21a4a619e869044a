// Entry of the importers: reads the file, tells the format by its content.
#include "codegen/import/import.h"

#include "codegen/base/input_file.h"
#include "codegen/import/onnx_model.h"
#include "codegen/import/tflite_model.h"

namespace hone {
namespace {

constexpr uint64_t kMaxFileBytes = (uint64_t{1} << 31) - 1;

Result<std::string> contents(const std::filesystem::path& file) {
  auto bytes = read_regular_file(file, kMaxFileBytes);
  if (!bytes && bytes.error().what.starts_with("has "))
    bytes.error().hint = "keep the weights as external data";
  return bytes;
}

}  // namespace

Result<ImportResult> import_bytes(std::string_view bytes, const std::filesystem::path& folder,
                                  const ImportOptions& options) {
  if (tflite_import::is_tflite(bytes)) return tflite_import::read(bytes, options);
  return onnx_import::read(bytes, folder, options);
}

Result<ImportResult> import_model(const std::filesystem::path& file, const ImportOptions& options) {
  HONE_TRY(const std::string bytes, contents(file));
  auto result = import_bytes(bytes, file.parent_path(), options);
  if (!result) {
    Error error = std::move(result).error();
    error.where = file.string() + (error.where.empty() ? "" : ": " + error.where);
    return pass(std::move(error));
  }
  if (result->graph.name.empty()) result->graph.name = file.stem().string();
  return result;
}

Result<Graph> import_graph(const std::filesystem::path& file, const ImportOptions& options) {
  HONE_TRY(ImportResult result, import_model(file, options));
  if (result.unsupported.empty()) return std::move(result.graph);
  std::string text = std::to_string(result.unsupported.size()) + " nodes are not covered:";
  for (size_t i = 0; i < result.unsupported.size() && i < 3; ++i) {
    const Unsupported& one = result.unsupported[i];
    text += (i ? "; " : " ") + one.op + (one.node.empty() ? "" : " '" + one.node + "'") +
            (one.attribute.empty() ? "" : ", " + one.attribute) + ", opset " + std::to_string(one.opset) +
            ": " + one.reason;
  }
  return fail(std::move(text), file.string(), "'hone inspect' lists all of them");
}

}  // namespace hone
