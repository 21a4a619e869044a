// Layout transforms: the same logical tensor from one layout and placement to another. Padding lanes of the
// output become 0 or what the input's own padding lanes hold, which is finite.
#include "codegen/formulation/blocks.h"
#include "codegen/formulation/builder.h"
#include "codegen/formulation/conv.h"
#include "codegen/formulation/families.h"
#include "codegen/formulation/plain_schedule.h"

namespace hone {
namespace {

constexpr ErrorBound kBound{1e-7, 1};

bool applies(const Task& task, const Target&) {
  return anchor_is(task, Op::transform) && fits(task, 1, 0) && task.graph.nodes.size() == 1;
}

Ports layouts(const Task& task, const Target& target) {
  Ports ports = blocked_ports(task, target);
  ports.inputs.at(0).layout = Layout::plain(static_cast<int>(operand_shape(task, 0).size()));
  return ports;
}

Result<Formulated> formulate(const Task& task, const Target& target, const Ports& ports) {
  const Shape& shape = anchor_shape(task);
  Builder builder(task, target, ports);
  const int x = builder.input(task.anchor().inputs[0]);
  Stage stage;
  stage.name = "copy";
  Shape extents = shape;
  std::optional<double> outside;
  for (size_t d = 0; d < shape.size(); ++d) {
    const int dimension = static_cast<int>(d);
    extents[d] = round_up(shape[d], block_of(ports.output.layout, dimension));
    if (extents[d] > round_up(shape[d], block_of(ports.inputs.at(0).layout, dimension))) outside = 0;
  }
  stage.axes = axes_of(dimension_names(shape.size()), extents);
  stage.store_index = indices_of(stage.axes);
  stage.value = scalar::read(x, stage.store_index, outside);
  stage.output = builder.output();
  builder.stage(stage);
  return builder.finish(kBound);
}

Result<Schedule> schedule(const Task& task, const Target& target, const Ports& ports, const Parameters& p) {
  if (!p.count("tile") || p.at("tile") < 1) return fail("parameter tile is missing", "transform");
  HONE_TRY(const Formulated formulated, formulate(task, target, ports));
  PlainOptions options{p.at("tile")};
  if (ports.output.layout.blocks.empty() && !ports.inputs.at(0).layout.blocks.empty()) {
    options.inner_axis = "d1";
    options.inner_block = block_of(ports.inputs[0].layout, 1);
  }
  return plain_schedule(formulated.run, target, options);
}

}  // namespace

Formulation transform_formulation() {
  Formulation f = plain_formulation<formulate>("transform");
  f.applies = applies;
  f.layouts = layouts;
  f.schedule = schedule;
  return f;
}

}  // namespace hone
