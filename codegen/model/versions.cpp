#include "codegen/model/versions.h"

#include <algorithm>

namespace hone {
namespace {

bool positive(const std::vector<int64_t>& list) {
  return std::any_of(list.begin(), list.end(), [](int64_t v) { return v > 0; });
}

void raise_to(std::vector<int64_t>& list, const std::vector<int64_t>& wanted) {
  if (list.size() < wanted.size()) list.resize(wanted.size(), 0);
  for (size_t i = 0; i < wanted.size(); ++i) list[i] = std::max(list[i], wanted[i]);
}

}  // namespace

bool Margin::any() const { return positive(before) || positive(after); }

bool same_memory_order(const Shape& shape, const Layout& a, const Layout& b) {
  if (a == b) return true;
  if (a.order.size() != shape.size() || b.order.size() != shape.size()) return false;
  const Geometry one = geometry(shape, a, {}), other = geometry(shape, b, {});
  if (one.elements != element_count(shape) || other.elements != one.elements) return false;
  std::vector<int64_t> index(shape.size(), 0);
  for (size_t d = 0; d < shape.size(); ++d) {
    for (int64_t i = 0; i < shape[d]; ++i) {
      index[d] = i;
      if (element_offset(one, index) != element_offset(other, index)) return false;
    }
    index[d] = 0;
  }
  return true;
}

int Versions::add(ValueId value, const TensorType& type, const Layout& layout, bool from_outside) {
  Version version;
  version.value = value;
  version.type = type;
  version.layout = layout;
  version.from_outside = from_outside;
  versions_.push_back(std::move(version));
  of_value_[value].push_back(count() - 1);
  return count() - 1;
}

int Versions::add_alias(ValueId value, const TensorType& type, const Layout& layout, int of) {
  HONE_CHECK(!versions_[static_cast<size_t>(root(of))].margin.any());
  versions_[static_cast<size_t>(root(of))].margin_free = true;
  const int id = add(value, type, layout);
  versions_.back().parent = of;
  versions_.back().alias = true;
  return id;
}

int Versions::root(int id) const {
  while (versions_[static_cast<size_t>(id)].parent >= 0) id = versions_[static_cast<size_t>(id)].parent;
  return id;
}

bool Versions::accepts(int root, const Margin& margin) const {
  const Version& v = versions_[static_cast<size_t>(root)];
  if (!margin.any()) return true;
  if (v.margin_free) return false;
  return !v.margin.any() || v.margin.value == margin.value;
}

void Versions::widen(int root, const Margin& margin) {
  if (!margin.any()) return;
  Version& v = versions_[static_cast<size_t>(root)];
  raise_to(v.margin.before, margin.before);
  raise_to(v.margin.after, margin.after);
  v.margin.value = margin.value;
}

const std::vector<int>& Versions::of(ValueId value) const {
  static const std::vector<int> none;
  const auto found = of_value_.find(value);
  return found == of_value_.end() ? none : found->second;
}

int Versions::first(ValueId value) const { return of(value).empty() ? -1 : of(value).front(); }

int Versions::find(ValueId value, const Layout& layout, const Margin& margin) {
  for (const int id : of(value)) {
    const Version& v = versions_[static_cast<size_t>(id)];
    if (v.layout != layout || (margin.any() && v.alias) || !accepts(root(id), margin)) continue;
    widen(root(id), margin);
    return id;
  }
  if (margin.any()) return -1;
  // The same bytes under another name of the order, e.g. one pixel of whole channel blocks.
  for (const int id : of(value)) {
    const Version& v = versions_[static_cast<size_t>(id)];
    if (v.parent >= 0 || v.margin.any() || !same_memory_order(v.type.shape, v.layout, layout)) continue;
    const TensorType type = v.type;
    return add_alias(value, type, layout, id);
  }
  return -1;
}

bool Versions::make_part(int id, int whole, int64_t offset) {
  const Version& v = versions_[static_cast<size_t>(id)];
  const Version& w = versions_[static_cast<size_t>(whole)];
  int64_t block = 1;
  for (const Layout::Block& b : w.layout.blocks)
    if (b.dimension == 1) block *= b.size;
  if (v.parent >= 0 || v.from_outside || v.margin_free || v.layout != w.layout || offset % block != 0)
    return false;
  // Padding lanes in the middle would be the next part's channels.
  if (v.type.shape[1] % block != 0 && offset + v.type.shape[1] != w.type.shape[1]) return false;
  if (!accepts(root(whole), v.margin)) return false;
  widen(root(whole), v.margin);
  Version& part = versions_[static_cast<size_t>(id)];
  part.margin = {};
  part.parent = whole;
  part.channel_offset = offset;
  std::vector<ValueId>& holds = versions_[static_cast<size_t>(whole)].holds;
  if (part.holds.empty())
    holds.push_back(part.value);
  else
    holds.insert(holds.end(), part.holds.begin(), part.holds.end());
  return true;
}

Port Versions::port(int id, const Layout& layout) const {
  Port port{layout, {}};
  const Version& own = versions_[static_cast<size_t>(root(id))];
  if (own.margin.any()) {
    port.placement.halo_before = own.margin.before;
    port.placement.halo_after = own.margin.after;
    port.placement.halo_before.resize(own.type.shape.size(), 0);
    port.placement.halo_after.resize(own.type.shape.size(), 0);
  }
  bool part = false;
  int64_t offset = 0;
  for (int v = id; versions_[static_cast<size_t>(v)].parent >= 0;
       v = versions_[static_cast<size_t>(v)].parent) {
    part |= !versions_[static_cast<size_t>(v)].alias;
    offset += versions_[static_cast<size_t>(v)].channel_offset;
  }
  if (part) {
    port.placement.buffer_channels = own.type.shape[1];
    port.placement.channel_offset = offset;
  }
  return port;
}

}  // namespace hone
