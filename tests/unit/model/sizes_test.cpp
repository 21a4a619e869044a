// Models of very many operators, and of more bytes than there are: planned in parts that share kernels, or
// refused before any memory is taken.
#include <gmock/gmock.h>

#include "codegen/model/model.h"
#include "tests/unit/model/small_models.h"

namespace hone {
namespace {

using ::testing::HasSubstr;
using namespace testing_models;

std::string concat_of(int count, const std::string& shape, const std::string& before = "") {
  std::string text, operands;
  for (int i = 0; i < count; ++i) text += "%x" + std::to_string(i) + " = input f32[" + shape + "]\n";
  for (int i = 0; i < count; ++i) {
    const std::string n = std::to_string(i);
    if (!before.empty()) text += "%r" + n + " = " + before + " %x" + n + "\n";
    operands += (before.empty() ? " %x" : " %r") + n;
  }
  return text + "%y = concat" + operands + " {axis=1}\noutput %y\n";
}

Plan planned(const std::string& text) {
  auto result = plan(graph_of(text), host(), {});
  EXPECT_TRUE(result) << result.error().text();
  return result ? std::move(*result) : Plan();
}

TEST(ManyOperators, PartsOfAWideConcatenationShareTheirKernel) {
  const Plan direct = planned(concat_of(500, "1x1x8x8"));
  EXPECT_EQ(direct.ops.size(), 500u);
  EXPECT_EQ(distinct_kernels(direct).size(), 1u);
  const Plan computed = planned(concat_of(500, "1x3x8x8", "sigmoid"));
  EXPECT_EQ(computed.ops.size(), 500u);
  EXPECT_EQ(distinct_kernels(computed).size(), 1u);
  // 49 floats: where a part begins repeats itself, as seen from 64 bytes, after at most 16 of them.
  EXPECT_LE(distinct_kernels(planned(concat_of(500, "1x1x7x7"))).size(), 16u);
}

TEST(ManyOperators, PartsAreWrittenWhereTheyBelong) {
  for (const char* shape : {"1x1x8x8", "1x1x7x7", "1x16x3x3", "1x5x3x5", "2x3x4x4"}) {
    built_and_right(concat_of(19, shape));
    built_and_right(concat_of(19, shape, "sigmoid"));
  }
}

TEST(ManyOperators, OfALongChainShareAFewKernels) {
  std::string text = "%x = input f32[1x16x8x8]\n";
  for (int i = 0; i < 3000; ++i) {
    const auto name = [](int k) { return k < 0 ? std::string("%x") : "%v" + std::to_string(k); };
    text += name(i) +
            (i % 3 == 2 ? " = add " + name(i - 1) + " " + name(i - 3)
                        : " = max_pool " + name(i - 1) + " {kernel=[3,3] pads=[1,1,1,1]}") +
            "\n";
  }
  const Plan chain = planned(text + "output %v2999\n");
  EXPECT_LE(distinct_kernels(chain).size(), 8u);
  EXPECT_LE(chain.arena_bytes, 8 * 16 * 10 * 10 * 4) << "buffers are used again";
}

TEST(Sizes, BeyondTheMemoryAreRefusedBeforeAnyIsTaken) {
  const std::string text = "%x = input f32[1x1x131072x262144]\n%y = relu %x\noutput %y\n";
  const Plan large = planned(text);
  EXPECT_GE(need_of_run(large).bytes, int64_t{2} << 37);
  BuildOptions options;
  options.memory_bytes = int64_t{16} << 30;
  const auto report = build(large, scratch_file("large.so"), options);
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().text(), HasSubstr("checking the built model takes"));
  EXPECT_THAT(report.error().text(),
              HasSubstr("tensor 'x' f32[1x1x131072x262144] alone 128.0 GiB; there are 16.0 GiB"));
  EXPECT_THAT(report.error().text(), HasSubstr("--no-check"));
}

TEST(Sizes, OfMeasuringCountTheReferenceToo) {
  auto graph =
      parse_graph("%x = input f32[1024]\n%c = constant f32[1024]\n%0 = mul %x %c\n%y = relu %0\noutput %y\n");
  const MemoryNeed need = need_of_measuring(make_task(std::move(*graph)));
  EXPECT_EQ(need.bytes, 4096 + 2 * 4096 + 5 * 4096);
  EXPECT_TRUE(fits_memory(need, need.bytes, "measuring", ""));
  EXPECT_THAT(fits_memory(need, need.bytes - 1, "measuring", "").error().text(),
              HasSubstr("measuring takes"));
}

TEST(Sizes, OfMarginsThatOverflowAreRefused) {
  // The output is small; the input with its margins is not.
  const std::string text =
      "%x = input f32[1x1048576x1x1]\n%w = constant f32[1048576x1x3x3]\n%y = conv %x %w "
      "{pads=[33554432,33554432,33554432,"
      "33554432] strides=[33554432,33554432] groups=1048576}\noutput %y\n";
  auto graph = parse_graph(text);
  ASSERT_TRUE(graph) << graph.error().text();
  const auto result = plan(*graph, host(), {});
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().text(), HasSubstr("with its margins it has more than"));
}

}  // namespace
}  // namespace hone
