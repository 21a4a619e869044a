// A board of another architecture beside one of this machine's: hone-runner cross-compiled for arm64 and run
// under qemu-user (scripts/arm64), each with its own target's records, and a built arm64 model that gives the
// same answer.
#include <gmock/gmock.h>
#include <signal.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>

#include "codegen/base/generator.h"
#include "logs/database.h"
#include "tests/system/programs.h"

namespace hone::testing_system {
namespace {

using testing::HasSubstr;

std::string text_of(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// NumPy's format, version 1.
void write_npy(const std::filesystem::path& file, const std::string& shape,
               const std::vector<float>& values) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + shape + "), }";
  header.resize((10 + header.size() + 1 + 63) / 64 * 64 - 10 - 1, ' ');
  header += '\n';
  std::ofstream out(file, std::ios::binary);
  out << "\x93NUMPY" << '\x01' << '\0' << static_cast<char>(header.size() & 0xff)
      << static_cast<char>(header.size() >> 8) << header;
  out.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size() * 4));
}

TEST(Arm64, ARunnerUnderQemuTunesItsTargetBesideThisMachinesAndTheBuiltModelIsRight) {
  const std::filesystem::path emulated =
      std::filesystem::path(HONE_SOURCE_DIR) / "build/runner-arm64/hone-runner-qemu";
  const std::filesystem::path driver = std::string(HONE_BINARY_DIR) + "/tests/models/driver.aarch64";
  if (!std::filesystem::exists(emulated)) GTEST_SKIP() << "no arm64 runner: scripts/arm64 builds it";
  Scratch scratch;
  if (Running("/bin/sh", {"-c", "command -v qemu-aarch64"}, scratch, {}, "which").finish().exit_code != 0)
    GTEST_SKIP() << "no qemu-aarch64: package qemu-user";
  const std::string endpoint = "ipc://" + (scratch / "socket").string();
  const std::string log = scratch / "log.h5";
  Running server("hone-scheduler", {"--listen", endpoint, "--log", log, "--settle-trials", "1000"}, scratch);
  Running tuner("hone-tuner", {"--scheduler", endpoint}, scratch);
  Running here("hone-runner", {"--scheduler", endpoint, "--name", "here"}, scratch);
  Running there(emulated, {"--scheduler", endpoint, "--name", "there"}, scratch, {}, "there");
  const Finished tuned = hone({"tune", tiny_model(), "--scheduler", endpoint, "--target", "host", "--target",
                               "aarch64-neon", "--trials", "40"},
                              scratch);
  EXPECT_EQ(tuned.exit_code, 0) << tuned.err << text_of(scratch / "there.err");
  EXPECT_THAT(tuned.out, HasSubstr("(emulated)")) << "each board model has its own table";
  const Finished boards = hone({"boards", "--scheduler", endpoint}, scratch);
  EXPECT_THAT(boards.out, HasSubstr("there")) << boards.err;
  const Finished shown = hone({"boards", "describe", "there", "--scheduler", endpoint}, scratch);
  EXPECT_THAT(shown.out, HasSubstr("emulated")) << shown.err;
  EXPECT_THAT(shown.out, HasSubstr("sandbox partial")) << "what its sandbox lacks is said";
  server.signal(SIGTERM);
  EXPECT_EQ(server.finish().exit_code, 0);

  const auto database = LogDatabase::open(log);
  ASSERT_TRUE(database) << database.error().text();
  EXPECT_THAT(database->verify(), testing::IsEmpty());
  // A trial is one whose outputs were right and whose time was taken: in full, or until a race was lost. How
  // many lose one depends on how quiet the machine is.
  struct {
    int ok = 0, raced_out = 0;
  } arm, host;
  std::string others;
  for (const Record& record : database->records()) {
    const bool is_arm = record.candidate.target.find("aarch64") != std::string::npos;
    auto& count = is_arm ? arm : host;
    const Measurement& measured = record.measurement;
    if (measured.status == MeasureStatus::ok)
      ++count.ok;
    else if (measured.status == MeasureStatus::raced_out)
      ++count.raced_out;
    else {
      others += std::string(to_text(measured.status)) + ": " + measured.message + "\n";
      continue;
    }
    EXPECT_EQ(is_arm, record.board.model.ends_with("(emulated)"))
        << record.board.model << " " << record.candidate.target;
  }
  EXPECT_GE(arm.ok + arm.raced_out, 40) << others;
  EXPECT_GE(host.ok + host.raced_out, 40) << others;
  EXPECT_GE(arm.ok, 15) << others;
  EXPECT_GE(host.ok, 15) << others;

  // The same model for both machines, on the same input.
  std::vector<float> input(3 * 32 * 32);
  generate("arm64/input", -1, 1, input);
  write_npy(scratch / "in.npy", "1, 3, 32, 32", input);
  std::ofstream(scratch / "in", std::ios::binary)
      .write(reinterpret_cast<const char*>(input.data()), static_cast<std::streamsize>(input.size() * 4));
  for (const char* target : {"host", "aarch64-neon"}) {
    const Finished built = hone({"build", tiny_model(), "--target", target, "--log", log, "-o",
                                 scratch / (std::string(target) + ".so")},
                                scratch);
    ASSERT_EQ(built.exit_code, 0) << built.err;
  }
  const Finished ran = hone(
      {"run", scratch / "host.so", "--input", scratch / "in.npy", "--output", scratch / "out.npy"}, scratch);
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  if (!std::filesystem::exists(driver)) GTEST_SKIP() << "no driver for arm64 models: target models_drivers";
  const Finished emulation =
      Running("/usr/bin/qemu-aarch64",
              {driver, scratch / "aarch64-neon.so", "1", scratch / "in", scratch / "out"}, scratch, {},
              "driver")
          .finish();
  ASSERT_EQ(emulation.exit_code, 0) << emulation.err;
  const std::string raw = text_of(scratch / "out"), npy = text_of(scratch / "out.npy");
  ASSERT_GT(raw.size(), 0u);
  ASSERT_GT(npy.size(), raw.size());
  std::vector<float> found(raw.size() / 4), wanted(raw.size() / 4);
  std::memcpy(found.data(), raw.data(), raw.size());
  std::memcpy(wanted.data(), npy.data() + npy.size() - raw.size(), raw.size());
  double difference = 0, size = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    difference += std::pow(found[i] - wanted[i], 2);
    size += std::pow(wanted[i], 2);
  }
  EXPECT_LT(std::sqrt(difference / size), 1e-5);
}

}  // namespace
}  // namespace hone::testing_system
