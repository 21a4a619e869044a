// What a measurement is. Plain data, shared by runner, scheduler, tuner and log.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/base/result.h"

namespace hone {

enum class MeasureStatus : uint8_t {
  ok,
  raced_out,
  build_error,
  build_timeout,
  load_error,
  run_timeout,
  crashed,
  out_of_memory,
  wrong_answer,
  board_lost,
  board_unhealthy,
  implausible_time,  ///< its samples say less than its runs take by the board's own clock
};
inline constexpr MeasureStatus last_measure_status = MeasureStatus::implausible_time;
std::string_view to_text(MeasureStatus status);
Result<MeasureStatus> parse_measure_status(std::string_view text);
/// Whether the candidate itself is to blame (so that it is never proposed again), rather than board or
/// network.
bool is_candidates_fault(MeasureStatus status);

/// How constants are made cold before each sample (codegen/CONTRACTS.md, times).
enum class TimingMode : uint8_t { llc, dram };
std::string_view to_text(TimingMode mode);
Result<TimingMode> parse_timing_mode(std::string_view text);

/// Evidence of the board's state while it ran; negative: unknown.
struct Health {
  double reference_before_ns = -1, reference_after_ns = -1;  ///< median time of the fixed reference kernel
  double temperature_celsius = -1, frequency_mhz = -1;
  int64_t peak_memory_bytes = -1;  ///< largest resident memory of the process that ran it, buffers included
};

struct Measurement {
  MeasureStatus status = MeasureStatus::ok;
  std::string message;  ///< why, if not ok
  int threads = 1;
  TimingMode mode = TimingMode::llc;
  std::vector<double> samples_ns;            ///< raw, in order
  double median_ns = 0, spread = 0;          ///< spread: interquartile range / median
  double relative_l2 = 0, worst_factor = 0;  ///< of the check
  Health health;
};
/// Fills median_ns and spread from samples_ns.
void summarise(Measurement& measurement);

/// One quantity of a measurement or a record, as logs and exports call it.
struct Column {
  const char* name;
  const char* unit;  ///< empty: a text, a number of things, or a ratio
  /// It came after protocol 4: it travels and is journaled by its name, beside the fields that the schema
  /// has.
  bool by_name = false;
  const char* element = nullptr;  ///< of a list: what one of its values is called
};

/// Calls visit(Column, member), member(Measurement&) being a reference to the value. A new quantity needs a
/// member and a line here, and whoever measures it: messages, journals, logs and exports take what this table
/// has.
template <class Visit>
void for_each_measurement_column(Visit&& visit) {
  visit(Column{"status", ""}, [](auto& m) -> auto& { return m.status; });
  visit(Column{"message", ""}, [](auto& m) -> auto& { return m.message; });
  visit(Column{"threads", ""}, [](auto& m) -> auto& { return m.threads; });
  visit(Column{"mode", ""}, [](auto& m) -> auto& { return m.mode; });
  visit(Column{.name = "samples_ns", .unit = "ns", .element = "sample"},
        [](auto& m) -> auto& { return m.samples_ns; });
  visit(Column{"median_ns", "ns"}, [](auto& m) -> auto& { return m.median_ns; });
  visit(Column{"spread", ""}, [](auto& m) -> auto& { return m.spread; });
  visit(Column{"relative_l2", ""}, [](auto& m) -> auto& { return m.relative_l2; });
  visit(Column{"worst_factor", ""}, [](auto& m) -> auto& { return m.worst_factor; });
  visit(Column{"reference_before_ns", "ns"}, [](auto& m) -> auto& { return m.health.reference_before_ns; });
  visit(Column{"reference_after_ns", "ns"}, [](auto& m) -> auto& { return m.health.reference_after_ns; });
  visit(Column{"temperature_celsius", "C"}, [](auto& m) -> auto& { return m.health.temperature_celsius; });
  visit(Column{"frequency_mhz", "MHz"}, [](auto& m) -> auto& { return m.health.frequency_mhz; });
  visit(Column{.name = "peak_memory_bytes", .unit = "B", .by_name = true},
        [](auto& m) -> auto& { return m.health.peak_memory_bytes; });
}

/// The sampling loop's parameters; see measure/sampling.h.
struct SamplingParameters {
  int min_samples = 5, max_samples = 20;
  /// Stop early once the median is known as well as `min_samples` with an interquartile range of this part of
  /// it know it: its error falls with the root of the number, so more samples may spread by that much more.
  double target_spread = 0.03;
  std::chrono::milliseconds budget{100};  ///< stop after this once min_samples are there
  double race_factor = 1.25;              ///< raced_out after 2 samples if both are slower than best * this
  /// Stop if even the fastest of min_samples is slower than best * this, of fewer by more, of more by less:
  /// how much slower decides nothing. 0: never.
  double out_factor = 1.02;
};

}  // namespace hone
