// The flags of every command that reads a model file: what open dimensions become.
#pragma once

#include "codegen/import/import.h"

namespace CLI {
class App;
}

namespace hone::cli {

/// Adds --batch and --input-shape, which write into `options`; that must live as long as the command line is
/// parsed.
void add_import_flags(CLI::App& command, ImportOptions& options);

}  // namespace hone::cli
