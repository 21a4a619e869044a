// A built model that is not what was built: refused with the part that is damaged, never run.
#include <dlfcn.h>
#include <gmock/gmock.h>

#include <fstream>
#include <iterator>
#include <random>

#include "codegen/runtime/data/preprocessing.h"
#include "codegen/runtime/host/model_file.h"
#include "codegen/runtime/model/note.h"
#include "tests/unit/model/small_models.h"

namespace hone {
namespace {

using namespace testing_models;
using testing::AnyOf;
using testing::HasSubstr;

constexpr const char* kNet = R"(%x = input f32[1x3x12x12]
%w = constant f32[16x3x3x3]
%b = constant f32[16]
%v = constant f32[10x16]
%c = constant f32[10]
%0 = conv %x %w %b {strides=[1,1] pads=[1,1,1,1] dilations=[1,1] groups=1}
%1 = relu %0
%2 = global_average_pool %1
%3 = reshape %2 {shape=[1,16]}
%4 = dense %3 %v %c {transpose_b=1}
output %4
)";

void write(const std::string& file, const std::string& bytes) {
  unlink(file.c_str());  // a file that was loaded is not written again
  std::ofstream(file, std::ios::binary) << bytes;
}

void replace_all(std::string& bytes, const std::string& what, const std::string& by) {
  ASSERT_EQ(what.size(), by.size());
  size_t found = 0;
  for (size_t at = 0; (at = bytes.find(what, at)) != std::string::npos; at += what.size(), ++found)
    bytes.replace(at, what.size(), by);
  ASSERT_GT(found, 0u) << what;
}

class Damage : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    graph_ = new Graph(graph_of(kNet));
    const auto plan = hone::plan(*graph_, host(), {});
    ASSERT_TRUE(plan) << plan.error().text();
    const std::string file = scratch_file("whole.so");
    const auto report = build(*plan, file, {});
    ASSERT_TRUE(report) << report.error().text();
    std::ifstream stream(file, std::ios::binary);
    whole_ = new std::string(std::istreambuf_iterator<char>(stream), {});
    outputs_ = new std::vector<std::vector<float>>(run_model(file, *graph_, 1));
    unlink(file.c_str());
  }
  static void TearDownTestSuite() {
    delete graph_;
    delete whole_;
    delete outputs_;
  }

  void TearDown() override { unlink(file_.c_str()); }

  /// What loading says; nothing if it loads, and then it must compute what the whole one does.
  std::string load(const std::string& bytes, bool digests_required = false) {
    write(file_, bytes);
    const auto model = LoadedModel::load(file_, 1, digests_required);
    if (!model) return model.error().text();
    EXPECT_EQ(run_model(file_, *graph_, 1), *outputs_);
    return "";
  }
  /// Section .note.hone in the file.
  static size_t note() { return whole_->find(std::string("\x05\0\0\0\x88\x03\0\0\x01\0\0\0hone", 16)); }

  static Graph* graph_;
  static std::string* whole_;
  static std::vector<std::vector<float>>* outputs_;
  const std::string file_ = scratch_file("damaged.so");
};
Graph* Damage::graph_ = nullptr;
std::string* Damage::whole_ = nullptr;
std::vector<std::vector<float>>* Damage::outputs_ = nullptr;

TEST_F(Damage, WholeModelsHaveDigestsThatHold) {
  write(file_, *whole_);
  const auto model = LoadedModel::load(file_, 1, /*digests_required=*/true);
  ASSERT_TRUE(model) << model.error().text();
  EXPECT_TRUE(model->has_digests());
  EXPECT_EQ(run_model(file_, *graph_, 1), *outputs_);
}

TEST_F(Damage, AnySingleBitIsNoticedOrDoesNotMatter) {
  std::mt19937_64 random(20261130);
  int refused = 0, harmless = 0;
  for (int i = 0; i < 600; ++i) {
    std::string bytes = *whole_;
    const size_t bit = random() % (8 * bytes.size());
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    const std::string said = load(bytes);
    if (said.empty()) {
      ++harmless;
      continue;
    }
    ++refused;
    EXPECT_THAT(said, AnyOf(HasSubstr("damaged"), HasSubstr("shared object"))) << "bit " << bit;
  }
  std::cout << refused << " of 600 flipped bits refused, " << harmless << " changed nothing that is loaded\n";
  EXPECT_GT(refused, harmless);
}

TEST_F(Damage, EachPartIsNamed) {
  const auto image = ElfImage::parse(std::as_bytes(std::span(*whole_)));
  ASSERT_TRUE(image) << image.error().text();
  hone_digests digests;
  std::memcpy(&digests, whole_->data() + note() + sizeof(hone_note_header), sizeof digests);
  ASSERT_GE(digests.count, 5u);
  const char* names[] = {"",
                         "its code changed",
                         "its weights changed",
                         "its description changed",
                         "its constants changed",
                         "its data changed"};
  uint32_t seen = 0;
  for (uint32_t i = 0; i < digests.count; ++i) {
    const hone_digested_range& range = digests.ranges[i];
    for (const ImageSegment& s : image->segments()) {
      if (range.address < s.address || range.address >= s.address + s.file_bytes) continue;
      if (range.part == HONE_PART_CONSTANTS && range.address == 0)
        continue;  // the headers, which are parsed before
      std::string bytes = *whole_;
      // In the middle: the last bytes of the dynamic section are what ends it.
      bytes[s.file_offset + (range.address - s.address) + range.bytes / 2] ^= 0x10;
      const std::string said = load(bytes);
      if (range.part == HONE_PART_CONSTANTS || range.part == HONE_PART_DATA) {  // tables are read before
        EXPECT_THAT(said, AnyOf(HasSubstr(names[range.part]), HasSubstr("shared object"))) << i;
      } else {
        EXPECT_THAT(said, HasSubstr(names[range.part])) << i;
      }
      seen |= 1u << range.part;
    }
  }
  EXPECT_EQ(seen, 0b111110u);
}

TEST_F(Damage, CutFilesAreNoticedOrLackNothingThatIsLoaded) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 100; ++i) (void)load(whole_->substr(0, random() % whole_->size()));
  EXPECT_THAT(load(whole_->substr(0, whole_->size() / 2)), HasSubstr("torn"));
  EXPECT_THAT(load(""), HasSubstr("no compiled model: not a file with content"));
}

TEST_F(Damage, DigestsThatAreGoneAreNoticed) {
  ASSERT_NE(note(), std::string::npos);
  std::string bytes = *whole_;
  bytes[note() + 12] = 'H';
  EXPECT_THAT(load(bytes), HasSubstr("damaged: its digests are gone"));
  std::string other = *whole_;
  other[note() + sizeof(hone_note_header)] = 2;
  EXPECT_THAT(load(other), HasSubstr("its digests have version 2, this program reads 1"));
  std::string fewer = *whole_;
  --fewer[note() + sizeof(hone_note_header) + 4];
  EXPECT_THAT(load(fewer), HasSubstr("its digests do not cover all of it"));
}

TEST_F(Damage, ModelsOfOlderVersionsLoadUnlessDigestsAreRequired) {
  std::string bytes = *whole_;
  bytes[note() + 12] = 'H';
  replace_all(bytes, "hone_model_verify", "hone_model_older_");
  EXPECT_EQ(load(bytes), "");
  const auto model = LoadedModel::load(file_, 1);
  ASSERT_TRUE(model) << model.error().text();
  EXPECT_FALSE(model->has_digests());
  EXPECT_THAT(
      load(bytes, /*digests_required=*/true),
      HasSubstr(
          "has no digests, so that it cannot be verified (build it again, or leave --require-digest away)"));
}

TEST_F(Damage, ProcessorsThatLackSomethingAreToldWhat) {
  if (!host().triple.starts_with("x86_64")) GTEST_SKIP() << "features of x86-64";
  Target target = host();
  target.cpu = "x86-64-v4";
  target.features += ",+xop";  // of one line of processors that ended in 2017
  const auto plan = hone::plan(*graph_, target, {});
  ASSERT_TRUE(plan) << plan.error().text();
  const auto report = build(*plan, file_, {});
  ASSERT_TRUE(report) << report.error().text();
  EXPECT_FALSE(report->checked);
  const auto model = LoadedModel::load(file_, 1);
  ASSERT_FALSE(model);
  EXPECT_THAT(model.error().text(),
              HasSubstr("the model is built for x86-64-v4, this processor lacks xop (build it with "
                        "--target host, or run it on such a processor)"));
}

/// A program of a user's: the dynamic linker, and the C interface.
struct Program {
  explicit Program(const std::string& file) : handle(dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    EXPECT_NE(handle, nullptr) << dlerror();
  }
  ~Program() { dlclose(handle); }
  template <class Function>
  Function* find(const char* name) {
    return reinterpret_cast<Function*>(dlsym(handle, name));
  }
  void* handle;
};

TEST_F(Damage, ProgramsLoadModelsByTheDynamicLinkerAndVerifyThemOnRequest) {
  write(file_, *whole_);
  Program program(file_);
  EXPECT_EQ(program.find<int32_t()>("hone_model_supported")(), 1);
  EXPECT_EQ(program.find<int32_t()>("hone_model_verify")(), 0);
  auto memory =
      GuardedBuffer::allocate(static_cast<int64_t>(program.find<size_t()>("hone_model_memory_bytes")()));
  ASSERT_TRUE(memory);
  auto* instance = program.find<hone_model_instance*(void*, int32_t)>("hone_model_create")(memory->data(), 1);
  ASSERT_NE(instance, nullptr);
  const auto inputs = inputs_of(*graph_);
  std::vector<float> output(10);
  const void* in = inputs[0].data();
  void* out = output.data();
  EXPECT_EQ(program.find<int32_t(hone_model_instance*, const void* const*, void* const*)>("hone_model_run")(
                instance, &in, &out),
            0);
  EXPECT_EQ(output, outputs_->at(0));
  program.find<void(hone_model_instance*)>("hone_model_destroy")(instance);
}

TEST_F(Damage, ProgramsAreToldThePart) {
  hone_digests digests;
  std::memcpy(&digests, whole_->data() + note() + sizeof(hone_note_header), sizeof digests);
  for (uint32_t i = 0; i < digests.count; ++i) {
    const hone_digested_range& range = digests.ranges[i];
    if (range.part != HONE_PART_WEIGHTS && range.part != HONE_PART_DESCRIPTION) continue;
    std::string bytes = *whole_;
    bytes[range.address + range.bytes - 1] ^=
        1;  // of the first segment, where address and offset are the same
    write(file_, bytes);
    EXPECT_EQ(Program(file_).find<int32_t()>("hone_model_verify")(), static_cast<int32_t>(range.part));
  }
}

std::string described(const std::string& change) {
  const std::string text =
      R"({"preprocessing": {"mean": [0.5], "deviation": [0.25], "scale": 1, "resize": 256,
                              "crop": 224, "channel_order": "rgb")" +
      change + "}}";
  const auto read = described_preprocessing(text);
  return read ? "" : read.error().text();
}

TEST(Description, WithNumbersThatPicturesCannotBePreparedByIsRefused) {
  EXPECT_EQ(described(""), "");
  for (const char* change :
       {R"(, "crop": -1)", R"(, "resize": 1e30)", R"(, "resize": 99999999)", R"(, "scale": 1e300)",
        R"(, "deviation": [0])", R"(, "mean": 3)", R"(, "mean": [1e300])"})
    EXPECT_THAT(described(change), HasSubstr("preprocessing cannot be read: a number is out of range"))
        << change;
  EXPECT_THAT(described(R"(, "channel_order": "cmyk")"), HasSubstr("channel order 'cmyk'"));
  EXPECT_THAT(described_preprocessing(std::string(100000, '[')).error().text(), HasSubstr("no JSON object"));
}

}  // namespace
}  // namespace hone
