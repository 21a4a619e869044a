// What clients and scheduler tell each other: job requests, their progress, queries.
#include "measure/wire_fields.h"

namespace hone::wire {

static void put(const JobTask& from, schema::JobTask::Builder to) {
  to.setTask(text("task", from.task));
  to.setSummary(text("summary", from.summary));
  to.setPorts(text("ports", from.ports));
  to.setWeight(from.weight);
  to.setFlops(from.flops);
}
static void get(schema::JobTask::Reader from, JobTask& to) {
  to.task = text("task", from.getTask());
  to.summary = text("summary", from.getSummary());
  to.ports = text("ports", from.getPorts());
  to.weight = from.getWeight();
  to.flops = from.getFlops();
}

static void put(const TaskProgress& from, schema::TaskProgress::Builder to) {
  to.setTrials(from.trials);
  to.setNewTrials(from.new_trials);
  to.setFirstNs(from.first_ns);
  to.setBestNs(from.best_ns);
  to.setFinished(from.finished);
}
static void get(schema::TaskProgress::Reader from, TaskProgress& to) {
  to = {from.getTrials(), from.getNewTrials(), from.getFirstNs(), from.getBestNs(), from.getFinished()};
}

static void put(const Failure& from, schema::Failure::Builder to) {
  to.setStatus(literal(to_text(from.status)));
  to.setCount(from.count);
  to.setExample(text("example", from.example));
}
static void get(schema::Failure::Reader from, Failure& to) {
  to = {status_of(from.getStatus()), from.getCount(), text("example", from.getExample())};
}

static void put(const JobPart& from, schema::JobPart::Builder to) {
  to.setTarget(text("target", from.target));
  put_list(from.tasks, to.initTasks(sized("tasks", from.tasks.size(), Limits::tasks)));
  to.setMode(literal(to_text(from.mode)));
}
static void get(schema::JobPart::Reader from, JobPart& to) {
  to.target = text("target", from.getTarget());
  to.tasks = get_list<JobTask>("tasks", from.getTasks(), Limits::tasks);
  to.mode = mode_of(from.getMode());
}

static void put(const JobLane& from, schema::JobLane::Builder to) {
  to.setPart(from.part);
  to.setBoardModel(text("board model", from.board_model));
  to.setBoards(from.boards);
  put_list(from.tasks, to.initTasks(sized("tasks", from.tasks.size(), Limits::tasks)));
  to.setReason(text("reason", from.reason));
}
static void get(schema::JobLane::Reader from, JobLane& to) {
  to.part = from.getPart();
  to.board_model = text("board model", from.getBoardModel());
  to.boards = from.getBoards();
  to.tasks = get_list<TaskProgress>("tasks", from.getTasks(), Limits::tasks);
  to.reason = text("reason", from.getReason());
}

/// The first part has fields of its own, the others are a list.
template <class Builder>
static void put_parts(const std::vector<JobPart>& parts, Builder to) {
  if (parts.empty()) throw Malformed{"a job has no target"};
  const JobPart& first = parts.front();
  to.setTarget(text("target", first.target));
  put_list(first.tasks, to.initTasks(sized("tasks", first.tasks.size(), Limits::tasks)));
  auto others = to.initAlso(sized("targets", parts.size() - 1, Limits::lanes));
  for (unsigned i = 0; i < others.size(); ++i) put(parts[i + 1], others[i]);
}
template <class Reader>
static std::vector<JobPart> get_parts(Reader from) {
  std::vector<JobPart> parts(1);
  parts[0].target = text("target", from.getTarget());
  parts[0].tasks = get_list<JobTask>("tasks", from.getTasks(), Limits::tasks);
  for (JobPart& part : get_list<JobPart>("targets", from.getAlso(), Limits::lanes))
    parts.push_back(std::move(part));
  return parts;
}

void put(const JobRequest& from, schema::JobRequest::Builder to) {
  to.setName(text("name", from.name));
  put_parts(from.parts, to);
  to.setBoardModel(text("board model", from.board_model));
  to.setThreads(from.threads);
  to.setMode(literal(to_text(from.parts.front().mode)));
  to.setMaxTrials(from.max_trials);
  to.setMaxSeconds(from.max_seconds);
  to.setMore(from.more);
  to.setSeed(from.seed);
  to.setPriority(from.priority);
  to.setUser(text("user", from.user));
  to.setToken(text("token", from.token));
  put_texts("label", from.require, to.initRequire(sized("labels", from.require.size(), Limits::labels)));
  to.setLimitSeconds(from.limit_seconds);
  to.setTargetMs(from.target_ms);
}
void get(schema::JobRequest::Reader from, JobRequest& to) {
  to.name = text("name", from.getName());
  to.parts = get_parts(from);
  to.parts.front().mode = mode_of(from.getMode());
  to.board_model = text("board model", from.getBoardModel());
  to.threads = from.getThreads();
  to.max_trials = from.getMaxTrials();
  to.max_seconds = from.getMaxSeconds();
  to.more = from.getMore();
  to.seed = from.getSeed();
  to.priority = from.getPriority();
  to.user = text("user", from.getUser());
  to.token = text("token", from.getToken());
  to.require = get_texts("labels", from.getRequire(), Limits::labels);
  to.limit_seconds = from.getLimitSeconds();
  to.target_ms = from.getTargetMs();
}

void put(const Query& from, schema::Query::Builder to) {
  to.setTarget(text("target", from.target));
  put_digests(from.task_keys, to.initTaskKeys(sized("task keys", from.task_keys.size(), Limits::texts)));
  to.setBestOnly(from.best_only);
}
void get(schema::Query::Reader from, Query& to) {
  to.target = text("target", from.getTarget());
  to.task_keys = get_digests("task keys", from.getTaskKeys());
  to.best_only = from.getBestOnly();
}

void put(const JobEvent& from, schema::JobEvent::Builder to) {
  to.setId(from.job);
  to.setState(text("state", from.state));
  to.setReason(text("reason", from.reason));
  put_list(from.tasks, to.initTasks(sized("tasks", from.tasks.size(), Limits::tasks)));
  to.setTrials(from.trials);
  to.setMeasuredBefore(from.measured_before);
  to.setCandidates(from.candidates);
  put_list(from.failed, to.initFailed(sized("failures", from.failed.size(), Limits::tasks)));
  to.setSeconds(from.seconds);
  to.setEtaSeconds(from.eta_seconds);
  auto stages = to.initStages();
  stages.setProposeMs(from.stages.propose_ms);
  stages.setBuildMs(from.stages.build_ms);
  stages.setUploadMs(from.stages.upload_ms);
  stages.setCheckMs(from.stages.check_ms);
  stages.setRunMs(from.stages.run_ms);
  stages.setIdleMs(from.stages.idle_ms);
  to.setBoards(from.boards);
  to.setTuners(from.tuners);
  to.setTrouble(text("trouble", from.trouble));
  put_list(from.lanes, to.initLanes(sized("lanes", from.lanes.size(), Limits::lanes)));
}
void get(schema::JobEvent::Reader from, JobEvent& to) {
  to.job = from.getId();
  to.state = text("state", from.getState());
  to.reason = text("reason", from.getReason());
  to.tasks = get_list<TaskProgress>("tasks", from.getTasks(), Limits::tasks);
  to.trials = from.getTrials();
  to.measured_before = from.getMeasuredBefore();
  to.candidates = from.getCandidates();
  to.failed = get_list<Failure>("failures", from.getFailed(), Limits::tasks);
  to.seconds = from.getSeconds();
  to.eta_seconds = from.getEtaSeconds();
  auto stages = from.getStages();
  to.stages = {stages.getProposeMs(), stages.getBuildMs(), stages.getUploadMs(),
               stages.getCheckMs(),   stages.getRunMs(),   stages.getIdleMs()};
  to.boards = from.getBoards();
  to.tuners = from.getTuners();
  to.trouble = text("trouble", from.getTrouble());
  to.lanes = get_list<JobLane>("lanes", from.getLanes(), Limits::lanes);
}

void put(const JobSummary& from, schema::JobSummary::Builder to) {
  to.setId(from.job);
  to.setName(text("name", from.name));
  put_parts(from.parts, to);
  to.setBoardModel(text("board model", from.board_model));
  to.setMaxTrials(from.max_trials);
  to.setMaxSeconds(from.max_seconds);
  to.setState(text("state", from.state));
  to.setReason(text("reason", from.reason));
  to.setTrials(from.trials);
  to.setSeconds(from.seconds);
  to.setBoards(from.boards);
  to.setTuners(from.tuners);
  to.setUser(text("user", from.user));
  to.setPriority(from.priority);
  put_texts("label", from.require, to.initRequire(sized("labels", from.require.size(), Limits::labels)));
  to.setLimitSeconds(from.limit_seconds);
  to.setCreatedUnixMs(from.created_unix_ms);
  to.setBoardMs(from.board_ms);
}
void get(schema::JobSummary::Reader from, JobSummary& to) {
  to.job = from.getId();
  to.name = text("name", from.getName());
  to.parts = get_parts(from);
  to.board_model = text("board model", from.getBoardModel());
  to.max_trials = from.getMaxTrials();
  to.max_seconds = from.getMaxSeconds();
  to.state = text("state", from.getState());
  to.reason = text("reason", from.getReason());
  to.trials = from.getTrials();
  to.seconds = from.getSeconds();
  to.boards = from.getBoards();
  to.tuners = from.getTuners();
  to.user = text("user", from.getUser());
  to.priority = from.getPriority();
  to.require = get_texts("labels", from.getRequire(), Limits::labels);
  to.limit_seconds = from.getLimitSeconds();
  to.created_unix_ms = from.getCreatedUnixMs();
  to.board_ms = from.getBoardMs();
}

}  // namespace hone::wire
