// What a record measured, from its texts: its own steps lowered, even where its parameters mean something
// else by now. For features that a log holds in an older version, and for replay.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "codegen/base/result.h"
#include "codegen/task/kind.h"
#include "measure/wire.h"

namespace hone {

/// Keeps what candidates of one task, target and ports share: lowering many costs little more
/// than their schedules.
class RecordLowering {
 public:
  /// `bodies`: of the candidates' tasks; outlives this.
  explicit RecordLowering(const Bodies& bodies) : bodies_(bodies) {}
  /// Errors: a text that does not parse, a formulation or steps that there are no more.
  Result<loop::Program> lower(const CandidateText& candidate);
  /// features_of() the same; the target is the candidate's.
  Result<std::vector<float>> features(const CandidateText& candidate);

 private:
  struct Bound {
    Target target;
    std::unique_ptr<TaskLowering> lowering;
  };
  Result<const Bound*> bound(const CandidateText& candidate);

  const Bodies& bodies_;
  std::map<std::tuple<std::string, std::string, std::string>, Bound> bound_;  ///< by task, target and ports
};

}  // namespace hone
