// Builders that crash, hang or are missing: each costs one request. Small shell scripts stand in for the
// compiler.
#include "tuner/worker/builder_pool.h"

#include <gmock/gmock.h>
#include <poll.h>
#include <sched.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace hone {
namespace {

using Clock = std::chrono::steady_clock;

std::string script(const std::string& name, const std::string& body) {
  const std::string file = testing::TempDir() + "/hone-builder-" + name + ".sh";
  std::ofstream(file) << "#!/bin/sh\n" << body << "\n";
  chmod(file.c_str(), 0700);
  return file;
}

/// Waits on the pool's own descriptors and deadlines until `count` answers are there.
std::vector<BuilderAnswer> answers_of(BuilderPool& pool, size_t count) {
  std::vector<BuilderAnswer> all;
  const auto give_up = Clock::now() + std::chrono::seconds(20);
  while (all.size() < count && Clock::now() < give_up) {
    for (BuilderAnswer& answer : pool.poll(Clock::now())) all.push_back(std::move(answer));
    std::vector<pollfd> wait;
    for (const int fd : pool.descriptors()) wait.push_back({fd, POLLIN, 0});
    const auto until = std::min(pool.deadline().value_or(Clock::now()), give_up) - Clock::now();
    if (all.size() < count && !wait.empty()) {
      poll(wait.data(), wait.size(),
           static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(until).count()) + 1);
    }
  }
  return all;
}

PipeFrame request() { return {wire::Built{}, {}}; }

TEST(BuilderPool, ACrashIsAnAnswerWithTheCompilersLastWords) {
  BuilderPool pool({.program = script("crash", "echo 'LLVM ERROR: Cannot select' >&2; kill -ABRT $$")});
  const uint64_t ticket = pool.submit(request());
  const auto answers = answers_of(pool, 1);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].ticket, ticket);
  EXPECT_EQ(answers[0].status, MeasureStatus::build_error);
  EXPECT_THAT(answers[0].message, testing::HasSubstr("crashed"));
  EXPECT_THAT(answers[0].message, testing::HasSubstr("LLVM ERROR: Cannot select"));
}

TEST(BuilderPool, AnEndlessCompilationIsABuildTimeout) {
  BuilderPool pool(
      {.program = script("hang", "exec sleep 1000"), .build_timeout = std::chrono::milliseconds(50)});
  pool.submit(request());
  const auto answers = answers_of(pool, 1);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].status, MeasureStatus::build_timeout);
}

TEST(BuilderPool, EveryRequestIsAnsweredThoughEveryBuilderDies) {
  BuilderPool pool({.program = script("die", "exit 3"), .processes = 2});
  for (int i = 0; i < 5; ++i) pool.submit(request());
  EXPECT_EQ(answers_of(pool, 5).size(), 5u);
}

TEST(BuilderPool, AMissingProgramIsABuildError) {
  BuilderPool pool({.program = "/nowhere/hone-tuner"});
  pool.submit(request());
  const auto answers = answers_of(pool, 1);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].status, MeasureStatus::build_error);
}

int a_usable_core() {
  cpu_set_t set;
  EXPECT_EQ(sched_getaffinity(0, sizeof set, &set), 0);
  int core = 0;
  while (!CPU_ISSET(static_cast<size_t>(core), &set)) ++core;
  return core;
}

TEST(BuilderPool, ABuilderOnAnIdleCoreGivesWayToAllOthers) {
  BuilderPool pool({.program = script("policy", "chrt -p $$ >&2; taskset -cp $$ >&2; exit 3"),
                    .processes = 0,
                    .idle_cores = {a_usable_core()}});
  pool.submit(request());
  const auto answers = answers_of(pool, 1);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_THAT(answers[0].message, testing::HasSubstr("SCHED_IDLE"));
  EXPECT_THAT(answers[0].message,
              testing::HasSubstr("affinity list: " + std::to_string(a_usable_core()) + ")"));
}

TEST(BuilderPool, ABuilderOnAnIdleCoreTakesNoRounds) {
  BuilderPool pool(
      {.program = script("none", "exit 3"), .processes = 0, .idle_cores = {a_usable_core()}});
  pool.submit({wire::Want{}, {}});
  EXPECT_TRUE(pool.poll(Clock::now()).empty());
  EXPECT_TRUE(pool.descriptors().empty());
}

TEST(BuilderPool, WhatStarvesOnABusyCoreIsBuiltByAnotherAndNotItsFault) {
  BuilderPool pool({.program = script("starved", "chrt -p $$ | grep -q SCHED_IDLE && exec sleep 1000; exit 3"),
                    .processes = 1,
                    .idle_cores = {a_usable_core()},
                    .build_timeout = std::chrono::milliseconds(300)});
  for (int i = 0; i < 2; ++i) pool.submit(request());
  const auto answers = answers_of(pool, 2);
  ASSERT_EQ(answers.size(), 2u);
  for (const BuilderAnswer& answer : answers)
    EXPECT_THAT(answer.message, testing::HasSubstr("exit code 3")) << "by the builder on a core of its own";
}

TEST(BuilderPool, ACancelledRequestIsNeverAnswered) {
  BuilderPool pool({.program = script("hang", "exec sleep 1000")});
  const uint64_t running = pool.submit(request()), queued = pool.submit(request());
  pool.poll(Clock::now());
  pool.cancel(running);
  pool.cancel(queued);
  EXPECT_TRUE(pool.descriptors().empty());
  EXPECT_TRUE(pool.poll(Clock::now()).empty());
}

}  // namespace
}  // namespace hone
