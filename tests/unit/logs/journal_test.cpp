// What is synced stays, what is torn goes, what is damaged is said: the journal at every byte.
#include "logs/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "logs/crc32c.h"
#include "tests/unit/logs/test_records.h"

namespace hone {
namespace {

using testing::HasSubstr;

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

void write_file(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

std::vector<JournalEntry> entries(int count) {
  std::vector<JournalEntry> out;
  for (int i = 0; i < count; ++i)
    out.push_back(
        {static_cast<uint32_t>(i % 3), std::string(static_cast<size_t>(i * 7), static_cast<char>('a' + i))});
  return out;
}

std::string journal_of(const std::filesystem::path& path, const std::vector<JournalEntry>& all) {
  auto journal = Journal::open(path);
  EXPECT_TRUE(journal) << journal.error().text();
  for (const auto& entry : all) journal->append(entry.type, entry.payload);
  EXPECT_TRUE(journal->sync());
  EXPECT_EQ(journal->bytes(), std::filesystem::file_size(path));
  return read_file(path);
}

TEST(Crc32c, GivesTheValuesOfRfc3720) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62A8AB43u);
  EXPECT_EQ(crc32c("6789", crc32c("12345")), crc32c("123456789"));
}

/// Counts the bytes that are written.
struct CountingFiles : Files {
  uint64_t written = 0;
  ssize_t pwrite(int file, const void* bytes, size_t size, off_t offset) override {
    const ssize_t done = Files::pwrite(file, bytes, size, offset);
    written += static_cast<uint64_t>(std::max<ssize_t>(done, 0));
    return done;
  }
};

TEST(Journal, LosesItsFrontForAsManyBytesAsCameSinceTheCopyOfTheRest) {
  test::Folder folder;
  const auto path = folder.path / "j";
  CountingFiles files;
  auto journal = Journal::open(path, files);
  ASSERT_TRUE(journal);
  const std::string large(1 << 20, 'x');
  journal->append(1, large);
  ASSERT_TRUE(journal->sync());
  const uint64_t front = journal->bytes();
  journal->append(2, large);
  ASSERT_TRUE(journal->sync());
  auto tail = Journal::copy_tail(path, front, files);
  ASSERT_TRUE(tail) << tail.error().text();
  journal->append(3, "written");
  ASSERT_TRUE(journal->write());
  journal->append(4, "queued");

  files.written = 0;
  ASSERT_TRUE(journal->take_tail(std::move(*tail)));
  EXPECT_LT(files.written, 200u) << "whoever waits for a commit waits for that";

  EXPECT_FALSE(Journal::open(path)) << "the lock is held on the new file";
  EXPECT_FALSE(std::filesystem::exists(path.string() + ".new"));
  journal->append(5, "after");
  ASSERT_TRUE(journal->sync());
  EXPECT_EQ(journal->bytes(), std::filesystem::file_size(path));
  const std::vector<JournalEntry> wanted = {{2, large}, {3, "written"}, {4, "queued"}, {5, "after"}};
  EXPECT_EQ(read_journal(path)->entries, wanted);
}

TEST(Journal, IsWholeIfACopyOfItsRestWasNeverTaken) {
  test::Folder folder;
  const auto path = folder.path / "j";
  journal_of(path, entries(5));
  {
    auto tail = Journal::copy_tail(path, 0);
    ASSERT_TRUE(tail);
  }
  auto journal = Journal::open(path);
  ASSERT_TRUE(journal);
  EXPECT_EQ(journal->take_recovered().entries, entries(5));
  ASSERT_TRUE(journal->cut());
  EXPECT_FALSE(std::filesystem::exists(path.string() + ".new")) << "nothing is left behind";
}

TEST(Journal, ThatIsDeletedIsThereAgainBeforeAnythingIsAcknowledged) {
  test::Folder folder;
  const auto path = folder.path / "j";
  auto journal = Journal::open(path);
  ASSERT_TRUE(journal);
  journal->append(1, "one");
  ASSERT_TRUE(journal->sync());
  std::filesystem::remove(path);
  journal->append(2, "two");
  ASSERT_TRUE(journal->sync());
  EXPECT_EQ(read_journal(path)->entries, (std::vector<JournalEntry>{{1, "one"}, {2, "two"}}));
  EXPECT_THAT(journal->take_notes(), testing::ElementsAre(HasSubstr("was deleted while it was in use")));
  EXPECT_FALSE(Journal::open(path)) << "the lock is held on the new file";
  std::filesystem::remove(path);
  ASSERT_TRUE(journal->sync()) << "with nothing to write, too";
  EXPECT_EQ(read_journal(path)->entries.size(), 2u);
  EXPECT_TRUE(journal->sync());
  EXPECT_EQ(journal->take_notes().size(), 1u);
}

TEST(Journal, WhoseNameAnotherFileHasIsAnErrorUntilThatIsMovedAway) {
  test::Folder folder;
  const auto path = folder.path / "j";
  auto journal = Journal::open(path);
  journal->append(1, "one");
  ASSERT_TRUE(journal->sync());
  std::filesystem::remove(path);
  write_file(path, "somebody else's");
  journal->append(2, "two");
  EXPECT_THAT(journal->sync().error().text(),
              HasSubstr("j: another file took its place while it was in use"));
  EXPECT_FALSE(journal->sync());
  EXPECT_EQ(read_file(path), "somebody else's");
  std::filesystem::remove(path);
  ASSERT_TRUE(journal->sync());
  EXPECT_EQ(read_journal(path)->entries, (std::vector<JournalEntry>{{1, "one"}, {2, "two"}}));
}

TEST(Journal, InAFolderThatIsGoneIsAnError) {
  test::Folder folder;
  std::filesystem::create_directory(folder.path / "inner");
  auto journal = Journal::open(folder.path / "inner/j");
  journal->append(1, "one");
  ASSERT_TRUE(journal->sync());
  std::filesystem::remove_all(folder.path / "inner");
  journal->append(2, "two");
  EXPECT_THAT(journal->sync().error().text(), HasSubstr("is gone and cannot be written anew: No such file"));
  std::filesystem::create_directory(folder.path / "inner");
  ASSERT_TRUE(journal->sync());
  EXPECT_EQ(read_journal(folder.path / "inner/j")->entries.size(), 2u);
}

TEST(Journal, IsTheSameUnderEachOfItsNames) {
  test::Folder folder;
  const auto path = folder.path / "j", link = folder.path / "link", hard = folder.path / "hard";
  std::filesystem::create_symlink("j", link);
  auto journal = Journal::open(link);
  ASSERT_TRUE(journal) << journal.error().text();
  journal->append(1, "one");
  ASSERT_TRUE(journal->sync());
  std::filesystem::create_hard_link(path, hard);
  for (const auto& name : {path, link, hard})
    EXPECT_THAT(Journal::open(name).error().text(), HasSubstr("in use by another process")) << name;
  ASSERT_TRUE(journal->take_tail(std::move(*Journal::copy_tail(link, 0))));
  EXPECT_TRUE(std::filesystem::is_symlink(link)) << "what it names was replaced, not the link";
  EXPECT_EQ(read_journal(path)->entries.size(), 1u);
}

TEST(Journal, ThatWasMadeAndNeverWrittenToIsLeftNowhere) {
  test::Folder folder;
  {
    ASSERT_TRUE(Journal::open(folder.path / "new"));
  }
  EXPECT_FALSE(std::filesystem::exists(folder.path / "new"));
  journal_of(folder.path / "old", entries(2));
  {
    ASSERT_TRUE(Journal::open(folder.path / "old"));
  }
  EXPECT_TRUE(std::filesystem::exists(folder.path / "old"));
}

TEST(Journal, ThatIsNoRegularFileIsRefusedAndNotWaitedFor) {
  test::Folder folder;
  const auto pipe = folder.path / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT(Journal::open(pipe).error().text(), HasSubstr("pipe: is no regular file"));
  EXPECT_THAT(read_journal(pipe).error().text(), HasSubstr("pipe: is no regular file"));
}

TEST(Journal, GivesBackWhatWasSynced) {
  test::Folder folder;
  journal_of(folder.path / "j", entries(9));
  auto contents = read_journal(folder.path / "j");
  ASSERT_TRUE(contents) << contents.error().text();
  EXPECT_EQ(contents->entries, entries(9));
  EXPECT_EQ(contents->warning, "");
  auto again = Journal::open(folder.path / "j");
  ASSERT_TRUE(again);
  EXPECT_EQ(again->take_recovered().entries, entries(9));
  EXPECT_TRUE(again->take_recovered().entries.empty());
}

TEST(Journal, LosesOnlyTheTornRecordWhereverTheFileIsCut) {
  test::Folder folder;
  const auto all = entries(6);
  const std::string whole = journal_of(folder.path / "j", all);
  std::vector<size_t> ends = {16};
  for (const auto& entry : all) ends.push_back(ends.back() + 12 + entry.payload.size());
  ASSERT_EQ(ends.back(), whole.size());
  for (size_t cut = 0; cut <= whole.size(); ++cut) {
    write_file(folder.path / "cut", whole.substr(0, cut));
    size_t expected = 0;
    while (expected < all.size() && ends[expected + 1] <= cut) ++expected;
    const bool at_end = cut == 0 || std::find(ends.begin(), ends.end(), cut) != ends.end();
    auto read = read_journal(folder.path / "cut");
    ASSERT_TRUE(read) << cut << ": " << read.error().text();
    EXPECT_EQ(read->entries.size(), expected) << cut;
    EXPECT_EQ(read->warning.empty(), at_end) << cut << ": " << read->warning;
    auto journal = Journal::open(folder.path / "cut");
    ASSERT_TRUE(journal) << cut << ": " << journal.error().text();
    journal->append(9, "after the crash");
    ASSERT_TRUE(journal->sync());
    auto after = read_journal(folder.path / "cut");
    ASSERT_TRUE(after) << cut;
    ASSERT_EQ(after->entries.size(), expected + 1) << cut;
    EXPECT_EQ(after->entries.back(), (JournalEntry{9, "after the crash"})) << cut;
    EXPECT_EQ(after->warning, "") << cut;
  }
}

TEST(Journal, TakesAFlippedLastRecordForTornAndAnEarlierOneForDamage) {
  test::Folder folder;
  const auto all = entries(5);
  const std::string whole = journal_of(folder.path / "j", all);
  const size_t last = whole.size() - 12 - all.back().payload.size();
  for (size_t place = 16; place < whole.size(); ++place) {
    std::string bytes = whole;
    bytes[place] = static_cast<char>(bytes[place] ^ 0x10);
    write_file(folder.path / "bad", bytes);
    auto read = read_journal(folder.path / "bad");
    if (place >= last) {
      ASSERT_TRUE(read) << place;
      EXPECT_EQ(read->entries.size(), 4u) << place;
      EXPECT_THAT(read->warning, HasSubstr("torn at byte " + std::to_string(last)));
    } else {
      ASSERT_FALSE(read) << place;
      EXPECT_THAT(read.error().what, HasSubstr("damaged at byte "));
      EXPECT_THAT(read.error().hint, HasSubstr("truncate -s "));
      EXPECT_FALSE(Journal::open(folder.path / "bad"));
      EXPECT_EQ(read_file(folder.path / "bad"), bytes) << "a damaged journal must not be changed";
    }
  }
}

TEST(Journal, SaysHowManyRecordsBeforeTheDamageAreWhole) {
  test::Folder folder;
  std::string bytes =
      journal_of(folder.path / "j", {{1, "first"}, {1, "second"}, {1, "third"}, {1, "fourth"}});
  bytes[16 + 17 + 18 + 12] ^= 1;
  write_file(folder.path / "j", bytes);
  auto read = read_journal(folder.path / "j");
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().text(), HasSubstr("damaged at byte 51 of 86: the 2 records before it are whole"));
}

TEST(Journal, TakesATailOfZerosForTorn) {
  test::Folder folder;
  std::string bytes = journal_of(folder.path / "j", entries(3)) + std::string(4096, '\0');
  write_file(folder.path / "j", bytes);
  auto journal = Journal::open(folder.path / "j");
  ASSERT_TRUE(journal) << journal.error().text();
  EXPECT_EQ(journal->take_recovered().entries.size(), 3u);
}

TEST(Journal, RefusesASecondWriterAndNamesTheFirst) {
  test::Folder folder;
  auto first = Journal::open(folder.path / "j");
  ASSERT_TRUE(first);
  auto second = Journal::open(folder.path / "j");
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().what,
              HasSubstr("in use by another process (process " + std::to_string(::getpid()) + ")"));
  EXPECT_TRUE(read_journal(folder.path / "j")) << "readers need no lock";
  {
    Journal closed = std::move(*first);
  }
  EXPECT_TRUE(Journal::open(folder.path / "j"));
}

TEST(Journal, RefusesFilesThatAreNone) {
  test::Folder folder;
  write_file(folder.path / "text", "this is a text, not a journal at all");
  EXPECT_THAT(Journal::open(folder.path / "text").error().what, HasSubstr("is no hone journal"));
  write_file(folder.path / "short", "x");
  EXPECT_THAT(Journal::open(folder.path / "short").error().what, HasSubstr("is no hone journal"));
  EXPECT_EQ(read_file(folder.path / "short"), "x");
  EXPECT_THAT(Journal::open(folder.path / "missing" / "j").error().what,
              HasSubstr("cannot be opened for writing"));
  EXPECT_THAT(read_journal(folder.path / "missing").error().what, HasSubstr("cannot be opened"));
}

TEST(Journal, RefusesANewerVersion) {
  test::Folder folder;
  std::string bytes = "hone-jnl";
  bytes += std::string("\x02\0\0\0", 4);
  const uint32_t sum = crc32c(bytes);
  bytes.append(reinterpret_cast<const char*>(&sum), 4);
  write_file(folder.path / "j", bytes);
  EXPECT_THAT(Journal::open(folder.path / "j").error().what, HasSubstr("version 2"));
}

TEST(Journal, IsEmptyAfterACutAndGoesOn) {
  test::Folder folder;
  auto journal = Journal::open(folder.path / "j");
  ASSERT_TRUE(journal);
  journal->append(1, "one");
  ASSERT_TRUE(journal->sync());
  ASSERT_TRUE(journal->cut());
  journal->append(2, "two");
  ASSERT_TRUE(journal->sync());
  EXPECT_EQ(read_journal(folder.path / "j")->entries, (std::vector<JournalEntry>{{2, "two"}}));
}

TEST(Journal, WhatIsOnlyWrittenIsThereForTheNextReaderAndSyncedWithTheNext) {
  test::Folder folder;
  auto journal = Journal::open(folder.path / "j");
  ASSERT_TRUE(journal);
  journal->append(1, "written");
  ASSERT_TRUE(journal->write());
  EXPECT_EQ(read_journal(folder.path / "j")->entries, (std::vector<JournalEntry>{{1, "written"}}));
  journal->append(2, "synced");
  ASSERT_TRUE(journal->sync());
  ASSERT_TRUE(journal->sync()) << "nothing is left to do";
  EXPECT_EQ(read_journal(folder.path / "j")->entries,
            (std::vector<JournalEntry>{{1, "written"}, {2, "synced"}}));
}

TEST(Journal, SaysThatTheDiskIsFullAndGoesOnWhenThereIsRoomAgain) {
  test::Folder folder;
  auto journal = Journal::open(folder.path / "j");
  ASSERT_TRUE(journal);
  journal->append(1, "first");
  ASSERT_TRUE(journal->sync());
  const uint64_t before = journal->bytes();
  // A limit on file sizes stands for a full disk: a write is cut short, then fails.
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  const rlimit small{before + 20, old.rlim_max};
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  journal->append(2, std::string(100, 'x'));
  const Status full = journal->sync();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  ::signal(SIGXFSZ, handler);
  ASSERT_FALSE(full);
  EXPECT_THAT(full.error().text(), HasSubstr("cannot be written"));
  EXPECT_EQ(std::filesystem::file_size(folder.path / "j"), before) << "nothing half written is left";
  EXPECT_EQ(read_journal(folder.path / "j")->entries.size(), 1u);
  journal->append(3, "third");
  ASSERT_TRUE(journal->sync());
  const auto after = read_journal(folder.path / "j")->entries;
  ASSERT_EQ(after.size(), 3u);
  EXPECT_EQ(after[1], (JournalEntry{2, std::string(100, 'x')}));
}

TEST(Journal, HoldsEveryAcknowledgedRecordOfAKilledWriter) {
  for (int kill_after : {0, 1, 2, 5, 17, 40}) {
    test::Folder folder;
    int acknowledged[2];
    ASSERT_EQ(::pipe(acknowledged), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      auto journal = Journal::open(folder.path / "j");
      for (uint32_t i = 0; journal; ++i) {
        journal->append(i, std::string(i * 37 % 5000, 'x'));
        if (!journal->sync() || ::write(acknowledged[1], &i, sizeof i) != sizeof i) ::_exit(1);
      }
      ::_exit(1);
    }
    ::close(acknowledged[1]);
    uint32_t last = 0, count = 0;
    while (count <= static_cast<uint32_t>(kill_after) &&
           ::read(acknowledged[0], &last, sizeof last) == sizeof last)
      ++count;
    ::kill(child, SIGKILL);
    while (::read(acknowledged[0], &last, sizeof last) == sizeof last) ++count;
    ::close(acknowledged[0]);
    ::waitpid(child, nullptr, 0);
    auto journal = Journal::open(folder.path / "j");
    ASSERT_TRUE(journal) << journal.error().text();
    const auto recovered = journal->take_recovered().entries;
    ASSERT_GE(recovered.size(), count);
    ASSERT_GT(count, 0u);
    for (uint32_t i = 0; i < recovered.size(); ++i)
      EXPECT_EQ(recovered[i], (JournalEntry{i, std::string(i * 37 % 5000, 'x')}));
  }
}

}  // namespace
}  // namespace hone
