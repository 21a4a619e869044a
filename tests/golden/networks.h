// The networks that golden files are of: small ones that lie in networks/ as text, and those of the shared
// data.
#pragma once

#include <ostream>
#include <string>

#include "codegen/graph/graph.h"

namespace hone::test {

/// A graph from networks/NAME.txt as an importer makes it, before it is simplified; constants have generated
/// data.
Result<Graph> read_network(const std::string& name);

/// A network to compile, simplified.
struct Network {
  std::string name;
  /// Model file in the source tree ("tests/...") or in the shared data; empty: networks/NAME.txt.
  std::string file;

  /// GoogleTest names what failed by this.
  friend void PrintTo(const Network& network, std::ostream* out) { *out << network.name; }
  bool is_shared() const { return !file.empty() && !file.starts_with("tests/"); }
};
/// Path of a shared network's file; empty if it is not there.
std::string shared_file(const Network& network);
Result<Graph> load(const Network& network);

}  // namespace hone::test
