// A board that computes its times instead of measuring them: for tests of everything around a board, faults
// included. A production class (`hone-runner --simulate`): same answers for the same seed, on any machine.
//
// Its script is text, one setting a line, '#' begins a comment:
//   seed 7                      everything below is drawn by this
//   model rack-a                what the boards say they are; default: simulated
//   time_ns 20000 400000        range that artifacts' times are drawn from (by their digest)
//   noise 0.02                  each sample is the time * (1 + noise * |normal|)
//   fault crashed 0.01          part of the artifacts (by their digest) that end in this status; repeatable
//   artifact DIGEST 12345       this artifact takes 12345 ns
//   artifact DIGEST crashed     this artifact ends in this status
//   speed 0.5 2                 each board's times are multiplied by a factor of its own in this range
//   samples 10                  at least so many samples, whatever is asked for
//   pace 0.1                    how long a measurement takes, as part of what it would take; 0: no time
//   at 2000 reboot 300          2 s after it starts a board forgets all, is gone for 300 ms, has a new boot
//   id at 2000 silent 300          ... its messages are lost, both ways, for 300 ms at 2000 frozen 300 ... it
//   does nothing for 300 ms (stopped, not dead) at 2000 slow 1.5            ... its times grow by half from
//   then on (throttled) at 2000 leave 0             ... it is gone for good often 0.1 reboot 300        the
//   same at random, 0.1 times a second (reboot, silent, frozen)
// pace, at and often are of boards (`--boards N`), the rest of devices alone too. An artifact may also script
// itself: bytes that begin with "hone-simulated " and continue with "12345" or a status.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "devices/device.h"

namespace hone {

/// What happens to a simulated board.
enum class BoardFault : uint8_t { reboot, silent, frozen, slow, leave };
struct ScriptedFault {
  BoardFault what = BoardFault::reboot;
  std::chrono::milliseconds at{0};  ///< after the board's start; of a random one: unused
  double per_second = 0;            ///< of a random one: how often
  double value = 0;                 ///< ms that it lasts, or the factor of `slow`
};

struct SimulationScript {
  uint64_t seed = 1;
  std::string model = "simulated";
  double least_ns = 20e3, most_ns = 400e3;
  double noise = 0.01;
  std::vector<std::pair<MeasureStatus, double>> faults;
  std::map<Digest, std::variant<double, MeasureStatus>> artifacts;
  double slowest = 1, fastest = 1;  ///< range of the boards' own factors
  int samples = 0;
  double pace = 0;
  std::vector<ScriptedFault> board_faults;
};
/// Errors name the line.
Result<SimulationScript> parse_simulation_script(std::string_view text);

class SimulatedDevice : public Device {
 public:
  /// Boards of one script differ by their number: in name, speed and noise, not in what artifacts do.
  explicit SimulatedDevice(SimulationScript script, uint64_t number = 0);
  Board board() const override;
  DeviceFacts facts() const override { return {.os = "simulated"}; }
  wire::HealthReport check(std::chrono::milliseconds deadline) override;
  Health health() const override;
  DeviceResult measure(const wire::MeasureRequest& request, std::span<const std::byte> artifact,
                       std::span<const std::byte> reference) override;
  void cancel() override {}  // it is never long
  void reboot() { ++boots_; }
  void slow_down(double factor) { factor_ *= factor; }

 private:
  SimulationScript script_;
  uint64_t number_, boots_ = 0;
  double factor_;
};

}  // namespace hone
