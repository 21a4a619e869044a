// A board that computes its times instead of measuring them: for tests of everything around a board, faults
// included. A production class (`hone-runner --simulate`): same answers for the same seed, on any machine.
//
// Its script is text, one setting a line, '#' begins a comment:
//   seed 7                      everything below is drawn by this
//   time_ns 20000 400000        range that artifacts' times are drawn from (by their digest)
//   noise 0.02                  each sample is the time * (1 + noise * |normal|)
//   fault crashed 0.01          part of the artifacts (by their digest) that end in this status; repeatable
//   artifact DIGEST 12345       this artifact takes 12345 ns
//   artifact DIGEST crashed     this artifact ends in this status
// An artifact may also script itself: bytes that begin with "hone-simulated " and continue with "12345" or a
// status.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "devices/device.h"

namespace hone {

struct SimulationScript {
  uint64_t seed = 1;
  double least_ns = 20e3, most_ns = 400e3;
  double noise = 0.01;
  std::vector<std::pair<MeasureStatus, double>> faults;
  std::map<Digest, std::variant<double, MeasureStatus>> artifacts;
};
/// Errors name the line.
Result<SimulationScript> parse_simulation_script(std::string_view text);

class SimulatedDevice : public Device {
 public:
  explicit SimulatedDevice(SimulationScript script);
  Board board() const override;
  Health health() const override;
  DeviceResult measure(const wire::MeasureRequest& request, std::span<const std::byte> artifact,
                       std::span<const std::byte> reference) override;
  void cancel() override {}  // it is never long

 private:
  SimulationScript script_;
};

}  // namespace hone
