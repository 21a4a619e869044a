// What this machine is, read from /proc and /sys: no CPU name is trusted for its features.
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "codegen/base/digest.h"
#include "codegen/base/target.h"
#include "codegen/base/text.h"

namespace hone {
namespace {

namespace fs = std::filesystem;

std::string first_line(const fs::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

/// The first processor's block of /proc/cpuinfo.
std::map<std::string, std::string> cpu_info() {
  std::map<std::string, std::string> facts;
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line) && !line.empty();) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    facts.emplace(trim(std::string_view(line).substr(0, colon)),
                  trim(std::string_view(line).substr(colon + 1)));
  }
  return facts;
}

struct Feature {
  std::string_view flag, llvm;
};
// Kernel's name of a feature that code generation may use, and LLVM's.
constexpr Feature kX86Features[] = {
    {"pni", "sse3"},
    {"ssse3", "ssse3"},
    {"sse4_1", "sse4.1"},
    {"sse4_2", "sse4.2"},
    {"popcnt", "popcnt"},
    {"avx", "avx"},
    {"avx2", "avx2"},
    {"fma", "fma"},
    {"f16c", "f16c"},
    {"bmi1", "bmi"},
    {"bmi2", "bmi2"},
    {"abm", "lzcnt"},
    {"movbe", "movbe"},
    {"avx512f", "avx512f"},
    {"avx512dq", "avx512dq"},
    {"avx512bw", "avx512bw"},
    {"avx512vl", "avx512vl"},
    {"avx512cd", "avx512cd"},
    {"avx512_vnni", "avx512vnni"},
    {"avx512_bf16", "avx512bf16"},
};
constexpr Feature kArmFeatures[] = {
    {"fp", "fp-armv8"},     {"asimd", "neon"}, {"asimdhp", "fullfp16"},
    {"asimddp", "dotprod"}, {"bf16", "bf16"},  {"i8mm", "i8mm"},
};

template <size_t N>
std::string llvm_features(const Feature (&table)[N], const std::set<std::string, std::less<>>& flags) {
  std::set<std::string_view> names;
  for (const Feature& feature : table)
    if (flags.contains(feature.flag)) names.insert(feature.llvm);
  std::string text;
  for (const std::string_view name : names) text += (text.empty() ? "+" : ",+") + std::string(name);
  return text;
}

int to_int(const std::string& text, int base = 10) {
  try {
    return std::stoi(text, nullptr, base);
  } catch (const std::exception&) {
    return 0;
  }
}

/// LLVM's CPU name, for its scheduling model only.
std::string x86_cpu(const std::string& vendor, int family, int model, bool avx512, bool avx2) {
  if (vendor == "AuthenticAMD") {
    if (family >= 26) return "znver5";
    if (family == 25) return avx512 ? "znver4" : "znver3";
    if (family == 23) return model >= 0x30 ? "znver2" : "znver1";
  }
  return avx512 ? "skylake-avx512" : avx2 ? "haswell" : "x86-64";
}

std::string arm_cpu(int part) {
  switch (part) {
    case 0xd03:
      return "cortex-a53";
    case 0xd08:
      return "cortex-a72";
    case 0xd0b:
      return "cortex-a76";
    case 0xd0c:
      return "neoverse-n1";
    case 0xd42:
      return "cortex-a78";
    default:
      return "generic";
  }
}

int64_t cache_bytes(int level) {
  const fs::path root = "/sys/devices/system/cpu/cpu0/cache";
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(root, ignored)) {
    if (to_int(first_line(entry.path() / "level")) != level ||
        first_line(entry.path() / "type") == "Instruction")
      continue;
    const std::string size = first_line(entry.path() / "size");
    const int64_t unit = size.ends_with('M') ? 1 << 20 : size.ends_with('K') ? 1 << 10 : 1;
    return to_int(size) * unit;
  }
  return 0;
}

int usable_cores() {
  cpu_set_t set;
  int cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  // cgroup v2: "quota period" or "max period".
  std::istringstream limit(first_line("/sys/fs/cgroup/cpu.max"));
  double quota = 0, period = 0;
  if (limit >> quota >> period && quota > 0 && period > 0)
    cores = std::min(cores, static_cast<int>(std::ceil(quota / period)));
  return std::max(cores, 1);
}

void read_processor(Board& board) {
  const auto facts = cpu_info();
  const auto fact = [&](const char* key) {
    const auto found = facts.find(key);
    return found == facts.end() ? std::string() : found->second;
  };
  std::istringstream words(fact("flags").empty() ? fact("Features") : fact("flags"));
  std::set<std::string, std::less<>> flags;
  for (std::string word; words >> word;) flags.insert(word);

  Target& target = board.target;
#if defined(__aarch64__)
  target.triple = "aarch64-linux-gnu";
  const int part = to_int(fact("CPU part"), 16);
  target.cpu = arm_cpu(part);
  target.features = llvm_features(kArmFeatures, flags);
  if (target.features.empty()) target.features = "+fp-armv8,+neon";
  target.vector_bits = 128;
  target.vector_registers = 32;
  // qemu-user shows the host's processor: one of another architecture cannot be what runs this.
  if (fact("CPU implementer").empty())
    board.model = "arm64 (emulated)";
  else
    board.model = "ARM implementer " + fact("CPU implementer") + " part " + fact("CPU part");
  (void)kX86Features;
  (void)x86_cpu;
#else
  const bool avx512 = flags.contains("avx512f") && flags.contains("avx512vl") && flags.contains("avx512bw") &&
                      flags.contains("avx512dq");
  const bool avx2 = flags.contains("avx2") && flags.contains("fma");
  target.triple = "x86_64-linux-gnu";
  target.cpu = x86_cpu(fact("vendor_id"), to_int(fact("cpu family")), to_int(fact("model")), avx512, avx2);
  target.features = llvm_features(kX86Features, flags);
  target.vector_bits = avx512 ? 512 : avx2 ? 256 : 128;
  target.vector_registers = avx512 ? 32 : 16;
  board.model = fact("model name") + " family " + fact("cpu family") + " model " + fact("model");
  (void)kArmFeatures;
  (void)arm_cpu;
#endif
}

}  // namespace

int64_t usable_memory_bytes() {
  auto bytes = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  for (const char* file : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"})
    if (const auto limit = parse_integer(first_line(file)); limit && *limit > 0)
      bytes = std::min(bytes, *limit);
  return bytes;
}

Board probe_board() {
  Board board;
  read_processor(board);
  const std::string machine = first_line("/etc/machine-id");
  utsname name{};
  uname(&name);
  board.id = digest_of(machine.empty() ? std::string(name.nodename) : machine).hex(16);
  board.boot_id = first_line("/proc/sys/kernel/random/boot_id");
  board.kernel = std::string(name.sysname) + " " + name.release;
  board.cores = usable_cores();
  board.memory_bytes = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  board.l1d_bytes = cache_bytes(1);
  board.l2_bytes = cache_bytes(2);
  const int64_t l3 = cache_bytes(3);
  board.llc_bytes = l3 > 0 ? l3 : board.l2_bytes;
  return board;
}

std::string to_text(const Board& board) {
  return nlohmann::json{{"model", board.model},         {"id", board.id},
                        {"boot_id", board.boot_id},     {"kernel", board.kernel},
                        {"cores", board.cores},         {"memory_bytes", board.memory_bytes},
                        {"l1d_bytes", board.l1d_bytes}, {"l2_bytes", board.l2_bytes},
                        {"llc_bytes", board.llc_bytes}, {"target", to_text(board.target)}}
      .dump();
}

Result<Board> parse_board(std::string_view text) {
  const auto value = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!value.is_object()) return fail("a board's text is a JSON object");
  try {
    Board board{value.at("model"),     value.at("id"),
                value.at("boot_id"),   value.at("kernel"),
                value.at("cores"),     value.at("memory_bytes"),
                value.at("l1d_bytes"), value.at("l2_bytes"),
                value.at("llc_bytes"), {}};
    HONE_TRY(board.target, parse_target(value.at("target").get<std::string>()));
    return board;
  } catch (const nlohmann::json::exception& error) {
    return fail(std::string("board: ") + error.what());
  }
}

}  // namespace hone
