#include "codegen/base/result.h"

#include <cstdio>
#include <cstdlib>

namespace hone {

std::string Error::text() const {
  std::string text = where.empty() ? what : where + ": " + what;
  if (!hint.empty()) text += " (" + hint + ")";
  return text;
}

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "hone: internal error: %s does not hold (%s:%d)\n", condition, file, line);
  std::abort();
}

}  // namespace hone
