#include "devices/simulated_device.h"

#include <charconv>
#include <chrono>
#include <cmath>
#include <sstream>

#include "codegen/base/digest.h"
#include "codegen/base/generator.h"
#include "measure/sampling.h"

namespace hone {
namespace {

constexpr std::string_view self_scripted = "hone-simulated ";

Result<double> parse_number(const std::string& text) {
  double value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value) || value < 0)
    return fail("'" + text + "' is no number of at least 0");
  return value;
}

/// "12345" or the name of a status.
Result<std::variant<double, MeasureStatus>> parse_outcome(const std::string& text) {
  if (auto number = parse_number(text)) return *number;
  HONE_TRY(MeasureStatus status, parse_measure_status(text));
  return status;
}

Result<ScriptedFault> parse_board_fault(const std::string& what, const std::string& value) {
  static constexpr std::pair<std::string_view, BoardFault> names[] = {{"reboot", BoardFault::reboot},
                                                                      {"silent", BoardFault::silent},
                                                                      {"frozen", BoardFault::frozen},
                                                                      {"slow", BoardFault::slow},
                                                                      {"leave", BoardFault::leave}};
  for (const auto& [name, fault] : names)
    if (what == name) {
      ScriptedFault scripted;
      scripted.what = fault;
      HONE_TRY(scripted.value, parse_number(value));
      return scripted;
    }
  return fail("'" + what + "' does not happen to boards", "", "reboot, silent, frozen, slow or leave");
}

Status parse_line(const std::string& line, SimulationScript& script) {
  std::istringstream words(line);
  std::string key, first, second, extra;
  if (!(words >> key)) return {};
  words >> first >> second;
  auto needs = [&](bool there) -> Status {
    if (!there || (words >> extra)) return fail("'" + key + "' has the wrong number of values");
    return {};
  };
  if (key == "seed") {
    HONE_RETURN_IF_ERROR(needs(!first.empty() && second.empty()));
    HONE_TRY(double value, parse_number(first));
    script.seed = static_cast<uint64_t>(value);
  } else if (key == "time_ns") {
    HONE_RETURN_IF_ERROR(needs(!second.empty()));
    HONE_TRY(script.least_ns, parse_number(first));
    HONE_TRY(script.most_ns, parse_number(second));
    if (script.least_ns <= 0 || script.most_ns < script.least_ns)
      return fail("'time_ns' needs 0 < least <= most");
  } else if (key == "noise") {
    HONE_RETURN_IF_ERROR(needs(!first.empty() && second.empty()));
    HONE_TRY(script.noise, parse_number(first));
  } else if (key == "fault") {
    HONE_RETURN_IF_ERROR(needs(!second.empty()));
    HONE_TRY(MeasureStatus status, parse_measure_status(first));
    HONE_TRY(double part, parse_number(second));
    script.faults.emplace_back(status, part);
  } else if (key == "artifact") {
    HONE_RETURN_IF_ERROR(needs(!second.empty()));
    HONE_TRY(auto outcome, parse_outcome(second));
    HONE_TRY(const Digest artifact, parse_digest(first));
    script.artifacts[artifact] = outcome;
  } else if (key == "speed") {
    HONE_RETURN_IF_ERROR(needs(!second.empty()));
    HONE_TRY(script.fastest, parse_number(first));
    HONE_TRY(script.slowest, parse_number(second));
    if (script.fastest <= 0 || script.slowest < script.fastest)
      return fail("'speed' needs 0 < least <= most");
  } else if (key == "samples") {
    HONE_RETURN_IF_ERROR(needs(!first.empty() && second.empty()));
    HONE_TRY(const double count, parse_number(first));
    script.samples = static_cast<int>(std::min(count, 1000.0));
  } else if (key == "model") {
    HONE_RETURN_IF_ERROR(needs(!first.empty() && second.empty()));
    script.model = first;
  } else if (key == "pace") {
    HONE_RETURN_IF_ERROR(needs(!first.empty() && second.empty()));
    HONE_TRY(script.pace, parse_number(first));
  } else if (key == "at" || key == "often") {
    std::string third;
    HONE_RETURN_IF_ERROR(needs(static_cast<bool>(words >> third)));
    HONE_TRY(ScriptedFault fault, parse_board_fault(second, third));
    HONE_TRY(const double when, parse_number(first));
    if (key == "often") {
      if (fault.what == BoardFault::slow || fault.what == BoardFault::leave)
        return fail("'" + second + "' does not come back: it can only be scripted with 'at'");
      fault.per_second = when;
    } else {
      fault.at = std::chrono::milliseconds(static_cast<int64_t>(when));
    }
    script.board_faults.push_back(fault);
  } else {
    return fail("'" + key + "' is no setting", "",
                "seed, model, time_ns, noise, fault, artifact, speed, samples, pace, at or often");
  }
  return {};
}

/// In [0, 1), by name and counter.
double uniform(const std::string& name, uint64_t i) { return generated_value(fnv1a64(name), i, 0, 1); }

std::variant<double, MeasureStatus> outcome_of(const SimulationScript& script, const Digest& digest,
                                               std::span<const std::byte> artifact) {
  std::string_view text(reinterpret_cast<const char*>(artifact.data()), artifact.size());
  if (text.starts_with(self_scripted)) {
    text.remove_prefix(self_scripted.size());
    text = text.substr(0, text.find_first_of(" \n"));
    if (auto outcome = parse_outcome(std::string(text))) return *outcome;
    return MeasureStatus::load_error;
  }
  if (auto it = script.artifacts.find(digest); it != script.artifacts.end()) return it->second;
  const std::string name = std::to_string(script.seed) + "/" + digest.hex();
  double fault = uniform(name + "/fault", 0);
  for (auto& [status, part] : script.faults) {
    if (fault < part) return status;
    fault -= part;
  }
  return script.least_ns * std::pow(script.most_ns / script.least_ns, uniform(name + "/time", 0));
}

}  // namespace

Result<SimulationScript> parse_simulation_script(std::string_view text) {
  SimulationScript script;
  int number = 0;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    ++number;
    line = line.substr(0, line.find('#'));
    if (auto status = parse_line(line, script); !status) {
      Error error = status.error();
      error.where = "simulation script, line " + std::to_string(number);
      return pass(std::move(error));
    }
  }
  return script;
}

SimulatedDevice::SimulatedDevice(SimulationScript script, uint64_t number)
    : script_(std::move(script)), number_(number) {
  const std::string name = std::to_string(script_.seed) + "/" + std::to_string(number_) + "/speed";
  factor_ = script_.fastest * std::pow(script_.slowest / script_.fastest, uniform(name, 0));
}

Board SimulatedDevice::board() const {
  static const Target target = probe_board().target;
  Board board;
  board.model = script_.model;
  board.id = "simulated-" + std::to_string(script_.seed);
  if (script_.model != SimulationScript{}.model) board.id += "-" + script_.model;  // no machine has two models
  if (number_ != 0) board.id += "-" + std::to_string(number_);
  board.kernel = "simulated";
  board.boot_id = boots_ == 0 ? "simulated" : "simulated-" + std::to_string(boots_);
  board.cores = 1;
  board.memory_bytes = int64_t{1} << 30;
  board.l1d_bytes = 32 << 10;
  board.l2_bytes = 1 << 20;
  board.llc_bytes = 16 << 20;
  board.target = target;
  return board;
}

wire::HealthReport SimulatedDevice::check(std::chrono::milliseconds) {
  wire::HealthReport report;
  const Health now = health();
  report.ok = true;
  report.reference_ns = now.reference_before_ns;
  report.temperature_celsius = now.temperature_celsius;
  report.frequency_mhz = now.frequency_mhz;
  return report;
}

Health SimulatedDevice::health() const { return {200e3 * factor_, 200e3 * factor_, 40, 2000 / factor_}; }

DeviceResult SimulatedDevice::measure(const wire::MeasureRequest& request,
                                      std::span<const std::byte> artifact, std::span<const std::byte>) {
  DeviceResult result;
  Measurement& m = result.measurement;
  m.threads = static_cast<int>(request.threads);
  m.mode = request.mode;
  m.health = health();
  auto outcome = outcome_of(script_, request.artifact, artifact);
  if (auto* status = std::get_if<MeasureStatus>(&outcome); status && *status != MeasureStatus::ok) {
    m.status = *status;
    m.message = "simulated " + std::string(to_text(*status));
    return result;
  }
  const double time_ns =
      factor_ * (std::holds_alternative<double>(outcome) ? std::get<double>(outcome) : script_.least_ns);
  const uint64_t seed = fnv1a64(std::to_string(script_.seed) + "/" + request.id.hex() + "/noise");
  SamplingParameters sampling = request.sampling;
  sampling.min_samples = std::max(sampling.min_samples, script_.samples);
  sampling.max_samples = std::max(sampling.max_samples, sampling.min_samples);
  double clock_ns = 0;
  uint64_t counter = 0;
  Samples samples = take_samples(
      sampling, request.best_ns, [&] { return std::chrono::nanoseconds(static_cast<int64_t>(clock_ns)); },
      [&] {
        double normal =
            0;  // sum of uniforms: the shape matters little, the absence of std::normal_distribution does
        for (int i = 0; i < 12; ++i) normal += generated_value(seed, counter++, 0, 1);
        double sample = time_ns * (1 + script_.noise * std::abs(normal - 6));
        clock_ns += sample;
        return sample;
      });
  m.samples_ns = std::move(samples.ns);
  m.status = samples.raced_out ? MeasureStatus::raced_out : MeasureStatus::ok;
  m.message = std::move(samples.message);
  m.relative_l2 = 1e-7;
  m.worst_factor = 1;
  summarise(m);
  result.check_ms = 1;
  result.run_ms = clock_ns / 1e6;
  return result;
}

}  // namespace hone
