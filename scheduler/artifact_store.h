// Artifacts by digest, capped in number and size: what was not used for longest goes first. Not journaled; a
// lost one is rebuilt.
#pragma once

#include <algorithm>
#include <cstdint>
#include <set>
#include <unordered_map>

#include "codegen/base/digest.h"
#include "scheduler/effects.h"

namespace hone::scheduler {

class ArtifactStore {
 public:
  ArtifactStore(size_t max_count, size_t max_bytes) : max_count_(max_count), max_bytes_(max_bytes) {}

  /// Keeps `bytes` under their digest and gives it.
  Digest put(wire::Bytes bytes);
  /// nullptr: not there (any more).
  BlobPointer get(const Digest& digest);
  bool has(const Digest& digest) const { return entries_.contains(digest); }
  /// Whether it is time to trim. When most is needed the caps may be passed by a tenth before it is tried
  /// again.
  bool over() const {
    return entries_.size() > std::max(max_count_, futile_count_) ||
           bytes_ > std::max(max_bytes_, futile_bytes_);
  }
  /// Drops what was not used for longest until the caps hold; never what is in `needed`.
  void trim(const std::set<Digest>& needed);
  size_t count() const { return entries_.size(); }
  size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    BlobPointer bytes;
    uint64_t used = 0;
  };
  size_t max_count_, max_bytes_, bytes_ = 0;
  size_t futile_count_ = 0, futile_bytes_ = 0;  ///< of a trim that could not reach its goal, and a tenth more
  uint64_t clock_ = 0;
  std::unordered_map<Digest, Entry> entries_;
};

}  // namespace hone::scheduler
