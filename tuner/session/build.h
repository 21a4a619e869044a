// `hone build` as functions: the best schedules of a log, or those that the target implies, become one shared
// object.
#pragma once

#include <string>
#include <vector>

#include "codegen/base/preprocessing.h"
#include "codegen/import/import.h"
#include "codegen/model/model.h"
#include "logs/database.h"
#include "tuner/session/lab.h"

namespace hone::session {

struct BuildRequest {
  std::string model;  ///< file; its name without the ending is the model's
  ImportOptions import;
  std::string target = "host";  ///< as resolve_target takes it
  std::string output;           ///< the shared object to write
  std::string log;          ///< *.h5, or tcp://HOST:PORT[/JOB] of a scheduler; empty: nothing was measured
  LabAddress lab;           ///< keys for a scheduler's log
  std::string board_model;  ///< take records of this one; empty: of this machine
  int threads = 1;          ///< take records of this many, and try the result with as many
  PlanOptions plan;
  std::optional<Preprocessing> preprocessing;
  bool check = true;  ///< against the reference
  double max_error = BuildOptions().max_error;
};

/// Where the choices of a plan came from.
struct LookupCounts {
  int near = 0;             ///< distinct tasks whose record was measured with another number of threads
  std::string board_model;  ///< whose records were taken, if not those of this machine or as asked for
};

struct BuildOutcome {
  std::vector<Unsupported> unsupported;  ///< not empty: the model is not covered, and nothing was built
  BuildReport report;                    ///< not `correct`: nothing was written, see wrong_result
  LookupCounts counts;
  bool transforms = false;  ///< some operator computes through transforms (Winograd)
  double seconds = -1;      ///< of one run of what was built, from quick_time; negative: not run
};

/// Imports, plans, builds and checks. Errors: a model, target or log that is none, an output that cannot be
/// written.
Result<BuildOutcome> build(const BuildRequest& request);
/// The same for a model that was imported; `request.model` is its name then.
Result<BuildOutcome> build(const Graph& graph, const BuildRequest& request);

/// Seconds of one run: the median of a few on constant inputs, in a third of a second. `bench` measures.
Result<double> quick_time(const std::string& file, int threads);

/// Best records of a log for this target, number of threads and board model; one thread's where there is none
/// for `threads`. Only of formulations that the options permit. `counts` must live as long as the lookup.
/// Errors: those of reading the log.
Result<Lookup> lookup_in_log(const std::string& log, const Target& target, int threads,
                             const std::string& board_model, LookupCounts& counts,
                             const PlanOptions& options = {});
/// The same for a log that was read.
Lookup lookup_in(LogDatabase log, const Target& target, int threads, const std::string& board_model,
                 LookupCounts& counts, const PlanOptions& options = {});

/// What is wrong with a built model whose outputs differ by more than is allowed; `error` may be no number.
Error wrong_result(double error, double allowed, bool transforms, const std::string& model);

}  // namespace hone::session
