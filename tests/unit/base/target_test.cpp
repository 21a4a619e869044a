#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "codegen/base/digest.h"
#include "codegen/base/generator.h"
#include "codegen/base/signature.h"
#include "codegen/base/target.h"

namespace hone {
namespace {

using testing::HasSubstr;

TEST(Target, PrintsAndParsesBack) {
  for (const char* name : {"host", "x86-64-v2", "x86-64-v3", "x86-64-v4", "aarch64-neon"}) {
    const Target target = resolve_target(name).value();
    EXPECT_EQ(parse_target(to_text(target)).value(), target) << name;
  }
}

TEST(Target, UnknownNameSaysWhatIsKnown) {
  EXPECT_THAT(resolve_target("z80").error().text(),
              HasSubstr("unknown target 'z80' (known: host, x86-64-v2"));
}

TEST(Target, RejectsAnImpossibleVector) {
  EXPECT_THAT(parse_target("triple=x cpu=y vector=96x16 features=").error().text(),
              HasSubstr("bad vector size"));
}

Target named(const char* name) { return *resolve_target(name); }

TEST(RunsOn, AcceptsWhatTheMachineHasAndLess) {
  for (const char* has : {"host", "x86-64-v2", "x86-64-v4", "aarch64-neon"})
    EXPECT_TRUE(runs_on(named(has), named(has))) << has;
  EXPECT_TRUE(runs_on(named("x86-64-v4"), named("x86-64-v2")));
  EXPECT_TRUE(runs_on(named("x86-64-v4"), named("x86-64-v3")));
}

TEST(RunsOn, RefusesAnotherArchitectureWhateverItsFeatures) {
  Target bare = named("aarch64-neon");
  bare.features = "";
  EXPECT_FALSE(runs_on(named("x86-64-v4"), bare));
  EXPECT_TRUE(lacking(named("x86-64-v4"), bare).architecture);
}

TEST(RunsOn, RefusesAMissingFeatureAndNamesIt) {
  Target wanted = named("x86-64-v3");
  wanted.features += ",+avx512vnni";
  EXPECT_FALSE(runs_on(named("x86-64-v3"), wanted));
  EXPECT_THAT(lacking(named("x86-64-v3"), wanted).features, testing::ElementsAre("+avx512vnni"));
  EXPECT_THAT(lacking(named("x86-64-v2"), named("x86-64-v3")).features, testing::Contains("+fma"));
}

TEST(RunsOn, RefusesWiderVectorsThoughNoFeatureIsMissing) {
  Target wide = named("x86-64-v3");
  wide.vector_bits = 512;
  EXPECT_FALSE(runs_on(named("x86-64-v3"), wide));
  EXPECT_TRUE(lacking(named("x86-64-v3"), wide).vector_width);
  EXPECT_TRUE(runs_on(wide, named("x86-64-v3"))) << "narrower ones run";
}

TEST(RunsOn, AFeatureThatIsSwitchedOffNeedsNothing) {
  Target wanted = named("x86-64-v2");
  wanted.features += ",-avx512vl";
  EXPECT_TRUE(runs_on(named("x86-64-v2"), wanted));
}

TEST(RunsOn, AFeaturesNameIsComparedWhole) {
  Target has = named("x86-64-v2"), wanted = named("x86-64-v2");
  has.features = "+avx512bw";
  wanted.features = "+avx512b";
  EXPECT_FALSE(runs_on(has, wanted));
}

TEST(RunsOn, TheNameOfTheProcessorPicksASchedulingModelOnly) {
  Target wanted = named("x86-64-v3");
  wanted.cpu = "znver5";
  EXPECT_TRUE(runs_on(named("x86-64-v3"), wanted));
}

TEST(Board, SaysWhatThisMachineIsAndParsesBack) {
  const Board board = probe_board();
  EXPECT_GE(board.cores, 1);
  EXPECT_GT(board.memory_bytes, 0);
  EXPECT_FALSE(board.model.empty());
  EXPECT_EQ(to_text(parse_board(to_text(board)).value()), to_text(board));
  EXPECT_FALSE(parse_board("not json"));
  EXPECT_FALSE(parse_board("{}"));
}

TEST(Generator, FollowsTheWrittenRule) {
  // Made with data/tools/seed_weights.py: uniform("input_0", (4,), -1, 1).
  const float expected[] = {-0.7075128555297852f, -0.7537795305252075f, 0.5618793964385986f,
                            0.712849497795105f};
  std::vector<float> values(4);
  generate("input_0", -1, 1, values);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(values[i], expected[i]);
}

TEST(Digest, IsBlake2b) {
  EXPECT_EQ(digest_of("").hex(16), "0e5751c026e543b2");  // RFC 7693's function, 32-byte output
  EXPECT_NE(digest_of("a"), digest_of("b"));
}

TEST(Digest, PrintsAndParsesBackAndAnEmptyOneIsTheEmptyText) {
  const Digest digest = digest_of("a");
  EXPECT_EQ(digest.hex().size(), 64u);
  EXPECT_EQ(*parse_digest(digest.hex()), digest);
  EXPECT_FALSE(digest.empty());
  EXPECT_TRUE(Digest().empty());
  EXPECT_EQ(Digest().hex(), "");
  EXPECT_EQ(*parse_digest(""), Digest());
}

TEST(Digest, IsOrderedLikeItsText) {
  for (const char* text : {"b", "c", "d", "e"})
    EXPECT_EQ(digest_of("a") < digest_of(text), digest_of("a").hex() < digest_of(text).hex());
}

TEST(Digest, NoOtherTextIsRead) {
  const std::string good = digest_of("a").hex();
  std::string upper = good;
  upper[63] = 'A';
  for (const std::string& text :
       {good.substr(1), good + "0", std::string("0x") + good.substr(2), upper, std::string(64, '0')})
    EXPECT_THAT(parse_digest(text).error().text(), testing::HasSubstr("is no digest (a digest has 64"))
        << text;
}

TEST(Signature, PrintsAndParsesBack) {
  Signature signature;
  signature.task = "task v1";
  signature.formulation = "direct";
  signature.target = resolve_target("x86-64-v3").value();
  signature.buffers.push_back({"x",
                               Role::input,
                               {DType::f32, {1, 16, 4, 4}},
                               Layout::channel_blocked(8),
                               {{0, 0, 1, 1}, {0, 0, 1, 1}, 0, 0},
                               4096,
                               {0, 2},
                               0});
  signature.constants.push_back({"w", {DType::f32, {16, 16, 3, 3}}, {-1, 1}});
  signature.phases.push_back({14, 1e6});
  signature.prepare_phases.push_back({3, 0});
  signature.buffers[0].halo_value = -std::numeric_limits<float>::infinity();
  const std::string text = to_json(signature);
  EXPECT_EQ(to_json(parse_signature(text).value()), text);
}

TEST(Target, KnowsWhereVectorsTakeTwoPasses) {
  Target target = *resolve_target("x86-64-v4");
  EXPECT_EQ(vector_passes(target, 512), 1);
  target.cpu = "znver4";
  EXPECT_EQ(vector_passes(target, 512), 2);
  EXPECT_EQ(vector_passes(target, 256), 1);
  EXPECT_EQ(vector_passes(target, 128), 1);
  target.cpu = "znver5";
  EXPECT_EQ(vector_passes(target, 512), 1);
}

TEST(Signature, RejectsGarbage) {
  EXPECT_THAT(parse_signature("{").error().text(), HasSubstr("not a JSON object"));
  EXPECT_THAT(parse_signature("{\"task\": 3}").error().text(), HasSubstr("artifact signature"));
}

}  // namespace
}  // namespace hone
