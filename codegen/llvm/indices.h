// Private: Index expressions over loop variables as 64-bit integer code.
// A variable is a value plus a constant, so that unrolled copies differ in constants that fold into
// addresses.
#pragma once

#include <llvm/IR/IRBuilder.h>

#include <map>
#include <string>

#include "codegen/expr/index.h"

namespace hone {

/// An integer known as `dynamic + constant`; no dynamic part: known at compile time.
struct Integer {
  llvm::Value* dynamic = nullptr;
  int64_t constant = 0;
};

/// Values of the loop variables in scope.
using Variables = std::map<std::string, Integer>;

class Indices {
 public:
  explicit Indices(llvm::IRBuilder<>& builder) : b_(builder) {}

  /// Every variable of `index` must be in scope.
  Integer value(const Index& index, const Variables& variables);
  Integer term(const Index::Term& term, const Variables& variables);
  Integer add(Integer a, Integer b);
  /// Both parts in one i64.
  llvm::Value* whole(Integer integer);
  /// Whether the atom mentions a variable for which `test` holds.
  template <class Test>
  static bool mentions(const Atom& atom, const Test& test);

 private:
  Integer atom(const Atom& atom, const Variables& variables);
  llvm::IRBuilder<>& b_;
};

template <class Test>
bool Indices::mentions(const Atom& atom, const Test& test) {
  if (atom.kind == Atom::Kind::axis) return test(atom.axis);
  for (const Index::Term& term : atom.operand->terms) {
    if (mentions(term.atom, test)) return true;
  }
  return false;
}

}  // namespace hone
