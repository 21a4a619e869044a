// Plan by a log, build, check, and a first look at the speed.
#include "tuner/session/build.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>

#include "codegen/runtime/host/host.h"

namespace hone::session {
namespace {

/// The choices of the request's log for a target; none without one.
Result<Lookup> lookup_of(const BuildRequest& request, const Target& target, const Board& board,
                         LookupCounts& counts) {
  if (request.log.empty()) return Lookup();
  std::string board_model = request.board_model.empty() ? board.model : request.board_model;
  HONE_TRY(LogDatabase log, open_log(request.log, request.lab, to_text(target)));
  // The boards of a lab are seldom like this machine; if they are all of one kind, it is that kind.
  const std::vector<std::string> models = log.board_models(to_text(target));
  if (is_endpoint(request.log) && request.board_model.empty() && models.size() == 1 &&
      models[0] != board_model) {
    counts.board_model = board_model = models[0];
  }
  return lookup_in(std::move(log), target, request.threads, board_model, counts, request.plan);
}

}  // namespace

Error wrong_result(double error, double allowed, bool transforms, const std::string& model) {
  if (!std::isfinite(error))
    return {"outputs of the built model or of its reference are NaN or infinite; nothing was written", model,
            "weights that are not trained may overflow: look at what the model gives elsewhere"};
  return {fmt::format(
              "the built model is {:.2g} from the reference, at most {:.2g} is allowed; nothing was written",
              error, allowed),
          model,
          transforms ? "--strict leaves out what rounds more; --max-error allows more"
                     : "--max-error allows more; beyond 1e-4 it is a bug: please report it"};
}

Result<double> quick_time(const std::string& file, int threads) {
  HONE_TRY(LoadedModel model, LoadedModel::load(file, threads));
  std::vector<std::vector<float>> in, out;
  const auto arrays = [](const std::vector<hone_model_tensor>& tensors, auto& storage, auto& pointers) {
    for (const hone_model_tensor& t : tensors)
      storage.emplace_back(static_cast<size_t>(element_count(Shape(t.shape, t.shape + t.rank))), 0.5f);
    for (auto& array : storage) pointers.push_back(array.data());
  };
  std::vector<const void*> in_pointers;
  std::vector<void*> out_pointers;
  arrays(model.inputs(), in, in_pointers);
  arrays(model.outputs(), out, out_pointers);
  using Clock = std::chrono::steady_clock;
  std::vector<double> samples;
  HONE_RETURN_IF_ERROR(model.run(in_pointers, out_pointers));
  for (const auto begin = Clock::now();
       samples.size() < 5 ||
       (samples.size() < 50 && Clock::now() - begin < std::chrono::milliseconds(300));) {
    const auto start = Clock::now();
    HONE_RETURN_IF_ERROR(model.run(in_pointers, out_pointers));
    samples.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  std::nth_element(samples.begin(), samples.begin() + static_cast<ptrdiff_t>(samples.size() / 2),
                   samples.end());
  return samples[samples.size() / 2];
}

Result<BuildOutcome> build(const Graph& graph, const BuildRequest& request) {
  BuildOutcome outcome;
  HONE_TRY(const Target target, resolve_target(request.target));
  BuildOptions options;
  options.preprocessing = request.preprocessing;
  options.model_name = std::filesystem::path(request.model).stem().string();
  options.check = request.check;
  options.max_error = request.max_error;
  const Board board = probe_board();
  options.threads = std::max(1, board.cores);
  HONE_TRY(const Lookup lookup, lookup_of(request, target, board, outcome.counts));
  HONE_TRY(const Plan planned, plan(graph, target, lookup, request.plan));
  for (const PlannedOp& op : planned.ops)
    outcome.transforms |= find_formulation(op.candidate.formulation)->transforms;
  HONE_TRY(outcome.report, hone::build(planned, request.output, options));
  std::error_code ignored;  // what went to a device is not there to be run
  if (outcome.report.correct && outcome.report.checked &&
      std::filesystem::is_regular_file(request.output, ignored)) {
    HONE_TRY(outcome.seconds, quick_time(request.output, request.threads));
  }
  return outcome;
}

Result<BuildOutcome> build(const BuildRequest& request) {
  HONE_TRY(ImportResult imported, import_model(request.model, request.import));
  if (imported.unsupported.empty()) return build(imported.graph, request);
  BuildOutcome outcome;
  outcome.unsupported = std::move(imported.unsupported);
  return outcome;
}

}  // namespace hone::session
