// Where an artifact's buffers lie, and that nothing of an earlier artifact is left between them.
#include "devices/workspace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "codegen/runtime/host/host.h"
#include "devices/memory.h"

namespace hone {
namespace {

using testing::HasSubstr;

BufferSpec buffer(const char* name, Role role, int64_t elements) {
  BufferSpec spec;
  spec.name = name;
  spec.role = role;
  spec.type = {DType::f32, {elements}};
  spec.layout = Layout::plain(1);
  spec.bytes = (elements * 4 + 63) / 64 * 64 + 64;
  return spec;
}

Signature signature() {
  Signature s;
  s.buffers = {buffer("x", Role::input, 100), buffer("w.packed", Role::constant, 2000),
               buffer("y", Role::output, 50), buffer("t", Role::scratch, 10)};
  s.constants = {{"w", {DType::f32, {2000}}, {}}};
  return s;
}

constexpr size_t page = 4096, plenty = size_t{1} << 30;

struct Placed {
  explicit Placed(Workspace w) : workspace(std::move(w)), pages(Pages::Kind::shared, workspace.bytes()) {
    std::memset(pages.data(), 0x5e, pages.bytes());  // what an earlier candidate left
    workspace.place(pages.data());
  }
  void fill() {
    std::vector<float> work(workspace.largest_tensor());
    workspace.fill("seed", work);
  }
  Workspace workspace;
  Pages pages;
};

TEST(Workspace, BuffersEndJustBeforeAClosedPage) {
  Placed placed(*Workspace::plan(signature(), 1, 0, plenty));
  const Signature s = signature();
  for (size_t i = 0; i < s.buffers.size(); ++i) {
    const auto end = reinterpret_cast<uintptr_t>(placed.workspace.checked()[i]) +
                     static_cast<uintptr_t>(s.buffers[i].bytes);
    EXPECT_EQ(end % page, 0u) << s.buffers[i].name;
  }
  ASSERT_TRUE(placed.workspace.map());
  auto* y = static_cast<std::byte*>(placed.workspace.checked()[2]);
  EXPECT_DEATH(*const_cast<volatile std::byte*>(y + s.buffers[2].bytes) = std::byte{1}, "");
}

TEST(Workspace, TimedRunsHaveOutputsOfTheirOwnAndPlacesInputsToo) {
  Placed placed(*Workspace::plan(signature(), 5, 1 << 20, plenty));
  const auto checked = placed.workspace.checked();
  ASSERT_EQ(placed.workspace.places(), 5);
  std::set<void*> inputs, outputs = {checked[2]};
  for (int place = 0; place < 5; ++place) {
    const auto at = placed.workspace.at(place);
    EXPECT_TRUE(outputs.insert(at[2]).second);
    inputs.insert(at[0]);
    EXPECT_EQ(at[1], checked[1]) << "constants are the same";
    EXPECT_EQ(at[3], checked[3]) << "so is scratch";
  }
  EXPECT_EQ(inputs.size(), 5u) << "the first has the checked run's";
}

TEST(Workspace, PlacesAreAsManyAsFit) {
  EXPECT_EQ(Placed(*Workspace::plan(signature(), 64, 0, plenty)).workspace.places(), 1);
  const int some = Placed(*Workspace::plan(signature(), 64, 4000, plenty)).workspace.places();
  EXPECT_GT(some, 1);
  EXPECT_LT(some, 64);
}

TEST(Workspace, NothingOfAnEarlierArtifactIsLeft) {
  Placed placed(*Workspace::plan(signature(), 7, 1 << 20, plenty));
  placed.fill();
  ASSERT_TRUE(placed.workspace.map());
  // All pages that are not closed.
  size_t left = 0;
  const std::set<uintptr_t> closed = [&] {
    std::set<uintptr_t> pages;
    for (const auto pointers : {placed.workspace.checked(), placed.workspace.at(0)})
      for (size_t i = 0; i < pointers.size(); ++i) {
        const auto begin = reinterpret_cast<uintptr_t>(pointers[i]) / page * page;
        const auto end =
            reinterpret_cast<uintptr_t>(pointers[i]) + static_cast<uintptr_t>(signature().buffers[i].bytes);
        pages.insert(begin - page), pages.insert(end);
      }
    const auto logical = reinterpret_cast<uintptr_t>(placed.workspace.prepare()[0]) / page * page;
    pages.insert(logical - page);
    return pages;
  }();
  const auto first = reinterpret_cast<uintptr_t>(placed.pages.data());
  for (uintptr_t at = first; at < first + placed.workspace.bytes(); at += page) {
    if (closed.contains(at)) continue;
    const auto* bytes = reinterpret_cast<const std::byte*>(at);
    for (size_t i = 0; i + 8 <= page; i += 8) left += std::count(bytes + i, bytes + i + 8, std::byte{0x5e}) == 8;
  }
  EXPECT_EQ(left, 0u);
}

TEST(Workspace, OutputsOfTimedRunsThatDifferAreNamed) {
  Placed placed(*Workspace::plan(signature(), 1, 0, plenty));
  placed.fill();
  EXPECT_EQ(placed.workspace.differing_output(), "") << "both are poisoned alike";
  *static_cast<float*>(placed.workspace.at(0)[2]) = 1;
  EXPECT_EQ(placed.workspace.differing_output(), "y");
  placed.workspace.poison_outputs(0);
  EXPECT_EQ(placed.workspace.differing_output(), "");
}

TEST(Workspace, SizesBeyondTheLimitAreAnError) {
  Signature huge = signature();
  huge.buffers[2].bytes = int64_t{1} << 42;
  EXPECT_THAT(Workspace::plan(huge, 1, 0, plenty).error().text(),
              HasSubstr("more than the 1073741824 bytes that a candidate may have"));
  Signature overflowing = signature();
  for (BufferSpec& spec : overflowing.buffers) spec.bytes = INT64_MAX;
  EXPECT_FALSE(Workspace::plan(overflowing, 1, 0, SIZE_MAX));
}

}  // namespace
}  // namespace hone
