// Models compiled for this machine, run on arrays; and the arrays that are kept beside them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "codegen/base/result.h"
#include "codegen/graph/graph.h"

namespace hone::testing_models {

/// The shared data folder, or an empty path.
std::filesystem::path data();
#define HONE_NEEDS_DATA()                   \
  if (hone::testing_models::data().empty()) \
  GTEST_SKIP() << "no folder with the shared test data (HONE_SHARED)"

/// Plans and builds a graph into a temporary file, and runs it: one array per input, back one per output.
class Compiled {
 public:
  static Result<Compiled> make(const Graph& graph);
  Compiled(Compiled&& other) noexcept;
  ~Compiled();
  /// A fresh instance for each call.
  Result<std::vector<std::vector<float>>> run(const std::vector<std::vector<float>>& inputs,
                                              int threads = 1) const;
  /// One instance for many samples of the only input; the first output of each.
  Result<std::vector<std::vector<float>>> run_all(const std::vector<std::vector<float>>& samples) const;

 private:
  Compiled() = default;
  std::string file_;
};

struct Array {
  std::vector<int64_t> shape;
  std::vector<float> values;
};
/// float32 .npy
Array read_npy(const std::filesystem::path& file);
std::vector<float> generated(const std::string& name, const Shape& shape);

}  // namespace hone::testing_models
