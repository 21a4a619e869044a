// What Cap'n Proto 0.9's headers lack for clang in C++20 (P2468: an operator!= takes away the reversed ==); gcc 12
// does without.
#pragma once

#include <kj/string.h>

namespace kj {
inline bool operator==(const char* a, const StringPtr& b) { return b == StringPtr(a); }
inline bool operator!=(const char* a, const StringPtr& b) { return !(b == StringPtr(a)); }
}  // namespace kj
