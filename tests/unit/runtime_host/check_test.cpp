// Faults planted into a right answer: the checker must find every one and say where.
#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "codegen/base/generator.h"
#include "codegen/runtime/host/host.h"

namespace hone {
namespace {

using testing::HasSubstr;

/// A convolution's output, 13 channels in blocks of 8 inside a halo, with sums of 64 products as its true
/// values.
class Check : public testing::Test {
 protected:
  static constexpr int kTerms = 64;

  Check() {
    BufferSpec y;
    y.name = "y";
    y.role = Role::output;
    y.type = {DType::f32, {1, 13, 4, 7}};
    y.layout = Layout::channel_blocked(8);
    y.placement.halo_before = {0, 0, 1, 1};
    y.placement.halo_after = {0, 0, 1, 1};
    geometry_ = geometry(y.type.shape, y.layout, y.placement);
    y.bytes = (geometry_.elements * 4 + 63) / 64 * 64 + 64;
    signature_.buffers = {y};
    signature_.bound = {1e-5, 16};

    const auto elements = static_cast<size_t>(element_count(y.type.shape));
    std::vector<float> a(elements * kTerms), b(a.size());
    generate("1/a", -1, 1, a);
    generate("1/b", -1, 1, b);
    std::vector<float> value(elements);
    for (size_t i = 0; i < elements; ++i) {
      float sum = 0;
      double exact = 0, magnitude = 0;
      for (size_t k = i * kTerms; k < (i + 1) * kTerms; ++k) {
        const double product = static_cast<double>(a[k]) * b[k];
        sum += a[k] * b[k];
        exact += product;
        magnitude += 2 * std::abs(product);
      }
      value[i] = sum;
      reference_.value.push_back(exact);
      reference_.magnitude.push_back(magnitude);
      last_term_ = a[(i + 1) * kTerms - 1] * b[(i + 1) * kTerms - 1];
    }
    auto buffer = GuardedBuffer::allocate(y.bytes);
    HONE_CHECK(buffer.has_value());
    poison(buffer->data(), buffer->size());
    for (int64_t c = 13; c < 16; ++c)
      for (int64_t h = 0; h < 4; ++h)
        for (int64_t w = 0; w < 7; ++w) reinterpret_cast<float*>(buffer->data())[offset({0, c, h, w})] = 0;
    size_t next = 0;
    for (int64_t c = 0; c < 13; ++c)
      for (int64_t h = 0; h < 4; ++h)
        for (int64_t w = 0; w < 7; ++w)
          reinterpret_cast<float*>(buffer->data())[offset({0, c, h, w})] = value[next++];
    buffers_.pointers.push_back(buffer->data());
    buffers_.owned.push_back(std::move(*buffer));
  }

  int64_t offset(const std::vector<int64_t>& index) const { return element_offset(geometry_, index); }
  float& at(const std::vector<int64_t>& index) {
    return reinterpret_cast<float*>(buffers_.owned[0].data())[offset(index)];
  }
  CheckReport result() const { return check(signature_, buffers_, reference_); }

  Signature signature_;
  Geometry geometry_;
  ArtifactBuffers buffers_;
  ReferenceOutput reference_;
  float last_term_ = 0;
};

TEST_F(Check, PassesARightAnswer) {
  const CheckReport report = result();
  EXPECT_TRUE(report.ok) << report.reason;
  EXPECT_LT(report.relative_l2, 1e-6);
  EXPECT_LT(report.worst_factor, 8);
}

TEST_F(Check, FindsOneWrongTailElement) {
  at({0, 12, 3, 6}) += 0.01f;
  EXPECT_FALSE(result().ok);
  EXPECT_THAT(result().reason, HasSubstr("element [0,12,3,6] is"));
  EXPECT_THAT(result().reason, HasSubstr("x epsilon x magnitude, bound 16"));
}

TEST_F(Check, FindsOneDroppedReductionTerm) {
  ASSERT_GT(std::abs(last_term_), 1e-3);
  at({0, 12, 3, 6}) -= last_term_;
  EXPECT_THAT(result().reason, HasSubstr("element [0,12,3,6] is"));
}

TEST_F(Check, FindsOneTailElementThatWasNeverWritten) {
  poison(reinterpret_cast<std::byte*>(&at({0, 12, 3, 6})), 4);
  EXPECT_THAT(result().reason, HasSubstr("element [0,12,3,6] is nan"));
}

TEST_F(Check, AnExactBoundTakesNoOtherValue) {
  signature_.bound = ErrorBound::exact();
  EXPECT_FALSE(result().ok) << "float32 sums are not those of float64";
  size_t next = 0;
  for (int64_t c = 0; c < 13; ++c)
    for (int64_t h = 0; h < 4; ++h)
      for (int64_t w = 0; w < 7; ++w, ++next) reference_.value[next] = static_cast<double>(at({0, c, h, w}));
  EXPECT_TRUE(result().ok) << result().reason;
  at({0, 5, 1, 2}) = 0;
  reference_.value[5 * 28 + 1 * 7 + 2] = 1e-44;  // far below the smallest normal number
  EXPECT_THAT(result().reason, HasSubstr("element [0,5,1,2] is 0"));
}

TEST_F(Check, FindsOneNaN) {
  at({0, 5, 1, 2}) = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(result().reason, HasSubstr("element [0,5,1,2] is nan"));
}

TEST_F(Check, FindsOneInfinity) {
  at({0, 5, 1, 2}) = std::numeric_limits<float>::infinity();
  EXPECT_THAT(result().reason, HasSubstr("element [0,5,1,2] is inf"));
}

TEST_F(Check, FindsOnePaddingLaneThatIsNotFinite) {
  at({0, 15, 2, 3}) = std::numeric_limits<float>::infinity();
  EXPECT_THAT(result().reason, HasSubstr("padding lane"));
  EXPECT_THAT(result().reason, HasSubstr("is inf"));
  at({0, 15, 2, 3}) = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(result().reason, HasSubstr("padding lane"));
}

TEST_F(Check, FindsOnePaddingLaneThatWasNeverWritten) {
  poison(reinterpret_cast<std::byte*>(&at({0, 13, 0, 0})), 4);
  EXPECT_THAT(result().reason, HasSubstr("never written"));
}

TEST_F(Check, FindsOneOverwrittenHaloRow) {
  for (int64_t w = -1; w < 8; ++w) at({0, 3, -1, w}) = 0;
  EXPECT_THAT(result().reason, HasSubstr("in the halo"));
  EXPECT_THAT(result().reason, HasSubstr("was overwritten with 0"));
}

TEST_F(Check, FindsOneOverwrittenHaloElementBehindTheLastColumn) {
  at({0, 8, 2, 7}) = 1.5f;
  EXPECT_THAT(result().reason, HasSubstr("was overwritten with 1.5"));
}

TEST_F(Check, FindsAWriteIntoTheSlack) {
  reinterpret_cast<float*>(buffers_.owned[0].data())[geometry_.elements] = 0;
  EXPECT_THAT(result().reason, HasSubstr("in the slack"));
}

TEST_F(Check, FindsAnErrorThatIsSmallInEachElementButLargeOverall) {
  signature_.bound = {1e-5, 1e6};
  for (int64_t c = 0; c < 13; ++c) at({0, c, 0, 0}) *= 1.0001f;
  EXPECT_THAT(result().reason, HasSubstr("relative L2 error"));
}

TEST_F(Check, RefusesAReferenceOfAnotherSize) {
  reference_.value.pop_back();
  EXPECT_THAT(result().reason, HasSubstr("has 364 elements, the reference 363"));
}

}  // namespace
}  // namespace hone
