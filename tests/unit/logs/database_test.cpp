// Logs as users meet them: written, read, merged, looked up, damaged, missing.
#include "logs/database.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "logs/export.h"
#include "logs/record_log.h"
#include "measure/wire.h"
#include "tests/unit/logs/test_records.h"

/// HDF5 keeps blocks of its own after it has met a damaged file: the leak checker's business ends at our
/// code.
extern "C" const char* __lsan_default_suppressions() { return "leak:libhdf5"; }

namespace hone {
namespace {

using test::make_record;
using testing::AllOf;
using testing::HasSubstr;

wire::Bytes bytes_of(const Record& record) { return *wire::encode_record(record); }

Measurement failure(MeasureStatus status, const std::string& message) {
  Measurement measurement;
  measurement.status = status;
  measurement.message = message;
  measurement.mode = TimingMode::dram;
  return measurement;
}

BestQuery query_for(const Record& record) {
  return {.task_key = record.task_key,
          .target = record.candidate.target,
          .threads = 1,
          .board_model = record.board.model};
}

TEST(LogDatabase, GivesBackEveryFieldItWrote) {
  test::Folder folder;
  LogDatabase log;
  Record failed = make_record(4);
  failed.measurement = failure(MeasureStatus::run_timeout, "ran 2 s of 1 s");
  failed.features.clear();
  Record unbuilt = make_record(5);
  unbuilt.artifact = {};
  unbuilt.measurement = failure(MeasureStatus::build_error, "no register: \xc3\xa4");
  ASSERT_TRUE(log.add(make_record(1)));
  ASSERT_TRUE(log.add(failed));
  ASSERT_TRUE(log.add(unbuilt));
  auto written = log.write(folder.path / "x.h5");
  ASSERT_TRUE(written) << written.error().text();
  auto read = LogDatabase::open(folder.path / "x.h5");
  ASSERT_TRUE(read) << read.error().text();
  ASSERT_EQ(read->records().size(), 3u);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(bytes_of(read->records()[i]), bytes_of(log.records()[i])) << i;
  EXPECT_FALSE(std::filesystem::exists(folder.path / "x.h5.new"));
}

TEST(LogDatabase, GivesBackEveryColumnOfTheTable) {
  test::Folder folder;
  Record record = make_record(1);
  record.measurement.health.peak_memory_bytes = 123456789012;
  LogDatabase log;
  log.add(record);
  ASSERT_TRUE(log.write(folder.path / "x.h5"));
  auto read = LogDatabase::open(folder.path / "x.h5");
  ASSERT_TRUE(read) << read.error().text();
  for_each_column([&](const Column& column, auto member) {
    EXPECT_EQ(member(read->records().at(0)), member(record)) << column.name;
  });
}

TEST(LogDatabase, WritesAnEmptyLogAndReadsItBack) {
  test::Folder folder;
  ASSERT_TRUE(LogDatabase().write(folder.path / "x.h5"));
  auto read = LogDatabase::open(folder.path / "x.h5");
  ASSERT_TRUE(read) << read.error().text();
  EXPECT_TRUE(read->records().empty());
}

TEST(LogDatabase, SaysThatALogIsMissing) {
  test::Folder folder;
  auto read = LogDatabase::open(folder.path / "none.h5");
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().text(), HasSubstr("none.h5: there is no such log"));
}

TEST(LogDatabase, RefusesFilesThatAreNoLogs) {
  test::Folder folder;
  std::ofstream(folder.path / "text.h5") << "hello";
  EXPECT_THAT(LogDatabase::open(folder.path / "text.h5").error().what, HasSubstr("is no HDF5 file"));
  const hid_t file = H5Fcreate((folder.path / "other.h5").c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  H5Fclose(file);
  EXPECT_THAT(LogDatabase::open(folder.path / "other.h5").error().what, HasSubstr("no hone log"));
}

TEST(LogDatabase, RefusesALogOfANewerVersion) {
  test::Folder folder;
  ASSERT_TRUE(LogDatabase().write(folder.path / "x.h5"));
  const hid_t file = H5Fopen((folder.path / "x.h5").c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  const hid_t attribute = H5Aopen(file, "format_version", H5P_DEFAULT);
  const unsigned version = 99;
  H5Awrite(attribute, H5T_NATIVE_UINT, &version);
  H5Aclose(attribute);
  H5Fclose(file);
  EXPECT_THAT(LogDatabase::open(folder.path / "x.h5").error().what, HasSubstr("version 99"));
}

/// One letter of a digest's text becomes another, which is no hex digit.
void spoil(std::string& bytes, const Digest& digest) {
  const size_t place = bytes.find(digest.hex());
  ASSERT_NE(place, std::string::npos);
  bytes[place] = 'x';
}

TEST(LogDatabase, SaysWhichRowOfAFileHasATextThatIsNoDigest) {
  test::Folder folder;
  LogDatabase log;
  log.add(make_record(0));
  log.add(make_record(1));
  ASSERT_TRUE(log.write(folder.path / "x.h5"));
  const hid_t file = H5Fopen((folder.path / "x.h5").c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  H5Adelete(file, "content");  // as in older files: else the change itself is noticed
  const hid_t texts = H5Dopen2(file, "strings/bytes", H5P_DEFAULT);
  const hid_t space = H5Dget_space(texts);
  std::string bytes(static_cast<size_t>(H5Sget_simple_extent_npoints(space)), '\0');
  H5Dread(texts, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data());
  spoil(bytes, make_record(1).artifact);
  H5Dwrite(texts, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data());
  H5Sclose(space);
  H5Dclose(texts);
  H5Fclose(file);
  EXPECT_THAT(LogDatabase::open(folder.path / "x.h5").error().text(),
              AllOf(HasSubstr("row 1 of /records: artifact 'x"), HasSubstr("' is no digest")));
}

TEST(LogDatabase, SaysWhichEntryOfAJournalHasATextThatIsNoDigest) {
  test::Folder folder;
  const auto path = folder.path / "x.h5";
  const wire::Bytes record = bytes_of(make_record(1));
  std::string payload(reinterpret_cast<const char*>(record.data()), record.size());
  spoil(payload, make_record(1).task_key);
  {
    auto journal = Journal::open(journal_path(path));
    ASSERT_TRUE(journal);
    journal->append(kRecordEntry, payload);
    ASSERT_TRUE(journal->sync());
  }
  EXPECT_THAT(LogDatabase::open(path).error().text(),
              AllOf(HasSubstr("entry 0 is no record: task key: 'x"), HasSubstr("' is no digest")));
}

TEST(LogDatabase, MeetsDamageInTheFileWithAnErrorOrTheSameRecords) {
  test::Folder folder;
  LogDatabase log;
  for (int i = 0; i < 20; ++i) log.add(make_record(i));
  ASSERT_TRUE(log.write(folder.path / "x.h5"));
  std::ifstream in(folder.path / "x.h5", std::ios::binary);
  std::stringstream stream;
  stream << in.rdbuf();
  const std::string whole = stream.str();
  for (size_t cut = 0; cut < whole.size(); cut += whole.size() / 16 + 1) {
    std::ofstream(folder.path / "cut.h5", std::ios::binary | std::ios::trunc) << whole.substr(0, cut);
    auto read = LogDatabase::open(folder.path / "cut.h5");
    EXPECT_FALSE(read) << cut;
  }
  int errors = 0;
  for (size_t place = 8; place < whole.size(); place += 29) {
    std::string bytes = whole;
    bytes[place] = static_cast<char>(bytes[place] ^ 0x40);
    std::ofstream(folder.path / "flip.h5", std::ios::binary | std::ios::trunc) << bytes;
    auto read = LogDatabase::open(folder.path / "flip.h5");
    errors += read ? 0 : 1;
    if (!read) continue;
    ASSERT_EQ(read->records().size(), 20u) << place;
    for (size_t i = 0; i < 20; ++i)
      ASSERT_EQ(bytes_of(read->records()[i]), bytes_of(log.records()[i])) << place;
  }
  EXPECT_GT(errors, 20);
}

TEST(LogDatabase, LeavesTheOldFileWhenTheNewCannotBeWritten) {
  test::Folder folder;
  LogDatabase log;
  log.add(make_record(1));
  auto written = log.write(folder.path / "missing" / "x.h5");
  ASSERT_FALSE(written);
  EXPECT_THAT(written.error().text(), HasSubstr("cannot be written"));
  EXPECT_THAT(written.error().hint, HasSubstr("can be written"));
}

TEST(LogDatabase, FindsTheFastestOfTheRightTargetThreadsAndBoard) {
  LogDatabase log;
  log.add(make_record(0, 900));
  log.add(make_record(3, 700));
  Record other_board = make_record(6, 100), other_target = make_record(9, 100),
         threads = make_record(12, 100);
  other_board.board.model = "Intel";
  other_target.candidate.target = "triple=aarch64-linux-gnu";
  threads.measurement.threads = 2;
  for (Record* record : {&other_board, &other_target, &threads}) log.add(*record);
  const Record* best = log.best(query_for(make_record(0)));
  ASSERT_NE(best, nullptr);
  EXPECT_EQ(best->candidate.parameters, "ow=3");
  BestQuery any_board = query_for(make_record(0));
  any_board.board_model.clear();
  EXPECT_EQ(log.best(any_board)->board.model, "Intel");
  EXPECT_THAT(log.board_models(make_record(0).candidate.target), testing::ElementsAre("AMD EPYC", "Intel"));
  BestQuery no_such = query_for(make_record(0));
  no_such.target = "triple=riscv64";
  EXPECT_EQ(log.best(no_such), nullptr);
  no_such = query_for(make_record(0));
  no_such.mode = TimingMode::llc;
  EXPECT_EQ(log.best(no_such), nullptr);
  no_such.mode = TimingMode::dram;
  no_such.ports = "x:nchw y:nchw";
  EXPECT_EQ(log.best(no_such), nullptr);
}

TEST(LogDatabase, PutsFinalsBeforeTrialsAndTheirMedianCounts) {
  LogDatabase log;
  log.add(make_record(0, 500));
  log.add(make_record(3, 600));
  for (int repetition = 0; repetition < 3; ++repetition) {
    Record lucky = make_record(0, repetition == 0 ? 400 : 800), steady = make_record(3, 610);
    lucky.from.final = steady.from.final = true;
    lucky.from.repetition = steady.from.repetition = repetition;
    EXPECT_TRUE(log.add(lucky));
    EXPECT_TRUE(log.add(steady));
  }
  log.add(make_record(6, 450));
  const Record* best = log.best(query_for(make_record(0)));
  ASSERT_NE(best, nullptr);
  EXPECT_EQ(best->candidate.parameters, "ow=3");
  EXPECT_TRUE(best->from.final);
}

TEST(LogDatabase, NeverGivesACandidateThatFailedItsCheckAsAFinalist) {
  LogDatabase log;
  log.add(make_record(0, 500));
  log.add(make_record(3, 600));
  Record wrong = make_record(0);
  wrong.from.final = true;
  wrong.measurement = failure(MeasureStatus::wrong_answer, "element 7");
  log.add(wrong);
  EXPECT_EQ(log.best(query_for(make_record(0)))->candidate.parameters, "ow=3");
}

TEST(LogDatabase, AnswersForAListOfTasksWithNothingWhereNothingIsKnown) {
  LogDatabase log;
  log.add(make_record(0, 500));
  log.add(make_record(1, 600));
  const auto found = log.best_of({make_record(1).task_key, digest_of("unknown"), make_record(0).task_key},
                                 query_for(make_record(0)));
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0]->candidate.parameters, "ow=1");
  EXPECT_EQ(found[1], nullptr);
  EXPECT_EQ(found[2]->candidate.parameters, "ow=0");
}

TEST(LogDatabase, KeepsOneRecordPerMeasurementWhenLogsAreMerged) {
  LogDatabase first, second;
  for (int i = 0; i < 4; ++i) first.add(make_record(i));
  for (int i = 2; i < 7; ++i) second.add(make_record(i));
  EXPECT_EQ(first.merge(second), 3u);
  EXPECT_EQ(first.records().size(), 7u);
  EXPECT_FALSE(first.add(make_record(1)));
  EXPECT_EQ(first.query({.task_keys = {make_record(0).task_key}}).size(), 3u);
  EXPECT_EQ(first.query({.board_model = "none"}).size(), 0u);
}

TEST(LogDatabase, VerifyNamesEachFaultAndPassesSoundLogs) {
  LogDatabase log;
  log.add(make_record(0));
  EXPECT_TRUE(log.verify().empty());
  Record record = make_record(1);
  record.task_key = digest_of("another");
  log.add(record);
  record = make_record(2);
  record.measurement.median_ns *= 2;
  log.add(record);
  record = make_record(3);
  record.measurement = failure(MeasureStatus::crashed, "");
  log.add(record);
  EXPECT_THAT(log.verify(), testing::ElementsAre(HasSubstr("record 1: the task key is not the digest"),
                                                 HasSubstr("record 2: the median does not follow"),
                                                 HasSubstr("record 3: crashed without a message")));
}

TEST(RecordLog, ShowsRecordsBeforeAndAfterCompaction) {
  test::Folder folder;
  const auto path = folder.path / "x.h5";
  {
    auto log = RecordLog::open(path);
    ASSERT_TRUE(log) << log.error().text();
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(*log->append(make_record(i)));
    EXPECT_FALSE(*log->append(make_record(1))) << "one commit per identity";
    ASSERT_TRUE(log->sync());
    EXPECT_FALSE(std::filesystem::exists(path));
    EXPECT_EQ(LogDatabase::open(path)->records().size(), 3u);
    ASSERT_TRUE(log->compact());
    EXPECT_EQ(log->uncompacted(), 0u);
    ASSERT_TRUE(*log->append(make_record(3)));
    ASSERT_TRUE(log->sync());
  }
  EXPECT_EQ(LogDatabase::open(path)->records().size(), 4u);
  auto again = RecordLog::open(path);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->uncompacted(), 1u);
  EXPECT_EQ(again->database().records().size(), 4u);
}

TEST(RecordLog, LeavesOnlyTheFileWhenClosed) {
  test::Folder folder;
  auto log = RecordLog::open(folder.path / "x.h5");
  ASSERT_TRUE(log);
  ASSERT_TRUE(*log->append(make_record(0)));
  ASSERT_TRUE(log->close());
  EXPECT_FALSE(std::filesystem::exists(journal_path(folder.path / "x.h5")));
  EXPECT_EQ(LogDatabase::open(folder.path / "x.h5")->records().size(), 1u);
  EXPECT_TRUE(RecordLog::open(folder.path / "x.h5"));
}

TEST(RecordLog, DoublesNothingWhenKilledBetweenRenameAndCut) {
  test::Folder folder;
  const auto path = folder.path / "x.h5";
  {
    auto log = RecordLog::open(path);
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(*log->append(make_record(i)));
    ASSERT_TRUE(log->sync());
    std::filesystem::copy(journal_path(path), folder.path / "kept");
    ASSERT_TRUE(log->compact());
  }
  std::filesystem::copy(folder.path / "kept", journal_path(path),
                        std::filesystem::copy_options::overwrite_existing);
  auto log = RecordLog::open(path);
  ASSERT_TRUE(log) << log.error().text();
  EXPECT_EQ(log->database().records().size(), 5u);
}

TEST(RecordLog, LosesNoAcknowledgedRecordWheneverItsWriterIsKilled) {
  for (int kill_after : {3, 7, 11, 16, 23, 31}) {
    test::Folder folder;
    const auto path = folder.path / "x.h5";
    int acknowledged[2];
    ASSERT_EQ(::pipe(acknowledged), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      auto log = RecordLog::open(path);
      for (int i = 0; log; ++i) {
        if (!log->append(make_record(i)) || !log->sync() ||
            ::write(acknowledged[1], &i, sizeof i) != sizeof i)
          ::_exit(1);
        if (i % 3 == 2 && !log->compact()) ::_exit(1);
      }
      ::_exit(1);
    }
    ::close(acknowledged[1]);
    int last = 0, count = 0;
    while (count < kill_after && ::read(acknowledged[0], &last, sizeof last) == sizeof last) ++count;
    ::kill(child, SIGKILL);
    while (::read(acknowledged[0], &last, sizeof last) == sizeof last) ++count;
    ::close(acknowledged[0]);
    ::waitpid(child, nullptr, 0);
    ASSERT_GE(count, kill_after);
    auto read = LogDatabase::open(path);
    ASSERT_TRUE(read) << read.error().text();
    ASSERT_GE(read->records().size(), static_cast<size_t>(count));
    for (size_t i = 0; i < read->records().size(); ++i)
      EXPECT_EQ(bytes_of(read->records()[i]), bytes_of(make_record(static_cast<int>(i))));
    auto log = RecordLog::open(path);
    ASSERT_TRUE(log) << log.error().text();
    EXPECT_TRUE(log->compact());
  }
}

TEST(RecordLog, IsOneLogUnderEachOfItsNames) {
  test::Folder folder;
  const auto path = folder.path / "x.h5", link = folder.path / "far" / "alias.h5";
  std::filesystem::create_directory(folder.path / "far");
  std::filesystem::create_symlink("../x.h5", link);
  auto log = RecordLog::open(link);
  ASSERT_TRUE(log) << log.error().text();
  EXPECT_THAT(RecordLog::open(path).error().text(), HasSubstr("in use by another process"));
  EXPECT_FALSE(std::filesystem::exists(journal_path(link)));
  ASSERT_TRUE(log->append(make_record(1)));
  ASSERT_TRUE(log->sync());
  EXPECT_EQ(LogDatabase::open(link)->records().size(), 1u) << "a reader finds the journal";
  ASSERT_TRUE(log->append(make_record(2)));
  ASSERT_TRUE(log->close());
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_EQ(LogDatabase::open(path)->records().size(), 2u);
}

TEST(RecordLog, WhoseFileIsDeletedHasItAgain) {
  test::Folder folder;
  const auto path = folder.path / "x.h5";
  auto log = RecordLog::open(path);
  ASSERT_TRUE(log->append(make_record(1)));
  ASSERT_TRUE(log->compact());
  std::filesystem::remove(path);
  std::filesystem::remove(journal_path(path));
  ASSERT_TRUE(log->append(make_record(2)));
  ASSERT_TRUE(log->sync());
  EXPECT_THAT(log->take_notes(),
              testing::ElementsAre(HasSubstr("x.h5.journal: was deleted while it was in use"),
                                   HasSubstr("x.h5: was deleted while it was in use")));
  EXPECT_EQ(LogDatabase::open(path)->records().size(), 2u);
  std::filesystem::remove(path);
  ASSERT_TRUE(log->close()) << "at its end, too";
  EXPECT_EQ(LogDatabase::open(path)->records().size(), 2u);
}

TEST(RecordLog, IsNotReplacedByOneThatHoldsLess) {
  test::Folder folder;
  const auto path = folder.path / "x.h5";
  auto log = RecordLog::open(path);
  ASSERT_TRUE(log->append(make_record(1)));
  ASSERT_TRUE(log->compact());
  ASSERT_TRUE(log->append(make_record(2)));
  ASSERT_TRUE(log->sync());
  std::filesystem::rename(path, folder.path / "away.h5");
  ASSERT_TRUE(LogDatabase().write(path)) << "somebody else's, with nothing in it";
  EXPECT_THAT(log->prepare_compaction().error().text(),
              HasSubstr("holds 1 records of the 2 that were written"));
  EXPECT_THAT(log->sync().error().text(), HasSubstr("x.h5: another file took its place"));
  EXPECT_FALSE(log->close());
  EXPECT_TRUE(std::filesystem::exists(journal_path(path))) << "what it has is kept";
}

TEST(RecordLog, KeepsThePermissionsOfItsFile) {
  test::Folder folder;
  const auto path = folder.path / "x.h5";
  ASSERT_TRUE(LogDatabase().write(path));
  std::filesystem::permissions(path, std::filesystem::perms(0640));
  auto log = RecordLog::open(path);
  ASSERT_TRUE(log->append(make_record(1)));
  ASSERT_TRUE(log->close());
  EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms(0640));
}

TEST(RecordLog, ThatOnlyLookedLeavesNothingBehind) {
  test::Folder folder;
  {
    ASSERT_TRUE(RecordLog::open(folder.path / "x.h5"));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path));
}

TEST(RecordLog, IsRefusedWhileAnotherWriterHasIt) {
  test::Folder folder;
  auto first = RecordLog::open(folder.path / "x.h5");
  ASSERT_TRUE(first);
  EXPECT_THAT(RecordLog::open(folder.path / "x.h5").error().text(), HasSubstr("in use by another process"));
}

TEST(RecordLog, PassesOnThatTheHdf5FileIsDamagedAndTouchesNothing) {
  test::Folder folder;
  std::ofstream(folder.path / "x.h5") << "not hdf5";
  EXPECT_THAT(RecordLog::open(folder.path / "x.h5").error().text(), HasSubstr("is no HDF5 file"));
  EXPECT_EQ(std::filesystem::file_size(folder.path / "x.h5"), 8u);
  EXPECT_FALSE(std::filesystem::exists(journal_path(folder.path / "x.h5")));
}

TEST(Export, CsvQuotesAndJsonLinesHoldEveryField) {
  LogDatabase log;
  Record record = make_record(1);
  record.measurement.worst_factor = std::numeric_limits<double>::infinity();
  log.add(record);
  std::ostringstream csv, json;
  export_csv(log.query({}), csv);
  export_json_lines(log.query({}), json);
  EXPECT_THAT(csv.str(), HasSubstr("\"conv3x3, \"\"quoted\"\" 1\""));
  EXPECT_THAT(csv.str(), HasSubstr("task_key,task_text,task_summary,"));
  EXPECT_THAT(csv.str(), HasSubstr("mode,sample_count,median_ns,"));
  EXPECT_THAT(json.str(), HasSubstr("\"parameters\":\"ow=1\""));
  EXPECT_THAT(json.str(), HasSubstr("\"worst_factor\":null"));
  const std::string heading = csv.str().substr(0, csv.str().find('\n'));
  for_each_column([&](const Column& column, auto) {
    EXPECT_THAT(json.str(), HasSubstr("\"" + std::string(column.name) + "\":"));
    EXPECT_THAT(heading, HasSubstr(column.element == nullptr ? column.name : column.element));
  });
  const std::string lines = json.str();
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 1);
}

}  // namespace
}  // namespace hone
