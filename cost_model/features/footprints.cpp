// Sums of the accesses' footprints; all else follows from them.
#include "cost_model/features/footprints.h"

#include <algorithm>

namespace hone::features {
namespace {

int group_of(Role role) {
  if (role == Role::input) return input_group;
  return role == Role::constant ? constant_group : output_group;
}

}  // namespace

Footprints::Footprints(const loop::Program& program, const Nest& nest)
    : program_(&program), nest_(&nest), bytes_(nest.levels.size() + 1) {
  const auto add = [&](const loop::Access& access, size_t from) {
    const int group = group_of(program.tensors[access.tensor].role);
    bytes_[from][static_cast<size_t>(group)] += footprint(program, nest, access, from);
  };
  for (size_t from = 0; from <= nest.levels.size(); ++from) {
    for (const loop::Access& access : nest.tile->accesses) add(access, from);
    add(nest.tile->store, from);
  }
}

size_t Footprints::fitting_level(double cache) const {
  size_t from = nest_->levels.size();
  while (from > 0 && all(from - 1) <= cache) --from;
  return from;
}

double Footprints::traffic(double cache, int group) const {
  const size_t from = fitting_level(cache);
  double iterations = 1;
  for (size_t i = 0; i < from; ++i) iterations *= static_cast<double>(nest_->levels[i].extent);
  return iterations * at(from, group);
}

double Footprints::reuse_distance(int group) const {
  for (size_t i = nest_->first_copy; i-- > 0;) {
    if (nest_->levels[i].extent > 1 && !touched(group, nest_->levels[i].variable)) return all(i + 1);
  }
  return all(0);
}

bool Footprints::touched(int group, const std::string& variable) const {
  const auto uses = [&](const loop::Access& access) {
    return group_of(program_->tensors[access.tensor].role) == group && depends_on(access.offset, variable);
  };
  return uses(nest_->tile->store) ||
         std::any_of(nest_->tile->accesses.begin(), nest_->tile->accesses.end(), uses);
}

}  // namespace hone::features
