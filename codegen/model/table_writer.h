// The plan as the executor's table: operators, operands, phases, margins, inputs and outputs, as an ELF
// object.
#pragma once

#include <string>
#include <vector>

#include "codegen/artifact/artifact.h"
#include "codegen/model/elf_object.h"
#include "codegen/model/model.h"

namespace hone {

/// What the table says about one operator besides what the plan knows.
struct TableOp {
  std::string kernel;                    ///< symbol
  std::vector<int64_t> weights;          ///< offset of each packed constant in the weights
  const Signature* signature = nullptr;  ///< of its candidate: order of buffers, phases
};

/// Defines `hone_model_table`; refers to the kernels' symbols and to `hone_weights`. Its bytes. Error: a plan
/// and signatures that do not agree about a buffer's size.
Result<uint64_t> write_table(const Plan& plan, const std::vector<TableOp>& ops,
                             const std::string& description, ElfObject& object);

}  // namespace hone
