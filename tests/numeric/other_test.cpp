// Pooling, dense layers, products, maps, softmax, normalisation and moves of random shapes give what the
// reference gives.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/numeric/task_texts.h"

namespace hone::testing {
namespace {

using ::testing::IsEmpty;
using Random = std::mt19937;

void expect_clean(const char* name, const Sweep& s) {
  std::printf("%s: %d checked, worst factor %.3g, worst L2 %.3g\n", name, s.checked, s.worst_factor,
              s.worst_l2);
  EXPECT_THAT(s.failures, IsEmpty());
}

TEST(Pool, MaximumAndAverageMatchTheReferenceAlsoForNegativeInputs) {
  expect_clean("pool", sweep("pool", 40, 11, random_pool));
}

TEST(Pool, GlobalPoolsAndMeansMatchTheReference) {
  expect_clean("global_pool", sweep("global_pool", 20, 12, [](Random& random) {
                 const std::string x = input("x", random_image(random));
                 switch (random() % 4) {
                   case 0:
                     return x + "%0 = global_average_pool %x\noutput %0\n";
                   case 1:
                     return x + "%0 = global_max_pool %x\noutput %0\n";
                   case 2:
                     return x + "%0 = reduce_mean %x {axes=[2,3] keep_dims=0}\noutput %0\n";
                   default:
                     return x + "%0 = reduce_mean %x {axes=[1] keep_dims=1}\noutput %0\n";
                 }
               }));
}

TEST(Dense, MatchesTheReference) {
  expect_clean("dense", sweep("dense", 40, 13, [](Random& random) {
                 const int64_t m = pick<int64_t>(random, {1, 1, 2, 7, 13}),
                               k = pick<int64_t>(random, {1, 5, 64, 100, 513}),
                               n = pick<int64_t>(random, {1, 3, 10, 16, 64, 100, 200, 1000});
                 const bool transposed = random() % 2;
                 std::string s = input("x", {m, k}) + constant("w", transposed ? Shape{n, k} : Shape{k, n});
                 const Shape bias = pick<Shape>(random, {{}, {n}, {1, n}});
                 if (!bias.empty()) s += constant("b", bias);
                 s += fmt::format("%0 = dense %x %w{} {{transpose_b={}}}\n", bias.empty() ? "" : " %b",
                                  transposed ? 1 : 0);
                 return s + (random() % 2 ? "%1 = relu %0\noutput %1\n" : "output %0\n");
               }));
}

TEST(Dense, LongSumsStayWithinTheirBound) {
  const Target target = runnable_targets()[0];
  const Task task = task_of(input("x", {1, 25088}) + constant("w", {128, 25088}) +
                            "%0 = dense %x %w {transpose_b=1}\noutput %0\n");
  const CheckReport report = checked(*default_candidate(task, target), "long");
  std::printf("long: factor %.3g, L2 %.3g\n", report.worst_factor, report.relative_l2);
  EXPECT_TRUE(report.ok) << report.reason;
}

TEST(MatMul, OfTwoActivationsMatchesTheReference) {
  expect_clean("matmul", sweep("matmul", 20, 14, [](Random& random) {
                 const int64_t m = pick<int64_t>(random, {1, 7, 20}), k = pick<int64_t>(random, {3, 64}),
                               n = pick<int64_t>(random, {1, 5, 16, 50});
                 const bool batched = random() % 2;
                 return input("x", batched ? Shape{3, m, k} : Shape{m, k}) +
                        input("z", batched ? Shape{1, k, n} : Shape{k, n}) + "%0 = matmul %x %z\noutput %0\n";
               }));
}

TEST(Elementwise, ChainsWithBroadcastingMatchTheReference) {
  expect_clean("elementwise", sweep("elementwise", 60, 15, [](Random& random) {
                 Shape shape = random_image(random);
                 switch (random() % 4) {
                   case 0:
                     shape = {shape[1], shape[3]};
                     break;
                   case 1:
                     shape = {pick<int64_t>(random, {1, 7, 1000, 1024})};
                     break;
                   default:
                     break;
                 }
                 Shape other = shape;
                 const auto kind = random() % 4;
                 if (kind == 0)
                   for (size_t d = 0; d < other.size(); ++d)
                     if (d != 1) other[d] = 1;
                 if (kind == 1) other = {1};
                 if (kind == 2 && shape.size() == 4) other = {shape[1], 1, 1};
                 const char* unary = pick<const char*>(
                     random, {"relu", "sigmoid", "tanh", "exp", "hard_swish", "abs", "neg"});
                 const char* binary =
                     pick<const char*>(random, {"add", "sub", "mul", "div", "maximum", "minimum"});
                 return input("x", shape) + (random() % 2 ? constant("q", other) : input("q", other)) +
                        fmt::format("%0 = {} %x\n%1 = {} %0 %q\n", unary, binary) +
                        (random() % 2 ? "%2 = sqrt %q\n%3 = add %1 %2\noutput %3\n" : "output %1\n");
               }));
}

TEST(Elementwise, BatchNormalisationMatchesTheReference) {
  expect_clean("batch_norm", sweep("elementwise", 15, 16, [](Random& random) {
                 const Shape x = random_image(random);
                 const Shape c{x[1]};
                 return input("x", x) + constant("s", c) + constant("b", c) + constant("m", c) +
                        constant("v", c) +
                        "%0 = batch_norm %x %s %b %m %v {epsilon=1e-5}\n%1 = relu %0\noutput %1\n";
               }));
}

TEST(Softmax, AlongAnyAxisMatchesTheReference) {
  expect_clean("softmax", sweep("softmax", 20, 17, [](Random& random) {
                 const Shape shape =
                     pick<Shape>(random, {{1, 1000}, {1, 10}, {3, 64}, {1, 1001}, {1, 5, 7, 7}, {2, 20, 13}});
                 const auto axis = static_cast<int64_t>(random() % shape.size());
                 return input("x", shape) + fmt::format("%0 = {} %x {{axis={}}}\noutput %0\n",
                                                        random() % 2 ? "softmax" : "log_softmax", axis);
               }));
}

/// Windows odd and even, wider than a narrow target's vector, and of one channel; images of any rank.
std::string random_lrn(Random& random) {
  const Shape x = random() % 8 == 0 ? Shape{2, 20, 13} : random_image(random);
  return input("x", x) + fmt::format("%0 = lrn %x {{size={} alpha={} beta={} bias={}}}\noutput %0\n",
                                     pick<int64_t>(random, {1, 2, 3, 4, 5, 5, 11}),
                                     pick<const char*>(random, {"0.0001", "0.5"}),
                                     pick<const char*>(random, {"0.75", "0.75", "0.5"}),
                                     pick<const char*>(random, {"1.0", "2.0"}));
}

TEST(Lrn, OfAnyWindowMatchesTheReference) {
  expect_clean("lrn", sweep("lrn", 40, 18, random_lrn));
  expect_clean("lrn in any placement", sweep("lrn", 20, 28, random_lrn, true));
}

TEST(Moves, TransformsMatchTheReference) {
  expect_clean("transform", sweep("transform", 10, 19, [](Random& random) {
                 return input("x", random_image(random)) + "%0 = transform %x\noutput %0\n";
               }));
}

TEST(Moves, ConcatMatchesTheReferenceAlsoAtOddOffsets) {
  expect_clean("concat", sweep("concat", 25, 20, [](Random& random) {
                 Shape a = random_image(random), b = a, c = a, y = a;
                 const size_t axis = random() % 3 == 0 ? 2 : 1;
                 b[axis] = pick<int64_t>(random, {1, 8, 16, 24});
                 c[axis] = pick<int64_t>(random, {3, 16, 32});
                 return input("x", a) + input("z", b) + input("q", c) +
                        fmt::format("%0 = concat %x %z %q {{axis={}}}\n%1 = relu %0\noutput %1\n", axis);
               }));
}

TEST(Moves, PadsMatchTheReference) {
  expect_clean("pad", sweep("pad", 12, 21, [](Random& random) {
                 const Shape pads =
                     random() % 2 ? Shape{0, 0, 1, 2, 0, 0, 2, 1} : Shape{0, 2, 1, 0, 0, 3, 0, 1};
                 return input("x", random_image(random)) +
                        fmt::format("%0 = pad %x {{pads={} value=0.5}}\noutput %0\n", list(pads));
               }));
}

TEST(Moves, TransposesMatchTheReference) {
  expect_clean("transpose", sweep("transpose", 10, 22, [](Random& random) {
                 const Shape permutation = pick<Shape>(random, {{0, 2, 3, 1}, {0, 3, 1, 2}, {3, 2, 1, 0}});
                 return input("x", random_image(random)) +
                        fmt::format("%0 = transpose %x {{permutation={}}}\noutput %0\n", list(permutation));
               }));
}

TEST(Moves, SlicesMatchTheReference) {
  expect_clean("slice", sweep("slice", 6, 23, [](Random& random) {
                 const Shape x = random_image(random);
                 return input("x", x) +
                        fmt::format(
                            "%0 = slice %x {{axes=[2,3] starts=[1,2] ends=[{},{}] steps=[1,2]}}\noutput %0\n",
                            x[2], x[3]);
               }));
}

std::string random_shuffle(Random& random) {
  const int64_t groups = pick<int64_t>(random, {2, 3, 4, 8});
  Shape x = random_image(random);
  x[1] = groups * pick<int64_t>(random, {1, 2, 5, 16, 34});
  return input("x", x) + fmt::format("%0 = channel_shuffle %x {{groups={}}}\noutput %0\n", groups);
}

TEST(Moves, ChannelShufflesMatchTheReference) {
  expect_clean("channel_shuffle", sweep("channel_shuffle", 20, 29, random_shuffle));
  expect_clean("channel_shuffle in any placement", sweep("channel_shuffle", 12, 30, random_shuffle, true));
}

TEST(Moves, ReshapesMatchTheReference) {
  expect_clean("reshape", sweep("reshape", 10, 24, [](Random& random) {
                 const auto [x, y] = pick<std::pair<Shape, Shape>>(random, {{{1, 20, 7, 7}, {1, 980}},
                                                                            {{1, 12, 5, 4}, {1, 3, 4, 20}},
                                                                            {{4, 6}, {6, 4}},
                                                                            {{2, 3, 35}, {5, 42}},
                                                                            {{1, 100, 1, 1}, {100}}});
                 return input("x", x) + fmt::format("%0 = reshape %x {{shape={}}}\noutput %0\n", list(y));
               }));
}

TEST(Moves, GathersMatchTheReference) {
  expect_clean("gather", sweep("gather", 6, 25, [](Random& random) {
                 const Shape x = random_image(random);
                 return input("x", x) + "%i = constant i64[3]\n" +
                        fmt::format("%0 = gather %x %i {{axis={}}}\noutput %0\n",
                                    pick<int64_t>(random, {1, 3}));
               }));
}

}  // namespace
}  // namespace hone::testing
