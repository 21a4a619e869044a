#include "codegen/llvm/function_code.h"

#include <llvm/IR/IRBuilder.h>

#include <set>

#include "codegen/llvm/tile_code.h"

namespace hone {

using llvm::Value;

namespace {

/// Which tensors a phase touches.
struct Uses {
  std::set<int> touched;
  std::set<int> parameters;  ///< touched, but for the phase's locals
};

void collect(const loop::Statement& statement, Uses& uses) {
  for (const loop::Loop& loop : statement.loop) {
    for (const loop::Statement& inner : loop.body) collect(inner, uses);
  }
  for (const loop::Tile& tile : statement.tile) {
    for (const loop::Access& access : tile.accesses) uses.touched.insert(access.tensor);
    uses.touched.insert(tile.store.tensor);
  }
}

void set_attributes(llvm::Function* function, const Target& target) {
  function->addFnAttr(llvm::Attribute::NoUnwind);
  function->addFnAttr("no-builtins");
  function->addFnAttr("target-features", target.features);
  function->addFnAttr("min-legal-vector-width", std::to_string(target.vector_bits));
  function->addFnAttr("prefer-vector-width", std::to_string(target.vector_bits));
  // Features come from the Target alone; the CPU's name only picks a scheduling model.
  if (!target.cpu.empty()) function->addFnAttr("tune-cpu", target.cpu);
}

class PhaseCode {
 public:
  PhaseCode(llvm::IRBuilder<>& builder, const FunctionContext& context, const loop::Program& program)
      : b_(builder), context_(context), program_(program) {}

  llvm::Function* emit(const std::string& name, const loop::Phase& phase, const Uses& uses);

 private:
  void set_buffer(int tensor, Value* pointer);
  void decode(const loop::Phase& phase, Value* index, Variables& variables);
  void statements(const std::vector<loop::Statement>& body, const Variables& variables);
  void loop(const loop::Loop& loop, const Variables& variables);

  llvm::IRBuilder<>& b_;
  const FunctionContext& context_;
  const loop::Program& program_;
  std::vector<Buffer> buffers_;
  std::vector<loop::TileLoop> around_;  ///< loops around the statement at hand, parallel ones first
};

llvm::Function* PhaseCode::emit(const std::string& name, const loop::Phase& phase, const Uses& uses) {
  std::vector<llvm::Type*> parameters(uses.parameters.size(), b_.getPtrTy());
  parameters.insert(parameters.end(), {b_.getInt64Ty(), b_.getInt64Ty()});
  auto* type = llvm::FunctionType::get(b_.getVoidTy(), parameters, false);
  auto* function = llvm::Function::Create(type, llvm::Function::InternalLinkage, name, context_.module);
  set_attributes(function, context_.target);
  function->addFnAttr(llvm::Attribute::NoInline);  // its parameters say that buffers do not overlap

  buffers_.assign(program_.tensors.size(), {});
  unsigned number = 0;
  for (int tensor : uses.parameters) {
    llvm::Argument* argument = function->getArg(number);
    argument->setName(program_.tensors[static_cast<size_t>(tensor)].name);
    function->addParamAttr(number, llvm::Attribute::NoAlias);
    function->addParamAttr(number, llvm::Attribute::NoCapture);
    // Not `readonly`: loads from constant memory would ignore the fences that keep a tile's loads beside
    // their uses.
    function->addParamAttr(number, llvm::Attribute::getWithAlignment(b_.getContext(), llvm::Align(64)));
    set_buffer(tensor, argument);
    ++number;
  }
  Value* begin = function->getArg(number);
  Value* end = function->getArg(number + 1);

  llvm::LLVMContext& context = b_.getContext();
  auto* entry = llvm::BasicBlock::Create(context, "entry", function);
  auto* body = llvm::BasicBlock::Create(context, "parallel", function);
  b_.SetInsertPoint(entry);
  for (int tensor : phase.locals) {
    // One vector of slack, as every buffer has.
    const int64_t bytes = program_.geometries[static_cast<size_t>(tensor)].elements *
                              size_of(program_.tensors[static_cast<size_t>(tensor)].type.dtype) +
                          64;
    llvm::AllocaInst* local =
        b_.CreateAlloca(llvm::ArrayType::get(b_.getInt8Ty(), static_cast<uint64_t>(bytes)), nullptr,
                        program_.tensors[static_cast<size_t>(tensor)].name);
    local->setAlignment(llvm::Align(64));
    set_buffer(tensor, local);
  }
  // The runtime never asks for an empty range of several calls; one that is empty must do nothing all the
  // same.
  llvm::BasicBlock* done = llvm::BasicBlock::Create(context, "done", function);
  b_.CreateCondBr(b_.CreateICmpSLT(begin, end), body, done);
  b_.SetInsertPoint(body);
  llvm::PHINode* index = b_.CreatePHI(b_.getInt64Ty(), 2, "index");
  index->addIncoming(begin, entry);
  Variables variables;
  decode(phase, index, variables);
  around_ = phase.parallel;
  statements(phase.body, variables);
  Value* next = b_.CreateAdd(index, b_.getInt64(1), "", true, true);
  index->addIncoming(next, b_.GetInsertBlock());
  b_.CreateCondBr(b_.CreateICmpSLT(next, end), body, done);
  b_.SetInsertPoint(done);
  b_.CreateRetVoid();
  return function;
}

void PhaseCode::set_buffer(int tensor, Value* pointer) {
  const auto number = static_cast<size_t>(tensor);
  buffers_[number] = {pointer, program_.tensors[number].type.dtype, program_.geometries[number].elements,
                      program_.tensors[number].role == Role::constant};
}

void PhaseCode::decode(const loop::Phase& phase, Value* index, Variables& variables) {
  Value* rest = index;
  for (size_t k = phase.parallel.size(); k-- > 0;) {
    const loop::TileLoop& one = phase.parallel[k];
    if (one.extent == 1) {
      variables[one.variable] = {nullptr, 0};
      continue;
    }
    Value* extent = b_.getInt64(static_cast<uint64_t>(one.extent));
    variables[one.variable] = {k == 0 ? rest : b_.CreateURem(rest, extent, one.variable), 0};
    if (k > 0) rest = b_.CreateUDiv(rest, extent);
  }
}

void PhaseCode::statements(const std::vector<loop::Statement>& body, const Variables& variables) {
  for (const loop::Statement& statement : body) {
    for (const loop::Loop& one : statement.loop) loop(one, variables);
    for (const loop::Tile& tile : statement.tile) {
      llvm::Type* arithmetic = program_.arithmetic == DType::f64 ? b_.getDoubleTy() : b_.getFloatTy();
      TileCode({b_, context_.set, buffers_, arithmetic, around_}, tile, variables).emit();
    }
  }
}

void PhaseCode::loop(const loop::Loop& loop, const Variables& outer) {
  const int64_t unroll = std::clamp<int64_t>(loop.unroll, 1, std::max<int64_t>(loop.extent, 1));
  const int64_t trips = loop.extent / unroll;
  const auto once = [&](Integer position) {
    Variables variables = outer;
    variables[loop.variable] = position;
    statements(loop.body, variables);
  };
  around_.push_back({loop.variable, loop.extent});
  if (trips > 0) {
    counted_loop(b_, loop.variable, trips, unroll, {}, [&](Value* i, std::vector<Value*> carried) {
      for (int64_t k = 0; k < unroll; ++k) once({trips > 1 ? i : nullptr, k});
      return carried;
    });
  }
  for (int64_t k = trips * unroll; k < loop.extent; ++k) once({nullptr, k});
  around_.pop_back();
}

}  // namespace

Status add_function(const FunctionContext& context, const std::string& name, const loop::Program& program) {
  if (program.arithmetic != DType::f32 && program.arithmetic != DType::f64) {
    return fail("arithmetic in " + std::string(to_text(program.arithmetic)) + " is not supported", name,
                "use f32, or f64 for references");
  }
  HONE_CHECK(program.geometries.size() == program.tensors.size());
  llvm::LLVMContext& llvm_context = context.module.getContext();
  llvm::IRBuilder<> b(llvm_context);
  auto* type = llvm::FunctionType::get(b.getVoidTy(),
                                       {b.getPtrTy(), b.getInt32Ty(), b.getInt64Ty(), b.getInt64Ty()}, false);
  auto* function = llvm::Function::Create(type, llvm::Function::ExternalLinkage, name, context.module);
  set_attributes(function, context.target);
  auto* entry = llvm::BasicBlock::Create(llvm_context, "entry", function);
  auto* none = llvm::BasicBlock::Create(llvm_context, "none", function);
  b.SetInsertPoint(none);
  b.CreateRetVoid();
  b.SetInsertPoint(entry);
  llvm::SwitchInst* dispatch =
      b.CreateSwitch(function->getArg(1), none, static_cast<unsigned>(program.phases.size()));
  for (size_t k = 0; k < program.phases.size(); ++k) {
    Uses uses;
    for (const loop::Statement& statement : program.phases[k].body) collect(statement, uses);
    uses.parameters = uses.touched;
    for (int tensor : program.phases[k].locals) uses.parameters.erase(tensor);
    for (int tensor : uses.touched) {
      const Tensor& used = program.tensors[static_cast<size_t>(tensor)];
      if (used.type.dtype == DType::f16 && !context.set.half) {
        return fail("tensor " + used.name + " is f16, which this target cannot convert", name,
                    "widen it to f32");
      }
    }
    llvm::Function* phase =
        PhaseCode(b, context, program).emit(name + ".phase" + std::to_string(k), program.phases[k], uses);
    auto* block = llvm::BasicBlock::Create(llvm_context, "phase" + std::to_string(k), function);
    dispatch->addCase(b.getInt32(static_cast<uint32_t>(k)), block);
    b.SetInsertPoint(block);
    std::vector<Value*> arguments;
    for (int tensor : uses.parameters) {
      Value* slot =
          b.CreateConstInBoundsGEP1_64(b.getPtrTy(), function->getArg(0), static_cast<uint64_t>(tensor));
      arguments.push_back(b.CreateLoad(b.getPtrTy(), slot));
    }
    arguments.insert(arguments.end(), {function->getArg(2), function->getArg(3)});
    b.CreateCall(phase, arguments)->setTailCallKind(llvm::CallInst::TCK_Tail);
    b.CreateRetVoid();
  }
  return {};
}

}  // namespace hone
