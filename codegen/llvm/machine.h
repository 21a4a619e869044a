// Private: LLVM's TargetMachine for a Target, made once per thread and Target, and what its instruction set
// offers.
#pragma once

#include <llvm/Target/TargetMachine.h>

#include <memory>

#include "codegen/base/target.h"
#include "codegen/llvm/arithmetic.h"

namespace hone {

struct Machine {
  std::unique_ptr<llvm::TargetMachine> target_machine;
  InstructionSet set;
};

/// Belongs to the calling thread and lives as long as it. Error: LLVM does not know the triple or a feature.
Result<const Machine*> machine_for(const Target& target);

}  // namespace hone
