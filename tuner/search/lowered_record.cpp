#include "tuner/search/lowered_record.h"

#include "cost_model/features/features.h"

namespace hone {

Result<const RecordLowering::Bound*> RecordLowering::bound(const CandidateText& candidate) {
  const auto key = std::tie(candidate.task, candidate.target, candidate.ports);
  const auto found = bound_.find(key);
  if (found != bound_.end()) return &found->second;
  HONE_TRY(const TaskPtr task, parse_any_task(candidate.task, bodies_));
  HONE_TRY(Target target, parse_target(candidate.target));
  HONE_TRY(const Ports ports, parse_ports(candidate.ports));
  HONE_TRY(auto lowering, task->on(target, ports));
  return &bound_.emplace(key, Bound{std::move(target), std::move(lowering)}).first->second;
}

Result<loop::Program> RecordLowering::lower(const CandidateText& candidate) {
  HONE_TRY(const Bound* bound, this->bound(candidate));
  return bound->lowering->replay(candidate.formulation, candidate.schedule);
}

Result<std::vector<float>> RecordLowering::features(const CandidateText& candidate) {
  HONE_TRY(const loop::Program program, lower(candidate));
  HONE_TRY(const Bound* bound, this->bound(candidate));
  return features_of(program, bound->target);
}

}  // namespace hone
