// Records -> the HDF5 file, written as a whole and put in place only once it has been read back.
#include <string>

#include "codegen/base/output_file.h"
#include "logs/rows.h"
#include "logs/store.h"

namespace hone {
namespace {

using store::Handle;
using store::RowLayout;
using store::Rows;

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

bool write_hdf5(const std::filesystem::path& path, const Rows& rows) {
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
  const RowLayout layout;
  const std::string content = layout.content(rows);
  H5Tset_size(text.get(), content.size());
  if (!write_attribute(file.get(), store::content_attribute, text.get(), content.data())) return false;
  const std::string units = store::units();
  H5Tset_size(text.get(), units.size());
  if (!write_attribute(file.get(), "units", text.get(), units.data())) return false;
  const Handle type = layout.type();
  const Handle strings(H5Gcreate2(file.get(), "strings", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose);
  const auto& [count, bytes, samples, features, table] = rows;
  return strings &&
         write_column(file.get(), "records", type.get(), type.get(), bytes.data(), count, layout.bytes()) &&
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

}  // namespace

Status write_store(const std::filesystem::path& path, const std::vector<Record>& records) {
  store::silence();
  const Rows rows = store::rows_of(records);
  OutputFile::Options options;
  options.temporary = real_path(path).filename().string() + ".new";
  HONE_TRY(OutputFile file, OutputFile::create(path, options));
  if (!write_hdf5(file.path(), rows))
    return fail("the log cannot be written: " + store::last_error(), path.string(),
                "check that its folder exists, is writable and has room");
  HONE_TRY(const std::vector<Record> again, read_store(file.path()));
  if (!(rows == store::rows_of(again)))
    return fail("the log did not read back as it was written", path.string());
  return file.commit();
}

}  // namespace hone
