// The verifier of programs: each thing it promises, broken once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "codegen/loop/loop.h"
#include "tests/support/samples.h"

namespace hone {
namespace {

using testing::HasSubstr;

struct Lowered {
  loop::Program program;
  loop::Phase& phase() { return program.phases[0]; }
  loop::Loop& loop() { return phase().body[0].loop[0]; }
  loop::Tile& tile() { return loop().body[0].tile[0]; }
};

/// phase parallel r: for o: tile t, vector v
Lowered lowered() {
  Computation c = test::elementwise(3, 16);
  Schedule schedule =
      *parse_schedule("split w 8 -> o i; split i 4 -> t v; register_tile t; vectorize v; parallel r");
  return {loop::lower(c, schedule).value()};
}

std::string problem(const loop::Program& program) {
  Status status = loop::verify(program);
  return status ? "" : status.error().text();
}

TEST(VerifyProgram, LoweredProgramsPass) { EXPECT_EQ(problem(lowered().program), ""); }

TEST(VerifyProgram, OffsetsPastTheBufferAreFound) {
  Lowered l = lowered();
  l.tile().store.offset = l.tile().store.offset + 1;
  EXPECT_THAT(problem(l.program), HasSubstr("reaches 1 to 48, but the buffer holds 48 elements"));
  l = lowered();
  l.tile().accesses[0].offset = l.tile().accesses[0].offset - 1;
  EXPECT_THAT(problem(l.program), HasSubstr("phase 0, tile of stage add: x["));
}

TEST(VerifyProgram, GuardedOffsetsAreCheckedInsideTheirGuards) {
  Lowered l = lowered();
  loop::Access& access = l.tile().accesses[0];
  Index row = Index::axis("r");
  access.offset = access.offset + 16;
  access.guards = {{row, 0, 2}};
  EXPECT_EQ(problem(l.program), "");
  access.guards = {{row, 0, 3}};
  EXPECT_THAT(problem(l.program), HasSubstr("inside its guards"));
}

TEST(VerifyProgram, VariablesAreDefinedOnceAndInScope) {
  Lowered l = lowered();
  l.loop().variable = "r";
  EXPECT_THAT(problem(l.program), HasSubstr("variable r is defined twice in its scope"));
  l = lowered();
  l.tile().store.offset = Index::axis("q");
  EXPECT_THAT(problem(l.program), HasSubstr("q uses variable q, which is not in scope"));
}

TEST(VerifyProgram, ParallelIterationsMustNotStoreToOneElement) {
  Lowered l = lowered();
  l.tile().store.offset = Index::axis("o") * 8 + Index::axis("t") * 4 + Index::axis("v");
  EXPECT_THAT(problem(l.program), HasSubstr("every iteration of parallel r stores to y["));
}

TEST(VerifyProgram, TilesAreWellFormed) {
  Lowered l = lowered();
  l.tile().copies[0].extent = 2000;
  EXPECT_THAT(problem(l.program), HasSubstr("has 2000 copies; at most 1024"));
  l = lowered();
  l.tile().active_lanes = 5;
  EXPECT_THAT(problem(l.program), HasSubstr("5 of 4 lanes are active"));
  l = lowered();
  l.tile().reduce.push_back({"k", 3, 1});
  EXPECT_THAT(problem(l.program), HasSubstr("has reduce loops without an update"));
  l = lowered();
  l.tile().accesses.clear();
  EXPECT_THAT(problem(l.program), HasSubstr("reads an access that the tile does not have"));
  l = lowered();
  l.tile().value = scalar::accumulator();
  EXPECT_THAT(problem(l.program), HasSubstr("reads an accumulator where there is none"));
}

TEST(VerifyProgram, ExtentsAndStatementsAreWellFormed) {
  Lowered l = lowered();
  l.phase().extent = 4;
  EXPECT_THAT(problem(l.program), HasSubstr("phase 0: its parallel loops make 3, its extent is 4"));
  l = lowered();
  l.loop().extent = 0;
  EXPECT_THAT(problem(l.program), HasSubstr("loop o has extent 0"));
  l = lowered();
  l.phase().body.push_back({});
  EXPECT_THAT(problem(l.program), HasSubstr("a statement is neither one loop nor one tile"));
}

}  // namespace
}  // namespace hone
