// What no candidate may know beforehand: the seeds of the data that it is checked and timed on.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "codegen/base/digest.h"
#include "codegen/base/result.h"
#include "devices/memory.h"

namespace hone {

/// Random bits of the kernel's.
uint64_t random_bits();

/// Seeds drawn when the child server starts, a few for each task, each used for so many checks and then
/// replaced. The secret that they come from lies in pages that no child has.
class Seeds {
 public:
  static constexpr int most_uses = 256;

  Seeds();
  /// The seed for the next check of this task; `purpose` tells apart data that should not be the same (the
  /// search's, the finals'). Counts a use. Errors, as an empty text: the kernel gave no random bits.
  std::string next(const Digest& task_key, std::string_view purpose);

 private:
  struct Series {
    int uses = 0;
    uint64_t number = 0;
  };
  Pages secret_;
  std::map<std::string, Series, std::less<>> series_;
};

}  // namespace hone
