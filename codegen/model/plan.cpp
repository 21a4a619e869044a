// The planner. First every operator gets a formulation, and every value the versions (layouts) that its
// writer and readers want; then buffers, with margins as wide as their widest reader; then candidates, and
// memory by liveness.
#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "codegen/model/margins.h"
#include "codegen/model/memory.h"
#include "codegen/model/model.h"
#include "codegen/model/versions.h"

namespace hone {
namespace {

/// So many buffers' bytes as there may be nodes are still a number.
constexpr int64_t kMostBufferBytes = int64_t{1} << 44;

/// One operator before its candidate is made: which versions it reads and writes.
struct Step {
  FusedOp op;
  const Formulation* formulation = nullptr;
  std::optional<Choice> choice;
  Ports wanted;  ///< layouts; placements follow
  std::vector<int> reads;
  int writes = -1;
};

Margin margin_of(const HaloNeed& need) { return {need.before, need.after, need.value}; }

Task transform_task(const TensorType& type) {
  Graph graph;
  graph.values.push_back({.name = "x", .type = type, .range = {}, .is_constant = false, .constant = nullptr});
  graph.values.push_back({.name = "y", .type = type, .range = {}, .is_constant = false, .constant = nullptr});
  graph.nodes.push_back(
      {.op = Op::transform, .name = "transform", .inputs = {0}, .output = 1, .attributes = {}});
  graph.inputs = {0};
  graph.outputs = {1};
  return make_task(std::move(graph));
}

class Planner {
 public:
  Planner(const Graph& graph, const Target& target, const Lookup& lookup, const PlanOptions& options)
      : graph_(graph), target_(target), lookup_(lookup), options_(options) {}

  Result<Plan> run() {
    for (const ValueId input : graph_.inputs) {
      const TensorType& type = graph_.value(input).type;
      if (type.dtype != DType::f32)
        return fail("input '" + graph_.value(input).name + "' is " + std::string(to_text(type.dtype)) +
                    ", only f32 inputs are covered");
      versions_.add(input, type, plain(type), /*from_outside=*/true);
    }
    for (const FusedOp& op : partition(graph_)) HONE_RETURN_IF_ERROR(place(op));
    for (const ValueId output : graph_.outputs) {
      if (graph_.value(output).is_constant)
        return fail("output '" + graph_.value(output).name + "' is a constant: there is nothing to compute");
      const TensorType& type = graph_.value(output).type;
      HONE_TRY(int version, version_for(output, plain(type), {}));
      // Samples of a part do not follow each other at the distance of its planes; the executor copies by
      // planes.
      if (type.shape.size() > 2 && type.shape[0] != 1 &&
          versions_.port(version, plain(type)).placement.buffer_channels > 0) {
        const int copy = versions_.add(output, type, plain(type));
        HONE_RETURN_IF_ERROR(transform(version, copy));
        version = copy;
      }
      outputs_.push_back(version);
    }
    return finish();
  }

 private:
  static Layout plain(const TensorType& type) { return Layout::plain(static_cast<int>(type.shape.size())); }

  /// Gives an operator its formulation and versions.
  Status place(const FusedOp& op) {
    if (op.task.anchor().op == Op::reshape) return place_reshape(op);
    if (op.task.anchor().op == Op::concat && place_concat(op)) return {};
    Step step;
    step.op = op;
    step.choice = lookup_ ? lookup_(op.task) : std::nullopt;
    if (step.choice) {
      step.formulation = find_formulation(step.choice->formulation);
      if (step.formulation == nullptr || !may_use(*step.formulation, op.task, target_, options_))
        step.choice.reset();
    }
    if (!step.choice) {
      auto found = choose_formulation(op.task, target_, options_);
      if (!found) return pass(Error{found.error().what, op.name, found.error().hint});
      step.formulation = *found;
    }
    step.wanted = step.formulation->layouts(op.task, target_);
    HONE_CHECK(step.wanted.inputs.size() == op.inputs.size());
    if (is_elementwise(op.task.anchor().op)) keep_layouts(step);
    if (op.task.anchor().op == Op::channel_shuffle)  // gathers channels from any layout alike
      step.wanted.inputs[0].layout = versions_[versions_.first(op.inputs[0])].layout;
    const std::vector<HaloNeed> needs = step.formulation->halo(op.task, target_);
    for (size_t i = 0; i < op.inputs.size(); ++i) {
      const Margin margin = i < needs.size() ? margin_of(needs[i]) : Margin{};
      HONE_TRY(const int version, version_for(op.inputs[i], step.wanted.inputs[i].layout, margin));
      step.reads.push_back(version);
    }
    step.writes = versions_.add(op.output, graph_.value(op.output).type, step.wanted.output.layout);
    steps_.push_back(std::move(step));
    return {};
  }

  /// An elementwise operator whose operands already agree on another layout takes that one, if it can.
  void keep_layouts(Step& step) {
    const TensorType& type = graph_.value(step.op.output).type;
    Ports ports = step.wanted;
    for (size_t i = 0; i < step.op.inputs.size(); ++i) {
      if (graph_.value(step.op.inputs[i]).type.shape != type.shape) return;
      const Layout& layout = versions_[versions_.first(step.op.inputs[i])].layout;
      if (i > 0 && layout != ports.inputs[0].layout) return;
      ports.inputs[i].layout = layout;
    }
    ports.output.layout = ports.inputs[0].layout;
    if (step.formulation->formulate(step.op.task, target_, ports)) step.wanted = ports;
  }

  /// Finds or makes the version that a reader wants.
  Result<int> version_for(ValueId value, const Layout& layout, const Margin& margin) {
    if (const int found = versions_.find(value, layout, margin); found >= 0) return found;
    const int from = versions_.first(value);
    HONE_CHECK(from >= 0);
    const int to = versions_.add(value, graph_.value(value).type, layout);
    HONE_RETURN_IF_ERROR(transform(from, to));
    HONE_CHECK(versions_.find(value, layout, margin) == to);
    return to;
  }

  Status transform(int from, int to) {
    Step step;
    const Version &source = versions_[from], &result = versions_[to];
    step.op.task = transform_task(result.type);
    step.op.name =
        graph_.value(source.value).name + ": " + to_text(source.layout) + " to " + to_text(result.layout);
    step.op.inputs = {source.value};
    step.op.output = result.value;
    step.formulation = find_formulation("transform");
    if (step.formulation == nullptr) return fail("no formulation for layout transforms");
    step.choice = lookup_ ? lookup_(step.op.task) : std::nullopt;
    if (step.choice && step.choice->formulation != step.formulation->name) step.choice.reset();
    step.wanted = {{{source.layout, {}}}, {result.layout, {}}};
    step.reads = {from};
    step.writes = to;
    steps_.push_back(std::move(step));
    return {};
  }

  Status place_reshape(const FusedOp& op) {
    const ValueId input = op.inputs[0];
    const TensorType& type = graph_.value(input).type;
    HONE_TRY(int version, version_for(input, plain(type), {}));
    if (versions_[version].parent >= 0 || versions_[version].margin.any() ||
        versions_[version].from_outside) {
      const bool same_bytes = versions_[version].alias && !versions_[versions_.root(version)].margin.any();
      if (!same_bytes) {
        const int copy = versions_.add(input, type, plain(type));
        HONE_RETURN_IF_ERROR(transform(version, copy));
        version = copy;
      }
    }
    versions_.add_alias(op.output, graph_.value(op.output).type, plain(graph_.value(op.output).type),
                        version);
    return {};
  }

  /// A concatenation over channels needs no operator: its operands are written where it wants them, those
  /// that cannot be are copied. False: it is an operator like any other.
  bool place_concat(const FusedOp& op) {
    const Node& node = op.task.anchor();
    const TensorType& type = graph_.value(op.output).type;
    const auto rank = static_cast<int64_t>(type.shape.size());
    const int64_t axis = node.integer("axis", 1);
    if (op.task.graph.nodes.size() != 1 || !op.constants.empty() || rank < 2 || (axis + rank) % rank != 1)
      return false;
    // The anchor may read one value twice; the task's inputs are distinct.
    std::vector<ValueId> operands;
    for (const ValueId id : node.inputs) {
      const auto& inputs = op.task.graph.inputs;
      operands.push_back(
          op.inputs[static_cast<size_t>(std::find(inputs.begin(), inputs.end(), id) - inputs.begin())]);
    }
    const int whole = versions_.add(op.output, type, concat_layout(operands, type));
    concats_.push_back(whole);
    int64_t offset = 0;
    for (size_t next = 0; next < operands.size();) {
      const auto [run, length] = earlier_concat(operands, next, whole);
      const bool shared = run >= 0 && versions_.make_part(run, whole, offset);
      if (!shared && !place_part(operands[next], whole, offset)) {
        const TensorType part_type = graph_.value(operands[next]).type;
        const int copy = versions_.add(operands[next], part_type, versions_[whole].layout);
        HONE_CHECK(transform(versions_.first(operands[next]), copy).has_value());
        HONE_CHECK(versions_.make_part(copy, whole, offset));
      }
      for (size_t used = shared ? length : 1; used > 0; --used)
        offset += graph_.value(operands[next++]).type.shape[1];
    }
    return true;
  }

  /// Whether some version of the value can be written straight into `whole`.
  bool place_part(ValueId value, int whole, int64_t offset) {
    for (const int id : versions_.of(value))
      if (id < whole && versions_.make_part(id, whole, offset)) return true;
    return false;
  }

  /// The values that an operand consists of: itself, unless it is a concatenation in place.
  std::vector<ValueId> leaves(ValueId operand) const {
    const std::vector<ValueId>& holds = versions_[versions_.first(operand)].holds;
    return holds.empty() ? std::vector<ValueId>{operand} : holds;
  }

  /// The longest concatenation before `whole`, of its layout, that holds what the operands from `from` on
  /// hold and lies in no other one; with the number of those operands. As in DenseNet, where each layer's
  /// concatenation continues the last one: all share the buffer of the longest. -1: none.
  std::pair<int, size_t> earlier_concat(const std::vector<ValueId>& operands, size_t from, int whole) const {
    std::pair<int, size_t> best{-1, 0};
    for (const int id : concats_) {
      const Version& v = versions_[id];
      if (id >= whole || v.holds.empty() || v.layout != versions_[whole].layout || v.parent >= 0) continue;
      size_t at = 0, next = from;
      for (bool equal = true; equal && at < v.holds.size() && next < operands.size(); ++next) {
        const std::vector<ValueId> some = leaves(operands[next]);
        equal = some.size() <= v.holds.size() - at &&
                std::equal(some.begin(), some.end(), v.holds.begin() + static_cast<ptrdiff_t>(at));
        at += equal ? some.size() : v.holds.size() + 1;
      }
      if (at == v.holds.size() && next - from > best.second) best = {id, next - from};
    }
    return best;
  }

  /// The layout that most operands have, if every offset is a multiple of its block; else plain.
  Layout concat_layout(const std::vector<ValueId>& operands, const TensorType& type) const {
    std::map<std::string, std::pair<int, Layout>> votes;
    for (const ValueId operand : operands) {
      const Layout& layout = versions_[versions_.first(operand)].layout;
      auto& vote = votes[to_text(layout)];
      vote.second = layout;
      ++vote.first;
    }
    Layout best = plain(type);
    int most = 0;
    for (const auto& [text, vote] : votes) {
      int64_t block = 1;
      for (const Layout::Block& b : vote.second.blocks)
        if (b.dimension == 1) block *= b.size;
      bool fits = true;
      for (size_t i = 0; i + 1 < operands.size(); ++i)
        fits &= graph_.value(operands[i]).type.shape[1] % block == 0;
      if (!fits || vote.first <= most) continue;
      most = vote.first;
      best = vote.second;
    }
    return best;
  }

  Result<Plan> finish() {
    Plan plan;
    plan.graph = graph_;
    plan.target = target_;
    plan.options = options_;
    for (int id = 0; id < versions_.count(); ++id) {
      if (versions_[id].parent >= 0) continue;
      buffer_of_[id] = static_cast<int>(plan.buffers.size());
      PlannedBuffer buffer;
      buffer.type = versions_[id].type;
      buffer.port = versions_.port(id, versions_[id].layout);
      buffer.halo_value = versions_[id].margin.value;
      buffer.name = graph_.value(versions_[id].value).name;
      buffer.bytes = buffer_bytes(buffer.type, buffer.port);
      if (buffer.bytes > kMostBufferBytes)
        return fail("with its margins it has more than " + std::to_string(kMostBufferBytes) + " bytes",
                    "tensor '" + buffer.name + "' " + to_text(buffer.type));
      buffer.first_use = static_cast<int>(steps_.size());
      buffer.last_use = -1;
      plan.buffers.push_back(std::move(buffer));
    }
    for (size_t i = 0; i < steps_.size(); ++i)
      HONE_RETURN_IF_ERROR(finish_step(steps_[i], static_cast<int>(i), plan));
    for (const ValueId input : graph_.inputs) {
      const int buffer = buffer_of_.at(versions_.first(input));
      plan.inputs.push_back(buffer);
      plan.buffers[static_cast<size_t>(buffer)].first_use = 0;
      plan.buffers[static_cast<size_t>(buffer)].last_use =
          std::max(plan.buffers[static_cast<size_t>(buffer)].last_use, 0);
    }
    for (const int version : outputs_) {
      const int buffer = buffer_of_.at(versions_.root(version));
      plan.outputs.push_back(buffer);
      plan.output_ports.push_back(versions_.port(version, versions_[version].layout));
      plan.buffers[static_cast<size_t>(buffer)].last_use = static_cast<int>(steps_.size());
    }
    std::vector<Life> lives;
    for (const PlannedBuffer& b : plan.buffers)
      lives.push_back({b.bytes, b.first_use, std::max(b.first_use, b.last_use)});
    const MemoryPlan memory = plan_memory(lives);
    for (size_t i = 0; i < plan.buffers.size(); ++i) plan.buffers[i].offset = memory.offsets[i];
    plan.arena_bytes = memory.bytes;
    return plan;
  }

  Status finish_step(Step& step, int index, Plan& plan) {
    PlannedOp op;
    Ports ports;
    for (size_t i = 0; i < step.reads.size(); ++i) {
      ports.inputs.push_back(versions_.port(step.reads[i], step.wanted.inputs[i].layout));
      op.shifts.push_back(take_shift(versions_[step.reads[i]].type, ports.inputs.back()));
      use(plan, op, step.reads[i], index);
    }
    ports.output = versions_.port(step.writes, step.wanted.output.layout);
    op.shifts.push_back(take_shift(versions_[step.writes].type, ports.output));
    use(plan, op, step.writes, index);
    Result<Candidate> candidate = fail("no choice");
    if (step.choice) {
      candidate = make_candidate(step.op.task, target_, *step.formulation, ports, step.choice->parameters);
      op.tuned = candidate.has_value();
    }
    if (!candidate)
      candidate = make_candidate(step.op.task, target_, *step.formulation, ports,
                                 step.formulation->default_parameters(step.op.task, target_, ports));
    if (!candidate) return pass(Error{candidate.error().text(), step.op.name, "a bug: please report it"});
    op.candidate = std::move(*candidate);
    op.seconds = op.tuned ? step.choice->seconds : 0;
    op.op = std::move(step.op);
    HONE_TRY(const std::vector<int64_t> scratch, scratch_bytes(op.candidate));
    for (const int64_t bytes : scratch) {
      op.scratch.push_back(bytes == 0 ? -1 : static_cast<int>(plan.buffers.size()));
      if (bytes == 0) continue;
      PlannedBuffer buffer;
      buffer.bytes = bytes;
      buffer.first_use = buffer.last_use = index;
      buffer.name = op.op.name + ": scratch";
      plan.buffers.push_back(std::move(buffer));
    }
    plan.ops.push_back(std::move(op));
    return {};
  }

  /// Scratch tensors live in the arena, but for those that stay on the kernel's stack (0 bytes). Once per
  /// distinct candidate.
  Result<std::vector<int64_t>> scratch_bytes(const Candidate& candidate) {
    HONE_TRY(const Formulated formulated,
             find_formulation(candidate.formulation)->formulate(candidate.task, target_, candidate.ports));
    const bool any = std::any_of(formulated.run.tensors.begin(), formulated.run.tensors.end(),
                                 [](const Tensor& t) { return t.role == Role::scratch; });
    if (!any) return std::vector<int64_t>{};
    const std::string key = candidate_key(candidate);
    if (const auto known = scratch_.find(key); known != scratch_.end()) return known->second;
    HONE_TRY(const Kernel lowered, lower_candidate(candidate));
    std::vector<int64_t> bytes;
    std::set<size_t> on_stack;
    for (const loop::Phase& phase : lowered.run.phases)
      on_stack.insert(phase.locals.begin(), phase.locals.end());
    for (size_t i = 0; i < lowered.signature.buffers.size(); ++i)
      if (lowered.signature.buffers[i].role == Role::scratch)
        bytes.push_back(on_stack.count(i) ? 0 : lowered.signature.buffers[i].bytes);
    return scratch_[key] = bytes;
  }

  void use(Plan& plan, PlannedOp& op, int version, int index) {
    const int id = buffer_of_.at(versions_.root(version));
    PlannedBuffer& buffer = plan.buffers[static_cast<size_t>(id)];
    buffer.first_use = std::min(buffer.first_use, index);
    buffer.last_use = std::max(buffer.last_use, index);
    op.buffers.push_back(id);
  }

  const Graph& graph_;
  const Target& target_;
  const Lookup& lookup_;
  const PlanOptions options_;
  Versions versions_;
  std::vector<int> concats_;  ///< versions that are concatenations in place
  std::vector<Step> steps_;
  std::vector<int> outputs_;
  std::map<int, int> buffer_of_;
  std::map<std::string, std::vector<int64_t>> scratch_;
};

}  // namespace

Result<Plan> plan(const Graph& graph, const Target& target, const Lookup& lookup,
                  const PlanOptions& options) {
  return Planner(graph, target, lookup, options).run();
}

}  // namespace hone
