// Layouts and activations of TFLite operators: see tflite_call.h.
#include "codegen/import/tflite_call.h"

#include <limits>
#include <map>

namespace hone::tflite_import {

Result<Operand> Call::operand(size_t i) const {
  if (i >= operands.size() || operands[i].id < 0) return fail("operand " + std::to_string(i) + " is missing");
  return operands[i];
}

Result<ValueId> Call::nchw(Operand x) {
  const Shape s = shape(x);
  if (x.nchw) return x.id;
  if (s.size() != 4) return fail("an operand has rank " + std::to_string(s.size()) + ", not 4");
  const std::string to = graph.graph().values[x.id].name + ".nchw";
  if (s[1] * s[2] == 1 || s[3] == 1) return graph.reshape(to, x.id, {s[0], s[3], s[1], s[2]});
  return graph.transpose(to, x.id, {0, 3, 1, 2});
}

Result<ValueId> Call::plain(Operand x) {
  const Shape s = shape(x);
  if (!x.nchw) return x.id;
  const std::string to = graph.graph().values[x.id].name + ".nhwc";
  if (s[2] * s[3] == 1 || s[1] == 1) return graph.reshape(to, x.id, {s[0], s[2], s[3], s[1]});
  return graph.transpose(to, x.id, {0, 2, 3, 1});
}

Result<std::vector<int64_t>> Call::integers(size_t i, const char* what) const {
  HONE_TRY(const Operand x, operand(i));
  auto values = graph.known_integers(x.id);
  if (!values) return fail(std::string(what) + " is not a constant of integers", what);
  return std::move(*values);
}

Result<Operand> Call::activate(ValueId x, bool is_nchw, tflite::Activation activation) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const auto clip = [&](double lo, double hi) {
    return graph.add(Op::clip, name, {x}, {{"min", lo}, {"max", hi}});
  };
  Result<ValueId> y = x;
  switch (activation) {
    case tflite::Activation_NONE:
      break;
    case tflite::Activation_RELU:
      y = clip(0, kInfinity);
      break;
    case tflite::Activation_RELU_N1_TO_1:
      y = clip(-1, 1);
      break;
    case tflite::Activation_RELU6:
      y = clip(0, 6);
      break;
    case tflite::Activation_TANH:
      y = graph.add(Op::tanh, name, {x});
      break;
    default:
      return fail("activation " + std::to_string(activation) + " is not covered",
                  "fused_activation_function");
  }
  if (!y) return pass(std::move(y).error());
  return Operand{*y, is_nchw};
}

std::string operator_name(int builtin_code) {
  static const std::map<int, const char*> kNames = {{0, "ADD"},
                                                    {1, "AVERAGE_POOL_2D"},
                                                    {2, "CONCATENATION"},
                                                    {3, "CONV_2D"},
                                                    {4, "DEPTHWISE_CONV_2D"},
                                                    {5, "DEPTH_TO_SPACE"},
                                                    {6, "DEQUANTIZE"},
                                                    {8, "FLOOR"},
                                                    {9, "FULLY_CONNECTED"},
                                                    {11, "L2_NORMALIZATION"},
                                                    {13, "LOCAL_RESPONSE_NORMALIZATION"},
                                                    {14, "LOGISTIC"},
                                                    {16, "LSTM"},
                                                    {17, "MAX_POOL_2D"},
                                                    {18, "MUL"},
                                                    {19, "RELU"},
                                                    {20, "RELU_N1_TO_1"},
                                                    {21, "RELU6"},
                                                    {22, "RESHAPE"},
                                                    {23, "RESIZE_BILINEAR"},
                                                    {25, "SOFTMAX"},
                                                    {26, "SPACE_TO_DEPTH"},
                                                    {27, "SVDF"},
                                                    {28, "TANH"},
                                                    {32, "CUSTOM"},
                                                    {34, "PAD"},
                                                    {36, "GATHER"},
                                                    {37, "BATCH_TO_SPACE_ND"},
                                                    {38, "SPACE_TO_BATCH_ND"},
                                                    {39, "TRANSPOSE"},
                                                    {40, "MEAN"},
                                                    {41, "SUB"},
                                                    {42, "DIV"},
                                                    {43, "SQUEEZE"},
                                                    {45, "STRIDED_SLICE"},
                                                    {47, "EXP"},
                                                    {49, "SPLIT"},
                                                    {50, "LOG_SOFTMAX"},
                                                    {53, "CAST"},
                                                    {54, "PRELU"},
                                                    {55, "MAXIMUM"},
                                                    {56, "ARG_MAX"},
                                                    {57, "MINIMUM"},
                                                    {59, "NEG"},
                                                    {60, "PADV2"},
                                                    {65, "SLICE"},
                                                    {67, "TRANSPOSE_CONV"},
                                                    {97, "RESIZE_NEAREST_NEIGHBOR"},
                                                    {98, "LEAKY_RELU"},
                                                    {114, "QUANTIZE"},
                                                    {117, "HARD_SWISH"}};
  const auto found = kNames.find(builtin_code);
  return found == kNames.end() ? "builtin operator " + std::to_string(builtin_code) : found->second;
}

}  // namespace hone::tflite_import
