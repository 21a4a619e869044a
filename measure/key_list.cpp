#include "measure/key_list.h"

#include <tuple>

namespace hone {
namespace {

/// What differs whenever the file was replaced or written to.
auto version_of(const struct ::stat& facts) {
  return std::tuple(facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec,
                    facts.st_ctim.tv_sec, facts.st_ctim.tv_nsec);
}

}  // namespace

KeyList::KeyList(std::filesystem::path file) : file_(std::move(file)) { refresh(); }

std::vector<std::string> KeyList::refresh() {
  struct ::stat facts = {};
  if (::stat(file_.c_str(), &facts) != 0) facts = {};
  if (is_readable_ && version_of(facts) == version_of(seen_)) return {};
  seen_ = facts;
  const auto list = read_key_list(file_);
  is_readable_ = list.has_value();
  if (!list) return {};
  std::unordered_map<std::string, AllowedKey> keys;
  for (const AllowedKey& key : *list) keys.emplace(key.public_key, key);
  keys.swap(keys_);
  std::vector<std::string> changed;
  for (const auto& [key, before] : keys)
    if (const AllowedKey* now = find(key); now == nullptr || *now != before) changed.push_back(key);
  return changed;
}

const AllowedKey* KeyList::find(const std::string& public_key) const {
  const auto place = keys_.find(public_key);
  return place == keys_.end() ? nullptr : &place->second;
}

}  // namespace hone
