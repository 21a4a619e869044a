// `hone tune` as functions: a model and limits become a plan, and the plan a tuning run, here or in a lab.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "codegen/base/target.h"
#include "codegen/import/import.h"
#include "codegen/model/model.h"
#include "measure/measurement.h"
#include "tuner/session/lab.h"
#include "tuner/session/tune_run.h"
#include "tuner/session/tuned.h"

namespace hone::session {

/// What is to be tuned, on what, and for how long.
struct TuneRequest {
  std::string model;  ///< file
  ImportOptions import;
  std::vector<std::string> targets = {"host"};  ///< as resolve_target takes them: one job for all of them
  std::vector<std::string> tasks;               ///< as select_tasks takes them; empty: all
  std::string log;                              ///< file to read and extend; empty with a scheduler
  std::vector<std::string> transfer;            ///< other logs to learn from
  LabAddress lab;                               ///< no scheduler: one is started here
  int threads = 1;                              ///< of the measured kernels
  uint64_t trials = 0;                          ///< that the log holds in the end; 0: no limit
  double seconds = 0, limit_seconds = 0;        ///< as in wire::JobRequest
  std::optional<double> target_ms;              ///< as in wire::JobRequest, above zero
  bool more = false;                            ///< go on with tasks that were finished
  uint64_t seed = 0;
  uint32_t priority = 10;
  std::vector<std::string> require;  ///< "KEY=VALUE" labels that a board must have
  std::string token;                 ///< of the submission; empty: drawn if there is a scheduler
  std::filesystem::path programs;    ///< as in TuneRun
};

struct TransferLog {
  std::string file;
  size_t records = 0;
};

/// A run that may begin, and what is worth knowing before it does.
struct TunePlan {
  LabAddress lab;
  TuneRun run;
  TunedParts parts;             ///< the tasks of each target
  std::vector<Target> targets;  ///< in the same order
  Board board;                  ///< this machine
  size_t operators = 0;
  double flops = 0;  ///< of the model for the first target
  double parameters = 0;
  size_t records = 0;  ///< of the first target in the log, if it lies here
  std::vector<TransferLog> transfer;
};

/// Imports and plans the model and looks at the logs; measures nothing. Errors: a model, target, task or log
/// that is none; what this machine cannot run or hold, if it is to measure; options that do not go together.
Result<TunePlan> plan_tuning(const TuneRequest& request);
/// The tasks of a model for a target, in the order that select_tasks numbers.
Result<std::vector<PlannedTask>> tasks_of(const std::string& model, const ImportOptions& import,
                                          const std::string& target);
/// Here with programs of its own, or in the lab, to the job's end.
Result<TuneOutcome> tune(const TunePlan& plan, const TellNews& tell, const Interrupt& interrupt = {});
/// Gives the lab the job and does not wait for it.
Result<uint64_t> submit(const TunePlan& plan);

/// Whether the model's constants fit a quarter of the last-level cache: then they are read from there while
/// it runs.
TimingMode timing_mode(const Graph& graph, const Board& board);
/// Whether `board` can run what is compiled for `target`. Error: another architecture, wider vectors, or
/// features it lacks.
Status can_run(const Board& board, const Target& target);
/// Milliseconds above zero. Error: anything else.
Status check_target_speed(double ms);

}  // namespace hone::session
