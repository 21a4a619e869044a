/* The little that the runtime needs of machine and kernel: system calls, floating-point state, a spin hint.
 * Linux on x86-64 and aarch64; no library. */
#ifndef HONE_RUNTIME_MODEL_MACHINE_H
#define HONE_RUNTIME_MODEL_MACHINE_H

#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)

enum {
  HONE_SYS_read = 0,
  HONE_SYS_close = 3,
  HONE_SYS_mmap = 9,
  HONE_SYS_mprotect = 10,
  HONE_SYS_munmap = 11,
  HONE_SYS_rt_sigprocmask = 14,
  HONE_SYS_sched_yield = 24,
  HONE_SYS_getpid = 39,
  HONE_SYS_futex = 202,
  HONE_SYS_sched_setaffinity = 203,
  HONE_SYS_sched_getaffinity = 204,
  HONE_SYS_clock_gettime = 228,
  HONE_SYS_openat = 257,
  HONE_SYS_getcpu = 309
};

static inline long hone_syscall(long n, long a, long b, long c, long d, long e, long f) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

static inline void hone_pause(void) { __asm__ volatile("pause" ::: "memory"); }

/* All exceptions masked, round to nearest, flush denormal results and operands. */
typedef uint32_t hone_float_state;
static inline hone_float_state hone_enter_float(void) {
  hone_float_state before, inside = 0x1f80u | 0x8040u;
  __asm__ volatile("stmxcsr %0" : "=m"(before));
  __asm__ volatile("ldmxcsr %0" : : "m"(inside));
  return before;
}
static inline void hone_leave_float(hone_float_state before) {
  __asm__ volatile("ldmxcsr %0" : : "m"(before));
}

/* clone(flags, stack): the new thread calls function(argument) on it and exits. Returns its id or a negative
 * error. */
static inline long hone_clone(long flags, void* stack_end, int32_t* tid, void (*function)(void*),
                              void* argument) {
  void** top = (void**)((uintptr_t)stack_end & ~(uintptr_t)15);
  *--top = (void*)function;
  *--top = argument;
  long result;
  register int32_t* r10 __asm__("r10") = tid; /* CLONE_CHILD_CLEARTID */
  register long r8 __asm__("r8") = 0;
  __asm__ volatile(
      "syscall\n"
      "test %%rax, %%rax\n"
      "jnz 1f\n"
      "xor %%ebp, %%ebp\n"
      "pop %%rdi\n"
      "pop %%rax\n"
      "call *%%rax\n"
      "xor %%edi, %%edi\n"
      "mov $60, %%eax\n"
      "syscall\n"
      "hlt\n"
      "1:\n"
      : "=a"(result)
      : "a"(56l), "D"(flags), "S"(top), "d"(tid), "r"(r10), "r"(r8)
      : "rcx", "r11", "memory");
  return result;
}

#elif defined(__aarch64__)

enum {
  HONE_SYS_mmap = 222,
  HONE_SYS_mprotect = 226,
  HONE_SYS_munmap = 215,
  HONE_SYS_rt_sigprocmask = 135,
  HONE_SYS_sched_yield = 124,
  HONE_SYS_getpid = 172,
  HONE_SYS_futex = 98,
  HONE_SYS_sched_setaffinity = 122,
  HONE_SYS_sched_getaffinity = 123,
  HONE_SYS_clock_gettime = 113,
  HONE_SYS_openat = 56,
  HONE_SYS_close = 57,
  HONE_SYS_read = 63,
  HONE_SYS_getcpu = 168
};

static inline long hone_syscall(long n, long a, long b, long c, long d, long e, long f) {
  register long x8 __asm__("x8") = n;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
}

static inline void hone_pause(void) { __asm__ volatile("yield" ::: "memory"); }

typedef uint64_t hone_float_state;
static inline hone_float_state hone_enter_float(void) {
  hone_float_state before, inside = 1ull << 24; /* FZ */
  __asm__ volatile("mrs %0, fpcr" : "=r"(before));
  __asm__ volatile("msr fpcr, %0" : : "r"(inside));
  return before;
}
static inline void hone_leave_float(hone_float_state before) {
  __asm__ volatile("msr fpcr, %0" : : "r"(before));
}

static inline long hone_clone(long flags, void* stack_end, int32_t* tid, void (*function)(void*),
                              void* argument) {
  void** top = (void**)((uintptr_t)stack_end & ~(uintptr_t)15);
  *--top = (void*)function;
  *--top = argument;
  register long x8 __asm__("x8") = 220;
  register long x0 __asm__("x0") = flags;
  register void** x1 __asm__("x1") = top;
  register int32_t* x2 __asm__("x2") = tid;
  register long x3 __asm__("x3") = 0;
  register int32_t* x4 __asm__("x4") = tid; /* CLONE_CHILD_CLEARTID */
  __asm__ volatile(
      "svc #0\n"
      "cbnz x0, 1f\n"
      "mov x29, #0\n"
      "ldp x0, x9, [sp], #16\n"
      "blr x9\n"
      "mov x0, #0\n"
      "mov x8, #93\n"
      "svc #0\n"
      "brk #0\n"
      "1:\n"
      : "+r"(x0)
      : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4)
      : "x9", "x30", "memory");
  return x0;
}

#else
#error "hone's runtime knows x86-64 and aarch64"
#endif

static inline int64_t hone_now_ns(void) {
  struct {
    int64_t seconds, nanoseconds;
  } now;
  hone_syscall(HONE_SYS_clock_gettime, 1 /* CLOCK_MONOTONIC */, (long)&now, 0, 0, 0, 0);
  return now.seconds * 1000000000ll + now.nanoseconds;
}

#endif
