// Oracle: single elements of a task's output, worked out from the task's text in float64, with the magnitude
// that their errors pass through (CONTRACTS.md, checks). It needs no compiler and believes nobody: runners hold
// reference artifacts and candidates, which come from elsewhere, to it.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/base/bodies.h"
#include "codegen/base/result.h"
#include "codegen/base/signature.h"

namespace hone {

class OracleOfKind;

/// A tensor that crosses the task's border, as the signatures of its candidates and references have it.
struct OracleTensor {
  std::string name;
  TensorType type;   ///< constants are float32 for every task
  ValueRange range;  ///< of test data
  bool constant = false;
};

class Oracle {
 public:
  /// Writes the elements first, first + stride, ... (row-major) of inputs()[tensor] to all of `out`. Never
  /// asked for an element that the tensor has not.
  using Source = std::function<void(size_t tensor, int64_t first, int64_t stride, std::span<float> out)>;
  struct Element {
    double value = 0, magnitude = 0;
  };

  /// `task_text` may come from anywhere. Errors: not a task's text, a body that is not here, or something
  /// that is not interpreted (named).
  static Result<Oracle> create(std::string_view task_text, const Bodies& bodies = {});
  const std::string& task() const;                  ///< its canonical text
  const std::vector<OracleTensor>& inputs() const;  ///< activations, then constants
  const OracleTensor& output() const;
  int64_t elements() const;  ///< of the output

  /// Scalar operations that one element takes at most: reads of its reductions, times those of what they
  /// read. About 2 to 5 ns each; may be anything for a text from anywhere.
  double cost() const;
  /// The most that an element may cost.
  static constexpr double most_cost = 1e9;
  /// Element `index` (row-major) of the output. Agrees with the reference artifact up to the order of
  /// summation (1e-12 of the magnitude). Errors: no such element; it costs more than `most_cost`, or must
  /// keep too much meanwhile.
  Result<Element> element(int64_t index, const Source& source) const;

 private:
  friend ErrorBound loosest_bound(const Oracle& oracle);
  explicit Oracle(std::shared_ptr<const OracleOfKind> of_kind) : of_kind_(std::move(of_kind)) {}
  std::shared_ptr<const OracleOfKind> of_kind_;
};

/// The test data of `seed`, as runners generate them (codegen/base/generator.h; names "seed/tensor").
Oracle::Source test_data(const Oracle& oracle, std::string_view seed);

/// The loosest error bound that any of hone's formulations claims for the task; `ErrorBound::exact()` where
/// answers must be equal.
ErrorBound loosest_bound(const Oracle& oracle);

/// Whether `signature` is of this task: its text, the inputs, constants and output by name, type and range of
/// test data, and of a candidate an error bound no looser than `loosest_bound`. The error says what differs.
Status matches(const Oracle& oracle, const Signature& signature);

}  // namespace hone
