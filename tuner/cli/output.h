// What the commands print: data on stdout, messages on stderr, colours only on a terminal, tables with
// aligned columns. Names and texts of models, peers and files are shown as text here
// (codegen/base/printable.h), so that no command has to think of it.
#pragma once

#include <string>
#include <vector>

#include "codegen/base/result.h"

namespace hone::cli {

enum class Colour : uint8_t { none, bold, dim, red, green, yellow };

class Output {
 public:
  Output();  ///< looks at stdout, stderr and NO_COLOR
  bool data_is_terminal() const { return data_terminal_; }
  bool messages_are_terminal() const { return message_terminal_; }

  void data(const std::string& line) const;     ///< stdout, one line whatever is in it
  void message(const std::string& line) const;  ///< stderr, likewise
  /// A line of the result for people: on stdout, or on stderr if stdout is to hold JSON alone.
  void result(bool stdout_is_json, const std::string& line) const {
    stdout_is_json ? message(line) : data(line);
  }
  /// "hone: error: where: what" and the hint on a line of its own, on stderr.
  void error(const Error& error) const;
  void warning(const std::string& line) const;
  /// Text as it should look on stderr: clean, and plain where that is no terminal. For what is drawn there.
  std::string for_messages(Colour colour, const std::string& text) const;
  /// Puts drawn text on stderr as it is.
  void draw(const std::string& text) const;

 private:
  void tell(Colour colour, const char* kind, const std::string& text) const;
  bool data_terminal_, message_terminal_, colours_;
};

/// A JSON value on one line, for stdout: ASCII, so that nothing in it acts on a terminal; bytes of a name
/// that are no UTF-8 are replaced by U+FFFD.
template <class Json>
std::string json_line(const Json& json) {
  return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

/// Rows of cells under a heading; a column whose cells all are numbers (after an optional unit) is
/// right-aligned.
class Table {
 public:
  explicit Table(std::vector<std::string> heading) : heading_(std::move(heading)) {}
  void add(std::vector<std::string> row);
  /// Lines without a final newline each; columns are two spaces apart.
  std::vector<std::string> lines() const;

 private:
  std::vector<std::string> heading_;
  std::vector<std::vector<std::string>> rows_;
};

std::string format_seconds(double seconds);  ///< "2.52 ms", "310 us", "1.2 s", "3 min 05 s"
std::string format_count(double count);      ///< "1,842"
std::string format_amount(double amount,
                          const std::string& unit);  ///< "0.70 GFLOP", "4.9 MB": powers of 1000

}  // namespace hone::cli
