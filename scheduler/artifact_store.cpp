// A map and a counter of uses; eviction sorts, since it is rare.
#include "scheduler/artifact_store.h"

#include <algorithm>
#include <vector>

namespace hone::scheduler {

Digest ArtifactStore::put(wire::Bytes bytes) {
  Digest digest = digest_of(std::span<const std::byte>(bytes));
  auto [place, is_new] = entries_.try_emplace(digest);
  if (is_new) {
    bytes_ += bytes.size();
    place->second.bytes = std::make_shared<const wire::Bytes>(std::move(bytes));
  }
  place->second.used = ++clock_;
  return digest;
}

BlobPointer ArtifactStore::get(const Digest& digest) {
  const auto place = entries_.find(digest);
  if (place == entries_.end()) return nullptr;
  place->second.used = ++clock_;
  return place->second.bytes;
}

void ArtifactStore::trim(const std::set<Digest>& needed) {
  if (!over()) return;
  futile_count_ = futile_bytes_ = 0;
  std::vector<std::pair<uint64_t, Digest>> by_use;
  for (const auto& [digest, entry] : entries_)
    if (!needed.contains(digest)) by_use.emplace_back(entry.used, digest);
  std::sort(by_use.begin(), by_use.end());
  // A tenth more than needed goes, so that the next artifact does not sort again.
  const size_t count_goal = max_count_ - max_count_ / 10, bytes_goal = max_bytes_ - max_bytes_ / 10;
  for (const auto& [used, digest] : by_use) {
    if (entries_.size() <= count_goal && bytes_ <= bytes_goal) return;
    bytes_ -= entries_.at(digest).bytes->size();
    entries_.erase(digest);
  }
  if (entries_.size() <= count_goal && bytes_ <= bytes_goal) return;
  futile_count_ = entries_.size() + max_count_ / 10;
  futile_bytes_ = bytes_ + max_bytes_ / 10;
}

}  // namespace hone::scheduler
