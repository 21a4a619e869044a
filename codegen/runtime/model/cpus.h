/* How many CPUs this process may use: its affinity mask, bounded by its control groups' quota. */
#ifndef HONE_RUNTIME_MODEL_CPUS_H
#define HONE_RUNTIME_MODEL_CPUS_H

#include <stdint.h>

/* At least 1. Reads /proc and /sys; where those are missing, only the mask counts. */
int32_t hone_usable_cpus(void);

/* CPUs that the text of a cpu.max file grants ("150000 100000": 2, rounded up); 0: no bound or no such text.
 */
int32_t hone_quota_cpus(const char* text);

#endif
