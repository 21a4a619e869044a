// Bodies: what a task refers to by digest and is too large, or too particular, for its text (the nodes of a
// forest, a lookup table). A task's text names each on a line of its own, `body NAME DIGEST`: whoever stores
// or sends tasks knows by that which bytes belong to them, whatever the kind of the task.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/base/digest.h"
#include "codegen/base/result.h"

namespace hone {

struct BodyName {
  std::string name;
  Digest digest;
  bool operator==(const BodyName&) const = default;
};
/// In the order of the text. Of a text from anywhere: lines that are not wholly `body NAME DIGEST` name none.
std::vector<BodyName> bodies_named(std::string_view task_text);
/// "body NAME DIGEST\n", as tasks write it.
std::string to_text(const BodyName& body);

inline constexpr int64_t kMostBodyBytes = int64_t{256} << 20;  ///< of one

/// Bytes by their digest; copies share them.
class Bodies {
 public:
  using Bytes = std::shared_ptr<const std::vector<std::byte>>;

  /// Returns the digest of `bytes`.
  Digest add(std::vector<std::byte> bytes);
  bool has(const Digest& digest) const { return bodies_.contains(digest); }
  /// Error: there is none of this digest here; `name` is the task's name for it.
  Result<Bytes> find(const BodyName& body) const;
  /// Those that the text names and this has not.
  std::vector<Digest> missing(std::string_view task_text) const;
  void remove(const Digest& digest) { bodies_.erase(digest); }
  size_t size() const { return bodies_.size(); }

 private:
  std::map<Digest, Bytes> bodies_;
};

}  // namespace hone
