#include "codegen/base/console.h"

#include <fcntl.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "codegen/base/printable.h"

namespace hone {
namespace {

std::atomic<int> first_failure{0};  ///< errno of the first write to stdout that failed

void keep_failure() {
  int none = 0;
  first_failure.compare_exchange_strong(none, errno == 0 ? EIO : errno);
}

/// Results that nobody can get are a failure: a closed stdout stays one that cannot be written to.
void take_closed_places() {
  constexpr int flags[] = {O_WRONLY, O_RDONLY, O_WRONLY};
  for (int place = 0; place < 3; ++place)
    if (::fcntl(place, F_GETFD) < 0 && errno == EBADF) (void)!::open("/dev/null", flags[place]);
}

}  // namespace

void print_text(std::string_view text) {
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    keep_failure();
}

void print_line(std::string_view line) { print_text(printable(line) + '\n'); }

Status results_written() {
  errno = 0;
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) keep_failure();
  const int failure = first_failure;
  if (failure == 0) return {};
  return fail(std::string("cannot write the results: ") + std::strerror(failure));
}

void say(std::string_view program, std::string_view text, size_t most_bytes) {
  std::string line(program);
  if (!line.empty()) line += ": ";
  line += printable(text, most_bytes) + '\n';
  (void)std::fwrite(line.data(), 1, line.size(), stderr);
}

int run_program(std::string_view name, int (*run)(int, char**), int argc, char** argv) {
  take_closed_places();
  const int code = run(argc, argv);
  const Status written = results_written();
  if (written) return code;
  say(name, "error: " + written.error().text());
  return code == 0 ? 1 : code;
}

}  // namespace hone
