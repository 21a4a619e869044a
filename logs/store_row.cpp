// The compound type that h5dump shows, field by field.
#include "logs/store_row.h"

#include <cstddef>

#include "measure/measurement.h"

namespace hone::store {
namespace {

herr_t innermost(unsigned, const H5E_error2_t* error, void* data) {
  auto& text = *static_cast<std::string*>(data);
  if (error->desc != nullptr) text = error->desc;
  return 0;
}

template <class Enumeration, class Parse>
Handle enumeration_type(uint8_t last, Parse name_of) {
  Handle type(H5Tenum_create(H5T_NATIVE_UINT8), H5Tclose);
  for (uint8_t value = 0; value <= last; ++value)
    H5Tenum_insert(type.get(), std::string(name_of(static_cast<Enumeration>(value))).c_str(), &value);
  return type;
}

}  // namespace

void silence() {
  // Every handle is closed by its owner. What could not be closed on a full disk makes HDF5's own exit
  // handler read freed memory; this only counts before its first other call.
  (void)H5dont_atexit();
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

std::string last_error() {
  std::string text = "unknown HDF5 error";
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, innermost, &text);
  return text;
}

Handle row_type() {
  Handle type(H5Tcreate(H5T_COMPOUND, sizeof(Row)), H5Tclose);
  const Handle status = enumeration_type<MeasureStatus>(static_cast<uint8_t>(last_measure_status),
                                                        [](MeasureStatus value) { return to_text(value); });
  const Handle mode = enumeration_type<TimingMode>(static_cast<uint8_t>(TimingMode::dram),
                                                   [](TimingMode value) { return to_text(value); });
  auto field = [&](const char* name, size_t offset, hid_t kind) {
    H5Tinsert(type.get(), name, offset, kind);
  };
  field("task_key", offsetof(Row, task_key), H5T_NATIVE_UINT32);
  field("task_text", offsetof(Row, task_text), H5T_NATIVE_UINT32);
  field("task_summary", offsetof(Row, task_summary), H5T_NATIVE_UINT32);
  field("target", offsetof(Row, target), H5T_NATIVE_UINT32);
  field("formulation", offsetof(Row, formulation), H5T_NATIVE_UINT32);
  field("parameters", offsetof(Row, parameters), H5T_NATIVE_UINT32);
  field("schedule", offsetof(Row, schedule), H5T_NATIVE_UINT32);
  field("ports", offsetof(Row, ports), H5T_NATIVE_UINT32);
  field("board_model", offsetof(Row, board_model), H5T_NATIVE_UINT32);
  field("board_id", offsetof(Row, board_id), H5T_NATIVE_UINT32);
  field("artifact", offsetof(Row, artifact), H5T_NATIVE_UINT32);
  field("message", offsetof(Row, message), H5T_NATIVE_UINT32);
  field("job", offsetof(Row, job), H5T_NATIVE_UINT32);
  field("tuner", offsetof(Row, tuner), H5T_NATIVE_UINT32);
  field("space_version", offsetof(Row, space_version), H5T_NATIVE_UINT32);
  field("threads", offsetof(Row, threads), H5T_NATIVE_UINT32);
  field("repetition", offsetof(Row, repetition), H5T_NATIVE_UINT32);
  field("feature_version", offsetof(Row, feature_version), H5T_NATIVE_UINT32);
  field("sample_count", offsetof(Row, sample_count), H5T_NATIVE_UINT32);
  field("feature_count", offsetof(Row, feature_count), H5T_NATIVE_UINT32);
  field("trial", offsetof(Row, trial), H5T_NATIVE_UINT64);
  field("sample_offset", offsetof(Row, sample_offset), H5T_NATIVE_UINT64);
  field("feature_offset", offsetof(Row, feature_offset), H5T_NATIVE_UINT64);
  field("unix_ms", offsetof(Row, unix_ms), H5T_NATIVE_INT64);
  field("median_ns", offsetof(Row, median_ns), H5T_NATIVE_DOUBLE);
  field("spread", offsetof(Row, spread), H5T_NATIVE_DOUBLE);
  field("relative_l2", offsetof(Row, relative_l2), H5T_NATIVE_DOUBLE);
  field("worst_factor", offsetof(Row, worst_factor), H5T_NATIVE_DOUBLE);
  field("reference_before_ns", offsetof(Row, reference_before_ns), H5T_NATIVE_DOUBLE);
  field("reference_after_ns", offsetof(Row, reference_after_ns), H5T_NATIVE_DOUBLE);
  field("temperature_celsius", offsetof(Row, temperature_celsius), H5T_NATIVE_DOUBLE);
  field("frequency_mhz", offsetof(Row, frequency_mhz), H5T_NATIVE_DOUBLE);
  field("status", offsetof(Row, status), status.get());
  field("mode", offsetof(Row, mode), mode.get());
  field("final", offsetof(Row, final), H5T_NATIVE_UINT8);
  return type;
}

}  // namespace hone::store
