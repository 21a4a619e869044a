// The flags of every command that talks to a scheduler.
#pragma once

#include "tuner/session/lab.h"

namespace CLI {
class App;
}

namespace hone::cli {

/// --scheduler, --key and --server-key.
void add_lab_flags(CLI::App& command, session::LabAddress& lab, bool is_required);
/// --key and --server-key alone.
void add_lab_keys(CLI::App& command, session::LabAddress& lab);

}  // namespace hone::cli
