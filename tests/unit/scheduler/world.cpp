// The simulated peers do what measure/messages.md says, no more; the disk keeps what was synced.
#include "tests/unit/scheduler/world.h"

#include <algorithm>

namespace hone::scheduler::test {
Target make_target() {
  Target target;
  target.triple = "x86_64-linux-gnu";
  target.cpu = "generic";
  target.features = "+avx2,+fma";
  target.vector_bits = 256;
  target.vector_registers = 16;
  return target;
}

Board make_board(const std::string& id, const std::string& model) {
  Board board;
  board.model = model;
  board.id = id;
  board.boot_id = "boot";
  board.kernel = "linux";
  board.cores = 2;
  board.memory_bytes = 1 << 30;
  board.target = make_target();
  board.target.features = "+avx,+avx2,+fma";
  return board;
}

wire::JobTask make_task(int number, uint32_t weight) {
  wire::JobTask task;
  task.task = "task v1 conv " + std::to_string(number);
  task.summary = (number % 2 == 0 ? "conv1x1 " : "conv3x3 ") + std::to_string(number);
  task.ports = "x:nchw8c y:nchw8c";
  task.weight = weight;
  task.flops = 1e8;
  return task;
}

wire::JobRequest make_request(int tasks, uint64_t trials, double seconds) {
  wire::JobRequest request;
  request.name = "model";
  request.parts[0].target = to_text(make_target());
  for (int i = 0; i < tasks; ++i) request.parts[0].tasks.push_back(make_task(i));
  request.max_trials = trials;
  request.max_seconds = seconds;
  request.seed = 5;
  return request;
}

World::World(Settings settings, uint64_t seed, Nature nature, Disk* disk)
    : keeper_(disk), settings_(settings), nature_(nature), random_(seed) {
  client_.role = wire::Role::client;
  client_.name = "client";
  restart_scheduler();
  restarts = 0;
}

void World::restart_scheduler() {
  ++restarts;
  unsynced_.clear();
  jobs_unsynced_.clear();
  core_.reset();
  LogDatabase log;
  Recovered recovered;
  if (keeper_ != nullptr) {
    std::tie(log, recovered) = keeper_->open();
    on_disk_.clear();
    for (const Record& record : log.records())
      if (!on_disk_.insert(record_identity(record)).second) breach("a measurement id is there twice");
    for (const Digest& id : acknowledged)
      if (!on_disk_.contains(id)) breach("an acknowledged record was lost in a kill");
    if (job_ != 0 && !recovered.jobs.contains(job_)) breach("an accepted job was lost in a kill");
    disk_ = log.records();
  } else {
    for (const Record& record : disk_) log.add(record);
    recovered = *recover(jobs_disk_);
    ++recovered.boot;
  }
  core_ = std::make_unique<Core>(settings_, std::move(log), std::move(recovered));
  wanted_ = durable_ = 0;
  // Every connection is gone; peers notice by silence and come back with a new one.
  for (auto& [name, worker] : workers_) {
    worker.connection.clear();
    worker.welcomed = false;
    worker.back_at = now + Time(100 + static_cast<int64_t>(random_() % 400));
  }
  client_.connection.clear();
  client_.welcomed = false;
  client_.back_at = now + Time(100);
  take(core_->start(moment()));
  sync();
}

void World::add_tuner(const std::string& name) {
  Worker worker;
  worker.name = name;
  worker.role = wire::Role::tuner;
  worker.instance = random_();
  say_hello(workers_.emplace(name, worker).first->second);
}

void World::add_runner(const std::string& name, const std::string& model) {
  Worker worker;
  worker.name = name;
  worker.role = wire::Role::runner;
  worker.instance = random_();
  worker.model = model;
  say_hello(workers_.emplace(name, worker).first->second);
}

void World::submit(wire::JobRequest request) {
  ++submissions_;
  if (request.token.empty()) request.token = "submission " + std::to_string(submissions_);
  submitted_.reset();
  if (client_.connection.empty()) say_hello(client_);
  submitted_ = std::move(request);
  send_submission();
}

void World::send_submission() {
  job_ = 0;
  last_event_ = {};
  states_.clear();
  to_scheduler(client_, *submitted_);
}

void World::say_hello(Worker& worker) {
  worker.connection = worker.name + "#" + std::to_string(++connections_);
  worker.welcomed = false;
  worker.heard = now;
  wire::Hello hello;
  hello.role = worker.role;
  hello.name = worker.name;
  hello.capacity = worker.role == wire::Role::runner ? 8 : 2;
  hello.instance = worker.instance;
  hello.can_check = worker.can_check;
  worker.check = 0;
  if (worker.role == wire::Role::runner) hello.board = to_text(make_board(worker.name, worker.model));
  to_scheduler(worker, hello);
}

void World::to_scheduler(Worker& worker, wire::Message message, std::vector<wire::Bytes> blobs) {
  if (worker.connection.empty()) return;
  take(core_->message(moment(), worker.connection, message, std::move(blobs)));
}

void World::take(Effects effects) {
  for (Record& record : effects.records) unsynced_.push_back(std::move(record));
  for (JournalEntry& entry : effects.jobs) jobs_unsynced_.push_back(std::move(entry));
  wanted_ = std::max(wanted_, effects.sequence);
  for (const TrainRequest& request : effects.train)
    take(core_->trained(moment(), request.id, "model " + std::to_string(request.scores.size())));
  for (const Outgoing& outgoing : effects.send) deliver(outgoing);
}

void World::sync() {
  while (wanted_ > durable_ && !disk_full_) {
    if (keeper_ != nullptr && !keeper_->commit(unsynced_, jobs_unsynced_)) return;
    durable_ = wanted_;
    for (Record& record : unsynced_) {
      if (!on_disk_.insert(record_identity(record)).second) breach("a measurement id was committed twice");
      disk_.push_back(std::move(record));
    }
    unsynced_.clear();
    jobs_disk_.insert(jobs_disk_.end(), jobs_unsynced_.begin(), jobs_unsynced_.end());
    jobs_unsynced_.clear();
    take(core_->durable(moment(), durable_));
  }
}

void World::breach(const std::string& what) {
  if (broken.size() < 20) broken.push_back("at " + std::to_string(now.count()) + " ms: " + what);
}

void World::deliver(const Outgoing& outgoing) {
  Worker* worker = nullptr;
  if (outgoing.peer == client_.connection) worker = &client_;
  for (auto& [name, one] : workers_)
    if (one.connection == outgoing.peer && !one.dead) worker = &one;
  if (worker == nullptr) return;
  worker->heard = now;
  if (std::holds_alternative<wire::Welcome>(outgoing.message)) {
    worker->welcomed = true;
    worker->next_state = now;
    if (worker == &client_ && job_ != 0)
      to_scheduler(client_, wire::Follow{job_});
    else if (worker == &client_ && submitted_)
      send_submission();
    for (const auto& [id, result] : std::map<Digest, wire::Measured>(worker->results))
      to_scheduler(*worker, result);
  } else if (const auto* refused = std::get_if<wire::NotUnderstood>(&outgoing.message)) {
    refusals.push_back(refused->reason);
    // As hone's own workers: a scheduler that does not know this one is greeted at once.
    if (refused->reason.find("hello") != std::string::npos)
      worker->heard = now - 4 * settings_.heartbeat - Time(1);
  } else if (const auto* refuse = std::get_if<wire::Refuse>(&outgoing.message)) {
    refusals.push_back(refuse->reason);
  } else if (const auto* accepted = std::get_if<wire::Accepted>(&outgoing.message)) {
    job_ = accepted->job;
  } else if (const auto* event = std::get_if<wire::JobEvent>(&outgoing.message)) {
    last_event_ = *event;
    if (states_.empty() || states_.back() != event->state) states_.push_back(event->state);
  } else if (const auto* committed = std::get_if<wire::Committed>(&outgoing.message)) {
    for (const Digest& id : committed->ids) {
      const auto result = worker->results.find(id);
      if (result != worker->results.end()) {
        const MeasureStatus status = result->second.measurement.status;
        const bool may_forget =
            status == MeasureStatus::board_lost || status == MeasureStatus::board_unhealthy;
        if (!on_disk_.contains(id) && !may_forget && core_->counters().unknown_results == 0)
          breach("an acknowledged result is not on the disk");
        if (on_disk_.contains(id)) acknowledged.insert(id);
        worker->results.erase(result);
      }
    }
  } else if (const auto* want = std::get_if<wire::Want>(&outgoing.message)) {
    const std::set<wire::LeaseRef> wanted(want->leases.begin(), want->leases.end());
    std::erase_if(worker->rounds, [&](const auto& entry) { return !wanted.contains(entry.first); });
    std::erase_if(worker->measurements, [&](const auto& request) { return !wanted.contains(request.lease); });
    auto check_grant = [&](const wire::LeaseRef& lease) {
      uint64_t& highest = epochs_[lease.id];
      const auto holder = lease_holders_.find(lease);
      if (holder == lease_holders_.end() && lease.epoch <= highest) breach("an epoch did not rise");
      const std::string process = worker->name + std::to_string(worker->instance);
      if (holder != lease_holders_.end() && holder->second != process)
        breach("one lease went to two workers");
      lease_holders_[lease] = process;
      highest = std::max(highest, lease.epoch);
    };
    if (want->check != 0) worker->check = want->check;
    for (const wire::Round& round : want->rounds) {
      check_grant(round.lease);
      rounds_seen.push_back(round);
      worker->rounds.emplace(round.lease, round);
      if (const auto* propose = std::get_if<wire::Propose>(&round.asks);
          propose != nullptr && !propose->cost_model.empty() && !core_->artifacts().has(propose->cost_model))
        breach("a round names a model nobody has");
    }
    for (const wire::MeasureRequest& request : want->measurements) {
      check_grant(request.lease);
      if (want->board_state != "Good") breach("work for a board that is " + want->board_state);
      if (on_disk_.contains(request.id)) breach("something was measured twice");
      measurements_seen.push_back(request);
      const bool has = std::any_of(worker->measurements.begin(), worker->measurements.end(),
                                   [&](const auto& other) { return other.lease == request.lease; });
      if (!has && !worker->results.contains(request.id))
        worker->measurements.push_back(request);
      else if (worker->results.contains(request.id)) {
        wire::Measured again = worker->results[request.id];
        again.lease = request.lease;
        to_scheduler(*worker, again);
      }
    }
  }
}

void World::die(Worker& worker) {
  const PeerId connection = worker.connection;
  worker.rounds.clear();
  worker.built.clear();
  worker.measurements.clear();
  worker.results.clear();
  worker.instance = random_();
  worker.connection.clear();
  worker.welcomed = false;
  worker.back_at = now + Time(200 + static_cast<int64_t>(random_() % 2000));
  // The transport notices sometimes; otherwise silence does.
  if (chance(0.5) && !connection.empty()) take(core_->gone(moment(), connection));
}

void World::work(Worker& worker) {
  if (worker.connection.empty()) {
    if (now >= worker.back_at) say_hello(worker);
    return;
  }
  if (now < worker.frozen_until) return;
  if (now - worker.heard > 4 * settings_.heartbeat) {
    // The scheduler is silent: a new connection; results are kept, unfinished work as well.
    say_hello(worker);
    return;
  }
  if (!worker.welcomed || worker.role == wire::Role::client) return;
  if (now >= worker.busy_until) {
    if (worker.check != 0) {
      worker.busy_until = now + Time(5);
      check_health(worker);
    } else if (!worker.rounds.empty()) {
      worker.busy_until = now + Time(nature_.build_ms);
      build_one(worker);
    } else if (!worker.measurements.empty()) {
      worker.busy_until = now + Time(nature_.measure_ms);
      measure_one(worker);
    }
  }
  if (worker.connection.empty() || now < worker.next_state) return;
  worker.next_state = now + settings_.heartbeat;
  wire::WorkerState state;
  for (const auto& [lease, round] : worker.rounds) state.leases.push_back(lease);
  for (const auto& request : worker.measurements) state.leases.push_back(request.lease);
  for (const auto& [id, result] : worker.results) state.leases.push_back(result.lease);
  to_scheduler(worker, state);
}

void World::step(Time step) {
  now += step;
  disk_full_ = disk_full_ ? !chance(0.05) : chance(faults.disk_full);
  if (chance(faults.kill_scheduler)) restart_scheduler();
  for (auto& [name, worker] : workers_) {
    const double kill = worker.role == wire::Role::tuner ? faults.kill_tuner : faults.kill_runner;
    if (!worker.connection.empty() && chance(kill)) die(worker);
    if (worker.role == wire::Role::runner && chance(faults.sicken))
      worker.sick_until = now + Time(static_cast<int64_t>(random_() % 5000));
    if (worker.role == wire::Role::runner && chance(faults.drain))
      to_scheduler(client_,
                   wire::BoardRequest{
                       worker.name, chance(0.5) ? wire::BoardAction::drain : wire::BoardAction::resume, ""});
    if (chance(faults.freeze)) worker.frozen_until = now + Time(static_cast<int64_t>(random_() % 8000));
    if (!worker.connection.empty() && chance(faults.lose_connection)) {
      const PeerId old = worker.connection;
      say_hello(worker);
      if (chance(0.5)) take(core_->gone(moment(), old));
    }
    work(worker);
  }
  if (client_.connection.empty() && now >= client_.back_at) say_hello(client_);
  take(core_->tick(moment()));
  sync();
  check();
}

void World::check() {
  std::map<std::tuple<uint64_t, size_t, size_t>, std::pair<uint32_t, uint32_t>>
      counted;  // rounds, measurements by job, lane and task
  for (const auto& [id, work] : core_->works()) {
    auto& [rounds, measurements] = counted[{work.job, work.lane, work.task}];
    ++(std::holds_alternative<RoundWork>(work.what) ? rounds : measurements);
    if (work.holder.empty()) continue;
    const auto peer = core_->peers().find(work.holder);
    if (peer == core_->peers().end())
      breach("a lease is held by nobody");
    else if (std::count(peer->second.leases.begin(), peer->second.leases.end(), id) != 1)
      breach("holder and lease disagree");
  }
  for (const auto& [id, peer] : core_->peers())
    for (const uint64_t lease : peer.leases)
      if (!core_->works().contains(lease) || core_->works().at(lease).holder != id)
        breach("a peer holds a lease that is not its own");
  for (const auto& [id, job] : core_->jobs())
    for (size_t lane = 0; lane < job.lanes.size(); ++lane)
      for (size_t i = 0; i < job.lanes[lane].tasks.size(); ++i) {
        const auto& [rounds, measurements] = counted[{id, lane, i}];
        const TaskState& task = job.lanes[lane].tasks[i];
        if (task.rounds != rounds || task.measuring != measurements) breach("a task's counts are off");
        if (rounds == 0 && task.asked != 0) breach("candidates are asked for by no round");
        if (is_terminal(job.state) && rounds + measurements > 0) breach("an ended job has work");
      }
  for (const auto& [name, board] : core_->boards().all()) {
    if (board.is_connected() && !core_->peers().contains(board.peer))
      breach("a board is connected to nobody");
    const bool is_stuck = board.is_connected() && !board.draining && board.check == 0 && !board.retry_at;
    if (is_stuck && (board.state == BoardState::unknown || board.state == BoardState::bad))
      breach("board " + name + " has no way back");
    for (size_t i = 1; i < board.history.size(); ++i)
      if (board.history[i].state == board.history[i - 1].state)
        breach("board " + name + " went from " + board.history[i].state + " to the same");
  }
  if (core_->artifacts().count() > settings_.artifact_count * 2) breach("the artifact store grows");
  static const std::map<std::string, int> order = {{"Starting", 0}, {"InProgress", 1}, {"Stopping", 2},
                                                   {"Stopped", 3},  {"Completed", 3},  {"Failed", 3}};
  for (size_t i = 1; i < states_.size(); ++i)
    if (order.at(states_[i - 1]) >= order.at(states_[i]))
      breach("a job went from " + states_[i - 1] + " to " + states_[i]);
}

bool World::run(Time limit) {
  const Time end = now + limit;
  auto ended = [&] {
    return last_event_.state == "Completed" || last_event_.state == "Failed" ||
           last_event_.state == "Stopped";
  };
  while (now < end && !ended() && broken.empty()) step();
  return ended();
}

}  // namespace hone::scheduler::test
