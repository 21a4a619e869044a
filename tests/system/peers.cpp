#include "tests/system/peers.h"

#include "codegen/base/target.h"
#include "logs/database.h"

namespace hone::testing_system {

using std::chrono::milliseconds;

TimePoint in(milliseconds time) { return std::chrono::steady_clock::now() + time; }

wire::Bytes bytes_of(const std::string& text) {
  const auto* data = reinterpret_cast<const std::byte*>(text.data());
  return wire::Bytes(data, data + text.size());
}

wire::JobRequest request(uint64_t trials) {
  wire::JobRequest request;
  request.name = "test";
  Target target = probe_board().target;  // any board of this machine's architecture fits
  target.features = "";
  target.vector_bits = 128;
  request.parts[0].target = to_text(target);
  for (int i = 0; i < 3; ++i) {
    wire::JobTask task;
    task.task = "task v1 number " + std::to_string(i);
    task.summary = "conv " + std::to_string(i);
    task.ports = "x y";
    task.flops = 1e6;
    request.parts[0].tasks.push_back(task);
  }
  request.max_trials = trials;
  return request;
}

std::set<Digest> records_of(const std::filesystem::path& log) {
  std::set<Digest> out;
  if (const auto database = LogDatabase::open(log))
    for (const Record& record : database->records()) out.insert(record_identity(record));
  return out;
}

FakeTuner::FakeTuner(std::string endpoint, Build build, TransportOptions options)
    : endpoint_(std::move(endpoint)),
      build_(std::move(build)),
      options_(std::move(options)),
      thread_([this] { work(); }) {}

FakeTuner::~FakeTuner() {
  stop_.notify();
  thread_.join();
}

void FakeTuner::work() {
  auto peer = Peer::connect(endpoint_, options_);
  TimePoint heard = in(milliseconds(0)), spoke = heard;
  auto greet = [&] {
    wire::Hello hello;
    hello.role = wire::Role::tuner;
    hello.name = "fake";
    hello.capacity = 2;
    (void)peer->send(hello);
    heard = spoke = std::chrono::steady_clock::now();
  };
  greet();
  const int fds[] = {stop_.fd()};
  while (true) {
    if (!peer->wait(in(milliseconds(50)), fds).ready.empty()) return;
    while (auto received = peer->receive()) {
      heard = std::chrono::steady_clock::now();
      if (!received->message) continue;
      if (const auto* want = std::get_if<wire::Want>(&*received->message))
        for (const wire::Round& round : want->rounds) build(*peer, round);
      // A scheduler that was started anew does not know this tuner.
      if (std::holds_alternative<wire::NotUnderstood>(*received->message)) heard -= milliseconds(4000);
    }
    const auto now = std::chrono::steady_clock::now();
    if (now - heard > milliseconds(3000)) {
      (void)peer->reconnect();
      greet();
    } else if (now - spoke > milliseconds(100)) {
      (void)peer->send(wire::WorkerState{});
      spoke = now;
    }
  }
}

void FakeTuner::build(Peer& peer, const wire::Round& round) {
  const auto send = [&](const CandidateText& candidate, uint64_t trial) {
    wire::Built built;
    built.lease = round.lease;
    built.candidate = candidate;
    built.trial = trial;
    built.features = {static_cast<float>(std::stoul(candidate.parameters.substr(2))), 1};
    built.feature_version = 1;
    std::vector<wire::Bytes> blobs = {bytes_of("artifact " + round.task + candidate.parameters),
                                      bytes_of("reference " + round.task)};
    if (build_) std::tie(blobs[0], blobs[1]) = build_(round, trial);
    built.artifact = digest_of(std::span<const std::byte>(blobs[0]));
    built.reference = digest_of(std::span<const std::byte>(blobs[1]));
    (void)peer.send(built, blobs);
  };
  if (const auto* lost = std::get_if<wire::Rebuild>(&round.asks); lost != nullptr && !build_)
    for (const CandidateText& candidate : lost->candidates) send(candidate, 0);
  const auto* asks = std::get_if<wire::Propose>(&round.asks);
  const wire::Propose asked = asks != nullptr ? *asks : wire::Propose();
  const std::set<std::string> seen(asked.seen.begin(), asked.seen.end());
  uint32_t proposed = 0;
  for (uint64_t value = asked.seed % 1000; proposed < asked.count; value = value * 7 + 13) {
    const std::string parameters = "p=" + std::to_string(value % 100003);
    if (seen.contains("direct " + parameters)) continue;
    send({round.task, round.target, "direct", 1, round.ports, parameters, "split"},
         asked.first_trial + proposed++);
  }
  (void)peer.send(wire::RoundDone{round.lease, proposed, false, 1});
}

Client::Client(std::string endpoint, TransportOptions options)
    : peer_(*Peer::connect(std::move(endpoint), std::move(options))) {
  greet();
}

void Client::reconnect() {
  ASSERT_TRUE(peer_.reconnect());
  greet();
  if (job_ != 0)
    (void)peer_.send(wire::Follow{job_});
  else if (!request_.token.empty())
    (void)peer_.send(request_);
}

bool Client::until(const std::function<bool()>& condition) {
  const TimePoint give_up = in(std::chrono::minutes(3));
  TimePoint heard = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() < give_up) {
    if (auto received = peer_.receive(in(milliseconds(100)))) {
      heard = std::chrono::steady_clock::now();
      if (!received->message) continue;
      if (const auto* accepted = std::get_if<wire::Accepted>(&*received->message)) job_ = accepted->job;
      if (const auto* event = std::get_if<wire::JobEvent>(&*received->message)) event_ = *event;
      if (const auto* refused = std::get_if<wire::NotUnderstood>(&*received->message))
        refused_ = refused->reason;
    } else if (job_ != 0 && std::chrono::steady_clock::now() - heard > milliseconds(2500)) {
      reconnect();
      heard = std::chrono::steady_clock::now();
    }
    if (condition()) return true;
  }
  return false;
}

bool Client::ended() {
  return until(
      [&] { return event_.state == "Completed" || event_.state == "Failed" || event_.state == "Stopped"; });
}

Witness::Witness(std::string endpoint, const std::string& script) {
  options_.scheduler = std::move(endpoint);
  options_.name = "witness";
  script_ = *parse_simulation_script(script);
  thread_ = std::thread([this] { work(); });
}

Witness::~Witness() {
  stop_.notify();
  thread_.join();
}

std::set<Digest> Witness::acknowledged() const {
  std::lock_guard lock(mutex_);
  return acknowledged_;
}

void Witness::work() {
  auto now = [] { return std::chrono::steady_clock::now(); };
  auto peer = Peer::connect(options_.scheduler);
  SimulatedBoard board(options_, script_, 999, now());
  const int fds[] = {stop_.fd()};
  while (peer->wait(board.next_event(), fds).ready.empty()) {
    while (auto received = peer->receive()) {
      if (received->message)
        if (const auto* committed = std::get_if<wire::Committed>(&*received->message)) {
          std::lock_guard lock(mutex_);
          for (const Digest& id : committed->ids)
            if (sent_.contains(id)) acknowledged_.insert(id);
        }
      (void)board.receive(std::move(*received), now());
    }
    auto out = board.step(now());
    if (!out) return;
    if (board.take_reconnect()) (void)peer->reconnect();
    for (const wire::Message& message : *out) {
      if (const auto* measured = std::get_if<wire::Measured>(&message);
          measured != nullptr && measured->measurement.status == MeasureStatus::ok)
        sent_.insert(measured->id);
      (void)peer->send(message);
    }
  }
}

}  // namespace hone::testing_system
