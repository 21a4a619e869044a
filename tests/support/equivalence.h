// Holds a lowered program against its computation: equal results, every element written, no access outside.
#pragma once

#include "codegen/loop/loop.h"

namespace hone::test {

/// "" if `program` computes what `computation` says; else what is wrong. `twice`: elements may be written repeatedly.
std::string difference(const Computation& computation, const loop::Program& program, bool twice);

}  // namespace hone::test
