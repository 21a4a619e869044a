// The planner's parts by themselves: memory, versions, margins, ELF objects.
#include <gmock/gmock.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "codegen/model/elf_object.h"
#include "codegen/model/margins.h"
#include "codegen/model/memory.h"
#include "codegen/model/versions.h"

namespace hone {
namespace {

TEST(Memory, NeverOverlapsWhatLivesAtTheSameTime) {
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    std::vector<Life> lives;
    for (int i = 0; i < 40; ++i) {
      const int first = static_cast<int>(random() % 30);
      lives.push_back({static_cast<int64_t>(random() % 5000), first, first + static_cast<int>(random() % 6)});
    }
    const MemoryPlan plan = plan_memory(lives);
    int64_t sum = 0;
    for (size_t a = 0; a < lives.size(); ++a) {
      EXPECT_EQ(plan.offsets[a] % 64, 0);
      EXPECT_LE(plan.offsets[a] + lives[a].bytes, plan.bytes);
      sum += (lives[a].bytes + 63) / 64 * 64;
      for (size_t b = 0; b < a; ++b) {
        const bool same_time = lives[a].first <= lives[b].last && lives[b].first <= lives[a].last;
        const bool overlap = plan.offsets[a] < plan.offsets[b] + lives[b].bytes &&
                             plan.offsets[b] < plan.offsets[a] + lives[a].bytes;
        EXPECT_FALSE(same_time && overlap && lives[a].bytes > 0 && lives[b].bytes > 0) << a << " " << b;
      }
    }
    EXPECT_LT(plan.bytes, sum);
  }
}

/// What plan_memory gives, with a look at every buffer placed so far.
std::vector<int64_t> planned_slowly(const std::vector<Life>& lives) {
  std::vector<size_t> order(lives.size()), placed;
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, [&](size_t a, size_t b) { return lives[a].bytes > lives[b].bytes; });
  std::vector<int64_t> offsets(lives.size(), 0);
  for (const size_t one : order) {
    for (const size_t other : placed) {
      if (lives[other].first > lives[one].last || lives[other].last < lives[one].first) continue;
      if (offsets[other] >= offsets[one] + lives[one].bytes) break;
      offsets[one] = std::max(offsets[one], (offsets[other] + lives[other].bytes + 63) / 64 * 64);
    }
    placed.insert(
        std::ranges::upper_bound(placed, one, [&](size_t a, size_t b) { return offsets[a] < offsets[b]; }),
        one);
  }
  return offsets;
}

TEST(Memory, IsPlannedAsIfEveryOtherBufferWereLookedAt) {
  std::mt19937 random(11);
  for (int round = 0; round < 60; ++round) {
    std::vector<Life> lives;
    const int longest = round % 3 == 0 ? 3 : 50;
    for (int i = 0; i < 120; ++i) {
      const int first = static_cast<int>(random() % 60);
      lives.push_back({static_cast<int64_t>(random() % 3000), first,
                       first + static_cast<int>(random() % static_cast<unsigned>(longest))});
    }
    EXPECT_EQ(plan_memory(lives).offsets, planned_slowly(lives));
  }
}

TEST(Memory, ReusesWhatADeadBufferHad) {
  const MemoryPlan plan = plan_memory({{1000, 0, 1}, {1000, 1, 2}, {1000, 2, 3}, {1000, 3, 4}});
  EXPECT_EQ(plan.bytes, 2048);
}

TEST(Versions, GivesTheWidestMarginOfAllReaders) {
  Versions versions;
  const int id = versions.add(0, {DType::f32, {1, 16, 8, 8}}, Layout::channel_blocked(16));
  EXPECT_EQ(versions.find(0, Layout::channel_blocked(16), {{0, 0, 1, 1}, {0, 0, 1, 1}, 0}), id);
  EXPECT_EQ(versions.find(0, Layout::channel_blocked(16), {{0, 0, 0, 2}, {0, 0, 0, 0}, 0}), id);
  EXPECT_EQ(versions.port(id, Layout::channel_blocked(16)).placement.halo_before,
            (std::vector<int64_t>{0, 0, 1, 2}));
}

TEST(Versions, KeepsReadersApartThatWantOtherMarginValues) {
  Versions versions;
  const int id = versions.add(0, {DType::f32, {1, 16, 8, 8}}, Layout::channel_blocked(16));
  const Margin zero{{0, 0, 1, 1}, {0, 0, 1, 1}, 0}, low{{0, 0, 1, 1}, {0, 0, 1, 1}, -1e30f};
  EXPECT_EQ(versions.find(0, Layout::channel_blocked(16), zero), id);
  EXPECT_EQ(versions.find(0, Layout::channel_blocked(16), low), -1);
  EXPECT_EQ(versions.find(0, Layout::channel_blocked(16), {}), id) << "who wants none can read inside any";
}

TEST(Versions, SeesThatOnePixelOfWholeBlocksIsPlain) {
  EXPECT_TRUE(same_memory_order({1, 64, 1, 1}, Layout::channel_blocked(16), Layout::plain(4)));
  EXPECT_FALSE(same_memory_order({1, 65, 1, 1}, Layout::channel_blocked(16), Layout::plain(4)));
  EXPECT_FALSE(same_memory_order({1, 64, 1, 2}, Layout::channel_blocked(16), Layout::plain(4)));
}

TEST(Versions, MakesPartsOnlyAtWholeBlocks) {
  Versions versions;
  const int a = versions.add(0, {DType::f32, {1, 32, 8, 8}}, Layout::channel_blocked(16));
  const int b = versions.add(1, {DType::f32, {1, 24, 8, 8}}, Layout::channel_blocked(16));
  const int whole = versions.add(2, {DType::f32, {1, 80, 8, 8}}, Layout::channel_blocked(16));
  EXPECT_TRUE(versions.make_part(a, whole, 0));
  EXPECT_FALSE(versions.make_part(b, whole, 32)) << "padding lanes in the middle";
  EXPECT_FALSE(versions.make_part(b, whole, 50)) << "an offset inside a block";
  EXPECT_EQ(versions.port(a, Layout::channel_blocked(16)).placement.buffer_channels, 80);
}

/// Marks by brute force which elements of a buffer are margin.
TEST(Margins, CoverEveryElementOfTheHaloAndNothingElse) {
  std::mt19937 random(3);
  for (int round = 0; round < 60; ++round) {
    const auto small = [&](int64_t n) { return static_cast<int64_t>(random() % static_cast<unsigned>(n)); };
    const TensorType type{DType::f32, {1 + small(2), 1 + small(9), 1 + small(5), 1 + small(5)}};
    Port port{small(2) ? Layout::channel_blocked(4) : Layout::plain(4), {}};
    port.placement.halo_before = {0, 0, small(3), small(3)};
    port.placement.halo_after = {0, 0, small(3), small(3)};
    const Geometry g = geometry(type.shape, port.layout, port.placement);
    std::vector<int> marks(static_cast<size_t>(g.elements), 0);
    for (const hone_fill& fill : margin_fills(type, port, 1, 0))
      for (int64_t i = 0; i < fill.planes; ++i)
        for (int64_t j = 0; j < fill.rows; ++j)
          for (int64_t k = 0; k < fill.run; ++k) {
            const int64_t at = fill.base / 4 + i * fill.plane_stride + j * fill.row_stride + k;
            ASSERT_GE(at, 0);
            ASSERT_LT(at, g.elements);
            ++marks[static_cast<size_t>(at)];
          }
    const int64_t block = port.layout.blocks.empty() ? 1 : 4;
    const int64_t channels = (type.shape[1] + block - 1) / block * block;
    for (int64_t n = 0; n < type.shape[0]; ++n)
      for (int64_t c = 0; c < channels; ++c)
        for (int64_t h = -port.placement.halo_before[2]; h < type.shape[2] + port.placement.halo_after[2];
             ++h)
          for (int64_t w = -port.placement.halo_before[3]; w < type.shape[3] + port.placement.halo_after[3];
               ++w) {
            const bool inside = h >= 0 && h < type.shape[2] && w >= 0 && w < type.shape[3];
            EXPECT_EQ(marks[static_cast<size_t>(element_offset(g, {n, c, h, w}))], inside ? 0 : 1)
                << to_text(port.placement) << " " << h << " " << w;
          }
  }
}

TEST(ElfObject, RefusesATripleItDoesNotKnow) {
  const auto object = ElfObject::create("riscv64-linux-gnu");
  ASSERT_FALSE(object);
  EXPECT_THAT(object.error().text(), testing::HasSubstr("not for riscv64-linux-gnu"));
}

}  // namespace
}  // namespace hone
