// What a record is: one row of a log. Plain data, shared by scheduler, tuner and log; task, formulation and
// schedule are opaque text here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "codegen/base/digest.h"
#include "measure/measurement.h"

namespace hone {

/// A candidate as texts: everything that building it again takes. The same value on the wire, in the journal
/// and in a log.
struct CandidateText {
  std::string task, target;  ///< canonical texts
  std::string formulation;
  int space_version = 1;  ///< of the search space that `parameters` are a point of
  std::string ports, parameters, schedule;
};

struct BoardId {
  std::string model, id;
};

/// How a record came about.
struct Provenance {
  uint64_t trial = 0;  ///< 0 is what the target alone implies
  bool final = false;  ///< a re-measured finalist rather than a search trial
  int repetition = 0;
  std::string job, tuner;
  int64_t unix_ms = 0;
};

struct Record {
  Digest task_key;           ///< digest of candidate.task
  std::string task_summary;  ///< for people
  CandidateText candidate;
  Digest artifact;  ///< what was built of it; empty: nothing was
  BoardId board;
  Measurement measurement;
  Provenance from;
  std::vector<float> features;  ///< of the lowered candidate
  int feature_version = 0;
};
/// (artifact, board, mode, threads, search or final, repetition): one commit per id.
Digest measurement_id(const Record& record);

/// Calls visit(Column, member), member(Record&) being a reference to the value: all columns of a log, in the
/// order of its rows. See for_each_measurement_column.
template <class Visit>
void for_each_column(Visit&& visit) {
  visit(Column{"task_key", ""}, [](auto& r) -> auto& { return r.task_key; });
  visit(Column{"task_text", ""}, [](auto& r) -> auto& { return r.candidate.task; });
  visit(Column{"task_summary", ""}, [](auto& r) -> auto& { return r.task_summary; });
  visit(Column{"target", ""}, [](auto& r) -> auto& { return r.candidate.target; });
  visit(Column{"formulation", ""}, [](auto& r) -> auto& { return r.candidate.formulation; });
  visit(Column{"parameters", ""}, [](auto& r) -> auto& { return r.candidate.parameters; });
  visit(Column{"schedule", ""}, [](auto& r) -> auto& { return r.candidate.schedule; });
  visit(Column{"ports", ""}, [](auto& r) -> auto& { return r.candidate.ports; });
  visit(Column{"space_version", ""}, [](auto& r) -> auto& { return r.candidate.space_version; });
  visit(Column{"artifact", ""}, [](auto& r) -> auto& { return r.artifact; });
  visit(Column{"board_model", ""}, [](auto& r) -> auto& { return r.board.model; });
  visit(Column{"board_id", ""}, [](auto& r) -> auto& { return r.board.id; });
  for_each_measurement_column([&](const Column& column, auto member) {
    visit(column, [member](auto& r) -> auto& { return member(r.measurement); });
  });
  visit(Column{"trial", ""}, [](auto& r) -> auto& { return r.from.trial; });
  visit(Column{"final", ""}, [](auto& r) -> auto& { return r.from.final; });
  visit(Column{"repetition", ""}, [](auto& r) -> auto& { return r.from.repetition; });
  visit(Column{"job", ""}, [](auto& r) -> auto& { return r.from.job; });
  visit(Column{"tuner", ""}, [](auto& r) -> auto& { return r.from.tuner; });
  visit(Column{"unix_ms", "ms"}, [](auto& r) -> auto& { return r.from.unix_ms; });
  visit(Column{.name = "features", .unit = "", .element = "feature"},
        [](auto& r) -> auto& { return r.features; });
  visit(Column{"feature_version", ""}, [](auto& r) -> auto& { return r.feature_version; });
}

}  // namespace hone
