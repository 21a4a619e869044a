// What tests of faults start from: a scheduler, boards and tuners as real programs, with a test's intervals.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json_fwd.hpp>

#include "tests/system/peers.h"

namespace hone::testing_system {

std::string text_of(const std::filesystem::path& file);
/// How often `what` is in `text`.
size_t count(const std::string& text, const std::string& what);

/// A command that programs are started through, given to Running: {"ip", "netns", "exec", NAME}.
using Launcher = std::vector<std::string>;
/// Starts a program with these variables, "NAME=VALUE".
Launcher with_environment(std::vector<std::string> variables);

class Rig : public testing::Test {
 protected:
  std::string endpoint() const { return "ipc://" + (scratch_ / "socket").string(); }
  std::filesystem::path log() const { return scratch_ / "log.h5"; }
  /// Heartbeats of 50 ms; workers and leases are lost after 20 seconds, so that nobody is where a busy machine
  /// does not let a program run for a while. `more`: pairs of an option and its value, which replace those.
  std::vector<std::string> scheduler_arguments(std::vector<std::string> more = {}) const;
  std::unique_ptr<Running> scheduler(std::vector<std::string> more = {}, Launcher launcher = {});
  /// One simulated board or several, of one process.
  std::unique_ptr<Running> boards(const std::string& script, int count, const std::string& name = "boards",
                                  Launcher launcher = {});
  std::set<Digest> records() const { return records_of(log()); }
  /// Waits until `file`, what a program printed, holds `what`.
  bool said(const Running& program, const std::string& file, const std::string& what);
  std::string scheduler_said() const { return text_of(scratch_ / "hone-scheduler.err"); }
  /// What `hone status --json` says; `lab`: where, and with which key, if that is not endpoint().
  nlohmann::json status(std::vector<std::string> lab = {}) const;
  /// Neither a board nor a candidate is to blame for what has happened so far. A board that did not hear of the
  /// scheduler for a second connects anew: that its old connection is lost is no blame.
  void expect_no_board_was_blamed() const;
  /// The log at the end: sound, and one record per measurement. `process`: the scheduler's, if `server` only
  /// launched it.
  void expect_sound(Running& server, pid_t process = 0);

  /// For tests of faults that are to be noticed soon, in which it does not matter who else is lost.
  const std::vector<std::string> soon_lost_ = {"--loss-ms", "400", "--lease-ms", "1000"};
  Scratch scratch_;
};

}  // namespace hone::testing_system
