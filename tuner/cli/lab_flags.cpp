#include "tuner/cli/lab_flags.h"

#include <CLI/CLI.hpp>

namespace hone::cli {

void add_lab_flags(CLI::App& command, session::LabAddress& lab, bool is_required) {
  command.add_option("--scheduler", lab.scheduler, "a running scheduler: ipc://PATH or tcp://ADDRESS:PORT")
      ->required(is_required);
  add_lab_keys(command, lab);
}

void add_lab_keys(CLI::App& command, session::LabAddress& lab) {
  command.add_option("--key", lab.key, "your secret key, NAME.key of hone keygen: needed off loopback");
  command.add_option("--server-key", lab.server_key, "the scheduler's public key, NAME.pub");
}

}  // namespace hone::cli
