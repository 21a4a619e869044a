// Errors as values: what a function that can meet bad input gives back.
// Bad input is an Error; a bug of our own is an assertion (HONE_CHECK); a failed measurement is a status in
// its record.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace hone {

/// Says what is wrong, where (file, node, line; may be empty) and what the user can do next (may be empty).
struct Error {
  std::string what;
  std::string where = {};
  std::string hint = {};

  /// One line: "where: what (hint)".
  std::string text() const;
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

/// `return fail("...")` from any function that returns a Result.
inline tl::unexpected<Error> fail(std::string what, std::string where = {}, std::string hint = {}) {
  return tl::unexpected<Error>(Error{std::move(what), std::move(where), std::move(hint)});
}

/// Passes the error of a Result on to the caller's own Result type.
inline tl::unexpected<Error> pass(Error error) { return tl::unexpected<Error>(std::move(error)); }

[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace hone

/// An assertion that stays on in release builds: for our own bugs, never for bad input.
#define HONE_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::hone::check_failed(#condition, __FILE__, __LINE__))

#define HONE_CONCAT_(a, b) a##b
#define HONE_CONCAT(a, b) HONE_CONCAT_(a, b)
#define HONE_TRY_(name, target, expression)                \
  auto name = (expression);                                \
  if (!name) return ::hone::pass(std::move(name).error()); \
  target = std::move(*name)
/// HONE_TRY(auto graph, import(file)): the value, or return the error from the enclosing function.
#define HONE_TRY(target, expression) HONE_TRY_(HONE_CONCAT(result_, __LINE__), target, expression)
/// HONE_RETURN_IF_ERROR(status): for calls that give no value.
#define HONE_RETURN_IF_ERROR(expression)                                                        \
  do {                                                                                          \
    if (auto status_ = (expression); !status_) return ::hone::pass(std::move(status_).error()); \
  } while (false)
