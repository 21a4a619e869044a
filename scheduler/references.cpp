#include "scheduler/references.h"

namespace hone::scheduler {

std::string References::claim(const Digest& task_key, const std::string& target, const std::string& build,
                              const Digest& reference, const std::string& tuner) {
  if (first_.size() >= most_kept) first_.clear();
  const auto [place, fresh] = first_.try_emplace({task_key, target, build}, First{reference, tuner});
  if (fresh || place->second.digest == reference) return "";
  ++conflicts_;
  last_ = "the reference of task " + task_key.hex(12) + " by tuner '" + tuner +
          "' differs from the first, by tuner '" + place->second.tuner +
          (build.empty() ? "'" : "' of the same build (" + build + ")") +
          ": one of them is broken or cannot be trusted";
  return last_;
}

Digest References::first(const Digest& task_key, const std::string& target, const std::string& build) const {
  const auto place = first_.find({task_key, target, build});
  return place == first_.end() ? Digest() : place->second.digest;
}

std::string References::summary() const {
  if (conflicts_ == 0) return "";
  return std::to_string(conflicts_) +
         (conflicts_ == 1 ? " reference differed: " : " references differed, the last: ") + last_;
}

}  // namespace hone::scheduler
