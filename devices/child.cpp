#include "devices/child.h"

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
#include "devices/cold.h"
#include "devices/thread_team.h"
#include "measure/sampling.h"

namespace hone {
namespace {

/// What the signal handler may look at; set before any foreign code runs.
struct Watched {
  ChildReport* report = nullptr;
  const Signature* signature = nullptr;
  const ArtifactBuffers* buffers = nullptr;
} watched;

void say(ChildReport& report, const char* text) {
  std::snprintf(report.message, sizeof report.message, "%s", text);
}

/// Names the buffer whose guard page was hit, if one was.
void describe_fault(const std::byte* address) {
  constexpr std::ptrdiff_t page = 4096;
  ChildReport& report = *watched.report;
  std::snprintf(report.message, sizeof report.message, "at address %p", static_cast<const void*>(address));
  if (!watched.buffers) return;
  for (size_t i = 0; i < watched.buffers->owned.size(); ++i) {
    const GuardedBuffer& buffer = watched.buffers->owned[i];
    const char* name = watched.signature->buffers[i].name.c_str();
    if (std::ptrdiff_t beyond = address - (buffer.data() + buffer.size()); beyond >= 0 && beyond < page)
      std::snprintf(report.message, sizeof report.message, "%td bytes beyond the end of buffer '%s'", beyond,
                    name);
    else if (std::ptrdiff_t before = buffer.data() - address; before > 0 && before <= page)
      std::snprintf(report.message, sizeof report.message, "%td bytes before the beginning of buffer '%s'",
                    before, name);
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

void enter_sandbox(const ChildEnvironment& environment, const ChildLimits& limits, ChildReport& report) {
  report.sandbox_partial = environment.missing;
  if (!drop_root()) report.sandbox_partial |= sandbox_root;
  apply_limits(limits);
  catch_faults(report);
  if (!install(environment.loading)) report.sandbox_partial |= sandbox_filter;
}

/// Limits, the first filter, the artifact, the second filter.
LoadedArtifact load_sandboxed(const ChildEnvironment& environment, const ChildRequest& request, int file,
                              uint64_t bytes, int64_t deadline_ms, ChildReport& report) {
  const int64_t start = clock_ns();
  void* mapped = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, file, 0);
  if (mapped == MAP_FAILED) end(report, MeasureStatus::load_error, "the artifact cannot be mapped");
  ChildLimits limits;
  limits.address_space_bytes = environment.address_space_bytes + request.memory_bytes;
  limits.file_bytes = bytes;
  limits.cpu_seconds = static_cast<uint64_t>((deadline_ms / 1000 + 2) * std::max(1, request.threads));
  enter_sandbox(environment, limits, report);
  report.stage = ChildStage::loading;
  auto artifact = LoadedArtifact::load({static_cast<const std::byte*>(mapped), bytes});
  if (!artifact) end(report, MeasureStatus::load_error, artifact.error().text());
  forbid_files();
  if (!install(environment.running)) report.sandbox_partial |= sandbox_filter;
  report.load_ms = ms_since(start);
  return std::move(*artifact);
}

std::vector<MemoryRange> ranges_of(const Signature& signature, const ArtifactBuffers& buffers, Role role) {
  std::vector<MemoryRange> ranges;
  for (size_t i = 0; i < buffers.owned.size(); ++i)
    if (signature.buffers[i].role == role)
      ranges.push_back({buffers.owned[i].data(), static_cast<size_t>(buffers.owned[i].size())});
  return ranges;
}

/// Where the artifact itself lies: between two of its runs a model runs everything else, so its code is as
/// cold as its constants.
std::vector<MemoryRange> code_ranges(const LoadedArtifact& artifact) {
  std::vector<MemoryRange> ranges;
  for (const std::span<const std::byte> range : artifact.ranges())
    ranges.push_back({range.data(), range.size()});
  return ranges;
}

/// One sample: so many cold calls that their sum is well above the clock's resolution; their mean in ns.
class Sampler {
 public:
  Sampler(ThreadTeam& team, const LoadedArtifact& artifact, const ArtifactBuffers& buffers,
          const ChildEnvironment& environment, bool dram, size_t evict_bytes)
      : team_(team),
        artifact_(artifact),
        buffers_(buffers),
        constants_(ranges_of(artifact.signature(), buffers, Role::constant)),
        inputs_(ranges_of(artifact.signature(), buffers, Role::input)),
        stream_{{environment.evict.data(), std::min(evict_bytes, environment.evict.size())}},
        dram_(dram),
        overhead_ns_(static_cast<double>(clock_overhead_ns())) {
    if (!dram) return;
    const std::vector<MemoryRange> code = code_ranges(artifact);
    constants_.insert(constants_.end(), code.begin(), code.end());
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
    team_.run(artifact_, buffers_.pointers.data());
    return std::max(1.0, static_cast<double>(clock_ns() - start) - overhead_ns_);
  }

  ThreadTeam& team_;
  const LoadedArtifact& artifact_;
  const ArtifactBuffers& buffers_;
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

/// Buffers are the first large allocation: failing here means that memory, not the artifact, is missing.
ArtifactBuffers fill(const LoadedArtifact& artifact, const ChildRequest& request, BufferArena& arena,
                     ChildReport& report) {
  report.stage = ChildStage::filling;
  const int64_t start = clock_ns();
  auto buffers = make_buffers(artifact, request.seed, &arena);
  if (!buffers) end(report, MeasureStatus::out_of_memory, buffers.error().text());
  report.fill_ms = ms_since(start);
  return std::move(*buffers);
}

}  // namespace

void measure_in_child(const ChildRequest& request, const ChildEnvironment& environment, int artifact_file,
                      SharedReference reference, ChildReport& report) {
  try {
    ThreadTeam team(request.threads);
    LoadedArtifact artifact =
        load_sandboxed(environment, request, artifact_file, request.artifact_bytes, request.run_ms, report);
    BufferArena arena = environment.arena;
    ArtifactBuffers buffers = fill(artifact, request, arena, report);
    watched.signature = &artifact.signature();
    watched.buffers = &buffers;

    report.stage = ChildStage::checking;
    int64_t start = clock_ns();
    double checked_ns = 0;
    {
      FlushDenormals flush;
      const int64_t began = clock_ns();
      team.run(artifact, buffers.pointers.data());
      checked_ns = static_cast<double>(clock_ns() - began);
    }
    const ReferenceView expected({reference.data, reference.elements},
                                 {reference.data + reference.elements, reference.elements});
    CheckReport checked = check(artifact.signature(), buffers, expected, &arena);
    report.relative_l2 = checked.relative_l2;
    report.worst_factor = checked.worst_factor;
    report.check_ms = ms_since(start);
    if (!checked.ok) end(report, MeasureStatus::wrong_answer, checked.reason);

    report.stage = ChildStage::warming;
    start = clock_ns();
    report.reference_before_ns = reference_kernel_ns();
    Samples samples;
    {
      FlushDenormals flush;
      Sampler sampler(team, artifact, buffers, environment, request.dram, request.evict_bytes);
      sampler.warm_up(checked_ns);
      report.stage = ChildStage::timing;
      samples = take_samples(
          sampling_of(request), request.best_ns, [] { return std::chrono::nanoseconds(clock_ns()); },
          [&] { return sampler.sample(); });
    }
    report.reference_after_ns = reference_kernel_ns();
    report.run_ms = ms_since(start);
    report.sample_count = static_cast<uint32_t>(std::min<size_t>(samples.ns.size(), most_child_samples));
    std::copy_n(samples.ns.begin(), report.sample_count, report.samples_ns);
    end(report, samples.raced_out ? MeasureStatus::raced_out : MeasureStatus::ok, samples.message);
  } catch (const std::bad_alloc&) {
    end(report, MeasureStatus::out_of_memory, "not enough memory for the buffers of this artifact");
  }
}

void check_in_child(const ChildRequest& request, const ChildEnvironment& environment, ChildReport& report) {
  try {
    ChildLimits limits;
    limits.address_space_bytes = environment.address_space_bytes + request.memory_bytes;
    limits.cpu_seconds = static_cast<uint64_t>(request.run_ms / 1000 + 2);
    enter_sandbox(environment, limits, report);
    forbid_files();
    if (!install(environment.running)) report.sandbox_partial |= sandbox_filter;
    report.stage = ChildStage::checking;
    if (!known_kernel_is_right())
      end(report, MeasureStatus::wrong_answer, "a known kernel gave another answer than it should");
    report.reference_before_ns = reference_kernel_ns();
    report.samples_ns[0] = report.reference_before_ns;
    report.sample_count = 1;
    end(report, MeasureStatus::ok, "");
  } catch (const std::bad_alloc&) {
    end(report, MeasureStatus::out_of_memory, "not enough memory for a known kernel");
  }
}

void reference_in_child(const ChildRequest& request, const ChildEnvironment& environment, int reference_file,
                        SharedReference output, ChildReport& report) {
  try {
    LoadedArtifact artifact = load_sandboxed(environment, request, reference_file, request.reference_bytes,
                                             request.reference_ms, report);
    report.stage = ChildStage::checking;
    const int64_t start = clock_ns();
    BufferArena arena = environment.arena;
    auto result = run_reference(artifact, request.seed, &arena);
    if (!result) end(report, MeasureStatus::load_error, result.error().text());
    if (result->value.size() > output.elements)
      end(report, MeasureStatus::out_of_memory,
          "the output has more than " + std::to_string(output.elements) + " elements");
    std::copy(result->value.begin(), result->value.end(), output.data);
    std::copy(result->magnitude.begin(), result->magnitude.end(), output.data + result->value.size());
    report.reference_elements = result->value.size();
    report.check_ms = ms_since(start);
    end(report, MeasureStatus::ok, "");
  } catch (const std::bad_alloc&) {
    end(report, MeasureStatus::out_of_memory, "not enough memory for the buffers of the reference");
  }
}

}  // namespace hone
