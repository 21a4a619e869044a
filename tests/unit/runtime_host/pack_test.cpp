#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <numeric>

#include "codegen/runtime/host/host.h"

namespace hone {
namespace {

BufferSpec blocked_with_halo() {
  BufferSpec spec;
  spec.name = "x";
  spec.type = {DType::f32, {1, 6, 3, 5}};
  spec.layout = Layout::channel_blocked(4);
  spec.placement.halo_before = {0, 0, 1, 2};
  spec.placement.halo_after = {0, 0, 1, 1};
  spec.halo_value = -7;
  const int64_t elements = geometry(spec.type.shape, spec.layout, spec.placement).elements;
  spec.bytes = (elements * 4 + 63) / 64 * 64 + 64;
  return spec;
}

float at(const BufferSpec& spec, const GuardedBuffer& buffer, const std::vector<int64_t>& index) {
  const Geometry g = geometry(spec.type.shape, spec.layout, spec.placement);
  float value;
  std::memcpy(&value, buffer.data() + 4 * element_offset(g, index), 4);
  return value;
}

std::vector<float> counted(const BufferSpec& spec) {
  std::vector<float> plain(static_cast<size_t>(element_count(spec.type.shape)));
  std::iota(plain.begin(), plain.end(), 1.0f);
  return plain;
}

TEST(Pack, RoundTripsThroughABlockedLayoutWithHalo) {
  const BufferSpec spec = blocked_with_halo();
  auto buffer = GuardedBuffer::allocate(spec.bytes);
  ASSERT_TRUE(buffer);
  pack(spec, std::span<const float>(counted(spec)), 99, buffer->data());
  EXPECT_EQ(unpack(spec, buffer->data()), counted(spec));
  EXPECT_EQ(at(spec, *buffer, {0, 1, 0, 2}), 1 + 15 + 2);
}

TEST(Pack, FillsHaloAndPaddingLanesDifferently) {
  const BufferSpec spec = blocked_with_halo();
  auto buffer = GuardedBuffer::allocate(spec.bytes);
  ASSERT_TRUE(buffer);
  pack(spec, std::span<const float>(counted(spec)), 99, buffer->data());
  EXPECT_EQ(at(spec, *buffer, {0, 0, -1, 0}), -7);
  EXPECT_EQ(at(spec, *buffer, {0, 5, 3, 5}), -7);
  EXPECT_EQ(at(spec, *buffer, {0, 2, 1, -2}), -7);
  EXPECT_EQ(at(spec, *buffer, {0, 6, 1, 1}), 99) << "a padding lane inside";
  float last;
  std::memcpy(&last, buffer->data() + spec.bytes - 4, 4);
  EXPECT_EQ(last, 99) << "slack";
}

TEST(Pack, WidensToFloat64) {
  BufferSpec spec;
  spec.type = {DType::f64, {2, 3}};
  spec.layout = Layout::plain(2);
  spec.bytes = 128;
  auto buffer = GuardedBuffer::allocate(spec.bytes);
  ASSERT_TRUE(buffer);
  pack(spec, std::span<const float>(counted(spec)), 0, buffer->data());
  EXPECT_EQ(unpack_double(spec, buffer->data()), (std::vector<double>{1, 2, 3, 4, 5, 6}));
}

TEST(Pack, LeavesOtherTensorsChannelsToThePadding) {
  BufferSpec spec;
  spec.type = {DType::f32, {1, 4, 2, 2}};
  spec.layout = Layout::channel_blocked(4);
  spec.placement.buffer_channels = 12;
  spec.placement.channel_offset = 4;
  spec.bytes = 12 * 4 * 4 + 64;
  auto buffer = GuardedBuffer::allocate(spec.bytes);
  ASSERT_TRUE(buffer);
  pack(spec, std::span<const float>(counted(spec)), 99, buffer->data());
  EXPECT_EQ(unpack(spec, buffer->data()), counted(spec));
  EXPECT_EQ(reinterpret_cast<float*>(buffer->data())[0], 99);
  EXPECT_EQ(reinterpret_cast<float*>(buffer->data())[16], 1);
  EXPECT_EQ(reinterpret_cast<float*>(buffer->data())[32], 99);
}

TEST(Poison, IsNotANumberInBothFloatTypes) {
  auto buffer = GuardedBuffer::allocate(64);
  ASSERT_TRUE(buffer);
  poison(buffer->data(), 64);
  EXPECT_TRUE(std::isnan(*reinterpret_cast<float*>(buffer->data())));
  EXPECT_TRUE(std::isnan(*reinterpret_cast<double*>(buffer->data())));
}

TEST(GuardedBufferDeathTest, CrashesOnAWriteBeyondItsEnd) {
  auto buffer = GuardedBuffer::allocate(192);
  ASSERT_TRUE(buffer);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer->data()) % 64, 0u);
  volatile char* end = reinterpret_cast<char*>(buffer->data()) + 192;
  EXPECT_DEATH(*end = 1, "");
}

}  // namespace
}  // namespace hone
