// Frames of the protocol: every message survives, golden frames of released versions are still read, garbage
// is an Error. HONE_UPDATE_GOLDEN=1 writes the golden frames anew.
#include "measure/wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <span>
#include <tuple>

#include "tests/wire/examples.h"

namespace hone::wire {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const std::filesystem::path golden_folder = std::filesystem::path(HONE_SOURCE_DIR) / "tests/wire/golden";

Bytes read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  Bytes bytes(text.size());
  std::transform(text.begin(), text.end(), bytes.begin(), [](char c) { return static_cast<std::byte>(c); });
  return bytes;
}

/// Of every protocol.
std::vector<std::pair<std::string, Message>> all_examples() {
  auto all = examples();
  for (auto& example : examples_2()) all.push_back(std::move(example));
  for (auto& example : examples_3()) all.push_back(std::move(example));
  for (auto& example : examples_4()) all.push_back(std::move(example));
  all.emplace_back("featurised", Featurised{{7, 3}, 5, {1, 2.5f}, 4});
  return all;
}

TEST(Wire, EveryMessageComesBackAsItWas) {
  for (auto& [name, message] : all_examples()) {
    auto bytes = encode(message);
    ASSERT_TRUE(bytes) << name << ": " << bytes.error().text();
    auto again = decode(*bytes);
    ASSERT_TRUE(again) << name << ": " << again.error().text();
    EXPECT_EQ(again->index(), message.index()) << name;
    // Every field is set in the examples, so equal bytes mean that none was lost on the way.
    EXPECT_EQ(*encode(*again), *bytes) << name;
  }
}

TEST(Wire, ThereIsAnExampleOfEveryKind) {
  std::vector<bool> seen(std::variant_size_v<Message>);
  for (auto& [name, message] : all_examples()) seen[message.index()] = true;
  EXPECT_THAT(seen, testing::Each(true));
}

/// Frames as a released version wrote them; what this version adds to them has its default.
void expect_read(const char* version, const std::vector<std::pair<std::string, Message>>& messages) {
  for (auto& [name, message] : messages) {
    auto path = golden_folder / version / (name + ".frame");
    if (std::getenv("HONE_UPDATE_GOLDEN") && !std::filesystem::exists(path)) {
      std::filesystem::create_directories(path.parent_path());
      auto bytes = *encode(message);
      std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }
    ASSERT_TRUE(std::filesystem::exists(path)) << path << " is missing: HONE_UPDATE_GOLDEN=1 writes new ones";
    auto read = decode(read_file(path));
    ASSERT_TRUE(read) << name << ": " << read.error().text();
    EXPECT_EQ(*encode(*read), *encode(message)) << name;
  }
}

TEST(Wire, GoldenFramesOfVersion1AreStillRead) { expect_read("v1", examples()); }

TEST(Wire, GoldenFramesOfVersion2AreStillRead) { expect_read("v2", examples_2()); }

TEST(Wire, GoldenFramesOfVersion3AreStillRead) { expect_read("v3", examples_3()); }

TEST(Wire, GoldenFramesOfVersion4AreStillRead) {
  expect_read("v4", examples_4());
}

TEST(Wire, AnUnknownBoardActionIsRefused) {
  Bytes bytes = *encode(BoardRequest{"b1", BoardAction::retire, ""});
  const Bytes other = *encode(BoardRequest{"b1", BoardAction::drain, ""});
  const auto at = std::mismatch(bytes.begin(), bytes.end(), other.begin()).first;
  ASSERT_NE(at, bytes.end());
  *at = std::byte{9};
  EXPECT_THAT(decode(bytes).error().text(), HasSubstr("action 9 is not known"));
}

TEST(Wire, AMeasurementSaysFromWhichFactorOnItIsOut) {
  Want want = std::get<Want>(examples()[13].second);
  want.measurements.at(0).sampling.out_factor = 1.5;
  auto read = decode(*encode(want));
  ASSERT_TRUE(read);
  EXPECT_EQ(std::get<Want>(*read).measurements.at(0).sampling.out_factor, 1.5);
}

TEST(Wire, ARoundMayAskForFeaturesAndATunerSaysOfWhichVersionItsAre) {
  Want want;
  want.rounds.resize(1);
  want.rounds[0].asks = Featurise{{{"task", "target", "direct", 2, "ports", "p=1", "split"}}};
  auto read = decode(*encode(want));
  ASSERT_TRUE(read);
  const auto rows = std::get<Featurise>(std::get<Want>(*read).rounds.at(0).asks).rows;
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].schedule, "split");
  Hello hello;
  hello.feature_version = 4;
  read = decode(*encode(hello));
  ASSERT_TRUE(read);
  EXPECT_EQ(std::get<Hello>(*read).feature_version, 4u);
}

TEST(Wire, FieldsKeepTheirPlaces) {
  auto read = decode(*encode(Message(std::get<Want>(examples()[13].second))));
  ASSERT_TRUE(read);
  const auto& request = std::get<Want>(*read).measurements.at(0);
  EXPECT_EQ(request.lease, (LeaseRef{7, 3}));
  EXPECT_EQ(request.sampling.min_samples, 3);
  EXPECT_EQ(request.sampling.max_samples, 9);
  EXPECT_EQ(request.sampling.budget, std::chrono::milliseconds(70));
  EXPECT_EQ(request.best_ns, 12345);
  EXPECT_EQ(request.mode, TimingMode::dram);
  const auto& asked = std::get<Propose>(std::get<Want>(*read).rounds.at(0).asks);
  EXPECT_EQ(asked.top.at(0).measurement.samples_ns, (std::vector<double>{10, 20, 30.5}));
  EXPECT_EQ(asked.seen, (std::vector<std::string>{"direct oc=1", "direct oc=2"}));
}

TEST(Wire, ColumnsThatCameAfterTheSchemaTravelByNameInRecordsAndResults) {
  Record record = example_record();
  const size_t before = encode_record(record)->size();
  record.measurement.health.peak_memory_bytes = 123456789;
  const auto bytes = encode_record(record);
  ASSERT_TRUE(bytes);
  EXPECT_GT(bytes->size(), before) << "what is unknown takes no bytes";
  EXPECT_EQ(decode_record(*bytes)->measurement.health.peak_memory_bytes, 123456789);
  auto renamed = *bytes;  // a name that this program does not know
  const std::string_view name = "peak_memory_bytes";
  const auto place = std::search(renamed.begin(), renamed.end(), std::as_bytes(std::span(name)).begin(),
                                 std::as_bytes(std::span(name)).end());
  ASSERT_NE(place, renamed.end());
  *place = std::byte{'P'};
  const auto stranger = decode_record(renamed);
  ASSERT_TRUE(stranger) << stranger.error().text();
  EXPECT_EQ(stranger->measurement.health.peak_memory_bytes, -1);

  Measured measured;
  measured.measurement = record.measurement;
  const auto read = decode(*encode(measured));
  ASSERT_TRUE(read);
  EXPECT_EQ(std::get<Measured>(*read).measurement.health.peak_memory_bytes, 123456789);
}

TEST(Wire, AQuantityThatDoesNotFitIsMalformed) {
  Record record = example_record();
  record.measurement.health.peak_memory_bytes = int64_t{1} << 60;
  EXPECT_THAT(decode_record(*encode_record(record)).error().text(), testing::HasSubstr("out of range"));
}

TEST(Wire, RecordsComeBackAsTheyWere) {
  auto bytes = encode_record(example_record());
  ASSERT_TRUE(bytes);
  auto record = decode_record(*bytes);
  ASSERT_TRUE(record) << record.error().text();
  EXPECT_EQ(record->measurement.status, MeasureStatus::crashed);
  EXPECT_EQ(record->measurement.health.frequency_mhz, 3000);
  EXPECT_EQ(record->features, (std::vector<float>{1, 2.5f, -3}));
  EXPECT_EQ(*encode_record(*record), *bytes);
}

TEST(Wire, AFrameNeedsNoAlignment) {
  Bytes bytes = *encode(Welcome{1, 2, 3, 4});
  Bytes shifted(bytes.size() + 3);
  for (size_t offset = 0; offset < 3; ++offset) {
    std::copy(bytes.begin(), bytes.end(), shifted.begin() + static_cast<long>(offset));
    auto read = decode(std::span(shifted).subspan(offset, bytes.size()));
    ASSERT_TRUE(read) << read.error().text();
    EXPECT_EQ(std::get<Welcome>(*read).worker, 2u);
  }
}

TEST(Wire, AnEmptyFrameIsAnError) { EXPECT_THAT(decode({}).error().text(), HasSubstr("is empty")); }

TEST(Wire, AFrameCutAnywhereIsAnErrorOrAShorterMessageAndNeverMore) {
  for (auto& [name, message] : all_examples()) {
    Bytes bytes = *encode(message);
    for (size_t size = 0; size < bytes.size(); ++size) {
      auto read = decode(std::span(bytes).first(size));
      EXPECT_FALSE(read) << name << " cut to " << size << " bytes";
      if (size % 8 != 0) {
        EXPECT_THAT(read.error().text(), HasSubstr("not a whole number of words"));
      }
    }
  }
}

TEST(Wire, GarbageIsAnErrorOrAValidMessage) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 3000; ++i) {
    Bytes bytes((random() % 40) * 8);
    for (auto& byte : bytes) byte = static_cast<std::byte>(random());
    auto read = decode(bytes);
    if (!read) {
      EXPECT_FALSE(read.error().what.empty());
    }
  }
}

TEST(Wire, EveryFlippedByteIsSurvived) {
  std::mt19937_64 random(2);
  int refused = 0;
  for (auto& [name, message] : all_examples()) {
    Bytes good = *encode(message);
    for (int i = 0; i < 400; ++i) {
      Bytes bytes = good;
      for (int flips = 0; flips < 3; ++flips)
        bytes[random() % bytes.size()] = static_cast<std::byte>(random());
      if (auto read = decode(bytes); !read)
        ++refused;
      else
        (void)encode(*read);
    }
  }
  EXPECT_GT(refused, 100);
}

TEST(Wire, AnUnknownKindIsRefusedWithItsNumber) {
  Bytes bytes = *encode(Follow{5});
  // Segment table (8 bytes), root pointer (8), then the struct whose first 16 bits name the kind.
  bytes[16] = std::byte{200};
  EXPECT_THAT(decode(bytes).error().text(), HasSubstr("kind 200 is not known"));
}

TEST(Wire, AnUnknownStatusIsRefusedByName) {
  Record record = example_record();
  Bytes bytes = *encode_record(record);
  auto at = std::search(bytes.begin(), bytes.end(), reinterpret_cast<const std::byte*>("crashed"),
                        reinterpret_cast<const std::byte*>("crashed") + 7);
  ASSERT_NE(at, bytes.end());
  *at = static_cast<std::byte>('k');
  EXPECT_THAT(decode_record(bytes).error().text(), HasSubstr("'krashed' is no status"));
}

/// Of all texts in the frame that are this digest's, the first; one of its digits becomes another letter.
void spoil(Bytes& bytes, const Digest& digest) {
  const std::string text = digest.hex();
  const auto digits = std::as_bytes(std::span(text));
  const auto at = std::search(bytes.begin(), bytes.end(), digits.begin(), digits.end());
  ASSERT_NE(at, bytes.end());
  *at = static_cast<std::byte>('x');
}

TEST(Wire, ATextThatIsNoDigestIsMalformedAndItsFieldIsNamed) {
  Built built;
  built.candidate.task = "task";
  built.artifact = digest_of("artifact");
  built.reference = digest_of("reference");
  Want measuring, proposing;
  measuring.measurements.resize(1);
  measuring.measurements[0].task_key = digest_of("key");
  proposing.rounds.resize(1);
  proposing.rounds[0].asks = Propose{.cost_model = digest_of("model")};
  Measured measured;
  measured.id = digest_of("id");
  const std::vector<std::tuple<Message, Digest, const char*>> all = {
      {Fetch{digest_of("a")}, digest_of("a"), "digest: 'x"},
      {Blob{digest_of("a"), true}, digest_of("a"), "digest: 'x"},
      {Committed{{digest_of("a"), digest_of("b")}}, digest_of("b"), "ids: 'x"},
      {Query{"", {digest_of("a")}, true}, digest_of("a"), "task keys: 'x"},
      {built, built.artifact, "artifact: 'x"},
      {built, built.reference, "reference: 'x"},
      {measuring, digest_of("key"), "task key: 'x"},
      {proposing, digest_of("model"), "cost model: 'x"},
      {measured, measured.id, "id: 'x"}};
  for (const auto& [message, digest, field] : all) {
    Bytes bytes = *encode(message);
    ASSERT_TRUE(decode(bytes));
    spoil(bytes, digest);
    EXPECT_THAT(decode(bytes).error().text(), AllOf(HasSubstr(field), HasSubstr("' is no digest")));
  }
}

TEST(Wire, AJobsPartsComeBackInTheirOrder) {
  JobRequest job;
  job.parts = {{"first", {JobTask{.task = "task 1", .summary = "", .ports = ""}}, TimingMode::dram},
               {"second", {JobTask{.task = "task 2", .summary = "", .ports = ""}}, TimingMode::llc},
               {"third", {}, TimingMode::dram}};
  const auto read = decode(*encode(job));
  ASSERT_TRUE(read) << read.error().text();
  const auto& parts = std::get<JobRequest>(*read).parts;
  ASSERT_EQ(parts.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(parts[i].target, job.parts[i].target);
    EXPECT_EQ(parts[i].tasks.size(), job.parts[i].tasks.size());
    EXPECT_EQ(parts[i].mode, job.parts[i].mode);
  }
  EXPECT_EQ(parts[1].tasks[0].task, "task 2");
}

TEST(Wire, AJobWithoutATargetIsRefusedBeforeItIsSent) {
  JobRequest job;
  job.parts.clear();
  EXPECT_THAT(encode(job).error().text(), HasSubstr("a job has no target"));
  JobSummary summary;
  summary.parts.clear();
  EXPECT_THAT(encode(Jobs{{summary}}).error().text(), HasSubstr("a job has no target"));
}

TEST(Wire, FeaturesOfARowTravelAsABuiltWithoutACandidate) {
  Built built;
  built.lease = {7, 3};
  built.trial = 5;
  built.features = {1, 2.5f};
  built.feature_version = 4;
  const Bytes bytes = *encode(built);
  EXPECT_EQ(bytes, *encode(Featurised{{7, 3}, 5, {1, 2.5f}, 4})) << "as older programs write it";
  const Message read = *decode(bytes);
  ASSERT_TRUE(std::holds_alternative<Featurised>(read));
  EXPECT_EQ(std::get<Featurised>(read).row, 5u);
  EXPECT_EQ(std::get<Featurised>(read).features, built.features);
}

TEST(Wire, ARoundThatAsksForNothingIsRefusedBeforeItIsSent) {
  Want want;
  want.rounds.resize(1);
  EXPECT_TRUE(encode(want));
  want.rounds[0].asks = Rebuild();
  EXPECT_THAT(encode(want).error().text(), HasSubstr("a round asks for nothing"));
  want.rounds[0].asks = Featurise();
  EXPECT_THAT(encode(want).error().text(), HasSubstr("a round asks for nothing"));
}

TEST(Wire, AnEmptyDigestTravelsAsTheEmptyText) {
  EXPECT_EQ(std::get<Fetch>(*decode(*encode(Fetch{}))).digest, Digest());
  EXPECT_LT(encode(Fetch{})->size() + 56, encode(Fetch{digest_of("a")})->size());
}

TEST(Wire, TooLongATextIsRefusedBeforeItIsSent) {
  NotUnderstood big{std::string(Limits::text_bytes + 1, 'x')};
  EXPECT_THAT(encode(big).error().text(),
              HasSubstr("reason has 1048577 entries, at most 1048576 are allowed"));
}

TEST(Wire, TooLongAListIsRefusedBeforeItIsSent) {
  WorkerState state;
  state.leases.resize(Limits::leases + 1);
  EXPECT_THAT(encode(state).error().text(), HasSubstr("leases has 4097 entries, at most 4096 are allowed"));
}

TEST(Wire, AFrameThatNamesMoreThanItHoldsIsRefused) {
  Committed committed{{digest_of("a"), digest_of("b")}};
  Bytes bytes = *encode(committed);
  // The list pointer's element count, raised to 2^28: the reader must not believe it.
  bool refused = false;
  for (size_t word = 2; word < 8 && !refused; ++word) {
    Bytes changed = bytes;
    changed[word * 8 + 7] = std::byte{0x7f};
    refused = !decode(changed);
  }
  EXPECT_TRUE(refused);
}

TEST(Wire, AFrameBeyondTheLimitIsRefusedUnread) {
  Bytes bytes(Limits::message_bytes + 8);
  EXPECT_THAT(decode(bytes).error().text(), HasSubstr("bytes are too many"));
}

}  // namespace
}  // namespace hone::wire
