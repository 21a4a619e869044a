// Private: a Program as an LLVM function: a switch over phases, each an internal function over its buffers
// that decodes parallel indices and runs the loops.
#pragma once

#include <llvm/IR/Module.h>

#include <string>

#include "codegen/base/target.h"
#include "codegen/llvm/arithmetic.h"
#include "codegen/loop/loop.h"

namespace hone {

struct FunctionContext {
  llvm::Module& module;
  const Target& target;
  const InstructionSet& set;
};

/// Adds `void name(ptr buffers, i32 phase, i64 begin, i64 end)` to the module.
Status add_function(const FunctionContext& context, const std::string& name, const loop::Program& program);

}  // namespace hone
