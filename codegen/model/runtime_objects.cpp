#include "codegen/model/runtime_objects.h"

// Defined in the generated runtime_bytes.cpp: one pair of symbols per file and triple.
#define HONE_EMBEDDED(name) extern "C" const std::byte hone_embedded_##name[], hone_embedded_##name##_end[];
HONE_EMBEDDED(executor_x86_64)
HONE_EMBEDDED(pool_x86_64)
HONE_EMBEDDED(cpus_x86_64)
HONE_EMBEDDED(executor_aarch64)
HONE_EMBEDDED(pool_aarch64)
HONE_EMBEDDED(cpus_aarch64)

namespace hone {

Result<std::vector<std::vector<std::byte>>> runtime_objects(const std::string& triple) {
  using Objects = std::vector<std::vector<std::byte>>;
  if (triple.starts_with("x86_64"))
    return Objects{{hone_embedded_executor_x86_64, hone_embedded_executor_x86_64_end},
                   {hone_embedded_pool_x86_64, hone_embedded_pool_x86_64_end},
                   {hone_embedded_cpus_x86_64, hone_embedded_cpus_x86_64_end}};
  if (triple.starts_with("aarch64"))
    return Objects{{hone_embedded_executor_aarch64, hone_embedded_executor_aarch64_end},
                   {hone_embedded_pool_aarch64, hone_embedded_pool_aarch64_end},
                   {hone_embedded_cpus_aarch64, hone_embedded_cpus_aarch64_end}};
  return fail("no runtime for " + triple);
}

const std::vector<std::string>& model_symbols() {
  static const std::vector<std::string> symbols{
      "hone_model_description",  "hone_model_abi_version",    "hone_model_input_count",
      "hone_model_output_count", "hone_model_input",          "hone_model_output",
      "hone_model_memory_bytes", "hone_model_create",         "hone_model_destroy",
      "hone_model_run",          "hone_model_operator_count", "hone_model_run_timed"};
  return symbols;
}

}  // namespace hone
