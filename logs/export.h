// Logs for other programs: a table (CSV) or every field (JSON lines).
#pragma once

#include <ostream>
#include <vector>

#include "measure/measurement.h"

namespace hone {

/// One row per record with a header row: task, formulation, parameters, status, median, ... RFC 4180; no
/// features or samples.
void export_csv(const std::vector<const Record*>& records, std::ostream& out);
/// One JSON object per line with every field; numbers JSON cannot hold (NaN, infinity) are null.
void export_json_lines(const std::vector<const Record*>& records, std::ostream& out);

}  // namespace hone
