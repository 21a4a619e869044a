// The HDF5 file -> records. Every index is checked, since a damaged or strange file must give an Error, never
// a crash of ours.
#include <algorithm>
#include <filesystem>
#include <string>

#include "codegen/base/input_file.h"
#include "logs/rows.h"
#include "logs/store.h"

namespace hone {
namespace {

using store::Handle;
using store::RowLayout;
using store::Rows;

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
Result<std::string> content_of(hid_t file, const std::string& where) {
  const char* name = store::content_attribute;
  if (H5Aexists(file, name) <= 0) return std::string();
  const Handle attribute(H5Aopen(file, name, H5P_DEFAULT), H5Aclose);
  const Handle stored(H5Aget_type(attribute.get()), H5Tclose);
  constexpr size_t most = 1 << 20;
  const size_t bytes = H5Tget_size(stored.get());
  std::string content(std::min(bytes, most), '\0');
  const Handle text(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(text.get(), content.size());
  H5Tset_strpad(text.get(), H5T_STR_NULLPAD);
  if (content.empty() || bytes > most || H5Tget_class(stored.get()) != H5T_STRING ||
      H5Tis_variable_str(stored.get()) != 0 || H5Aread(attribute.get(), text.get(), content.data()) < 0)
    return fail("what it says of its content cannot be read", where, "the file is damaged");
  return content;
}

/// /records, and what type it has in the file.
Result<Handle> read_rows(hid_t file, const RowLayout& layout, Rows& rows, const std::string& where) {
  const auto damaged = [&] {
    return fail("its /records cannot be read: " + store::last_error(), where, "the file is damaged");
  };
  const Handle dataset(H5Dopen2(file, "records", H5P_DEFAULT), H5Dclose);
  if (!dataset) return damaged();
  const Handle space(H5Dget_space(dataset.get()), H5Sclose);
  Handle stored(H5Dget_type(dataset.get()), H5Tclose);
  const hssize_t count = space ? H5Sget_simple_extent_npoints(space.get()) : -1;
  if (!stored || H5Tget_class(stored.get()) != H5T_COMPOUND) return damaged();
  if (count < 0 || count > kMaxElements / static_cast<hssize_t>(layout.bytes()))
    return fail("its /records cannot be read: its size is out of range", where, "the file is damaged");
  rows.count = static_cast<size_t>(count);
  rows.bytes = store::empty_rows(rows.count);
  const Handle type = layout.type(stored.get());
  if (count > 0 && H5Dread(dataset.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, rows.bytes.data()) < 0)
    return damaged();
  return stored;
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
  const RowLayout layout;
  Rows rows;
  HONE_TRY(const Handle stored, read_rows(file.get(), layout, rows, where));
  HONE_TRY(rows.samples, read_column<double>(file.get(), "samples_ns", H5T_NATIVE_DOUBLE, where));
  HONE_TRY(rows.features, read_column<float>(file.get(), "features", H5T_NATIVE_FLOAT, where));
  HONE_TRY(const std::vector<char> bytes,
           read_column<char>(file.get(), "strings/bytes", H5T_NATIVE_UINT8, where));
  HONE_TRY(std::vector<uint64_t> offsets,
           read_column<uint64_t>(file.get(), "strings/offsets", H5T_NATIVE_UINT64, where));
  rows.strings = store::Strings(std::string(bytes.begin(), bytes.end()), std::move(offsets));
  if (!rows.strings.are_sound())
    return fail("its /strings/offsets do not fit /strings/bytes", where, "the file is damaged");
  HONE_TRY(const std::string content, content_of(file.get(), where));
  if (!content.empty())
    if (const std::string name = layout.differing(content, rows, stored.get()); !name.empty())
      return fail("its content is not what was written to it: " + name, where, "the file is damaged");
  std::vector<Record> records(rows.count);
  for (size_t i = 0; i < rows.count; ++i)
    if (const Status read = store::to_record(rows, i, records[i]); !read)
      return fail("row " + std::to_string(i) + " of /records: " + read.error().what, where,
                  "the file is damaged");
  return records;
}

}  // namespace hone
