/* What a processor must have beyond its architecture's baseline to run a model's kernels: bits of `needs` in
 * the model's table. One list, for whoever builds a model, runs it, or says what is missing. Numbers are
 * never reused. */
#ifndef HONE_RUNTIME_MODEL_FEATURES_H
#define HONE_RUNTIME_MODEL_FEATURES_H

#include <stdint.h>

/* X(bit, LLVM's name). */
#define HONE_X86_FEATURES(X) \
  X(0, "sse3")               \
  X(1, "ssse3")              \
  X(2, "sse4.1")             \
  X(3, "sse4.2")             \
  X(4, "popcnt")             \
  X(5, "avx")                \
  X(6, "avx2")               \
  X(7, "fma")                \
  X(8, "f16c")               \
  X(9, "bmi")                \
  X(10, "bmi2")              \
  X(11, "lzcnt")             \
  X(12, "movbe")             \
  X(13, "avx512f")           \
  X(14, "avx512dq")          \
  X(15, "avx512bw")          \
  X(16, "avx512vl")          \
  X(17, "avx512cd")          \
  X(18, "avx512vnni")        \
  X(19, "avx512bf16")
#define HONE_ARM_FEATURES(X) \
  X(0, "fp-armv8")           \
  X(1, "neon")               \
  X(2, "fullfp16")           \
  X(3, "dotprod")            \
  X(4, "bf16")               \
  X(5, "i8mm")

/* Bits of the features that this processor has and its operating system lets programs use. Runs nothing
 * beyond the baseline. On aarch64 where /proc/self/auxv cannot be read: all, since nothing is known. */
uint64_t hone_processor_features(void);

#endif
