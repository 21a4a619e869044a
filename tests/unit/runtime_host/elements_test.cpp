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
  Placement range = halo;  // channels of a wider buffer
  range.buffer_channels = 64;
  range.channel_offset = 16;
  const Layout channels_last{{0, 2, 3, 1}, {}}, double_blocked{{0, 1, 2, 3}, {{3, 4}, {1, 8}}},
      last_blocked{{1, 0}, {{1, 4}}};
  return {buffer_of({2, 6, 3, 5}, Layout::plain(4), {}),
          buffer_of({2, 6, 3, 5}, Layout::plain(4), halo),
          buffer_of({2, 3, 2, 5000}, Layout::plain(4), halo),
          buffer_of({1, 6, 3, 5}, Layout::channel_blocked(4), halo),
          buffer_of({2, 32, 3, 5}, Layout::channel_blocked(16), {}),
          buffer_of({2, 32, 7, 7}, Layout::channel_blocked(16), range),
          buffer_of({2, 17, 7, 1}, Layout::channel_blocked(8), halo),
          buffer_of({2, 6, 3, 5}, channels_last, halo),
          buffer_of({1, 9, 3, 6}, double_blocked, {}),
          buffer_of({5, 10}, last_blocked, {}),
          buffer_of({64}, Layout::plain(1), {}),
          buffer_of({1, 64}, Layout::plain(2), {}),
          buffer_of({}, Layout::plain(0), {})};
}

TEST(BufferElements, GenerateWritesWhatFillInputWritesAndLeavesTheRest) {
  for (const BufferSpec& spec : buffers()) {
    const auto count = static_cast<size_t>(element_count(spec.type.shape));
    std::vector<float> work(count);
    auto packed = GuardedBuffer::allocate(spec.bytes), generated = GuardedBuffer::allocate(spec.bytes);
    ASSERT_TRUE(packed && generated);
    fill_input(spec, "one", work, packed->data());
    fill_input(spec, "two", work, generated->data());
    BufferElements(spec).generate(generated->data(), fnv1a64("one/x"));
    EXPECT_EQ(std::memcmp(packed->data(), generated->data(), static_cast<size_t>(spec.bytes)), 0)
        << to_text(spec.layout) << " " << to_text(spec.type);
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
