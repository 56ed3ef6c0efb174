// The journal against files that a crash or a bad disk could leave.
#include "journal.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace {

class JournalFile : public ::testing::Test {
 protected:
  JournalFile() : path(::testing::TempDir() + "journal-" + std::to_string(::getpid())) {
    std::filesystem::remove(path);
  }
  ~JournalFile() override { std::filesystem::remove(path); }

  // Writes batches 1 to `count`, each with one document of that number.
  void write(std::uint64_t count) {
    Journal journal;
    ASSERT_TRUE(journal.open(path, [](hanaper::Batch&) { return hanaper::Status{}; }));
    for (std::uint64_t number = 1; number <= count; ++number) ASSERT_TRUE(append(journal, number));
  }

  static hanaper::Status append(Journal& journal, std::uint64_t number) {
    hanaper::Write write;
    write.records.push_back(
        {"c", std::to_string(number), 0, false, {}, {{"field", "value"}}, std::string("\0\xff", 2)});
    hanaper::Write* writes[] = {&write};
    hanaper::Batch batch;
    batch.node = "n";
    batch.number = number;
    batch.token.back() = static_cast<std::uint8_t>(number);
    batch.writes = writes;
    return journal.append(batch);
  }

  // The numbers of the batches that are found, or the failure.
  std::string read() {
    Journal journal;
    std::string found;
    const hanaper::Status opened = journal.open(path, [&](hanaper::Batch& batch) {
      const hanaper::RecordWrite& record = batch.writes[0]->records.at(0);
      EXPECT_EQ(record.key, std::to_string(batch.number));
      EXPECT_EQ(batch.token.back(), batch.number);
      EXPECT_EQ(record.data, std::string("\0\xff", 2));
      EXPECT_EQ(record.indexes.at(0).value, "value");
      found += std::to_string(batch.number) + " ";
      return hanaper::Status{};
    });
    return opened ? found : opened.error().detail.substr(path.size());
  }

  void flip(std::uint64_t at) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(at));
    const int octet = file.get();
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(octet ^ 1));
  }

  const std::string path;
};

TEST_F(JournalFile, GivesBackWhatWasWritten) {
  write(3);
  EXPECT_EQ(read(), "1 2 3 ");
}

TEST_F(JournalFile, CutsOffWhatATornWriteLeftWhereverItEnds) {
  write(2);
  const std::uint64_t size = std::filesystem::file_size(path) / 2;
  for (std::uint64_t left = 2 * size - 1; left > size; --left) {
    std::filesystem::remove(path);
    write(2);
    std::filesystem::resize_file(path, left);
    ASSERT_EQ(read(), "1 ") << left;
    ASSERT_EQ(std::filesystem::file_size(path), size) << left;
  }
}

TEST_F(JournalFile, GoesOnAfterATornWrite) {
  write(2);
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
  Journal journal;
  ASSERT_TRUE(journal.open(path, [](hanaper::Batch&) { return hanaper::Status{}; }));
  ASSERT_TRUE(append(journal, 7));
  std::filesystem::copy_file(path, path + ".copy");
  std::filesystem::rename(path + ".copy", path);
  EXPECT_EQ(read(), "1 7 ");
}

TEST_F(JournalFile, RefusesDamageInTheMiddle) {
  write(3);
  flip(60);
  EXPECT_EQ(read(), ": damaged at octet 0; restore a backup");
}

TEST_F(JournalFile, CutsOffALastBatchThatIsNotWhatItsDigestSays) {
  write(3);
  flip(std::filesystem::file_size(path) - 1);
  EXPECT_EQ(read(), "1 2 ");
}

TEST_F(JournalFile, TakesBackTheLastBatch) {
  {
    Journal journal;
    ASSERT_TRUE(journal.open(path, [](hanaper::Batch&) { return hanaper::Status{}; }));
    ASSERT_TRUE(append(journal, 1));
    ASSERT_TRUE(append(journal, 2));
    ASSERT_TRUE(journal.undo());
    ASSERT_TRUE(append(journal, 3));
  }
  EXPECT_EQ(read(), "1 3 ");
}

TEST_F(JournalFile, IsOneProcessAtATime) {
  Journal journal;
  ASSERT_TRUE(journal.open(path, [](hanaper::Batch&) { return hanaper::Status{}; }));
  EXPECT_EQ(read(), ": in use by another process");
}

}  // namespace
