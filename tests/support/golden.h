// Golden files: text in, text out. HONE_UPDATE_GOLDEN=1 in the environment rewrites them; a missing one fails.
#pragma once

#include <string>

namespace hone::test {

/// Compares `text` with tests/golden/`name`; reports the first line that differs as a test failure.
void expect_golden(const std::string& name, const std::string& text);

}  // namespace hone::test
