// Logs for other programs: a table (CSV) or every value (JSON lines), by the table of columns in
// measure/record.h.
#pragma once

#include <ostream>
#include <vector>

#include "measure/record.h"

namespace hone {

/// One row per record, a header row before them: every column under its name, of a list its number of
/// elements
/// ("samples_ns" as "sample_count"). RFC 4180; what is not finite is an empty field.
void export_csv(const std::vector<const Record*>& records, std::ostream& out);
/// One JSON object per line: every column under its name; numbers JSON cannot hold (NaN, infinity) are null.
void export_json_lines(const std::vector<const Record*>& records, std::ostream& out);

}  // namespace hone
