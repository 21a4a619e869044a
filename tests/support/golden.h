// Golden files: text in, text out. HONE_UPDATE_GOLDEN=1 in the environment rewrites them; a missing one fails.
#pragma once

#include <string>

namespace hone::test {

/// Compares `text` with tests/golden/`name`; reports the first line that differs as a test failure.
void expect_golden(const std::string& name, const std::string& text);

/// Whether golden files are to be rewritten.
bool updates_golden();
/// The first line of tests/golden/`name`; empty if there is no such file.
std::string golden_first_line(const std::string& name);

}  // namespace hone::test
