// What flags hold.
#include "tuner/cli/values.h"

#include <gmock/gmock.h>

namespace hone::cli {
namespace {

using testing::ElementsAre;

TEST(ParseDuration, ReadsSecondsMinutesAndHours) {
  EXPECT_EQ(*parse_duration("60s"), 60);
  EXPECT_EQ(*parse_duration("60"), 60);
  EXPECT_EQ(*parse_duration("2m"), 120);
  EXPECT_EQ(*parse_duration("0.5h"), 1800);
  EXPECT_EQ(*parse_duration("250ms"), 0.25);
}

TEST(ParseDuration, RefusesWhatIsNone) {
  for (const char* text : {"", "soon", "-1s", "0", "5 s", "5d", "nan", "inf"}) {
    const auto duration = parse_duration(text);
    ASSERT_FALSE(duration) << text;
    EXPECT_THAT(duration.error().text(), testing::HasSubstr("is no duration"));
  }
}

TEST(BuildFlags, ParseNumbersAndQuotients) {
  EXPECT_THAT(*parse_floats("0.485,1,-2e-3"), ElementsAre(0.485f, 1.0f, -2e-3f));
  EXPECT_FLOAT_EQ(*parse_scale("1/255"), 1.0f / 255);
  EXPECT_FLOAT_EQ(*parse_scale("0.5"), 0.5f);
  for (const char* bad : {"", "1,", "1/0", "x", "1/2/3", "1 "}) EXPECT_FALSE(parse_scale(bad)) << bad;
}

}  // namespace
}  // namespace hone::cli
