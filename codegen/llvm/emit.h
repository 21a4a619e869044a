// Loop IR becomes machine code for a Target, through LLVM, with a short fixed list of passes.
// Explicit vector code, fused multiply-add where the program has a product in a sum, no reassociation, no
// library calls.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "codegen/base/result.h"
#include "codegen/base/target.h"
#include "codegen/loop/loop.h"

namespace hone {

/// One function to emit: `void name(void* const* buffers, int32 phase, int64 begin, int64 end)` over the
/// program's phases, with `buffers` in the order of Program::tensors.
struct EmitFunction {
  std::string name;
  const loop::Program* program;
};

struct EmitOptions {
  std::string module_name = "hone";
  /// Read-only byte arrays to define as symbols (e.g. {"hone_signature", json + '\0'}).
  std::vector<std::pair<std::string, std::string>> data;
  std::string dump_prefix;  ///< if not empty: writes prefix.ll (before), prefix.opt.ll, prefix.s
};

struct ObjectCode {
  std::vector<std::byte> elf;  ///< a relocatable object
  int64_t code_bytes = 0;      ///< size of .text
  int spills = 0;  ///< vector register spills and reloads that LLVM reports, for search to learn from
};
Result<ObjectCode> emit(const std::vector<EmitFunction>& functions, const Target& target,
                        const EmitOptions& options);

/// The linked libraries as they name themselves: "LLVM 19.1.7, Debian LLD 19.1.7". With others the same
/// program may become other bytes.
std::string llvm_version();

/// In-process lld; calls are serialised. Needs no libraries and leaves none needed; undefined symbols are
/// errors.
Result<std::vector<std::byte>> link_shared(const std::vector<std::vector<std::byte>>& objects,
                                           const Target& target,
                                           const std::vector<std::string>& exported_symbols);

}  // namespace hone
