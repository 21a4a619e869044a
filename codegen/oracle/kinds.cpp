// The table of kinds, alone in its file: a program that has its own does not link this one.
#include "codegen/oracle/kind.h"

namespace hone {

std::span<const OracleKind> oracle_kinds() {
  static constexpr OracleKind kinds[] = {graph_oracle_kind};
  return kinds;
}

}  // namespace hone
