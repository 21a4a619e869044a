// Texts and statistics of measurements.
#include "measure/measurement.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace hone {
namespace {

constexpr std::array<std::string_view, static_cast<size_t>(last_measure_status) + 1> status_texts = {
    "ok",      "raced_out",     "build_error",  "build_timeout", "load_error",      "run_timeout",
    "crashed", "out_of_memory", "wrong_answer", "board_lost",    "board_unhealthy", "implausible_time"};

/// Quantile by linear interpolation between the ordered samples.
double quantile(const std::vector<double>& ordered, double q) {
  double position = q * static_cast<double>(ordered.size() - 1);
  size_t below = static_cast<size_t>(position);
  size_t above = std::min(below + 1, ordered.size() - 1);
  return ordered[below] + (ordered[above] - ordered[below]) * (position - static_cast<double>(below));
}

}  // namespace

std::string_view to_text(MeasureStatus status) {
  auto index = static_cast<size_t>(status);
  HONE_CHECK(index < status_texts.size());
  return status_texts[index];
}

Result<MeasureStatus> parse_measure_status(std::string_view text) {
  for (size_t i = 0; i < status_texts.size(); ++i)
    if (status_texts[i] == text) return static_cast<MeasureStatus>(i);
  return fail("'" + std::string(text.substr(0, 40)) + "' is no status of a measurement");
}

bool is_candidates_fault(MeasureStatus status) {
  switch (status) {
    case MeasureStatus::build_error:
    case MeasureStatus::build_timeout:
    case MeasureStatus::load_error:
    case MeasureStatus::run_timeout:
    case MeasureStatus::crashed:
    case MeasureStatus::out_of_memory:
    case MeasureStatus::wrong_answer:
    case MeasureStatus::implausible_time:
      return true;
    default:
      return false;
  }
}

std::string_view to_text(TimingMode mode) { return mode == TimingMode::llc ? "llc" : "dram"; }

Result<TimingMode> parse_timing_mode(std::string_view text) {
  if (text == "llc") return TimingMode::llc;
  if (text == "dram") return TimingMode::dram;
  return fail("'" + std::string(text.substr(0, 40)) + "' is no timing mode", "", "llc or dram");
}

void summarise(Measurement& measurement) {
  measurement.median_ns = measurement.spread = 0;
  if (measurement.samples_ns.empty()) return;
  std::vector<double> ordered = measurement.samples_ns;
  std::sort(ordered.begin(), ordered.end());
  measurement.median_ns = quantile(ordered, 0.5);
  if (measurement.median_ns > 0)
    measurement.spread = (quantile(ordered, 0.75) - quantile(ordered, 0.25)) / measurement.median_ns;
}

}  // namespace hone
