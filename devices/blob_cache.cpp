#include "devices/blob_cache.h"

namespace hone {

BlobCache::Blob BlobCache::find(const Digest& digest) {
  auto it = index_.find(digest);
  if (it == index_.end()) return nullptr;
  recent_.splice(recent_.begin(), recent_, it->second);
  return it->second->blob;
}

Result<BlobCache::Blob> BlobCache::insert(const Digest& digest, wire::Bytes bytes) {
  if (digest_of(bytes) != digest)
    return fail("the bytes that came do not have the digest they were asked for by", digest.hex());
  if (auto there = find(digest)) return there;
  auto blob = std::make_shared<const wire::Bytes>(std::move(bytes));
  bytes_ += blob->size();
  recent_.push_front({digest, blob});
  index_[digest] = recent_.begin();
  // The newest always stays, whatever its size: it is about to be used.
  while (recent_.size() > 1 && (recent_.size() > most_entries_ || bytes_ > most_bytes_)) {
    bytes_ -= recent_.back().blob->size();
    index_.erase(recent_.back().digest);
    recent_.pop_back();
  }
  return blob;
}

}  // namespace hone
