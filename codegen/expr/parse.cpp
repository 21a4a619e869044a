// Tokens and index expressions.
#include "codegen/expr/parse.h"

#include <cctype>
#include <cstdlib>

namespace hone {
namespace {

bool begins_name(char c) { return std::isalpha(static_cast<unsigned char>(c)) || c == '_'; }
bool in_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.'; }
bool digit(char c) { return std::isdigit(static_cast<unsigned char>(c)); }

/// Nothing is known of the axes: what was printed is simplified already.
Interval unknown(const std::string&) { return {-(int64_t{1} << 30), int64_t{1} << 30}; }

Result<Index> parse_clamp(Cursor& c, bool minimum_of) {
  HONE_RETURN_IF_ERROR(c.expect("("));
  HONE_TRY(Index operand, parse_index(c));
  HONE_RETURN_IF_ERROR(c.expect(","));
  bool negative = c.take("-");
  HONE_TRY(int64_t bound, c.integer());
  HONE_RETURN_IF_ERROR(c.expect(")"));
  if (negative) bound = -bound;
  return minimum_of ? minimum(operand, bound, unknown) : maximum(operand, bound, unknown);
}

/// A name, a clamp or something in parentheses, divided or not.
Result<Index> parse_atom(Cursor& c) {
  Index index;
  if (c.take("(")) {
    HONE_TRY(index, parse_index(c));
    HONE_RETURN_IF_ERROR(c.expect(")"));
  } else {
    HONE_TRY(std::string name, c.name());
    if (c.peek("(") && (name == "min" || name == "max")) {
      HONE_TRY(index, parse_clamp(c, name == "min"));
    } else {
      index = Index::axis(name);
    }
  }
  while (c.peek("/") || c.peek("%")) {
    bool quotient = c.take("/") || !c.take("%");
    HONE_TRY(int64_t divisor, c.integer());
    if (divisor == 0) return c.error("division by 0");
    index = quotient ? floor_div(index, divisor, unknown) : modulo(index, divisor, unknown);
  }
  return index;
}

Result<Index> parse_term(Cursor& c) {
  if (!c.at_number()) return parse_atom(c);
  HONE_TRY(int64_t factor, c.integer());
  if (!c.take("*")) return Index(factor);
  HONE_TRY(Index atom, parse_atom(c));
  return atom * factor;
}

}  // namespace

void Cursor::skip() {
  while (at_ < text_.size() && text_[at_] == ' ') ++at_;
}

bool Cursor::done() {
  skip();
  return at_ >= text_.size();
}

bool Cursor::peek(std::string_view token) {
  skip();
  if (text_.substr(at_, token.size()) != token) return false;
  bool word = in_name(token.back()),
       longer = at_ + token.size() < text_.size() && in_name(text_[at_ + token.size()]);
  return !(word && longer);
}

bool Cursor::take(std::string_view token) {
  if (!peek(token)) return false;
  at_ += token.size();
  return true;
}

Status Cursor::expect(std::string_view token) {
  if (!take(token)) return error("expected '" + std::string(token) + "'");
  return {};
}

bool Cursor::at_name() {
  skip();
  return at_ < text_.size() && begins_name(text_[at_]);
}

bool Cursor::at_number() {
  skip();
  return at_ < text_.size() && digit(text_[at_]);
}

Result<std::string> Cursor::name() {
  if (!at_name()) return error("expected a name");
  size_t begin = at_;
  while (at_ < text_.size() && in_name(text_[at_])) ++at_;
  return std::string(text_.substr(begin, at_ - begin));
}

Result<int64_t> Cursor::integer() {
  if (!at_number()) return error("expected an integer");
  int64_t value = 0;
  for (; at_ < text_.size() && digit(text_[at_]); ++at_) {
    if (value > (int64_t{1} << 55)) return error("the integer is too large");
    value = value * 10 + (text_[at_] - '0');
  }
  return value;
}

Result<double> Cursor::number() {
  skip();
  std::string copy(text_.substr(at_));
  char* end = nullptr;
  double value = std::strtod(copy.c_str(), &end);
  if (end == copy.c_str()) return error("expected a number");
  at_ += static_cast<size_t>(end - copy.c_str());
  return value;
}

std::string_view Cursor::rest() {
  skip();
  std::string_view rest = text_.substr(at_);
  at_ = text_.size();
  return rest;
}

tl::unexpected<Error> Cursor::error(const std::string& what) {
  skip();
  return fail(what + (at_ < text_.size() ? " at '" + std::string(text_.substr(at_, 20)) + "'"
                                         : " at the end of the line"),
              where_);
}

Result<Index> parse_index(Cursor& c) {
  bool negative = c.take("-");
  HONE_TRY(Index sum, parse_term(c));
  if (negative) sum = sum * -1;
  while (c.peek("+") || c.peek("-")) {
    bool minus = c.take("-") || !c.take("+");
    HONE_TRY(Index term, parse_term(c));
    sum = minus ? sum - term : sum + term;
  }
  return sum;
}

}  // namespace hone
