// A scheduler's state machine among peers that say anything at any time: rightly formed messages with wrong,
// stale and stolen leases, digests and jobs. It must go on, and acknowledge nothing that is not durable.
#include <cstdlib>
#include <set>

#include "scheduler/core.h"

namespace {

using namespace hone;
using namespace hone::scheduler;

class Input {
 public:
  Input(const uint8_t* data, size_t size) : data_(data), size_(size) {}
  bool more() const { return at_ < size_; }
  uint8_t byte() { return more() ? data_[at_++] : 0; }
  template <class T>
  const T& pick(const std::vector<T>& from) {
    static const T none{};
    return from.empty() ? none : from[byte() % from.size()];
  }

 private:
  const uint8_t* data_;
  size_t size_, at_ = 0;
};

wire::Bytes bytes_of(const std::string& text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

struct World {
  Input& in;
  Core core;
  Now now{Time(1000), 1000};
  std::vector<wire::LeaseRef> leases{{}};
  std::vector<wire::Round> rounds;
  std::vector<wire::MeasureRequest> measurements;
  std::vector<Digest> ids{digest_of("no id")};
  uint64_t wanted = 0;
  std::set<Digest> durable, queued;

  explicit World(Input& input, Settings settings) : in(input), core(settings, {}, {}) {
    take(core.start(now));
  }

  void take(Effects effects) {
    for (const Record& record : effects.records) queued.insert(record_identity(record));
    wanted = std::max(wanted, effects.sequence);
    for (const Outgoing& out : effects.send) {
      if (const auto* want = std::get_if<wire::Want>(&out.message)) {
        leases.insert(leases.end(), want->leases.begin(), want->leases.end());
        rounds.insert(rounds.end(), want->rounds.begin(), want->rounds.end());
        for (const auto& request : want->measurements) {
          measurements.push_back(request);
          ids.push_back(request.id);
        }
      }
      if (const auto* committed = std::get_if<wire::Committed>(&out.message))
        for (const Digest& id : committed->ids)
          if (queued.contains(id) && !durable.contains(id)) std::abort();
    }
  }

  std::string text() { return std::string(in.byte() % 4, static_cast<char>('a' + in.byte() % 3)); }

  wire::Hello hello() {
    wire::Hello hello;
    hello.role = static_cast<wire::Role>(in.byte() % 3);
    hello.capacity = in.byte();
    hello.name = text();
    if (in.byte() % 8 == 0) hello.protocol_max = in.byte() % 4;
    Board board = probe_board();
    board.id = text();
    hello.board = in.byte() % 16 == 0 ? text() : to_text(board);
    hello.can_check = in.byte() % 2 == 0;
    hello.instance = in.byte() % 4;
    return hello;
  }

  wire::JobRequest job() {
    wire::JobRequest request;
    Target target = probe_board().target;
    target.features = "";
    target.vector_bits = 128;
    request.parts[0].target = in.byte() % 16 == 0 ? text() : to_text(target);
    for (int i = in.byte() % 3; i >= 0; --i) {
      wire::JobTask task;
      task.task = "task " + std::to_string(in.byte() % 4);
      task.summary = text();
      task.weight = in.byte() % 3;
      task.flops = static_cast<double>(in.byte()) - 8;
      request.parts[0].tasks.push_back(task);
    }
    request.max_trials = in.byte() % 16;
    request.max_seconds = static_cast<double>(in.byte()) - 16;
    request.more = in.byte() % 2 != 0;
    request.token = text();
    if (in.byte() % 8 == 0) request.limit_seconds = in.byte();
    return request;
  }

  wire::Built built(std::vector<wire::Bytes>& blobs) {
    const wire::Round round = in.pick(rounds);
    wire::Built built;
    built.lease = in.byte() % 4 == 0 ? in.pick(leases) : round.lease;
    built.candidate = {round.task, round.target, "direct", 1, round.ports, "p=" + std::to_string(in.byte()),
                       text()};
    const auto* asked = std::get_if<wire::Propose>(&round.asks);
    built.trial = (asked != nullptr ? asked->first_trial : 0) + in.byte() % 4;
    built.status = static_cast<MeasureStatus>(in.byte() % 11);
    if (in.byte() % 4 != 0) built.status = MeasureStatus::ok;
    built.features.assign(in.byte() % 5, 1);
    built.feature_version = in.byte() % 3;
    blobs = {bytes_of("artifact " + built.candidate.parameters), bytes_of("reference " + round.task)};
    built.artifact = digest_of(std::span<const std::byte>(blobs[0]));
    built.reference = digest_of(std::span<const std::byte>(blobs[1]));
    blobs.resize(in.byte() % 3);
    return built;
  }

  wire::Measured measured() {
    const wire::MeasureRequest request = in.pick(measurements);
    wire::Measured measured;
    measured.lease = in.byte() % 4 == 0 ? in.pick(leases) : request.lease;
    measured.id = in.byte() % 4 == 0 ? in.pick(ids) : request.id;
    measured.measurement.status = static_cast<MeasureStatus>(in.byte() % 11);
    if (in.byte() % 4 != 0) measured.measurement.status = MeasureStatus::ok;
    for (int i = in.byte() % 6; i > 0; --i) measured.measurement.samples_ns.push_back(in.byte() - 2.0);
    measured.check_ms = in.byte() - 2.0;
    measured.measurement.health = {in.byte() - 2.0, in.byte() - 2.0, -1, -1};
    return measured;
  }

  wire::HealthReport health() {
    wire::HealthReport report;
    report.check = in.byte() % 8;
    report.ok = in.byte() % 4 != 0;
    report.message = text();
    report.reference_ns = in.byte() - 2.0;
    return report;
  }

  wire::Message message(std::vector<wire::Bytes>& blobs) {
    switch (in.byte() % 22) {
      case 0:
        return hello();
      case 1:
      case 2: {
        wire::WorkerState state;
        for (int i = in.byte() % 4; i > 0; --i) state.leases.push_back(in.pick(leases));
        return state;
      }
      case 3:
      case 4:
      case 5:
        return built(blobs);
      case 6:
        return wire::RoundDone{in.byte() % 4 == 0 ? in.pick(leases) : in.pick(rounds).lease, in.byte(),
                               in.byte() % 4 == 0, 1};
      case 7:
      case 8:
      case 9:
        return measured();
      case 10:
        return job();
      case 11:
        return wire::Follow{65536u + in.byte() % 4};
      case 12:
        return wire::Stop{65536u + in.byte() % 4};
      case 13:
        return wire::Fetch{in.pick(ids)};
      case 14:
        return wire::ListJobs{65536u + in.byte() % 4};
      case 15:
        return wire::Resume{65536u + in.byte() % 4};
      case 16:
      case 17:
        return health();
      case 18:
        return wire::BoardRequest{"board-id", static_cast<wire::BoardAction>(in.byte() % 4), text()};
      case 19:
        return wire::PullLog{in.byte() % 2 == 0 ? 0 : 65536u + in.byte() % 4, in.byte(), text()};
      case 20:
        return wire::AskStatus{};
      default:
        return wire::ListBoards{};
    }
  }

  void step() {
    const PeerId peer = "peer " + std::to_string(in.byte() % 5);
    switch (in.byte() % 12) {
      case 0:
        durable.insert(queued.begin(), queued.end());
        take(core.durable(now, wanted));
        break;
      case 1:
        now.steady += Time(in.byte() * 16);
        now.unix_ms += in.byte() * 1000 - 60000;  // the wall clock may jump either way
        take(core.tick(now));
        break;
      case 2:
        take(core.gone(now, peer));
        break;
      case 3:
        if (in.byte() == 255)
          take(core.stop(now));
        else
          take(core.trouble(now, in.byte() % 2 == 0 ? "" : "no space"));
        break;
      default: {
        std::vector<wire::Bytes> blobs;
        const wire::Message said = message(blobs);
        const KeyHolder key{in.byte() % 2 == 0 ? "" : peer, in.byte() % 4 == 0};
        take(core.message(now, peer, said, std::move(blobs), key));
      }
    }
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  Settings settings;
  settings.round_size = 2;
  settings.loss = settings.lease = Time(500);
  settings.artifact_count = 8;
  World world(input, settings);
  // A beginning that gets somewhere, so that not every input must find it.
  for (const wire::Role role : {wire::Role::runner, wire::Role::tuner, wire::Role::client}) {
    wire::Hello hello;
    hello.role = role;
    hello.capacity = 2;
    Board board = probe_board();
    board.id = "id";
    hello.board = to_text(board);
    world.take(world.core.message(world.now, "peer " + std::to_string(static_cast<int>(role)), hello, {}));
  }
  while (input.more()) world.step();
  return 0;
}
