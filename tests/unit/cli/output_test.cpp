#include "tuner/cli/output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace hone::cli {
namespace {

using testing::ElementsAre;

TEST(Table, AlignsNumbersRightAndTextLeft) {
  Table table({"task", "best"});
  table.add({"conv", "1.25 ms"});
  table.add({"dense layer", "10.5 ms"});
  EXPECT_THAT(table.lines(),
              ElementsAre("task            best", "conv         1.25 ms", "dense layer  10.5 ms"));
}

TEST(Table, ShowsNamesAsTextAndKeepsItsColumns) {
  Table table({"name", "best"});
  table.add({"a\x1b[2J", "1.25 ms"});
  table.add({"two\nlines", "10.5 ms"});
  EXPECT_THAT(table.lines(),
              ElementsAre("name           best", "a\\x1b[2J    1.25 ms", "two\\nlines  10.5 ms"));
}

TEST(JsonLine, IsAsciiWhateverANameHolds) {
  nlohmann::json json;
  json["name"] = "\x1b[2J\u00e9\xc2\x9b\xff\x7f";
  const std::string line = json_line(json);
  for (const unsigned char c : line) EXPECT_TRUE(c >= 0x20 && c < 0x7f) << line;
  EXPECT_EQ(nlohmann::json::parse(line)["name"], "\x1b[2J\u00e9\xc2\x9b\ufffd\x7f");
}

TEST(Format, TimesHaveThreeDigitsAndAUnit) {
  EXPECT_EQ(format_seconds(2.52e-3), "2.52 ms");
  EXPECT_EQ(format_seconds(31.4e-6), "31.4 us");
  EXPECT_EQ(format_seconds(12), "12.0 s");
  EXPECT_EQ(format_seconds(185), "3 min 05 s");
}

TEST(Format, CountsHaveThousandsSeparators) {
  EXPECT_EQ(format_count(1842), "1,842");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(1234567), "1,234,567");
}

TEST(Format, AmountsHavePrefixes) {
  EXPECT_EQ(format_amount(0.7e9, "FLOP"), "700 MFLOP");
  EXPECT_EQ(format_amount(4.9e6, "B"), "4.90 MB");
  EXPECT_EQ(format_amount(12, "B"), "12 B");
}

}  // namespace
}  // namespace hone::cli
