// What clients and scheduler tell each other of boards, the log and the scheduler itself; and how boards say
// how they are.
#include "measure/wire_fields.h"

namespace hone::wire {

static void put(const BoardChange& from, schema::BoardChange::Builder to) {
  to.setUnixMs(from.unix_ms);
  to.setState(text("state", from.state));
  to.setReason(text("reason", from.reason));
}
static void get(schema::BoardChange::Reader from, BoardChange& to) {
  to = {from.getUnixMs(), text("state", from.getState()), text("reason", from.getReason())};
}

void put(const BoardSummary& from, schema::BoardSummary::Builder to) {
  to.setName(text("name", from.name));
  to.setBoard(text("board", from.board));
  put_texts("label", from.labels, to.initLabels(sized("labels", from.labels.size(), Limits::labels)));
  put_numbers("jobs", from.jobs, Limits::leases,
              to.initJobs(sized("jobs", from.jobs.size(), Limits::leases)));
  to.setLeases(from.leases);
  to.setMeasured(from.measured);
  to.setFailed(from.failed);
  to.setIdleMs(from.idle_ms);
  to.setSilentMs(from.silent_ms);
  to.setTemperatureCelsius(from.temperature_celsius);
  to.setFrequencyMhz(from.frequency_mhz);
  to.setState(text("state", from.state));
  to.setReason(text("reason", from.reason));
  to.setStateMs(from.state_ms);
  to.setRetryMs(from.retry_ms);
  to.setFaults(from.faults);
  to.setConnected(from.connected);
  to.setDraining(from.draining);
  to.setOs(text("os", from.os));
  to.setEmulated(from.emulated);
  to.setSandbox(text("sandbox", from.sandbox));
  to.setReferenceNs(from.reference_ns);
  to.setFreeMemoryBytes(from.free_memory_bytes);
  to.setFreeDiskBytes(from.free_disk_bytes);
  to.setMaxFrequencyMhz(from.max_frequency_mhz);
  put_list(from.history, to.initHistory(sized("history", from.history.size(), Limits::history)));
  to.setBoundId(text("bound id", from.bound_id));
}
void get(schema::BoardSummary::Reader from, BoardSummary& to) {
  to.name = text("name", from.getName());
  to.board = text("board", from.getBoard());
  to.labels = get_texts("labels", from.getLabels(), Limits::labels);
  to.jobs = get_numbers<uint64_t>("jobs", from.getJobs(), Limits::leases);
  to.leases = from.getLeases();
  to.measured = from.getMeasured();
  to.failed = from.getFailed();
  to.idle_ms = from.getIdleMs();
  to.silent_ms = from.getSilentMs();
  to.temperature_celsius = from.getTemperatureCelsius();
  to.frequency_mhz = from.getFrequencyMhz();
  to.state = text("state", from.getState());
  to.reason = text("reason", from.getReason());
  to.state_ms = from.getStateMs();
  to.retry_ms = from.getRetryMs();
  to.faults = from.getFaults();
  to.connected = from.getConnected();
  to.draining = from.getDraining();
  to.os = text("os", from.getOs());
  to.emulated = from.getEmulated();
  to.sandbox = text("sandbox", from.getSandbox());
  to.reference_ns = from.getReferenceNs();
  to.free_memory_bytes = from.getFreeMemoryBytes();
  to.free_disk_bytes = from.getFreeDiskBytes();
  to.max_frequency_mhz = from.getMaxFrequencyMhz();
  to.history = get_list<BoardChange>("history", from.getHistory(), Limits::history);
  to.bound_id = text("bound id", from.getBoundId());
}

void put(const HealthReport& from, schema::HealthReport::Builder to) {
  to.setCheck(from.check);
  to.setOk(from.ok);
  to.setMessage(text("message", from.message));
  to.setReferenceNs(from.reference_ns);
  to.setTemperatureCelsius(from.temperature_celsius);
  to.setFrequencyMhz(from.frequency_mhz);
  to.setFreeMemoryBytes(from.free_memory_bytes);
  to.setFreeDiskBytes(from.free_disk_bytes);
}
void get(schema::HealthReport::Reader from, HealthReport& to) {
  to.check = from.getCheck();
  to.ok = from.getOk();
  to.message = text("message", from.getMessage());
  to.reference_ns = from.getReferenceNs();
  to.temperature_celsius = from.getTemperatureCelsius();
  to.frequency_mhz = from.getFrequencyMhz();
  to.free_memory_bytes = from.getFreeMemoryBytes();
  to.free_disk_bytes = from.getFreeDiskBytes();
}

void put(const BoardRequest& from, schema::BoardRequest::Builder to) {
  to.setName(text("name", from.name));
  to.setAction(static_cast<schema::BoardAction>(from.action));
  to.setReason(text("reason", from.reason));
}
void get(schema::BoardRequest::Reader from, BoardRequest& to) {
  to.name = text("name", from.getName());
  if (from.getAction() > schema::BoardAction::RELEASE)
    throw Malformed{"action " + std::to_string(static_cast<int>(from.getAction())) + " is not known"};
  to.action = static_cast<BoardAction>(from.getAction());
  to.reason = text("reason", from.getReason());
}

void put(const PullLog& from, schema::PullLog::Builder to) {
  to.setJob(from.job);
  to.setAfter(from.after);
  to.setTarget(text("target", from.target));
}
void get(schema::PullLog::Reader from, PullLog& to) {
  to = {from.getJob(), from.getAfter(), text("target", from.getTarget())};
}

void put(const LogChunk& from, schema::LogChunk::Builder to) {
  put_list(from.records, to.initRecords(sized("records", from.records.size(), Limits::records)));
  to.setNext(from.next);
  to.setTotal(from.total);
}
void get(schema::LogChunk::Reader from, LogChunk& to) {
  to.records = get_list<Record>("records", from.getRecords(), Limits::records);
  to.next = from.getNext();
  to.total = from.getTotal();
}

void put(const SchedulerStatus& from, schema::SchedulerStatus::Builder to) {
  to.setBuild(text("build", from.build));
  to.setProtocolMin(from.protocol_min);
  to.setProtocolMax(from.protocol_max);
  to.setLog(text("log", from.log));
  to.setRecords(from.records);
  to.setDurable(from.durable);
  to.setTrouble(text("trouble", from.trouble));
  to.setUpMs(from.up_ms);
  to.setBoards(from.boards);
  to.setTuners(from.tuners);
  to.setClients(from.clients);
  to.setRefused(from.refused);
  to.setMalformed(from.malformed);
  to.setLostWorkers(from.lost_workers);
  to.setAcknowledgedMedianUs(from.acknowledged_median_us);
  to.setAcknowledgedHighUs(from.acknowledged_high_us);
  to.setConnections(from.connections);
  to.setCrowded(from.crowded);
  to.setGreedy(from.greedy);
  to.setRemoved(from.removed);
  if (!from.conflicts.empty()) to.setConflicts(text("conflicts", from.conflicts));
}
void get(schema::SchedulerStatus::Reader from, SchedulerStatus& to) {
  to.build = text("build", from.getBuild());
  to.protocol_min = from.getProtocolMin();
  to.protocol_max = from.getProtocolMax();
  to.log = text("log", from.getLog());
  to.records = from.getRecords();
  to.durable = from.getDurable();
  to.trouble = text("trouble", from.getTrouble());
  to.up_ms = from.getUpMs();
  to.boards = from.getBoards();
  to.tuners = from.getTuners();
  to.clients = from.getClients();
  to.refused = from.getRefused();
  to.malformed = from.getMalformed();
  to.lost_workers = from.getLostWorkers();
  to.acknowledged_median_us = from.getAcknowledgedMedianUs();
  to.acknowledged_high_us = from.getAcknowledgedHighUs();
  to.connections = from.getConnections();
  to.crowded = from.getCrowded();
  to.greedy = from.getGreedy();
  to.removed = from.getRemoved();
  to.conflicts = text("conflicts", from.getConflicts());
}

}  // namespace hone::wire
