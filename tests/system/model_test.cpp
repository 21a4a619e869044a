// hone build, run and bench as a user meets them: what they print, what they refuse, and how they exit.
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/system/programs.h"

namespace hone::testing_system {
namespace {

using testing::HasSubstr;
using testing::Not;

void write_file(const std::filesystem::path& file, const std::string& text) {
  std::ofstream(file, std::ios::binary) << text;
}

std::string read_file(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// A .npy file of ones.
void write_ones(const std::filesystem::path& file, const std::string& shape, size_t count) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + shape + "), }";
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  std::string bytes = std::string("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(header.size());
  bytes += '\0';
  bytes += header;
  const std::vector<float> ones(count, 1.0f);
  bytes.append(reinterpret_cast<const char*>(ones.data()), count * 4);
  write_file(file, bytes);
}

/// The tiny model, built once for all tests that only use it.
class Model : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    scratch_ = new Scratch();
    built_ = new Finished(
        hone({"build", tiny_model(), "-o", so(), "--json", "--mean", "0.5", "--std", "0.25"}, *scratch_));
    const Finished told = hone({"run", so(), "--input", "/nonexistent/x.npy"}, *scratch_);
    ASSERT_EQ(built_->exit_code, 0) << built_->err;
    // The message about a wrong shape says the right one.
    write_ones(*scratch_ / "wrong.npy", "1, 2", 2);
    wrong_ = new Finished(hone({"run", so(), "--input", (*scratch_ / "wrong.npy").string()}, *scratch_));
    const size_t at = wrong_->err.rfind(" is ");
    std::string text = wrong_->err.substr(at + 4);
    text.resize(text.find_first_not_of("0123456789x"));
    size_t count = 1;
    std::string shape;
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = std::min(text.find('x', begin), text.size());
      count *= std::stoul(text.substr(begin, end - begin));
      shape += text.substr(begin, end - begin) + ", ";
      begin = end + 1;
    }
    write_ones(*scratch_ / "ones.npy", shape, count);
  }
  static void TearDownTestSuite() {
    delete built_;
    delete wrong_;
    delete scratch_;
  }
  static std::string so() { return (*scratch_ / "tiny.so").string(); }
  static std::string ones() { return (*scratch_ / "ones.npy").string(); }

  static Scratch* scratch_;
  static Finished *built_, *wrong_;
};
Scratch* Model::scratch_ = nullptr;
Finished* Model::built_ = nullptr;
Finished* Model::wrong_ = nullptr;

TEST_F(Model, BuildSaysWhatItBuiltAndThatItIsRight) {
  EXPECT_THAT(built_->out, HasSubstr("checked against the reference: relative error "));
  const auto json = nlohmann::json::parse(built_->last_line());
  EXPECT_LT(json.at("max_rel_error").get<double>(), 1e-5);
  EXPECT_GT(json.at("tasks").get<int>(), 0);
  EXPECT_EQ(json.at("untuned"), json.at("tasks"));
  EXPECT_GT(json.at("code_bytes").get<int>(), 0);
  EXPECT_GT(json.at("weight_bytes").get<int>(), 0);
  EXPECT_THAT(built_->err, HasSubstr("no log given"));
}

TEST_F(Model, BuildRefusesMoreErrorThanIsAllowed) {
  const std::string out = (*scratch_ / "exact.so").string();
  const Finished run = hone({"build", tiny_model(), "-o", out, "--max-error", "1e-12"}, *scratch_);
  EXPECT_EQ(run.exit_code, 4) << run.err;
  EXPECT_THAT(run.err, HasSubstr("from the reference, at most 1e-12 is allowed; nothing was written"));
  EXPECT_THAT(run.err, HasSubstr("--max-error allows more"));
  EXPECT_FALSE(std::filesystem::exists(out));
}

TEST_F(Model, EveryCommandThatReadsAModelTakesAnyBatch) {
  const std::string out = (*scratch_ / "batch.so").string(), log = (*scratch_ / "batch.h5").string();
  const std::vector<std::string> batch{"--input-shape", "input=3x3x32x32"};
  const auto with = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), batch.begin(), batch.end());
    return hone(arguments, *scratch_);
  };
  const Finished tuned = with({"tune", tiny_model(), "--log", log, "--trials", "8", "--tasks", "conv1x1"});
  EXPECT_EQ(tuned.exit_code, 0) << tuned.err;
  const Finished built = with({"build", tiny_model(), "-o", out, "--log", log, "--json"});
  ASSERT_EQ(built.exit_code, 0) << built.err;
  const auto json = nlohmann::json::parse(built.last_line());
  EXPECT_TRUE(json.at("checked").get<bool>());
  EXPECT_GT(json.at("tuned").get<int>(), 0) << "tune and build see the same tasks";
  EXPECT_THAT(read_file(out), HasSubstr("f32[3x3x32x32]"));
  const Finished wrong = hone({"tune", tiny_model(), "--log", log, "--input-shape", "input:3"}, *scratch_);
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("expected NAME=1x3x224x224, got 'input:3'"));
}

TEST_F(Model, BuildTakesStrictModeAndABoundOnWeights) {
  const std::string out = (*scratch_ / "strict.so").string();
  const Finished run =
      hone({"build", tiny_model(), "-o", out, "--strict", "--max-weight-growth", "1.5", "--json"}, *scratch_);
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_TRUE(nlohmann::json::parse(run.last_line()).at("strict").get<bool>());
  EXPECT_FALSE(nlohmann::json::parse(built_->last_line()).at("strict").get<bool>());
  EXPECT_THAT(read_file(out), HasSubstr("\"strict\": true"));
  const Finished refused = hone({"build", tiny_model(), "-o", out, "--max-weight-growth", "-1"}, *scratch_);
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_THAT(refused.err, HasSubstr("--max-weight-growth"));
}

TEST_F(Model, RunGivesTheSameArrayOnAnyNumberOfThreads) {
  for (const char* threads : {"1", "2", "3"}) {
    const std::string out = (*scratch_ / (std::string("y") + threads + ".npy")).string();
    const Finished run =
        hone({"run", so(), "--input", ones(), "--output", out, "--threads", threads}, *scratch_);
    EXPECT_EQ(run.exit_code, 0) << run.err;
    EXPECT_EQ(run.out, "");
    EXPECT_EQ(read_file(out), read_file(*scratch_ / "y1.npy"));
  }
  EXPECT_THAT(read_file(*scratch_ / "y1.npy"), HasSubstr("'descr': '<f4'"));
}

TEST_F(Model, RunPrintsTheLargestElements) {
  const Finished run = hone({"run", so(), "--input", ones(), "--top-k", "2"}, *scratch_);
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(std::count(run.out.begin(), run.out.end(), '\n'), 2);
}

TEST_F(Model, RunRefusesATensorOfAnotherShape) {
  EXPECT_EQ(wrong_->exit_code, 1);
  EXPECT_THAT(wrong_->err, HasSubstr("wrong.npy: the tensor's shape is 1x2, input '"));
}

TEST_F(Model, RunNamesAnInputThatIsMissing) {
  const Finished run = hone({"run", so(), "--input", "/nonexistent/x.npy"}, *scratch_);
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.err, HasSubstr("/nonexistent/x.npy: there is no such file"));
}

TEST_F(Model, RunRefusesFilesThatAreNoTensors) {
  write_file(*scratch_ / "text.npy", "hello, this is text");
  EXPECT_THAT(hone({"run", so(), "--input", (*scratch_ / "text.npy").string()}, *scratch_).err,
              HasSubstr("no .npy file"));
  write_file(*scratch_ / "torn.npy", read_file(ones()).substr(0, 200));
  EXPECT_THAT(hone({"run", so(), "--input", (*scratch_ / "torn.npy").string()}, *scratch_).err,
              HasSubstr("torn"));
  write_file(*scratch_ / "text.png", "hello, this is text");
  const Finished picture = hone({"run", so(), "--input", (*scratch_ / "text.png").string()}, *scratch_);
  EXPECT_EQ(picture.exit_code, 1);
  EXPECT_THAT(picture.err, HasSubstr("text.png: "));
}

TEST_F(Model, RunWantsEveryInput) {
  const Finished run = hone({"run", so(), "--input", ones(), "--input", ones()}, *scratch_);
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.err, HasSubstr("the model has 1 input, 2 given"));
}

TEST_F(Model, RunRefusesLabelsOfAnotherNumber) {
  write_file(*scratch_ / "labels.txt", "one\n");
  const Finished run =
      hone({"run", so(), "--input", ones(), "--labels", (*scratch_ / "labels.txt").string()}, *scratch_);
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.err, HasSubstr("1 labels, but the first output has "));
}

TEST_F(Model, RunAndBenchRefuseWhatIsNoBuiltModel) {
  for (const char* command : {"run", "bench"}) {
    std::vector<std::string> arguments{command, tiny_model()};
    if (std::string(command) == "run") arguments.insert(arguments.end(), {"--input", ones()});
    const Finished done = hone(arguments, *scratch_);
    EXPECT_EQ(done.exit_code, 1);
    EXPECT_THAT(done.err, HasSubstr("no shared object: it does not begin as an ELF file does"));
    arguments[1] = "/nonexistent/m.so";
    EXPECT_THAT(hone(arguments, *scratch_).err,
                HasSubstr("/nonexistent/m.so: cannot open the model: No such file"));
    const std::string whole = read_file(so());
    write_file(*scratch_ / "torn.so", whole.substr(0, whole.size() / 3));
    arguments[1] = (*scratch_ / "torn.so").string();
    EXPECT_THAT(hone(arguments, *scratch_).err, HasSubstr("torn"));
  }
}

TEST_F(Model, BenchMeasuresTheWholeAndEveryOperator) {
  const Finished bench = hone({"bench", so(), "--seconds", "0.05", "--per-op", "--json"}, *scratch_);
  EXPECT_EQ(bench.exit_code, 0) << bench.err;
  EXPECT_THAT(bench.out, HasSubstr("GFLOP/s"));
  const auto json = nlohmann::json::parse(bench.last_line());
  EXPECT_GT(json.at("median_ms").get<double>(), 0);
  EXPECT_LE(json.at("min_ms").get<double>(), json.at("median_ms").get<double>());
  EXPECT_GE(json.at("samples").get<int>(), 5);
  EXPECT_GT(json.at("operators").size(), 0u);
}

TEST_F(Model, BenchSaysHowNearEveryOperatorIsToTheRoofAndDrawsIt) {
  const std::string plot = (*scratch_ / "roof.svg").string();
  const Finished bench =
      hone({"bench", so(), "--seconds", "0.05", "--threads", "2", "--plot", plot, "--json"}, *scratch_);
  EXPECT_EQ(bench.exit_code, 0) << bench.err;
  EXPECT_THAT(bench.out, HasSubstr("of roof"));
  EXPECT_THAT(bench.out, HasSubstr("roof of 2 threads"));
  EXPECT_THAT(bench.out, HasSubstr("speed-up"));
  const auto json = nlohmann::json::parse(bench.last_line());
  EXPECT_GT(json.at("roof").at("gflops").get<double>(), 0);
  for (const auto& op : json.at("operators")) {
    EXPECT_GT(op.at("roof_share").get<double>(), 0);
    EXPECT_GT(op.at("one_thread_ms").get<double>(), 0);
    EXPECT_TRUE(op.contains("schedule") && op.contains("parameters") && op.contains("extents"));
  }
  EXPECT_THAT(read_file(plot), HasSubstr("</svg>"));
}

TEST_F(Model, BenchNamesAPictureThatCannotBeWritten) {
  const Finished bench =
      hone({"bench", so(), "--seconds", "0.05", "--plot", "/nonexistent/p.svg"}, *scratch_);
  EXPECT_EQ(bench.exit_code, 1);
  EXPECT_THAT(bench.err, HasSubstr("/nonexistent/p.svg: cannot be written"));
}

TEST_F(Model, BuildNamesAMissingModelAndAMissingLog) {
  const Finished model =
      hone({"build", "/nonexistent/m.onnx", "-o", (*scratch_ / "no.so").string()}, *scratch_);
  EXPECT_EQ(model.exit_code, 1);
  EXPECT_THAT(model.err, HasSubstr("/nonexistent/m.onnx"));
  const Finished log = hone(
      {"build", tiny_model(), "-o", (*scratch_ / "no.so").string(), "--log", "/nonexistent/l.h5"}, *scratch_);
  EXPECT_EQ(log.exit_code, 1);
  EXPECT_THAT(log.err, HasSubstr("/nonexistent/l.h5"));
  EXPECT_FALSE(std::filesystem::exists(*scratch_ / "no.so"));
}

TEST_F(Model, BuildRefusesATruncatedModel) {
  const std::string whole = read_file(tiny_model());
  write_file(*scratch_ / "cut.onnx", whole.substr(0, whole.size() / 2));
  const Finished cut =
      hone({"build", (*scratch_ / "cut.onnx").string(), "-o", (*scratch_ / "no.so").string()}, *scratch_);
  EXPECT_EQ(cut.exit_code, 1);
  EXPECT_THAT(cut.err, HasSubstr("cut.onnx"));
}

TEST_F(Model, BuildNamesAnOutputThatCannotBeWritten) {
  const Finished folder = hone({"build", tiny_model(), "-o", "/nonexistent/m.so"}, *scratch_);
  EXPECT_EQ(folder.exit_code, 1);
  EXPECT_THAT(folder.err, HasSubstr("/nonexistent/m.so: cannot be written: No such file"));
  const Finished directory = hone({"build", tiny_model(), "-o", scratch_->path().string()}, *scratch_);
  EXPECT_EQ(directory.exit_code, 1);
  EXPECT_THAT(directory.err, HasSubstr("cannot be written: it is a folder"));
}

TEST_F(Model, BuildRefusesFlagsThatMakeNoSense) {
  const std::string out = (*scratch_ / "no.so").string();
  EXPECT_EQ(hone({"build", tiny_model()}, *scratch_).exit_code, 2);
  EXPECT_EQ(hone({"build", tiny_model(), "-o", out, "--threads", "0"}, *scratch_).exit_code, 2);
  EXPECT_EQ(hone({"build", tiny_model(), "-o", out, "--channel-order", "gbr"}, *scratch_).exit_code, 2);
  EXPECT_THAT(hone({"build", tiny_model(), "-o", out, "--mean", "a,b"}, *scratch_).err,
              HasSubstr("'a,b' is no list of numbers"));
  EXPECT_THAT(hone({"build", tiny_model(), "-o", out, "--std", "0"}, *scratch_).err,
              HasSubstr("divides by zero"));
  EXPECT_THAT(hone({"build", tiny_model(), "-o", out, "--scale", "1/0"}, *scratch_).err,
              HasSubstr("'1/0' is no number"));
  EXPECT_THAT(hone({"build", tiny_model(), "-o", out, "--target", "z80"}, *scratch_).err, HasSubstr("z80"));
  EXPECT_FALSE(std::filesystem::exists(out));
}

TEST_F(Model, BuildForAnotherMachineIsNotCheckedAndSaysSo) {
#if defined(__x86_64__)
  const std::string target = "aarch64-neon";
#else
  const std::string target = "x86-64-v3";
#endif
  const std::string out = (*scratch_ / "other.so").string();
  const Finished built = hone({"build", tiny_model(), "-o", out, "--target", target}, *scratch_);
  EXPECT_EQ(built.exit_code, 0) << built.err;
  EXPECT_THAT(built.err, HasSubstr("not checked: its code does not run on this machine"));
  EXPECT_THAT(hone({"bench", out}, *scratch_).err, HasSubstr("the shared object is for"));
}

/// The built model with the first of a text's places changed.
std::string changed(const std::string& so, const std::string& what, const std::string& by,
                    const std::filesystem::path& to) {
  std::string bytes = read_file(so);
  for (size_t at = 0; (at = bytes.find(what, at)) != std::string::npos; at += what.size())
    bytes.replace(at, what.size(), by);
  write_file(to, bytes);
  return to.string();
}

TEST_F(Model, DamagedFilesAreRefusedByEveryCommandThatReadsThem) {
  const std::string damaged = changed(so(), "\"operators\"", "\"operatorz\"", *scratch_ / "damaged.so");
  for (const std::vector<std::string>& command : {std::vector<std::string>{"run", damaged, "--input", ones()},
                                                  {"bench", damaged},
                                                  {"inspect", damaged}}) {
    const Finished refused = hone(command, *scratch_);
    EXPECT_EQ(refused.exit_code, 1) << command[0];
    EXPECT_THAT(refused.err,
                HasSubstr(damaged + ": the model is damaged: its description changed since 'hone build' "
                                    "wrote it"))
        << command[0];
    EXPECT_THAT(refused.out, testing::IsEmpty()) << command[0];
  }
}

TEST_F(Model, WithoutDigestsItRunsWithOneWarningOrNotAtAll) {
  const std::string half = changed(so(), "hone_model_verify", "hone_model_older_", *scratch_ / "half.so");
  const std::string older = changed(half, std::string("\x01\0\0\0hone", 8), std::string("\x01\0\0\0HONE", 8),
                                    *scratch_ / "older.so");
  const Finished run = hone({"run", older, "--input", ones()}, *scratch_);
  EXPECT_EQ(run.exit_code, 0) << run.err;
  const size_t warned = run.err.find("has no digests, so it was not verified");
  ASSERT_NE(warned, std::string::npos) << run.err;
  EXPECT_EQ(run.err.find("has no digests", warned + 1), std::string::npos);
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"run", older, "--input", ones()}, {"bench", older}, {"inspect", older}}) {
    std::vector<std::string> strict = command;
    strict.push_back("--require-digest");
    const Finished refused = hone(strict, *scratch_);
    EXPECT_EQ(refused.exit_code, 1) << command[0];
    EXPECT_THAT(refused.err, HasSubstr("the model has no digests, so that it cannot be verified"))
        << command[0];
  }
}

TEST_F(Model, InspectSaysThatItIsWholeAndWhatForItIsBuilt) {
  const Finished text = hone({"inspect", so(), "--require-digest"}, *scratch_);
  EXPECT_EQ(text.exit_code, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("whole, as 'hone build' wrote it"));
  EXPECT_THAT(text.out, HasSubstr("target  triple="));
  const auto json = nlohmann::json::parse(hone({"inspect", so(), "--json"}, *scratch_).last_line());
  EXPECT_TRUE(json.at("verified").get<bool>());
  std::set<std::string> parts;
  for (const auto& part : json.at("parts")) {
    parts.insert(part.at("part").get<std::string>());
    EXPECT_EQ(part.at("digest").get<std::string>().size(), 64u);
  }
  EXPECT_THAT(parts, testing::ElementsAre("code", "constants", "data", "description", "weights"));
}

}  // namespace
}  // namespace hone::testing_system
