#include "tuner/cli/output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
