// The sampling loop under a scripted clock and scripted samples.
#include "measure/sampling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hone {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

/// Gives the scripted samples in turn (the last one again and again); each advances the clock by its own
/// time.
struct Script {
  std::vector<double> samples;
  nanoseconds clock{0};
  int taken = 0;

  Samples run(const SamplingParameters& parameters, double best_ns = 0) {
    return take_samples(
        parameters, best_ns, [this] { return clock; },
        [this] {
          double ns = samples[std::min<size_t>(static_cast<size_t>(taken++), samples.size() - 1)];
          clock += nanoseconds(static_cast<int64_t>(ns));
          return ns;
        });
  }
};

TEST(Sampling, ASteadyKernelGetsTheLeastNumberOfSamples) {
  Script script{{1000}};
  EXPECT_EQ(script.run({}).ns.size(), 5u);
}

TEST(Sampling, ANoisyKernelGetsTheMost) {
  Script script;
  for (int i = 0; i < 20; ++i) script.samples.push_back(i % 2 ? 1000 : 2000);
  auto samples = script.run({});
  EXPECT_EQ(samples.ns.size(), 20u);
  EXPECT_EQ(samples.ns, script.samples);
}

TEST(Sampling, NoiseThatSettlesEndsEarly) {
  Script script{{3000, 2000, 1000}};
  size_t taken = script.run({}).ns.size();
  EXPECT_GT(taken, 5u);
  EXPECT_LT(taken, 20u);
}

TEST(Sampling, ASlowNoisyKernelStopsWhenTheBudgetIsOver) {
  SamplingParameters parameters;
  parameters.budget = milliseconds(100);
  Script script;
  for (int i = 0; i < 20; ++i) script.samples.push_back(i % 2 ? 15e6 : 10e6);
  EXPECT_EQ(script.run(parameters).ns.size(), 8u);  // 10 + 15 + ... ms reach 100 with the eighth
}

TEST(Sampling, TheBudgetNeverCutsBelowTheLeast) {
  Script script{{1e9, 2e9}};
  EXPECT_EQ(script.run({}).ns.size(), 5u);
}

TEST(Sampling, AClearlySlowerKernelIsRacedOutAfterTwoSamples) {
  Script script{{1600, 1700}};
  auto samples = script.run({}, 1000);
  EXPECT_TRUE(samples.raced_out);
  EXPECT_EQ(samples.ns.size(), 2u);
  EXPECT_THAT(samples.message, testing::HasSubstr("1.60 times the best (1 us)"));
}

TEST(Sampling, OneSlowSampleDoesNotLoseTheRace) {
  Script script{{9000, 1100}};
  EXPECT_FALSE(script.run({}, 1000).raced_out);
}

TEST(Sampling, WithoutABestThereIsNoRace) {
  Script script{{1e6}};
  EXPECT_FALSE(script.run({}, 0).raced_out);
}

TEST(Sampling, WithoutAFactorThereIsNoRace) {
  SamplingParameters parameters;
  parameters.race_factor = 0;
  Script script{{1600}};
  EXPECT_FALSE(script.run(parameters, 1000).raced_out);
}

TEST(Sampling, ANoisyKernelThatIsSlowerInEverySampleGetsTheLeastNumberAndKeepsItsTime) {
  Script script;
  for (int i = 0; i < 20; ++i) script.samples.push_back(i % 2 ? 1030 : 1200);
  auto samples = script.run({}, 1000);
  EXPECT_FALSE(samples.raced_out);
  EXPECT_EQ(samples.ns.size(), 5u);
}

TEST(Sampling, TheSlowerEverySampleIsTheFewerAreTaken) {
  // 2 % over the best for 5 samples is 12.5 % for 2, 5.6 % for 3 and 3.1 % for 4, and 0.9 % for 7.
  const auto taken = [](double slower) {
    Script script;
    for (int i = 0; i < 20; ++i) script.samples.push_back(i % 2 ? 1000 * slower : 1200 * slower);
    auto samples = script.run({}, 1000);
    EXPECT_FALSE(samples.raced_out);
    return samples.ns.size();
  };
  EXPECT_EQ(taken(1.13), 2u);
  EXPECT_EQ(taken(1.06), 3u);
  EXPECT_EQ(taken(1.035), 4u);
  EXPECT_EQ(taken(1.025), 5u);
  EXPECT_EQ(taken(1.0105), 7u);
}

TEST(Sampling, ANoisyKernelThatWasOnceAsFastAsTheBestIsNotOut) {
  Script script;
  for (int i = 0; i < 20; ++i) script.samples.push_back(i == 3 ? 1000 : i % 2 ? 1030 : 1200);
  EXPECT_EQ(script.run({}, 1000).ns.size(), 20u);
  SamplingParameters never;
  never.out_factor = 0;
  script.samples[3] = 1030;
  script.taken = 0;
  EXPECT_EQ(script.run(never, 1000).ns.size(), 20u);
}

TEST(Sampling, MoreSamplesMaySpreadMoreForTheSameError) {
  // An interquartile range of 4 % of the median: too much for 5 samples, as good as 3 % of 5 for 9.
  Script script;
  for (int i = 0; i < 20; ++i) script.samples.push_back(i % 2 ? 1040 : 1000);
  const size_t taken = script.run({}).ns.size();
  EXPECT_EQ(taken, 9u);
  SamplingParameters strict;
  strict.target_spread = 0.015;
  script.taken = 0;
  EXPECT_EQ(script.run(strict).ns.size(), 20u);
}

TEST(Sampling, SenselessParametersStillGiveASample) {
  SamplingParameters parameters;
  parameters.min_samples = parameters.max_samples = 0;
  Script script{{1000}};
  EXPECT_EQ(script.run(parameters).ns.size(), 1u);
}

}  // namespace
}  // namespace hone
