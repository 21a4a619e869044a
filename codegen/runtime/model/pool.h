/* The thread pool: one for all instances of a shared object. Threads are made by clone and know no library.
 * A parallel call splits an index range statically; the caller takes the first part. */
#ifndef HONE_RUNTIME_MODEL_POOL_H
#define HONE_RUNTIME_MODEL_POOL_H

#include <stdint.h>

#define HONE_MAX_THREADS 64

typedef void hone_body(void* argument, int64_t begin, int64_t end);

/* Makes sure that `threads` can take part (the caller included) until the matching release. 0, or -1: no
 * threads to be had. */
int32_t hone_pool_acquire(int32_t threads);
void hone_pool_release(void);

/* Takes the pool for one run; 0 if another instance has it or this process was forked: then run alone. */
int32_t hone_pool_enter(void);
void hone_pool_leave(void);

/* body over [0, extent) in `parts` static parts; returns when all are done. Only between enter and leave if
 * parts > 1. */
void hone_pool_run(hone_body* body, void* argument, int64_t extent, int32_t parts);

#endif
