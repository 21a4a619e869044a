// Private: the fixed list of passes, the same for every artifact, in the tuner and in the build.
#pragma once

#include <llvm/IR/Module.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Target/TargetMachine.h>

#include <memory>

#include "codegen/base/result.h"

namespace hone {

/// On the IR: the emitted code is explicit already, so these only tidy addresses and repeated expressions.
void optimise(llvm::Module& module, llvm::TargetMachine& machine);
/// Machine code: an ELF object, or assembly text. Changes the module.
Status generate(llvm::Module& module, llvm::TargetMachine& machine, llvm::raw_pwrite_stream& output,
                bool assembly);
std::unique_ptr<llvm::Module> clone(const llvm::Module& module);

}  // namespace hone
