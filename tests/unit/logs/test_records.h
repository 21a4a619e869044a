// Records made up for tests of logs: every field set, different by number.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <string>

#include "measure/record.h"

namespace hone::test {

inline Record make_record(int number, double median_ns = 1000) {
  Record record;
  record.candidate.task = "task v1 conv " + std::to_string(number % 3);
  record.task_key = digest_of(record.candidate.task);
  record.task_summary = "conv3x3, \"quoted\" " + std::to_string(number % 3);
  record.candidate.target = "triple=x86_64-linux-gnu cpu=znver5 vector=512x32 features=+avx512f";
  record.candidate.formulation = "direct";
  record.candidate.parameters = "ow=" + std::to_string(number);
  record.candidate.schedule = "split ow 14 peel -> ow.o ow.i\nreorder oc oh";
  record.candidate.ports = "x:nchw16c y:nchw16c";
  record.candidate.space_version = 2;
  record.board.model = "AMD EPYC";
  record.board.id = "board-1";
  record.artifact = digest_of("artifact " + std::to_string(number));
  record.measurement.samples_ns = {median_ns * 0.99, median_ns, median_ns * 1.02, median_ns, median_ns};
  summarise(record.measurement);
  record.measurement.relative_l2 = 1e-7;
  record.measurement.worst_factor = 0.25;
  record.measurement.health.reference_before_ns = 500;
  record.measurement.health.temperature_celsius = 61.5;
  record.measurement.mode = TimingMode::dram;
  record.from.trial = static_cast<uint64_t>(number);
  record.features = {1.5f, static_cast<float>(number), -2.25f};
  record.feature_version = 3;
  record.from.job = "squeezenet";
  record.from.tuner = "tuner-1";
  record.from.unix_ms = 1700000000000 + number;
  return record;
}

/// A folder that goes away with the test.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "hone-logs-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::filesystem::path path;
};

}  // namespace hone::test
