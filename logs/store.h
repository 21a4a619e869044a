// The HDF5 file of a log as a whole: records in, records out. Layout: logs/FORMAT.md.
#pragma once

#include <filesystem>
#include <vector>

#include "codegen/base/result.h"
#include "measure/record.h"

namespace hone {

inline constexpr unsigned kStoreVersion = 1;

/// Errors: missing, no HDF5 file, no hone log, a newer version, damaged (check sums, indices out of range).
Result<std::vector<Record>> read_store(const std::filesystem::path& path);

/// Atomic: written beside `path`, closed, read back and compared, synced, renamed over it, folder synced. On
/// an Error `path` is as it was.
Status write_store(const std::filesystem::path& path, const std::vector<Record>& records);

}  // namespace hone
