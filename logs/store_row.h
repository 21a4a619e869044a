// Private to logs: one row of the HDF5 file's /records, and its HDF5 compound type. Texts are indices into
// /strings.
#pragma once

#include <hdf5.h>

#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "codegen/base/digest.h"

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

struct Row {
  uint32_t task_key = 0, task_text = 0, task_summary = 0, target = 0, formulation = 0, parameters = 0,
           schedule = 0, ports = 0, board_model = 0, board_id = 0, artifact = 0, message = 0, job = 0,
           tuner = 0;
  uint32_t space_version = 0, threads = 0, repetition = 0, feature_version = 0;
  uint32_t sample_count = 0, feature_count = 0;
  uint64_t trial = 0, sample_offset = 0, feature_offset = 0;
  int64_t unix_ms = 0;
  double median_ns = 0, spread = 0, relative_l2 = 0, worst_factor = 0;
  double reference_before_ns = -1, reference_after_ns = -1, temperature_celsius = -1, frequency_mhz = -1;
  uint8_t status = 0, mode = 0, final = 0;
  uint8_t unused[5] = {};  ///< names the padding, so that rows compare byte by byte
};

/// The row as it lies in memory; fields by name, so files with fewer or more fields convert. Enumerations
/// have their names.
Handle row_type();

/// All of a log's columns as they lie in memory, digested one after the other: what a file says beside them, and what
/// is compared when it is read.
class ContentDigest {
 public:
  template <class Column>
  void add(const Column& column) {
    const auto bytes = std::as_bytes(std::span(column.data(), column.size()));
    parts_ += digest_of(bytes) + " " + std::to_string(column.size()) + "\n";
  }
  Digest get() const { return digest_of(parts_); }
  /// The attribute of the file that has it; older files lack it.
  static constexpr const char* attribute = "content_digest";

 private:
  std::string parts_;
};

/// Turns off HDF5's own printing of errors for the calling thread and gives the innermost message of the last
/// error.
void silence();
std::string last_error();

}  // namespace hone::store
