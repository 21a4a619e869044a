// Every scalar operation against libm in a wider type, over dense samples and special values, at every vector
// width.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <random>

#include "tests/unit/llvm/compiled.h"

namespace hone::test {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

/// One operation of one operand: its exact value, and how far from it a result may be, in units of the last
/// place.
struct Operation {
  const char* name;
  ScalarOp op;
  long double (*exact)(long double);
  double ulp_f32, ulp_f64;
  double lo, hi;  ///< dense samples between these
};

void PrintTo(const Operation& operation, std::ostream* stream) { *stream << operation.name; }

const Operation operations[] = {
    {"exp", ScalarOp::exp, [](long double x) { return std::exp(x); }, 2, 4, -110, 95},
    {"log", ScalarOp::log, [](long double x) { return std::log(x); }, 2, 4, -1, 50},
    {"tanh", ScalarOp::tanh, [](long double x) { return std::tanh(x); }, 4, 8, -12, 12},
    {"sigmoid", ScalarOp::sigmoid, [](long double x) { return 1 / (1 + std::exp(-x)); }, 4, 8, -80, 30},
    {"sqrt", ScalarOp::sqrt, [](long double x) { return std::sqrt(x); }, 0.5001, 0.5001, -1, 1000},
    {"floor", ScalarOp::floor, [](long double x) { return std::floor(x); }, 0, 0, -70, 70},
    {"neg", ScalarOp::neg, [](long double x) { return -x; }, 0, 0, -70, 70},
    {"abs", ScalarOp::abs, [](long double x) { return std::fabs(x); }, 0, 0, -70, 70},
};

/// Dense samples, tiny and huge numbers of both signs, integers and their neighbours, zeros, infinities and
/// NaN.
template <class T>
std::vector<T> samples(double lo, double hi) {
  std::vector<T> result;
  const int dense = 40000;
  for (int k = 0; k <= dense; ++k) result.push_back(static_cast<T>(lo + (hi - lo) * k / dense));
  std::mt19937_64 random(7);
  for (int k = 0; k < 40000; ++k) {  // any exponent at all, denormals included
    if constexpr (sizeof(T) == 4) {
      result.push_back(std::bit_cast<float>(static_cast<uint32_t>(random())));
    } else {
      result.push_back(std::bit_cast<double>(static_cast<uint64_t>(random())));
    }
  }
  for (int k = -60; k < 60; ++k) {
    for (T sign : {T(1), T(-1)}) {
      const T power = sign * std::ldexp(T(1), k);
      result.insert(result.end(),
                    {power, std::nextafter(power, T(0)), std::nextafter(power, sign * T(infinity))});
    }
  }
  using Limits = std::numeric_limits<T>;
  for (T special :
       {T(0), Limits::infinity(), Limits::max(), Limits::min(), Limits::denorm_min(), T(100), T(0.5), T(1),
        T(88.72283), T(88.72284), T(-87.33655), T(-103.9), T(-104.1), T(709.78), T(-745.2)}) {
    result.insert(result.end(), {special, -special});
  }
  result.push_back(Limits::quiet_NaN());
  while (result.size() % 64 != 0) result.push_back(T(1));
  return result;
}

/// |got - exact| in units of the last place of the exact value (at least of the smallest normal number).
template <class T>
double ulps(T got, long double exact) {
  if (std::isnan(exact)) return std::isnan(got) ? 0 : infinity;
  const T rounded = static_cast<T>(exact);
  if (got == rounded) return 0;
  if (!std::isfinite(got) || !std::isfinite(rounded)) {
    // Overflow may come one step early or late.
    return std::isnan(got)                                              ? infinity
           : std::fabs(exact) > 0.9999L * std::numeric_limits<T>::max() ? 0
                                                                        : infinity;
  }
  const T magnitude = std::max(std::fabs(rounded), std::numeric_limits<T>::min());
  const T unit = std::nextafter(magnitude, std::numeric_limits<T>::infinity()) - magnitude;
  return static_cast<double>(std::fabs(static_cast<long double>(got) - exact) / unit);
}

class ScalarOperations : public testing::TestWithParam<std::tuple<Target, Operation>> {
 protected:
  template <class T>
  void check(int64_t lanes, DType dtype, double allowed) {
    const auto& [target, operation] = GetParam();
    const std::vector<T> inputs = samples<T>(operation.lo, operation.hi);
    const auto count = static_cast<int64_t>(inputs.size());
    auto library = compile(elementwise(count, lanes, 1, make(operation.op, {read_access(0)}), dtype), target);
    ASSERT_TRUE(library) << library.error().text();
    Array<T> x(inputs.size()), y(inputs.size());
    std::copy(inputs.begin(), inputs.end(), x.data());
    ASSERT_TRUE((*library)->run({x.view(), y.view()}, 0, 0, count / lanes));
    double worst = 0;
    for (size_t k = 0; k < inputs.size(); ++k) {
      const long double exact = operation.exact(inputs[k]);
      // 1 / (1 + e^-x) is 0 where e^-x overflows: that is before the result itself would vanish.
      const T least = std::numeric_limits<T>::min();
      if (operation.op == ScalarOp::sigmoid && exact < least && y[k] >= 0 && y[k] <= least) continue;
      double error = ulps(y[k], exact);
      if (operation.op == ScalarOp::sigmoid && sizeof(T) == 4 && error > 0 && std::isfinite(inputs[k])) {
        // As if x were off by an ulp, then 4 ulp.
        const long double off = operation.exact(inputs[k] * (1 + 0x1p-23L)) - exact;
        error = std::max(0.0, error - ulps(static_cast<T>(exact + std::fabs(off)), exact));
      }
      worst = std::max(worst, error);
      ASSERT_LE(error, allowed) << operation.name << "(" << inputs[k] << ") = " << y[k] << ", exactly "
                                << static_cast<double>(exact) << ", lanes " << lanes << " " << to_text(dtype);
      if (exact == 0) {
        ASSERT_EQ(std::signbit(y[k]), std::signbit(exact)) << operation.name << "(" << inputs[k] << ")";
      }
    }
    RecordProperty("worst_ulp_" + std::string(to_text(dtype)) + "_" + std::to_string(lanes),
                   std::to_string(worst));
  }
};

TEST_P(ScalarOperations, AreAsAccurateAsStated) {
  const auto& [target, operation] = GetParam();
  if (!runs(target)) GTEST_SKIP() << "this machine does not run " << target.features;
  // Narrow vectors, of few channels, take other instructions than those of the whole width.
  for (int64_t lanes : {int64_t{1}, int64_t{2}, int64_t{4}, int64_t{8}, int64_t{16}}) {
    if (lanes > target.lanes()) continue;
    check<float>(lanes, DType::f32, operation.ulp_f32);
    check<double>(lanes, DType::f64, operation.ulp_f64);
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, ScalarOperations,
                         testing::Combine(testing::Values(sse2(), avx2(), avx512(), neon()),
                                          testing::ValuesIn(operations)),
                         [](const auto& info) {
                           const Target& target = std::get<0>(info.param);
                           return (target.triple[0] == 'x' ? "x86_" : "arm_") +
                                  std::to_string(target.vector_bits) + "_" + std::get<1>(info.param).name;
                         });

class PairOperations : public testing::TestWithParam<Target> {
 protected:
  /// f over every pair of a few numbers, zeros, infinities and NaN among them.
  void check(const std::string& name, const ScalarPtr& scalar,
             const std::function<float(float, float)>& exact) {
    const std::vector<float> numbers = {0,
                                        -0.f,
                                        1,
                                        -1,
                                        2.5f,
                                        -2.5f,
                                        1e-40f,
                                        3e38f,
                                        -3e38f,
                                        static_cast<float>(infinity),
                                        -static_cast<float>(infinity),
                                        static_cast<float>(not_a_number),
                                        7,
                                        -7,
                                        0.1f,
                                        1e-3f};
    const size_t count = numbers.size() * numbers.size();
    for (int64_t lanes : {int64_t{1}, int64_t{GetParam().lanes()}}) {
      auto library = compile(elementwise(static_cast<int64_t>(count), lanes, 2, scalar), GetParam());
      ASSERT_TRUE(library) << library.error().text();
      Array<float> a(count), b(count), y(count);
      for (size_t k = 0; k < count; ++k) {
        a[k] = numbers[k / numbers.size()];
        b[k] = numbers[k % numbers.size()];
      }
      ASSERT_TRUE((*library)->run({a.view(), b.view(), y.view()}, 0, 0, static_cast<int64_t>(count) / lanes));
      for (size_t k = 0; k < count; ++k) {
        const float expected = exact(a[k], b[k]);
        if (std::isnan(expected)) {
          EXPECT_TRUE(std::isnan(y[k])) << name << "(" << a[k] << ", " << b[k] << ") = " << y[k];
        } else {
          EXPECT_EQ(y[k], expected) << name << "(" << a[k] << ", " << b[k] << ")";
        }
      }
    }
  }
};

TEST_P(PairOperations, AreExactAndKeepNaN) {
  if (!runs(GetParam())) GTEST_SKIP() << "this machine does not run " << GetParam().features;
  const ScalarPtr a = read_access(0), b = read_access(1);
  const auto most = [](float x, float y) { return std::isnan(x) || std::isnan(y) ? NAN : std::max(x, y); };
  const auto least = [](float x, float y) { return std::isnan(x) || std::isnan(y) ? NAN : std::min(x, y); };
  check("add", make(ScalarOp::add, {a, b}), [](float x, float y) { return x + y; });
  check("sub", make(ScalarOp::sub, {a, b}), [](float x, float y) { return x - y; });
  check("mul", make(ScalarOp::mul, {a, b}), [](float x, float y) { return x * y; });
  check("div", make(ScalarOp::div, {a, b}), [](float x, float y) { return x / y; });
  check("maximum", make(ScalarOp::maximum, {a, b}), most);
  check("minimum", make(ScalarOp::minimum, {a, b}), least);
  const ScalarPtr six = make(ScalarOp::constant, {}, 6), zero = make(ScalarOp::constant, {}, 0);
  check("clip", make(ScalarOp::minimum, {make(ScalarOp::maximum, {a, zero}), six}),
        [&](float x, float) { return least(most(x, 0), 6); });
  check("clip with constants first", make(ScalarOp::minimum, {six, make(ScalarOp::maximum, {zero, a})}),
        [&](float x, float) { return least(most(x, 0), 6); });
  check("select_less", make(ScalarOp::select_less, {a, b, a, make(ScalarOp::neg, {b})}),
        [](float x, float y) { return x < y ? x : -y; });
}

TEST_P(PairOperations, MakeAProductWithASigmoidOneQuotientThatKeepsSpecialValues) {
  if (!runs(GetParam())) GTEST_SKIP() << "this machine does not run " << GetParam().features;
  std::vector<float> numbers;
  for (int k = -120; k <= 120; ++k) numbers.push_back(static_cast<float>(k) * 0.77f);
  const auto huge = std::numeric_limits<float>::max();
  for (const float special : {0.f, 1e-38f, huge, static_cast<float>(infinity)})
    numbers.insert(numbers.end(), {special, -special});
  for (const uint32_t bits : {0x7fc00000u, 0xffc00000u, 0x7fc00001u, 0xffc001ffu, 0x7fffffffu})
    numbers.push_back(std::bit_cast<float>(bits));  // NaN, whatever else its bits say
  std::vector<std::pair<float, float>> pairs;
  for (const float x : numbers) pairs.insert(pairs.end(), {{x, x}, {3, x}, {x, -2}});
  while (pairs.size() % 16 != 0) pairs.emplace_back(1, 1);
  const ScalarPtr a = read_access(0), b = read_access(1);
  for (const bool first : {false, true})
    for (int64_t lanes : {int64_t{1}, int64_t{4}, int64_t{8}, int64_t{16}}) {
      if (lanes > GetParam().lanes()) continue;
      const ScalarPtr gate = make(ScalarOp::sigmoid, {b});
      const ScalarPtr product = first ? make(ScalarOp::mul, {gate, a}) : make(ScalarOp::mul, {a, gate});
      auto library = compile(elementwise(static_cast<int64_t>(pairs.size()), lanes, 2, product), GetParam());
      ASSERT_TRUE(library) << library.error().text();
      Array<float> x(pairs.size()), z(pairs.size()), y(pairs.size());
      for (size_t k = 0; k < pairs.size(); ++k) x[k] = pairs[k].first, z[k] = pairs[k].second;
      const auto count = static_cast<int64_t>(pairs.size());
      ASSERT_TRUE((*library)->run({x.view(), z.view(), y.view()}, 0, 0, count / lanes));
      for (size_t k = 0; k < pairs.size(); ++k) {
        const long double factor = 1 / (1 + std::exp(-static_cast<long double>(z[k])));
        const long double exact = x[k] * factor;
        const std::string what = std::to_string(x[k]) + " * sigmoid(" + std::to_string(z[k]) + ")";
        if (std::isinf(z[k]) && z[k] < 0) {
          ASSERT_TRUE(std::isinf(x[k]) || std::isnan(x[k]) ? std::isnan(y[k]) : y[k] == 0) << what << y[k];
        } else if (std::isnan(exact)) {
          ASSERT_TRUE(std::isnan(y[k])) << what << " = " << y[k];
        } else if (factor < std::numeric_limits<float>::min()) {
          // The sigmoid itself may vanish.
          ASSERT_LE(std::fabs(y[k]), 1.0001L * std::fabs(exact)) << what << " = " << y[k];
        } else {
          const double off = std::isfinite(z[k]) ? std::fabs(z[k]) : 0;  // as if z were off by an ulp
          ASSERT_LE(ulps(y[k], exact), 5 + off)
              << what << " = " << y[k] << " instead of " << static_cast<double>(exact);
        }
      }
    }
}

TEST_P(PairOperations, FuseAProductInASumWhereTheTargetCan) {
  if (!runs(GetParam())) GTEST_SKIP() << "this machine does not run " << GetParam().features;
  const bool fused = GetParam().vector_bits > 128 || GetParam().triple[0] != 'x';
  const float x = 1 + 0x1p-12f;  // x * x has a last bit that only one rounding keeps
  const auto product_sum = [&](float p, float q, float c) {
    volatile float product = p * q;
    return fused ? std::fma(p, q, c) : product + c;
  };
  const ScalarPtr a = read_access(0), b = read_access(1), square = make(ScalarOp::mul, {a, a});
  const std::pair<ScalarPtr, float> cases[] = {
      {make(ScalarOp::add, {square, b}), product_sum(x, x, -1)},
      {make(ScalarOp::add, {b, square}), product_sum(x, x, -1)},
      {make(ScalarOp::sub, {square, b}), product_sum(x, x, 1)},
      {make(ScalarOp::sub, {b, square}), product_sum(-x, x, -1)},
  };
  for (const auto& [scalar, expected] : cases) {
    auto library = compile(elementwise(16, GetParam().lanes(), 2, scalar), GetParam());
    ASSERT_TRUE(library) << library.error().text();
    Array<float> first(16, x), second(16, -1), y(16);
    ASSERT_TRUE((*library)->run({first.view(), second.view(), y.view()}, 0, 0, 16 / GetParam().lanes()));
    for (size_t k = 0; k < 16; ++k) ASSERT_EQ(y[k], expected);
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, PairOperations, testing::Values(sse2(), avx2(), avx512(), neon()),
                         [](const auto& info) {
                           return (info.param.triple[0] == 'x' ? "x86_" : "arm_") +
                                  std::to_string(info.param.vector_bits);
                         });

}  // namespace
}  // namespace hone::test
