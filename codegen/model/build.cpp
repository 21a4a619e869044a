// Builds a compiled model: kernels, packed weights, table and runtime become one shared object, which is
// checked against the reference before it gets its name.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "codegen/base/generator.h"
#include "codegen/base/output_file.h"
#include "codegen/model/describe.h"
#include "codegen/model/elf_object.h"
#include "codegen/model/kernels.h"
#include "codegen/model/runtime_objects.h"
#include "codegen/model/table_writer.h"
#include "codegen/runtime/host/model_file.h"

namespace hone {
namespace {

/// Blank digests and the target's text, which are filled in once the model is linked.
void add_notes(const Target& target, uint64_t weights_bytes, uint64_t table_bytes, ElfObject& object) {
  BlankNotes notes = blank_notes(to_text(target), weights_bytes, table_bytes);
  const int section = object.add_section(".note.hone", std::move(notes.bytes), 4);
  object.define("hone_model_note", section, 0);
  object.relocate(section, notes.weights_field, "hone_weights");
  object.relocate(section, notes.description_field, "hone_model_table");
}

/// Runs the finished file and the reference on the same generated inputs.
Status check_model(const Plan& plan, const std::string& file, const BuildOptions& options,
                   BuildReport& report) {
  std::vector<std::vector<float>> inputs;
  std::vector<const void*> in;
  for (const ValueId id : plan.graph.inputs) {
    const Value& value = plan.graph.value(id);
    const ValueRange range = value.range.value_or(ValueRange{});
    inputs.emplace_back(static_cast<size_t>(element_count(value.type.shape)));
    generate("check/" + value.name, range.lo, range.hi, inputs.back());
  }
  for (const auto& input : inputs) in.push_back(input.data());
  std::vector<std::vector<float>> outputs;
  std::vector<void*> out;
  for (const ValueId id : plan.graph.outputs)
    outputs.emplace_back(static_cast<size_t>(element_count(plan.graph.value(id).type.shape)), NAN);
  for (auto& output : outputs) out.push_back(output.data());
  HONE_TRY(LoadedModel model, LoadedModel::load(file, 1));
  HONE_RETURN_IF_ERROR(model.run(in, out));
  HONE_TRY(const auto reference, evaluate_reference(plan.graph, inputs, options.threads));
  report.checked = true;
  for (size_t i = 0; i < outputs.size(); ++i) {
    double error = 0, norm = 0;
    for (size_t k = 0; k < outputs[i].size(); ++k) {
      const double difference = outputs[i][k] - reference[i][k];
      error += difference * difference;
      norm += reference[i][k] * reference[i][k];
    }
    const double relative = error == 0 ? 0 : std::sqrt(error / std::max(norm, 1e-300));
    if (!(relative <= options.max_error)) report.correct = false;
    if (!(relative <= report.max_rel_error)) report.max_rel_error = relative;  // NaN too
  }
  const auto largest = [](const auto& list) {
    return std::max_element(list.begin(), list.end()) - list.begin();
  };
  if (!outputs.empty() && !outputs[0].empty())
    report.top1_equal = largest(outputs[0]) == largest(reference[0]);
  return {};
}

}  // namespace

Result<BuildReport> build(const Plan& plan, const std::filesystem::path& output,
                          const BuildOptions& options) {
  const bool checks = options.check && check_processor(plan.target).has_value();
  if (checks)
    HONE_RETURN_IF_ERROR(fits_memory(
        need_of_check(plan), options.memory_bytes > 0 ? options.memory_bytes : usable_memory_bytes(),
        "checking the built model",
        "a smaller --batch or --input-shape; --no-check builds it without running it"));
  HONE_TRY(OutputFile file, OutputFile::create(output, {.mode = 0777}));
  HONE_TRY(ElfObject object, ElfObject::create(plan.target.triple));
  HONE_TRY(std::vector<std::vector<std::byte>> objects, runtime_objects(plan.target.triple));
  HONE_TRY(Kernels kernels, compile_kernels(plan, options.threads));
  HONE_TRY(PackedWeights weights, pack_weights(plan, kernels));

  BuildReport report;
  std::vector<TableOp> table;
  for (size_t i = 0; i < plan.ops.size(); ++i) {
    const CompiledKernel& kernel = kernels.kernels[kernels.of_op[i]];
    table.push_back({kernel.symbol, weights.offsets[i], &kernel.signature});
  }
  HONE_TRY(const uint64_t table_bytes, write_table(plan, table, describe(plan, kernels, options), object));
  report.weight_bytes = static_cast<int64_t>(weights.bytes.size());
  add_notes(plan.target, weights.bytes.size(), table_bytes, object);
  const int section = object.add_section(".hone_weights", std::move(weights.bytes), 64);
  object.define("hone_weights", section, 0);
  objects.push_back(ElfObject(std::move(object)).write());  // its copy of the weights ends here
  for (CompiledKernel& kernel : kernels.kernels) {
    report.code_bytes += kernel.code_bytes;
    objects.push_back(std::move(kernel.object));
  }
  {
    HONE_TRY(std::vector<std::byte> linked, link_shared(objects, plan.target, model_symbols()));
    objects.clear();
    HONE_RETURN_IF_ERROR(write_digests(linked));
    HONE_RETURN_IF_ERROR(file.write({reinterpret_cast<const char*>(linked.data()), linked.size()}));
    report.file_bytes = static_cast<int64_t>(linked.size());
  }
  report.arena_bytes = plan.arena_bytes;
  for (const PlannedTask& task : distinct_tasks(plan)) {
    ++report.tasks;
    if (plan.ops[static_cast<size_t>(task.ops[0])].tuned)
      ++report.tuned;
    else
      report.untuned.push_back(summary(task.candidate.task));
  }
  if (checks) HONE_RETURN_IF_ERROR(check_model(plan, file.path(), options, report));
  if (report.correct) HONE_RETURN_IF_ERROR(file.commit());
  return report;
}

}  // namespace hone
