// The verifier of Computations: bad ones are errors that name stage and tensor, since formulations are
// written by hand.
#include "codegen/expr/computation.h"

#include <set>

namespace hone {
namespace {

constexpr int64_t kMaxElements = int64_t{1} << 40;

struct Checker {
  const Computation& computation;
  std::vector<bool> written;  ///< per tensor: by a stage before the current one

  Status check_tensors() {
    std::set<std::string> names;
    for (const Tensor& t : computation.tensors) {
      if (t.name.empty() || !names.insert(t.name).second)
        return fail("tensor name '" + t.name + "' is empty or used twice");
      if (Status status = check_tensor(t); !status) return fail(status.error().what, "tensor " + t.name);
    }
    return {};
  }

  /// What `geometry` asserts.
  static Status check_tensor(const Tensor& t) {
    const size_t rank = t.type.shape.size();
    std::string does_not_fit = "layout " + to_text(t.layout) + " does not fit shape " + to_text(t.type.shape);
    if (t.layout.order.size() != rank) return fail(does_not_fit);
    int64_t elements = 1;
    for (int64_t extent : t.type.shape) {
      if (extent < 1) return fail("shape " + to_text(t.type.shape) + " is empty");
      if (extent > kMaxElements / elements) return fail("shape " + to_text(t.type.shape) + " is too large");
      elements *= extent;
    }
    std::vector<int64_t> block(rank, 1);
    for (const Layout::Block& b : t.layout.blocks) {
      if (b.dimension < 0 || b.dimension >= static_cast<int>(rank) || b.size < 1 || b.size > 4096)
        return fail(does_not_fit);
      block[b.dimension] *= b.size;
    }
    const Placement& p = t.placement;
    for (const auto* margin : {&p.halo_before, &p.halo_after}) {
      if (margin->size() != p.halo_before.size() || (!margin->empty() && margin->size() != rank))
        return fail("placement " + to_text(p) + " does not fit shape " + to_text(t.type.shape));
      for (size_t d = 0; d < margin->size(); ++d)
        if ((*margin)[d] < 0 || (*margin)[d] > kMaxElements || ((*margin)[d] > 0 && block[d] > 1))
          return fail("placement " + to_text(p) + " has a halo that dimension " + std::to_string(d) +
                      " cannot have");
    }
    if (p.buffer_channels != 0 && (rank < 2 || p.channel_offset < 0 || p.channel_offset % block[1] != 0 ||
                                   p.channel_offset + t.type.shape[1] > p.buffer_channels))
      return fail("placement " + to_text(p) + " does not hold the channels of " + to_text(t.type.shape));
    return {};
  }

  Status check_index(const Stage& stage, const Index& index, const std::set<std::string>& axes) {
    for (const Index::Term& term : index.terms) {
      if (term.atom.kind == Atom::Kind::axis) {
        if (!axes.count(term.atom.axis))
          return fail(
              "index " + to_text(index) + " names axis '" + term.atom.axis + "', which is not in scope",
              stage.name);
      } else {
        HONE_RETURN_IF_ERROR(check_index(stage, *term.atom.operand, axes));
      }
    }
    return {};
  }

  Status check_access(const Stage& stage, int tensor, const std::vector<Index>& index,
                      const AxisRanges& ranges, const std::set<std::string>& axes, bool guarded,
                      const char* verb) {
    if (tensor < 0 || tensor >= static_cast<int>(computation.tensors.size()))
      return fail(std::string(verb) + " tensor " + std::to_string(tensor) + ", which does not exist",
                  stage.name);
    const Tensor& t = computation.tensors[tensor];
    if (index.size() != t.type.shape.size())
      return fail(std::string(verb) + " " + t.name + " with " + std::to_string(index.size()) +
                      " indices, but its rank is " + std::to_string(t.type.shape.size()),
                  stage.name);
    for (size_t d = 0; d < index.size(); ++d) {
      HONE_RETURN_IF_ERROR(check_index(stage, index[d], axes));
      if (guarded) continue;
      Interval reach = range_of(index[d], ranges), inside = addressable(t, static_cast<int>(d));
      if (reach.lo < inside.lo || reach.hi > inside.hi)
        return fail(std::string(verb) + " " + t.name + " dimension " + std::to_string(d) + " at " +
                        to_text(index[d]) + ", which reaches " + std::to_string(reach.lo) + " to " +
                        std::to_string(reach.hi) + ", but its buffer holds " + std::to_string(inside.lo) +
                        " to " + std::to_string(inside.hi),
                    stage.name, "a larger halo in its placement, or a value for `outside`");
    }
    return {};
  }

  Status check_scalar(const Stage& stage, const ScalarPtr& root, const AxisRanges& ranges,
                      const std::set<std::string>& axes, bool may_accumulate) {
    Status status;
    for_each_node(root, [&](const Scalar& s) {
      if (!status) return;
      if (static_cast<int>(s.args.size()) != arity(s.op)) {
        status = fail("an operation has " + std::to_string(s.args.size()) + " arguments", stage.name);
      } else if (s.op == ScalarOp::accumulator && !may_accumulate) {
        status = fail("the accumulator is read where there is no finished reduction", stage.name);
      } else if (s.op == ScalarOp::from_index) {
        status = s.index.size() == 1 ? check_index(stage, s.index[0], axes)
                                     : fail("from_index needs exactly one index", stage.name);
      } else if (s.op == ScalarOp::read) {
        status = check_access(stage, s.tensor, s.index, ranges, axes, s.outside.has_value(), "reads");
        if (!status) return;
        const Tensor& t = computation.tensors[s.tensor];
        bool produced = t.role == Role::output || t.role == Role::scratch;
        if (produced && !written[s.tensor])
          status = fail("reads " + t.name + " before any stage writes it", stage.name);
        if (s.tensor == stage.output)
          status = fail("reads " + t.name + ", which it writes itself", stage.name);
      }
    });
    return status;
  }

  Status check_stage(const Stage& stage) {
    std::set<std::string> spatial, all;
    std::vector<Axis> axes = stage.axes;
    if (stage.reduction) axes.insert(axes.end(), stage.reduction->axes.begin(), stage.reduction->axes.end());
    for (const Axis& axis : axes) {
      if (axis.name.empty() || !all.insert(axis.name).second)
        return fail("axis name '" + axis.name + "' is empty or used twice", stage.name);
      if (axis.extent < 1)
        return fail("axis " + axis.name + " has extent " + std::to_string(axis.extent), stage.name);
    }
    for (const Axis& axis : stage.axes) spatial.insert(axis.name);
    AxisRanges ranges = [&](const std::string& name) {
      for (const Axis& axis : axes)
        if (axis.name == name) return Interval{0, axis.extent - 1};
      return Interval{0, 0};
    };
    if (!stage.value) return fail("has no value", stage.name);
    HONE_RETURN_IF_ERROR(
        check_access(stage, stage.output, stage.store_index, ranges, spatial, false, "writes"));
    Role role = computation.tensors[stage.output].role;
    if (role == Role::input || role == Role::constant)
      return fail(
          "writes " + computation.tensors[stage.output].name + ", which is an " + std::string(to_text(role)),
          stage.name);
    if (stage.reduction) {
      if (!stage.reduction->update) return fail("its reduction has no update", stage.name);
      if (stage.reduction->axes.empty()) return fail("its reduction has no axes", stage.name);
      HONE_RETURN_IF_ERROR(check_scalar(stage, stage.reduction->update, ranges, all, false));
    }
    HONE_RETURN_IF_ERROR(check_scalar(stage, stage.value, ranges, spatial, stage.reduction.has_value()));
    written[stage.output] = true;
    return {};
  }
};

}  // namespace

Status verify(const Computation& computation) {
  if (computation.arithmetic != DType::f32 && computation.arithmetic != DType::f64)
    return fail("arithmetic in " + std::string(to_text(computation.arithmetic)) + "; only f32 and f64");
  Checker checker{computation, std::vector<bool>(computation.tensors.size())};
  HONE_RETURN_IF_ERROR(checker.check_tensors());
  std::set<std::string> names;
  for (const Stage& stage : computation.stages) {
    if (stage.name.empty() || !names.insert(stage.name).second)
      return fail("stage name '" + stage.name + "' is empty or used twice");
    HONE_RETURN_IF_ERROR(checker.check_stage(stage));
  }
  return {};
}

const Stage* find_stage(const Computation& computation, const std::string& name) {
  for (const Stage& stage : computation.stages)
    if (stage.name == name) return &stage;
  return nullptr;
}

Interval addressable(const Tensor& tensor, int dimension) {
  auto d = static_cast<size_t>(dimension);
  int64_t block = 1;
  for (const Layout::Block& b : tensor.layout.blocks)
    if (b.dimension == dimension) block *= b.size;
  int64_t padded = (tensor.type.shape[d] + block - 1) / block * block;
  int64_t before = d < tensor.placement.halo_before.size() ? tensor.placement.halo_before[d] : 0;
  int64_t after = d < tensor.placement.halo_after.size() ? tensor.placement.halo_after[d] : 0;
  return {-before, padded + after - 1};
}

namespace {
void visit_once(const ScalarPtr& node, const std::function<void(const Scalar&)>& visit,
                std::set<const Scalar*>& seen) {
  if (!seen.insert(node.get()).second) return;
  for (const ScalarPtr& arg : node->args) visit_once(arg, visit, seen);
  visit(*node);
}
}  // namespace

void for_each_node(const ScalarPtr& root, const std::function<void(const Scalar&)>& visit) {
  std::set<const Scalar*> seen;
  visit_once(root, visit, seen);
}

int arity(ScalarOp op) {
  switch (op) {
    case ScalarOp::constant:
    case ScalarOp::read:
    case ScalarOp::from_index:
    case ScalarOp::accumulator:
      return 0;
    case ScalarOp::neg:
    case ScalarOp::abs:
    case ScalarOp::exp:
    case ScalarOp::log:
    case ScalarOp::tanh:
    case ScalarOp::sigmoid:
    case ScalarOp::sqrt:
    case ScalarOp::floor:
      return 1;
    case ScalarOp::select_less:
      return 4;
    default:
      return 2;
  }
}

bool is_arithmetic(ScalarOp op) { return arity(op) > 0; }

}  // namespace hone
