// The simulated board: scripted times and faults, the same on every machine.
#include "devices/simulated_device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "codegen/base/digest.h"

namespace hone {
namespace {

using testing::HasSubstr;

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

wire::MeasureRequest request_for(std::string_view artifact) {
  wire::MeasureRequest request;
  request.artifact = digest_of(artifact);
  request.id = digest_of("id of " + std::string(artifact));
  return request;
}

Measurement measure(SimulatedDevice& device, const std::string& artifact) {
  return device.measure(request_for(artifact), bytes_of(artifact), {}).measurement;
}

TEST(SimulatedDevice, GivesTheSameSamplesForTheSameSeed) {
  SimulatedDevice one({}), two({});
  EXPECT_EQ(measure(one, "a").samples_ns, measure(two, "a").samples_ns);
  EXPECT_NE(measure(one, "a").samples_ns, measure(one, "b").samples_ns);
}

TEST(SimulatedDevice, AnotherSeedGivesOtherTimes) {
  SimulationScript script;
  script.seed = 2;
  SimulatedDevice one({}), two(script);
  EXPECT_NE(measure(one, "a").median_ns, measure(two, "a").median_ns);
}

TEST(SimulatedDevice, TimesLieInTheRangeOfTheScript) {
  auto script = parse_simulation_script("time_ns 100 200\nnoise 0");
  ASSERT_TRUE(script);
  SimulatedDevice device(*script);
  for (int i = 0; i < 50; ++i) {
    Measurement m = measure(device, "artifact " + std::to_string(i));
    EXPECT_GE(m.median_ns, 100);
    EXPECT_LE(m.median_ns, 200);
    EXPECT_EQ(m.status, MeasureStatus::ok);
    EXPECT_GE(m.samples_ns.size(), 5u);
  }
}

TEST(SimulatedDevice, FaultsComeAtTheirRateWithAMessage) {
  auto script = parse_simulation_script("fault crashed 0.2  # some\nfault run_timeout 0.1");
  ASSERT_TRUE(script);
  SimulatedDevice device(*script);
  int crashed = 0, timed_out = 0;
  for (int i = 0; i < 1000; ++i) {
    Measurement m = measure(device, "artifact " + std::to_string(i));
    crashed += m.status == MeasureStatus::crashed;
    timed_out += m.status == MeasureStatus::run_timeout;
    if (m.status != MeasureStatus::ok) {
      EXPECT_THAT(m.message, HasSubstr("simulated"));
    }
  }
  EXPECT_NEAR(crashed, 200, 60);
  EXPECT_NEAR(timed_out, 100, 45);
}

TEST(SimulatedDevice, OneArtifactCanBeScriptedByDigestOrByItself) {
  auto script = parse_simulation_script("noise 0\nartifact " + digest_of("x").hex() + " 777\nartifact " +
                                        digest_of("y").hex() + " wrong_answer");
  ASSERT_TRUE(script);
  SimulatedDevice device(*script);
  EXPECT_EQ(measure(device, "x").median_ns, 777);
  EXPECT_EQ(measure(device, "y").status, MeasureStatus::wrong_answer);
  EXPECT_EQ(measure(device, "hone-simulated 1234\nmore").median_ns, 1234);
  EXPECT_EQ(measure(device, "hone-simulated out_of_memory").status, MeasureStatus::out_of_memory);
  EXPECT_EQ(measure(device, "hone-simulated what").status, MeasureStatus::load_error);
}

TEST(SimulatedDevice, SlowArtifactsAreRacedOut) {
  SimulatedDevice device({});
  auto request = request_for("hone-simulated 5000");
  request.best_ns = 1000;
  auto result = device.measure(request, bytes_of("hone-simulated 5000"), {});
  EXPECT_EQ(result.measurement.status, MeasureStatus::raced_out);
  EXPECT_EQ(result.measurement.samples_ns.size(), 2u);
}

TEST(SimulationScript, MistakesNameTheLine) {
  EXPECT_THAT(parse_simulation_script("seed 1\nspede 9").error().text(),
              HasSubstr("line 2: 'spede' is no setting"));
  EXPECT_THAT(parse_simulation_script("speed 9").error().text(), HasSubstr("'speed' has the wrong number"));
  EXPECT_THAT(parse_simulation_script("speed 2 1").error().text(), HasSubstr("0 < least <= most"));
  EXPECT_THAT(parse_simulation_script("at 5 explode 1").error().text(),
              HasSubstr("'explode' does not happen"));
  EXPECT_THAT(parse_simulation_script("often 1 leave 0").error().text(),
              HasSubstr("only be scripted with 'at'"));
  EXPECT_THAT(parse_simulation_script("at 5 reboot").error().text(), HasSubstr("wrong number of values"));
  EXPECT_THAT(parse_simulation_script("noise").error().text(),
              HasSubstr("line 1: 'noise' has the wrong number of values"));
  EXPECT_THAT(parse_simulation_script("time_ns 5 2").error().text(), HasSubstr("0 < least <= most"));
  EXPECT_THAT(parse_simulation_script("fault slow 0.1").error().text(), HasSubstr("'slow' is no status"));
  EXPECT_THAT(parse_simulation_script("noise -1").error().text(), HasSubstr("'-1' is no number"));
  EXPECT_THAT(parse_simulation_script("seed 1 2").error().text(), HasSubstr("wrong number"));
}

}  // namespace
}  // namespace hone
