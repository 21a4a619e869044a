// What a candidate is compared with: seeds that nobody knows, references that are looked at.
#include "devices/references.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cmath>
#include <set>

#include "devices/secrets.h"

namespace hone {
namespace {

using testing::HasSubstr;

TEST(Seeds, DifferByTaskByPurposeAndByRunner) {
  Seeds one, other;
  std::set<std::string> seeds;
  for (Seeds* drawn : {&one, &other})
    for (const char* task : {"a", "b"})
      for (const char* purpose : {"search", "finals"})
        EXPECT_TRUE(seeds.insert(drawn->next(digest_of(task), purpose)).second);
}

TEST(Seeds, AreTheSameForAWhileAndThenReplaced) {
  Seeds seeds;
  const std::string first = seeds.next(digest_of("task"), "search");
  for (int use = 1; use < Seeds::most_uses; ++use)
    ASSERT_EQ(seeds.next(digest_of("task"), "search"), first) << use;
  const std::string second = seeds.next(digest_of("task"), "search");
  EXPECT_NE(second, first);
  EXPECT_EQ(seeds.next(digest_of("task"), "search"), second);
}

TEST(Pages, HiddenOnesAreInNoChild) {
  Pages hidden(Pages::Kind::hidden, 100), shared(Pages::Kind::shared, 100);
  const pid_t child = ::fork();
  if (child == 0) {
    *const_cast<volatile std::byte*>(shared.data()) = std::byte{1};
    *const_cast<volatile std::byte*>(hidden.data()) = std::byte{1};
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(!WIFEXITED(status) || WEXITSTATUS(status) != 0) << "it could write there";
  EXPECT_EQ(*shared.data(), std::byte{1});
  EXPECT_EQ(*hidden.data(), std::byte{0});
}

class SpotCheck : public testing::Test {
 protected:
  static constexpr int64_t elements = 64;
  SpotCheck()
      : oracle(*Oracle::create("task v1\n%x = input f32[1x64]\n%w = constant f32[64x64]\n"
                               "%y = dense %x %w {transpose_b=1}\noutput %y\n")) {
    const Oracle::Source data = test_data(oracle, seed);
    for (int64_t i = 0; i < elements; ++i) {
      const auto right = oracle.element(i, data);
      output.value.push_back(right->value);
      output.magnitude.push_back(right->magnitude);
    }
  }
  const std::string seed = "seed";
  Oracle oracle;
  ReferenceOutput output;
};

TEST_F(SpotCheck, WhatTheTaskSaysPasses) { EXPECT_TRUE(spot_check(oracle, seed, output)); }

TEST_F(SpotCheck, OtherDataOtherAnswers) {
  EXPECT_THAT(spot_check(oracle, "another", output).error().text(), HasSubstr("the reference is not its task's"));
}

TEST_F(SpotCheck, ValuesAndMagnitudesAreLookedAt) {
  ReferenceOutput forged = output;
  for (double& value : forged.value) value *= 1 + 1e-6;
  EXPECT_THAT(spot_check(oracle, seed, forged).error().text(), HasSubstr("by the task's text"));
  forged = output;
  for (double& magnitude : forged.magnitude) magnitude *= 1.001;
  EXPECT_THAT(spot_check(oracle, seed, forged).error().text(), HasSubstr("the magnitude of element "));
  forged = output;
  for (double& value : forged.value) value = std::nan("");
  EXPECT_FALSE(spot_check(oracle, seed, forged));
}

TEST_F(SpotCheck, AnotherNumberOfElementsIsNotTheTasks) {
  output.value.pop_back(), output.magnitude.pop_back();
  EXPECT_THAT(spot_check(oracle, seed, output).error().text(), HasSubstr("has 63 elements, its task 64"));
}

}  // namespace
}  // namespace hone
