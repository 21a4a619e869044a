// One loop, no threads: the scheduler's socket, the builders' pipes, signals and deadlines are waited for in
// one place.
#include "tuner/worker/tuner.h"

#include <algorithm>

#include "cost_model/features/features.h"
#include "measure/transport.h"
#include "tuner/worker/round_work.h"

namespace hone {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// The conversation with the scheduler: greets, keeps talking, notices silence.
class Tuner {
 public:
  Tuner(const TunerOptions& options, Peer peer)
      : options_(options),
        peer_(std::move(peer)),
        pool_(options.builders),
        work_([this](PipeFrame frame) { return pool_.submit(std::move(frame)); },
              [this](uint64_t ticket) { pool_.cancel(ticket); }) {}

  Status run() {
    greet();
    while (!stopping_) {
      std::vector<int> descriptors = pool_.descriptors();
      descriptors.push_back(signals_.fd());
      const Waited waited = peer_.wait(next_deadline(), descriptors);
      if (std::ranges::find(waited.ready, signals_.fd()) != waited.ready.end() && signals_.take() != 0)
        return {};
      while (std::optional<Received> received = peer_.receive()) {
        HONE_RETURN_IF_ERROR(handle(std::move(*received)));
      }
      // Twice: an answer may make requests that idle builders can begin at once.
      for (int pass = 0; pass < 2; ++pass) {
        for (BuilderAnswer& answer : pool_.poll(Clock::now())) work_.answer(std::move(answer));
      }
      HONE_RETURN_IF_ERROR(speak());
    }
    return {};
  }

 private:
  void greet() {
    wire::Hello hello;
    hello.role = wire::Role::tuner;
    hello.build = "hone 0.1.0";
    hello.name = options_.name;
    hello.feature_version = feature_version;
    hello.capacity = static_cast<uint32_t>(options_.rounds);
    (void)peer_.send(hello);
    welcomed_ = false;
    heard_ = spoke_ = Clock::now();
  }

  Status handle(Received received) {
    heard_ = Clock::now();
    if (!received.message)
      return {};  // counted by nobody: a scheduler of another version is refused at hello
    if (auto* welcome = std::get_if<wire::Welcome>(&*received.message)) {
      welcomed_ = true;
      heartbeat_ = milliseconds(std::max<uint32_t>(50, welcome->heartbeat_ms));
      state_due_ = true;
    } else if (auto* refuse = std::get_if<wire::Refuse>(&*received.message)) {
      return fail("the scheduler refuses this tuner: " + refuse->reason, options_.scheduler);
    } else if (auto* want = std::get_if<wire::Want>(&*received.message)) {
      if (want->stopping) stopping_ = true;
      const std::vector<wire::LeaseRef> before = work_.leases();
      work_.want(*want);
      if (work_.leases() != before) state_due_ = true;
    } else if (auto* blob = std::get_if<wire::Blob>(&*received.message)) {
      work_.blob(*blob, received.blobs.empty() ? wire::Bytes() : received.blobs[0]);
    } else if (auto* error = std::get_if<wire::NotUnderstood>(&*received.message)) {
      // A scheduler that was started anew on the same address does not know this tuner: greet it at once.
      if (error->reason.find("hello") != std::string::npos) heard_ = Clock::now() - 2 * silence();
    }
    return {};
  }

  Status speak() {
    const Clock::time_point now = Clock::now();
    if (now - heard_ > silence()) {
      HONE_RETURN_IF_ERROR(peer_.reconnect());
      work_.reconnected();
      greet();
      return {};
    }
    if (!welcomed_) return {};
    const std::vector<wire::LeaseRef> held = work_.leases();
    for (Outgoing& outgoing : work_.take_outgoing()) {
      const bool done = std::holds_alternative<wire::RoundDone>(outgoing.message);
      // A message that cannot go out is lost with its lease; the scheduler leases that work again.
      (void)peer_.send(outgoing.message, outgoing.blobs);
      state_due_ = state_due_ || done;
    }
    if (state_due_ || now - spoke_ >= heartbeat_) {
      wire::WorkerState state;
      state.leases = held;
      (void)peer_.send(state);
      spoke_ = now;
      state_due_ = false;
    }
    return {};
  }

  Clock::duration silence() const { return std::max<Clock::duration>(4 * heartbeat_, milliseconds(1500)); }

  Clock::time_point next_deadline() const {
    Clock::time_point next = std::min(spoke_ + heartbeat_, heard_ + silence());
    if (!welcomed_) next = heard_ + silence();
    if (const auto deadline = pool_.deadline()) next = std::min(next, *deadline);
    return next + milliseconds(1);
  }

  const TunerOptions& options_;
  TerminationSignals signals_;
  Peer peer_;
  BuilderPool pool_;
  RoundWork work_;
  bool welcomed_ = false, state_due_ = false, stopping_ = false;
  milliseconds heartbeat_{500};
  Clock::time_point heard_, spoke_;
};

}  // namespace

Status run_tuner(const TunerOptions& options) {
  HONE_TRY(Peer peer, Peer::connect(options.scheduler, options.transport));
  return Tuner(options, std::move(peer)).run();
}

}  // namespace hone
