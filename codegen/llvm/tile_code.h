// Private: one register tile as IR. Accumulators are SSA values that the phis of the reduce loops carry;
// copies are unrolled; addresses are pointers advanced loop by loop plus constants.
#pragma once

#include <llvm/IR/IRBuilder.h>

#include <functional>
#include <map>
#include <tuple>
#include <vector>

#include "codegen/llvm/arithmetic.h"
#include "codegen/llvm/memory.h"
#include "codegen/loop/loop.h"

namespace hone {

/// What the code of one phase shares.
struct PhaseContext {
  llvm::IRBuilder<>& builder;
  const InstructionSet& set;
  const std::vector<Buffer>& buffers;
  llvm::Type* arithmetic;                     ///< float or double
  const std::vector<loop::TileLoop>& around;  ///< loops around the tile, outermost first, parallel ones too
};

/// A counted loop `for (i = 0; i < trips; ++i)`, trips >= 1, carrying values. `body(i, carried)` gives the
/// next values.
using LoopBody = std::function<std::vector<llvm::Value*>(llvm::Value* i, std::vector<llvm::Value*> carried)>;
std::vector<llvm::Value*> counted_loop(llvm::IRBuilder<>& builder, const std::string& name, int64_t trips,
                                       int64_t step, std::vector<llvm::Value*> carried, const LoopBody& body);

class TileCode {
 public:
  TileCode(PhaseContext context, const loop::Tile& tile, Variables outer);
  void emit();

 private:
  using Copy = std::vector<int64_t>;  ///< values of the tile's copy variables

  /// Accesses that differ in constants only share a pointer.
  struct Pointer {
    int tensor;
    std::vector<Index::Term> terms;  ///< of variables other than copies and lanes
    Address now;                     ///< what the loops entered so far add up to
  };
  struct Site {
    size_t pointer;
    int64_t constant_bytes;
    std::vector<Index::Term> copy_terms;  ///< mention copy variables (or lanes inside a quotient)
  };

  /// Weights that several passes of the loops around read again: while one share of them is in use, the next
  /// is asked for, a part in each pass.
  struct Ahead {
    int64_t next_bytes = 0;             ///< from a share to the next
    int64_t part_bytes = 0;             ///< to ask for at a time; 0: there is no such plan
    std::vector<loop::TileLoop> again;  ///< the loops that read it again, outermost first
  };

  void plan_copies();
  void plan_pointers();
  Ahead plan_ahead(const loop::Access& access) const;
  Site site_of(const loop::Access& access);
  void advance(const std::string& variable);
  std::vector<Address> saved() const;
  void restore(const std::vector<Address>& addresses);
  /// Of an element of the copy at hand, from where the site's pointer is.
  Address address(const Site& site, Address pointer, int64_t size);

  std::vector<llvm::Value*> reduce(size_t level, std::vector<llvm::Value*> accumulators);
  std::vector<llvm::Value*> update(std::vector<llvm::Value*> accumulators);
  std::vector<llvm::Value*> step(size_t level, Integer position, std::vector<llvm::Value*> accumulators);
  void keep_order();
  void select_copy(size_t copy);
  llvm::Value* evaluate(const ScalarPtr& scalar);
  llvm::Value* compute(const Scalar& scalar);
  llvm::Value* sum(const ScalarPtr& a, const ScalarPtr& b, bool subtract);
  void ask_for(const Address& address, int level);
  void ask_for_next_share(int access);
  llvm::Value* read(int access);

  PhaseContext context_;
  llvm::IRBuilder<>& b_;
  const loop::Tile& tile_;
  VectorShape shape_;
  Memory memory_;
  Indices indices_;
  Arithmetic arithmetic_;
  Variables variables_;
  std::vector<Copy> copies_;
  std::vector<Pointer> pointers_;
  std::vector<Site> sites_;
  std::vector<Ahead> ahead_;    ///< of each access
  std::vector<Address> start_;  ///< of the pointers, before the reduction
  Site store_site_;
  int rolled_loops_ = 0;                ///< reduce loops around the code at hand that are real loops
  bool reducing_ = false;               ///< the code at hand is `update`
  llvm::Value* accumulator_ = nullptr;  ///< of the copy at hand, while `value` is evaluated
  std::map<const Scalar*, llvm::Value*> evaluated_;  ///< of the copy at hand
  /// Loads of one basic block, by pointer, constant and tensor: copies share what they read in common.
  std::map<std::tuple<llvm::BasicBlock*, llvm::Value*, int64_t, int, bool>, llvm::Value*> loaded_;
};

}  // namespace hone
