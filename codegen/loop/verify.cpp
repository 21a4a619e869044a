// The verifier of Programs: what every pass must keep true. Run first and last, and by tests after every
// pass.
#include <fmt/format.h>

#include <map>

#include "codegen/loop/axes.h"
#include "codegen/loop/loop.h"

namespace hone::loop {
namespace {

constexpr int64_t kMaxTileCopies = 1024;
constexpr int64_t kMaxLanes = 256;
constexpr int64_t kMaxEnumerated = 4096;  // points that a guarded access is tried at

struct Verifier {
  const Program& program;
  std::map<std::string, Interval> ranges = {};
  std::vector<std::string> parallel = {};  // variables of the phase that threads divide
  const Phase* phase = nullptr;

  Status define(const std::string& variable, int64_t extent) {
    if (extent < 1) return fail(fmt::format("loop {} has extent {}", variable, extent));
    if (!ranges.emplace(variable, Interval{0, extent - 1}).second)
      return fail(fmt::format("variable {} is defined twice in its scope", variable));
    return {};
  }

  Status in_scope(const Index& index) {
    for (const Index::Term& term : index.terms) {
      if (term.atom.kind != Atom::Kind::axis) {
        HONE_RETURN_IF_ERROR(in_scope(*term.atom.operand));
      } else if (!ranges.count(term.atom.axis)) {
        return fail(
            fmt::format("{} uses variable {}, which is not in scope", to_text(index), term.atom.axis));
      }
    }
    return {};
  }

  Status check(const Access& access) {
    if (access.tensor < 0 || access.tensor >= static_cast<int>(program.tensors.size()))
      return fail(fmt::format("access of tensor {}, which does not exist", access.tensor));
    HONE_RETURN_IF_ERROR(in_scope(access.offset));
    for (const Guard& guard : access.guards) HONE_RETURN_IF_ERROR(in_scope(guard.index));
    Interval reach = range_of(access.offset, ranges_in(ranges));
    int64_t elements = program.geometries[access.tensor].elements;
    if (reach.lo >= 0 && reach.hi < elements) return {};
    if (!access.guards.empty()) return check_guarded(access, elements);
    return fail(fmt::format("{}[{}] reaches {} to {}, but the buffer holds {} elements",
                            program.tensors[access.tensor].name, to_text(access.offset), reach.lo, reach.hi,
                            elements));
  }

  /// Inside its guards: tried at every point where there are few, trusted where there are many (each
  /// dimension was proven when the guard was made).
  Status check_guarded(const Access& access, int64_t elements) {
    std::vector<std::pair<std::string, int64_t>> variables;
    int64_t points = 1;
    for (const auto& [name, range] : ranges) {
      bool used = depends_on(access.offset, name);
      for (const Guard& guard : access.guards) used |= depends_on(guard.index, name);
      if (!used) continue;
      variables.emplace_back(name, range.hi + 1);
      points *= range.hi + 1;
      if (points > kMaxEnumerated) return {};
    }
    for (int64_t point = 0; point < points; ++point) {
      std::map<std::string, int64_t> values;
      int64_t rest = point;
      for (const auto& [name, extent] : variables) values[name] = rest % extent, rest /= extent;
      auto value = [&](const std::string& name) { return values.at(name); };
      bool inside = true;
      for (const Guard& guard : access.guards) {
        int64_t at = evaluate(guard.index, value);
        inside &= guard.lo <= at && at < guard.hi;
      }
      int64_t offset = evaluate(access.offset, value);
      if (inside && (offset < 0 || offset >= elements))
        return fail(fmt::format("{}[{}] reaches {} inside its guards, but the buffer holds {} elements",
                                program.tensors[access.tensor].name, to_text(access.offset), offset,
                                elements));
    }
    return {};
  }

  static bool depends_on(const Index& index, const std::string& variable) {
    Stride stride = stride_of(index, variable);
    return stride.value != 0 || !stride.linear;
  }

  Status check_scalar(const Tile& tile, const ScalarPtr& scalar, bool may_accumulate) {
    Status status;
    for_each_node(scalar, [&](const Scalar& s) {
      if (!status) return;
      if (static_cast<int>(s.args.size()) != arity(s.op))
        status = fail("an operation has the wrong number of arguments");
      if (s.op == ScalarOp::accumulator && !may_accumulate)
        status = fail("reads an accumulator where there is none");
      if (s.op == ScalarOp::read && (s.tensor < 0 || s.tensor >= static_cast<int>(tile.accesses.size())))
        status = fail("reads an access that the tile does not have");
      if (s.op == ScalarOp::from_index)
        status = s.index.size() == 1 ? in_scope(s.index[0]) : fail("has no index");
    });
    return status;
  }

  Status check_tile(const Tile& tile) {
    int64_t copies = 1;
    for (const TileLoop& loop : tile.copies) {
      HONE_RETURN_IF_ERROR(define(loop.variable, loop.extent));
      copies *= loop.extent;
    }
    if (copies > kMaxTileCopies)
      return fail(fmt::format("has {} copies; at most {}", copies, kMaxTileCopies));
    if (tile.active_lanes < 1 || tile.active_lanes > tile.lanes || tile.lanes > kMaxLanes ||
        (tile.vector_variable.empty() && tile.lanes != 1))
      return fail(fmt::format("{} of {} lanes are active", tile.active_lanes, tile.lanes));
    if (!tile.vector_variable.empty()) HONE_RETURN_IF_ERROR(define(tile.vector_variable, tile.active_lanes));
    if (tile.reduce.empty() != !tile.update)
      return fail("has reduce loops without an update, or the reverse");
    if (!tile.value) return fail("has no value");
    HONE_RETURN_IF_ERROR(check_scalar(tile, tile.value, tile.update != nullptr));
    HONE_RETURN_IF_ERROR(check(tile.store));
    if (!tile.store.guards.empty()) return fail("its store is guarded");
    HONE_RETURN_IF_ERROR(check_value_scope(tile));
    for (const TileLoop& loop : tile.reduce) HONE_RETURN_IF_ERROR(define(loop.variable, loop.extent));
    if (tile.update) HONE_RETURN_IF_ERROR(check_scalar(tile, tile.update, false));
    for (const Access& access : tile.accesses) HONE_RETURN_IF_ERROR(check(access));
    return check_disjoint(tile);
  }

  /// What is stored after the reduction does not use its variables; `ranges` does not hold them yet.
  Status check_value_scope(const Tile& tile) {
    Status status;
    for_each_node(tile.value, [&](const Scalar& s) {
      if (status && s.op == ScalarOp::read) status = in_scope(tile.accesses[s.tensor].offset);
    });
    return status;
  }

  /// Threads must not write the same element: the store depends on every variable they divide.
  Status check_disjoint(const Tile& tile) {
    for (int local : phase->locals)
      if (tile.store.tensor == local) return {};
    for (const std::string& variable : parallel)
      if (!depends_on(tile.store.offset, variable))
        return fail(fmt::format("every iteration of parallel {} stores to {}[{}]", variable,
                                program.tensors[tile.store.tensor].name, to_text(tile.store.offset)));
    return {};
  }

  Status check_body(const std::vector<Statement>& body) {
    for (const Statement& s : body) {
      if (s.loop.size() + s.tile.size() != 1) return fail("a statement is neither one loop nor one tile");
      std::map<std::string, Interval> outside = ranges;
      if (!s.loop.empty()) {
        HONE_RETURN_IF_ERROR(define(s.loop[0].variable, s.loop[0].extent));
        if (s.loop[0].unroll < 1)
          return fail(fmt::format("loop {} unrolls {}", s.loop[0].variable, s.loop[0].unroll));
        HONE_RETURN_IF_ERROR(check_body(s.loop[0].body));
      } else if (Status status = check_tile(s.tile[0]); !status) {
        return fail(status.error().what, "tile of stage " + s.tile[0].stage);
      }
      ranges = std::move(outside);
    }
    return {};
  }

  Status check_phase(const Phase& one) {
    phase = &one;
    ranges.clear();
    parallel.clear();
    int64_t extent = 1;
    for (const TileLoop& loop : one.parallel) {
      HONE_RETURN_IF_ERROR(define(loop.variable, loop.extent));
      parallel.push_back(loop.variable);
      extent *= loop.extent;
    }
    if (extent != one.extent)
      return fail(fmt::format("its parallel loops make {}, its extent is {}", extent, one.extent));
    for (int t : one.locals)
      if (t < 0 || t >= static_cast<int>(program.tensors.size()))
        return fail("a local tensor does not exist");
    return check_body(one.body);
  }
};

}  // namespace

Status verify(const Program& program) {
  if (program.geometries.size() != program.tensors.size())
    return fail("not one geometry for each tensor", "program");
  for (size_t i = 0; i < program.phases.size(); ++i) {
    Verifier verifier{program};
    if (Status status = verifier.check_phase(program.phases[i]); !status) {
      Error error = status.error();
      error.where = fmt::format("phase {}{}{}", i, error.where.empty() ? "" : ", ", error.where);
      return pass(std::move(error));
    }
  }
  return {};
}

}  // namespace hone::loop
