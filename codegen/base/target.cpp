#include "codegen/base/target.h"

#include <algorithm>
#include <sstream>

#include "codegen/base/text.h"

namespace hone {
namespace {

struct NamedTarget {
  std::string_view name, triple, cpu, features;
  int bits, registers;
};
// The x86-64 levels of the System V psABI, and AArch64's baseline.
constexpr NamedTarget kNamed[] = {
    {"x86-64-v2", "x86_64-linux-gnu", "x86-64-v2", "+popcnt,+sse3,+sse4.1,+sse4.2,+ssse3", 128, 16},
    {"x86-64-v3", "x86_64-linux-gnu", "x86-64-v3",
     "+avx,+avx2,+bmi,+bmi2,+f16c,+fma,+lzcnt,+movbe,+popcnt,+sse3,+sse4.1,+sse4.2,+ssse3", 256, 16},
    {"x86-64-v4", "x86_64-linux-gnu", "x86-64-v4",
     "+avx,+avx2,+avx512bw,+avx512cd,+avx512dq,+avx512f,+avx512vl,+bmi,+bmi2,+f16c,+fma,+lzcnt,+movbe,+"
     "popcnt,"
     "+sse3,+sse4.1,+sse4.2,+ssse3",
     512, 32},
    {"aarch64-neon", "aarch64-linux-gnu", "generic", "+fp-armv8,+neon", 128, 32},
};

}  // namespace

int vector_passes(const Target& target, int64_t bits) {
  struct Unit {
    std::string_view cpu;
    int bits;
  };
  constexpr Unit kNarrow[] = {{"znver1", 128}, {"znver4", 256}};
  for (const Unit& unit : kNarrow)
    if (unit.cpu == target.cpu) return static_cast<int>(std::max<int64_t>(1, bits / unit.bits));
  return 1;
}

Lacking lacking(const Target& has, const Target& wanted) {
  Lacking out;
  out.architecture = wanted.triple != has.triple;
  if (out.architecture) return out;
  out.vector_width = wanted.vector_bits > has.vector_bits;
  const auto available = split_text(has.features, ',');
  for (const std::string_view feature : split_text(wanted.features, ','))
    if (!feature.empty() && feature[0] != '-' &&
        std::find(available.begin(), available.end(), feature) == available.end())
      out.features.emplace_back(feature);
  return out;
}

bool runs_on(const Target& has, const Target& wanted) { return lacking(has, wanted).nothing(); }

std::string to_text(const Target& target) {
  std::ostringstream text;
  text << "triple=" << target.triple << " cpu=" << target.cpu << " vector=" << target.vector_bits << 'x'
       << target.vector_registers << " features=" << target.features;
  return text.str();
}

Result<Target> parse_target(std::string_view text) {
  Target target;
  int seen = 0;
  for (const std::string_view word : split_text(trim(text), ' ')) {
    const size_t equals = word.find('=');
    const std::string_view key = word.substr(0, equals);
    const std::string_view value = equals == std::string_view::npos ? "" : word.substr(equals + 1);
    if (key == "triple") {
      target.triple = value;
    } else if (key == "cpu") {
      target.cpu = value;
    } else if (key == "features") {
      target.features = value;
    } else if (key == "vector") {
      HONE_TRY(const auto sizes, parse_integers(value, 'x'));
      if (sizes.size() != 2 || (sizes[0] != 128 && sizes[0] != 256 && sizes[0] != 512) || sizes[1] < 8 ||
          sizes[1] > 64)
        return fail("bad vector size '" + std::string(value) + "' in target", "",
                    "bits x registers, such as 512x32");
      target.vector_bits = static_cast<int>(sizes[0]);
      target.vector_registers = static_cast<int>(sizes[1]);
    } else {
      return fail("unknown word '" + std::string(word) + "' in target");
    }
    ++seen;
  }
  if (seen != 4) return fail("a target's text has triple=, cpu=, vector= and features=", std::string(text));
  return target;
}

Result<Target> resolve_target(std::string_view name) {
  if (name == "host") return probe_board().target;
  for (const NamedTarget& named : kNamed)
    if (named.name == name)
      return Target{std::string(named.triple), std::string(named.cpu), std::string(named.features),
                    named.bits, named.registers};
  if (name.find('=') != std::string_view::npos) return parse_target(name);
  std::string known = "host";
  for (const NamedTarget& named : kNamed) known += ", " + std::string(named.name);
  return fail("unknown target '" + std::string(name) + "'", "",
              "known: " + known + ", or a target's full text");
}

}  // namespace hone
