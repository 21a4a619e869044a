// Features of hand-made loop nests against values worked out by hand.
#include "cost_model/features/features.h"

#include <gmock/gmock.h>

#include <cmath>
#include <map>
#include <string>

namespace hone {
namespace {

Target avx512() { return {"x86_64-linux-gnu", "generic", "", 512, 32}; }

Tensor tensor(const std::string& name, Role role, Shape shape) {
  Tensor tensor;
  tensor.name = name;
  tensor.role = role;
  tensor.type = {DType::f32, std::move(shape)};
  return tensor;
}

Index linear(const std::vector<std::pair<int64_t, std::string>>& terms) {
  Index index;
  for (const auto& [factor, axis] : terms) index = index + Index::axis(axis) * factor;
  return index;
}

loop::Statement statement(loop::Tile tile) {
  loop::Statement statement;
  statement.tile.push_back(std::move(tile));
  return statement;
}

loop::Statement statement(const std::string& variable, int64_t extent, std::vector<loop::Statement> body) {
  loop::Statement statement;
  statement.loop.push_back({variable, extent, 1, std::move(body)});
  return statement;
}

/// y[oc.b, ow, oc.v] = sum over ic of x[ow, ic] * w[oc.b, ic, oc.v]: 14 accumulators of one vector.
loop::Tile matmul_tile(int64_t columns) {
  loop::Tile tile;
  tile.stage = "dense";
  tile.copies = {{"ow.i", columns, 1}};
  tile.vector_variable = "oc.v";
  tile.lanes = tile.active_lanes = 16;
  tile.reduce = {{"ic", 64, 4}};
  tile.accesses = {{0, linear({{896, "ow.o"}, {64, "ow.i"}, {1, "ic"}}), {}, 0},
                   {1, linear({{1024, "oc.b"}, {16, "ic"}, {1, "oc.v"}}), {}, 0}};
  tile.store = {2, linear({{896, "oc.b"}, {224, "ow.o"}, {16, "ow.i"}, {1, "oc.v"}}), {}, 0};
  tile.update = scalar::binary(ScalarOp::mul, scalar::read(0, {Index(0)}), scalar::read(1, {Index(0)}));
  tile.value = scalar::accumulator();
  return tile;
}

loop::Program matmul() {
  loop::Program program;
  program.tensors = {tensor("x", Role::input, {56, 64}), tensor("w", Role::constant, {2, 64, 16}),
                     tensor("y", Role::output, {2, 56, 16})};
  for (const int64_t elements : {3584, 2048, 1792}) {
    Geometry geometry;
    geometry.elements = elements;
    program.geometries.push_back(geometry);
  }
  loop::Phase phase;
  phase.parallel = {{"oc.b", 2, 1}};
  phase.extent = 2;
  phase.body = {statement("ow.o", 4, {statement(matmul_tile(14))})};
  program.phases = {phase};
  return program;
}

std::map<std::string, float> named(const loop::Program& program, const Target& target = avx512()) {
  const std::vector<float> values = features_of(program, target);
  std::map<std::string, float> result;
  for (size_t i = 0; i < values.size(); ++i) result[std::string(feature_descriptions()[i].name)] = values[i];
  return result;
}

float log2_of(double value) { return static_cast<float>(std::log2(1 + value)); }

TEST(Features, AreAsManyAsTheirDescriptionsWhichHaveDistinctNames) {
  const auto values = named(matmul());
  EXPECT_EQ(values.size(), feature_descriptions().size());
  EXPECT_EQ(features_of(matmul(), avx512()).size(), feature_descriptions().size());
}

TEST(Features, OfARegisterTileAreItsCountsByHand) {
  const auto value = named(matmul());
  EXPECT_FLOAT_EQ(value.at("work"), log2_of(2.0 * 56 * 32 * 64));
  EXPECT_EQ(value.at("accumulators"), 14);
  EXPECT_EQ(value.at("register_share"), 14.0f / 32);
  EXPECT_EQ(value.at("copies_inner"), 14);
  EXPECT_EQ(value.at("copies_outer"), 1);
  EXPECT_EQ(value.at("vectors"), 1);
  EXPECT_EQ(value.at("lane_use"), 1);
  EXPECT_FLOAT_EQ(value.at("vector_loads"), 1.0f / 14);  // w is shared by the 14 columns
  EXPECT_EQ(value.at("broadcasts"), 1);                  // each column reads its own x
  EXPECT_EQ(value.at("gathers"), 0);
  EXPECT_EQ(value.at("contiguous_store"), 1);
  EXPECT_EQ(value.at("reduce_unroll"), 4);
  EXPECT_FLOAT_EQ(value.at("body"), log2_of((14 * 2 + 14 + 1) * 4));
}

TEST(Features, OfLoopsAreTheirExtents) {
  const auto value = named(matmul());
  EXPECT_FLOAT_EQ(value.at("reduce_points"), log2_of(64));
  EXPECT_FLOAT_EQ(value.at("reduce_0"), log2_of(64));
  EXPECT_FLOAT_EQ(value.at("reduce_1"), log2_of(1));
  EXPECT_FLOAT_EQ(value.at("outer_iterations"), log2_of(8));
  EXPECT_FLOAT_EQ(value.at("outer_0"), log2_of(4));
  EXPECT_FLOAT_EQ(value.at("outer_1"), log2_of(2));
  EXPECT_FLOAT_EQ(value.at("outer_2"), log2_of(1));
  EXPECT_FLOAT_EQ(value.at("parallel"), log2_of(2));
  EXPECT_EQ(value.at("depth"), 2);
}

TEST(Features, OfMemoryAreFootprintsInWholeLines) {
  const auto value = named(matmul());
  EXPECT_FLOAT_EQ(value.at("tile_input"), log2_of(14 * 64 * 4));
  EXPECT_FLOAT_EQ(value.at("tile_constant"), log2_of(64 * 16 * 4));
  EXPECT_FLOAT_EQ(value.at("tile_output"), log2_of(14 * 16 * 4));
  EXPECT_FLOAT_EQ(value.at("tile_all"), log2_of(3584 + 4096 + 896));
  EXPECT_FLOAT_EQ(value.at("all_input"), log2_of(3584 * 4));
  EXPECT_FLOAT_EQ(value.at("all_constant"), log2_of(2048 * 4));
  EXPECT_FLOAT_EQ(value.at("all_output"), log2_of(1792 * 4));
  // Everything (29,696 bytes) fits 32 KiB: each input byte is fetched once, 14,336 / 229,376 of them an
  // operation.
  EXPECT_NEAR(value.at("l1_input"), -4, 1e-4);
  EXPECT_NEAR(value.at("intensity"), std::log2(229376.0 / 29696), 1e-5);
}

TEST(Features, ReuseDistanceIsWhatTheInnermostIndependentLoopTouches) {
  const auto value = named(matmul());
  EXPECT_FLOAT_EQ(value.at("reuse_input"), log2_of(14336 + 4096 + 3584));   // again for each oc.b
  EXPECT_FLOAT_EQ(value.at("reuse_constant"), log2_of(3584 + 4096 + 896));  // again for each ow.o
  EXPECT_FLOAT_EQ(value.at("reuse_output"), log2_of(14 * 64 + 64 + 896));   // its accumulators, for each ic
}

TEST(Features, TrafficGrowsOnceTheNestLeavesTheCache) {
  CacheSizes small;
  small.l1d_bytes = 16 << 10;  // holds one tile (8,576 bytes), not the loop over ow.o (22,016)
  const std::vector<float> values = features_of(matmul(), avx512(), small);
  std::map<std::string, float> value;
  for (size_t i = 0; i < values.size(); ++i) value[std::string(feature_descriptions()[i].name)] = values[i];
  EXPECT_NEAR(value.at("l1_constant"), std::log2(8.0 * 4096 / 229376), 1e-4);
  EXPECT_NEAR(value.at("l2_constant"), std::log2(8192.0 / 229376), 1e-4);
}

TEST(Features, APeeledTileIsCountedAsTail) {
  loop::Program program = matmul();
  program.phases[0].body.push_back(statement(matmul_tile(7)));
  const auto value = named(program);
  EXPECT_EQ(value.at("tiles"), 2);
  EXPECT_NEAR(value.at("tail_share"), 7.0 / (4 * 14 + 7), 1e-6);
  EXPECT_NEAR(value.at("main_share"), 56.0 / 63, 1e-6);
}

TEST(Features, StridedLanesAndGuardsAreToldApart) {
  loop::Program program = matmul();
  loop::Tile& tile = program.phases[0].body[0].loop[0].body[0].tile[0];
  tile.accesses[1].offset = linear({{1, "ic"}, {64, "oc.v"}});
  tile.accesses[0].guards.push_back({Index::axis("ic"), 0, 60});
  const auto value = named(program);
  EXPECT_FLOAT_EQ(value.at("gathers"), 1.0f / 14);
  EXPECT_EQ(value.at("vector_loads"), 0);
  EXPECT_EQ(value.at("guarded_loads"), 1);
}

TEST(Features, ACopyWithoutArithmeticHasFiniteFeatures) {
  loop::Program program = matmul();
  loop::Tile& tile = program.phases[0].body[0].loop[0].body[0].tile[0];
  tile.reduce.clear();
  tile.update = nullptr;
  tile.accesses.pop_back();
  tile.value = scalar::read(0, {Index(0)});
  for (const float value : features_of(program, avx512())) EXPECT_TRUE(std::isfinite(value));
  EXPECT_EQ(static_cost(program, avx512()).accumulator_registers, 0);
}

TEST(Features, TheEstimateIsThatOfANominalCoreByHand) {
  // 8 tiles of 64 points: 14 multiply-adds (7 cycles at two a cycle), 15 loads (7.5 cycles), 15 instructions
  // and a loop counter every fourth point (2.625); a chain of 4 cycles. Entering: 8 + 14 / 4; storing: 14.
  const double core = 8 * (64 * 7.5 + 8 + 3.5 + 14);
  // Everything fits the first cache: each byte comes once from beyond every one of them that it has to.
  const double bytes = 29696, traffic = bytes / 32 + bytes / 12 + bytes / 6;
  ASSERT_GT(traffic, core);
  const auto value = named(matmul());
  EXPECT_NEAR(value.at("estimate"), std::log2(1 + traffic + 0.3 * core), 1e-5);
  EXPECT_NEAR(value.at("share_loads"), 8 * 64 * 7.5 / (traffic + 0.3 * core), 1e-5);
  EXPECT_NEAR(value.at("share_memory"), bytes / 6 / (traffic + 0.3 * core), 1e-5);
}

TEST(Features, TwiceTheArithmeticIsEstimatedWhereUnitsAreHalfAsWideAsVectors) {
  Target zen4 = avx512();
  zen4.cpu = "znver4";
  const auto cycles = [](const Target& target) { return static_cost(matmul(), target).core_cycles; };
  // 14 cycles at one multiply-add a cycle, 14 broadcasts and a vector of two passes: 8 cycles of loads.
  EXPECT_NEAR(cycles(zen4), 8 * (64 * 14 + 8 + 3.5 + 28), 1e-6);
  EXPECT_NEAR(cycles(avx512()), 8 * (64 * 7.5 + 8 + 3.5 + 14), 1e-6);
  zen4.vector_bits = 256;  // the units' own width
  Target zen5 = zen4;
  zen5.cpu = "znver5";
  EXPECT_EQ(cycles(zen4), cycles(zen5));
}

TEST(Features, TheFirstIsTheEstimateWithItsKnownErrorsTakenOut) {
  const auto value = named(matmul());
  const double expected = value.at("estimate") + 1.9558 * value.at("share_arithmetic") +
                          1.0321 * value.at("share_latency") + 0.5046 * value.at("second_core") +
                          0.0036 * value.at("copies_inner") - 0.2201 * value.at("excess_memory") -
                          0.0115 * value.at("l2_constant_rate") + 0.0375 * value.at("reuse_output") +
                          0.0494 * value.at("code") + 0.1211 * value.at("phases") +
                          0.0364 * value.at("inner_trips");
  EXPECT_EQ(feature_descriptions().front().name, "fitted");
  EXPECT_NEAR(features_of(matmul(), avx512()).front(), expected, 1e-4);
}

TEST(Features, TheEstimateFallsWithEveryLoadThatATileShares) {
  loop::Program narrow = matmul();
  narrow.phases[0].body = {statement("ow.o", 28, {statement(matmul_tile(2))})};
  EXPECT_LT(features_of(matmul(), avx512()).front(), features_of(narrow, avx512()).front());
}

TEST(Features, StagesBesideTheDearestAreDescribed) {
  EXPECT_EQ(named(matmul()).at("first_share"), 1);
  EXPECT_EQ(named(matmul()).at("second_share"), 0);
  loop::Program program = matmul();
  loop::Tile copy = matmul_tile(14);
  copy.stage = "copy";
  copy.reduce.clear();
  copy.update = nullptr;
  copy.accesses.pop_back();
  copy.value = scalar::read(0, {Index(0)});
  program.phases[0].body.push_back(statement("ow.o", 4, {statement(copy)}));
  const auto value = named(program);
  EXPECT_GT(value.at("second_share"), 0);
  EXPECT_NEAR(value.at("first_share") + value.at("second_share"), 1, 1e-5);
  EXPECT_EQ(value.at("second_registers"), 14);
  EXPECT_EQ(value.at("second_contiguous_store"), 1);
  EXPECT_EQ(value.at("third_share"), 0);
}

TEST(Features, ExcessIsMeasuredAgainstVectorArithmeticByHand) {
  const double ideal = 8 * 64 * 7, core = 8 * (64 * 7.5 + 8 + 3.5 + 14), bytes = 29696;
  const auto value = named(matmul());
  const auto excess = [&](double cycles) { return std::log2(cycles / ideal + 1e-3); };
  EXPECT_NEAR(value.at("excess_core"), excess(core), 1e-5);
  EXPECT_NEAR(value.at("excess_loads"), excess(8 * 64 * 7.5), 1e-5);
  EXPECT_NEAR(value.at("excess_edges"), excess(8 * (8 + 3.5)), 1e-5);
  EXPECT_NEAR(value.at("excess_l2"), excess(bytes / 32), 1e-5);
  EXPECT_NEAR(value.at("l1_input_rate"), 14336 / core, 1e-5);
  EXPECT_NEAR(value.at("l1_constant_rate"), 8192 / core, 1e-5);
}

TEST(Features, OfTailsAreTheTilesBesideTheMainOne) {
  EXPECT_EQ(named(matmul()).at("tail_cycles"), 0);
  EXPECT_EQ(named(matmul()).at("tail_registers"), 0);
  loop::Program program = matmul();
  program.phases[0].body.push_back(statement(matmul_tile(3)));
  const auto value = named(program);
  EXPECT_EQ(value.at("tail_registers"), 3);
  EXPECT_GT(value.at("tail_cycles"), 0);
  EXPECT_LT(value.at("tail_cycles"), 0.5);
  EXPECT_GT(value.at("tail_rate"), 1) << "three columns cost more an operation than fourteen";
}

TEST(Features, InnerTripsAreWhatUnrollingLeaves) {
  EXPECT_FLOAT_EQ(named(matmul()).at("inner_trips"), log2_of(64.0 / 4));
}

TEST(Features, LinesThatShareASetAreCountedAndPagesOnce) {
  const auto packed = named(matmul());
  EXPECT_EQ(packed.at("input_set"), 1) << "56 lines side by side";
  EXPECT_EQ(packed.at("output_set"), 1);
  EXPECT_EQ(packed.at("pages"), log2_of(3)) << "of x, w and y";
  // Columns 4 KiB apart: all fourteen begin in one set, each on a page of its own.
  loop::Program apart = matmul();
  loop::Tile tile = matmul_tile(14);
  tile.accesses[0].offset = linear({{14336, "ow.o"}, {1024, "ow.i"}, {1, "ic"}});
  apart.phases[0].body = {statement("ow.o", 4, {statement(tile)})};
  apart.geometries[0].elements = 57344;
  const auto value = named(apart);
  EXPECT_FLOAT_EQ(value.at("input_set"), log2_of(14));
  EXPECT_FLOAT_EQ(value.at("pages"), log2_of(14 + 2));
}

TEST(Features, OfAnEmptyProgramAreZero) {
  EXPECT_THAT(features_of(loop::Program{}, avx512()), testing::Each(0.0f));
}

TEST(StaticCost, CountsRegistersOfTheTargetNotOfTheProgram) {
  EXPECT_EQ(static_cost(matmul(), avx512()).accumulator_registers, 14);
  const Target neon{"aarch64-linux-gnu", "generic", "", 128, 32};
  EXPECT_EQ(static_cost(matmul(), neon).accumulator_registers, 56);
}

TEST(StaticCost, CountsTheOperandThatCopiesShareAndOneMore) {
  EXPECT_EQ(static_cost(matmul(), avx512()).live_registers, 14 + 1 + 1) << "w stays for 14 columns";
}

TEST(StaticCost, OfTheCoreIsTheEstimateWithoutMemory) {
  EXPECT_NEAR(static_cost(matmul(), avx512()).core_cycles, 8 * (64 * 7.5 + 8 + 3.5 + 14), 1e-6);
}

}  // namespace
}  // namespace hone
