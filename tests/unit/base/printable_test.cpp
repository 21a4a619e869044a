// What reaches a terminal is text and nothing else.
#include "codegen/base/printable.h"

#include <gtest/gtest.h>

#include <random>

namespace hone {
namespace {

TEST(Printable, LeavesTextAsItIs) {
  for (const char* text : {"", "conv1x1 64>16 55x55 +relu", "C:\\models\\a.onnx", "größer 日本語 🙂 e\u0301"})
    EXPECT_EQ(printable(text), text);
}

TEST(Printable, ShowsControlCharactersAsEscapes) {
  EXPECT_EQ(printable("a\x1b[2Jb\x07"), "a\\x1b[2Jb\\x07");
  EXPECT_EQ(printable("two\nlines\r\tand\x7f"), "two\\nlines\\r\\tand\\x7f");
  EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(printable("\xc2\x9b[31m"), "\\u009b[31m") << "C1: some terminals take it for ESC [";
}

TEST(Printable, ShowsWhatTurnsTheDirectionOfWritingAround) {
  EXPECT_EQ(printable("a\u202eb\u2066c\u2069\u200f"), "a\\u202eb\\u2066c\\u2069\\u200f");
  EXPECT_EQ(printable("line\u2028next"), "line\\u2028next");
}

TEST(Printable, ShowsBytesThatAreNoUtf8) {
  EXPECT_EQ(printable("\xff\x80z"), "\\xff\\x80z");
  EXPECT_EQ(printable("\xc0\xaf"), "\\xc0\\xaf") << "an overlong form of /";
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80") << "a surrogate";
  EXPECT_EQ(printable("\xf5\x80\x80\x80"), "\\xf5\\x80\\x80\\x80") << "beyond U+10FFFF";
  EXPECT_EQ(printable("caf\xc3"), "caf\\xc3") << "cut in the middle";
}

TEST(Printable, IsAtMostAsLongAsAskedAndNeverCutInACharacterOrAnEscape) {
  EXPECT_EQ(printable("0123456789", 10), "0123456789");
  EXPECT_EQ(printable("0123456789a", 10), "0123456...");
  EXPECT_EQ(printable("ab\x1b\x1b\x1b", 10), "ab\\x1b...");
  EXPECT_EQ(printable("日本語日本語", 10), "日本...");
  EXPECT_EQ(printable("abcdef", 2), "..");
  EXPECT_EQ(printable("abcdef", 0), "");
}

TEST(Printable, GivesOfAnyBytesTheSameWhenItIsCleanedTwice) {
  std::mt19937 random(7);
  for (int i = 0; i < 20000; ++i) {
    std::string text(random() % 24, '\0');
    for (char& c : text) c = static_cast<char>(random() % 3 ? random() : 0xe2);
    const std::string once = printable(text);
    ASSERT_EQ(printable(once), once);
    for (const unsigned char c : once) ASSERT_TRUE(c >= 0x20 && c != 0x7f);
    ASSERT_LE(printable(text, 9).size(), 9u);
  }
}

}  // namespace
}  // namespace hone
