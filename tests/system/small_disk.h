// A file system of a test's own that it can fill: a tmpfs in a mount namespace of this process.
#pragma once

#include <sched.h>
#include <sys/mount.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace hone::testing_system {

class SmallDisk {
 public:
  SmallDisk(std::filesystem::path folder, size_t bytes) : folder_(std::move(folder)) {
    std::filesystem::create_directories(folder_);
    works_ = ::unshare(CLONE_NEWNS) == 0 &&
             ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
             ::mount("none", folder_.c_str(), "tmpfs", 0, ("size=" + std::to_string(bytes)).c_str()) == 0;
  }
  SmallDisk(const SmallDisk&) = delete;
  ~SmallDisk() { ::umount2(folder_.c_str(), MNT_DETACH); }
  /// Whether mount namespaces are allowed here.
  bool works() const { return works_; }
  /// Fills it until no more than `bytes` are free.
  void fill(size_t bytes = 0) {
    std::ofstream stream(filler(), std::ios::binary | std::ios::app);
    const std::string page(4096, 'x');
    while (std::filesystem::space(folder_).free > bytes &&
           stream.write(page.data(), static_cast<std::streamsize>(page.size())) && stream.flush()) {
    }
  }
  void make_room() { std::filesystem::remove(filler()); }

 private:
  std::filesystem::path filler() const { return folder_ / "filler"; }
  std::filesystem::path folder_;
  bool works_ = false;
};

}  // namespace hone::testing_system
