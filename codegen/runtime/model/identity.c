/* Whether a compiled model is what was built, and whether this processor can run it. */
#include "codegen/runtime/model/abi.h"
#include "codegen/runtime/model/features.h"
#include "codegen/runtime/model/note.h"
#include "codegen/runtime/model/table.h"

#define HONE_EXPORT __attribute__((visibility("default")))

extern const hone_table hone_model_table;
extern const hone_digests_note hone_model_note;
extern const unsigned char __ehdr_start[]; /* where the linker says that the image begins */

HONE_EXPORT int32_t hone_model_supported(void) {
  return (hone_model_table.needs & ~hone_processor_features()) == 0;
}

HONE_EXPORT int32_t hone_model_verify(void) {
  const hone_digests* digests = &hone_model_note.digests;
  if (digests->version != 1 || digests->count == 0 || digests->count > HONE_MOST_RANGES) return -1;
  for (uint32_t i = 0; i < digests->count; ++i) {
    const hone_digested_range* range = digests->ranges + i;
    if (range->part == HONE_PART_DATA) continue; /* has been relocated, and written */
    unsigned char digest[HONE_DIGEST_BYTES], differs = 0;
    hone_range_digest(__ehdr_start + range->address, range->bytes, digest);
    for (int k = 0; k < HONE_DIGEST_BYTES; ++k) differs |= digest[k] ^ range->digest[k];
    if (differs) return (int32_t)range->part;
  }
  return 0;
}
