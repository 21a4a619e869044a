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
    script.artifacts[first] = outcome;
  } else {
    return fail("'" + key + "' is no setting", "", "seed, time_ns, noise, fault or artifact");
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
  const std::string name = std::to_string(script.seed) + "/" + digest;
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

SimulatedDevice::SimulatedDevice(SimulationScript script) : script_(std::move(script)) {}

Board SimulatedDevice::board() const {
  Board board;
  board.model = "simulated";
  board.id = "simulated-" + std::to_string(script_.seed);
  board.boot_id = board.kernel = "simulated";
  board.cores = 1;
  board.memory_bytes = int64_t{1} << 30;
  board.l1d_bytes = 32 << 10;
  board.l2_bytes = 1 << 20;
  board.llc_bytes = 16 << 20;
  board.target = probe_board().target;
  return board;
}

Health SimulatedDevice::health() const { return {200e3, 200e3, 40, 2000}; }

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
      std::holds_alternative<double>(outcome) ? std::get<double>(outcome) : script_.least_ns;
  const std::string name = std::to_string(script_.seed) + "/" + request.id + "/noise";
  double clock_ns = 0;
  uint64_t counter = 0;
  Samples samples = take_samples(
      request.sampling, request.best_ns,
      [&] { return std::chrono::nanoseconds(static_cast<int64_t>(clock_ns)); },
      [&] {
        double normal =
            0;  // sum of uniforms: the shape matters little, the absence of std::normal_distribution does
        for (int i = 0; i < 12; ++i) normal += uniform(name, counter++);
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
