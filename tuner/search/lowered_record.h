// What a record measured, from its texts: its own steps lowered, even where its parameters mean something
// else by now. For features that a log holds in an older version, and for replay.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "codegen/base/result.h"
#include "codegen/formulation/formulation.h"
#include "codegen/loop/loop.h"
#include "measure/wire.h"

namespace hone {

/// Keeps what candidates of one task, target, formulation and layouts share: lowering many costs little more
/// than their schedules.
class RecordLowering {
 public:
  /// Errors: a text that does not parse, a formulation or steps that there are no more.
  Result<loop::Program> lower(const CandidateText& candidate);
  /// features_of() the same; the target is the candidate's.
  Result<std::vector<float>> features(const CandidateText& candidate);

 private:
  struct Formed {
    Target target;
    Formulated formulated;
  };
  Result<const Formed*> formed(const CandidateText& candidate);

  std::map<std::tuple<std::string, std::string, std::string, std::string>, Formed> formed_;
};

}  // namespace hone
