// Bodies: what a task's text refers to by digest.
#include "codegen/base/bodies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hone {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto* data = reinterpret_cast<const std::byte*>(text.data());
  return {data, data + text.size()};
}

TEST(Bodies, ATextNamesThemOnLinesOfTheirOwn) {
  const Digest nodes = digest_of("nodes"), table = digest_of("table");
  const std::string text =
      "toy v1\n" + to_text(BodyName{"nodes", nodes}) + "x 3\n" + to_text(BodyName{"table", table});
  EXPECT_THAT(bodies_named(text), ElementsAre(BodyName{"nodes", nodes}, BodyName{"table", table}));
}

TEST(Bodies, WhatIsNoWholeLineNamesNone) {
  const std::string digest = digest_of("nodes").hex();
  for (const std::string& line : std::vector<std::string>{
           "body n " + digest + "0", "body n " + digest.substr(1), "body  " + digest, "body " + digest,
           " body n " + digest, "body n m " + digest, "body n", "body n " + std::string(64, 'A'), "body "})
    EXPECT_THAT(bodies_named(line + "\n"), IsEmpty()) << line;
}

TEST(Bodies, AreFoundByTheirDigest) {
  Bodies bodies;
  const Digest digest = bodies.add(bytes_of("the nodes"));
  EXPECT_EQ(digest, digest_of("the nodes"));
  EXPECT_EQ(bodies.add(bytes_of("the nodes")), digest);
  EXPECT_EQ(bodies.size(), 1u);
  const auto found = bodies.find({"nodes", digest});
  ASSERT_TRUE(found);
  EXPECT_EQ(**found, bytes_of("the nodes"));
  const auto other = bodies.find({"nodes", digest_of("others")});
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().text(), HasSubstr("its body 'nodes' ("));
  EXPECT_THAT(other.error().text(), HasSubstr(") is not here"));
}

TEST(Bodies, MissingOnesAreEachNamedOnce) {
  Bodies bodies;
  const Digest here = bodies.add(bytes_of("here")), there = digest_of("there");
  const std::string text =
      to_text(BodyName{"a", here}) + to_text(BodyName{"b", there}) + to_text(BodyName{"c", there});
  EXPECT_THAT(bodies.missing(text), ElementsAre(there));
}

}  // namespace
}  // namespace hone
