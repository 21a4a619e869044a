// A graph evaluated operator by operator with reference artifacts: float64, plain layouts, no planning. Slow
// on purpose: it shares nothing with the compiled model but the operators' definitions.
#include <algorithm>
#include <map>
#include <thread>

#include "codegen/model/model.h"
#include "codegen/runtime/host/host.h"

namespace hone {
namespace {

/// Splits each phase over threads; results do not depend on the split.
void run_on(const LoadedArtifact& artifact, void* const* buffers, int threads) {
  for (size_t p = 0; p < artifact.signature().phases.size(); ++p) {
    const int64_t extent = artifact.signature().phases[p].extent;
    std::vector<std::thread> others;
    for (int t = 1; t < threads; ++t)
      others.emplace_back([&, t] {
        artifact.run_range(buffers, static_cast<int32_t>(p), extent * t / threads,
                           extent * (t + 1) / threads);
      });
    artifact.run_range(buffers, static_cast<int32_t>(p), 0, extent / threads);
    for (std::thread& other : others) other.join();
  }
}

class Evaluation {
 public:
  Evaluation(const Graph& graph, int threads) : graph_(graph), threads_(threads) {}

  Result<std::vector<std::vector<double>>> run(const std::vector<std::vector<float>>& inputs) {
    HONE_TRY(target_, resolve_target("host"));
    if (inputs.size() != graph_.inputs.size())
      return fail("the model has " + std::to_string(graph_.inputs.size()) + " inputs, not " +
                  std::to_string(inputs.size()));
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (static_cast<int64_t>(inputs[i].size()) != element_count(graph_.value(graph_.inputs[i]).type.shape))
        return fail("input '" + graph_.value(graph_.inputs[i]).name + "' has another size");
      values_[graph_.inputs[i]].assign(inputs[i].begin(), inputs[i].end());
    }
    const std::vector<FusedOp> ops = partition(graph_);
    HONE_RETURN_IF_ERROR(compile_all(ops));
    std::map<ValueId, int> readers;  // what is read no more is not kept
    for (const FusedOp& op : ops)
      for (const ValueId id : op.inputs) ++readers[id];
    for (const ValueId id : graph_.outputs) ++readers[id];
    for (const FusedOp& op : ops) {
      Status status = evaluate(op);
      if (!status) return pass(Error{status.error().text(), "the reference of " + op.name, ""});
      for (const ValueId id : op.inputs)
        if (--readers[id] == 0) values_.erase(id);
    }
    std::vector<std::vector<double>> outputs;
    for (const ValueId id : graph_.outputs) outputs.push_back(values_.at(id));
    return outputs;
  }

 private:
  static bool is_reshape(const FusedOp& op) { return op.task.anchor().op == Op::reshape; }

  /// Each distinct task once, on several threads.
  Status compile_all(const std::vector<FusedOp>& ops) {
    std::vector<const Task*> tasks;
    for (const FusedOp& op : ops) {
      if (is_reshape(op) || compiled_.count(op.task.key)) continue;
      compiled_.emplace(op.task.key, fail("not compiled"));
      tasks.push_back(&op.task);
    }
    const auto compile_from = [&](size_t first) {
      for (size_t i = first; i < tasks.size(); i += static_cast<size_t>(threads_)) {
        auto artifact = compile_reference(*tasks[i], target_);
        Result<LoadedArtifact>& slot = compiled_.at(tasks[i]->key);
        if (!artifact)
          slot = pass(artifact.error());
        else
          slot = LoadedArtifact::load(artifact->shared_object);
      }
    };
    std::vector<std::thread> others;
    for (int t = 1; t < threads_; ++t) others.emplace_back(compile_from, static_cast<size_t>(t));
    compile_from(0);
    for (std::thread& other : others) other.join();
    return {};
  }

  Status evaluate(const FusedOp& op) {
    if (is_reshape(op)) {
      values_[op.output] = values_.at(op.inputs[0]);
      return {};
    }
    const Result<LoadedArtifact>& artifact = compiled_.at(op.task.key);
    if (!artifact) return pass(artifact.error());
    const Signature& signature = artifact->signature();
    HONE_TRY(std::vector<GuardedBuffer> constants, constants_of(op, *artifact));
    std::vector<GuardedBuffer> owned;
    std::vector<void*> pointers;
    size_t next_input = 0, next_constant = 0;
    const BufferSpec* output = nullptr;
    for (const BufferSpec& spec : signature.buffers) {
      if (spec.role == Role::constant) {
        owned.push_back(std::move(constants[next_constant++]));
      } else {
        HONE_TRY(GuardedBuffer buffer, GuardedBuffer::allocate(spec.bytes));
        if (spec.role == Role::input)
          pack(spec, std::span<const double>(values_.at(op.inputs[next_input++])), kTestPadding,
               buffer.data());
        owned.push_back(std::move(buffer));
      }
      pointers.push_back(owned.back().data());
      if (spec.role == Role::output && !spec.name.ends_with(".magnitude")) output = &spec;
    }
    HONE_CHECK(output != nullptr);
    run_on(*artifact, pointers.data(), threads_);
    values_[op.output] =
        unpack_double(*output, owned[static_cast<size_t>(output - signature.buffers.data())].data());
    return {};
  }

  Result<std::vector<GuardedBuffer>> constants_of(const FusedOp& op, const LoadedArtifact& artifact) {
    std::vector<GuardedBuffer> logical;
    std::vector<const void*> pointers;
    for (const LogicalConstant& wanted : artifact.signature().constants) {
      size_t next = 0;
      for (const Value& value : op.task.graph.values) {
        if (!value.is_constant) continue;
        const Value& data = graph_.value(op.constants[next++]);
        if (value.name != wanted.name) continue;
        HONE_CHECK(data.constant != nullptr && data.type.dtype == wanted.type.dtype);
        const auto& bytes = data.constant->bytes;
        HONE_TRY(GuardedBuffer buffer,
                 GuardedBuffer::allocate(static_cast<int64_t>(bytes.size() + 63) / 64 * 64 + 64));
        std::copy(bytes.begin(), bytes.end(), buffer.data());
        pointers.push_back(buffer.data());
        logical.push_back(std::move(buffer));
      }
    }
    HONE_CHECK(logical.size() == artifact.signature().constants.size());
    return prepare_constants(artifact, pointers);
  }

  const Graph& graph_;
  int threads_;
  Target target_;
  std::map<ValueId, std::vector<double>> values_;
  std::map<Digest, Result<LoadedArtifact>> compiled_;
};

}  // namespace

Result<std::vector<std::vector<double>>> evaluate_reference(const Graph& graph,
                                                            const std::vector<std::vector<float>>& inputs,
                                                            int threads) {
  return Evaluation(graph, std::max(threads, 1)).run(inputs);
}

}  // namespace hone
