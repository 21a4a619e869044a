// In-process lld. Files live in memory: objects and the version script in memfds, the output comes through a
// pipe.
#include <fcntl.h>
#include <lld/Common/Driver.h>
#include <llvm-c/Core.h>
#include <llvm/Object/ELFObjectFile.h>
#include <llvm/Support/CrashRecoveryContext.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/TargetParser/Triple.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <mutex>
#include <span>
#include <thread>

#include "codegen/llvm/emit.h"

LLD_HAS_DRIVER(elf)
namespace lld {
std::string getLLDVersion();  // its header is packaged without a file that it includes
}

namespace hone {

namespace {

/// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() { close(); }
  void close() {
    if (number_ >= 0) ::close(number_);
    number_ = -1;
  }
  int number() const { return number_; }
  std::string path() const { return "/proc/self/fd/" + std::to_string(number_); }

 private:
  int number_;
};

tl::unexpected<Error> system_failure(const std::string& what) {
  return fail(what + ": " + std::strerror(errno), "linking");
}

Result<Descriptor> in_memory(std::span<const std::byte> bytes) {
  Descriptor file(memfd_create("hone", MFD_CLOEXEC));
  if (file.number() < 0) return system_failure("no memory file");
  while (!bytes.empty()) {
    const ssize_t written = ::write(file.number(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_failure("cannot fill a memory file");
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return file;
}

/// lld dies of a torn object, and a linker that died must not be called again: so what is torn never reaches
/// it.
Status check_object(std::span<const std::byte> bytes, llvm::Triple::ArchType architecture) {
  const llvm::StringRef text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  auto object = llvm::object::ObjectFile::createELFObjectFile(llvm::MemoryBufferRef(text, "object"));
  if (!object) return fail("no ELF object: " + llvm::toString(object.takeError()), "linking");
  const auto* elf = llvm::dyn_cast<llvm::object::ELF64LEObjectFile>(object->get());
  if (!elf || elf->getELFFile().getHeader().e_type != llvm::ELF::ET_REL)
    return fail("no relocatable 64-bit ELF object", "linking");
  if (elf->getArch() != architecture) {
    return fail("an object of another architecture: " + elf->getFileFormatName().str(), "linking");
  }
  auto sections = elf->getELFFile().sections();
  if (!sections) return fail("a torn object: " + llvm::toString(sections.takeError()), "linking");
  for (const auto& section : *sections) {
    if (section.sh_type == llvm::ELF::SHT_NOBITS) continue;
    auto contents = elf->getELFFile().getSectionContents(section);
    if (!contents) return fail("a torn object: " + llvm::toString(contents.takeError()), "linking");
  }
  return {};
}

std::string version_script(const std::vector<std::string>& exported) {
  std::string text = "{";
  if (!exported.empty()) {
    text += " global:";
    for (const std::string& symbol : exported) text += " " + symbol + ";";
  }
  return text + " local: *; };\n";
}

/// Runs lld; what it prints as errors, or nothing if it succeeded.
Result<std::string> run_lld(const std::vector<std::string>& arguments) {
  static std::mutex mutex;
  static bool usable = true;
  const std::lock_guard lock(mutex);
  if (!usable)
    return fail("the linker crashed before and cannot run again in this process", "linking", "restart");
  std::vector<const char*> pointers;
  for (const std::string& argument : arguments) pointers.push_back(argument.c_str());
  std::string messages;
  llvm::raw_string_ostream errors(messages);
  // lld leaves by exit() after fatal errors unless it is run under crash recovery.
  llvm::CrashRecoveryContext::Enable();
  const lld::Result result = lld::lldMain(pointers, llvm::nulls(), errors, {{lld::Gnu, &lld::elf::link}});
  llvm::CrashRecoveryContext::Disable();
  usable = result.canRunAgain;
  if (result.retCode != 0 && messages.empty()) messages = "exit code " + std::to_string(result.retCode);
  return result.retCode == 0 ? std::string() : messages;
}

}  // namespace

std::string llvm_version() {
  unsigned major = 0, minor = 0, patch = 0;
  LLVMGetVersion(&major, &minor, &patch);
  return "LLVM " + std::to_string(major) + '.' + std::to_string(minor) + '.' + std::to_string(patch) + ", " +
         lld::getLLDVersion();
}

Result<std::vector<std::byte>> link_shared(const std::vector<std::vector<std::byte>>& objects,
                                           const Target& target,
                                           const std::vector<std::string>& exported_symbols) {
  if (objects.empty()) return fail("nothing to link", "linking");
  const llvm::Triple::ArchType architecture = llvm::Triple(target.triple).getArch();
  std::vector<Descriptor> files;
  for (const std::vector<std::byte>& object : objects) {
    HONE_RETURN_IF_ERROR(check_object(object, architecture));
    HONE_TRY(Descriptor file, in_memory(object));
    files.push_back(std::move(file));
  }
  const std::string script = version_script(exported_symbols);
  HONE_TRY(Descriptor versions, in_memory(std::as_bytes(std::span(script))));

  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return system_failure("no pipe");
  Descriptor read_end(ends[0]), write_end(ends[1]);
  std::vector<std::byte> output;
  std::thread reader([&] {
    std::byte chunk[1 << 16];
    for (;;) {
      const ssize_t count = ::read(read_end.number(), chunk, sizeof chunk);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return;
      output.insert(output.end(), chunk, chunk + count);
    }
  });

  const bool arm = architecture == llvm::Triple::aarch64;
  std::vector<std::string> arguments{"ld.lld",
                                     "-m",
                                     arm ? "aarch64linux" : "elf_x86_64",
                                     "-shared",
                                     "-Bsymbolic",
                                     "--no-undefined",
                                     "--threads=1",
                                     "--build-id=none",
                                     "--hash-style=gnu",
                                     "-z",
                                     "noexecstack",
                                     "-z",
                                     "relro",
                                     "-z",
                                     "now",
                                     "--version-script=" + versions.path(),
                                     "-o",
                                     write_end.path()};
  for (const Descriptor& file : files) arguments.push_back(file.path());
  Result<std::string> problem = run_lld(arguments);
  write_end.close();
  reader.join();
  if (!problem) return pass(problem.error());
  if (!problem->empty()) return fail("the linker refused: " + *problem, "linking");
  if (output.empty()) return fail("the linker wrote nothing", "linking");
  return output;
}

}  // namespace hone
