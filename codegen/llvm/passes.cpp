#include "codegen/llvm/passes.h"

#include <llvm/Analysis/TargetLibraryInfo.h>
#include <llvm/CodeGen/MachineModuleInfo.h>
#include <llvm/CodeGen/Passes.h>
#include <llvm/CodeGen/TargetPassConfig.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/Passes/PassBuilder.h>
#include <llvm/Transforms/InstCombine/InstCombine.h>
#include <llvm/Transforms/Scalar/EarlyCSE.h>
#include <llvm/Transforms/Scalar/LICM.h>
#include <llvm/Transforms/Scalar/LoopPassManager.h>
#include <llvm/Transforms/Scalar/SimplifyCFG.h>
#include <llvm/Transforms/Utils/Cloning.h>

namespace hone {

namespace {

/// No function of the C library exists for our code, so no pass may look for one to call.
llvm::TargetLibraryInfoImpl no_library(const llvm::Module& module) {
  llvm::TargetLibraryInfoImpl library{llvm::Triple(module.getTargetTriple())};
  library.disableAllFunctions();
  return library;
}

}  // namespace

void optimise(llvm::Module& module, llvm::TargetMachine& machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine);
  functions.registerPass([&] { return llvm::TargetLibraryAnalysis(no_library(module)); });
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);

  llvm::FunctionPassManager passes;
  passes.addPass(llvm::EarlyCSEPass());
  passes.addPass(llvm::InstCombinePass());
  passes.addPass(
      llvm::createFunctionToLoopPassAdaptor(llvm::LICMPass(llvm::LICMOptions()), /*UseMemorySSA=*/true));
  passes.addPass(llvm::EarlyCSEPass(/*UseMemorySSA=*/true));
  passes.addPass(llvm::SimplifyCFGPass());
  for (llvm::Function& function : module) {
    if (!function.isDeclaration()) passes.run(function, functions);
  }
}

Status generate(llvm::Module& module, llvm::TargetMachine& machine, llvm::raw_pwrite_stream& output,
                bool assembly) {
  auto& backend = static_cast<llvm::LLVMTargetMachine&>(machine);
  llvm::legacy::PassManager passes;
  passes.add(new llvm::TargetLibraryInfoWrapperPass(no_library(module)));
  llvm::TargetPassConfig* config = backend.createPassConfig(passes);
  config->setDisableVerify(true);
  // Processors of this family reorder by themselves; this second scheduling would cost a tenth of the compile
  // time.
  if (machine.getTargetTriple().isX86()) config->disablePass(&llvm::PostRASchedulerID);
  auto* functions = new llvm::MachineModuleInfoWrapperPass(&backend);
  passes.add(config);
  passes.add(functions);
  const tl::unexpected<Error> failure = fail("LLVM cannot write code for " + module.getTargetTriple());
  if (config->addISelPasses()) return failure;
  config->addMachinePasses();
  config->setInitialized();
  const auto kind = assembly ? llvm::CodeGenFileType::AssemblyFile : llvm::CodeGenFileType::ObjectFile;
  if (backend.addAsmPrinter(passes, output, nullptr, kind, functions->getMMI().getContext())) return failure;
  passes.add(llvm::createFreeMachineFunctionPass());
  passes.run(module);
  return {};
}

std::unique_ptr<llvm::Module> clone(const llvm::Module& module) { return llvm::CloneModule(module); }

}  // namespace hone
