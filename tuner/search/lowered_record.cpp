#include "tuner/search/lowered_record.h"

#include "cost_model/features/features.h"

namespace hone {

Result<const RecordLowering::Formed*> RecordLowering::formed(const CandidateText& candidate) {
  const auto key = std::tie(candidate.task, candidate.target, candidate.ports, candidate.formulation);
  const auto found = formed_.find(key);
  if (found != formed_.end()) return &found->second;
  HONE_TRY(const Task task, parse_task(candidate.task));
  HONE_TRY(Target target, parse_target(candidate.target));
  HONE_TRY(const Ports ports, parse_ports(candidate.ports));
  const Formulation* formulation = find_formulation(candidate.formulation);
  if (formulation == nullptr) return fail("there is no formulation of this name", candidate.formulation);
  HONE_TRY(Formulated formulated, formulation->formulate(task, target, ports));
  return &formed_.emplace(key, Formed{std::move(target), std::move(formulated)}).first->second;
}

Result<loop::Program> RecordLowering::lower(const CandidateText& candidate) {
  HONE_TRY(const Formed* formed, this->formed(candidate));
  HONE_TRY(const Schedule schedule, parse_schedule(candidate.schedule));
  return loop::lower(formed->formulated.run, schedule);
}

Result<std::vector<float>> RecordLowering::features(const CandidateText& candidate) {
  HONE_TRY(const loop::Program program, lower(candidate));
  HONE_TRY(const Formed* formed, this->formed(candidate));
  return features_of(program, formed->target);
}

}  // namespace hone
