// The real programs as a test sees them: started, watched, interrupted and killed. Waits are on events, with
// deadlines.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace hone::testing_system {

/// A folder of the test's own, removed at its end.
class Scratch {
 public:
  Scratch();
  ~Scratch();
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

struct Finished {
  int exit_code = -1;  ///< 128 + signal if it was killed
  std::string out, err;
  std::string last_line() const;  ///< of `out`
};

/// One of hone's programs, or any other by its path, running.
class Running {
 public:
  /// `launcher`: a command that it is started through, "ip netns exec NAME". Its output goes to `name`.out
  /// and .err, by default the program's.
  Running(const std::string& program, std::vector<std::string> arguments, const Scratch& scratch,
          std::vector<std::string> launcher = {}, const std::string& name = "");
  ~Running();
  pid_t pid() const { return pid_; }
  void signal(int number) const;
  /// Its child whose program is called `name`; 0 if there is none.
  pid_t child(const std::string& name) const;
  bool running() const;
  /// Waits for its end; kills it after four minutes, so that a hang is a failure and not a stall.
  Finished finish();

 private:
  pid_t pid_ = -1;
  int pidfd_ = -1;
  std::filesystem::path out_, err_;
};

/// Runs `hone` to its end.
Finished hone(std::vector<std::string> arguments, const Scratch& scratch);

/// Makes NAME.key and NAME.pub in `scratch`, and puts the key on the list there in this role; "": on none.
void make_key(const Scratch& scratch, const std::string& name, const std::string& role);

/// Checks `condition` whenever something in `folder` changes, and now and then; false after three minutes or
/// when `running` ends.
bool wait_until(const std::filesystem::path& folder, const Running& running,
                const std::function<bool()>& condition);

/// Whether the process is gone, after at most a minute.
bool ends(pid_t pid);

std::filesystem::path tiny_model();

}  // namespace hone::testing_system
