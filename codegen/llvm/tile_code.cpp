#include "codegen/llvm/tile_code.h"

#include <algorithm>
#include <limits>
#include <set>

namespace hone {

using llvm::Value;

namespace {

/// How far ahead weights are asked for: at a vector for 8 cycles of arithmetic, 768 cycles, more than
/// memory's latency (measured on ResNet-18's layers with cold weights: 2048 and 4096 are slower, more gains
/// nothing).
constexpr int64_t kPrefetchBytes = 6144;

/// Of a share of weights that is asked for whole while another is in use: both stay in a second-level cache.
constexpr int64_t kShareBytes = 256 << 10;
constexpr int64_t kLineBytes = 64, kMostLines = 8;  ///< the latter at once, of each vector of a tile

}  // namespace

std::vector<Value*> counted_loop(llvm::IRBuilder<>& b, const std::string& name, int64_t trips, int64_t step,
                                 std::vector<Value*> carried, const LoopBody& body) {
  HONE_CHECK(trips >= 1);
  if (trips == 1) return body(b.getInt64(0), std::move(carried));
  llvm::Function* function = b.GetInsertBlock()->getParent();
  llvm::BasicBlock* before = b.GetInsertBlock();
  llvm::BasicBlock* head = llvm::BasicBlock::Create(b.getContext(), name, function);
  b.CreateBr(head);
  b.SetInsertPoint(head);
  llvm::PHINode* i = b.CreatePHI(b.getInt64Ty(), 2, name);
  i->addIncoming(b.getInt64(0), before);
  std::vector<llvm::PHINode*> phis;
  std::vector<Value*> inside;
  for (Value* value : carried) {
    phis.push_back(b.CreatePHI(value->getType(), 2));
    phis.back()->addIncoming(value, before);
    inside.push_back(phis.back());
  }
  const std::vector<Value*> next = body(i, std::move(inside));
  HONE_CHECK(next.size() == phis.size());
  llvm::BasicBlock* latch = b.GetInsertBlock();
  Value* incremented = b.CreateAdd(i, b.getInt64(static_cast<uint64_t>(step)), "", true, true);
  i->addIncoming(incremented, latch);
  for (size_t k = 0; k < phis.size(); ++k) phis[k]->addIncoming(next[k], latch);
  llvm::BasicBlock* after = llvm::BasicBlock::Create(b.getContext(), name + ".end", function);
  b.CreateCondBr(b.CreateICmpULT(incremented, b.getInt64(static_cast<uint64_t>(trips * step))), head, after);
  b.SetInsertPoint(after);
  return next;
}

TileCode::TileCode(PhaseContext context, const loop::Tile& tile, Variables outer)
    : context_(context),
      b_(context.builder),
      tile_(tile),
      shape_{tile.vector_variable, tile.lanes, tile.active_lanes},
      memory_(b_, context.buffers, context.arithmetic, shape_),
      indices_(b_),
      arithmetic_(b_, context.set),
      variables_(std::move(outer)) {
  plan_copies();
  plan_pointers();
}

// Copies run so that what is read most often is used at once: the variable that the access with the most
// distinct addresses depends on goes outermost, and what the others read stays in registers.
void TileCode::plan_copies() {
  const auto depends = [&](const loop::Access& access, const std::string& variable) {
    return std::any_of(access.offset.terms.begin(), access.offset.terms.end(), [&](const Index::Term& term) {
      return Indices::mentions(term.atom, [&](const std::string& axis) { return axis == variable; });
    });
  };
  std::vector<std::pair<int64_t, size_t>> order;
  for (size_t v = 0; v < tile_.copies.size(); ++v) {
    int64_t most = 0;
    for (const loop::Access& access : tile_.accesses) {
      int64_t distinct = 1;
      bool all = true;
      for (const loop::TileLoop& copy : tile_.copies) {
        if (depends(access, copy.variable))
          distinct *= copy.extent;
        else
          all = false;
      }
      if (depends(access, tile_.copies[v].variable) && !all) most = std::max(most, distinct);
    }
    order.emplace_back(-most, v);
  }
  std::sort(order.begin(), order.end());
  int64_t count = 1;
  for (const loop::TileLoop& copy : tile_.copies) count *= copy.extent;
  HONE_CHECK(count >= 1 && count <= 1024);
  for (int64_t number = 0; number < count; ++number) {
    Copy copy(tile_.copies.size());
    int64_t rest = number;
    for (size_t k = order.size(); k-- > 0;) {
      const size_t v = order[k].second;
      copy[v] = rest % tile_.copies[v].extent;
      rest /= tile_.copies[v].extent;
    }
    copies_.push_back(std::move(copy));
  }
}

TileCode::Site TileCode::site_of(const loop::Access& access) {
  const int64_t size = size_of(context_.buffers[access.tensor].dtype);
  const auto of_copy = [&](const std::string& axis) {
    return axis == shape_.variable ||
           std::any_of(tile_.copies.begin(), tile_.copies.end(),
                       [&](const loop::TileLoop& copy) { return copy.variable == axis; });
  };
  Site site{0, access.offset.constant * size, {}};
  Pointer pointer{access.tensor, {}, {context_.buffers[access.tensor].pointer, 0}};
  for (const Index::Term& term : access.offset.terms) {
    if (!Indices::mentions(term.atom, of_copy))
      pointer.terms.push_back(term);
    else
      site.copy_terms.push_back(term);
  }
  const auto same = [&](const Pointer& other) {
    return other.tensor == pointer.tensor && other.terms == pointer.terms;
  };
  site.pointer =
      static_cast<size_t>(std::find_if(pointers_.begin(), pointers_.end(), same) - pointers_.begin());
  if (site.pointer == pointers_.size()) pointers_.push_back(std::move(pointer));
  return site;
}

void TileCode::plan_pointers() {
  for (const loop::Access& access : tile_.accesses) {
    sites_.push_back(site_of(access));
    ahead_.push_back(plan_ahead(access));
  }
  store_site_ = site_of(tile_.store);
  advance("");
}

// Adds the terms whose innermost variable is `variable` ("": those of the loops outside the tile).
void TileCode::advance(const std::string& variable) {
  const auto depth = [&](const std::string& axis) {
    for (size_t k = 0; k < tile_.reduce.size(); ++k) {
      if (tile_.reduce[k].variable == axis) return k + 1;
    }
    return size_t{0};
  };
  const size_t wanted = depth(variable);
  for (Pointer& pointer : pointers_) {
    const int64_t size = size_of(context_.buffers[pointer.tensor].dtype);
    Integer offset;
    for (const Index::Term& term : pointer.terms) {
      size_t innermost = 0;
      Indices::mentions(term.atom, [&](const std::string& axis) {
        innermost = std::max(innermost, depth(axis));
        return false;
      });
      if (innermost != wanted) continue;
      Index::Term scaled = term;
      scaled.coefficient *= size;
      offset = indices_.add(offset, indices_.term(scaled, variables_));
    }
    if (offset.dynamic)
      pointer.now.pointer = b_.CreateGEP(b_.getInt8Ty(), pointer.now.pointer, offset.dynamic);
    pointer.now.bytes += offset.constant;
  }
}

std::vector<Address> TileCode::saved() const {
  std::vector<Address> addresses;
  for (const Pointer& pointer : pointers_) addresses.push_back(pointer.now);
  return addresses;
}

void TileCode::restore(const std::vector<Address>& addresses) {
  for (size_t k = 0; k < pointers_.size(); ++k) pointers_[k].now = addresses[k];
}

Address TileCode::address(const Site& site, Address address, int64_t size) {
  address.bytes += site.constant_bytes;
  for (const Index::Term& term : site.copy_terms) {
    Index::Term scaled = term;
    scaled.coefficient *= size;
    const Integer offset = indices_.term(scaled, variables_);
    if (offset.dynamic) address.pointer = b_.CreateGEP(b_.getInt8Ty(), address.pointer, offset.dynamic);
    address.bytes += offset.constant;
  }
  return address;
}

void TileCode::select_copy(size_t copy) {
  for (size_t v = 0; v < tile_.copies.size(); ++v)
    variables_[tile_.copies[v].variable] = {nullptr, copies_[copy][v]};
  if (!shape_.scalar()) variables_[shape_.variable] = {nullptr, 0};
  evaluated_.clear();
}

void TileCode::emit() {
  std::vector<Value*> accumulators;
  if (tile_.update) {
    const double start = tile_.combiner == Combiner::sum ? 0 : -std::numeric_limits<double>::infinity();
    accumulators.assign(copies_.size(), arithmetic_.constant(memory_.value_type(), start));
    reducing_ = true;
    start_ = saved();
    accumulators = reduce(0, std::move(accumulators));
    reducing_ = false;
  }
  for (size_t copy = 0; copy < copies_.size(); ++copy) {
    select_copy(copy);
    accumulator_ = accumulators.empty() ? nullptr : accumulators[copy];
    Value* value = evaluate(tile_.value);
    const int64_t size = size_of(context_.buffers[tile_.store.tensor].dtype);
    memory_.store(tile_.store, address(store_site_, pointers_[store_site_.pointer].now, size), variables_,
                  value);
  }
}

std::vector<Value*> TileCode::step(size_t level, Integer position, std::vector<Value*> accumulators) {
  const std::string& variable = tile_.reduce[level].variable;
  const std::vector<Address> before = saved();
  variables_[variable] = position;
  advance(variable);
  if (level == 0)
    for (size_t k = 0; k < ahead_.size(); ++k)
      if (ahead_[k].part_bytes > 0) ask_for_next_share(static_cast<int>(k));
  accumulators = reduce(level + 1, std::move(accumulators));
  restore(before);
  return accumulators;
}

// A compiler-only fence: no instruction. Without it the loads of neighbouring copies are gathered ahead of
// their uses, and a full tile has no registers for them: accumulators would be spilled in the hot loop. Tiles
// whose reduction is unrolled whole have none: what they read (a depthwise filter) may leave the loops around
// them.
void TileCode::keep_order() {
  b_.CreateFence(llvm::AtomicOrdering::SequentiallyConsistent, llvm::SyncScope::SingleThread);
}

std::vector<Value*> TileCode::reduce(size_t level, std::vector<Value*> accumulators) {
  if (level == tile_.reduce.size()) return update(std::move(accumulators));
  const loop::TileLoop& loop = tile_.reduce[level];
  const int64_t unroll = std::clamp<int64_t>(loop.unroll, 1, loop.extent);
  const int64_t trips = loop.extent / unroll;
  const auto iteration = [&](Value* i, std::vector<Value*> carried) {
    rolled_loops_ += trips > 1 ? 1 : 0;
    for (int64_t k = 0; k < unroll; ++k) {
      if (k > 0 && rolled_loops_ > 0) keep_order();
      carried = step(level, {trips > 1 ? i : nullptr, k}, std::move(carried));
    }
    rolled_loops_ -= trips > 1 ? 1 : 0;
    return carried;
  };
  accumulators = counted_loop(b_, loop.variable, trips, unroll, std::move(accumulators), iteration);
  for (int64_t k = trips * unroll; k < loop.extent; ++k)
    accumulators = step(level, {nullptr, k}, std::move(accumulators));
  return accumulators;
}

std::vector<Value*> TileCode::update(std::vector<Value*> accumulators) {
  for (size_t copy = 0; copy < copies_.size(); ++copy) {
    select_copy(copy);
    Value*& sum = accumulators[copy];
    const Scalar& update = *tile_.update;
    if (tile_.combiner == Combiner::maximum) {
      sum = arithmetic_.maximum(sum, evaluate(tile_.update));
    } else if (update.op == ScalarOp::mul) {
      sum = arithmetic_.multiply_add(evaluate(update.args[0]), evaluate(update.args[1]), sum);
    } else {
      sum = b_.CreateFAdd(sum, evaluate(tile_.update));
    }
  }
  return accumulators;
}

Value* TileCode::evaluate(const ScalarPtr& scalar) {
  const auto found = evaluated_.find(scalar.get());
  if (found != evaluated_.end()) return found->second;
  Value* value = compute(*scalar);
  evaluated_[scalar.get()] = value;
  return value;
}

Value* TileCode::read(int number) {
  const loop::Access& access = tile_.accesses[static_cast<size_t>(number)];
  const Site& site = sites_[static_cast<size_t>(number)];
  const Address where =
      address(site, pointers_[site.pointer].now, size_of(context_.buffers[access.tensor].dtype));
  const LaneStride stride = memory_.lane_stride(access);
  const bool shared = access.guards.empty() && stride.linear && stride.elements <= 1 && stride.elements >= 0;
  if (!shared) return memory_.load(access, where, variables_);
  Value*& value =
      loaded_[{b_.GetInsertBlock(), where.pointer, where.bytes, access.tensor, stride.elements == 1}];
  if (!value) {
    const Buffer& buffer = context_.buffers[access.tensor];
    // Weights come from memory and are asked for ahead, since hardware stops at page borders. An address past
    // the end does no harm.
    if (buffer.constant && stride.elements == 1 && reducing_ &&
        ahead_[static_cast<size_t>(number)].part_bytes == 0)
      ask_for({where.pointer, where.bytes + kPrefetchBytes}, 1);
    value = memory_.load(access, where, variables_);
  }
  return value;
}

// A share of weights that is read in several passes leaves time between its first pass and the next share's,
// in which memory would rest: the next share comes in meanwhile (1x1 convolutions of 7x7 pixels with cold
// weights take 5 % less time on a Zen 4).
TileCode::Ahead TileCode::plan_ahead(const loop::Access& access) const {
  if (!context_.buffers[access.tensor].constant || !access.guards.empty() || tile_.reduce.empty()) return {};
  const int64_t size = size_of(context_.buffers[access.tensor].dtype);
  std::map<std::string, int64_t> bytes;
  for (const Index::Term& term : access.offset.terms) {
    if (term.atom.kind != Atom::Kind::axis) return {};
    bytes[term.atom.axis] = term.coefficient * size;
  }
  Ahead ahead;
  int64_t steps = 1, last = 0, passes = 1;
  for (const loop::TileLoop& loop : tile_.reduce) {
    steps *= loop.extent;
    last += (loop.extent - 1) * bytes[loop.variable];
  }
  const int64_t share_bytes = steps * shape_.lanes * size;
  if (last + shape_.lanes * size != share_bytes) return {};  // not in one run
  int64_t bytes_of_tile = share_bytes;
  for (const loop::TileLoop& copy : tile_.copies)
    if (bytes[copy.variable] != 0) bytes_of_tile *= copy.extent;
  if (bytes_of_tile > kShareBytes) return {};
  for (size_t k = context_.around.size(); k-- > 0;) {
    const loop::TileLoop& loop = context_.around[k];
    if (loop.extent == 1) continue;
    if (bytes[loop.variable] != 0) {
      const int64_t iterations = passes * tile_.reduce[0].extent;
      ahead.next_bytes = bytes[loop.variable];
      ahead.part_bytes = (share_bytes + iterations - 1) / iterations;
      return passes > 1 && ahead.part_bytes <= kMostLines * kLineBytes ? ahead : Ahead{};
    }
    passes *= loop.extent;
    ahead.again.insert(ahead.again.begin(), loop);
  }
  return {};
}

void TileCode::ask_for(const Address& address, int level) {
  Value* pointer = memory_.at(address);
  b_.CreateIntrinsic(
      llvm::Intrinsic::prefetch, {pointer->getType()},
      {pointer, b_.getInt32(0), b_.getInt32(4 - static_cast<uint32_t>(level)), b_.getInt32(1)});
}

// At the beginning of each iteration of the outermost reduce loop: of the next share the part that makes it
// whole over all iterations of all passes.
void TileCode::ask_for_next_share(int access) {
  const Ahead& ahead = ahead_[static_cast<size_t>(access)];
  const loop::TileLoop& outermost = tile_.reduce[0];
  const auto number = [&](int64_t value) { return b_.getInt64(static_cast<uint64_t>(value)); };
  Value* iteration = number(0);
  for (const loop::TileLoop& loop : ahead.again)
    iteration = b_.CreateAdd(b_.CreateMul(iteration, number(loop.extent)),
                             indices_.whole(variables_.at(loop.variable)));
  iteration = b_.CreateAdd(b_.CreateMul(iteration, number(outermost.extent)),
                           indices_.whole(variables_.at(outermost.variable)));
  Value* offset = b_.CreateMul(iteration, number(ahead.part_bytes));
  const Site& site = sites_[static_cast<size_t>(access)];
  const int64_t size = size_of(context_.buffers[tile_.accesses[static_cast<size_t>(access)].tensor].dtype);
  std::set<int64_t> asked;
  for (size_t copy = 0; copy < copies_.size(); ++copy) {
    select_copy(copy);
    const Address share = address(site, start_[site.pointer], size);
    if (!asked.insert(share.bytes).second) continue;
    Value* part = b_.CreateGEP(b_.getInt8Ty(), share.pointer, offset);
    for (int64_t byte = 0; byte < ahead.part_bytes; byte += kLineBytes)
      ask_for({part, share.bytes + ahead.next_bytes + byte}, 2);
  }
}

// A product in a sum becomes one multiply-add.
Value* TileCode::sum(const ScalarPtr& a, const ScalarPtr& b, bool subtract) {
  if (a->op == ScalarOp::mul) {
    Value* addend = evaluate(b);
    return arithmetic_.multiply_add(evaluate(a->args[0]), evaluate(a->args[1]),
                                    subtract ? b_.CreateFNeg(addend) : addend);
  }
  if (b->op == ScalarOp::mul) {
    Value* factor = evaluate(b->args[0]);
    return arithmetic_.multiply_add(subtract ? b_.CreateFNeg(factor) : factor, evaluate(b->args[1]),
                                    evaluate(a));
  }
  Value* left = evaluate(a);
  Value* right = evaluate(b);
  return subtract ? b_.CreateFSub(left, right) : b_.CreateFAdd(left, right);
}

Value* TileCode::compute(const Scalar& s) {
  const auto arg = [&](size_t k) { return evaluate(s.args[k]); };
  switch (s.op) {
    case ScalarOp::constant:
      return arithmetic_.constant(memory_.value_type(), s.value);
    case ScalarOp::read:
      return read(s.tensor);
    case ScalarOp::from_index:
      return memory_.from_index(s.index[0], variables_);
    case ScalarOp::accumulator:
      HONE_CHECK(accumulator_ != nullptr);
      return accumulator_;
    case ScalarOp::neg:
      return b_.CreateFNeg(arg(0));
    case ScalarOp::abs:
      return arithmetic_.abs(arg(0));
    case ScalarOp::exp:
      return arithmetic_.exp(arg(0));
    case ScalarOp::log:
      return arithmetic_.log(arg(0));
    case ScalarOp::tanh:
      return arithmetic_.tanh(arg(0));
    case ScalarOp::sigmoid:
      return arithmetic_.sigmoid(arg(0));
    case ScalarOp::sqrt:
      return arithmetic_.sqrt(arg(0));
    case ScalarOp::floor:
      return arithmetic_.floor(arg(0));
    case ScalarOp::add:
      return sum(s.args[0], s.args[1], false);
    case ScalarOp::sub:
      return sum(s.args[0], s.args[1], true);
    case ScalarOp::mul: {
      // a * sigmoid(x) needs one division and no product, unless something else reads the sigmoid.
      for (const size_t k : {size_t{1}, size_t{0}}) {
        const ScalarPtr& gate = s.args[k];
        if (gate->op != ScalarOp::sigmoid || gate.use_count() > 1 || evaluated_.count(gate.get())) continue;
        Value* a = arg(1 - k);
        return arithmetic_.times_sigmoid(a, evaluate(gate->args[0]));
      }
      Value* a = arg(0);
      return b_.CreateFMul(a, arg(1));
    }
    case ScalarOp::div: {
      Value* a = arg(0);
      return b_.CreateFDiv(a, arg(1));
    }
    case ScalarOp::maximum: {
      Value* a = arg(0);
      return arithmetic_.maximum(a, arg(1));
    }
    case ScalarOp::minimum: {
      Value* a = arg(0);
      return arithmetic_.minimum(a, arg(1));
    }
    case ScalarOp::select_less: {
      Value* a = arg(0);
      Value* less = b_.CreateFCmpOLT(a, arg(1));
      // Known once a choice by an unrolled variable is made: the other branch is never emitted.
      if (const auto* known = llvm::dyn_cast<llvm::Constant>(less)) {
        if (known->isAllOnesValue()) return arg(2);
        if (known->isNullValue()) return arg(3);
      }
      Value* then = arg(2);
      return b_.CreateSelect(less, then, arg(3));
    }
  }
  HONE_CHECK(false);
  return nullptr;
}

}  // namespace hone
