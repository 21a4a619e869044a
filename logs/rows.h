// Private to logs: records as rows of the HDF5 file's /records, by the table of columns in measure/record.h.
// Texts are indices into /strings; a list has its first element and its length.
#pragma once

#include <hdf5.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "codegen/base/digest.h"
#include "measure/record.h"

namespace hone::store {

/// An HDF5 identifier that closes itself.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&&) = delete;
  ~Handle() { reset(); }
  void reset() {
    if (id_ >= 0) close_(id_);
    id_ = -1;
  }
  hid_t get() const { return id_; }
  explicit operator bool() const { return id_ >= 0; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

/// Every distinct text once, one after the other: text i is bytes [offsets[i], offsets[i + 1]).
class Strings {
 public:
  Strings() = default;
  Strings(std::string bytes, std::vector<uint64_t> offsets)
      : bytes_(std::move(bytes)), offsets_(std::move(offsets)) {}
  uint32_t add(const std::string& text);
  /// False: there is no such text.
  bool get(uint32_t index, std::string& out) const;
  /// Whether the offsets fit the bytes.
  bool are_sound() const;
  const std::string& bytes() const { return bytes_; }
  const std::vector<uint64_t>& offsets() const { return offsets_; }

 private:
  std::unordered_map<std::string, uint32_t> index_;
  std::string bytes_;
  std::vector<uint64_t> offsets_ = {0};
};

/// All of a log as the file has it. A row has its fields one after the other, without gaps.
struct Rows {
  size_t count = 0;
  std::vector<std::byte> bytes;
  std::vector<double> samples;
  std::vector<float> features;
  Strings strings;
  /// Bit for bit, so that NaN equals itself.
  bool operator==(const Rows& other) const;
};

/// Fields of a row, and its HDF5 compound type.
class RowLayout {
 public:
  RowLayout();
  size_t bytes() const { return bytes_; }
  /// The fields that `file`, a compound type, has too; -1: all. A file of an older hone lacks some, one of a
  /// newer has others, which are not looked at. Enumerations have their names.
  Handle type(hid_t file = -1) const;
  /// "NAME DIGEST" lines: of all fields that `file` has, over `rows`, and of the lists and texts. What a file
  /// says beside them, since HDF5's own check sums do not cover what it says of its types.
  std::string content(const Rows& rows) const;
  /// The first of `content`'s names whose digest in `rows` is another, or that is no field of `file`; empty:
  /// none.
  std::string differing(const std::string& content, const Rows& rows, hid_t file) const;

 private:
  enum class Kind : uint8_t { u8, u32, u64, i64, f64, status, mode };
  struct Field {
    std::string name;
    size_t offset = 0;
    Kind kind = Kind::u8;
  };
  std::string digest_of_field(const Field& field, const Rows& rows) const;
  std::vector<Field> fields_;
  size_t bytes_ = 0;
};

/// The attribute of the file that has RowLayout::content(); older files lack it.
inline constexpr const char* content_attribute = "content";

/// "NAME UNIT" lines: the file's attribute of that name, for people and other programs.
std::string units();

Rows rows_of(const std::vector<Record>& records);
/// Rows whose fields are those of an empty record.
std::vector<std::byte> empty_rows(size_t count);
/// Errors: the row names what is not there, or a text that is no digest.
Status to_record(const Rows& rows, size_t row, Record& record);

/// Turns off HDF5's own printing of errors for the calling thread and gives the innermost message of the last
/// error.
void silence();
std::string last_error();

}  // namespace hone::store
