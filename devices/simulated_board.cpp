#include "devices/simulated_board.h"

#include <algorithm>
#include <cmath>

#include "codegen/base/generator.h"

namespace hone {
namespace {

using std::chrono::milliseconds;

constexpr TimePoint never = TimePoint::max();
constexpr double steps_per_octave = 16;
constexpr size_t most_unread = 4096;

}  // namespace

double SimulationCounts::latency_ms(double part) const {
  uint64_t all = 0;
  for (const auto& [step, count] : latency) all += count;
  uint64_t before = 0;
  for (const auto& [step, count] : latency) {
    before += count;
    if (static_cast<double>(before) >= part * static_cast<double>(all))
      return std::exp2(step / steps_per_octave) / 1000;
  }
  return 0;
}

void SimulationCounts::add(const SimulationCounts& other) {
  measured += other.measured;
  sent += other.sent;
  committed += other.committed;
  faults += other.faults;
  hellos += other.hellos;
  for (const auto& [step, count] : other.latency) latency[step] += count;
}

SimulatedBoard::SimulatedBoard(RunnerOptions options, const SimulationScript& script, uint64_t number,
                               TimePoint now)
    : options_(std::move(options)), pace_(script.pace), device_(script, number) {
  options_.instance = number + 1;
  if (number != 0) options_.name += "/" + std::to_string(number);  // without a name: the key's
  seed_ = fnv1a64(std::to_string(script.seed) + "/" + std::to_string(number) + "/faults");
  session_.emplace(options_, device_, now);
  for (const ScriptedFault& scripted : script.board_faults) {
    Fault& fault = faults_.emplace_back(Fault{scripted, never});
    if (scripted.per_second > 0)
      plan(fault, now);
    else
      fault.next = now + scripted.at;
  }
}

void SimulatedBoard::plan(Fault& fault, TimePoint now) const {
  // Intervals of a Poisson process.
  const auto index = static_cast<uint64_t>(&fault - faults_.data());
  const double drawn = generated_value(seed_, index * 1000003 + fault.times++, 0, 1);
  const double seconds = -std::log(1 - std::min(drawn, 0.999999)) / fault.script.per_second;
  fault.next = now + std::chrono::duration_cast<TimePoint::duration>(std::chrono::duration<double>(seconds));
}

void SimulatedBoard::begin(const ScriptedFault& fault, TimePoint now) {
  ++counts_.faults;
  const auto lasting =
      std::chrono::duration_cast<TimePoint::duration>(std::chrono::duration<double, std::milli>(fault.value));
  switch (fault.what) {
    case BoardFault::reboot:
      away_until_ = now + lasting;
      running_.reset();
      unread_.clear();
      sent_.clear();
      device_.reboot();
      options_.instance += uint64_t{1} << 32;
      session_.emplace(options_, device_, now);
      break;
    case BoardFault::silent:
      silent_until_ = now + lasting;
      break;
    case BoardFault::frozen:
      frozen_until_ = now + lasting;
      break;
    case BoardFault::slow:
      device_.slow_down(fault.value);
      break;
    case BoardFault::leave:
      gone_ = true;
  }
}

Status SimulatedBoard::receive(Received received, TimePoint now) {
  if (gone_ || now < away_until_ || now < silent_until_) return {};
  if (now < frozen_until_) {
    if (unread_.size() < most_unread) unread_.push_back(std::move(received));
    return {};
  }
  if (received.message)
    if (const auto* committed = std::get_if<wire::Committed>(&*received.message))
      for (const Digest& id : committed->ids)
        if (const auto place = sent_.find(id); place != sent_.end()) {
          const double us =
              std::max(1.0, std::chrono::duration<double, std::micro>(now - place->second).count());
          ++counts_.latency[static_cast<int>(std::ceil(std::log2(us) * steps_per_octave))];
          ++counts_.committed;
          sent_.erase(place);
        }
  return session_->handle(std::move(received), now);
}

Result<std::vector<wire::Message>> SimulatedBoard::step(TimePoint now) {
  for (Fault& fault : faults_) {
    if (fault.next > now) continue;
    begin(fault.script, now);
    if (fault.script.per_second > 0)
      plan(fault, now);
    else
      fault.next = never;
  }
  std::vector<wire::Message> out;
  if (gone_ || now < away_until_ || now < frozen_until_) return out;
  if (away_until_ != TimePoint()) {  // it is back from a reboot
    away_until_ = TimePoint();
    reconnect_ = true;
    session_->connected(now);
  }
  while (!unread_.empty()) {
    Received next = std::move(unread_.front());
    unread_.pop_front();
    HONE_RETURN_IF_ERROR(receive(std::move(next), now));
  }
  for (;;) {
    if (running_ && running_->due <= now) {
      session_->finished(std::move(running_->result), now);
      running_.reset();
      ++counts_.measured;
    }
    if (running_) break;
    if (const auto deadline = session_->start_check()) session_->checked(device_.check(*deadline), now);
    auto work = session_->start();
    if (!work) break;
    running_ = Pending{device_.measure(work->request, *work->artifact, *work->reference), now};
    const double whole_ms = pace_ * (running_->result.check_ms + running_->result.run_ms);
    running_->due +=
        std::chrono::duration_cast<TimePoint::duration>(std::chrono::duration<double, std::milli>(whole_ms));
  }
  HONE_TRY(const bool silent, session_->silent(now));
  if (silent) {
    reconnect_ = true;
    session_->connected(now);
  }
  out = session_->outgoing(now);
  for (const wire::Message& message : out) {
    if (std::holds_alternative<wire::Hello>(message)) ++counts_.hellos;
    const auto* measured = std::get_if<wire::Measured>(&message);
    if (measured == nullptr) continue;
    ++counts_.sent;
    sent_.emplace(measured->id, now);
  }
  if (session_->over(now)) gone_ = true;
  if (now < silent_until_) out.clear();  // the cable is cut: nobody here can know
  return out;
}

TimePoint SimulatedBoard::next_event() const {
  if (gone_) return never;
  TimePoint next = never;
  for (const Fault& fault : faults_) next = std::min(next, fault.next);
  if (away_until_ != TimePoint()) return std::min(next, away_until_);
  TimePoint own = session_->next_event();
  if (running_) own = std::min(own, running_->due);
  return std::min(next, std::max(own, frozen_until_));
}

}  // namespace hone
