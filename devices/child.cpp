#include "devices/child.h"

#include <malloc.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <optional>

#include "codegen/runtime/host/host.h"
#include "devices/thread_team.h"
#include "measure/sampling.h"

namespace hone {
namespace {

/// What the signal handler may look at; set before any foreign code runs.
struct Watched {
  ChildReport* report = nullptr;
  const Signature* signature = nullptr;
  const Workspace* workspace = nullptr;
} watched;

void say(ChildReport& report, const char* text) {
  std::snprintf(report.message, sizeof report.message, "%s", text);
}

/// Names the buffer whose guard page was hit, if one was.
void describe_fault(const std::byte* address) {
  constexpr std::ptrdiff_t page = 4096;
  ChildReport& report = *watched.report;
  std::snprintf(report.message, sizeof report.message, "at address %p", static_cast<const void*>(address));
  if (!watched.workspace) return;
  for (const auto pointers : {watched.workspace->checked(), watched.workspace->at(0)})
    for (size_t i = 0; i < pointers.size(); ++i) {
      const BufferSpec& spec = watched.signature->buffers[i];
      const auto* data = static_cast<const std::byte*>(pointers[i]);
      if (std::ptrdiff_t beyond = address - (data + spec.bytes); beyond >= 0 && beyond < page) {
        std::snprintf(report.message, sizeof report.message, "%td bytes beyond the end of buffer '%s'", beyond,
                      spec.name.c_str());
        return;
      }
      if (std::ptrdiff_t before = data - address; before > 0 && before <= page)
        std::snprintf(report.message, sizeof report.message, "%td bytes before the beginning of buffer '%s'",
                      before, spec.name.c_str());
    }
}

void on_fault(int signal, siginfo_t* info, void*) {
  if (signal == SIGSYS) {
    watched.report->forbidden_call = info->si_syscall;
    ::syscall(SYS_exit_group,
              child_exit_forbidden);  // not _exit: a sanitizer would hang system calls of its own on that
  }
  describe_fault(static_cast<const std::byte*>(info->si_addr));
  // The handler is gone (SA_RESETHAND): the instruction faults once more and ends the process with its
  // signal.
}

void catch_faults(ChildReport& report) {
  watched = {&report, nullptr, nullptr};
  static std::byte stack[32768];
  stack_t alternative{stack, 0, sizeof stack};
  ::sigaltstack(&alternative, nullptr);
  struct sigaction action = {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | static_cast<int>(SA_RESETHAND);
  for (int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS}) ::sigaction(signal, &action, nullptr);
}

[[noreturn]] void end(ChildReport& report, MeasureStatus status, const std::string& message) {
  say(report, message.c_str());
  report.status = static_cast<uint32_t>(status);
  report.stage = ChildStage::done;
  ::_exit(0);
}

double ms_since(int64_t start_ns) { return static_cast<double>(clock_ns() - start_ns) / 1e6; }

/// All that a child will allocate comes from the heap that it has then: it may not ask for more.
void reserve_heap() {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  ::mallopt(M_MMAP_THRESHOLD, 1 << 30);
  ::mallopt(M_TRIM_THRESHOLD, 1 << 30);
  void* room = ::malloc(1 << 20);
  asm volatile("" ::"r"(room) : "memory");
  ::free(room);
#endif
}

/// Everything that takes rights away but the filter; `team` is made on the way, while threads may be.
void give_up_rights(const ChildEnvironment& environment, const ChildLimits& limits, ChildReport& report,
                    std::optional<ThreadTeam>& team, int threads) {
  report.sandbox_partial = environment.missing;
  be_killed_first();
  if (!leave_files()) report.sandbox_partial |= sandbox_files;
  team.emplace(threads);
  if (!drop_root()) report.sandbox_partial |= sandbox_root;
  apply_limits(limits);
}

/// The last step: from here on only the few system calls of sandbox.h.
void close_sandbox(const ChildEnvironment& environment, ChildReport& report) {
  reserve_heap();
  catch_faults(report);
  if (!install(environment.filter)) report.sandbox_partial |= sandbox_filter;
}

std::vector<MemoryRange> ranges_of(const Signature& signature, std::span<void* const> buffers, Role role) {
  std::vector<MemoryRange> ranges;
  for (size_t i = 0; i < buffers.size(); ++i)
    if (signature.buffers[i].role == role)
      ranges.push_back({static_cast<const std::byte*>(buffers[i]), static_cast<size_t>(signature.buffers[i].bytes)});
  return ranges;
}

/// One sample: so many cold calls that their sum is well above the clock's resolution; their mean in ns.
class Sampler {
 public:
  Sampler(ThreadTeam& team, const LoadedArtifact& artifact, const ChildWork& work)
      : team_(team),
        artifact_(artifact),
        buffers_(work.workspace.at(0)),
        constants_(ranges_of(artifact.signature(), buffers_, Role::constant)),
        inputs_(ranges_of(artifact.signature(), buffers_, Role::input)),
        stream_{{work.environment.evict.data(),
                 std::min<size_t>(2 * work.request.l2_bytes, work.environment.evict.size())}},
        dram_(work.request.dram != 0),
        overhead_ns_(static_cast<double>(clock_overhead_ns())) {
    if (!dram_) return;
    // Between two of its runs a model runs everything else: an artifact's code is as cold as its constants.
    for (const std::span<const std::byte> range : artifact.ranges())
      constants_.push_back({range.data(), range.size()});
  }

  /// `checked_ns`: what the checked run took. It was the warm-up of a call that is long beside what a first
  /// one costs; a short one gets another.
  void warm_up(double checked_ns) {
    constexpr double least_ns = 20e3;
    constexpr int most_calls = 8;
    if (checked_ns > 10 * least_ns) return;
    double once = cold_call();
    calls_ = std::clamp(static_cast<int>(std::ceil(least_ns / std::max(once, 1.0))), 1, most_calls);
  }
  double sample() {
    double sum = 0;
    for (int i = 0; i < calls_; ++i) sum += cold_call();
    return sum / calls_;
  }

 private:
  double cold_call() {
    if (dram_)
      flush_lines(constants_);
    else
      touch_lines(stream_);
    touch_lines(inputs_);
    const int64_t start = clock_ns();
    team_.run(artifact_, buffers_.data());
    return std::max(1.0, static_cast<double>(clock_ns() - start) - overhead_ns_);
  }

  ThreadTeam& team_;
  const LoadedArtifact& artifact_;
  std::span<void* const> buffers_;
  std::vector<MemoryRange> constants_, inputs_, stream_;
  bool dram_;
  double overhead_ns_;
  int calls_ = 1;
};

SamplingParameters sampling_of(const ChildRequest& request) {
  SamplingParameters parameters;
  parameters.min_samples = request.min_samples;
  parameters.max_samples = std::min(request.max_samples, most_child_samples);
  parameters.target_spread = request.target_spread;
  parameters.race_factor = request.race_factor;
  parameters.out_factor = request.out_factor;
  parameters.budget = std::chrono::milliseconds(request.budget_ms);
  return parameters;
}

/// Loads the artifact, gives up every right that is left, and prepares its constants.
LoadedArtifact load_sandboxed(const ChildWork& work, std::optional<ThreadTeam>& team, int threads) {
  ChildReport& report = work.report;
  const int64_t start = clock_ns();
  ChildLimits limits;
  limits.address_space_bytes = work.environment.address_space_bytes + work.request.memory_bytes;
  limits.cpu_seconds = static_cast<uint64_t>((work.deadline_ms / 1000 + 2) * std::max(1, threads));
  give_up_rights(work.environment, limits, report, team, threads);
  report.stage = ChildStage::loading;
  auto artifact = LoadedArtifact::load(work.artifact);  // runs nothing of it
  if (!artifact) end(report, MeasureStatus::load_error, artifact.error().text());
  if (!work.unused.empty()) ::munmap(work.unused.data(), work.unused.size());
  if (auto guarded = work.workspace.map(); !guarded)
    end(report, MeasureStatus::out_of_memory, guarded.error().text());
  forbid_files();
  close_sandbox(work.environment, report);
  watched.signature = &work.signature;
  watched.workspace = &work.workspace;
  report.load_ms = ms_since(start);
  report.stage = ChildStage::filling;
  const int64_t began = clock_ns();
  artifact->prepare(work.workspace.prepare().data());
  report.fill_ms = ms_since(began);
  return std::move(*artifact);
}

/// Rings, and for each ring of the child's own bell runs once in so many places as the orders say.
template <class Run>
[[noreturn]] void obey(const ChildOrders& orders, Run&& run) {
  for (;;) {
    ring_server();
    await_server();
    const uint32_t calls = *const_cast<const volatile uint32_t*>(&orders.calls);
    for (uint32_t call = 0; call < calls; ++call) run(static_cast<int>(call));
  }
}

}  // namespace

void measure_in_child(const ChildWork& work) {
  ChildReport& report = work.report;
  try {
    std::optional<ThreadTeam> team;
    const LoadedArtifact artifact = load_sandboxed(work, team, work.request.threads);

    report.stage = ChildStage::checking;
    int64_t start = clock_ns();
    FlushDenormals flush;
    team->run(artifact, work.workspace.checked().data());
    const auto checked_ns = static_cast<double>(clock_ns() - start);
    report.check_ms = ms_since(start);

    report.stage = ChildStage::warming;
    start = clock_ns();
    Sampler sampler(*team, artifact, work);
    sampler.warm_up(checked_ns);
    report.stage = ChildStage::timing;
    const Samples samples = take_samples(
        sampling_of(work.request), work.request.best_ns, [] { return std::chrono::nanoseconds(clock_ns()); },
        [&] { return sampler.sample(); });
    report.run_ms = ms_since(start);
    report.sample_count = static_cast<uint32_t>(std::min<size_t>(samples.ns.size(), most_child_samples));
    std::copy_n(samples.ns.begin(), report.sample_count, report.samples_ns);
    say(report, samples.message.c_str());
    report.status = static_cast<uint32_t>(samples.raced_out ? MeasureStatus::raced_out : MeasureStatus::ok);
    report.stage = ChildStage::batch;
    obey(work.orders, [&](int place) { team->run(artifact, work.workspace.at(place).data()); });
  } catch (const std::bad_alloc&) {
    end(report, MeasureStatus::out_of_memory, "not enough memory for this artifact");
  }
}

void check_in_child(const ChildRequest& request, const ChildEnvironment& environment, ChildReport& report,
                    const ChildOrders& orders) {
  try {
    ChildLimits limits;
    limits.address_space_bytes = environment.address_space_bytes + request.memory_bytes;
    limits.cpu_seconds = static_cast<uint64_t>(request.run_ms / 1000 + 2);
    std::optional<ThreadTeam> nobody;
    give_up_rights(environment, limits, report, nobody, 1);
    forbid_files();
    close_sandbox(environment, report);
    report.stage = ChildStage::checking;
    if (!known_kernel_is_right())
      end(report, MeasureStatus::wrong_answer, "a known kernel gave another answer than it should");
    report.reference_ns = reference_kernel_ns();
    report.samples_ns[0] = report.reference_ns;
    report.sample_count = 1;
    report.stage = ChildStage::batch;
    obey(orders, [](int) {});
  } catch (const std::bad_alloc&) {
    end(report, MeasureStatus::out_of_memory, "not enough memory for a known kernel");
  }
}

void reference_in_child(const ChildWork& work) {
  try {
    std::optional<ThreadTeam> team;
    const LoadedArtifact artifact = load_sandboxed(work, team, 1);
    work.report.stage = ChildStage::checking;
    const int64_t start = clock_ns();
    artifact.run(work.workspace.checked().data());
    work.report.check_ms = ms_since(start);
    end(work.report, MeasureStatus::ok, "");
  } catch (const std::bad_alloc&) {
    end(work.report, MeasureStatus::out_of_memory, "not enough memory for the reference");
  }
}

}  // namespace hone
