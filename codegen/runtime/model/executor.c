/* Runs a compiled model: fills margins, calls each operator's kernel phase by phase, copies inputs in and
 * outputs out. Everything it knows about the model is the table that `hone build` linked beside it. */
#include "codegen/runtime/model/abi.h"
#include "codegen/runtime/model/cpus.h"
#include "codegen/runtime/model/machine.h"
#include "codegen/runtime/model/parts.h"
#include "codegen/runtime/model/pool.h"
#include "codegen/runtime/model/table.h"

#define HONE_EXPORT __attribute__((visibility("default")))

extern const hone_table hone_model_table;

struct hone_model_instance {
  int32_t threads;
  int32_t holds_pool;
  char* arena;
  void* pointers[]; /* of all operators, one after the other */
};

/* What a self-relative place leads to; the compiler must not think it lies within the field's own object. */
static inline const char* at(const hone_place* place) {
  const char* base = (const char*)place;
  __asm__("" : "+r"(base));
  return *place == 0 ? 0 : base + *place;
}
#define AT(place) at(&(place))
#define OPERATORS ((const hone_operator*)AT(hone_model_table.operators))
#define INPUTS ((const hone_boundary*)AT(hone_model_table.inputs))
#define OUTPUTS ((const hone_boundary*)AT(hone_model_table.outputs))

static size_t arena_offset(void) {
  const size_t header = sizeof(hone_model_instance) + (size_t)hone_model_table.operand_count * sizeof(void*);
  return (header + 63) / 64 * 64;
}

static void fill(char* arena, const hone_fill* fills, int64_t count) {
  for (int64_t f = 0; f < count; ++f) {
    float* base = (float*)(arena + fills[f].base);
    for (int64_t i = 0; i < fills[f].planes; ++i)
      for (int64_t j = 0; j < fills[f].rows; ++j) {
        float* run = base + i * fills[f].plane_stride + j * fills[f].row_stride;
        for (int64_t k = 0; k < fills[f].run; ++k) run[k] = fills[f].value;
      }
  }
}

static void copy_run(char* to, const char* from, int64_t bytes) {
  typedef uint64_t __attribute__((may_alias, aligned(1))) word;
  int64_t i = 0;
  for (; i + 8 <= bytes; i += 8) *(word*)(to + i) = *(const word*)(from + i);
  for (; i < bytes; ++i) to[i] = from[i];
}

typedef struct boundary_copy {
  const hone_copy* copy;
  char* arena;
  const char* from; /* of an input; 0: an output */
  char* to;
} boundary_copy;

/* Rows [begin, end) of all planes. */
static void copy_rows(void* argument, int64_t begin, int64_t end) {
  const boundary_copy* b = argument;
  const hone_copy* copy = b->copy;
  const int64_t run = copy->run * copy->element_bytes;
  for (int64_t i = begin; i < end; ++i) {
    char* inside =
        b->arena + copy->base +
        (i / copy->rows * copy->plane_stride + i % copy->rows * copy->row_stride) * copy->element_bytes;
    if (b->from != 0)
      copy_run(inside, b->from + i * run, run);
    else
      copy_run(b->to + i * run, inside, run);
  }
}

static void copy_boundary(boundary_copy b, int32_t threads) {
  const int64_t rows = b.copy->planes * b.copy->rows;
  const double bytes = 2.0 * (double)(rows * b.copy->run * b.copy->element_bytes);
  hone_pool_run(copy_rows, &b, rows, hone_parts(hone_phase_work(0, bytes, 1), rows, threads));
}

typedef struct call {
  hone_run_function* run;
  void* const* buffers;
  int32_t phase, parts;
  int64_t extent, inner;
} call;

static void run_parts(void* argument, int64_t begin, int64_t end) {
  const call* c = argument;
  for (int64_t part = begin; part < end; ++part)
    hone_run_part(c->run, c->buffers, c->phase, c->extent, c->inner, (int32_t)part, c->parts);
}

static void run_operator(const hone_model_instance* instance, const hone_operator* op, void* const* pointers,
                         int32_t threads) {
  fill(instance->arena, (const hone_fill*)AT(op->fills), op->fill_count);
  call c;
  c.run = (hone_run_function*)AT(op->run);
  c.buffers = pointers;
  const hone_phase* phases = (const hone_phase*)AT(op->phases);
  for (int32_t p = 0; p < op->phase_count; ++p) {
    c.phase = p;
    c.extent = phases[p].extent;
    c.inner = phases[p].inner;
    c.parts = hone_parts(phases[p].work, phases[p].extent, threads);
    if (c.parts == 1)
      c.run(c.buffers, p, 0, c.extent);
    else
      hone_pool_run(run_parts, &c, c.parts, c.parts);
  }
}

HONE_EXPORT const char* hone_model_description(void) { return AT(hone_model_table.description); }
HONE_EXPORT int32_t hone_model_abi_version(void) { return HONE_ABI_VERSION; }
HONE_EXPORT int32_t hone_model_input_count(void) { return hone_model_table.input_count; }
HONE_EXPORT int32_t hone_model_output_count(void) { return hone_model_table.output_count; }
HONE_EXPORT int32_t hone_model_operator_count(void) { return hone_model_table.operator_count; }

static int32_t describe(const hone_boundary* boundary, hone_model_tensor* tensor) {
  tensor->name = AT(boundary->name);
  tensor->dtype = boundary->dtype;
  tensor->rank = boundary->rank;
  for (int i = 0; i < 8; ++i) tensor->shape[i] = boundary->shape[i];
  return 0;
}

HONE_EXPORT int32_t hone_model_input(int32_t index, hone_model_tensor* tensor) {
  return index < 0 || index >= hone_model_table.input_count ? -1 : describe(INPUTS + index, tensor);
}
HONE_EXPORT int32_t hone_model_output(int32_t index, hone_model_tensor* tensor) {
  return index < 0 || index >= hone_model_table.output_count ? -1 : describe(OUTPUTS + index, tensor);
}

HONE_EXPORT size_t hone_model_memory_bytes(void) {
  return arena_offset() + (size_t)hone_model_table.arena_bytes;
}

HONE_EXPORT hone_model_instance* hone_model_create(void* memory, int32_t threads) {
  if (memory == 0 || (uintptr_t)memory % 64 != 0 || threads < 0 || !hone_model_supported()) return 0;
  hone_model_instance* instance = memory;
  instance->threads = threads == 0 ? hone_usable_cpus() : threads;
  if (instance->threads > HONE_MAX_THREADS) instance->threads = HONE_MAX_THREADS;
  instance->arena = (char*)memory + arena_offset();
  char* weights = (char*)AT(hone_model_table.weights);
  void** next = instance->pointers;
  for (int32_t i = 0; i < hone_model_table.operator_count; ++i) {
    const hone_operator* op = OPERATORS + i;
    const hone_operand* operands = (const hone_operand*)AT(op->operands);
    for (int32_t k = 0; k < op->operand_count; ++k)
      *next++ = (operands[k].kind == HONE_IN_WEIGHTS ? weights : instance->arena) + operands[k].offset;
  }
  /* Padding lanes are finite from the first run on. */
  typedef uint64_t __attribute__((may_alias)) word;
  for (int64_t i = 0; i < hone_model_table.arena_bytes / 8; ++i) ((volatile word*)instance->arena)[i] = 0;
  instance->holds_pool = instance->threads > 1;
  if (instance->holds_pool && hone_pool_acquire(instance->threads) != 0) return 0;
  return instance;
}

HONE_EXPORT void hone_model_destroy(hone_model_instance* instance) {
  if (instance != 0 && instance->holds_pool) hone_pool_release();
}

static int32_t run(hone_model_instance* instance, const void* const* inputs, void* const* outputs,
                   int64_t* ns) {
  if (instance == 0 || inputs == 0 || outputs == 0) return -1;
  for (int32_t i = 0; i < hone_model_table.input_count; ++i)
    if (inputs[i] == 0) return -1;
  for (int32_t i = 0; i < hone_model_table.output_count; ++i)
    if (outputs[i] == 0) return -1;

  const hone_float_state before = hone_enter_float();
  const int32_t threads = instance->threads > 1 && hone_pool_enter() ? instance->threads : 1;
  for (int32_t i = 0; i < hone_model_table.input_count; ++i) {
    fill(instance->arena, (const hone_fill*)AT(INPUTS[i].fills), INPUTS[i].fill_count);
    copy_boundary((boundary_copy){&INPUTS[i].copy, instance->arena, inputs[i], 0}, threads);
  }
  void* const* pointers = instance->pointers;
  int64_t time = ns == 0 ? 0 : hone_now_ns();
  for (int32_t i = 0; i < hone_model_table.operator_count; ++i) {
    run_operator(instance, OPERATORS + i, pointers, threads);
    pointers += OPERATORS[i].operand_count;
    if (ns != 0) {
      const int64_t now = hone_now_ns();
      ns[i] = now - time;
      time = now;
    }
  }
  for (int32_t i = 0; i < hone_model_table.output_count; ++i)
    copy_boundary((boundary_copy){&OUTPUTS[i].copy, instance->arena, 0, outputs[i]}, threads);
  if (threads > 1) hone_pool_leave();
  hone_leave_float(before);
  return 0;
}

HONE_EXPORT int32_t hone_model_run(hone_model_instance* instance, const void* const* inputs,
                                   void* const* outputs) {
  return run(instance, inputs, outputs, 0);
}

HONE_EXPORT int32_t hone_model_run_timed(hone_model_instance* instance, const void* const* inputs,
                                         void* const* outputs, int64_t* ns) {
  return ns == 0 ? -1 : run(instance, inputs, outputs, ns);
}
