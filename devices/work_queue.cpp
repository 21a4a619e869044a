#include "devices/work_queue.h"

#include <algorithm>

namespace hone {

WorkQueue::WorkQueue(Limits limits) : limits_(limits), cache_(limits.cached_blobs, limits.cached_bytes) {}

void WorkQueue::fill(Waiting& waiting, TimePoint now) {
  if (waiting.ready()) return;
  if (!waiting.artifact) waiting.artifact = cache_.find(waiting.request.artifact);
  if (!waiting.reference) waiting.reference = cache_.find(waiting.request.reference);
  if (!waiting.ready() || running_) return;
  const TimePoint from = std::max(waiting.since, free_since_);
  waiting.upload_ms = std::chrono::duration<double, std::milli>(now - from).count();
  free_since_ = now;
}

void WorkQueue::want(const wire::Want& want, TimePoint now) {
  auto wanted = [&](const wire::LeaseRef& lease) {
    return std::find(want.leases.begin(), want.leases.end(), lease) != want.leases.end();
  };
  std::erase_if(waiting_, [&](const Waiting& waiting) { return !wanted(waiting.request.lease); });
  if (running_ && !wanted(running_->request.lease)) running_->wanted = false;

  for (const wire::MeasureRequest& request : want.measurements) {
    auto held = leases();
    if (std::find(held.begin(), held.end(), request.lease) != held.end()) continue;
    auto result = std::find_if(results_.begin(), results_.end(),
                               [&](const Kept& kept) { return kept.measured.id == request.id; });
    if (result != results_.end()) {
      result->measured.lease = request.lease;
      result->sent = false;
      continue;
    }
    if (running_ && running_->request.id == request.id) {
      running_->request.lease = request.lease;
      running_->wanted = true;
      continue;
    }
    Waiting waiting;
    waiting.request = request;
    waiting.since = now;
    waiting.deadline =
        now + (request.upload_ms ? std::chrono::milliseconds(request.upload_ms) : limits_.upload);
    fill(waiting, now);
    waiting_.push_back(std::move(waiting));
  }
}

void WorkQueue::blob(const wire::Blob& blob, wire::Bytes bytes, TimePoint now) {
  asked_.erase(blob.digest);
  std::string why;
  if (!blob.found) {
    why = "the scheduler no longer has artifact " + blob.digest.hex(12);
  } else if (auto inserted = cache_.insert(blob.digest, std::move(bytes)); !inserted) {
    why = inserted.error().text();
  }
  for (size_t i = waiting_.size(); i-- > 0;) {
    Waiting& waiting = waiting_[i];
    if (waiting.ready() ||
        (waiting.request.artifact != blob.digest && waiting.request.reference != blob.digest))
      continue;
    if (why.empty())
      fill(waiting, now);
    else
      fail_waiting(i, why);
  }
}

void WorkQueue::committed(const std::vector<Digest>& ids) {
  std::erase_if(results_, [&](const Kept& kept) {
    return std::find(ids.begin(), ids.end(), kept.measured.id) != ids.end();
  });
}

void WorkQueue::reconnected() {
  asked_.clear();
  for (Kept& kept : results_) kept.sent = false;
}

void WorkQueue::check_deadlines(TimePoint now) {
  for (size_t i = waiting_.size(); i-- > 0;)
    if (!waiting_[i].ready() && waiting_[i].deadline <= now) {
      auto ms =
          std::chrono::ceil<std::chrono::milliseconds>(waiting_[i].deadline - waiting_[i].since).count();
      fail_waiting(i, "the artifact did not arrive within " + std::to_string(ms) + " ms");
    }
}

void WorkQueue::fail_waiting(size_t index, const std::string& why) {
  wire::Measured measured;
  const wire::MeasureRequest& request = waiting_[index].request;
  measured.lease = request.lease;
  measured.id = request.id;
  measured.measurement.status =
      MeasureStatus::board_lost;  // not the candidate's fault: it may be leased again
  measured.measurement.message = why;
  measured.measurement.mode = request.mode;
  measured.measurement.threads = static_cast<int>(request.threads);
  waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(index));
  keep(std::move(measured));
}

void WorkQueue::keep(wire::Measured measured) {
  if (results_.size() >= limits_.uncommitted) results_.pop_front();
  results_.push_back({std::move(measured), false});
}

std::vector<Digest> WorkQueue::take_fetches() {
  std::vector<Digest> fetches;
  auto ask = [&](const Digest& digest) {
    if (asked_.insert(digest).second) fetches.push_back(digest);
  };
  for (const Waiting& waiting : waiting_) {
    if (!waiting.reference) ask(waiting.request.reference);
    if (!waiting.artifact) ask(waiting.request.artifact);
  }
  return fetches;
}

std::optional<ReadyWork> WorkQueue::start() {
  if (running_) return std::nullopt;
  auto it =
      std::find_if(waiting_.begin(), waiting_.end(), [](const Waiting& waiting) { return waiting.ready(); });
  if (it == waiting_.end()) return std::nullopt;
  ReadyWork work{it->request, it->artifact, it->reference};
  running_ = Running{std::move(it->request), it->upload_ms};
  waiting_.erase(it);
  return work;
}

bool WorkQueue::take_cancel() {
  if (!running_ || running_->wanted || running_->cancelled) return false;
  return running_->cancelled = true;
}

void WorkQueue::finished(DeviceResult result, TimePoint now) {
  HONE_CHECK(running_);
  if (running_->wanted && running_->cancelled && result.measurement.status == MeasureStatus::board_lost) {
    wire::Want again;
    again.leases = leases();
    again.measurements = {std::move(running_->request)};
    running_.reset();
    free_since_ = now;
    want(again, now);
    return;
  }
  if (running_->wanted) {
    wire::Measured measured;
    measured.lease = running_->request.lease;
    measured.id = running_->request.id;
    measured.measurement = std::move(result.measurement);
    measured.upload_ms = running_->upload_ms;
    measured.check_ms = result.check_ms;
    measured.run_ms = result.run_ms;
    keep(std::move(measured));
  }
  running_.reset();
  free_since_ = now;
}

std::vector<wire::Measured> WorkQueue::take_results() {
  std::vector<wire::Measured> out;
  for (Kept& kept : results_)
    if (!kept.sent) {
      kept.sent = true;
      out.push_back(kept.measured);
    }
  return out;
}

std::vector<wire::LeaseRef> WorkQueue::leases() const {
  std::vector<wire::LeaseRef> held;
  for (const Waiting& waiting : waiting_) held.push_back(waiting.request.lease);
  if (running_ && running_->wanted) held.push_back(running_->request.lease);
  for (const Kept& kept : results_) held.push_back(kept.measured.lease);
  return held;
}

std::optional<TimePoint> WorkQueue::next_deadline() const {
  std::optional<TimePoint> next;
  for (const Waiting& waiting : waiting_)
    if (!waiting.ready() && (!next || waiting.deadline < *next)) next = waiting.deadline;
  return next;
}

}  // namespace hone
