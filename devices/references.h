// What is right for a task and a seed: the output of the reference artifact that a tuner sent, run here, looked
// at here, and kept where no child can read or write it.
#pragma once

#include <list>
#include <string>

#include "codegen/oracle/oracle.h"
#include "codegen/runtime/host/host.h"
#include "devices/memory.h"

namespace hone {

class References {
 public:
  /// All together, and of one while it is made.
  static constexpr size_t most_bytes = size_t{1} << 30;
  /// More than any model has tasks, with two seeds each: a reference takes as long as many measurements.
  static constexpr size_t most_entries = 256;

  struct Reference {
    std::string key;  ///< what makes it: artifact and seed
    size_t elements = 0;
    Pages pages{Pages::Kind::hidden, 0};  ///< values, then as many magnitudes
    ReferenceView view() const;
  };

  /// Counts as a use. nullptr: it is not there.
  const Reference* find(const std::string& key);
  /// Keeps the outputs "y" and "y.magnitude" of a reference that has run. Errors: it has no such pair, there is
  /// no memory, or an element that the oracle worked out itself is another: the reference is not the task's.
  Result<const Reference*> keep(const std::string& key, const Signature& signature,
                                std::span<void* const> buffers, const Oracle& oracle, const std::string& seed);

 private:
  std::list<Reference> references_;  ///< most recently used first
};

/// Compares random elements with what the oracle says. Errors: the first that differs, by value or magnitude.
Status spot_check(const Oracle& oracle, const std::string& seed, ReferenceView reference);

}  // namespace hone
