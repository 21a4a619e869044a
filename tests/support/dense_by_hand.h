/* y[o] = sum over k of w[o, k] x[k], 64 x 64, as an artifact by hand, with -DREFERENCE its reference. Whoever includes
   this defines hone_run (or takes `dense` for it) and hone_prepare (or `copy_constants`). */
#pragma once

#include <stdint.h>

#define N 64

#ifndef Y_BYTES
#define Y_BYTES "320"
#endif

#ifndef FLOPS
#define FLOPS "8192"
#endif

#ifndef W_BYTES
#define W_BYTES "16448"
#endif

#ifndef X_BYTES
#define X_BYTES "320"
#endif

#ifndef X_RANGE
#define X_RANGE "[-1,1]"
#endif

#ifndef ELEMENT_FACTOR
#define ELEMENT_FACTOR "4"
#endif

#define PART(name, role, type, layout, bytes)                                                                  \
  "{\"name\":\"" name "\",\"role\":\"" role "\",\"type\":\"" type "\",\"layout\":\"" layout                    \
  "\",\"placement\":\"\",\"bytes\":" bytes ",\"range\":" X_RANGE ",\"halo_value\":0}"

const char hone_signature[] =
    "{\"task\":\"task v1\\n%x = input f32[1x64]\\n%w = constant f32[64x64]\\n"
    "%y = dense %x %w {transpose_b=1}\\noutput %y\\n\","
    "\"formulation\":\"dense\","
    "\"target\":\"triple=x86_64-linux-gnu cpu=generic vector=128x16 features=\",\"buffers\":["
    PART("x", "input", "f32[1x64]", "ab", X_BYTES) "," PART("w.packed", "constant", "f32[64x64]", "ab", W_BYTES) ","
#ifdef REFERENCE
    PART("y", "output", "f64[1x64]", "ab", "576") "," PART("y.magnitude", "output", "f64[1x64]", "ab", "576")
#else
    PART("y", "output", "f32[1x64]", "ab", Y_BYTES)
#endif
    "],\"constants\":[{\"name\":\"w\",\"type\":\"f32[64x64]\",\"range\":[-1,1]}],"
    "\"phases\":[{\"extent\":64,\"flops\":" FLOPS "}],\"prepare_phases\":[{\"extent\":64,\"flops\":0}],"
    "\"flops\":8192,\"min_bytes\":16896,\"bound\":{\"relative_l2\":1e-6,\"element_factor\":" ELEMENT_FACTOR "},"
#ifdef REFERENCE
    "\"reference\":true}";
#else
    "\"reference\":false}";
#endif

static long system_call(long number, long a, long b, long c, long d, long e, long f) {
#if defined(__x86_64__)
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
#else
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
#endif
}

#if defined(__x86_64__)
enum { call_write = 1, call_open = 257, call_mmap = 9, call_fork = 57, call_exit = 231, call_kill = 62, call_socket = 41,
       call_sigaction = 13 };
#else
enum { call_write = 64, call_open = 56, call_mmap = 222, call_fork = 220, call_exit = 94, call_kill = 129, call_socket = 198,
       call_sigaction = 134 };
#endif


static inline void dense(void* const* buffers, int64_t begin, int64_t end) {
  const float* x = buffers[0];
  const float* w = buffers[1];
#ifdef REFERENCE
  double* y = buffers[2];
  double* magnitude = buffers[3];
  for (int64_t o = begin; o < end; ++o) {
    double sum = 0, m = 0;
    for (int k = 0; k < N; ++k) {
      double product = (double)w[o * N + k] * (double)x[k];
      sum += product;
      m += 2 * (product < 0 ? -product : product);
    }
    y[o] = sum;
    magnitude[o] = m;
  }
#else
  float* y = buffers[2];
  for (int64_t o = begin; o < end; ++o) {
    float sum = 0;
    for (int k = 0; k < N; ++k) sum += w[o * N + k] * x[k];
    y[o] = sum;
  }
#endif
}

static inline void copy_constants(void* const* buffers, int64_t begin, int64_t end) {
  const float* w = buffers[0];
  float* packed = buffers[1];
  for (int64_t i = begin * N; i < end * N; ++i) packed[i] = w[i];
}
