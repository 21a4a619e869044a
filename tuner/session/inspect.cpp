// Counts over a graph and its tasks; notes of a built model.
#include "tuner/session/inspect.h"

#include "codegen/base/input_file.h"
#include "codegen/graph/task.h"
#include "codegen/runtime/host/elf_image.h"
#include "codegen/runtime/host/file_bytes.h"

namespace hone::session {
namespace {

std::vector<ModelFacts::TaskCount> tasks_of(const Graph& graph) {
  std::vector<ModelFacts::TaskCount> tasks;
  for (const FusedOp& op : partition(graph)) {
    if (op.task.anchor().op == Op::reshape) continue;  // renames, computes nothing
    auto found = tasks.begin();
    while (found != tasks.end() && found->key != op.task.key) ++found;
    if (found == tasks.end())
      found = tasks.insert(found, {summary(op.task), op.task.key, 0, op.task.flops()});
    ++found->count;
  }
  return tasks;
}

int64_t parameters_of(const Graph& graph, const Node& node) {
  int64_t count = 0;
  for (const ValueId id : node.inputs)
    if (graph.value(id).is_constant) count += element_count(graph.value(id).type.shape);
  return count;
}

std::vector<ModelFacts::Border> borders_of(const Graph& graph, const std::vector<ValueId>& ids) {
  std::vector<ModelFacts::Border> borders;
  for (const ValueId id : ids) borders.push_back({graph.value(id).name, to_text(graph.value(id).type)});
  return borders;
}

}  // namespace

Result<ModelFacts> inspect_model(const std::filesystem::path& model, const ImportOptions& import) {
  HONE_TRY(ImportResult imported, import_model(model, import));
  ModelFacts facts;
  facts.format = std::move(imported.format);
  facts.unsupported = std::move(imported.unsupported);
  if (!facts.unsupported.empty()) return facts;
  const Graph& graph = imported.graph;
  facts.inputs = borders_of(graph, graph.inputs);
  facts.outputs = borders_of(graph, graph.outputs);
  for (const Value& value : graph.values)
    if (value.is_constant) facts.parameters += element_count(value.type.shape);
  for (const Node& node : graph.nodes) {
    facts.operators.push_back({node.name, std::string(to_text(node.op)),
                               to_text(graph.value(node.output).type), parameters_of(graph, node),
                               flops(graph, node)});
    facts.flops += facts.operators.back().flops;
  }
  facts.tasks = tasks_of(graph);
  return facts;
}

bool is_built_model(const std::string& file) {
  constexpr std::string_view elf =
      "\x7f"
      "ELF";
  const auto opened = InputFile::open(file);  // a pipe is not waited for
  if (!opened || opened->bytes() < elf.size()) return false;
  const auto begin = opened->read(0, elf.size());
  return begin && *begin == elf;
}

namespace {

Result<ModelNotes> notes_of(const std::string& file, bool require_digest) {
  HONE_TRY(const FileBytes bytes, FileBytes::read(file));
  HONE_TRY(const ElfImage image, ElfImage::parse(bytes.bytes(), kMostModelBytes, ImageMachine::any));
  HONE_TRY(ModelNotes notes, verify_model(image));
  if (require_digest) HONE_RETURN_IF_ERROR(require_digests(notes));
  return notes;
}

}  // namespace

Result<ModelNotes> inspect_built_model(const std::string& file, bool require_digest) {
  auto notes = notes_of(file, require_digest);
  if (!notes && notes.error().where.empty()) notes.error().where = file;
  return notes;
}

}  // namespace hone::session
