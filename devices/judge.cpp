// From what the server saw, how the child ended and what it claims to the status and message of a measurement.
#include <seccomp.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "devices/cpu_device.h"

namespace hone {
namespace {

const char* doing(ChildStage stage) {
  switch (stage) {
    case ChildStage::starting:
      return "starting";
    case ChildStage::loading:
      return "loading the artifact";
    case ChildStage::filling:
      return "preparing its constants";
    case ChildStage::checking:
      return "the checked run";
    case ChildStage::warming:
      return "warming up";
    case ChildStage::timing:
      return "the timed runs";
    case ChildStage::done:
      return "leaving";
    case ChildStage::batch:
      return "timed runs over other inputs";
  }
  return "an unknown stage";
}

std::string signal_name(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name ? std::string("SIG") + name : "signal " + std::to_string(signal);
}

std::string call_name(int number) {
  char* name = ::seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
  std::string text = name ? name : "number " + std::to_string(number);
  ::free(name);
  return text;
}

/// Printable text of a report that may hold anything.
std::string message_of(const ChildReport& report) {
  std::string text(report.message, ::strnlen(report.message, sizeof report.message));
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; },
      ' ');
  return text;
}

Measurement failed(MeasureStatus status, std::string message) {
  Measurement m;
  m.status = status;
  m.message = std::move(message);
  return m;
}

bool plausible_ns(double ns) { return std::isfinite(ns) && ns > 0 && ns < 1e13; }

/// What a child claims, once nothing that the server saw speaks against it.
Measurement judge_report(const ChildReport& report, ChildEnd end) {
  const auto claimed = static_cast<MeasureStatus>(report.status);
  switch (claimed) {
    case MeasureStatus::load_error:
    case MeasureStatus::out_of_memory:
    case MeasureStatus::wrong_answer:  // of a known kernel
      return failed(claimed, message_of(report));
    case MeasureStatus::ok:
    case MeasureStatus::raced_out:
      break;
    default:
      return failed(MeasureStatus::crashed, "the child left a report that makes no sense");
  }
  const size_t count = std::min<size_t>(report.sample_count, most_child_samples);
  if (end != ChildEnd::finished || count == 0 ||
      !std::all_of(report.samples_ns, report.samples_ns + count, plausible_ns))
    return failed(MeasureStatus::crashed, "the child left a report that makes no sense");
  Measurement m = failed(claimed, message_of(report));
  m.samples_ns.assign(report.samples_ns, report.samples_ns + count);
  summarise(m);
  return m;
}

Measurement judge_end(const ServerReply& reply, int64_t run_ms) {
  const std::string where = std::string(" in ") + doing(reply.report.stage);
  const std::string details = message_of(reply.report);
  switch (reply.end) {
    case ChildEnd::not_started:
      return failed(MeasureStatus::board_unhealthy,
                    std::string(reply.message, ::strnlen(reply.message, sizeof reply.message)));
    case ChildEnd::watchdog:
      return failed(MeasureStatus::run_timeout, "stopped after " + std::to_string(run_ms) + " ms" + where);
    case ChildEnd::signalled:
      if (reply.code == SIGKILL)
        return failed(MeasureStatus::out_of_memory,
                      "killed by the kernel" + where + ": the board ran out of memory");
      if (reply.code == SIGXCPU)
        return failed(MeasureStatus::run_timeout, "used up its processor time" + where);
      return failed(MeasureStatus::crashed,
                    signal_name(reply.code) + where + (details.empty() ? "" : ": " + details));
    case ChildEnd::finished:
      return judge_report(reply.report, reply.end);
    case ChildEnd::exited:
      break;
  }
  if (reply.code == child_exit_forbidden)
    return failed(MeasureStatus::crashed, "SIGSYS" + where +
                                              ": the artifact made a system call that it may not make: " +
                                              call_name(reply.report.forbidden_call));
  if (reply.code != 0)
    return failed(MeasureStatus::crashed,
                  "ended the process with code " + std::to_string(reply.code) + where);
  return judge_report(reply.report, reply.end);
}

}  // namespace

Measurement judge(const ServerReply& reply, int64_t run_ms) {
  const ServerVerdict& verdict = reply.verdict;
  Measurement m =
      verdict.given ? failed(static_cast<MeasureStatus>(verdict.status), verdict.message) : judge_end(reply, run_ms);
  m.relative_l2 = verdict.relative_l2;
  m.worst_factor = verdict.worst_factor;
  m.health = reply.health;
  if (!reply.of_reference) return m;
  if (verdict.given) return failed(m.status, "the reference that came with it is refused: " + m.message);
  const std::string how = std::string(to_text(m.status)) + ": " + m.message;
  // Neither a start that failed nor a board without memory is its doing; how it ends otherwise is.
  if (m.status != MeasureStatus::board_unhealthy && m.status != MeasureStatus::out_of_memory)
    return failed(MeasureStatus::load_error, "the reference that came with it does not run: " + how);
  return failed(MeasureStatus::board_unhealthy, "the reference could not be run: " + how);
}

bool DriftWatch::drifted(double before_ns, double after_ns, double part) const {
  if (recent_.size() < 5 || before_ns <= 0 || after_ns <= 0) return false;
  const double median = median_ns();
  return std::abs(before_ns - median) > part * median && std::abs(after_ns - median) > part * median;
}

void DriftWatch::add(double before_ns, double after_ns) {
  for (double ns : {before_ns, after_ns})
    if (ns > 0) recent_.push_back(ns);
  while (recent_.size() > 64) recent_.pop_front();
}

double DriftWatch::median_ns() const {
  if (recent_.empty()) return 0;
  std::vector<double> ordered(recent_.begin(), recent_.end());
  std::nth_element(ordered.begin(), ordered.begin() + static_cast<std::ptrdiff_t>(ordered.size() / 2),
                   ordered.end());
  return ordered[ordered.size() / 2];
}

}  // namespace hone
