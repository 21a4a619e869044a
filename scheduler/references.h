// Which reference artifact stands for a task: the first that came for a target from tuners of one build.
// Compiling is deterministic, so a second digest says that one of the two tuners is broken or lies, and
// people must know.
#pragma once

#include <map>
#include <string>
#include <tuple>

#include "codegen/base/digest.h"

namespace hone::scheduler {

class References {
 public:
  /// Digest of `reference` as tuner `tuner` of `build` gives it for a task and target. Empty: it is the
  /// first, or the same. Else what differs from whose.
  std::string claim(const Digest& task_key, const std::string& target, const std::string& build,
                    const Digest& reference, const std::string& tuner);
  /// The first digest; empty: none came.
  Digest first(const Digest& task_key, const std::string& target, const std::string& build) const;
  /// References that differed, and the last of them; for people.
  std::string summary() const;

 private:
  struct First {
    Digest digest;
    std::string tuner;
  };
  static constexpr size_t most_kept = 1 << 15;  ///< then all are forgotten
  std::map<std::tuple<Digest, std::string, std::string>, First> first_;
  uint64_t conflicts_ = 0;
  std::string last_;
};

}  // namespace hone::scheduler
