// Private to measure: a scheduler's list of keys, as its file is now. Looking whether it changed is one stat.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "measure/keys.h"

namespace hone {

class KeyList {
 public:
  explicit KeyList(std::filesystem::path file);
  /// Reads the file anew if it changed. Gives the keys that are not on it any more, or otherwise: in another
  /// role, with another name or other boards. A list that cannot be read lets nobody in, and removes nobody.
  std::vector<std::string> refresh();
  bool is_readable() const { return is_readable_; }
  /// The entry of a key (Z85), as last read; nullptr: it is not on the list.
  const AllowedKey* find(const std::string& public_key) const;

 private:
  std::filesystem::path file_;
  struct ::stat seen_ = {};
  bool is_readable_ = false;
  std::unordered_map<std::string, AllowedKey> keys_;
};

}  // namespace hone
