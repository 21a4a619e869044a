#include "tuner/cli/output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "codegen/base/console.h"
#include "codegen/base/printable.h"

namespace hone::cli {
namespace {

constexpr size_t kMostMessageBytes = 8192, kMostCellBytes = 1024;

std::string coloured(Colour colour, const std::string& text) {
  constexpr std::array<const char*, 6> codes{"0", "1", "2", "31", "32", "33"};
  if (colour == Colour::none) return text;
  return fmt::format("\033[{}m{}\033[0m", codes[static_cast<size_t>(colour)], text);
}

bool starts_like_a_number(const std::string& cell) {
  return cell.empty() || cell == "-" || (cell[0] >= '0' && cell[0] <= '9') ||
         (cell.size() > 1 && (cell[0] == '-' || cell[0] == '+') && cell[1] >= '0' && cell[1] <= '9');
}

/// Columns that a UTF-8 text takes, one for each code point.
size_t width(const std::string& text) {
  return std::count_if(text.begin(), text.end(), [](unsigned char byte) { return (byte & 0xC0) != 0x80; });
}

}  // namespace

Output::Output()
    : data_terminal_(isatty(STDOUT_FILENO) == 1),
      message_terminal_(isatty(STDERR_FILENO) == 1),
      colours_(std::getenv("NO_COLOR") == nullptr) {}

void Output::data(const std::string& line) const { print_line(line); }
void Output::message(const std::string& line) const { say("", line); }

void Output::tell(Colour colour, const char* kind, const std::string& text) const {
  draw(fmt::format("hone: {}: {}\n", for_messages(colour, kind), printable(text, kMostMessageBytes)));
}

void Output::error(const Error& error) const {
  const std::string where = error.where.empty() ? "" : error.where + ": ";
  tell(Colour::red, "error", where + error.what);
  if (!error.hint.empty()) message("  " + error.hint);
}

void Output::warning(const std::string& line) const { tell(Colour::yellow, "warning", line); }

std::string Output::for_messages(Colour colour, const std::string& text) const {
  const std::string clean = printable(text);
  return message_terminal_ && colours_ ? coloured(colour, clean) : clean;
}

void Output::draw(const std::string& text) const {
  (void)std::fwrite(text.data(), 1, text.size(), stderr);
  (void)std::fflush(stderr);
}

void Table::add(std::vector<std::string> row) {
  // As they are shown, so that columns stay aligned; JSON has the whole of a name that long.
  for (std::string& cell : row) cell = printable(cell, kMostCellBytes);
  rows_.push_back(std::move(row));
}

std::vector<std::string> Table::lines() const {
  std::vector<size_t> widths(heading_.size());
  std::vector<bool> right(heading_.size(), !rows_.empty());
  for (size_t c = 0; c < heading_.size(); ++c) {
    widths[c] = width(heading_[c]);
    for (const auto& row : rows_) {
      widths[c] = std::max(widths[c], width(row.at(c)));
      if (!starts_like_a_number(row[c])) right[c] = false;
    }
  }
  const auto format_row = [&](const std::vector<std::string>& row) {
    std::string line;
    for (size_t c = 0; c < row.size(); ++c) {
      const std::string space(widths[c] - width(row[c]), ' ');
      line += (c > 0 ? "  " : "") + (right[c] ? space + row[c] : row[c] + space);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    return line;
  };
  std::vector<std::string> lines{format_row(heading_)};
  for (const auto& row : rows_) lines.push_back(format_row(row));
  return lines;
}

std::string format_seconds(double seconds) {
  if (seconds >= 60) {
    const auto whole = static_cast<int64_t>(std::llround(seconds));
    return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  }
  if (seconds >= 1) return fmt::format("{:.1f} s", seconds);
  if (seconds >= 1e-3) return fmt::format("{:.2f} ms", seconds * 1e3);
  return fmt::format("{:.1f} us", seconds * 1e6);
}

std::string format_count(double count) {
  std::string digits = fmt::format("{:.0f}", count);
  for (int at = static_cast<int>(digits.size()) - 3; at > (digits[0] == '-' ? 1 : 0); at -= 3)
    digits.insert(at, ",");
  return digits;
}

std::string format_amount(double amount, const std::string& unit) {
  constexpr std::array<const char*, 5> prefixes{"", "k", "M", "G", "T"};
  size_t power = 0;
  while (std::abs(amount) >= 1000 && power + 1 < prefixes.size()) {
    amount /= 1000;
    ++power;
  }
  const int digits = power == 0 ? 0 : std::abs(amount) < 10 ? 2 : std::abs(amount) < 100 ? 1 : 0;
  return fmt::format("{:.{}f} {}{}", amount, digits, prefixes[power], unit);
}

}  // namespace hone::cli
