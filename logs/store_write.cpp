// Records -> the HDF5 file, written as a whole and put in place only once it has been read back.
#include <cstring>
#include <string>
#include <unordered_map>

#include "codegen/base/output_file.h"
#include "logs/store.h"
#include "logs/store_row.h"

namespace hone {
namespace {

using store::Handle;
using store::Row;

/// Every distinct text once, one after the other.
class StringTable {
 public:
  uint32_t add(const std::string& text) {
    const auto [place, is_new] = index_.try_emplace(text, static_cast<uint32_t>(offsets_.size() - 1));
    if (is_new) {
      bytes_ += text;
      offsets_.push_back(bytes_.size());
    }
    return place->second;
  }
  const std::string& bytes() const { return bytes_; }
  const std::vector<uint64_t>& offsets() const { return offsets_; }

 private:
  std::unordered_map<std::string, uint32_t> index_;
  std::string bytes_;
  std::vector<uint64_t> offsets_ = {0};
};

struct Columns {
  std::vector<Row> rows;
  std::vector<double> samples;
  std::vector<float> features;
  StringTable strings;
};

Columns columns_of(const std::vector<Record>& records) {
  Columns out;
  out.rows.reserve(records.size());
  for (const Record& record : records) {
    const Measurement& measured = record.measurement;
    Row row;
    row.task_key = out.strings.add(record.task_key);
    row.task_text = out.strings.add(record.task_text);
    row.task_summary = out.strings.add(record.task_summary);
    row.target = out.strings.add(record.target);
    row.formulation = out.strings.add(record.formulation);
    row.parameters = out.strings.add(record.parameters);
    row.schedule = out.strings.add(record.schedule);
    row.ports = out.strings.add(record.ports);
    row.board_model = out.strings.add(record.board_model);
    row.board_id = out.strings.add(record.board_id);
    row.artifact = out.strings.add(record.artifact);
    row.message = out.strings.add(measured.message);
    row.job = out.strings.add(record.job);
    row.tuner = out.strings.add(record.tuner);
    row.space_version = static_cast<uint32_t>(record.space_version);
    row.threads = static_cast<uint32_t>(measured.threads);
    row.repetition = static_cast<uint32_t>(record.repetition);
    row.feature_version = static_cast<uint32_t>(record.feature_version);
    row.sample_count = static_cast<uint32_t>(measured.samples_ns.size());
    row.feature_count = static_cast<uint32_t>(record.features.size());
    row.trial = record.trial;
    row.sample_offset = out.samples.size();
    row.feature_offset = out.features.size();
    row.unix_ms = record.unix_ms;
    row.median_ns = measured.median_ns;
    row.spread = measured.spread;
    row.relative_l2 = measured.relative_l2;
    row.worst_factor = measured.worst_factor;
    row.reference_before_ns = measured.health.reference_before_ns;
    row.reference_after_ns = measured.health.reference_after_ns;
    row.temperature_celsius = measured.health.temperature_celsius;
    row.frequency_mhz = measured.health.frequency_mhz;
    row.status = static_cast<uint8_t>(measured.status);
    row.mode = static_cast<uint8_t>(measured.mode);
    row.final = record.final ? 1 : 0;
    out.rows.push_back(row);
    out.samples.insert(out.samples.end(), measured.samples_ns.begin(), measured.samples_ns.end());
    out.features.insert(out.features.end(), record.features.begin(), record.features.end());
  }
  return out;
}

/// A chunked, shuffled, deflated, check-summed column of `count` elements.
bool write_column(hid_t place, const char* name, hid_t type, hid_t file_type, const void* data, size_t count,
                  size_t element_bytes) {
  const hsize_t size = count, unlimited = H5S_UNLIMITED, chunk = (128u << 10) / element_bytes;
  const Handle space(H5Screate_simple(1, &size, &unlimited), H5Sclose);
  const Handle properties(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  if (!space || !properties || H5Pset_chunk(properties.get(), 1, &chunk) < 0 ||
      H5Pset_shuffle(properties.get()) < 0 || H5Pset_deflate(properties.get(), 4) < 0 ||
      H5Pset_fletcher32(properties.get()) < 0)
    return false;
  const Handle dataset(
      H5Dcreate2(place, name, file_type, space.get(), H5P_DEFAULT, properties.get(), H5P_DEFAULT), H5Dclose);
  if (!dataset) return false;
  return count == 0 || H5Dwrite(dataset.get(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0;
}

bool write_attribute(hid_t place, const char* name, hid_t type, const void* value) {
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  const Handle attribute(H5Acreate2(place, name, type, space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  return attribute && H5Awrite(attribute.get(), type, value) >= 0;
}

bool write_hdf5(const std::filesystem::path& path, const Columns& columns) {
  // The formats since 1.8 have check sums in the metadata too.
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  if (!access || H5Pset_libver_bounds(access.get(), H5F_LIBVER_V18, H5F_LIBVER_LATEST) < 0) return false;
  const Handle file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.get()), H5Fclose);
  if (!file) return false;
  const std::string kind = "hone-log";
  const Handle text(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(text.get(), kind.size());
  H5Tset_strpad(text.get(), H5T_STR_NULLPAD);
  const unsigned version = kStoreVersion;
  if (!write_attribute(file.get(), "format", text.get(), kind.data()) ||
      !write_attribute(file.get(), "format_version", H5T_NATIVE_UINT, &version))
    return false;
  store::ContentDigest content;
  content.add(columns.rows), content.add(columns.samples), content.add(columns.features);
  content.add(columns.strings.bytes()), content.add(columns.strings.offsets());
  const Digest digest = content.get();
  H5Tset_size(text.get(), digest.size());
  if (!write_attribute(file.get(), store::ContentDigest::attribute, text.get(), digest.data())) return false;
  const Handle type = store::row_type();
  const Handle packed(H5Tcopy(type.get()), H5Tclose);
  H5Tpack(packed.get());
  const Handle strings(H5Gcreate2(file.get(), "strings", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose);
  const auto& [rows, samples, features, table] = columns;
  return strings &&
         write_column(file.get(), "records", type.get(), packed.get(), rows.data(), rows.size(),
                      sizeof(Row)) &&
         write_column(file.get(), "samples_ns", H5T_NATIVE_DOUBLE, H5T_IEEE_F64LE, samples.data(),
                      samples.size(), 8) &&
         write_column(file.get(), "features", H5T_NATIVE_FLOAT, H5T_IEEE_F32LE, features.data(),
                      features.size(), 4) &&
         write_column(strings.get(), "bytes", H5T_NATIVE_UINT8, H5T_STD_U8LE, table.bytes().data(),
                      table.bytes().size(), 1) &&
         write_column(strings.get(), "offsets", H5T_NATIVE_UINT64, H5T_STD_U64LE, table.offsets().data(),
                      table.offsets().size(), 8) &&
         H5Fflush(file.get(), H5F_SCOPE_GLOBAL) >= 0;
}

/// Bit for bit, so that NaN equals itself.
bool same(const Columns& a, const Columns& b) {
  auto equal = [](const auto& x, const auto& y) {
    return x.size() == y.size() &&
           (x.empty() || std::memcmp(x.data(), y.data(), x.size() * sizeof x[0]) == 0);
  };
  return equal(a.rows, b.rows) && equal(a.samples, b.samples) && equal(a.features, b.features) &&
         a.strings.bytes() == b.strings.bytes() && a.strings.offsets() == b.strings.offsets();
}

}  // namespace

Status write_store(const std::filesystem::path& path, const std::vector<Record>& records) {
  store::silence();
  const Columns columns = columns_of(records);
  OutputFile::Options options;
  options.temporary = real_path(path).filename().string() + ".new";
  HONE_TRY(OutputFile file, OutputFile::create(path, options));
  if (!write_hdf5(file.path(), columns))
    return fail("the log cannot be written: " + store::last_error(), path.string(),
                "check that its folder exists, is writable and has room");
  HONE_TRY(const std::vector<Record> again, read_store(file.path()));
  if (!same(columns, columns_of(again)))
    return fail("the log did not read back as it was written", path.string());
  return file.commit();
}

}  // namespace hone
