// Rows and elements of laid-out buffers, and what counts as a wrong element.
#include "codegen/runtime/host/elements.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "codegen/base/generator.h"
#include "codegen/runtime/host/host.h"
#include "codegen/runtime/host/test_data.h"

namespace hone {
namespace {

BufferSpec buffer_of(Shape shape, Layout layout, Placement placement) {
  BufferSpec spec;
  spec.name = "x";
  spec.type = {DType::f32, std::move(shape)};
  spec.layout = std::move(layout);
  spec.placement = std::move(placement);
  spec.halo_value = -7;
  const int64_t elements = geometry(spec.type.shape, spec.layout, spec.placement).elements;
  spec.bytes = (elements * 4 + 63) / 64 * 64 + 64;
  return spec;
}

std::vector<BufferSpec> buffers() {
  Placement halo;
  halo.halo_before = {0, 0, 1, 2};
  halo.halo_after = {0, 0, 1, 1};
  return {buffer_of({2, 6, 3, 5}, Layout::plain(4), {}), buffer_of({1, 6, 3, 5}, Layout::channel_blocked(4), halo),
          buffer_of({64}, Layout::plain(1), {}), buffer_of({1, 64}, Layout::plain(2), {})};
}

TEST(BufferElements, AllRowsTogetherAreWhatFillInputWrites) {
  for (const BufferSpec& spec : buffers()) {
    const auto count = static_cast<size_t>(element_count(spec.type.shape));
    std::vector<float> work(count);
    auto whole = GuardedBuffer::allocate(spec.bytes), by_rows = GuardedBuffer::allocate(spec.bytes);
    ASSERT_TRUE(whole && by_rows);
    fill_input(spec, "one", work, whole->data());
    fill_input(spec, "two", work, by_rows->data());
    const BufferElements elements(spec);
    EXPECT_EQ(elements.rows() * elements.width(), static_cast<int64_t>(count));
    for (int64_t row = 0; row < elements.rows(); ++row)
      elements.generate_row(by_rows->data(), row, fnv1a64("one/x"));
    EXPECT_EQ(std::memcmp(whole->data(), by_rows->data(), static_cast<size_t>(spec.bytes)), 0)
        << to_text(spec.layout);
  }
}

TEST(BufferElements, AnElementIsWhereUnpackFindsIt) {
  for (const BufferSpec& spec : buffers()) {
    std::vector<float> work(static_cast<size_t>(element_count(spec.type.shape)));
    auto buffer = GuardedBuffer::allocate(spec.bytes);
    ASSERT_TRUE(buffer);
    fill_input(spec, "one", work, buffer->data());
    const std::vector<float> plain = unpack(spec, buffer->data());
    const BufferElements elements(spec);
    for (size_t i = 0; i < plain.size(); ++i)
      EXPECT_EQ(elements.at(buffer->data(), static_cast<int64_t>(i)), plain[i]);
  }
}

TEST(ErrorFactor, CountsInEpsilonsOfTheMagnitude) {
  constexpr double epsilon = std::numeric_limits<float>::epsilon();
  EXPECT_EQ(error_factor(1, 1, 5), 0);
  EXPECT_NEAR(error_factor(1 + 10 * epsilon, 1, 5), 2, 1e-6);
  EXPECT_EQ(error_factor(1e-40, 0, 0), 0) << "denormals are flushed";
}

TEST(ErrorFactor, WhatIsNoNumberIsInfinitelyWrong) {
  const double nan = std::nan(""), infinity = HUGE_VAL;
  for (const double factor : {error_factor(nan, 1, 1), error_factor(1, nan, 1), error_factor(1, 2, nan),
                              error_factor(infinity, 1, 1), error_factor(infinity, -infinity, 1)})
    EXPECT_TRUE(std::isinf(factor));
  EXPECT_EQ(error_factor(infinity, infinity, infinity), 0);
}

}  // namespace
}  // namespace hone
