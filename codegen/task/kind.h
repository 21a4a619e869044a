// Kinds of task: operators of graphs today; forests and others to come. A kind says how its tasks' text is
// read, which ways there are to compute one, and what each of them lowers to; every lowering ends in a
// Kernel. Search, workers and logs know tasks by this interface alone, and only the table in kinds.cpp knows
// which kinds there are.
//
// What a runner must know of a kind (single right elements, how close an answer must come) is a table of its
// own, codegen/oracle/kind.h: runners hold no compiler.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/artifact/artifact.h"
#include "codegen/base/bodies.h"
#include "codegen/task/point.h"

namespace hone {

/// A task on a target, with the ports that it is measured with: its spaces, and what each of their points
/// lowers to. Keeps what its points share, so that lowering many costs little more than their schedules. Not
/// for several threads at once.
class TaskLowering {
 public:
  virtual ~TaskLowering() = default;

  /// Whether a formulation has the ports that it would choose itself, or makes do with those of its
  /// neighbours.
  enum class Fit : uint8_t { own, adapted };
  /// The spaces of the formulations that cover the task, the preferred one first: its `first` is trial 0.
  /// Points may fail to lower, a `first` too; where every `first` of the own ones does, the adapted ones are
  /// searched. Error: why there is none.
  virtual Result<std::vector<PointSpace>> spaces(Fit fit) = 0;
  /// What runs: for features. Errors: no such formulation, or parameters that do not lower.
  virtual Result<loop::Program> lower(const Point& point) = 0;
  /// The same by the schedule that a record keeps, even where its parameters mean something else by now.
  virtual Result<loop::Program> replay(const std::string& formulation, std::string_view schedule) = 0;
  struct Lowered {
    Kernel kernel;
    std::string schedule;  ///< as records keep it; replays
  };
  virtual Result<Lowered> kernel(const Point& point) = 0;
};

/// A parsed task of some kind. Immutable; its text is canonical: equal work has equal text.
class AnyTask {
 public:
  virtual ~AnyTask() = default;
  const std::string& text() const { return text_; }
  const Digest& key() const { return key_; }  ///< digest of `text`

  virtual std::string summary() const = 0;  ///< short, for tables: "conv3x3 s2 3>64 111x111 +relu"
  virtual double flops() const = 0;         ///< of one run; 0: not counted
  /// What it is measured with when it stands alone. Error: nothing covers it on this target.
  virtual Result<Ports> default_ports(const Target& target) const = 0;
  /// Error: ports that are not this task's.
  virtual Result<std::unique_ptr<TaskLowering>> on(const Target& target, const Ports& ports) const = 0;
  /// Unscheduled, in more precision than any candidate has: what these are checked against.
  virtual Result<Kernel> reference(const Target& target) const = 0;

 protected:
  explicit AnyTask(std::string text) : text_(std::move(text)), key_(digest_of(text_)) {}

 private:
  std::string text_;
  Digest key_;
};
using TaskPtr = std::shared_ptr<const AnyTask>;

struct TaskKind {
  std::string_view header;  ///< the first line of its tasks' texts, with its version: "task v1"
  /// A text from anywhere: everything about it is checked, and of its bodies that they are here and sound.
  Result<TaskPtr> (*parse)(std::string_view text, const Bodies& bodies);
};
/// All kinds. A program that defines this function itself has another table.
std::span<const TaskKind> task_kinds();

/// By the first line of the text. Errors: a kind that there is not; what its kind says.
Result<TaskPtr> parse_any_task(std::string_view text, const Bodies& bodies = {});

}  // namespace hone
