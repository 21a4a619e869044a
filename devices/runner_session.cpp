#include "devices/runner_session.h"

#include <algorithm>
#include <random>

#include "codegen/base/console.h"

namespace hone {

using std::chrono::milliseconds;

namespace {
uint64_t random_number() {
  std::random_device source;
  return (uint64_t{source()} << 32 | source()) | 1;
}
}  // namespace

RunnerSession::RunnerSession(const RunnerOptions& options, const Device& device, TimePoint now)
    : options_(options),
      device_(device),
      queue_(options.limits),
      instance_(options.instance != 0 ? options.instance : random_number()),
      last_message_(now) {
  connected(now);
}

milliseconds RunnerSession::silence_limit() const { return std::max(options_.silence, 4 * heartbeat_); }

void RunnerSession::connected(TimePoint now) {
  greet_ = true;
  welcomed_ = false;
  last_heard_ = now;
  // A scheduler that many greet at once answers late: whoever begins anew at a fixed time never gets its turn.
  hello_again_ = now + options_.hello_timeout * (1 << std::min(unanswered_, most_doublings));
  ++unanswered_;
}

wire::Hello RunnerSession::hello() const {
  wire::Hello hello;
  hello.role = wire::Role::runner;
  hello.build = "hone 0.1";
  hello.name = options_.name;
  hello.board = to_text(device_.board());
  hello.capacity = options_.capacity;
  hello.labels = options_.labels;
  const DeviceFacts facts = device_.facts();
  hello.instance = instance_;
  hello.can_check = true;
  hello.os = facts.os;
  hello.emulated = facts.emulated;
  hello.sandbox = facts.sandbox;
  hello.max_frequency_mhz = facts.max_frequency_mhz;
  return hello;
}

Status RunnerSession::handle(Received received, TimePoint now) {
  last_heard_ = last_message_ = now;
  if (!received.message) {
    say("hone-runner", "dropped a frame: " + received.message.error().text());
    return {};
  }
  if (auto* welcome = std::get_if<wire::Welcome>(&*received.message)) {
    heartbeat_ = options_.heartbeat.count() > 0
                     ? options_.heartbeat
                     : milliseconds(std::clamp<uint32_t>(welcome->heartbeat_ms, 10, 60000));
    welcomed_ = true;
    unanswered_ = 0;
    protocol_ = welcome->protocol;
    next_state_ = now;
    queue_.reconnected();
  } else if (auto* refuse = std::get_if<wire::Refuse>(&*received.message)) {
    return fail("the scheduler refused this runner: " + refuse->reason, options_.scheduler);
  } else if (auto* want = std::get_if<wire::Want>(&*received.message)) {
    queue_.want(*want, now);
    if (want->check != 0 && report_ && report_->check == want->check) {
      report_due_ = true;  // it was lost on the way
    } else if (want->check != 0) {
      check_ = want->check;
      check_deadline_ = milliseconds(want->check_ms);
    }
    if (want->stopping && !stopping_) {
      stopping_ = true;
      stop_by_ = now + options_.commit_wait;
    }
  } else if (auto* blob = std::get_if<wire::Blob>(&*received.message)) {
    if (received.blobs.empty()) received.blobs.emplace_back();
    queue_.blob(*blob, std::move(received.blobs[0]), now);
  } else if (auto* committed = std::get_if<wire::Committed>(&*received.message)) {
    queue_.committed(committed->ids);
  } else if (auto* error = std::get_if<wire::NotUnderstood>(&*received.message)) {
    say("hone-runner", "the scheduler did not understand: " + error->reason);
    // A scheduler that was started anew on the same address does not know this runner: greet it at once.
    if (error->reason.find("hello") != std::string::npos) last_heard_ = now - silence_limit();
  }
  return {};
}

std::vector<wire::Message> RunnerSession::outgoing(TimePoint now) {
  std::vector<wire::Message> out;
  queue_.check_deadlines(now);
  if (std::exchange(greet_, false)) out.emplace_back(hello());
  if (!welcomed_) return out;
  if (std::exchange(report_due_, false)) out.emplace_back(*report_);
  for (const Digest& digest : queue_.take_fetches()) out.emplace_back(wire::Fetch{digest});
  for (wire::Measured& measured : queue_.take_results()) out.push_back(wire::for_protocol(std::move(measured), protocol_));
  auto leases = queue_.leases();
  if (leases == told_ && now < next_state_) return out;
  const Health health = device_.health();
  out.emplace_back(wire::WorkerState{leases, health.temperature_celsius, health.frequency_mhz});
  told_ = std::move(leases);
  next_state_ = now + heartbeat_;
  return out;
}

std::optional<ReadyWork> RunnerSession::start() {
  if (!welcomed_ || stopping_ || check_ != 0 || checking_) return std::nullopt;
  return queue_.start();
}

std::optional<milliseconds> RunnerSession::start_check() {
  if (!welcomed_ || stopping_ || check_ == 0 || checking_ || queue_.running()) return std::nullopt;
  checking_ = true;
  return check_deadline_;
}

void RunnerSession::checked(wire::HealthReport report, TimePoint) {
  checking_ = false;
  report.check = std::exchange(check_, 0);
  report_ = std::move(report);
  report_due_ = true;
}

void RunnerSession::finished(DeviceResult result, TimePoint now) {
  queue_.finished(std::move(result), now);
  stop_by_ = now + options_.commit_wait;
}

Result<bool> RunnerSession::silent(TimePoint now) const {
  if (options_.give_up.count() > 0 && now >= last_message_ + options_.give_up)
    return fail("no scheduler was heard for " + std::to_string(options_.give_up.count()) + " ms",
                options_.scheduler);
  return welcomed_ ? now >= last_heard_ + silence_limit() : now >= hello_again_;
}

bool RunnerSession::over(TimePoint now) const {
  return stopping_ && !queue_.running() && (!queue_.has_uncommitted() || now >= stop_by_);
}

TimePoint RunnerSession::next_event() const {
  TimePoint next = welcomed_ ? std::min(next_state_, last_heard_ + silence_limit()) : hello_again_;
  if (auto deadline = queue_.next_deadline()) next = std::min(next, *deadline);
  if (stopping_ && !queue_.running()) next = std::min(next, stop_by_);
  if (options_.give_up.count() > 0) next = std::min(next, last_message_ + options_.give_up);
  return next;
}

}  // namespace hone
