// Which identities of records are there: 32 bytes each instead of 64 digits in a string of their own.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "codegen/base/result.h"

namespace hone {

class IdentitySet {
 public:
  /// False: it was there already. `digest` is one of digest_of().
  bool insert(std::string_view digest) {
    const auto key = key_of(digest);
    HONE_CHECK(key);
    return keys_.emplace(*key, keys_.size()).second;
  }
  /// A text that is no digest is not there.
  bool contains(std::string_view digest) const {
    const auto key = key_of(digest);
    return key && keys_.contains(*key);
  }
  /// Whether it is one of the first `count` that were inserted.
  bool contains(std::string_view digest, size_t count) const {
    const auto key = key_of(digest);
    const auto place = key ? keys_.find(*key) : keys_.end();
    return place != keys_.end() && place->second < count;
  }
  size_t size() const { return keys_.size(); }

 private:
  using Key = std::array<uint64_t, 4>;
  struct Hash {
    size_t operator()(const Key& key) const noexcept { return key[0]; }  // digests are spread evenly
  };
  static std::optional<Key> key_of(std::string_view digest) {
    if (digest.size() != 64) return std::nullopt;
    Key key{};
    for (size_t i = 0; i < 64; ++i) {
      const char digit = digest[i];
      const bool is_number = digit >= '0' && digit <= '9';
      if (!is_number && !(digit >= 'a' && digit <= 'f')) return std::nullopt;
      key[i / 16] = key[i / 16] << 4 | static_cast<uint64_t>(is_number ? digit - '0' : digit - 'a' + 10);
    }
    return key;
  }
  std::unordered_map<Key, size_t, Hash> keys_;  ///< how many were there before it
};

}  // namespace hone
