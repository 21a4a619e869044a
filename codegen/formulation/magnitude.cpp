// The rules of codegen/CONTRACTS.md (checks) as a rewriting, see magnitude.h.
#include "codegen/formulation/magnitude.h"

#include <cmath>
#include <map>
#include <set>

#include "codegen/formulation/builder.h"

namespace hone {
namespace {

using namespace scalar;

/// Bounds that stand for "none" (the lowest float) carry no rounding error.
constexpr double kUnbounded = 1e30;

ScalarPtr absolute(const ScalarPtr& a) { return unary(ScalarOp::abs, a); }
ScalarPtr plus(const ScalarPtr& a, const ScalarPtr& b) { return binary(ScalarOp::add, a, b); }
ScalarPtr times(const ScalarPtr& a, const ScalarPtr& b) { return binary(ScalarOp::mul, a, b); }
ScalarPtr over(const ScalarPtr& a, const ScalarPtr& b) { return binary(ScalarOp::div, a, b); }
ScalarPtr larger(const ScalarPtr& a, const ScalarPtr& b) { return binary(ScalarOp::maximum, a, b); }

ScalarPtr absolute_read(const ScalarPtr& read) {
  auto copy = std::make_shared<Scalar>(*read);
  if (copy->outside && std::abs(*copy->outside) > kUnbounded) copy->outside = 0;
  return absolute(copy);
}

struct Rewriting {
  const std::function<ScalarPtr(const ScalarPtr&)>& of_read;
  std::map<const Scalar*, ScalarPtr> done;

  ScalarPtr of(const ScalarPtr& s) {
    auto found = done.find(s.get());
    if (found != done.end()) return found->second;
    ScalarPtr m = rewrite(s);
    return done[s.get()] = m;
  }

  /// |a| m_b + |b| m_a; where both are exact, this is 2 |a b|.
  ScalarPtr product(const ScalarPtr& a, const ScalarPtr& b) {
    const ScalarPtr ma = of(a), mb = of(b);
    const auto exact = [](const ScalarPtr& x, const ScalarPtr& m) {
      return m->op == ScalarOp::abs && m->args[0] == x;
    };
    if (exact(a, ma) && exact(b, mb)) {
      const ScalarPtr ab = absolute(times(a, b));
      return plus(ab, ab);
    }
    return plus(times(absolute(a), mb), times(absolute(b), ma));
  }

  ScalarPtr rewrite(const ScalarPtr& s) {
    const auto& a = s->args;
    switch (s->op) {
      case ScalarOp::constant:
        return constant(std::abs(s->value) > kUnbounded ? 0 : std::abs(s->value));
      case ScalarOp::read:
        return of_read(s);
      case ScalarOp::from_index:
        return absolute(s);
      case ScalarOp::accumulator:
        return s;
      case ScalarOp::neg:
      case ScalarOp::abs:
        return of(a[0]);
      case ScalarOp::exp:
        return times(s, plus(constant(1), of(a[0])));
      case ScalarOp::log:
        return plus(absolute(s), over(of(a[0]), absolute(a[0])));
      case ScalarOp::tanh:
        return plus(absolute(s), of(a[0]));
      case ScalarOp::sigmoid:
        return plus(s, times(constant(0.25), of(a[0])));
      // Near 0 the derivative has no bound; the error of a root is at most the root of the error there.
      case ScalarOp::sqrt:
        return plus(s, over(times(constant(0.5), of(a[0])), larger(s, constant(1e-6))));
      case ScalarOp::floor:
        return absolute(s);
      case ScalarOp::add:
      case ScalarOp::sub:
        return plus(of(a[0]), of(a[1]));
      case ScalarOp::mul:
        return product(a[0], a[1]);
      case ScalarOp::div:
        return plus(over(of(a[0]), absolute(a[1])), over(times(absolute(a[0]), of(a[1])), times(a[1], a[1])));
      case ScalarOp::maximum:
      case ScalarOp::minimum:
        return larger(of(a[0]), of(a[1]));
      case ScalarOp::select_less:
        return select_less(a[0], a[1], of(a[2]), of(a[3]));
    }
    check_failed("a scalar operation", __FILE__, __LINE__);
  }
};

/// Reductions store what they accumulate; what follows becomes a stage of its own.
Computation with_bare_reductions(const Computation& computation) {
  Computation result = computation;
  result.stages.clear();
  for (const Stage& stage : computation.stages) {
    if (!stage.reduction || stage.value->op == ScalarOp::accumulator) {
      result.stages.push_back(stage);
      continue;
    }
    Tensor sums = result.tensors[static_cast<size_t>(stage.output)];
    sums.name = stage.name + ".sum";
    sums.role = Role::scratch;
    sums.placement = {};
    const int number = static_cast<int>(result.tensors.size());
    result.tensors.push_back(sums);
    Stage first = stage, second = stage;
    first.name = stage.name + ".sum";
    first.output = number;
    first.value = accumulator();
    second.reduction.reset();
    std::map<const Scalar*, ScalarPtr> replaced;  // shared nodes stay shared
    const std::function<ScalarPtr(const ScalarPtr&)> replace = [&](const ScalarPtr& s) -> ScalarPtr {
      ScalarPtr& result = replaced[s.get()];
      if (result) return result;
      if (s->op == ScalarOp::accumulator) return result = read(number, stage.store_index);
      if (s->args.empty()) return result = s;
      auto copy = std::make_shared<Scalar>(*s);
      for (auto& arg : copy->args) arg = replace(arg);
      return replaced[s.get()] = copy;
    };
    second.value = replace(stage.value);
    result.stages.push_back(first);
    result.stages.push_back(second);
  }
  return result;
}

}  // namespace

ScalarPtr magnitude(const ScalarPtr& scalar, const std::function<ScalarPtr(const ScalarPtr& read)>& of_read) {
  return Rewriting{of_read, {}}.of(scalar);
}

Computation with_magnitudes(const Computation& computation) {
  Computation result = with_bare_reductions(computation);
  result.arithmetic = DType::f64;
  std::vector<int> magnitudes(result.tensors.size(), -1);  // -1: |x|
  std::set<int> computed;                                  // tensors that some stage does arithmetic for
  for (const Stage& stage : result.stages)
    if (stage.reduction || stage.value->op != ScalarOp::read ||
        result.tensors[static_cast<size_t>(stage.output)].role == Role::output)
      computed.insert(stage.output);
  const size_t count = result.tensors.size();
  for (size_t i = 0; i < count; ++i) {
    Tensor& tensor = result.tensors[i];
    if (tensor.role == Role::input) continue;
    tensor.type.dtype = DType::f64;
    if (!computed.count(static_cast<int>(i))) continue;
    magnitudes[i] = static_cast<int>(result.tensors.size());
    Tensor second = tensor;
    second.name += ".magnitude";
    result.tensors.push_back(second);
  }
  const auto of_read = [&](const ScalarPtr& s) -> ScalarPtr {
    const int other = magnitudes[static_cast<size_t>(s->tensor)];
    if (other < 0) return absolute_read(s);
    return read(other, s->index,
                s->outside
                    ? std::optional<double>(std::abs(*s->outside) > kUnbounded ? 0 : std::abs(*s->outside))
                    : std::nullopt);
  };
  std::vector<Stage> stages;
  for (const Stage& stage : result.stages) {
    stages.push_back(stage);
    if (magnitudes[static_cast<size_t>(stage.output)] < 0) continue;
    Stage second = stage;
    second.name += ".magnitude";
    second.output = magnitudes[static_cast<size_t>(stage.output)];
    if (second.reduction) second.reduction->update = magnitude(stage.reduction->update, of_read);
    second.value = magnitude(stage.value, of_read);
    stages.push_back(second);
  }
  result.stages = std::move(stages);
  return in_role_order(result);
}

}  // namespace hone
