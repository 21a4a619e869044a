#include "devices/examination.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>

namespace hone {
namespace {

constexpr size_t arena_bytes = size_t{256} << 20;  ///< larger workspaces get fresh pages
constexpr size_t work_bytes = size_t{4} << 20;
constexpr int most_places = 64;
constexpr size_t most_tasks = 256;

template <size_t N>
void copy_text(char (&to)[N], const std::string& from) {
  std::snprintf(to, N, "%s", from.c_str());
}

void give(ServerReply& reply, MeasureStatus status, const std::string& message) {
  reply.verdict.given = 1;
  reply.verdict.status = static_cast<uint32_t>(status);
  copy_text(reply.verdict.message, message);
}

/// The fastest sample that a report has; 0: none that makes sense.
double least_sample(const ChildReport& report) {
  const size_t count = std::min<size_t>(report.sample_count, most_child_samples);
  double least = 0;
  for (size_t i = 0; i < count; ++i) {
    const double ns = report.samples_ns[i];
    if (!std::isfinite(ns) || ns <= 0) return 0;
    least = i == 0 ? ns : std::min(least, ns);
  }
  return least;
}

/// A claim that would be the best, or the first of its task: what is slower decides nothing.
bool matters(const ChildRequest& request, const ChildReport& report) {
  Measurement claimed;
  claimed.samples_ns.assign(report.samples_ns,
                            report.samples_ns + std::min<size_t>(report.sample_count, most_child_samples));
  summarise(claimed);
  return request.best_ns <= 0 || claimed.median_ns <= request.best_ns;
}

/// Largest resident memory of a process, by the kernel's account; -1: it does not say.
int64_t peak_memory_of(pid_t process) {
  std::ifstream status("/proc/" + std::to_string(process) + "/status");
  for (std::string word; status >> word;) {
    int64_t kib = 0;
    if (word == "VmHWM:" && status >> kib) return kib * 1024;
  }
  return -1;
}

bool is_float32(const Signature& signature) {
  return std::all_of(signature.buffers.begin(), signature.buffers.end(), [](const BufferSpec& spec) {
    return (spec.role != Role::input && spec.role != Role::output) || spec.type.dtype == DType::f32;
  });
}

}  // namespace

Examination::Examination(int runner)
    : runner_(runner),
      shared_(Pages::Kind::shared, sizeof(ChildReport) + sizeof(ChildOrders)),
      arena_(Pages::Kind::shared, arena_bytes),
      work_(Pages::Kind::hidden, work_bytes) {}

std::byte* Examination::memory_for(const Workspace& workspace) {
  const size_t work = workspace.largest_tensor() * sizeof(float);
  if (work > work_.bytes()) work_ = Pages(Pages::Kind::hidden, work);
  if (work > work_.bytes()) return nullptr;
  if (workspace.bytes() <= arena_.bytes()) return arena_.data();
  large_.emplace(Pages::Kind::shared, workspace.bytes());
  return large_->data();
}

std::span<float> Examination::work() const { return work_.as<float>(work_.bytes() / sizeof(float)); }

std::span<std::byte> Examination::unused(const Workspace& workspace) const {
  if (large_) return {arena_.data(), arena_.bytes()};
  return {arena_.data() + workspace.bytes(), arena_.bytes() - workspace.bytes()};
}

Result<const Oracle*> Examination::oracle_of(const Digest& task_key, const std::string& text) {
  const auto it =
      std::find_if(tasks_.begin(), tasks_.end(), [&](const KnownTask& task) { return task.key == task_key; });
  if (it != tasks_.end()) {
    tasks_.splice(tasks_.begin(), tasks_, it);
  } else {
    if (digest_of(text) != task_key)
      return fail("it is of another task than the one it was sent for");
    HONE_TRY(Oracle oracle, Oracle::create(text));
    tasks_.push_front({task_key, std::move(oracle)});
    if (tasks_.size() > most_tasks) tasks_.pop_back();
  }
  return &tasks_.front().oracle;
}

/// Of what a run reads and writes: a buffer as large as its geometry, but for slack. More would leave no room for
/// places that runs are timed in.
static Status has_no_ballast(const Signature& signature) {
  constexpr int64_t most_slack = 4096;
  for (const BufferSpec& spec : signature.buffers) {
    if (spec.role != Role::input && spec.role != Role::output) continue;
    const int64_t needed =
        geometry(spec.type.shape, spec.layout, spec.placement).elements * size_of(spec.type.dtype);
    if (spec.bytes - needed > most_slack)
      return fail("buffer '" + spec.name + "' has " + std::to_string(spec.bytes) + " bytes, its geometry needs " +
                  std::to_string(needed));
  }
  return {};
}

Result<Examination::Subject> Examination::subject_of(const ChildRequest& request,
                                                     std::span<const std::byte> artifact) {
  Subject subject;
  HONE_TRY(subject.signature, read_signature(artifact));
  HONE_TRY(subject.oracle, oracle_of(request.task_key, subject.signature.task));
  // One of the dearest that are known takes 50,178.
  if (subject.oracle->cost() > 1e8) return fail("an element of its task takes too long to be checked");
  if (subject.oracle->elements() < 1) return fail("its task has an output without elements");
  HONE_RETURN_IF_ERROR(has_no_ballast(subject.signature));
  HONE_RETURN_IF_ERROR(matches(*subject.oracle, subject.signature));
  return subject;
}

std::optional<ChildProcess> Examination::run(int64_t deadline_ms, ServerReply& reply,
                                             const std::function<void()>& body) {
  std::memset(shared_.data(), 0, shared_.bytes());  // all of it: an earlier child may have left something anywhere
  report() = ChildReport();
  orders() = ChildOrders();
  const int64_t start = clock_ns();
  deadline_ns_ = start + deadline_ms * 1000000;
  auto child = ChildProcess::start(bells_, runner_, body);
  if (!child) {
    copy_text(reply.message, child.error().text());
    return std::nullopt;
  }
  reply.fork_ms = static_cast<double>(clock_ns() - start) / 1e6;
  const auto woke = child->wait(deadline_ns_);
  if (woke == ChildProcess::Woke::orphaned) ::_exit(0);  // the child ends with this process
  if (woke == ChildProcess::Woke::rang && child->stop()) return std::move(*child);
  const Ended ended = child->end(woke == ChildProcess::Woke::late);
  reply.end = ended.end;
  reply.code = ended.code;
  reply.report = report();
  return std::nullopt;
}

void Examination::check(const ChildRequest& request, ServerReply& reply) {
  auto child = run(request.run_ms, reply, [&] {
    check_in_child(request, environment_, report(), orders());
  });
  if (!child) return;
  double least_ns = 0;
  for (int round = 0; round < 16; ++round) {
    const int64_t start = child->go();
    if (child->wait(deadline_ns_) != ChildProcess::Woke::rang) break;
    const auto took = static_cast<double>(clock_ns() - start);
    if (!child->stop()) break;
    least_ns = round == 0 ? took : std::min(least_ns, took);
  }
  handshake_ns_ = least_ns;
  reply.report = report();
  reply.end = child->end().end;
}

const References::Reference* Examination::reference_of(const ChildRequest& request, const Oracle& oracle,
                                                       const std::string& seed,
                                                       std::span<const std::byte> reference,
                                                       ServerReply& reply) {
  const std::string key = request.reference.hex() + "/" + seed;
  if (const auto* known = references_.find(key)) return known;
  reply.of_reference = 1;
  const auto refuse = [&](const Error& error) {
    give(reply, MeasureStatus::load_error, error.text());
    return nullptr;
  };
  auto subject = subject_of(request, reference);
  if (!subject) return refuse(subject.error());
  if (!subject->signature.reference) return refuse({"the artifact is no reference"});
  auto workspace = Workspace::plan(subject->signature, 0, 0, request.memory_bytes);
  if (!workspace) return refuse(workspace.error());
  std::byte* memory = memory_for(*workspace);
  if (memory == nullptr) return refuse({"no memory for the buffers of the reference"});
  workspace->place(memory);
  workspace->fill(seed, work());
  const ChildWork task{request, environment_, reference, subject->signature, *workspace, unused(*workspace),
                       request.reference_ms, report(), orders()};
  // It leaves by itself once it is through.
  auto child = run(request.reference_ms, reply, [&] { reference_in_child(task); });
  if (child) return refuse({"the reference rang a bell that it has no use for"});
  if (reply.end != ChildEnd::exited || reply.code != 0 || reply.report.status != 0 ||
      reply.report.stage != ChildStage::done)
    return nullptr;
  const auto kept = references_.keep(key, subject->signature, workspace->checked(), oracle, seed);
  large_.reset();
  if (!kept) return refuse(kept.error());
  reply = ServerReply();
  return *kept;
}

void Examination::look(const ChildRequest& request, const Subject& subject, Workspace& workspace,
                       const std::string& seed, ReferenceView expected, ChildProcess& child,
                       ServerReply& reply) {
  reply.report = report();
  const int64_t looking = clock_ns();
  const CheckReport checked = hone::check(subject.signature, workspace.checked(), expected, work());
  reply.check_ms = static_cast<double>(clock_ns() - looking) / 1e6;
  reply.verdict.relative_l2 = checked.relative_l2;
  reply.verdict.worst_factor = checked.worst_factor;
  if (!checked.ok) return give(reply, MeasureStatus::wrong_answer, checked.reason);
  const double least_ns = least_sample(reply.report);
  if (least_ns == 0)
    return give(reply, MeasureStatus::crashed, "the child left a report that makes no sense");
  if (const std::string output = workspace.differing_output(); !output.empty())
    return give(reply, MeasureStatus::wrong_answer,
                "output '" + output + "' of a timed run differs from that of the checked run on the same inputs");
  if (reply.report.status != static_cast<uint32_t>(MeasureStatus::ok) || !matters(request, reply.report) ||
      !is_float32(subject.signature))
    return;

  const int64_t start = clock_ns();
  BatchParameters parameters;
  parameters.handshake_ns = handshake_ns_;
  parameters.threads = request.threads;
  if (request.threads > 1) parameters.settle_ns = 50000;
  if (request.emulated) parameters.least_part = 0;
  Batch batch(subject.signature, workspace, *subject.oracle, seed, work(), parameters);
  const Batch::Result result = batch.time(child, orders(), least_ns, deadline_ns_);
  reply.batch_ms = static_cast<double>(clock_ns() - start) / 1e6;
  reply.verdict.batch_ns = result.call_ns;
  if (result.woke == ChildProcess::Woke::orphaned) ::_exit(0);
  if (result.woke != ChildProcess::Woke::rang) {
    reply.report = report();
    const Ended ended = child.end(result.woke == ChildProcess::Woke::late);
    reply.end = ended.end;
    reply.code = ended.code;
    return;
  }
  if (!result.wrong.empty()) return give(reply, MeasureStatus::wrong_answer, result.wrong);
  if (result.plausible) return;
  char text[200];
  std::snprintf(text, sizeof text,
                "a sample of %.4g us, but by the board's own clock a run takes %.4g us (%lld runs, outputs compared)",
                least_ns / 1e3, result.call_ns / 1e3, static_cast<long long>(result.calls));
  give(reply, MeasureStatus::implausible_time, text);
}

void Examination::measure(const ChildRequest& request, std::span<const std::byte> artifact,
                          std::span<const std::byte> reference, ServerReply& reply) {
  large_.reset();
  if (handshake_ns_ == 0) {  // the server is new
    ServerReply nobodys;
    check(request, nobodys);
  }
  auto subject = subject_of(request, artifact);
  if (!subject) {
    reply.end = ChildEnd::finished;
    return give(reply, MeasureStatus::load_error, subject.error().text());
  }
  if (subject->signature.reference) {
    reply.end = ChildEnd::finished;
    return give(reply, MeasureStatus::load_error, "a reference is no candidate");
  }
  const int64_t start = clock_ns();
  const std::string seed = seeds_.next(request.task_key, request.purpose);
  const auto* expected = reference_of(request, *subject->oracle, seed, reference, reply);
  if (expected == nullptr) return;
  reply.reference_ms = static_cast<double>(clock_ns() - start) / 1e6;

  auto workspace = Workspace::plan(subject->signature, most_places, request.l2_bytes / 2, request.memory_bytes);
  std::byte* memory = workspace ? memory_for(*workspace) : nullptr;
  if (memory == nullptr) {
    reply.end = ChildEnd::finished;
    return give(reply, MeasureStatus::out_of_memory,
                workspace ? "no memory for the buffers of this artifact" : workspace.error().text());
  }
  workspace->place(memory);
  const int64_t filling = clock_ns();
  workspace->fill(seed, work());
  reply.fill_ms = static_cast<double>(clock_ns() - filling) / 1e6;
  const ChildWork task{request, environment_, artifact, subject->signature, *workspace, unused(*workspace),
                       request.run_ms, report(), orders()};
  // The board's pulse is taken here: a candidate could say that the board is slow.
  reply.health.reference_before_ns = reference_kernel_ns();
  auto child = run(request.run_ms, reply, [&] { measure_in_child(task); });
  if (!child) return;
  reply.end = ChildEnd::finished;
  reply.health.peak_memory_bytes = peak_memory_of(child->id());
  look(request, *subject, *workspace, seed, expected->view(), *child, reply);
  reply.health.reference_after_ns = reference_kernel_ns();
}

}  // namespace hone
