// How much the same artifact's time differs from one measurement to the next (an A/A study), and how often
// the slower of two artifacts 3 % apart would win by it. Usage: same_again [--rounds N] [--mode MODE]
// [--load none|beside|everywhere|tuning]. Prints; asserts nothing.
#include <fmt/format.h>
#include <sched.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <thread>
#include <vector>

#include "codegen/artifact/artifact.h"
#include "devices/cpu_device.h"
#include "scheduler/settings.h"

namespace hone {
namespace {

struct Options {
  int rounds = 50;
  double apart = 0.03;
  std::string mode = "dram", load = "none";
};

std::string conv(int in, int out, int h, int kernel, int stride, int pad) {
  return fmt::format(
      "%x = input f32[1x{}x{}x{}]\n%w = constant f32[{}x{}x{}x{}]\n%b = constant f32[{}]\n"
      "%0 = conv %x %w %b {{strides=[{},{}] pads=[{},{},{},{}]}}\n%1 = relu %0\noutput %1\n",
      in, h, h, out, in, kernel, kernel, out, stride, stride, pad, pad, pad, pad);
}

std::string dense(int in, int out) {
  return fmt::format(
      "%x = input f32[1x{}]\n%w = constant f32[{}x{}]\n%b = constant f32[{}]\n"
      "%0 = dense %x %w %b {{transpose_b=1}}\noutput %0\n",
      in, out, in, out);
}

/// Threads that stream through memory and multiply in turn, as compilers do, until the object goes.
class Load {
 public:
  /// `beside`: one on each core but the last. `everywhere`: one a core, and where they run is left to the
  /// system. `tuning`: beside, and on the last core, which measures, one that gives way to all others.
  explicit Load(const std::string& kind) {
    const int cores = static_cast<int>(std::max(2u, std::thread::hardware_concurrency()));
    const int count = kind == "none" ? 0 : kind == "beside" ? cores - 1 : cores;
    for (int i = 0; i < count; ++i) {
      const bool gives_way = kind == "tuning" && i == cores - 1;
      threads_.emplace_back([this, i, kind, gives_way] { work(i, kind == "everywhere", gives_way); });
    }
  }
  ~Load() {
    leaving_ = true;
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  void work(int core, bool everywhere, bool gives_way) {
    const sched_param none_needed = {};
    if (gives_way) (void)::sched_setscheduler(0, SCHED_IDLE, &none_needed);
    cpu_set_t set;
    CPU_ZERO(&set);
    for (size_t i = 0; i < std::thread::hardware_concurrency(); ++i)
      if (everywhere || i == static_cast<size_t>(core)) CPU_SET(i, &set);
    (void)::sched_setaffinity(0, sizeof set, &set);
    std::vector<float> memory(16 << 20, 1.0f);
    while (!leaving_) {
      for (size_t i = 0; i < memory.size() && !leaving_; i += 16) memory[i] += 1;
      volatile float sum = 0;
      for (int i = 0; i < 10'000'000 && !leaving_; ++i) sum = sum * 0.5f + 1;
    }
  }
  std::atomic<bool> leaving_ = false;
  std::vector<std::thread> threads_;
};

struct Subject {
  Task task;
  Artifact artifact, reference;
  std::vector<double> search, final;  ///< medians, a round each
  double ms = 0;                      ///< of the board, all search measurements
  int unhealthy = 0;
};

double quantile(std::vector<double> values, double q) {
  std::ranges::sort(values);
  return values[static_cast<size_t>(std::lround(q * static_cast<double>(values.size() - 1)))];
}

/// Over all pairs of different rounds: how often the second artifact, slower by `apart`, looks faster.
double wrong_winner(const std::vector<double>& ns, double apart) {
  double wrong = 0, all = 0;
  for (size_t i = 0; i < ns.size(); ++i)
    for (size_t j = 0; j < ns.size(); ++j) {
      if (i == j) continue;
      all += 1;
      wrong += ns[i] > ns[j] * (1 + apart) ? 1 : 0;
    }
  return wrong / all;
}

/// Medians of three rounds in a row: what finals decide by.
std::vector<double> of_three(const std::vector<double>& ns) {
  std::vector<double> medians;
  for (size_t i = 0; i + 2 < ns.size(); i += 3) {
    std::vector<double> three(ns.begin() + static_cast<std::ptrdiff_t>(i),
                              ns.begin() + static_cast<std::ptrdiff_t>(i + 3));
    std::ranges::sort(three);
    medians.push_back(three[1]);
  }
  return medians;
}

Status measure(CpuDevice& device, Subject& subject, TimingMode mode, bool final) {
  const scheduler::Settings settings;
  wire::MeasureRequest request;
  request.artifact = subject.artifact.digest;
  request.reference = subject.reference.digest;
  request.task_key = subject.task.key;
  request.seed = final ? "finals" : "search";
  request.mode = mode;
  request.final = final;
  request.sampling = final ? settings.final_sampling : settings.sampling;
  for (int attempt = 0; attempt < 3; ++attempt) {
    const DeviceResult result =
        device.measure(request, subject.artifact.shared_object, subject.reference.shared_object);
    const Measurement& m = result.measurement;
    if (!final) subject.ms += result.check_ms + result.run_ms;
    if (m.status == MeasureStatus::ok) {
      (final ? subject.final : subject.search).push_back(m.median_ns);
      return {};
    }
    ++subject.unhealthy;
    if (m.status != MeasureStatus::board_unhealthy)
      return fail(std::string(to_text(m.status)) + ": " + m.message, summary(subject.task));
  }
  return {};
}

void print(const Subject& subject) {
  const auto row = [&](const char* what, const std::vector<double>& ns, double ms) {
    const double median = quantile(ns, 0.5);
    fmt::print("{:36} {:6} {:9.1f} | {:6.2f} {:6.2f} {:7.2f} | {:6.2f} {:7.1f}\n", summary(subject.task),
               what, median / 1e3, 100 * (quantile(ns, 0.75) - quantile(ns, 0.25)) / median,
               100 * (quantile(ns, 0.95) - quantile(ns, 0.05)) / median,
               100 * (quantile(ns, 1) / quantile(ns, 0) - 1), 100 * wrong_winner(ns, 0.03), ms);
  };
  row("search", subject.search, subject.ms / static_cast<double>(subject.search.size()));
  row("finals", of_three(subject.final), 0);
}

Status study(const Options& options) {
  HONE_TRY(const TimingMode mode, parse_timing_mode(options.mode));
  CpuDeviceOptions device_options;
  device_options.server_program = HONE_BINARY_DIR "/bin/hone-runner";
  HONE_TRY(const auto device, CpuDevice::create(device_options));
  const Target target = device->board().target;
  std::vector<Subject> subjects;
  for (const std::string& text : {conv(16, 64, 55, 1, 1, 0), conv(96, 576, 14, 1, 1, 0),
                                  conv(64, 64, 56, 3, 1, 1), conv(512, 512, 7, 3, 1, 1), dense(2048, 1000)}) {
    HONE_TRY(Graph graph, parse_graph(text));
    Subject subject;
    subject.task = make_task(std::move(graph));
    HONE_TRY(const Candidate candidate, default_candidate(subject.task, target));
    HONE_TRY(subject.artifact, compile(candidate));
    HONE_TRY(subject.reference, compile_reference(subject.task, target));
    subjects.push_back(std::move(subject));
  }
  {
    const Load load(options.load);
    for (int round = 0; round < options.rounds; ++round)
      for (Subject& subject : subjects) HONE_RETURN_IF_ERROR(measure(*device, subject, mode, false));
    for (int round = 0; round < options.rounds; ++round)
      for (Subject& subject : subjects) HONE_RETURN_IF_ERROR(measure(*device, subject, mode, true));
  }
  fmt::print("load {}, mode {}, {} rounds\n", options.load, options.mode, options.rounds);
  fmt::print("{:36} {:6} {:>9} | {:>6} {:>6} {:>7} | {:>6} {:>7}\n", "task", "", "us", "IQR %", "90 %",
             "all %", "wrong %", "ms");
  int unhealthy = 0;
  for (const Subject& subject : subjects) {
    print(subject);
    unhealthy += subject.unhealthy;
  }
  fmt::print("{} measurements were refused as unhealthy\n", unhealthy);
  return {};
}

}  // namespace
}  // namespace hone

int main(int argc, char** argv) {
  hone::Options options;
  CLI::App app(
      "Measures the same artifacts again and again: spread, and how often the wrong one of two wins");
  app.add_option("--rounds", options.rounds, "measurements of each artifact")->capture_default_str();
  app.add_option("--mode", options.mode, "timing mode, dram or llc")->capture_default_str();
  app.add_option("--load", options.load, "other work: none, beside (not on the measuring core), everywhere, or as a builder does it while tuning")
      ->check(CLI::IsMember({"none", "beside", "everywhere", "tuning"}))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (auto status = hone::study(options); !status) {
    std::fprintf(stderr, "same_again: %s\n", status.error().text().c_str());
    return 1;
  }
  return 0;
}
