#include "codegen/llvm/machine.h"

#include <llvm/MC/MCSubtargetInfo.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Support/CommandLine.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Target/TargetOptions.h>
#include <llvm/TargetParser/Triple.h>

#include <map>
#include <mutex>

namespace hone {

namespace {

/// Addresses are emitted as they are meant: a pointer per access, advanced loop by loop, and displacements.
/// LLVM's loop strength reduction takes them apart again and spills what it makes of them (656 spills for a
/// 14 x 2 tile). There is no other switch than this option. It is the option's default that changes, since
/// lld resets options to their defaults.
void keep_addresses() {
  const auto& options = llvm::cl::getRegisteredOptions();
  const auto found = options.find("disable-lsr");
  HONE_CHECK(found != options.end());
  static_cast<llvm::cl::opt<bool>*>(found->second)->setInitialValue(true);
}

void initialise_backends() {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeAllTargetInfos();
    llvm::InitializeAllTargets();
    llvm::InitializeAllTargetMCs();
    llvm::InitializeAllAsmPrinters();
    keep_addresses();
  });
}

/// Says which of "+a,-b" the backend has no name for; LLVM itself would only print a warning.
std::string unknown_feature(const llvm::MCSubtargetInfo& subtarget, llvm::StringRef features) {
  llvm::SmallVector<llvm::StringRef> names;
  features.split(names, ',', -1, false);
  for (llvm::StringRef name : names) {
    llvm::StringRef bare = name;
    bare.consume_front("+");
    bare.consume_front("-");
    bool known = false;
    for (const auto& feature : subtarget.getAllProcessorFeatures()) known = known || bare == feature.Key;
    if (!known) return name.str();
  }
  return "";
}

Result<Machine> make(const Target& target) {
  initialise_backends();
  const llvm::Triple triple(target.triple);
  const bool x86 = triple.getArch() == llvm::Triple::x86_64;
  if (!x86 && triple.getArch() != llvm::Triple::aarch64) {
    return fail("no code generation for the triple '" + target.triple + "'", "target",
                "known are x86_64-linux-gnu and aarch64-linux-gnu");
  }
  std::string problem;
  const llvm::Target* backend = llvm::TargetRegistry::lookupTarget(target.triple, problem);
  if (!backend) return fail("LLVM cannot generate code for '" + target.triple + "': " + problem, "target");
  // The plainest CPU of the family: every feature beyond it must be in the Target.
  const char* base = x86 ? "x86-64" : "generic";
  const std::unique_ptr<llvm::MCSubtargetInfo> plain(backend->createMCSubtargetInfo(target.triple, base, ""));
  if (const std::string name = unknown_feature(*plain, target.features); !name.empty()) {
    return fail("LLVM knows no feature '" + name + "' for " + target.triple, "target");
  }
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Strict;  // multiply-adds are explicit
  options.EmitStackSizeSection = false;
  Machine machine;
  machine.target_machine.reset(backend->createTargetMachine(target.triple, base, target.features, options,
                                                            llvm::Reloc::PIC_, llvm::CodeModel::Small,
                                                            llvm::CodeGenOptLevel::Less));
  HONE_CHECK(machine.target_machine != nullptr);
  const std::unique_ptr<llvm::MCSubtargetInfo> subtarget(
      backend->createMCSubtargetInfo(target.triple, base, target.features));
  machine.set.fma = !x86 || subtarget->checkFeatures("+fma");
  machine.set.round = !x86 || subtarget->checkFeatures("+sse4.1");
  machine.set.half = !x86 || subtarget->checkFeatures("+f16c");
  machine.set.native_maximum = !x86;
  machine.set.x86_maximum = !x86                                   ? 0
                            : subtarget->checkFeatures("+avx512f") ? 16
                            : subtarget->checkFeatures("+avx")     ? 8
                                                                   : 4;
  machine.set.scale = x86 && subtarget->checkFeatures("+avx512f,+avx512dq");
  machine.set.scale_short = machine.set.scale && subtarget->checkFeatures("+avx512vl");
  return machine;
}

}  // namespace

Result<const Machine*> machine_for(const Target& target) {
  thread_local std::map<std::string, Machine> machines;
  const std::string key = target.triple + " " + target.cpu + " " + target.features;
  if (const auto found = machines.find(key); found != machines.end()) return &found->second;
  HONE_TRY(Machine machine, make(target));
  return &(machines[key] = std::move(machine));
}

}  // namespace hone
