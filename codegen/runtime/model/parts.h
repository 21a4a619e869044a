/* How many threads a phase of a kernel is worth: one rule, for compiled models and for the runner that times
 * kernels as a model would run them. */
#ifndef HONE_RUNTIME_MODEL_PARTS_H
#define HONE_RUNTIME_MODEL_PARTS_H

#include <stdint.h>

#include "codegen/runtime/model/abi.h"

/* Work that is worth a further thread, in floating-point operations: about 1 us on one core, several times
 * what handing a part over to a spinning thread costs (tests/performance, pool_benchmark). */
#define HONE_WORK_PER_THREAD 2e5
/* A byte of memory traffic is worth as much as so many operations. */
#define HONE_WORK_PER_BYTE 8

/* `flops` of the phase; `bytes` that the whole kernel reads and writes at least, in `phases` phases. */
static inline double hone_phase_work(double flops, double bytes, int32_t phases) {
  const double traffic = HONE_WORK_PER_BYTE * bytes / phases;
  return flops > traffic ? flops : traffic;
}

/* Parts, at least 1, to divide `extent` indices of that work into, when `threads` may take part. */
static inline int32_t hone_parts(double work, int64_t extent, int32_t threads) {
  const double worth = work / HONE_WORK_PER_THREAD;
  int32_t parts = worth < threads ? (int32_t)worth : threads;
  if (parts > extent) parts = (int32_t)extent;
  return parts > 1 ? parts : 1;
}

/* Whether threads take shares of every run of `inner` indices (rows of the same channels) instead of one
 * share of the whole. Then every kernel gives a thread the same part of the image, so what it reads is what
 * it wrote itself and lies in its own cache. Not where that would leave a thread much less than another: 7
 * rows for two. */
static inline int32_t hone_splits_inner(int64_t extent, int64_t inner, int32_t parts) {
  if (inner < parts || inner >= extent || extent % inner != 0) return 0;
  const int64_t largest = (inner + parts - 1) / parts;
  return largest * parts * 10 <= inner * 11;
}

/* One of `parts` parts of a phase. */
static inline void hone_run_part(hone_run_function* run, void* const* buffers, int32_t phase, int64_t extent,
                                 int64_t inner, int32_t part, int32_t parts) {
  const int64_t length = hone_splits_inner(extent, inner, parts) ? inner : extent;
  const int64_t begin = length * part / parts, end = length * (part + 1) / parts;
  if (begin == end) return;
  for (int64_t at = 0; at < extent; at += length) run(buffers, phase, at + begin, at + end);
}

#endif
