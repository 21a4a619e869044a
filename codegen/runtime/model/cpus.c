/* Reads the affinity mask, and cpu.max of the process's control group and of all groups above it. */
#include "codegen/runtime/model/cpus.h"

#include "codegen/runtime/model/machine.h"

#define ROOT "/sys/fs/cgroup"
#define ROOT_BYTES ((long)sizeof ROOT - 1)
#define PATH_BYTES 1024

/* The beginning of a file, with a 0 behind it; 0 bytes if it cannot be read. */
static long read_text(const char* path, char* text, long size) {
  const long file =
      hone_syscall(HONE_SYS_openat, -100 /* AT_FDCWD */, (long)path, 0x80000 /* O_CLOEXEC */, 0, 0, 0);
  long bytes = 0;
  if (file >= 0) {
    bytes = hone_syscall(HONE_SYS_read, file, (long)text, size - 1, 0, 0, 0);
    hone_syscall(HONE_SYS_close, file, 0, 0, 0, 0, 0);
  }
  if (bytes < 0) bytes = 0;
  text[bytes] = 0;
  return bytes;
}

static const char* number(const char* text, int64_t* value) {
  if (*text < '0' || *text > '9') return 0;
  for (*value = 0; *text >= '0' && *text <= '9' && *value < (1ll << 50); ++text)
    *value = *value * 10 + (*text - '0');
  return text;
}

int32_t hone_quota_cpus(const char* text) {
  int64_t quota, period;
  const char* rest = number(text, &quota);
  if (rest == 0 || *rest != ' ' || number(rest + 1, &period) == 0 || quota == 0 || period == 0) return 0;
  const int64_t cpus = (quota + period - 1) / period;
  return cpus < (1 << 20) ? (int32_t)cpus : 0;
}

/* The path in the line "0::/path" of /proc/self/cgroup, behind ROOT; its length. */
static long own_group(char* path) {
  char text[PATH_BYTES];
  long length = 0;
  for (const char* from = ROOT; *from != 0; ++from) path[length++] = *from;
  read_text("/proc/self/cgroup", text, PATH_BYTES);
  for (const char* line = text; *line != 0;) {
    if (line[0] == '0' && line[1] == ':' && line[2] == ':')
      for (line += 3; *line != 0 && *line != '\n' && length < PATH_BYTES - 16; ++line) path[length++] = *line;
    while (*line != 0 && *line != '\n') ++line;
    if (*line == '\n') ++line;
  }
  return length;
}

int32_t hone_usable_cpus(void) {
  uint64_t mask[128]; /* 8,192 CPUs */
  const long bytes = hone_syscall(HONE_SYS_sched_getaffinity, 0, sizeof mask, (long)mask, 0, 0, 0);
  int32_t count = 0;
  for (long i = 0; i < bytes / 8; ++i)
    for (uint64_t bits = mask[i]; bits != 0; bits &= bits - 1) ++count;
  if (count < 1) count = 1;

  char path[PATH_BYTES], text[64];
  for (long length = own_group(path);;) {
    while (length > ROOT_BYTES && path[length - 1] == '/') --length;
    long end = length;
    for (const char* name = "/cpu.max"; *name != 0; ++name) path[end++] = *name;
    path[end] = 0;
    read_text(path, text, sizeof text);
    const int32_t quota = hone_quota_cpus(text);
    if (quota > 0 && quota < count) count = quota;
    if (length <= ROOT_BYTES) return count;
    while (length > ROOT_BYTES && path[length - 1] != '/') --length; /* the group above */
  }
}
