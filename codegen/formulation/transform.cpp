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
  Shape extents = shape;
  std::optional<double> outside;
  bool channels_alone = true;
  for (size_t d = 0; d < shape.size(); ++d) {
    const int dimension = static_cast<int>(d);
    extents[d] = round_up(shape[d], block_of(ports.output.layout, dimension));
    if (extents[d] <= round_up(shape[d], block_of(ports.inputs.at(0).layout, dimension))) continue;
    outside = 0;
    channels_alone = channels_alone && d == 1;
  }
  stage.output = builder.output();
  const auto copy = [&](const char* name, int64_t first, std::optional<double> otherwise) {
    stage.name = name;
    stage.axes = axes_of(dimension_names(shape.size()), extents);
    stage.store_index = indices_of(stage.axes);
    if (first > 0) stage.store_index[1] = stage.store_index[1] + first;
    stage.value = scalar::read(x, stage.store_index, otherwise);
    builder.stage(stage);
  };
  // Only the last block of channels has lanes without a channel: the others are copied without asking.
  const int64_t block = shape.size() > 1 ? block_of(ports.output.layout, 1) : 1;
  const int64_t whole = outside && channels_alone ? shape[1] / block * block : 0;
  if (whole > 0) {
    const int64_t rest = extents[1] - whole;
    extents[1] = whole;
    copy("copy", 0, std::nullopt);
    extents[1] = rest;
  }
  copy(whole > 0 ? "rest" : "copy", whole, outside);
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
