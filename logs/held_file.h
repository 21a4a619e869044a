// A file that is read and replaced as a whole while others may delete it: held open, so that what is deleted
// can be written again.
#pragma once

#include <filesystem>
#include <functional>
#include <mutex>

#include "codegen/base/result.h"

namespace hone {

class HeldFile {
 public:
  /// Holds what is there now; nothing is no error.
  explicit HeldFile(std::filesystem::path path);
  HeldFile(const HeldFile&) = delete;
  ~HeldFile();
  const std::filesystem::path& path() const { return path_; }

  /// Runs `write`, which puts another file under the name, and holds that one. On any thread.
  Status replace(const std::function<Status()>& write);
  /// Removes the file; it is not missed afterwards.
  void remove();
  /// Writes the file again if its name is gone; true: that was done. Says nothing while it is being replaced.
  /// Errors: another file has its name; it cannot be written.
  Result<bool> keep();

 private:
  void hold();
  std::filesystem::path path_;
  std::mutex mutex_;
  int file_ = -1;
};

}  // namespace hone
