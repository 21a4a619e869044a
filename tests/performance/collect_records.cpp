// Measures random points of the search spaces of models' tasks, or all of them, and keeps them as a log: what
// cost models and searches are judged on. Usage: collect_records --log LOG.h5 [options] MODEL... (see
// --help).
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <mutex>
#include <set>
#include <thread>

#include "codegen/import/import.h"
#include "codegen/model/model.h"
#include "codegen/task/graph_task.h"
#include "cost_model/features/features.h"
#include "devices/cpu_device.h"
#include "logs/record_log.h"
#include "tuner/search/points.h"
#include "tuner/search/task_space.h"

namespace hone {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string log, condense, mode = "dram";
  std::vector<std::string> models, filters;
  int64_t trials = 500, all_up_to = 0, least_points = 0, again = 0;
  double seconds = 100, race = 3, within = 0.15;
  uint64_t seed = 1;
  bool list = false;
};

/// A built candidate on its way to the board.
struct Job {
  Record record;
  Artifact artifact;
};

/// At most a few built candidates wait: the builder is ahead of the board, but not by much.
class Queue {
 public:
  void put(Job job) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return jobs_.size() < 16 || stopped_; });
    if (!stopped_) jobs_.push_back(std::move(job));
    changed_.notify_all();
  }
  std::optional<Job> take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !jobs_.empty() || closed_; });
    if (jobs_.empty()) return std::nullopt;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    changed_.notify_all();
    return job;
  }
  void close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }
  void stop() {
    std::lock_guard lock(mutex_);
    closed_ = stopped_ = true;
    changed_.notify_all();
  }
  bool stopped() {
    std::lock_guard lock(mutex_);
    return stopped_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  bool closed_ = false, stopped_ = false;
};

struct Wanted {
  Task task;
  Ports ports;
  TaskSpace space;
};

/// Distinct tasks of all models, in order.
Result<std::vector<Wanted>> wanted_tasks(const Options& options, const Target& target) {
  std::vector<Wanted> wanted;
  std::set<Digest> keys;
  for (const std::string& model : options.models) {
    HONE_TRY(const Graph graph, import_graph(model));
    HONE_TRY(const Plan planned, plan(graph, target, [](const Task&) { return std::nullopt; }));
    for (const PlannedTask& task : distinct_tasks(planned)) {
      const Candidate& candidate = task.candidate;
      const std::string name = summary(candidate.task);
      bool fits = options.filters.empty();
      for (const std::string& filter : options.filters) fits |= name.find(filter) != std::string::npos;
      if (!fits || !keys.insert(candidate.task.key).second) continue;
      auto space = TaskSpace::make(*any_task(candidate.task), target, candidate.ports);
      if (!space || point_count(space->spaces()) < options.least_points) continue;
      wanted.push_back({candidate.task, candidate.ports, std::move(*space)});
    }
  }
  return wanted;
}

/// Points in the order in which they are measured: all of a space that is small enough, else random ones.
std::vector<Point> points_of(const TaskSpace& space, const Options& options, bool& whole) {
  std::vector<Point> points;
  search::Random random(options.seed);
  const int64_t count = point_count(space.spaces());
  whole = count <= options.all_up_to;
  for (const PointSpace& one : space.spaces()) points.push_back({one.formulation, one.first});
  if (whole) {
    for (const PointSpace& one : space.spaces())
      for (int64_t i = 0; i < search::point_count(one); ++i) points.push_back(search::point_at(one, i));
    for (size_t i = points.size() - 1; i > 1; --i)
      std::swap(points[i], points[1 + random.below(static_cast<int64_t>(i))]);
  } else {
    for (int64_t i = 0; i < 20 * options.trials; ++i)
      points.push_back(search::random_point(space.spaces(), random));
  }
  return points;
}

/// Builds what the log lacks of every task and hands it on.
void build_all(std::vector<Wanted>& wanted, const Options& options, const Board& board,
               const LogDatabase& log, Queue& queue) {
  std::set<std::string> known;
  std::map<std::string, std::pair<int64_t, std::set<Digest>>> programs;
  const auto name = [](const Digest& task, const std::string& ports, const Point& point) {
    return task.hex() + "\n" + ports + "\n" + to_text(point);
  };
  for (const Record& record : log.records()) {
    const auto parameters = parse_parameters(record.candidate.parameters);
    if (parameters)
      known.insert(
          name(record.task_key, record.candidate.ports, {record.candidate.formulation, *parameters}));
  }
  for (Wanted& want : wanted) {
    if (queue.stopped()) return;
    bool whole = false;
    const std::vector<Point> points = points_of(want.space, options, whole);
    const std::string ports = to_text(want.ports);
    std::set<Digest> met;
    int64_t made = 0;
    for (const Point& point : points) {
      if (queue.stopped() || (!whole && made >= options.trials)) break;
      const auto described = want.space.describe(point);
      if (!described || !met.insert(described->program).second) continue;
      ++made;
      if (known.contains(name(want.task.key, ports, point))) continue;
      const Formulation* formulation = find_formulation(point.formulation);
      auto candidate = make_candidate(want.task, board.target, *formulation, want.ports, point.parameters);
      if (!candidate) continue;
      auto artifact = compile(*candidate);
      if (!artifact) continue;
      Record record;
      record.task_key = want.task.key;
      record.candidate.task = want.task.text;
      record.task_summary = summary(want.task);
      record.candidate.target = to_text(board.target);
      record.candidate.formulation = point.formulation;
      record.candidate.parameters = to_text(point.parameters);
      record.candidate.schedule = to_text(candidate->schedule);
      record.candidate.ports = ports;
      record.candidate.space_version = formulation->space_version;
      record.board.model = board.model;
      record.board.id = board.id;
      record.artifact = artifact->digest;
      record.from.trial = static_cast<uint64_t>(made - 1);
      record.features = described->features;
      record.feature_version = feature_version;
      record.from.job = whole ? "exhaustive" : "random";
      queue.put({std::move(record), std::move(*artifact)});
    }
    fmt::print(stderr, "{}: {} of {} points are distinct{}\n", summary(want.task), made,
               point_count(want.space.spaces()), whole ? "" : ", drawn at random");
  }
}

/// Builds those records of the log again that came near the best of their task, as further repetitions, in an
/// order that has nothing to do with the first.
void build_again(const Options& options, const Board& board, const LogDatabase& log, Queue& queue) {
  std::map<Digest, double> best;
  for (const Record& record : log.records()) {
    if (record.measurement.status != MeasureStatus::ok) continue;
    double& of_task = best.try_emplace(record.task_key, record.measurement.median_ns).first->second;
    of_task = std::min(of_task, record.measurement.median_ns);
  }
  std::vector<const Record*> near;
  for (const Record& record : log.records())
    if (record.measurement.status == MeasureStatus::ok && record.from.repetition == 0 && !record.from.final &&
        record.measurement.median_ns <= best[record.task_key] * (1 + options.within))
      near.push_back(&record);
  search::Random random(options.seed);
  for (size_t i = near.size(); i > 1; --i)
    std::swap(near[i - 1], near[random.below(static_cast<int64_t>(i))]);
  size_t changed = 0;
  for (int repetition = 1; repetition <= options.again; ++repetition)
    for (const Record* old : near) {
      if (queue.stopped()) return;
      Record record = *old;
      record.from.repetition = repetition;
      if (log.contains(record_identity(record))) continue;
      const auto task = parse_task(record.candidate.task);
      const auto ports = parse_ports(record.candidate.ports);
      const auto parameters = parse_parameters(record.candidate.parameters);
      const Formulation* formulation = find_formulation(record.candidate.formulation);
      if (!task || !ports || !parameters || formulation == nullptr) continue;
      const auto candidate = make_candidate(*task, board.target, *formulation, *ports, *parameters);
      auto artifact = candidate ? compile(*candidate) : pass(candidate.error());
      if (!artifact || artifact->digest != record.artifact) {
        ++changed;
        continue;
      }
      queue.put({std::move(record), std::move(*artifact)});
    }
  fmt::print(stderr, "{} records came near the best of their task; {} build to other code by now\n",
             near.size(), changed);
}

/// A small copy to keep: each candidate once, its one sample being the median of its measurements' medians,
/// without features, since those are worked out anew from the schedule.
Status condense(const std::filesystem::path& from, const std::filesystem::path& to) {
  HONE_TRY(const LogDatabase log, LogDatabase::open(from));
  std::map<Digest, std::vector<double>> medians;
  for (const Record& record : log.records()) {
    Record first = record;
    first.from.repetition = 0;
    medians[record_identity(first)].push_back(record.measurement.median_ns);
  }
  LogDatabase small;
  for (Record record : log.records()) {
    if (record.from.repetition != 0) continue;
    Measurement all;
    all.samples_ns = medians.at(record_identity(record));
    summarise(all);
    record.measurement.samples_ns = {all.median_ns};
    summarise(record.measurement);
    record.features.clear();
    record.measurement.health = {};
    record.from.unix_ms = 0;
    small.add(std::move(record));
  }
  return small.write(to);
}

Status list(std::vector<Wanted>& wanted) {
  for (Wanted& want : wanted) {
    std::string spaces;
    for (const PointSpace& space : want.space.spaces())
      spaces += fmt::format(" {} {}", space.formulation, search::point_count(space));
    fmt::print("{:50} {:6.2f} GFLOP {}\n", summary(want.task), want.task.flops() / 1e9, spaces);
  }
  return {};
}

Status collect(const Options& options) {
  if (!options.condense.empty()) return condense(options.log, options.condense);
  HONE_TRY(const TimingMode mode, parse_timing_mode(options.mode));
  CpuDeviceOptions device_options;
  device_options.server_program = HONE_BINARY_DIR "/bin/hone-runner";
  HONE_TRY(auto device, CpuDevice::create(device_options));
  const Board board = device->board();
  HONE_TRY(std::vector<Wanted> wanted, wanted_tasks(options, board.target));
  if (options.list) return list(wanted);
  HONE_TRY(RecordLog log, RecordLog::open(options.log));
  const LogDatabase before = log.database();
  Queue queue;
  std::thread builder([&] {
    if (options.again > 0)
      build_again(options, board, before, queue);
    else
      build_all(wanted, options, board, before, queue);
    queue.close();
  });
  std::map<Digest, Artifact> references;
  std::map<Digest, double> best;
  const auto start = Clock::now();
  size_t measured = 0, failed = 0;
  Status status;
  while (auto job = queue.take()) {
    Record& record = job->record;
    auto reference = references.find(record.task_key);
    if (reference == references.end()) {
      const auto task = parse_task(record.candidate.task);
      HONE_CHECK(task);
      auto compiled = compile_reference(*task, board.target);
      if (!compiled) {
        status = pass(compiled.error());
        break;
      }
      reference = references.emplace(record.task_key, std::move(*compiled)).first;
    }
    wire::MeasureRequest request;
    request.artifact = record.artifact;
    request.reference = reference->second.digest;
    request.task_key = record.task_key;
    request.seed = "search";
    request.mode = mode;
    request.sampling.race_factor = options.race;
    request.best_ns = options.race > 0 && record.from.repetition == 0 ? best[record.task_key] : 0;
    record.measurement =
        device->measure(request, job->artifact.shared_object, reference->second.shared_object).measurement;
    summarise(record.measurement);
    const bool good = record.measurement.status == MeasureStatus::ok;
    if (good && (best[record.task_key] == 0 || record.measurement.median_ns < best[record.task_key]))
      best[record.task_key] = record.measurement.median_ns;
    failed += good || record.measurement.status == MeasureStatus::raced_out ? 0 : 1;
    ++measured;
    if (auto kept = log.append(std::move(record)); !kept) status = pass(kept.error());
    if (!status || std::chrono::duration<double>(Clock::now() - start).count() > options.seconds) break;
  }
  queue.stop();
  builder.join();
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  fmt::print("{} trials, {} failed, {:.0f} s, {:.1f}/s\n", measured, failed, seconds,
             static_cast<double>(measured) / seconds);
  HONE_RETURN_IF_ERROR(log.close());
  return status;
}

}  // namespace
}  // namespace hone

int main(int argc, char** argv) {
  hone::Options options;
  CLI::App app("Measures points of the search spaces of models' tasks and keeps them as a log");
  app.add_option("models", options.models, "ONNX or TFLite files");
  app.add_option("--log", options.log, "the log to extend");
  app.add_option("--mode", options.mode, "timing mode, dram or llc")->capture_default_str();
  app.add_option("--filter", options.filters, "only tasks whose name holds one of these texts");
  app.add_option("--trials", options.trials, "points drawn at random of each task")->capture_default_str();
  app.add_option("--all-up-to", options.all_up_to, "spaces of at most so many points are measured whole");
  app.add_option("--least-points", options.least_points, "only tasks with at least so many points");
  app.add_option("--seconds", options.seconds, "stop after this; the next run goes on")
      ->capture_default_str();
  app.add_option("--race", options.race, "slower than the best by this: two samples are enough; 0: never")
      ->capture_default_str();
  app.add_option("--again", options.again,
                 "measure what came near the best of its task again, so many times; needs no models");
  app.add_option("--condense", options.condense, "only write a small copy of the log to this file");
  app.add_option("--within", options.within, "what near means: slower than the best by this part at most")
      ->capture_default_str();
  app.add_option("--seed", options.seed, "of the draw")->capture_default_str();
  app.add_flag("--list", options.list, "only print the tasks and their spaces");
  CLI11_PARSE(app, argc, argv);
  if (options.log.empty() && !options.list) return std::fprintf(stderr, "--log is missing\n"), 2;
  if (auto status = hone::collect(options); !status) {
    std::fprintf(stderr, "collect_records: %s\n", status.error().text().c_str());
    return 1;
  }
  return 0;
}
