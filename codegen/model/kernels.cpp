#include "codegen/model/kernels.h"

#include <atomic>
#include <map>
#include <optional>
#include <thread>

namespace hone {
namespace {

/// Calls work(i) for i < count on several threads; the first error wins.
template <class Work>
Status for_all(size_t count, int threads, const Work& work) {
  std::atomic<size_t> next{0};
  std::vector<Status> status(count);
  const auto loop = [&] {
    for (size_t i; (i = next++) < count;) status[i] = work(i);
  };
  std::vector<std::thread> others;
  for (int t = 1; t < threads && t < static_cast<int>(count); ++t) others.emplace_back(loop);
  loop();
  for (std::thread& t : others) t.join();
  for (Status& s : status)
    if (!s) return pass(std::move(s).error());
  return {};
}

}  // namespace

Result<Kernels> compile_kernels(const Plan& plan, int threads) {
  const std::vector<PlannedTask> tasks = distinct_kernels(plan);
  HONE_TRY(const Target host, resolve_target("host"));
  Kernels result;
  result.kernels.resize(tasks.size());
  result.of_op.resize(plan.ops.size());
  std::vector<std::vector<std::byte>> preparations(tasks.size());
  HONE_RETURN_IF_ERROR(for_all(tasks.size(), threads, [&](size_t i) -> Status {
    const std::string where = plan.ops[static_cast<size_t>(tasks[i].ops[0])].op.name;
    const auto located = [&](const Error& e) {
      return pass(Error{e.text(), where, "a bug: please report it"});
    };
    auto lowered = lower_candidate(tasks[i].candidate);
    if (!lowered) return located(lowered.error());
    CompiledKernel& kernel = result.kernels[i];
    kernel.symbol = "hone_kernel_" + std::to_string(i);
    kernel.signature = std::move(lowered->signature);
    EmitOptions options;
    options.module_name = kernel.symbol;
    auto code = emit({{kernel.symbol, &lowered->run}}, plan.target, options);
    if (!code) return located(code.error());
    kernel.object = std::move(code->elf);
    kernel.code_bytes = code->code_bytes;
    if (!lowered->prepare) return {};
    options.module_name = "hone_prepare_" + std::to_string(i);
    auto prepare = emit({{options.module_name, &*lowered->prepare}}, host, options);
    if (!prepare) return located(prepare.error());
    preparations[i] = std::move(prepare->elf);
    return {};
  }));
  for (size_t i = 0; i < tasks.size(); ++i)
    for (const int op : tasks[i].ops) result.of_op[static_cast<size_t>(op)] = i;

  std::vector<std::vector<std::byte>> objects;
  std::vector<std::string> symbols;
  for (size_t i = 0; i < tasks.size(); ++i) {
    if (preparations[i].empty()) continue;
    objects.push_back(std::move(preparations[i]));
    symbols.push_back("hone_prepare_" + std::to_string(i));
  }
  if (objects.empty()) return result;
  HONE_TRY(const std::vector<std::byte> linked, link_shared(objects, host, symbols));
  HONE_TRY(LoadedImage image, LoadedImage::load(linked));
  for (size_t i = 0; i < tasks.size(); ++i)
    result.kernels[i].prepare =
        reinterpret_cast<hone_prepare_function*>(image.function("hone_prepare_" + std::to_string(i)));
  result.preparation.push_back(std::move(image));
  return result;
}

namespace {

/// The data of an operator's logical constant, by the task's name for it, in an aligned buffer with slack.
Result<GuardedBuffer> logical_constant(const Plan& plan, const FusedOp& op, const LogicalConstant& wanted) {
  size_t next = 0;
  for (const Value& value : op.task.graph.values) {
    if (!value.is_constant) continue;
    HONE_CHECK(next < op.constants.size());
    const Value& data = plan.graph.value(op.constants[next++]);
    if (value.name != wanted.name) continue;
    HONE_CHECK(data.constant != nullptr);
    if (data.type.dtype != wanted.type.dtype)
      return fail("constant '" + data.name + "' is " + to_text(data.type) + ", the kernel reads " +
                      to_text(wanted.type),
                  op.name, "a bug: please report it");
    const auto bytes = static_cast<int64_t>(data.constant->bytes.size());
    HONE_CHECK(bytes == element_count(data.type.shape) * size_of(data.type.dtype));
    HONE_TRY(GuardedBuffer buffer, GuardedBuffer::allocate((bytes + 63) / 64 * 64 + 64));
    std::copy(data.constant->bytes.begin(), data.constant->bytes.end(), buffer.data());
    return buffer;
  }
  return fail("the kernel wants a constant '" + wanted.name + "' that its task does not have", op.name);
}

}  // namespace

Result<PackedWeights> pack_weights(const Plan& plan, const Kernels& kernels) {
  PackedWeights weights;
  weights.offsets.resize(plan.ops.size());
  int64_t total = 0;
  for (size_t i = 0; i < plan.ops.size(); ++i)
    for (const BufferSpec& spec : kernels.kernels[kernels.of_op[i]].signature.buffers) {
      if (spec.role != Role::constant) continue;
      weights.offsets[i].push_back(total);
      total += (spec.bytes + 63) / 64 * 64;
    }
  weights.bytes.resize(static_cast<size_t>(std::max<int64_t>(total, 64)) + 63);
  // The section is 64-byte aligned when mapped; here kernels that pack need that too.
  std::byte* base = weights.bytes.data();
  const size_t shift = (64 - reinterpret_cast<uintptr_t>(base) % 64) % 64;
  base += shift;
  for (size_t i = 0; i < plan.ops.size(); ++i) {
    const CompiledKernel& kernel = kernels.kernels[kernels.of_op[i]];
    if (kernel.prepare == nullptr) continue;
    std::vector<GuardedBuffer> logical;
    std::vector<void*> pointers;
    for (const LogicalConstant& constant : kernel.signature.constants) {
      HONE_TRY(GuardedBuffer buffer, logical_constant(plan, plan.ops[i].op, constant));
      pointers.push_back(buffer.data());
      logical.push_back(std::move(buffer));
    }
    for (const int64_t offset : weights.offsets[i]) pointers.push_back(base + offset);
    for (size_t p = 0; p < kernel.signature.prepare_phases.size(); ++p)
      kernel.prepare(pointers.data(), static_cast<int32_t>(p), 0, kernel.signature.prepare_phases[p].extent);
  }
  weights.bytes.erase(weights.bytes.begin(), weights.bytes.begin() + static_cast<ptrdiff_t>(shift));
  weights.bytes.resize(static_cast<size_t>(std::max<int64_t>(total, 64)));
  return weights;
}

}  // namespace hone
