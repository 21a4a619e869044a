// What workers and scheduler tell each other: hellos, states, rounds, built candidates, measurements.
#include "measure/wire_fields.h"

namespace hone::wire {

void put(const LeaseRef& from, schema::LeaseRef::Builder to) {
  to.setId(from.id);
  to.setEpoch(from.epoch);
}
void get(schema::LeaseRef::Reader from, LeaseRef& to) { to = {from.getId(), from.getEpoch()}; }

void put(const Hello& from, schema::Hello::Builder to) {
  to.setRole(static_cast<schema::Role>(from.role));
  to.setProtocolMin(from.protocol_min);
  to.setProtocolMax(from.protocol_max);
  to.setBuild(text("build", from.build));
  to.setName(text("name", from.name));
  to.setBoard(text("board", from.board));
  to.setCapacity(from.capacity);
  put_texts("label", from.labels, to.initLabels(sized("labels", from.labels.size(), Limits::labels)));
  to.setInstance(from.instance);
  to.setCanCheck(from.can_check);
  to.setOs(text("os", from.os));
  to.setEmulated(from.emulated);
  to.setSandbox(text("sandbox", from.sandbox));
  to.setMaxFrequencyMhz(from.max_frequency_mhz);
  to.setFeatureVersion(from.feature_version);
}
void get(schema::Hello::Reader from, Hello& to) {
  switch (from.getRole()) {
    case schema::Role::TUNER:
      to.role = Role::tuner;
      break;
    case schema::Role::RUNNER:
      to.role = Role::runner;
      break;
    case schema::Role::CLIENT:
      to.role = Role::client;
      break;
    default:
      throw Malformed{"role " + std::to_string(static_cast<int>(from.getRole())) + " is not known"};
  }
  to.protocol_min = from.getProtocolMin();
  to.protocol_max = from.getProtocolMax();
  to.build = text("build", from.getBuild());
  to.name = text("name", from.getName());
  to.board = text("board", from.getBoard());
  to.capacity = from.getCapacity();
  to.labels = get_texts("labels", from.getLabels(), Limits::labels);
  to.instance = from.getInstance();
  to.can_check = from.getCanCheck();
  to.os = text("os", from.getOs());
  to.emulated = from.getEmulated();
  to.sandbox = text("sandbox", from.getSandbox());
  to.max_frequency_mhz = from.getMaxFrequencyMhz();
  to.feature_version = from.getFeatureVersion();
}

void put(const WorkerState& from, schema::WorkerState::Builder to) {
  put_list(from.leases, to.initLeases(sized("leases", from.leases.size(), Limits::leases)));
  to.setTemperatureCelsius(from.temperature_celsius);
  to.setFrequencyMhz(from.frequency_mhz);
}
void get(schema::WorkerState::Reader from, WorkerState& to) {
  to.leases = get_list<LeaseRef>("leases", from.getLeases(), Limits::leases);
  to.temperature_celsius = from.getTemperatureCelsius();
  to.frequency_mhz = from.getFrequencyMhz();
}

void put(const Built& from, schema::Built::Builder to) {
  put(from.lease, to.initLease());
  put(from.candidate, to.initCandidate());
  to.setTrial(from.trial);
  to.setStatus(literal(to_text(from.status)));
  to.setMessage(text("message", from.message));
  to.setArtifact(from.artifact.hex().c_str());
  to.setSignature(text("signature", from.signature));
  to.setReference(from.reference.hex().c_str());
  put_numbers("features", from.features, Limits::features,
              to.initFeatures(sized("features", from.features.size(), Limits::features)));
  to.setFeatureVersion(from.feature_version);
  to.setBuildMs(from.build_ms);
  to.setPredicted(from.predicted);
}
void get(schema::Built::Reader from, Built& to) {
  get(from.getLease(), to.lease);
  get(from.getCandidate(), to.candidate);
  to.trial = from.getTrial();
  to.status = status_of(from.getStatus());
  to.message = text("message", from.getMessage());
  to.artifact = digest("artifact", from.getArtifact());
  to.signature = text("signature", from.getSignature());
  to.reference = digest("reference", from.getReference());
  to.features = get_numbers<float>("features", from.getFeatures(), Limits::features);
  to.feature_version = from.getFeatureVersion();
  to.build_ms = from.getBuildMs();
  to.predicted = from.getPredicted();
}

void put(const Featurised& from, schema::Built::Builder to) {
  Built built;
  built.lease = from.lease;
  built.trial = from.row;
  built.features = from.features;
  built.feature_version = from.feature_version;
  put(built, to);
}

void put(const RoundDone& from, schema::RoundDone::Builder to) {
  put(from.lease, to.initLease());
  to.setProposed(from.proposed);
  to.setExhausted(from.exhausted);
  to.setProposeMs(from.propose_ms);
}
void get(schema::RoundDone::Reader from, RoundDone& to) {
  get(from.getLease(), to.lease);
  to.proposed = from.getProposed();
  to.exhausted = from.getExhausted();
  to.propose_ms = from.getProposeMs();
}

void put(const Measured& from, schema::Measured::Builder to) {
  put(from.lease, to.initLease());
  to.setId(from.id.hex().c_str());
  put_measurement(from.measurement, to);
  put_more([](auto visit) { for_each_measurement_column(visit); }, from.measurement, to);
  to.setUploadMs(from.upload_ms);
  to.setCheckMs(from.check_ms);
  to.setRunMs(from.run_ms);
}
void get(schema::Measured::Reader from, Measured& to) {
  get(from.getLease(), to.lease);
  to.id = digest("id", from.getId());
  get_measurement(from, to.measurement);
  get_more([](auto visit) { for_each_measurement_column(visit); }, from, to.measurement);
  to.upload_ms = from.getUploadMs();
  to.check_ms = from.getCheckMs();
  to.run_ms = from.getRunMs();
}

void put(const Round& from, schema::Round::Builder to) {
  put(from.lease, to.initLease());
  to.setJob(from.job);
  to.setTask(text("task", from.task));
  to.setTarget(text("target", from.target));
  to.setPorts(text("ports", from.ports));
  to.setThreads(from.threads);
  to.setMode(literal(to_text(from.mode)));
  // Older programs wrote every list, the empty ones too: so that the bytes are theirs, this does.
  static const Propose nothing;
  const Propose* proposing = std::get_if<Propose>(&from.asks);
  const auto* rebuilding = std::get_if<Rebuild>(&from.asks);
  const auto* featurising = std::get_if<Featurise>(&from.asks);
  const Propose& propose = proposing != nullptr ? *proposing : nothing;
  to.setCount(propose.count);
  to.setSeed(propose.seed);
  to.setCostModel(propose.cost_model.hex().c_str());
  put_list(propose.top, to.initTop(sized("top records", propose.top.size(), Limits::records)));
  put_texts("seen", propose.seen, to.initSeen(sized("seen", propose.seen.size(), Limits::texts)));
  put_numbers("seen versions", propose.seen_versions, Limits::texts,
              to.initSeenVersions(sized("seen versions", propose.seen_versions.size(), Limits::texts)));
  put_texts("hints", propose.hints, to.initHints(sized("hints", propose.hints.size(), Limits::texts)));
  to.setFirstTrial(propose.first_trial);
  static const std::vector<CandidateText> none;
  const auto& candidates = rebuilding != nullptr ? rebuilding->candidates : none;
  const auto& rows = featurising != nullptr ? featurising->rows : none;
  if (proposing == nullptr && candidates.empty() && rows.empty()) throw Malformed{"a round asks for nothing"};
  put_list(candidates, to.initRebuild(sized("candidates", candidates.size(), Limits::leases)));
  put_list(rows, to.initFeaturise(sized("rows", rows.size(), Limits::leases)));
}
void get(schema::Round::Reader from, Round& to) {
  get(from.getLease(), to.lease);
  to.job = from.getJob();
  to.task = text("task", from.getTask());
  to.target = text("target", from.getTarget());
  to.ports = text("ports", from.getPorts());
  to.threads = from.getThreads();
  to.mode = mode_of(from.getMode());
  if (from.getFeaturise().size() > 0) {
    to.asks = Featurise{get_list<CandidateText>("rows", from.getFeaturise(), Limits::leases)};
  } else if (from.getRebuild().size() > 0) {
    to.asks = Rebuild{get_list<CandidateText>("candidates", from.getRebuild(), Limits::leases)};
  } else {
    Propose& propose = to.asks.emplace<Propose>();
    propose.count = from.getCount();
    propose.seed = from.getSeed();
    propose.cost_model = digest("cost model", from.getCostModel());
    propose.top = get_list<Record>("top records", from.getTop(), Limits::records);
    propose.seen = get_texts("seen", from.getSeen());
    propose.seen_versions = get_numbers<uint32_t>("seen versions", from.getSeenVersions(), Limits::texts);
    propose.hints = get_texts("hints", from.getHints());
    propose.first_trial = from.getFirstTrial();
  }
}

void put(const MeasureRequest& from, schema::Measurement::Builder to) {
  put(from.lease, to.initLease());
  to.setId(from.id.hex().c_str());
  to.setArtifact(from.artifact.hex().c_str());
  to.setReference(from.reference.hex().c_str());
  to.setTaskKey(from.task_key.hex().c_str());
  to.setSeed(text("seed", from.seed));
  to.setMode(literal(to_text(from.mode)));
  to.setThreads(from.threads);
  auto sampling = to.initSampling();
  sampling.setMinSamples(static_cast<uint32_t>(from.sampling.min_samples));
  sampling.setMaxSamples(static_cast<uint32_t>(from.sampling.max_samples));
  sampling.setTargetSpread(from.sampling.target_spread);
  sampling.setBudgetMs(static_cast<uint32_t>(from.sampling.budget.count()));
  sampling.setRaceFactor(from.sampling.race_factor);
  sampling.setBestNs(from.best_ns);
  sampling.setOutFactor(from.sampling.out_factor);
  to.setUploadMs(from.upload_ms);
  to.setRunMs(from.run_ms);
  to.setFinal(from.final);
}
void get(schema::Measurement::Reader from, MeasureRequest& to) {
  get(from.getLease(), to.lease);
  to.id = digest("id", from.getId());
  to.artifact = digest("artifact", from.getArtifact());
  to.reference = digest("reference", from.getReference());
  to.task_key = digest("task key", from.getTaskKey());
  to.seed = text("seed", from.getSeed());
  to.mode = mode_of(from.getMode());
  to.threads = from.getThreads();
  auto sampling = from.getSampling();
  cap("samples", sampling.getMinSamples(), Limits::samples);
  cap("samples", sampling.getMaxSamples(), Limits::samples);
  to.sampling.min_samples = static_cast<int>(sampling.getMinSamples());
  to.sampling.max_samples = static_cast<int>(sampling.getMaxSamples());
  to.sampling.target_spread = sampling.getTargetSpread();
  to.sampling.budget = std::chrono::milliseconds(sampling.getBudgetMs());
  to.sampling.race_factor = sampling.getRaceFactor();
  to.best_ns = sampling.getBestNs();
  to.sampling.out_factor = sampling.getOutFactor();
  to.upload_ms = from.getUploadMs();
  to.run_ms = from.getRunMs();
  to.final = from.getFinal();
}

void put(const Want& from, schema::Want::Builder to) {
  put_list(from.leases, to.initLeases(sized("leases", from.leases.size(), Limits::leases)));
  put_list(from.rounds, to.initRounds(sized("rounds", from.rounds.size(), Limits::leases)));
  put_list(from.measurements,
           to.initMeasurements(sized("measurements", from.measurements.size(), Limits::leases)));
  to.setStopping(from.stopping);
  to.setCheck(from.check);
  to.setCheckMs(from.check_ms);
  to.setBoardState(text("board state", from.board_state));
  to.setBoardReason(text("reason", from.board_reason));
}
void get(schema::Want::Reader from, Want& to) {
  to.leases = get_list<LeaseRef>("leases", from.getLeases(), Limits::leases);
  to.rounds = get_list<Round>("rounds", from.getRounds(), Limits::leases);
  to.measurements = get_list<MeasureRequest>("measurements", from.getMeasurements(), Limits::leases);
  to.stopping = from.getStopping();
  to.check = from.getCheck();
  to.check_ms = from.getCheckMs();
  to.board_state = text("board state", from.getBoardState());
  to.board_reason = text("reason", from.getBoardReason());
}

}  // namespace hone::wire
