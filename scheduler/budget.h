// The trial budget: which task the next round goes to, and when a task gets no more. Pure functions of what
// the records say, so a later run on the same log comes to the same end.
#pragma once

#include <optional>

#include "scheduler/job.h"

namespace hone::scheduler {

/// How many nanoseconds of the whole model one more round for `task` is expected to gain: weight x time x
/// improvement, from how the best time fell over the last rounds, and from what like tasks of the job reach
/// in GFLOP/s (optimism that fades with every trial). Infinite before trial 0.
double expected_gain(const Lane& lane, size_t task, const Settings& settings);

/// Part of the model's time that a task takes, by the best times so far.
double share_of_model(const Lane& lane, size_t task);

/// Whether `task` is through: no improvement above the noise for long enough, or only failures. A small part
/// of the model has less to gain, and gets fewer trials.
bool is_settled(const TaskState& task, const Settings& settings, double share_of_model = 1);

/// The task that the next round goes to: trial 0 of every task first, then the largest gain a second of
/// building and measuring, shared with the candidates in flight. Nothing if no task may get more now.
std::optional<size_t> choose_task(const Lane& lane, const Settings& settings);

}  // namespace hone::scheduler
