// See examples.h. Change nothing here: add new examples for new fields, since the golden frames are a
// released version's.
#include "tests/wire/examples.h"

namespace hone::wire {
namespace {

Digest repeated(char digit) { return *parse_digest(std::string(64, digit)); }

}  // namespace

Record example_record() {
  Record r;
  r.task_key = repeated('a');
  r.candidate.task = "task text";
  r.task_summary = "conv3x3 64>64";
  r.candidate.target = "triple=x86_64-linux-gnu";
  r.candidate.formulation = "direct";
  r.candidate.parameters = "oc=2 ow=14";
  r.candidate.schedule = "split ow 14 peel -> ow.o ow.i";
  r.candidate.ports = "x aBcd16b";
  r.candidate.space_version = 3;
  r.board.model = "AMD";
  r.board.id = "board";
  r.artifact = repeated('b');
  r.measurement.status = MeasureStatus::crashed;
  r.measurement.message = "SIGSEGV";
  r.measurement.threads = 2;
  r.measurement.mode = TimingMode::dram;
  r.measurement.samples_ns = {10, 20, 30.5};
  r.measurement.median_ns = 20;
  r.measurement.spread = 0.25;
  r.measurement.relative_l2 = 1e-7;
  r.measurement.worst_factor = 12;
  r.measurement.health = {200000, 200001, 55, 3000};
  r.from.final = true;
  r.from.repetition = 4;
  r.from.trial = 77;
  r.features = {1, 2.5f, -3};
  r.feature_version = 5;
  r.from.job = "job 1";
  r.from.tuner = "tuner 1";
  r.from.unix_ms = 1700000000000;
  return r;
}

std::vector<std::pair<std::string, Message>> examples() {
  const LeaseRef lease{7, 3};
  const CandidateText candidate{"task", "target", "direct", 2, "ports", "oc=2", "split"};
  Round round{lease,
              1,
              "task",
              "target",
              "ports",
              2,
              TimingMode::dram,
              Propose{.count = 32,
                      .seed = 99,
                      .cost_model = repeated('c'),
                      .top = {example_record()},
                      .seen = {"direct oc=1", "direct oc=2"},
                      .first_trial = 5}};
  MeasureRequest request;
  request.lease = lease;
  request.id = repeated('d');
  request.artifact = repeated('e');
  request.reference = repeated('f');
  request.task_key = repeated('1');
  request.seed = "seed";
  request.mode = TimingMode::dram;
  request.threads = 2;
  request.sampling = {3, 9, 0.05, std::chrono::milliseconds(70), 1.75, 0};
  request.best_ns = 12345;
  request.upload_ms = 1000;
  request.run_ms = 2000;
  request.final = true;
  Measured measured;
  measured.lease = lease;
  measured.id = repeated('d');
  measured.measurement = example_record().measurement;
  measured.upload_ms = 1;
  measured.check_ms = 2;
  measured.run_ms = 3;
  JobRequest job{"resnet18", "AMD", {{"target", {{"task", "conv", "ports", 4, 1e9}}, TimingMode::dram}},
                 2,          100,   60,
                 true,       5};
  JobEvent event{1,
                 "InProgress",
                 "why",
                 {{10, 4, 100, 50, true}},
                 20,
                 6,
                 22,
                 {{MeasureStatus::crashed, 2, "SIGSEGV"}},
                 12.5,
                 40,
                 {1, 2, 3, 4, 5, 6},
                 1,
                 2};
  return {
      {"not_understood", NotUnderstood{"a reason"}},
      {"hello", Hello{Role::runner, 1, 2, "build", "name", "board text", 4, {"rack=2", "owner=me"}}},
      {"state", WorkerState{{lease, {8, 1}}, 55.5, 3100}},
      {"built", Built{lease,
                      candidate,
                      11,
                      MeasureStatus::build_timeout,
                      "slow",
                      repeated('e'),
                      "{}",
                      repeated('f'),
                      {1, 2, 3},
                      4,
                      12.5,
                      0.75}},
      {"round_done", RoundDone{lease, 30, true, 4.5}},
      {"fetch", Fetch{repeated('e')}},
      {"measured", measured},
      {"submit", job},
      {"follow", Follow{5}},
      {"stop", Stop{6}},
      {"query", Query{"target", {repeated('a')}, true}},
      {"welcome", Welcome{1, 42, 500, 3000}},
      {"refuse", Refuse{"too old"}},
      {"want", Want{{lease}, {round}, {request}, true}},
      {"blob", Blob{repeated('e'), true}},
      {"committed", Committed{{repeated('d')}}},
      {"accepted", Accepted{9}},
      {"job_event", event},
      {"records", Records{{example_record(), example_record()}}},
      {"list_jobs", ListJobs{9}},
      {"jobs", Jobs{{{9,
                      "model",
                      "board",
                      {{"target", {{"task text", "conv 3x3", "ports", 4, 1e9}}}},
                      100,
                      60,
                      "Failed",
                      "no board",
                      7,
                      1.5,
                      2,
                      3}}}},
      {"list_boards", ListBoards{}},
      {"boards", Boards{{{"b1", "board text", {"rack=2"}, {9, 10}, 2, 100, 3, 4, 5, 55.5, 3100}}}},
  };
}

std::vector<std::pair<std::string, Message>> examples_2() {
  Hello hello{Role::runner, 1, 2, "build", "name", "board text", 4, {"rack=2"}};
  hello.instance = 77;
  hello.can_check = true;
  hello.os = "Debian GNU/Linux 12";
  hello.emulated = true;
  hello.sandbox = "no system call filter";
  hello.max_frequency_mhz = 3600;
  JobRequest job{"resnet18", "AMD", {{"target", {{"task", "conv", "ports", 4, 1e9}}, TimingMode::dram}},
                 2,          100,   60,
                 true,       5};
  job.priority = 20;
  job.user = "me";
  job.token = "token";
  job.require = {"rack=2", "cooled=yes"};
  job.limit_seconds = 3600;
  JobRequest fast = job;
  fast.target_ms = 12.5;
  Round hinted;
  hinted.lease = {7, 4};
  hinted.asks =
      Propose{.seen = {"direct oc=1"}, .seen_versions = {3}, .hints = {"direct oc=2", "winograd tile=4"}};
  Round round;
  round.lease = {7, 3};
  round.asks = Rebuild{{{"task", "target", "direct", 2, "ports", "oc=2", "split"}}};
  Want want{{{7, 3}}, {round}, {}, false};
  want.check = 9;
  want.check_ms = 5000;
  want.board_state = "Unknown";
  want.board_reason = "it came";
  JobEvent event;
  event.job = 1;
  event.state = "InProgress";
  event.trouble = "No space left on device";
  JobSummary summary;
  summary.job = 9;
  summary.state = "Failed";
  summary.user = "me";
  summary.priority = 20;
  summary.require = {"rack=2"};
  summary.created_unix_ms = 1700000000000;
  summary.board_ms = 12.5;
  summary.limit_seconds = 3600;
  BoardSummary board;
  board.name = "b1";
  board.state = "Bad";
  board.reason = "it was lost";
  board.state_ms = 5000;
  board.retry_ms = 6000;
  board.faults = 3;
  board.connected = board.draining = true;
  board.os = "Debian";
  board.emulated = true;
  board.sandbox = "partial";
  board.reference_ns = 200000;
  board.free_memory_bytes = 1 << 30;
  board.free_disk_bytes = int64_t{1} << 40;
  board.max_frequency_mhz = 3600;
  board.history = {{1700000000000, "Unknown", "it came"}, {1700000000001, "Bad", "it was lost"}};
  SchedulerStatus status;
  status.build = "hone 0.1";
  status.protocol_min = 1;
  status.protocol_max = 2;
  status.log = "lab.h5";
  status.records = 10;
  status.durable = 9;
  status.trouble = "No space left on device";
  status.up_ms = 1000;
  status.boards = 1;
  status.tuners = 2;
  status.clients = 3;
  status.refused = 4;
  status.malformed = 5;
  status.lost_workers = 6;
  return {
      {"hello", hello},
      {"submit", job},
      {"submit_target", fast},
      {"want", want},
      {"want_hints", Want{{{7, 4}}, {hinted}, {}, false}},
      {"job_event", event},
      {"jobs", Jobs{{summary}}},
      {"boards", Boards{{board}}},
      {"health", HealthReport{9, true, "slow", 200000, 55.5, 3100, 1 << 30, int64_t{1} << 40}},
      {"board", BoardRequest{"b1", BoardAction::retire, "broken fan"}},
      {"resume", Resume{9}},
      {"pull_log", PullLog{9, 1000, "target"}},
      {"log_chunk", LogChunk{{example_record()}, 1001, 2000}},
      {"ask_status", AskStatus{}},
      {"status", status},
  };
}

std::vector<std::pair<std::string, Message>> examples_3() {
  SchedulerStatus status;
  status.build = "hone 0.1";
  status.protocol_max = 3;
  status.acknowledged_median_us = 800;
  status.acknowledged_high_us = 4100;
  return {{"status", status}};
}

std::vector<std::pair<std::string, Message>> examples_4() {
  BoardSummary board;
  board.name = "r2/1";
  board.bound_id = std::string(64, '2');
  SchedulerStatus status;
  status.connections = 12;
  status.crowded = 3;
  status.greedy = 4;
  status.removed = 5;
  status.conflicts = "2 (the last: of conv3x3, by t1 and t2)";
  return {{"boards", Boards{{board}}},
          {"board_release", BoardRequest{"r2/1", BoardAction::release, "another machine"}},
          {"status", status}};
}

}  // namespace hone::wire
