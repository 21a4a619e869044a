// Programs as text: the notation on top of loop.h.
#include <fmt/format.h>

#include <map>

#include "codegen/loop/loop.h"

namespace hone::loop {
namespace {

std::string loop_text(const TileLoop& loop) {
  std::string text = fmt::format("{} {}", loop.variable, loop.extent);
  if (loop.unroll > 1) text += fmt::format(" unroll {}", loop.unroll);
  return text;
}

struct Printer {
  const Program& program;
  std::string text = {};

  void line(int depth, const std::string& content) {
    text += std::string(2 * static_cast<size_t>(depth), ' ') + content + "\n";
  }

  std::string access_text(const Access& access) const {
    std::string result = fmt::format("{}[{}]", program.tensors[access.tensor].name, to_text(access.offset));
    for (size_t i = 0; i < access.guards.size(); ++i) {
      const Guard& guard = access.guards[i];
      result += fmt::format("{} {} <= {} < {}", i == 0 ? " where" : " and", guard.lo, to_text(guard.index),
                            guard.hi);
    }
    if (!access.guards.empty()) result += fmt::format(" else {}", access.outside);
    return result;
  }

  /// Prints a scalar; operations that are used more than once get a line of their own before it.
  std::string scalar_text(int depth, const Tile& tile, const ScalarPtr& scalar) {
    Computation accessed;  // reads print as the accesses they stand for
    for (const Access& access : tile.accesses) {
      Tensor t;
      t.name = program.tensors[access.tensor].name;
      accessed.tensors.push_back(std::move(t));
    }
    std::map<const Scalar*, int> uses;
    for_each_node(scalar, [&](const Scalar& s) {
      for (const ScalarPtr& arg : s.args) ++uses[arg.get()];
    });
    ScalarNames names;
    for_each_node(scalar, [&](const Scalar& s) {
      if (uses[&s] < 2 || s.args.empty()) return;
      std::string text = to_text(accessed, s, names);
      names[&s] = fmt::format("%{}", names.size());
      line(depth, names[&s] + " = " + text);
    });
    return to_text(accessed, *scalar, names);
  }

  void print(int depth, const Tile& tile) {
    std::string head = "tile " + tile.stage;
    const char* separator = ": ";
    for (const TileLoop& loop : tile.copies) head += separator + loop_text(loop), separator = ", ";
    if (!tile.vector_variable.empty()) {
      head += fmt::format("{}vector {} {}", separator, tile.vector_variable, tile.lanes);
      if (tile.active_lanes != tile.lanes) head += fmt::format(" active {}", tile.active_lanes);
    }
    line(depth, head);
    for (const Access& access : tile.accesses)
      if (!access.guards.empty()) line(depth + 1, "guarded " + access_text(access));
    if (tile.update) {
      std::string loops = "reduce ";
      for (size_t i = 0; i < tile.reduce.size(); ++i) loops += (i ? ", " : "") + loop_text(tile.reduce[i]);
      line(depth + 1, loops);
      std::string update = scalar_text(depth + 2, tile, tile.update);
      line(depth + 2,
           tile.combiner == Combiner::sum ? "acc = acc + " + update : "acc = max(acc, " + update + ")");
    }
    std::string value = scalar_text(depth + 1, tile, tile.value);
    line(depth + 1, access_text(tile.store) + " = " + value);
  }

  void print(int depth, const std::vector<Statement>& body) {
    for (const Statement& s : body) {
      for (const Loop& loop : s.loop) {
        line(depth, "for " + loop_text({loop.variable, loop.extent, loop.unroll}));
        print(depth + 1, loop.body);
      }
      for (const Tile& tile : s.tile) print(depth, tile);
    }
  }

  void print_all() {
    if (program.arithmetic != DType::f32) line(0, "arithmetic " + std::string(to_text(program.arithmetic)));
    for (size_t i = 0; i < program.phases.size(); ++i) {
      const Phase& phase = program.phases[i];
      std::string head = fmt::format("phase {}", i);
      if (!phase.parallel.empty()) head += fmt::format(" parallel {}:", phase.extent);
      for (size_t k = 0; k < phase.parallel.size(); ++k)
        head += (k ? ", " : " ") + loop_text(phase.parallel[k]);
      line(0, head);
      for (int t : phase.locals)
        line(1, fmt::format("local {} {}", program.tensors[t].name, program.geometries[t].elements));
      print(1, phase.body);
    }
  }
};

}  // namespace

std::string to_text(const Program& program) {
  Printer printer{program};
  printer.print_all();
  return std::move(printer.text);
}

}  // namespace hone::loop
