// What a runner knows of each kind of task: single right elements and how close an answer must come. It needs
// no compiler; how tasks are searched and lowered is a table of its own, codegen/task/kind.h.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "codegen/oracle/oracle.h"

namespace hone {

/// The oracle of a task of some kind, see Oracle. Immutable: several threads may ask it.
class OracleOfKind {
 public:
  virtual ~OracleOfKind() = default;
  virtual const std::string& task() const = 0;
  virtual const std::vector<OracleTensor>& inputs() const = 0;
  virtual const OracleTensor& output() const = 0;
  virtual double cost() const = 0;
  /// `index` is one of the output's.
  virtual Result<Oracle::Element> element(int64_t index, const Oracle::Source& source) const = 0;
  virtual ErrorBound loosest_bound() const = 0;
};

struct OracleKind {
  std::string_view header;  ///< the first line of its tasks' texts
  /// A text from anywhere.
  Result<std::shared_ptr<const OracleOfKind>> (*create)(std::string_view text, const Bodies& bodies);
};
/// All kinds. A program that defines this function itself has another table.
std::span<const OracleKind> oracle_kinds();

/// The kind of a network's operators: an interpreter of the graph.
Result<std::shared_ptr<const OracleOfKind>> graph_oracle(std::string_view text, const Bodies& bodies);
inline constexpr OracleKind graph_oracle_kind{"task v1", graph_oracle};

}  // namespace hone
