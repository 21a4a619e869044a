// What all convolutions share: their numbers as read from a task, and the arithmetic over any layouts.
// `direct`, `first_layer`, `grouped`, `depthwise` and the reference differ in layouts and schedules only.
#pragma once

#include <optional>

#include "codegen/formulation/builder.h"
#include "codegen/formulation/formulation.h"

namespace hone {

struct ConvShape {
  int64_t n, groups, in, out;  ///< in, out: channels per group
  int64_t h, w, oh, ow, kh, kw;
  int64_t stride_h, stride_w, dilation_h, dilation_w;
  int64_t pad_h, pad_w;      ///< before
  int64_t after_h, after_w;  ///< elements read beyond the input's end (0 if none)
  bool has_bias;
  bool depthwise() const { return in == 1 && out == 1 && groups > 1; }
};
ConvShape conv_shape(const Task& task);
/// A float32 convolution of one activation with constant weights and a chain that keeps its shape.
bool is_plain_conv(const Task& task);

/// What a 1x1 convolution of x * gate reads, the gate one number per channel (squeeze-and-excite).
struct Gate {
  ValueId x, gate;
};
/// Of a task whose first node makes the convolution's operand so; all else as in `is_plain_conv`, batch 1.
std::optional<Gate> gate_of(const Task& task);
/// The task as if its convolution read x itself, and its ports without the gate's. `task` has a gate.
Task without_gate(const Task& task);
Ports without_gate(const Task& task, const Ports& ports);

/// Whether a 1x1 convolution's operand is made of the task's activation by nodes before it: unary ones, and
/// those with one constant per channel (batch normalisation and relu, as in DenseNet). All else as in
/// `is_plain_conv`.
bool is_preactivated(const Task& task);
/// The task as if its convolution read the activation itself. `task` is preactivated.
Task without_preactivation(const Task& task);

/// Margins of the convolution's input; other inputs have none.
std::vector<HaloNeed> conv_halo(const Task& task, const Target& target);

/// How many input channels one step of the reduction's outer loop takes, of a buffer in blocks of `block`:
/// the block, or the largest part of it that leaves no padding lanes to reduce over, unless that is too
/// short.
int64_t reduce_unit(int64_t channels, int64_t block);

/// n g oc oh ow over ic kh kw, reading and writing what the ports say; weights packed
/// [g][oc/V][ic/U][kh][kw][U][V] with V the channel block of the output and U the reduce unit of the input.
Formulated formulate_conv(const Task& task, const Target& target, const Ports& ports);

/// Ports of a task whose activations other than the first, and whose output, are as `activation_layout` says.
Ports blocked_ports(const Task& task, const Target& target);
/// All plain.
Ports plain_ports(const Task& task, const Target& target);

}  // namespace hone
