/* What `hone build` writes about a model, as read-only data, for the executor that is linked beside it.
 * Places are self-relative (byte distance from the field to what it names), so the table needs no relocation
 * when loaded. */
#ifndef HONE_RUNTIME_MODEL_TABLE_H
#define HONE_RUNTIME_MODEL_TABLE_H

#include <stdint.h>

#define HONE_TABLE_MAGIC 0x31656e6f68ull /* "hone1" */

typedef int64_t hone_place; /* 0: nothing */

/* Where a kernel's pointer leads. */
enum { HONE_IN_ARENA = 0, HONE_IN_WEIGHTS = 1 };
typedef struct hone_operand {
  int64_t kind;
  int64_t offset; /* bytes from the arena's or the weights' beginning, a multiple of 64 */
} hone_operand;

typedef struct hone_phase {
  int64_t extent, inner; /* as in the kernel's signature */
  double work; /* floating-point operations, or as many as the memory traffic is worth: decides how many
                  threads */
} hone_phase;

/* Fills a margin: for i < planes, for j < rows: `run` floats from base + i * plane_stride + j * row_stride
 * (all in floats but `base`, bytes in the arena). */
typedef struct hone_fill {
  int64_t base, planes, plane_stride, rows, row_stride, run;
  float value;
  int32_t reserved;
} hone_fill;

/* Copies between a caller's plain array and the arena, the arena's side strided as above; the caller's is
 * dense. */
typedef struct hone_copy {
  int64_t base, planes, plane_stride, rows, row_stride, run;
  int64_t element_bytes;
} hone_copy;

typedef struct hone_operator {
  hone_place run;      /* hone_run_function */
  hone_place operands; /* hone_operand[operand_count] */
  hone_place phases;   /* hone_phase[phase_count] */
  hone_place fills;    /* hone_fill[fill_count]: margins of the buffers that come to life here */
  int32_t operand_count, phase_count, fill_count, reserved;
} hone_operator;

typedef struct hone_boundary { /* one input or output of the model */
  hone_place name;
  int32_t dtype, rank;
  int64_t shape[8];
  hone_copy copy;
  hone_place fills; /* inputs: margins */
  int64_t fill_count;
} hone_boundary;

typedef struct hone_table {
  uint64_t magic;
  int64_t arena_bytes;
  hone_place description; /* text, ends with 0 */
  hone_place weights;
  hone_place operators, inputs, outputs;
  int32_t operator_count, input_count, output_count, reserved;
  int64_t operand_count; /* of all operators together */
  uint64_t needs;        /* of the processor: bits of features.h */
} hone_table;

#endif
