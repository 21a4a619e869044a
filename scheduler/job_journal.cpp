// Little-endian integers and texts with a length; job requests and records as on the wire.
#include "scheduler/job_journal.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace hone::scheduler {
namespace {

class Writer {
 public:
  void number(uint64_t value) { out_.append(reinterpret_cast<const char*>(&value), sizeof value); }
  void text(std::string_view value) {
    number(value.size());
    out_ += value;
  }
  void bytes(const wire::Bytes& value) { text({reinterpret_cast<const char*>(value.data()), value.size()}); }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}
  uint64_t number() {
    uint64_t value = 0;
    if (in_.size() < sizeof value) {
      sound_ = false;
      return 0;
    }
    std::memcpy(&value, in_.data(), sizeof value);
    in_.remove_prefix(sizeof value);
    return value;
  }
  std::string_view text() {
    const uint64_t length = number();
    if (length > in_.size()) {
      sound_ = false;
      return {};
    }
    const std::string_view value = in_.substr(0, length);
    in_.remove_prefix(length);
    return value;
  }
  bool empty() const { return in_.empty(); }
  bool sound() const { return sound_; }

 private:
  std::string_view in_;
  bool sound_ = true;
};

}  // namespace

JournalEntry boot_entry(uint64_t boot) {
  Writer out;
  out.number(boot);
  return {kBootEntry, out.take()};
}

Result<JournalEntry> submit_entry(uint64_t job, const wire::JobRequest& request) {
  HONE_TRY(const wire::Bytes bytes, wire::encode(request));
  Writer out;
  out.number(job);
  out.bytes(bytes);
  return JournalEntry{kSubmitEntry, out.take()};
}

JournalEntry state_entry(uint64_t job, const RecoveredJob& state) {
  Writer out;
  out.number(job);
  out.number(static_cast<uint64_t>(state.state));
  out.text(state.reason);
  out.text(state.lanes.empty() ? "" : state.lanes[0].board_model);
  out.number(state.elapsed_ms);
  out.number(state.lanes.empty() ? 0 : state.lanes[0].candidates);
  out.number(state.measured_before);
  out.number(state.loaded ? 1 : 0);
  out.number(state.trials);
  out.number(state.created_unix_ms);
  out.number(state.board_ms);
  out.number(state.lanes.size());
  for (const RecoveredLane& lane : state.lanes) {
    out.number(lane.part);
    out.text(lane.board_model);
    out.number(lane.candidates);
  }
  return {kStateEntry, out.take()};
}

Result<JournalEntry> issued_entry(const Issued& issued) {
  HONE_TRY(const wire::Bytes bytes, wire::encode_record(issued.record));
  Writer out;
  out.text(issued.id.hex());
  out.bytes(bytes);
  return JournalEntry{kIssuedEntry, out.take()};
}

JournalEntry board_entry(const wire::BoardSummary& board) {
  const auto bytes = wire::encode(wire::Boards{{board}});
  HONE_CHECK(bytes);  // it came over the wire within the limits
  Writer out;
  out.bytes(*bytes);
  return {kBoardEntry, out.take()};
}

Result<Recovered> recover(const std::vector<JournalEntry>& entries) {
  Recovered out;
  for (size_t i = 0; i < entries.size(); ++i) {
    const JournalEntry& entry = entries[i];
    Reader in(entry.payload);
    const std::string where = "entry " + std::to_string(i) + " of the jobs journal";
    if (entry.type == kBootEntry) {
      out.boot = std::max(out.boot, in.number());
    } else if (entry.type == kSubmitEntry) {
      const uint64_t id = in.number();
      const std::string_view bytes = in.text();
      auto message = wire::decode(std::as_bytes(std::span(bytes)));
      if (!in.sound() || !message || !std::holds_alternative<wire::JobRequest>(*message))
        return fail("is no job request", where);
      out.jobs[id].request = std::get<wire::JobRequest>(*message);
    } else if (entry.type == kStateEntry) {
      const uint64_t id = in.number();
      RecoveredJob& job = out.jobs[id];
      job.state = static_cast<JobState>(in.number());
      job.reason = in.text();
      RecoveredLane first;
      first.board_model = in.text();
      job.elapsed_ms = in.number();
      first.candidates = in.number();
      job.lanes.clear();
      if (!first.board_model.empty()) job.lanes.push_back(std::move(first));
      job.measured_before = in.number();
      job.loaded = in.number() != 0;
      if (!in.empty()) {  // the entries of hone 0.1 end here
        job.trials = in.number();
        job.created_unix_ms = in.number();
        job.board_ms = in.number();
      }
      if (!in.empty()) {  // those of jobs with one model of boards end here
        job.lanes.clear();
        const uint64_t count = in.number();
        for (uint64_t lane = 0; lane < count && in.sound(); ++lane) {
          const uint64_t part = in.number();
          std::string model(in.text());
          job.lanes.push_back({part, std::move(model), in.number()});
        }
      }
      if (job.state > JobState::failed) return fail("names no job state", where);
    } else if (entry.type == kIssuedEntry) {
      const auto id = parse_digest(in.text());
      const std::string_view bytes = in.text();
      auto record = wire::decode_record(std::as_bytes(std::span(bytes)));
      if (!record) return fail("holds no record: " + record.error().what, where);
      if (!id) return fail("names no measurement: " + id.error().what, where);
      out.issued[*id] = std::move(*record);
    } else if (entry.type == kBoardEntry) {
      const std::string_view bytes = in.text();
      const auto message = wire::decode(std::as_bytes(std::span(bytes)));
      const auto* boards = message ? std::get_if<wire::Boards>(&*message) : nullptr;
      if (!in.sound() || boards == nullptr || boards->boards.size() != 1) return fail("is no board", where);
      out.boards[boards->boards[0].name] = boards->boards[0];
    } else {
      return fail("is of the unknown type " + std::to_string(entry.type), where, "use a newer hone");
    }
    if (!in.sound()) return fail("is shorter than it says", where);
  }
  return out;
}

std::vector<JournalEntry> snapshot(const Recovered& recovered, size_t ended) {
  std::vector<JournalEntry> entries = {boot_entry(recovered.boot)};
  const auto is_over = [](const auto& entry) { return is_terminal(entry.second.state); };
  auto forgotten = static_cast<size_t>(std::ranges::count_if(recovered.jobs, is_over));
  forgotten -= std::min(forgotten, ended);
  for (const auto& [id, job] : recovered.jobs) {
    if (is_terminal(job.state) && forgotten > 0) {
      --forgotten;
      continue;
    }
    auto submit = submit_entry(id, job.request);
    HONE_CHECK(submit);  // it was decoded from such an entry, or has come over the wire
    entries.push_back(std::move(*submit));
    entries.push_back(state_entry(id, job));
  }
  for (const auto& [id, record] : recovered.issued)
    if (auto entry = issued_entry({id, record})) entries.push_back(std::move(*entry));
  for (const auto& [name, board] : recovered.boards) entries.push_back(board_entry(board));
  return entries;
}

}  // namespace hone::scheduler
