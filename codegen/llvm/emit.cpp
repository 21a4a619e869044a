#include "codegen/llvm/emit.h"

#include <llvm/ADT/SmallString.h>
#include <llvm/IR/DiagnosticHandler.h>
#include <llvm/IR/DiagnosticInfo.h>
#include <llvm/IR/DiagnosticPrinter.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Object/ObjectFile.h>
#include <llvm/Support/MemoryBuffer.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Target/TargetMachine.h>

#include <cstring>

#include "codegen/llvm/function_code.h"
#include "codegen/llvm/machine.h"
#include "codegen/llvm/passes.h"

namespace hone {

namespace {

/// Turns LLVM's own errors into text, and reads spills from the register allocator's remarks.
class Listener : public llvm::DiagnosticHandler {
 public:
  Listener(std::string& errors, int& spills) : errors_(errors), spills_(spills) {}

  bool handleDiagnostics(const llvm::DiagnosticInfo& info) override {
    if (const auto* remark = llvm::dyn_cast<llvm::DiagnosticInfoOptimizationBase>(&info)) {
      if (remark->getRemarkName() != "SpillReloadCopies") return true;
      for (const auto& argument : remark->getArgs()) {
        if (argument.Key == "NumSpills" || argument.Key == "NumReloads") spills_ += std::stoi(argument.Val);
      }
      return true;
    }
    if (info.getSeverity() == llvm::DS_Error) {
      llvm::raw_string_ostream stream(errors_);
      llvm::DiagnosticPrinterRawOStream printer(stream);
      info.print(printer);
      stream << '\n';
    }
    return true;
  }
  bool isAnalysisRemarkEnabled(llvm::StringRef) const override { return false; }
  bool isPassedOptRemarkEnabled(llvm::StringRef) const override { return false; }
  bool isMissedOptRemarkEnabled(llvm::StringRef pass) const override { return pass == "regalloc"; }
  bool isAnyRemarkEnabled() const override { return true; }

 private:
  std::string& errors_;
  int& spills_;
};

void write_file(const std::string& path, const llvm::Module& module) {
  std::error_code error;
  llvm::raw_fd_ostream file(path, error);
  if (!error) module.print(file, nullptr);
}

Status add_data(llvm::Module& module, const std::vector<std::pair<std::string, std::string>>& data) {
  for (const auto& [name, bytes] : data) {
    if (module.getNamedValue(name))
      return fail("symbol " + name + " is defined twice", module.getName().str());
    auto* text = llvm::ConstantDataArray::getString(module.getContext(), bytes, false);
    auto* symbol = new llvm::GlobalVariable(module, text->getType(), true, llvm::GlobalValue::ExternalLinkage,
                                            text, name);
    symbol->setAlignment(llvm::Align(64));
  }
  return {};
}

Result<int64_t> text_bytes(llvm::StringRef elf) {
  auto object = llvm::object::ObjectFile::createObjectFile(llvm::MemoryBufferRef(elf, "object"));
  if (!object) return fail("the emitted object cannot be read: " + llvm::toString(object.takeError()));
  int64_t bytes = 0;
  for (const llvm::object::SectionRef& section : (*object)->sections()) {
    if (section.isText()) bytes += static_cast<int64_t>(section.getSize());
  }
  return bytes;
}

}  // namespace

Result<ObjectCode> emit(const std::vector<EmitFunction>& functions, const Target& target,
                        const EmitOptions& options) {
  HONE_TRY(const Machine* machine, machine_for(target));
  ObjectCode code;
  std::string errors;
  llvm::LLVMContext context;
  context.setDiagnosticHandler(std::make_unique<Listener>(errors, code.spills));
  llvm::Module module(options.module_name, context);
  module.setTargetTriple(target.triple);
  module.setDataLayout(machine->target_machine->createDataLayout());
  module.setPICLevel(llvm::PICLevel::BigPIC);

  HONE_RETURN_IF_ERROR(add_data(module, options.data));
  for (const EmitFunction& function : functions) {
    if (module.getNamedValue(function.name)) {
      return fail("symbol " + function.name + " is defined twice", options.module_name);
    }
    HONE_RETURN_IF_ERROR(add_function({module, target, machine->set}, function.name, *function.program));
  }
  const bool dump = !options.dump_prefix.empty();
  if (dump) write_file(options.dump_prefix + ".ll", module);
#ifndef NDEBUG
  const bool check = true;
#else
  const bool check = dump;
#endif
  if (check) {
    std::string problems;
    llvm::raw_string_ostream stream(problems);
    if (llvm::verifyModule(module, &stream)) {
      llvm::errs() << problems;
      HONE_CHECK(!"the emitted module is valid");
    }
  }
  optimise(module, *machine->target_machine);
  if (dump) {
    write_file(options.dump_prefix + ".opt.ll", module);
    std::error_code error;
    llvm::raw_fd_ostream assembly(options.dump_prefix + ".s", error);
    if (!error) {
      const std::unique_ptr<llvm::Module> copy = clone(module);
      HONE_RETURN_IF_ERROR(generate(*copy, *machine->target_machine, assembly, true));
      code.spills = 0;
    }
  }
  llvm::SmallString<0> elf;
  llvm::raw_svector_ostream stream(elf);
  HONE_RETURN_IF_ERROR(generate(module, *machine->target_machine, stream, false));
  if (!errors.empty()) return fail("code generation failed: " + errors, options.module_name);
  HONE_TRY(code.code_bytes, text_bytes(elf.str()));
  code.elf.resize(elf.size());
  std::memcpy(code.elf.data(), elf.data(), elf.size());
  return code;
}

}  // namespace hone
