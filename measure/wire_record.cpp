// Records and candidates on the wire. The journal stores records in these bytes too.
#include "measure/wire_fields.h"

namespace hone::wire {

void put(const Candidate& from, schema::Candidate::Builder to) {
  to.setTask(text("task", from.task));
  to.setTarget(text("target", from.target));
  to.setFormulation(text("formulation", from.formulation));
  to.setSpaceVersion(from.space_version);
  to.setPorts(text("ports", from.ports));
  to.setParameters(text("parameters", from.parameters));
  to.setSchedule(text("schedule", from.schedule));
}

void get(schema::Candidate::Reader from, Candidate& to) {
  to.task = text("task", from.getTask());
  to.target = text("target", from.getTarget());
  to.formulation = text("formulation", from.getFormulation());
  to.space_version = from.getSpaceVersion();
  to.ports = text("ports", from.getPorts());
  to.parameters = text("parameters", from.getParameters());
  to.schedule = text("schedule", from.getSchedule());
}

void put(const Record& from, schema::Record::Builder to) {
  Candidate candidate{
      from.task_text, from.target,     from.formulation, static_cast<uint32_t>(from.space_version),
      from.ports,     from.parameters, from.schedule};
  put(candidate, to.initCandidate());
  const Measurement& m = from.measurement;
  to.setTaskKey(text("task key", from.task_key));
  to.setTaskSummary(text("task summary", from.task_summary));
  to.setBoardModel(text("board model", from.board_model));
  to.setBoardId(text("board id", from.board_id));
  to.setArtifact(text("artifact", from.artifact));
  to.setStatus(literal(to_text(m.status)));
  to.setMessage(text("message", m.message));
  to.setThreads(static_cast<uint32_t>(m.threads));
  to.setMode(literal(to_text(m.mode)));
  put_numbers("samples", m.samples_ns, Limits::samples,
              to.initSamplesNs(sized("samples", m.samples_ns.size(), Limits::samples)));
  to.setMedianNs(m.median_ns);
  to.setSpread(m.spread);
  to.setRelativeL2(m.relative_l2);
  to.setWorstFactor(m.worst_factor);
  to.setFinal(from.final);
  to.setRepetition(static_cast<uint32_t>(from.repetition));
  to.setTrial(from.trial);
  put_numbers("features", from.features, Limits::features,
              to.initFeatures(sized("features", from.features.size(), Limits::features)));
  to.setFeatureVersion(static_cast<uint32_t>(from.feature_version));
  to.setJob(text("job", from.job));
  to.setTuner(text("tuner", from.tuner));
  to.setUnixMs(from.unix_ms);
  to.setReferenceBeforeNs(m.health.reference_before_ns);
  to.setReferenceAfterNs(m.health.reference_after_ns);
  to.setTemperatureCelsius(m.health.temperature_celsius);
  to.setFrequencyMhz(m.health.frequency_mhz);
}

void get(schema::Record::Reader from, Record& to) {
  Candidate candidate;
  get(from.getCandidate(), candidate);
  to.task_text = std::move(candidate.task);
  to.target = std::move(candidate.target);
  to.formulation = std::move(candidate.formulation);
  to.space_version = static_cast<int>(candidate.space_version);
  to.ports = std::move(candidate.ports);
  to.parameters = std::move(candidate.parameters);
  to.schedule = std::move(candidate.schedule);
  to.task_key = text("task key", from.getTaskKey());
  to.task_summary = text("task summary", from.getTaskSummary());
  to.board_model = text("board model", from.getBoardModel());
  to.board_id = text("board id", from.getBoardId());
  to.artifact = text("artifact", from.getArtifact());
  Measurement& m = to.measurement;
  m.status = status_of(from.getStatus());
  m.message = text("message", from.getMessage());
  m.threads = static_cast<int>(from.getThreads());
  m.mode = mode_of(from.getMode());
  m.samples_ns = get_numbers<double>("samples", from.getSamplesNs(), Limits::samples);
  m.median_ns = from.getMedianNs();
  m.spread = from.getSpread();
  m.relative_l2 = from.getRelativeL2();
  m.worst_factor = from.getWorstFactor();
  to.final = from.getFinal();
  to.repetition = static_cast<int>(from.getRepetition());
  to.trial = from.getTrial();
  to.features = get_numbers<float>("features", from.getFeatures(), Limits::features);
  to.feature_version = static_cast<int>(from.getFeatureVersion());
  to.job = text("job", from.getJob());
  to.tuner = text("tuner", from.getTuner());
  to.unix_ms = from.getUnixMs();
  m.health.reference_before_ns = from.getReferenceBeforeNs();
  m.health.reference_after_ns = from.getReferenceAfterNs();
  m.health.temperature_celsius = from.getTemperatureCelsius();
  m.health.frequency_mhz = from.getFrequencyMhz();
}

}  // namespace hone::wire
