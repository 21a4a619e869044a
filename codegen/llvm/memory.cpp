#include "codegen/llvm/memory.h"

#include <llvm/IR/Constants.h>

#include <numeric>

namespace hone {

using llvm::Type;
using llvm::Value;

Type* Memory::lanes_of(Type* element) const {
  if (shape_.scalar()) return element;
  return llvm::FixedVectorType::get(element, static_cast<unsigned>(shape_.lanes));
}

Type* Memory::value_type() const { return lanes_of(arithmetic_); }

Type* Memory::element_type(DType dtype) const {
  switch (dtype) {
    case DType::f32:
      return b_.getFloatTy();
    case DType::f64:
      return b_.getDoubleTy();
    case DType::f16:
      return b_.getHalfTy();
    case DType::i8:
    case DType::u8:
    case DType::boolean:
      return b_.getInt8Ty();
    case DType::i32:
      return b_.getInt32Ty();
    case DType::i64:
      return b_.getInt64Ty();
  }
  HONE_CHECK(false);
  return nullptr;
}

LaneStride Memory::lane_stride(const loop::Access& access) const {
  if (shape_.scalar()) return {0, true};
  const Stride stride = stride_of(access.offset, shape_.variable);
  return {stride.value, stride.linear};
}

Value* Memory::convert_in(Value* value, DType dtype) {
  Type* from = value->getType();
  Type* to = from->isVectorTy() ? lanes_of(arithmetic_) : arithmetic_;
  if (from->isFPOrFPVectorTy()) return b_.CreateFPCast(value, to);
  if (dtype == DType::u8) return b_.CreateUIToFP(value, to);
  if (dtype == DType::boolean) return b_.CreateUIToFP(b_.CreateIsNotNull(value), to);
  return b_.CreateSIToFP(value, to);
}

Value* Memory::convert_out(Value* value, DType dtype) {
  Type* element = element_type(dtype);
  Type* to = value->getType()->isVectorTy() ? lanes_of(element) : element;
  if (element->isFloatingPointTy()) return b_.CreateFPCast(value, to);
  if (dtype == DType::boolean) {
    return b_.CreateZExt(b_.CreateFCmpUNE(value, llvm::Constant::getNullValue(value->getType())), to);
  }
  const auto id = dtype == DType::u8 ? llvm::Intrinsic::fptoui_sat : llvm::Intrinsic::fptosi_sat;
  return b_.CreateIntrinsic(id, {to, value->getType()}, {value});
}

Variables Memory::with_lane(const Variables& variables, int64_t lane) const {
  Variables all = variables;
  if (!shape_.scalar()) all[shape_.variable] = {nullptr, lane};
  return all;
}

Value* Memory::at(Address address) {
  if (address.bytes == 0) return address.pointer;
  return b_.CreateGEP(b_.getInt8Ty(), address.pointer, b_.getInt64(static_cast<uint64_t>(address.bytes)));
}

// Buffers begin on 64 bytes, so what divides every term's step and the constant divides the address.
llvm::Align Memory::alignment(const loop::Access& access, int64_t bytes, bool vector) const {
  const int64_t size = size_of(buffers_[access.tensor].dtype);
  if (!vector) return llvm::Align(static_cast<uint64_t>(size));
  int64_t step = std::gcd(int64_t{64}, bytes);
  for (const Index::Term& term : access.offset.terms) {
    if (term.atom.kind == Atom::Kind::axis && term.atom.axis == shape_.variable) continue;
    step = std::gcd(step, term.coefficient * size);
  }
  return llvm::Align(static_cast<uint64_t>(step));
}

Value* Memory::inside(const loop::Guard& guard, const Variables& variables) {
  const Stride stride = shape_.scalar() ? Stride{0, true} : stride_of(guard.index, shape_.variable);
  Type* i64 = b_.getInt64Ty();
  const auto compare = [&](Value* index) {
    Value* lo = llvm::ConstantInt::get(index->getType(), static_cast<uint64_t>(guard.lo));
    Value* hi = llvm::ConstantInt::get(index->getType(), static_cast<uint64_t>(guard.hi));
    return b_.CreateAnd(b_.CreateICmpSGE(index, lo), b_.CreateICmpSLT(index, hi));
  };
  if (stride.linear && stride.value == 0)
    return compare(indices_.whole(indices_.value(guard.index, with_lane(variables, 0))));
  Value* index = llvm::PoisonValue::get(lanes_of(i64));
  if (stride.linear) {
    std::vector<llvm::Constant*> steps;
    for (int64_t lane = 0; lane < shape_.lanes; ++lane)
      steps.push_back(b_.getInt64(static_cast<uint64_t>(lane * stride.value)));
    Value* first = indices_.whole(indices_.value(guard.index, with_lane(variables, 0)));
    Value* splat = b_.CreateVectorSplat(static_cast<unsigned>(shape_.lanes), first);
    return compare(b_.CreateAdd(splat, llvm::ConstantVector::get(steps)));
  }
  for (int64_t lane = 0; lane < shape_.lanes; ++lane) {
    Value* one = indices_.whole(indices_.value(guard.index, with_lane(variables, lane)));
    index = b_.CreateInsertElement(index, one, b_.getInt64(static_cast<uint64_t>(lane)));
  }
  return compare(index);
}

Memory::Condition Memory::condition(const loop::Access& access, const Variables& variables) {
  Condition result;
  for (const loop::Guard& guard : access.guards) {
    Value* one = inside(guard, variables);
    Value*& part = one->getType()->isVectorTy() ? result.lanes : result.all;
    part = part ? b_.CreateAnd(part, one) : one;
  }
  return result;
}

Value* Memory::lane_pointer(const loop::Access& access, const Variables& variables, int64_t lane,
                            Value* inside) {
  const Buffer& buffer = buffers_[access.tensor];
  Value* offset = indices_.whole(indices_.value(access.offset, with_lane(variables, lane)));
  if (inside) offset = b_.CreateSelect(inside, offset, b_.getInt64(0));
  return b_.CreateGEP(element_type(buffer.dtype), buffer.pointer, offset);
}

Value* Memory::load_scalar(const loop::Access& access, Value* pointer, int64_t bytes, Value* inside) {
  const Buffer& buffer = buffers_[access.tensor];
  if (inside)
    pointer = b_.CreateSelect(inside, at({pointer, bytes}), buffer.pointer);
  else
    pointer = at({pointer, bytes});
  Value* loaded = b_.CreateAlignedLoad(element_type(buffer.dtype), pointer, alignment(access, bytes, false));
  Value* value = convert_in(loaded, buffer.dtype);
  if (inside) value = b_.CreateSelect(inside, value, llvm::ConstantFP::get(arithmetic_, access.outside));
  return value;
}

Value* Memory::load_lanes(const loop::Access& access, const Variables& variables, Value* all, Value* lanes) {
  const Buffer& buffer = buffers_[access.tensor];
  Value* result = llvm::Constant::getNullValue(value_type());
  for (int64_t lane = 0; lane < shape_.active; ++lane) {
    Value* number = b_.getInt64(static_cast<uint64_t>(lane));
    Value* inside = lanes ? b_.CreateExtractElement(lanes, number) : nullptr;
    if (all) inside = inside ? b_.CreateAnd(inside, all) : all;
    Value* pointer = lane_pointer(access, variables, lane, inside);
    Value* value = convert_in(
        b_.CreateAlignedLoad(element_type(buffer.dtype), pointer, alignment(access, 0, false)), buffer.dtype);
    if (inside) value = b_.CreateSelect(inside, value, llvm::ConstantFP::get(arithmetic_, access.outside));
    result = b_.CreateInsertElement(result, value, number);
  }
  return result;
}

Value* Memory::load_vector(const loop::Access& access, Address address, Value* all, Value* lanes) {
  const Buffer& buffer = buffers_[access.tensor];
  Type* type = lanes_of(element_type(buffer.dtype));
  const llvm::Align align = alignment(access, address.bytes, true);
  Value* pointer = at(address);
  Value* mask = lanes;
  // Outside, the buffer's beginning is read instead; a buffer shorter than the vector is read under a mask.
  if (all) {
    if (buffer.elements >= shape_.lanes) {
      pointer = b_.CreateSelect(all, pointer, buffer.pointer);
    } else {
      Value* splat = b_.CreateVectorSplat(static_cast<unsigned>(shape_.lanes), all);
      mask = mask ? b_.CreateAnd(mask, splat) : splat;
    }
  }
  if (shape_.active < shape_.lanes) {
    std::vector<llvm::Constant*> active;
    for (int64_t lane = 0; lane < shape_.lanes; ++lane) active.push_back(b_.getInt1(lane < shape_.active));
    Value* constant = llvm::ConstantVector::get(active);
    mask = mask ? b_.CreateAnd(mask, constant) : constant;
  }
  Value* loaded = mask ? static_cast<Value*>(b_.CreateMaskedLoad(type, pointer, align, mask,
                                                                 llvm::Constant::getNullValue(type)))
                       : b_.CreateAlignedLoad(type, pointer, align);
  Value* value = convert_in(loaded, buffer.dtype);
  if (access.outside == 0 && !all) return value;
  Value* outside = llvm::ConstantFP::get(value->getType(), access.outside);
  if (lanes) value = b_.CreateSelect(lanes, value, outside);
  if (all) value = b_.CreateSelect(all, value, outside);
  return value;
}

Value* Memory::load(const loop::Access& access, Address address, const Variables& variables) {
  const Condition inside = condition(access, variables);
  const LaneStride stride = lane_stride(access);
  if (stride.linear && stride.elements == 0) {
    if (shape_.scalar()) return load_scalar(access, address.pointer, address.bytes, inside.all);
    if (!inside.lanes) {
      return b_.CreateVectorSplat(static_cast<unsigned>(shape_.lanes),
                                  load_scalar(access, address.pointer, address.bytes, inside.all));
    }
  }
  if (stride.linear && stride.elements == 1) return load_vector(access, address, inside.all, inside.lanes);
  return load_lanes(access, variables, inside.all, inside.lanes);
}

void Memory::store_lanes(const loop::Access& access, const Variables& variables, Value* value, Value* mask) {
  const Buffer& buffer = buffers_[access.tensor];
  if (!mask) {
    for (int64_t lane = 0; lane < shape_.active; ++lane) {
      Value* one = b_.CreateExtractElement(value, b_.getInt64(static_cast<uint64_t>(lane)));
      b_.CreateAlignedStore(one, lane_pointer(access, variables, lane, nullptr), alignment(access, 0, false));
    }
    return;
  }
  Value* pointers = llvm::PoisonValue::get(lanes_of(b_.getPtrTy()));
  for (int64_t lane = 0; lane < shape_.lanes; ++lane) {
    pointers = b_.CreateInsertElement(pointers, lane_pointer(access, variables, lane, nullptr),
                                      b_.getInt64(static_cast<uint64_t>(lane)));
  }
  b_.CreateMaskedScatter(value, pointers, llvm::Align(static_cast<uint64_t>(size_of(buffer.dtype))), mask);
}

void Memory::store(const loop::Access& access, Address address, const Variables& variables, Value* value) {
  const Buffer& buffer = buffers_[access.tensor];
  const Condition inside = condition(access, variables);
  const LaneStride stride = lane_stride(access);
  value = convert_out(value, buffer.dtype);

  llvm::BasicBlock* after = nullptr;
  if (inside.all) {
    llvm::Function* function = b_.GetInsertBlock()->getParent();
    llvm::BasicBlock* storing = llvm::BasicBlock::Create(b_.getContext(), "store", function);
    after = llvm::BasicBlock::Create(b_.getContext(), "stored", function);
    b_.CreateCondBr(inside.all, storing, after);
    b_.SetInsertPoint(storing);
  }
  Value* mask = inside.lanes;
  if (shape_.active < shape_.lanes) {
    std::vector<llvm::Constant*> active;
    for (int64_t lane = 0; lane < shape_.lanes; ++lane) active.push_back(b_.getInt1(lane < shape_.active));
    Value* constant = llvm::ConstantVector::get(active);
    mask = mask ? b_.CreateAnd(mask, constant) : constant;
  }
  if (shape_.scalar()) {
    b_.CreateAlignedStore(value, at(address), alignment(access, address.bytes, false));
  } else if (stride.linear && stride.elements == 1) {
    const llvm::Align align = alignment(access, address.bytes, true);
    if (mask)
      b_.CreateMaskedStore(value, at(address), align, mask);
    else
      b_.CreateAlignedStore(value, at(address), align);
  } else {
    store_lanes(access, variables, value, inside.lanes ? mask : nullptr);
  }
  if (after) {
    b_.CreateBr(after);
    b_.SetInsertPoint(after);
  }
}

Value* Memory::from_index(const Index& index, const Variables& variables) {
  const auto lane_value = [&](int64_t lane) {
    const Integer integer = indices_.value(index, with_lane(variables, lane));
    return b_.CreateSIToFP(indices_.whole(integer), arithmetic_);
  };
  const Stride stride = shape_.scalar() ? Stride{0, true} : stride_of(index, shape_.variable);
  if (shape_.scalar()) return lane_value(0);
  if (stride.linear && stride.value == 0) {
    return b_.CreateVectorSplat(static_cast<unsigned>(shape_.lanes), lane_value(0));
  }
  Value* result = llvm::PoisonValue::get(value_type());
  for (int64_t lane = 0; lane < shape_.lanes; ++lane) {
    result = b_.CreateInsertElement(result, lane_value(lane), b_.getInt64(static_cast<uint64_t>(lane)));
  }
  return result;
}

}  // namespace hone
