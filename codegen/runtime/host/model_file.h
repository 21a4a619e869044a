// A built model's file: what it says of itself outside its C interface, and whether it is whole. The format
// of its notes is in runtime/model/note.h. Nothing of the model runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "codegen/base/target.h"
#include "codegen/runtime/host/elf_image.h"

namespace hone {

struct ModelPart {
  std::string name;  ///< "code", "weights", "description", "constants", "data"; a part may be several ranges
  uint64_t bytes = 0;
  std::string digest;  ///< 64 hexadecimal digits
};
struct ModelNotes {
  bool has_digests = false;  ///< false: an older version built it, and nothing was verified
  std::string target;        ///< text of the target it was built for; may be empty without digests
  std::vector<ModelPart> parts;
};
/// Error: there are none.
Status require_digests(const ModelNotes& notes);
/// Verifies everything of a model that is loaded from its file: each bit of code, weights, description and
/// all else. Error: the part that is damaged.
Result<ModelNotes> verify_model(const ElfImage& image);

/// Whether this processor can run code for a target. Error: which features it lacks, or that it is another
/// machine.
Status check_processor(const Target& target);

/// The target's features as bits of runtime/model/features.h, for the model's table; those that it lacks are
/// left out.
uint64_t features_needed(const Target& target);

/// Fills in the digests of a model that was just linked, for any machine; `file` has section .note.hone with
/// a blank.
Status write_digests(std::span<std::byte> file);
/// That section's content: notes with blank digests and the target's text. The caller places at
/// `weights_field` and `description_field` the distance from there to what is described, each 8 bytes.
struct BlankNotes {
  std::vector<std::byte> bytes;
  int64_t weights_field = 0, description_field = 0;
};
BlankNotes blank_notes(const std::string& target, uint64_t weights_bytes, uint64_t description_bytes);

}  // namespace hone
