// The HDF5 file -> records. Every index is checked, since a damaged or strange file must give an Error, never
// a crash of ours.
#include <filesystem>
#include <string>

#include "codegen/base/input_file.h"
#include "logs/store.h"
#include "logs/store_row.h"

namespace hone {
namespace {

using store::Handle;
using store::Row;

constexpr hssize_t kMaxElements = 1ll << 31;

template <class Element>
Result<std::vector<Element>> read_column(hid_t file, const char* name, hid_t type, const std::string& where) {
  const std::string what = "its /" + std::string(name) + " cannot be read: ";
  const Handle dataset(H5Dopen2(file, name, H5P_DEFAULT), H5Dclose);
  if (!dataset) return fail(what + store::last_error(), where, "the file is damaged");
  const Handle space(H5Dget_space(dataset.get()), H5Sclose);
  const hssize_t count = space ? H5Sget_simple_extent_npoints(space.get()) : -1;
  if (count < 0 || count > kMaxElements)
    return fail(what + "its size is out of range", where, "the file is damaged");
  std::vector<Element> values(static_cast<size_t>(count));
  if (count > 0 && H5Dread(dataset.get(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0)
    return fail(what + store::last_error(), where, "the file is damaged");
  return values;
}

Status check_header(hid_t file, const std::string& where) {
  auto no_log = [&] {
    return fail("is an HDF5 file but no hone log", where, "name the file that `hone tune --log` wrote");
  };
  if (H5Aexists(file, "format") <= 0 || H5Aexists(file, "format_version") <= 0) return no_log();
  const Handle format(H5Aopen(file, "format", H5P_DEFAULT), H5Aclose);
  const Handle stored(H5Aget_type(format.get()), H5Tclose);
  std::string kind(8, '\0');
  const Handle text(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(text.get(), kind.size());
  H5Tset_strpad(text.get(), H5T_STR_NULLPAD);
  if (H5Tget_class(stored.get()) != H5T_STRING || H5Tis_variable_str(stored.get()) != 0 ||
      H5Aread(format.get(), text.get(), kind.data()) < 0 || kind != "hone-log")
    return no_log();
  unsigned version = 0;
  const Handle attribute(H5Aopen(file, "format_version", H5P_DEFAULT), H5Aclose);
  if (H5Aread(attribute.get(), H5T_NATIVE_UINT, &version) < 0 || version == 0) return no_log();
  if (version > kStoreVersion)
    return fail("is a log of version " + std::to_string(version) + ", this program knows up to version " +
                    std::to_string(kStoreVersion),
                where, "use a newer hone");
  return {};
}

/// Empty: the file has none.
Digest content_digest(hid_t file) {
  const char* name = store::ContentDigest::attribute;
  if (H5Aexists(file, name) <= 0) return {};
  const Handle attribute(H5Aopen(file, name, H5P_DEFAULT), H5Aclose);
  const Handle stored(H5Aget_type(attribute.get()), H5Tclose);
  Digest digest(64, '\0');
  const Handle text(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(text.get(), digest.size());
  H5Tset_strpad(text.get(), H5T_STR_NULLPAD);
  if (H5Tget_class(stored.get()) != H5T_STRING || H5Tis_variable_str(stored.get()) != 0 ||
      H5Aread(attribute.get(), text.get(), digest.data()) < 0)
    return "unreadable";
  return digest;
}

struct Strings {
  std::vector<char> bytes;
  std::vector<uint64_t> offsets;
  bool sound() const {
    if (offsets.empty() || offsets.front() != 0 || offsets.back() != bytes.size()) return false;
    for (size_t i = 1; i < offsets.size(); ++i)
      if (offsets[i] < offsets[i - 1]) return false;
    return true;
  }
  bool get(uint32_t index, std::string& out) const {
    if (index + size_t{1} >= offsets.size()) return false;
    out.assign(bytes.data() + offsets[index], offsets[index + 1] - offsets[index]);
    return true;
  }
};

template <class Element>
bool slice(const std::vector<Element>& all, uint64_t offset, uint32_t count, std::vector<Element>& out) {
  if (offset > all.size() || count > all.size() - offset) return false;
  out.assign(all.begin() + static_cast<ptrdiff_t>(offset),
             all.begin() + static_cast<ptrdiff_t>(offset + count));
  return true;
}

bool convert(const Row& row, const Strings& strings, const std::vector<double>& samples,
             const std::vector<float>& features, Record& record) {
  Measurement& measured = record.measurement;
  if (row.status > static_cast<uint8_t>(last_measure_status) ||
      row.mode > static_cast<uint8_t>(TimingMode::dram))
    return false;
  record.space_version = static_cast<int>(row.space_version);
  record.final = row.final != 0;
  record.repetition = static_cast<int>(row.repetition);
  record.trial = row.trial;
  record.feature_version = static_cast<int>(row.feature_version);
  record.unix_ms = row.unix_ms;
  measured.status = static_cast<MeasureStatus>(row.status);
  measured.mode = static_cast<TimingMode>(row.mode);
  measured.threads = static_cast<int>(row.threads);
  measured.median_ns = row.median_ns;
  measured.spread = row.spread;
  measured.relative_l2 = row.relative_l2;
  measured.worst_factor = row.worst_factor;
  measured.health.reference_before_ns = row.reference_before_ns;
  measured.health.reference_after_ns = row.reference_after_ns;
  measured.health.temperature_celsius = row.temperature_celsius;
  measured.health.frequency_mhz = row.frequency_mhz;
  return strings.get(row.task_key, record.task_key) && strings.get(row.task_text, record.task_text) &&
         strings.get(row.task_summary, record.task_summary) && strings.get(row.target, record.target) &&
         strings.get(row.formulation, record.formulation) && strings.get(row.parameters, record.parameters) &&
         strings.get(row.schedule, record.schedule) && strings.get(row.ports, record.ports) &&
         strings.get(row.board_model, record.board_model) && strings.get(row.board_id, record.board_id) &&
         strings.get(row.artifact, record.artifact) && strings.get(row.message, measured.message) &&
         strings.get(row.job, record.job) && strings.get(row.tuner, record.tuner) &&
         slice(samples, row.sample_offset, row.sample_count, measured.samples_ns) &&
         slice(features, row.feature_offset, row.feature_count, record.features);
}

}  // namespace

Result<std::vector<Record>> read_store(const std::filesystem::path& path) {
  store::silence();
  const std::string where = path.string();
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return fail("does not exist", where);
  HONE_RETURN_IF_ERROR(check_regular_file(path));
  if (H5Fis_hdf5(path.c_str()) <= 0) return fail("is no HDF5 file, or is damaged or unreadable", where);
  const Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
  if (!file) return fail("cannot be opened: " + store::last_error(), where, "the file is damaged");
  HONE_RETURN_IF_ERROR(check_header(file.get(), where));
  const Handle type = store::row_type();
  HONE_TRY(const std::vector<Row> rows, read_column<Row>(file.get(), "records", type.get(), where));
  HONE_TRY(const std::vector<double> samples,
           read_column<double>(file.get(), "samples_ns", H5T_NATIVE_DOUBLE, where));
  HONE_TRY(const std::vector<float> features,
           read_column<float>(file.get(), "features", H5T_NATIVE_FLOAT, where));
  Strings strings;
  HONE_TRY(strings.bytes, read_column<char>(file.get(), "strings/bytes", H5T_NATIVE_UINT8, where));
  HONE_TRY(strings.offsets, read_column<uint64_t>(file.get(), "strings/offsets", H5T_NATIVE_UINT64, where));
  if (!strings.sound())
    return fail("its /strings/offsets do not fit /strings/bytes", where, "the file is damaged");
  if (const Digest expected = content_digest(file.get()); !expected.empty()) {
    // Check sums of HDF5's own do not cover what a file says of its types.
    store::ContentDigest content;
    content.add(rows), content.add(samples), content.add(features), content.add(strings.bytes);
    content.add(strings.offsets);
    if (content.get() != expected)
      return fail("its content is not what was written to it", where, "the file is damaged");
  }
  std::vector<Record> records(rows.size());
  for (size_t i = 0; i < rows.size(); ++i)
    if (!convert(rows[i], strings, samples, features, records[i]))
      return fail("row " + std::to_string(i) + " of /records points outside the file's other data", where,
                  "the file is damaged");
  return records;
}

}  // namespace hone
