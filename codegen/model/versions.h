// Where values lie: each value of the graph has one or more versions, one per layout that somebody writes or
// wants. Versions share a buffer where that is free: parts of a concatenation, reshapes of plain values,
// equal memory orders.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "codegen/formulation/formulation.h"
#include "codegen/graph/graph.h"

namespace hone {

/// A margin that a reader wants around a value; empty vectors: none.
struct Margin {
  std::vector<int64_t> before, after;
  float value = 0;
  bool any() const;
};

struct Version {
  ValueId value = -1;
  TensorType type;
  Layout layout;
  /// -1: has a buffer of its own, with `margin`. Else the version whose buffer it lies in, from channel
  /// `channel_offset` on (a part), or with the very same bytes (an alias).
  int parent = -1;
  bool alias = false;
  int64_t channel_offset = 0;
  Margin margin;              ///< own buffers only: the maximum over all readers
  bool margin_free = false;   ///< an alias relies on there being no margin
  bool from_outside = false;  ///< a graph input: its buffer belongs to no operator
  /// Of a concatenation in place: the values it holds, in order of channels, those of nested ones instead of
  /// these.
  std::vector<ValueId> holds;
};

class Versions {
 public:
  const Version& operator[](int id) const { return versions_[static_cast<size_t>(id)]; }
  int count() const { return static_cast<int>(versions_.size()); }

  /// A new buffer for a value, e.g. because an operator writes it so.
  int add(ValueId value, const TensorType& type, const Layout& layout, bool from_outside = false);
  /// A version of the value that a reader who wants this layout and margin can use as it is, or -1. Widens
  /// the margin.
  int find(ValueId value, const Layout& layout, const Margin& margin);
  /// All versions of a value, the first written first.
  const std::vector<int>& of(ValueId value) const;
  /// Any version, the first written first; -1 if there is none.
  int first(ValueId value) const;
  /// The reshaped value is the same bytes as version `of`, which is plain and without a margin.
  int add_alias(ValueId value, const TensorType& type, const Layout& layout, int of);
  /// Whether version `id` may become channels [offset, ...) of version `whole`, and does: as a part of its
  /// buffer. Parts come in order of channels.
  bool make_part(int id, int whole, int64_t offset);

  /// The version whose buffer this one lies in.
  int root(int id) const;
  /// Where the version lies in its root's buffer; `layout` as the reader names it.
  Port port(int id, const Layout& layout) const;

 private:
  bool accepts(int root, const Margin& margin) const;
  void widen(int root, const Margin& margin);
  std::vector<Version> versions_;
  std::map<ValueId, std::vector<int>> of_value_;
};

/// Whether both layouts put every element of the shape at the same place, without padding lanes or margins.
bool same_memory_order(const Shape& shape, const Layout& a, const Layout& b);

}  // namespace hone
