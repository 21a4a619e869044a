// Records and candidates on the wire. The journal stores records in these bytes too.
#include "measure/wire_fields.h"

namespace hone::wire {

void put(const CandidateText& from, schema::Candidate::Builder to) {
  to.setTask(text("task", from.task));
  to.setTarget(text("target", from.target));
  to.setFormulation(text("formulation", from.formulation));
  to.setSpaceVersion(static_cast<uint32_t>(from.space_version));
  to.setPorts(text("ports", from.ports));
  to.setParameters(text("parameters", from.parameters));
  to.setSchedule(text("schedule", from.schedule));
}

void get(schema::Candidate::Reader from, CandidateText& to) {
  to.task = text("task", from.getTask());
  to.target = text("target", from.getTarget());
  to.formulation = text("formulation", from.getFormulation());
  to.space_version = static_cast<int>(from.getSpaceVersion());
  to.ports = text("ports", from.getPorts());
  to.parameters = text("parameters", from.getParameters());
  to.schedule = text("schedule", from.getSchedule());
}

void put(const Record& from, schema::Record::Builder to) {
  const Measurement& m = from.measurement;
  put(from.candidate, to.initCandidate());
  to.setTaskKey(from.task_key.hex().c_str());
  to.setTaskSummary(text("task summary", from.task_summary));
  to.setBoardModel(text("board model", from.board.model));
  to.setBoardId(text("board id", from.board.id));
  to.setArtifact(from.artifact.hex().c_str());
  put_measurement(m, to);
  to.setThreads(static_cast<uint32_t>(m.threads));
  to.setMode(literal(to_text(m.mode)));
  to.setMedianNs(m.median_ns);
  to.setSpread(m.spread);
  to.setFinal(from.from.final);
  to.setRepetition(static_cast<uint32_t>(from.from.repetition));
  to.setTrial(from.from.trial);
  put_numbers("features", from.features, Limits::features,
              to.initFeatures(sized("features", from.features.size(), Limits::features)));
  to.setFeatureVersion(static_cast<uint32_t>(from.feature_version));
  to.setJob(text("job", from.from.job));
  to.setTuner(text("tuner", from.from.tuner));
  to.setUnixMs(from.from.unix_ms);
  put_more([](auto visit) { for_each_column(visit); }, from, to);
}

void get(schema::Record::Reader from, Record& to) {
  get(from.getCandidate(), to.candidate);
  to.task_key = digest("task key", from.getTaskKey());
  to.task_summary = text("task summary", from.getTaskSummary());
  to.board.model = text("board model", from.getBoardModel());
  to.board.id = text("board id", from.getBoardId());
  to.artifact = digest("artifact", from.getArtifact());
  Measurement& m = to.measurement;
  get_measurement(from, m);
  m.threads = static_cast<int>(from.getThreads());
  m.mode = mode_of(from.getMode());
  m.median_ns = from.getMedianNs();
  m.spread = from.getSpread();
  to.from.final = from.getFinal();
  to.from.repetition = static_cast<int>(from.getRepetition());
  to.from.trial = from.getTrial();
  to.features = get_numbers<float>("features", from.getFeatures(), Limits::features);
  to.feature_version = static_cast<int>(from.getFeatureVersion());
  to.from.job = text("job", from.getJob());
  to.from.tuner = text("tuner", from.getTuner());
  to.from.unix_ms = from.getUnixMs();
  get_more([](auto visit) { for_each_column(visit); }, from, to);
}

}  // namespace hone::wire
