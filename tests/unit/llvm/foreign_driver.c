/* Calls `run` of a shared object under an emulator: DRIVER OBJECT PHASE BEGIN END BUFFER-FILE... The files are mapped
 * shared, so what `run` writes is there afterwards. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

typedef void run_function(void* const*, int32_t, int64_t, int64_t);

int main(int argc, char** argv) {
  void* buffers[16];
  void* library = dlopen(argv[1], RTLD_NOW);
  run_function* run = library ? (run_function*)dlsym(library, "run") : NULL;
  if (!run || argc > 5 + 16) {
    fprintf(stderr, "cannot load: %s\n", dlerror());
    return 1;
  }
  for (int k = 5; k < argc; ++k) {
    struct stat status;
    const int file = open(argv[k], O_RDWR);
    if (file < 0 || fstat(file, &status) != 0) return 2;
    buffers[k - 5] = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (buffers[k - 5] == MAP_FAILED) return 3;
  }
  run(buffers, atoi(argv[2]), atoll(argv[3]), atoll(argv[4]));
  return 0;
}
