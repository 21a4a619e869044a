// Digests of a built model: written once it is linked, verified before it is loaded.
#include "codegen/runtime/host/model_file.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <optional>

#include "codegen/base/text.h"
#include "codegen/runtime/host/range_digest.h"
#include "codegen/runtime/model/features.h"
#include "codegen/runtime/model/note.h"

namespace hone {
namespace {

constexpr uint64_t kNoteBytes = sizeof(hone_note_header);

struct Digests {
  uint64_t address = 0;  ///< of the descriptor
  hone_digests content{};
};

tl::unexpected<Error> damaged(const std::string& what) {
  return fail("the model is damaged: " + what, "", "copy it again, or build it again");
}

std::optional<Digests> digests_of(const ElfImage& image) {
  for (const ImageNote& note : image.notes()) {
    if (note.name != HONE_NOTE_NAME || note.type != HONE_NOTE_DIGESTS ||
        note.descriptor.size() != sizeof(hone_digests))
      continue;
    Digests digests{note.address, {}};
    std::memcpy(&digests.content, note.descriptor.data(), sizeof digests.content);
    return digests;
  }
  return std::nullopt;
}

std::string target_of(const ElfImage& image) {
  for (const ImageNote& note : image.notes()) {
    if (note.name != HONE_NOTE_NAME || note.type != HONE_NOTE_TARGET) continue;
    const std::string_view text(reinterpret_cast<const char*>(note.descriptor.data()),
                                note.descriptor.size());
    return std::string(text.substr(0, text.find('\0')));
  }
  return "";
}

/// What the file has for [address, address + bytes); nothing if that is not within one segment.
std::optional<std::span<const std::byte>> content_at(const ElfImage& image, uint64_t address,
                                                     uint64_t bytes) {
  for (const ImageSegment& s : image.segments()) {
    if (address < s.address || address - s.address > s.file_bytes ||
        bytes > s.file_bytes - (address - s.address))
      continue;
    return image.content(s).subspan(address - s.address, bytes);
  }
  return std::nullopt;
}

const char* part_name(uint32_t part) {
  switch (part) {
    case HONE_PART_CODE:
      return "code";
    case HONE_PART_WEIGHTS:
      return "weights";
    case HONE_PART_DESCRIPTION:
      return "description";
    case HONE_PART_CONSTANTS:
      return "constants";
    default:
      return "data";
  }
}

std::string hex(const RangeDigest& digest) {
  std::string text;
  for (const unsigned char byte : digest) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

/// Whether the ranges leave out nothing but the digests themselves.
bool cover_all(const ElfImage& image, const Digests& digests) {
  uint32_t next = 0;
  for (const ImageSegment& s : image.segments()) {
    uint64_t at = s.address;
    while (at != s.address + s.file_bytes) {
      if (at == digests.address) {
        at += sizeof(hone_digests);
        continue;
      }
      if (next == digests.content.count) return false;
      const hone_digested_range& range = digests.content.ranges[next++];
      if (range.address != at || range.bytes == 0 || range.bytes > s.address + s.file_bytes - at)
        return false;
      at += range.bytes;
    }
  }
  return next == digests.content.count;
}

/// [begin, end) of a segment without the special ranges within it, which keep their part.
struct Special {
  uint64_t address, bytes;
  uint32_t part;  ///< 0: left out
};
void add_ranges(const ImageSegment& segment, const std::vector<Special>& specials,
                std::vector<hone_digested_range>& ranges) {
  const uint32_t part = segment.executable ? HONE_PART_CODE
                        : segment.writable ? HONE_PART_DATA
                                           : HONE_PART_CONSTANTS;
  uint64_t at = segment.address;
  const uint64_t end = segment.address + segment.file_bytes;
  const auto add = [&](uint64_t until, uint32_t what) {
    if (until > at && what != 0) ranges.push_back({what, 0, at, until - at, {}});
    at = std::max(at, until);
  };
  for (const Special& special : specials) {
    if (special.address < segment.address || special.address + special.bytes > end) continue;
    add(special.address, part);
    add(special.address + special.bytes, special.part);
  }
  add(end, part);
}

uint64_t feature_bits(std::string_view name, bool arm) {
#define HONE_BIT(bit, text) \
  if (name == text) return uint64_t{1} << bit;
  if (arm) {
    HONE_ARM_FEATURES(HONE_BIT)
  } else {
    HONE_X86_FEATURES(HONE_BIT)
  }
#undef HONE_BIT
  return 0;
}

template <class T>
void append(std::vector<std::byte>& bytes, const T& value) {
  const size_t at = bytes.size();
  bytes.resize(at + sizeof value);
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

hone_note_header note_header(uint32_t type, size_t bytes) {
  return {sizeof HONE_NOTE_NAME, static_cast<uint32_t>(bytes), type, HONE_NOTE_NAME};
}

}  // namespace

Result<ModelNotes> verify_model(const ElfImage& image) {
  ModelNotes notes;
  notes.target = target_of(image);
  const auto digests = digests_of(image);
  if (!digests) {
    // Whoever exports the function that verifies was built with digests.
    if (image.function("hone_model_verify")) return damaged("its digests are gone");
    return notes;
  }
  const hone_digests& content = digests->content;
  if (content.version != 1)
    return damaged("its digests have version " + std::to_string(content.version) + ", this program reads 1");
  if (content.count > HONE_MOST_RANGES || !cover_all(image, *digests))
    return damaged("its digests do not cover all of it");
  for (uint32_t i = 0; i < content.count; ++i) {
    const hone_digested_range& range = content.ranges[i];
    const RangeDigest digest = range_digest(*content_at(image, range.address, range.bytes));
    if (!std::equal(digest.begin(), digest.end(), range.digest))
      return damaged(std::string("its ") + part_name(range.part) + " changed since 'hone build' wrote it");
    notes.parts.push_back({part_name(range.part), range.bytes, hex(digest)});
  }
  notes.has_digests = true;
  return notes;
}

Status require_digests(const ModelNotes& notes) {
  if (notes.has_digests) return {};
  return fail("the model has no digests, so that it cannot be verified", "",
              "build it again, or leave --require-digest away");
}

uint64_t features_needed(const Target& target) {
  uint64_t bits = 0;
  for (const std::string_view feature : split_text(target.features, ','))
    if (feature.starts_with('+'))
      bits |= feature_bits(feature.substr(1), target.triple.starts_with("aarch64"));
  return bits;
}

Status check_processor(const Target& target) {
  HONE_TRY(const Target host, resolve_target("host"));
  const Lacking missing = lacking(host, target);
  if (missing.architecture)
    return fail("the model is built for " + target.triple + ", this machine is " + host.triple, "",
                "build it with --target host, or run it on such a machine");
  std::string lacks;
  for (const std::string& feature : missing.features)
    lacks += (lacks.empty() ? "" : ", ") + feature.substr(feature.starts_with('+') ? 1 : 0);
  if (lacks.empty() && missing.vector_width)
    lacks = "vectors of " + std::to_string(target.vector_bits) + " bits";
  if (lacks.empty()) return {};
  return fail("the model is built for " + target.cpu + ", this processor lacks " + lacks, "",
              "build it with --target host, or run it on such a processor");
}

Status write_digests(std::span<std::byte> file) {
  HONE_TRY(const ElfImage image, ElfImage::parse(file, kMostModelBytes, ImageMachine::any));
  auto digests = digests_of(image);
  if (!digests || digests->content.version != 0) return fail("the linked model has no blank digests");
  std::vector<Special> specials{{digests->address, sizeof(hone_digests), 0}};
  for (uint32_t i = 0; i < 2; ++i) {
    const hone_digested_range& range = digests->content.ranges[i];
    const uint64_t field = digests->address + offsetof(hone_digests, ranges) +
                           i * sizeof(hone_digested_range) + offsetof(hone_digested_range, address);
    specials.push_back({field + range.address, range.bytes, range.part});
  }
  std::sort(specials.begin(), specials.end(),
            [](const auto& a, const auto& b) { return a.address < b.address; });
  std::vector<hone_digested_range> ranges;
  for (const ImageSegment& segment : image.segments()) add_ranges(segment, specials, ranges);
  if (ranges.size() > HONE_MOST_RANGES) return fail("the linked model has too many segments for its digests");
  hone_digests content{};
  content.version = 1;
  content.count = static_cast<uint32_t>(ranges.size());
  for (size_t i = 0; i < ranges.size(); ++i) {
    const auto bytes = content_at(image, ranges[i].address, ranges[i].bytes);
    HONE_CHECK(bytes.has_value());
    const RangeDigest digest = range_digest(*bytes);
    std::copy(digest.begin(), digest.end(), ranges[i].digest);
    content.ranges[i] = ranges[i];
  }
  digests->content = content;
  HONE_CHECK(cover_all(image, *digests));
  const auto place = content_at(image, digests->address, sizeof content);
  std::memcpy(file.data() + (place->data() - file.data()), &content, sizeof content);
  return {};
}

BlankNotes blank_notes(const std::string& target, uint64_t weights_bytes, uint64_t description_bytes) {
  BlankNotes notes;
  append(notes.bytes, note_header(HONE_NOTE_DIGESTS, sizeof(hone_digests)));
  hone_digests blank{};
  blank.count = 2;
  blank.ranges[0].part = HONE_PART_WEIGHTS;
  blank.ranges[0].bytes = weights_bytes;
  blank.ranges[1].part = HONE_PART_DESCRIPTION;
  blank.ranges[1].bytes = description_bytes;
  append(notes.bytes, blank);
  const auto field = [](size_t i) {
    return static_cast<int64_t>(kNoteBytes + offsetof(hone_digests, ranges) +
                                i * sizeof(hone_digested_range) + offsetof(hone_digested_range, address));
  };
  notes.weights_field = field(0);
  notes.description_field = field(1);
  append(notes.bytes, note_header(HONE_NOTE_TARGET, target.size() + 1));
  for (const char c : target) notes.bytes.push_back(static_cast<std::byte>(c));
  notes.bytes.resize((notes.bytes.size() + 1 + 3) / 4 * 4);
  return notes;
}

}  // namespace hone
