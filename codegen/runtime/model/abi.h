/* The C ABI of hone's shared objects. Freestanding C: this header and what implements it link nothing.
 *
 * Two kinds of shared object exist. An *artifact* is one task (hone_run, hone_prepare, hone_signature) and is
 * loaded by a runner. A *compiled model* is a whole network (hone_model_*) and is loaded by the user's
 * program, `hone run` and `hone bench`. Every buffer is 64-byte aligned. No function allocates from a heap
 * or calls a library. */
#ifndef HONE_RUNTIME_MODEL_ABI_H
#define HONE_RUNTIME_MODEL_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HONE_ABI_VERSION 1

/* --- artifact --- */

/* Computes parallel indices [begin, end) of one phase. `buffers` has one pointer per entry of the signature's
 * list. */
typedef void hone_run_function(void* const* buffers, int32_t phase, int64_t begin, int64_t end);
/* Packs constants: `buffers` holds the logical constants, then the packed ones; phases and ranges as in
 * hone_run. The signature lists its phases. */
typedef hone_run_function hone_prepare_function;

/* --- compiled model --- */

typedef struct hone_model_tensor {
  const char* name;
  int32_t dtype; /* 0: float32, 1: int64 */
  int32_t rank;
  int64_t shape[8];
} hone_model_tensor;

/* Everything else about the model (operators, layouts, schedules, preprocessing), as JSON text. */
const char* hone_model_description(void);
int32_t hone_model_abi_version(void);
int32_t hone_model_input_count(void);
int32_t hone_model_output_count(void);
/* Describe one input or output into `tensor`; -1 if there is none of that index. */
int32_t hone_model_input(int32_t index, hone_model_tensor* tensor);
int32_t hone_model_output(int32_t index, hone_model_tensor* tensor);

/* 1 if this processor, as its operating system lets it be used, has all that the model was built for; 0 if
 * not: then hone_model_create returns NULL. */
int32_t hone_model_supported(void);
/* Hashes the loaded model's code, weights, description and constants, and compares with the digests that
 * `hone build` wrote. 0: all as built; 1 code, 2 weights, 3 description, 4 other constants: the first that
 * differs; -1: there are no digests. Takes about 0.2 s for 100 MB. Digests find damage, not somebody who
 * writes new ones. Models built by older versions have neither of these two functions. */
int32_t hone_model_verify(void);

/* Bytes of memory that one instance needs; the caller provides it, aligned to 64 bytes, and owns it. */
size_t hone_model_memory_bytes(void);

typedef struct hone_model_instance hone_model_instance; /* lies at the beginning of that memory */

/* `threads`: how many take part in a run, the caller included, at most 64; 0 means every core this process
 * may use (affinity mask, control groups' quota). Instances of one shared object share one pool; where two
 * run at once, or after a fork, a run stays on its own thread. Returns NULL if memory is misaligned, threads
 * cannot be started or the processor is not supported. */
hone_model_instance* hone_model_create(void* memory, int32_t threads);
void hone_model_destroy(hone_model_instance*);

/* Plain row-major float32 arrays in and out, one pointer per input and output. Denormals are flushed inside
 * and the caller's floating-point state is restored. Returns 0, or -1 if a pointer is NULL. One call per
 * instance at a time. */
int32_t hone_model_run(hone_model_instance*, const void* const* inputs, void* const* outputs);

/* As hone_model_run, and nanoseconds per operator into `ns[operator_count]`. */
int32_t hone_model_operator_count(void);
int32_t hone_model_run_timed(hone_model_instance*, const void* const* inputs, void* const* outputs,
                             int64_t* ns);

#ifdef __cplusplus
}
#endif
#endif
