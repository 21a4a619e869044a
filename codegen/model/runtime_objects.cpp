#include "codegen/model/runtime_objects.h"

// Defined in the generated runtime_bytes.cpp: one pair of symbols per file and triple.
#define HONE_EMBEDDED(name) extern "C" const std::byte hone_embedded_##name[], hone_embedded_##name##_end[];
#define HONE_EACH(machine)       \
  HONE_OBJECT(executor, machine) \
  HONE_OBJECT(pool, machine)     \
  HONE_OBJECT(cpus, machine)     \
  HONE_OBJECT(identity, machine) \
  HONE_OBJECT(digest, machine)   \
  HONE_OBJECT(features, machine)
#define HONE_OBJECT(name, machine) HONE_EMBEDDED(name##_##machine)
HONE_EACH(x86_64)
HONE_EACH(aarch64)
#undef HONE_OBJECT

namespace hone {

Result<std::vector<std::vector<std::byte>>> runtime_objects(const std::string& triple) {
  using Objects = std::vector<std::vector<std::byte>>;
#define HONE_OBJECT(name, machine) {hone_embedded_##name##_##machine, hone_embedded_##name##_##machine##_end},
  if (triple.starts_with("x86_64")) return Objects{HONE_EACH(x86_64)};
  if (triple.starts_with("aarch64")) return Objects{HONE_EACH(aarch64)};
#undef HONE_OBJECT
  return fail("no runtime for " + triple);
}

const std::vector<std::string>& model_symbols() {
  static const std::vector<std::string> symbols{
      "hone_model_description",  "hone_model_abi_version",    "hone_model_input_count",
      "hone_model_output_count", "hone_model_input",          "hone_model_output",
      "hone_model_memory_bytes", "hone_model_create",         "hone_model_destroy",
      "hone_model_run",          "hone_model_operator_count", "hone_model_run_timed",
      "hone_model_supported",    "hone_model_verify"};
  return symbols;
}

}  // namespace hone
