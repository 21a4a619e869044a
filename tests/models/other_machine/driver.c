/* Loads a compiled model on another machine and runs it, without a library: so a model for aarch64 can be
 * tested under an emulator where no aarch64 system is installed. usage: driver MODEL.so THREADS INPUT OUTPUT
 * raw float32 files of the first input and output */
#include <elf.h>

#include "codegen/runtime/model/abi.h"
#include "codegen/runtime/model/machine.h"

#if defined(__x86_64__)
enum { SYS_read = 0, SYS_write = 1, SYS_exit = 231, SYS_openat = 257 };
__asm__(".global _start\n_start:\nmov %rsp, %rdi\nand $-16, %rsp\ncall begin\n");
#else
enum { SYS_read = 63, SYS_write = 64, SYS_exit = 94, SYS_openat = 56 };
__asm__(".global _start\n_start:\nmov x0, sp\nbl begin\n");
#endif

static void leave(int code) {
  for (;;) hone_syscall(SYS_exit, code, 0, 0, 0, 0, 0);
}

static char* pages(long bytes, int protection) {
  const long at = hone_syscall(HONE_SYS_mmap, 0, bytes, protection, 0x22, -1, 0);
  if (at < 0 && at > -4096) leave(10);
  return (char*)at;
}

static long open_file(const char* name, int flags) {
  const long fd = hone_syscall(SYS_openat, -100, (long)name, flags, 0644, 0, 0);
  if (fd < 0) leave(11);
  return fd;
}

static long read_all(const char* name, char* to, long room) {
  const long fd = open_file(name, 0);
  long done = 0;
  for (long n; (n = hone_syscall(SYS_read, fd, (long)(to + done), room - done, 0, 0, 0)) > 0;) done += n;
  return done;
}

static int equal(const char* a, const char* b) {
  while (*a != 0 && *a == *b) ++a, ++b;
  return *a == *b;
}

/* Maps the segments; such a shared object has no relocations but relative ones. */
static char* map_model(const char* file) {
  const Elf64_Ehdr* header = (const Elf64_Ehdr*)file;
  const Elf64_Phdr* segments = (const Elf64_Phdr*)(file + header->e_phoff);
  uint64_t end = 0;
  for (int i = 0; i < header->e_phnum; ++i)
    if (segments[i].p_type == PT_LOAD && segments[i].p_vaddr + segments[i].p_memsz > end)
      end = segments[i].p_vaddr + segments[i].p_memsz;
  char* base = pages((long)end, 7);
  for (int i = 0; i < header->e_phnum; ++i)
    if (segments[i].p_type == PT_LOAD)
      for (uint64_t k = 0; k < segments[i].p_filesz; ++k)
        ((volatile char*)base)[segments[i].p_vaddr + k] = file[segments[i].p_offset + k];
  for (int i = 0; i < header->e_phnum; ++i) {
    if (segments[i].p_type != PT_DYNAMIC) continue;
    const Elf64_Rela* relocations = 0;
    uint64_t bytes = 0;
    for (const Elf64_Dyn* d = (const Elf64_Dyn*)(base + segments[i].p_vaddr); d->d_tag != DT_NULL; ++d) {
      if (d->d_tag == DT_RELA) relocations = (const Elf64_Rela*)(base + d->d_un.d_ptr);
      if (d->d_tag == DT_RELASZ) bytes = d->d_un.d_val;
      if (d->d_tag == DT_JMPREL) leave(12);
    }
    for (uint64_t k = 0; k < bytes / sizeof(Elf64_Rela); ++k) {
      const uint64_t kind = ELF64_R_TYPE(relocations[k].r_info);
      if (kind != R_X86_64_RELATIVE && kind != R_AARCH64_RELATIVE) leave(13);
      *(uint64_t*)(base + relocations[k].r_offset) = (uint64_t)base + (uint64_t)relocations[k].r_addend;
    }
  }
#if defined(__aarch64__)
  for (char* line = base; line < base + end; line += 16)
    __asm__ volatile("dc cvau, %0\ndsb ish\nic ivau, %0" ::"r"(line) : "memory");
  __asm__ volatile("dsb ish\nisb" ::: "memory");
#endif
  return base;
}

static void* symbol(const char* file, char* base, const char* name) {
  const Elf64_Ehdr* header = (const Elf64_Ehdr*)file;
  const Elf64_Shdr* sections = (const Elf64_Shdr*)(file + header->e_shoff);
  for (int i = 0; i < header->e_shnum; ++i) {
    if (sections[i].sh_type != SHT_DYNSYM) continue;
    const Elf64_Sym* symbols = (const Elf64_Sym*)(file + sections[i].sh_offset);
    const char* names = file + sections[sections[i].sh_link].sh_offset;
    for (uint64_t k = 1; k < sections[i].sh_size / sizeof(Elf64_Sym); ++k)
      if (equal(names + symbols[k].st_name, name)) return base + symbols[k].st_value;
  }
  leave(14);
  return 0;
}

__attribute__((used)) void begin(long* stack) {
  if (stack[0] != 5) leave(2);
  char** arguments = (char**)(stack + 1);
  char* file = pages(64l << 20, 3);
  read_all(arguments[1], file, 64l << 20);
  char* base = map_model(file);
#define FIND(name) __typeof__(&name) my_##name = (__typeof__(&name))symbol(file, base, #name)
  FIND(hone_model_memory_bytes);
  FIND(hone_model_create);
  FIND(hone_model_destroy);
  FIND(hone_model_run);
  FIND(hone_model_output);
  FIND(hone_model_verify);
  if (my_hone_model_verify() != 0) leave(18);
  char* memory = pages((long)my_hone_model_memory_bytes() + 4096, 3);
  hone_model_instance* instance = my_hone_model_create(memory, arguments[2][0] - '0');
  if (instance == 0) leave(15);
  char *input = pages(8l << 20, 3), *output = pages(8l << 20, 3);
  read_all(arguments[3], input, 8l << 20);
  const void* inputs[1] = {input};
  void* outputs[1] = {output};
  for (int i = 0; i < 3; ++i)
    if (my_hone_model_run(instance, inputs, outputs) != 0) leave(16);
  my_hone_model_destroy(instance);
  hone_model_tensor tensor;
  my_hone_model_output(0, &tensor);
  long bytes = 4;
  for (int i = 0; i < tensor.rank; ++i) bytes *= tensor.shape[i];
  const long fd = open_file(arguments[4], 01101); /* O_WRONLY | O_CREAT | O_TRUNC */
  if (hone_syscall(SYS_write, fd, (long)output, bytes, 0, 0, 0) != bytes) leave(17);
  leave(0);
}
