#include "codegen/runtime/model/features.h"

#include "codegen/runtime/model/machine.h"

#if defined(__x86_64__)

typedef struct registers {
  uint32_t eax, ebx, ecx, edx;
} registers;

static registers cpuid(uint32_t leaf, uint32_t part) {
  registers r;
  __asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(part));
  return r;
}

static uint64_t bit(uint32_t word, int from, int to) { return (uint64_t)(word >> from & 1) << to; }

uint64_t hone_processor_features(void) {
  const uint32_t highest = cpuid(0, 0).eax;
  const registers one = cpuid(1, 0);
  const registers none = {0, 0, 0, 0};
  const registers seven = highest >= 7 ? cpuid(7, 0) : none;
  const registers seven_one = highest >= 7 && seven.eax >= 1 ? cpuid(7, 1) : none;
  const registers extended = cpuid(0x80000000u, 0).eax >= 0x80000001u ? cpuid(0x80000001u, 0) : none;
  uint64_t has = bit(one.ecx, 0, 0) | bit(one.ecx, 9, 1) | bit(one.ecx, 19, 2) | bit(one.ecx, 20, 3) |
                 bit(one.ecx, 23, 4) | bit(one.ecx, 28, 5) | bit(seven.ebx, 5, 6) | bit(one.ecx, 12, 7) |
                 bit(one.ecx, 29, 8) | bit(seven.ebx, 3, 9) | bit(seven.ebx, 8, 10) |
                 bit(extended.ecx, 5, 11) | bit(one.ecx, 22, 12) | bit(seven.ebx, 16, 13) |
                 bit(seven.ebx, 17, 14) | bit(seven.ebx, 30, 15) | bit(seven.ebx, 31, 16) |
                 bit(seven.ebx, 28, 17) | bit(seven.ecx, 11, 18) | bit(seven_one.eax, 5, 19);
  /* Which registers the operating system saves. */
  uint32_t saved = 0;
  if (one.ecx >> 27 & 1) __asm__ volatile("xgetbv" : "=a"(saved) : "c"(0) : "edx");
  const uint64_t ymm = 1u << 5 | 1u << 6 | 1u << 7 | 1u << 8; /* avx, avx2, fma, f16c */
  const uint64_t zmm = 0x7full << 13;
  if ((saved & 0x06) != 0x06) has &= ~(ymm | zmm);
  if ((saved & 0xe6) != 0xe6) has &= ~zmm;
  return has;
}

#else

uint64_t hone_processor_features(void) {
  uint64_t vector[64], capabilities = 0, more = 0;
  const long file =
      hone_syscall(HONE_SYS_openat, -100 /* AT_FDCWD */, (long)"/proc/self/auxv", 0x80000, 0, 0, 0);
  if (file < 0) return ~0ull;
  const long bytes = hone_syscall(HONE_SYS_read, file, (long)vector, sizeof vector, 0, 0, 0);
  hone_syscall(HONE_SYS_close, file, 0, 0, 0, 0, 0);
  if (bytes <= 0) return ~0ull;
  for (long i = 0; i + 1 < bytes / 8; i += 2) {
    if (vector[i] == 16 /* AT_HWCAP */) capabilities = vector[i + 1];
    if (vector[i] == 26 /* AT_HWCAP2 */) more = vector[i + 1];
  }
  return (capabilities & 1) | (capabilities >> 1 & 1) << 1 | (capabilities >> 10 & 1) << 2 |
         (capabilities >> 20 & 1) << 3 | (more >> 14 & 1) << 4 | (more >> 13 & 1) << 5;
}

#endif
