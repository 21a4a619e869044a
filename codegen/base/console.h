// What a program says to people: results on stdout, which must arrive, and messages on stderr. Whatever text
// a line holds, it is shown as printable() shows it.
#pragma once

#include <cstddef>
#include <string_view>

#include "codegen/base/result.h"

namespace hone {

/// A line on stdout, at once. A failure is kept for results_written().
void print_line(std::string_view line);
/// Text on stdout as it is, for other programs to read. A failure is kept likewise.
void print_text(std::string_view text);
/// Whether all that went to stdout was written, by whatever means: every program ends with this. Error:
/// "cannot write the results: No space left on device".
Status results_written();

/// A line on stderr, "PROGRAM: text", at once; of a long text the first `most_bytes` bytes. One that cannot
/// be written is lost: there is nobody to tell.
void say(std::string_view program, std::string_view text, size_t most_bytes = 8192);

/// What main() returns: what `run` gives, or 1 after saying so if that is 0 and the results were not written.
/// Before, it sees to it that no file that is opened becomes stdin, stdout or stderr because that was closed:
/// what is said would be written into it.
int run_program(std::string_view name, int (*run)(int, char**), int argc, char** argv);

}  // namespace hone
