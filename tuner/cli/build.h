// `hone build`: bakes the best schedules of a log, or those that the target implies, into one shared object.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "codegen/base/result.h"
#include "codegen/import/import.h"
#include "codegen/model/model.h"
#include "logs/database.h"

namespace hone::cli {

/// "0.485,0.456,0.406". Error: anything else.
Result<std::vector<float>> parse_floats(std::string_view text);
/// A number or a quotient: "0.5", "1/255".
Result<float> parse_scale(std::string_view text);

/// Where the choices of a plan came from.
struct LookupCounts {
  int near = 0;             ///< distinct tasks whose record was measured with another number of threads
  std::string board_model;  ///< whose records were taken, if not those of this machine or as asked for
};
/// Best records of a log for this target, number of threads and board model; one thread's where there is none
/// for `threads`. Only of formulations that the options permit. Errors: those of reading the log.
Result<Lookup> lookup_in_log(const std::string& log, const Target& target, int threads,
                             const std::string& board_model, LookupCounts& counts,
                             const PlanOptions& options = {});
/// The same for a log that was read.
Lookup lookup_in(LogDatabase log, const Target& target, int threads, const std::string& board_model,
                 LookupCounts& counts, const PlanOptions& options = {});

/// What is said of a built model whose outputs differ by more than is allowed; `error` may be no number.
Error wrong_result(double error, double allowed, bool transforms, const std::string& model);

}  // namespace hone::cli
