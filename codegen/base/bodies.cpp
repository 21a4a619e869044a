#include "codegen/base/bodies.h"

#include <algorithm>

namespace hone {
namespace {

constexpr std::string_view kBody = "body ";

}  // namespace

std::vector<BodyName> bodies_named(std::string_view task_text) {
  std::vector<BodyName> named;
  while (!task_text.empty()) {
    const size_t end = task_text.find('\n');
    std::string_view line = task_text.substr(0, end);
    task_text = end == std::string_view::npos ? std::string_view() : task_text.substr(end + 1);
    if (!line.starts_with(kBody)) continue;
    line.remove_prefix(kBody.size());
    const size_t space = line.find(' ');
    if (space == 0 || space == std::string_view::npos) continue;
    const auto digest = parse_digest(line.substr(space + 1));
    if (digest && !digest->empty()) named.push_back({std::string(line.substr(0, space)), *digest});
  }
  return named;
}

std::string to_text(const BodyName& body) { return "body " + body.name + " " + body.digest.hex() + "\n"; }

Digest Bodies::add(std::vector<std::byte> bytes) {
  Digest digest = digest_of(bytes);
  bodies_.try_emplace(digest, std::make_shared<const std::vector<std::byte>>(std::move(bytes)));
  return digest;
}

Result<Bodies::Bytes> Bodies::find(const BodyName& body) const {
  const auto found = bodies_.find(body.digest);
  if (found == bodies_.end())
    return fail("its body '" + body.name + "' (" + body.digest.hex(12) + ") is not here", "task");
  return found->second;
}

std::vector<Digest> Bodies::missing(std::string_view task_text) const {
  std::vector<Digest> missing;
  for (const BodyName& body : bodies_named(task_text))
    if (!has(body.digest) && std::ranges::count(missing, body.digest) == 0) missing.push_back(body.digest);
  return missing;
}

}  // namespace hone
