/* The ELF notes of a compiled model: section .note.hone, name "hone", outside its C interface. They are found
 * by program header, and by the model itself. Numbers are never reused; whole numbers are little-endian. */
#ifndef HONE_RUNTIME_MODEL_NOTE_H
#define HONE_RUNTIME_MODEL_NOTE_H

#include <stdint.h>

#include "codegen/runtime/model/digest.h"

#define HONE_NOTE_NAME "hone"
#define HONE_NOTE_DIGESTS 1 /* hone_digests */
#define HONE_NOTE_TARGET 2  /* the target's text, ends with 0 */

/* What a range holds. */
enum {
  HONE_PART_CODE = 1,
  HONE_PART_WEIGHTS = 2,
  HONE_PART_DESCRIPTION = 3, /* the executor's table and the description */
  HONE_PART_CONSTANTS = 4,   /* what else is never written: headers, symbols, the executor's constants */
  HONE_PART_DATA = 5         /* what is written once loaded: only the file's can be checked */
};

typedef struct __attribute__((packed)) hone_digested_range {
  uint32_t part, reserved;
  uint64_t address; /* from the image's beginning, where the ELF header lies */
  uint64_t bytes;   /* in the file */
  unsigned char digest[HONE_DIGEST_BYTES];
} hone_digested_range;

#define HONE_MOST_RANGES 16

/* Ranges ascend, do not overlap, and leave out nothing that is loaded from the file but this descriptor. */
typedef struct __attribute__((packed)) hone_digests {
  uint32_t
      version; /* 1; 0: being linked, the first two ranges say how far from `address` weights and table lie */
  uint32_t count;
  hone_digested_range ranges[HONE_MOST_RANGES];
} hone_digests;

/* What is before every descriptor. */
typedef struct hone_note_header {
  uint32_t name_bytes, bytes, type;
  char name[8];
} hone_note_header;

/* The beginning of the section. */
typedef struct __attribute__((packed)) hone_digests_note {
  hone_note_header header;
  hone_digests digests;
} hone_digests_note;

#endif
