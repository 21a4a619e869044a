#include "logs/held_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "codegen/base/output_file.h"

namespace hone {

HeldFile::HeldFile(std::filesystem::path path) : path_(std::move(path)) { hold(); }

HeldFile::~HeldFile() {
  if (file_ >= 0) ::close(file_);
}

void HeldFile::hold() {
  if (file_ >= 0) ::close(file_);
  file_ = ::open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

Status HeldFile::replace(const std::function<Status()>& write) {
  const std::lock_guard lock(mutex_);
  HONE_RETURN_IF_ERROR(write());
  hold();
  return {};
}

void HeldFile::remove() {
  const std::lock_guard lock(mutex_);
  std::error_code ignored;
  std::filesystem::remove(path_, ignored);
  if (file_ >= 0) ::close(std::exchange(file_, -1));
}

Result<bool> HeldFile::keep() {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock || file_ < 0) return false;
  struct stat facts = {};
  if (::fstat(file_, &facts) != 0) return false;
  return keep_name(file_, static_cast<uint64_t>(facts.st_size), path_, false);
}

}  // namespace hone
