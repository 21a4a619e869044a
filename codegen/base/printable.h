// Text that came from elsewhere (a model, a peer, a file) made safe to show: what it says can be read, and
// nothing in it moves a cursor, changes a colour, begins a line or turns what stands beside it around.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace hone {

/// `text` as one line of valid UTF-8. Control characters are shown as escapes: \n, \r, \t, \x1b (C0 and DEL),
/// \u009b (C1), \u202e (marks, embeddings, overrides and isolates of writing direction; line and paragraph
/// separators); bytes that are no UTF-8 as \xff. At most `most_bytes` bytes: what is longer ends with "...".
/// What is printable already stays as it is, so cleaning twice is cleaning once.
std::string printable(std::string_view text, size_t most_bytes = std::string_view::npos);

}  // namespace hone
