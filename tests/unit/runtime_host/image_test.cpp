// Our own loader: what it maps, with which rights, and that relative relocations hold.
#include <gmock/gmock.h>
#include <unistd.h>

#include <utility>

#include "codegen/runtime/host/host.h"
#include "tests/unit/runtime_host/elf_file.h"

namespace hone {
namespace {

bool lies_in(const void* address, std::span<const std::byte> range) {
  return address >= range.data() && address < range.data() + range.size();
}

TEST(Image, IsRelocatedWhereverItLies) {
  const auto bytes = fixture("relocated");
  auto first = LoadedArtifact::load(bytes), second = LoadedArtifact::load(bytes);
  ASSERT_TRUE(first && second) << first.error().text();
  EXPECT_NE(reinterpret_cast<void*>(first->run_function()), reinterpret_cast<void*>(second->run_function()));
  float y[16] = {};
  void* buffers[] = {y};
  first->run(buffers);  // both of the phase's indices, the last of which stays
  EXPECT_THAT(std::vector<float>(y, y + 4), testing::ElementsAre(105, 106, 107, 108));
  first->run_range(buffers, 0, 0, 1);
  EXPECT_THAT(std::vector<float>(y, y + 4), testing::ElementsAre(201, 202, 203, 204));
  second->run_range(buffers, 0, 0, 1);  // its data is its own
  EXPECT_THAT(std::vector<float>(y, y + 4), testing::ElementsAre(101, 102, 103, 104));
}

TEST(Image, TellsWhereItsCodeAndConstantsLie) {
  const auto image = LoadedImage::load(fixture("hidden"));
  ASSERT_TRUE(image) << image.error().text();
  ASSERT_EQ(image->ranges().size(), 4u);
  EXPECT_TRUE(lies_in(image->function("hone_run"), image->ranges()[1]));
  const auto artifact = LoadedArtifact::load(fixture("hidden"));
  ASSERT_TRUE(artifact);
  EXPECT_TRUE(lies_in(reinterpret_cast<void*>(artifact->run_function()), artifact->ranges()[1]));
}

TEST(Image, HasNoFunctionsButThoseThatItExports) {
  const auto image = LoadedImage::load(fixture("hidden"));
  ASSERT_TRUE(image) << image.error().text();
  EXPECT_NE(image->function("hone_prepare"), nullptr);
  EXPECT_EQ(image->function("hone_signature"), nullptr);  // no function
  EXPECT_EQ(image->function("prepare"), nullptr);
  EXPECT_EQ(image->function(""), nullptr);
}

TEST(Image, StaysWhenItIsMoved) {
  auto image = LoadedImage::load(fixture("hidden"));
  ASSERT_TRUE(image) << image.error().text();
  void* const before = image->function("hone_run");
  LoadedImage moved = std::move(*image);
  EXPECT_EQ(moved.function("hone_run"), before);
  EXPECT_EQ(image->function("hone_run"), nullptr);
}

void call(const LoadedImage& image, const char* function) {
  reinterpret_cast<void (*)()>(image.function(function))();
}

TEST(ImageDeathTest, CodeAndRelocatedConstantsCannotBeWritten) {
  const auto image = LoadedImage::load(fixture("relocated"));
  ASSERT_TRUE(image) << image.error().text();
  EXPECT_DEATH(call(*image, "write_constant"), "");
  EXPECT_DEATH(call(*image, "write_code"), "");
}

TEST(ImageDeathTest, DataIsNotRun) {
  const auto image = LoadedImage::load(fixture("relocated"));
  ASSERT_TRUE(image) << image.error().text();
  const auto data = image->ranges().back();
  EXPECT_DEATH(reinterpret_cast<void (*)()>(const_cast<std::byte*>(data.data()))(), "");
}

TEST(ImageDeathTest, BeforeAndBehindItIsNothing) {
  const auto image = LoadedImage::load(fixture("relocated"));
  ASSERT_TRUE(image) << image.error().text();
  const std::byte* begin = image->ranges().front().data();
  const auto last = image->ranges().back();
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const std::byte* end = last.data() + last.size();
  end += (page - reinterpret_cast<uintptr_t>(end) % page) % page;
  EXPECT_DEATH((void)*static_cast<const volatile std::byte*>(begin - 1), "");
  EXPECT_DEATH((void)*static_cast<const volatile std::byte*>(end), "");
}

}  // namespace
}  // namespace hone
