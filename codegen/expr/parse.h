// Private to codegen/expr: a cursor over one line, with what index and scalar parsers share.
#pragma once

#include <string>
#include <string_view>

#include "codegen/base/result.h"
#include "codegen/expr/index.h"

namespace hone {

/// Skips blanks before every token; errors say the column.
class Cursor {
 public:
  Cursor(std::string_view text, std::string where) : text_(text), where_(std::move(where)) {}

  bool done();
  bool peek(std::string_view token);
  bool take(std::string_view token);    ///< if it comes next
  Status expect(std::string_view token);
  Result<std::string> name();           ///< letters, digits, '_' and '.', not beginning with a digit
  bool at_name();
  bool at_number();
  Result<int64_t> integer();            ///< without sign
  Result<double> number();              ///< with sign, "inf" and "nan" too
  std::string_view rest();
  tl::unexpected<Error> error(const std::string& what);

 private:
  void skip();
  std::string_view text_;
  std::string where_;
  size_t at_ = 0;
};

/// An index up to the first token that is no part of it; the notation of to_text(Index).
Result<Index> parse_index(Cursor& cursor);

}  // namespace hone
