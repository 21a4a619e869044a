#include "tests/golden/networks.h"

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <sstream>

#include "codegen/base/generator.h"
#include "codegen/graph/evaluate.h"
#include "codegen/import/import.h"
#include "tests/support/onnx/seed_weights.h"

namespace hone::test {
namespace {

namespace fs = std::filesystem;

/// Numbers within the constant's range, or small enough that activations stay near one; integers count up.
Constant data_for(const Value& value) {
  const int64_t count = element_count(value.type.shape);
  if (value.type.dtype == DType::i64) {
    std::vector<int64_t> data(static_cast<size_t>(count));
    std::iota(data.begin(), data.end(), 0);
    return constant_of(data);
  }
  const auto fan =
      static_cast<float>(value.type.shape.size() < 2 ? 4 : std::max<int64_t>(1, count / value.type.shape[0]));
  const ValueRange range = value.range.value_or(ValueRange{-std::sqrt(3 / fan), std::sqrt(3 / fan)});
  std::vector<float> data(static_cast<size_t>(count));
  generate("data/" + value.name, range.lo, range.hi, data);
  return constant_of(data);
}

}  // namespace

Result<Graph> read_network(const std::string& name) {
  std::ifstream file(std::string(HONE_SOURCE_DIR) + "/tests/golden/networks/" + name + ".txt");
  std::stringstream text;
  text << file.rdbuf();
  HONE_TRY(Graph graph, parse_graph(text.str()));
  graph.name = name;
  for (Value& value : graph.values)
    if (value.is_constant) value.constant = std::make_shared<Constant>(data_for(value));
  HONE_RETURN_IF_ERROR(verify(graph));
  return graph;
}

std::string shared_file(const Network& network) {
  const char* given = std::getenv("HONE_SHARED");
  const fs::path path = fs::path(given ? given : HONE_SOURCE_DIR "/../shared") / "data" / network.file;
  return fs::exists(path) ? path.string() : "";
}

Result<Graph> load(const Network& network) {
  if (network.file.empty()) {
    HONE_TRY(Graph graph, read_network(network.name));
    return simplify(std::move(graph));
  }
  if (!network.is_shared()) return import_graph(std::string(HONE_SOURCE_DIR) + "/" + network.file);
  const std::string path = shared_file(network);
  if (network.file.starts_with("onnx-light")) return import_seeded(path, 1);
  return import_graph(path);
}

}  // namespace hone::test
