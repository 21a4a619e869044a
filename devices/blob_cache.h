// Artifacts by digest, capped in number and in bytes: the least recently used go first.
#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <memory>

#include "measure/wire.h"

namespace hone {

class BlobCache {
 public:
  using Blob = std::shared_ptr<const wire::Bytes>;

  BlobCache(size_t most_entries, size_t most_bytes) : most_entries_(most_entries), most_bytes_(most_bytes) {}

  /// nullptr if it is not there. Counts as a use.
  Blob find(const Digest& digest);
  /// Errors: the bytes do not have this digest (nothing is kept then).
  Result<Blob> insert(const Digest& digest, wire::Bytes bytes);
  size_t entries() const { return index_.size(); }
  size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    Digest digest;
    Blob blob;
  };
  size_t most_entries_, most_bytes_, bytes_ = 0;
  std::list<Entry> recent_;  ///< most recently used first
  std::map<Digest, std::list<Entry>::iterator> index_;
};

}  // namespace hone
