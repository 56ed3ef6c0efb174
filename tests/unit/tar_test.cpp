#include "operations/tar.hpp"
#include "temporary_folder.hpp"

#include <gtest/gtest.h>

#include <sys/stat.h>

namespace hanaper::operations {
namespace {

class TarFiles : public ::testing::Test {
 protected:
  // An archive with these entries, as octets.
  std::string archive(const std::vector<std::pair<std::string, std::string>>& entries) {
    std::filesystem::remove(folder_ / "made");
    const auto tar = *TarWriter::create(folder_ / "made");
    for (const auto& [name, content] : entries)
      EXPECT_TRUE(tar->add(name, as_bytes(content)).has_value()) << name;
    EXPECT_TRUE(tar->finish().has_value());
    return folder_.read("made");
  }
  // The same with another name in the header, and its checksum set right.
  static std::string renamed(std::string octets, std::string_view name) {
    octets.replace(0, 100, std::string(100, '\0'));
    octets.replace(0, name.size(), name);
    return resummed(std::move(octets));
  }
  static std::string resummed(std::string octets) {
    octets.replace(148, 8, "        ");
    unsigned sum = 0;
    for (std::size_t i = 0; i < 512; ++i) sum += static_cast<unsigned char>(octets[i]);
    char text[8];
    std::snprintf(text, sizeof text, "%06o", sum);
    octets.replace(148, 7, text, 7);
    return octets;
  }
  Result<std::unique_ptr<TarReader>> open(const std::string& octets) {
    return TarReader::open(folder_.write("read", octets));
  }

  test::TemporaryFolder folder_;
};

TEST_F(TarFiles, GiveBackWhatWasPutIn) {
  const std::vector<std::pair<std::string, std::string>> entries = {
      {"empty", ""},
      {"one", "1"},
      {"a/block", std::string(512, 'b')},
      {"a/b/more", std::string(513, 'm')},
      {"binary", std::string("\0\xff\n", 3)},
      {std::string(99, 'n'), "the longest name there is"}};
  const auto tar = open(archive(entries));
  ASSERT_TRUE(tar.has_value()) << tar.error().detail;
  ASSERT_EQ((*tar)->names().size(), entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    EXPECT_EQ((*tar)->names()[i], entries[i].first);
    EXPECT_EQ(as_text(*(*tar)->read(entries[i].first)), entries[i].second);
  }
  EXPECT_EQ((*tar)->read("nothing").error().code, Code::not_found);
}

TEST_F(TarFiles, TakeFilesAndExtractThemForTheirOwnerOnly) {
  const std::string content(3'000'000, 'x');  // more than one buffer
  const auto tar = *TarWriter::create(folder_ / "made");
  ASSERT_TRUE(tar->add_file("big", folder_.write("source", content)).has_value());
  EXPECT_EQ(tar->add_file("gone", folder_ / "gone").error().code, Code::not_found);
  ASSERT_TRUE(tar->finish().has_value());
  EXPECT_EQ(tar->entries(), 1u);
  EXPECT_EQ(tar->octets(), std::filesystem::file_size(folder_ / "made"));

  const auto reader = *TarReader::open(folder_ / "made");
  ASSERT_TRUE(reader->extract("big", folder_ / "out").has_value());
  EXPECT_EQ(folder_.read("out"), content);
  for (const char* name : {"made", "out"}) {
    struct stat status {};
    ASSERT_EQ(::stat((folder_ / name).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u) << name;
  }
  EXPECT_EQ(reader->extract("big", folder_ / "out").error().code, Code::conflict) << "nothing is overwritten";
  EXPECT_EQ(reader->extract("nothing", folder_ / "new").error().code, Code::not_found);
  EXPECT_EQ(TarWriter::create(folder_ / "made").error().code, Code::conflict);
}

TEST_F(TarFiles, AreReadByTarItself) {
  archive({{"a/one", "1"}, {"two", "22"}});
  if (std::system("tar --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "SKIP tar: it is not installed";
  const std::string command =
      "cd '" + folder_ / "." + "' && tar -tf made > list 2>&1 && tar -xOf made two > two 2>&1";
  ASSERT_EQ(std::system(command.c_str()), 0) << folder_.read("list");
  EXPECT_EQ(folder_.read("list"), "a/one\ntwo\n");
  EXPECT_EQ(folder_.read("two"), "22");
}

class TarSums : public TarFiles {
 protected:
  std::string summed() {
    const auto tar = *TarWriter::create(folder_ / "summed");
    EXPECT_TRUE(tar->add("a", as_bytes("content")).has_value());
    EXPECT_TRUE(tar->add("empty", {}).has_value());
    EXPECT_TRUE(tar->add_file("b/file", folder_.write("source", std::string(3'000'000, 'x'))).has_value());
    EXPECT_TRUE(tar->add_sums().has_value());
    EXPECT_TRUE(tar->finish().has_value());
    return folder_.read("summed");
  }
  std::string complaint(const std::string& octets) {
    const auto tar = open(octets);
    if (!tar) return tar.error().detail;
    const Status verified = (*tar)->verify();
    return verified ? "" : verified.error().detail;
  }
};

TEST_F(TarSums, AreThoseThatSha256sumChecks) {
  EXPECT_EQ(complaint(summed()), "");
  const std::string command =
      "cd '" + folder_ / "." +
      "' && mkdir out && tar -xf summed -C out && cd out && sha256sum --check --strict sha256sums "
      "> ../said 2>&1";
  ASSERT_EQ(std::system(command.c_str()), 0) << folder_.read("said");
  EXPECT_EQ(folder_.read("said"), "a: OK\nempty: OK\nb/file: OK\n");
}

TEST_F(TarSums, FindEveryChange) {
  const std::string whole = summed();
  const std::size_t sums = whole.find("sha256sums");
  struct Case {
    const char* name;
    std::string octets;
    const char* said;
  };
  std::string bit = whole, large = whole, renamed_entry = whole, sum = whole;
  bit[512] ^= 1;
  large[4 * 512 + 2'999'999] ^= 1;
  renamed_entry = renamed(whole.substr(0, 512), "c") + whole.substr(512);
  sum[sums + 512] ^= 1;
  const std::string end(1024, '\0');
  const std::vector<Case> cases = {
      {"a bit of a small entry", bit, ": is damaged: a is not what was saved"},
      {"a bit at the end of a large one", large, ": is damaged: b/file is not what was saved"},
      {"another name", renamed_entry, ": is damaged: c is not what was saved"},
      {"a sum", sum, ": is damaged: a is not what was saved"},
      {"no sums", whole.substr(0, sums) + end, "has no sha256sums at its end"},
      {"an entry less", whole.substr(1024), ": is damaged: empty is not what was saved"},
      {"an entry more behind", whole.substr(0, whole.size() - 1024) + archive({{"z", "z"}}),
       "has no sha256sums"},
      {"an entry more in front", archive({{"z", "z"}}).substr(0, 1024) + whole,
       ": is damaged: z is not what was saved"},
      {"the last entry left out", whole.substr(0, 3 * 512) + whole.substr(sums),
       "lacks what its sha256sums names"},
  };
  for (const Case& one : cases)
    EXPECT_NE(complaint(one.octets).find(one.said), std::string::npos)
        << one.name << ": " << complaint(one.octets);
}

TEST_F(TarFiles, DoNotTakeNamesThatLeadOut) {
  const auto tar = *TarWriter::create(folder_ / "made");
  for (const std::string& name :
       {std::string(), std::string("/etc/passwd"), std::string(".."), std::string("../x"),
        std::string("a/../../x"), std::string("a//x"), std::string(100, 'n')})
    EXPECT_FALSE(tar->add(name, {}).has_value()) << name;
  EXPECT_EQ(tar->entries(), 0u);
}

TEST_F(TarFiles, WithNamesThatLeadOutAreRefused) {
  const std::string good = archive({{"name", "content"}});
  ASSERT_TRUE(open(renamed(good, "other")).has_value());
  for (const std::string_view name : {"/etc/passwd", "..", "../x", "a/../../x", "a/..", "//x", "a//x", ""}) {
    const auto tar = open(renamed(good, name));
    ASSERT_FALSE(tar.has_value()) << name;
    EXPECT_EQ(tar.error().code, Code::malformed) << name;
    EXPECT_NE(tar.error().detail.find("at octet 0"), std::string::npos) << tar.error().detail;
  }
  EXPECT_FALSE(open(renamed(good, std::string(100, 'n'))).has_value());
}

TEST_F(TarFiles, WithAnythingButPlainFilesAreRefused) {
  const std::string good = archive({{"name", "content"}});
  for (char type : {'1', '2', '3', '4', '5', '6', '7', 'L', 'K', 'x', 'g', 'S'}) {
    std::string octets = good;
    octets[156] = type;
    EXPECT_FALSE(open(resummed(octets)).has_value()) << type;
  }
}

TEST_F(TarFiles, WithADoubledNameAreRefused) {
  std::string octets = archive({{"name", "1"}, {"eman", "2"}});
  octets.replace(1024, 512, octets, 0, 512);
  const auto tar = open(octets);
  ASSERT_FALSE(tar.has_value());
  EXPECT_NE(tar.error().detail.find("at octet 1024"), std::string::npos) << tar.error().detail;
}

TEST_F(TarFiles, ThatAreCutOffAreRefusedWhereverThatIs) {
  const std::string whole = archive({{"one", std::string(700, '1')}, {"two", "2"}});
  ASSERT_EQ(whole.size(), 512u + 1024 + 512 + 512 + 1024);
  // Until the first block of zeros is there, every length is one at which something is missing.
  for (std::size_t length = 0; length < whole.size() - 512; length += 64)
    EXPECT_FALSE(open(whole.substr(0, length)).has_value()) << length;
  EXPECT_TRUE(open(whole.substr(0, whole.size() - 512)).has_value());
}

TEST_F(TarFiles, WithASpoiltHeaderAreRefused) {
  const std::string good = archive({{"name", "content"}});
  for (std::size_t at = 0; at < 512; ++at) {
    if (at == 155) continue;  // behind the checksum's own end: says nothing
    std::string octets = good;
    octets[at] = static_cast<char>(octets[at] ^ 0x02);
    EXPECT_FALSE(open(octets).has_value()) << at;
  }
}

TEST_F(TarFiles, ThatSayTheyAreLargerThanTheyAreAreRefused) {
  const std::string good = archive({{"name", "content"}});
  for (const char* size : {"00000010000", "77777777777", "00000000x00"}) {
    std::string octets = good;
    octets.replace(124, 11, size);
    EXPECT_FALSE(open(resummed(octets)).has_value()) << size;
  }
  std::string octets = good;
  octets.replace(124, 12, "\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", 12);
  EXPECT_FALSE(open(resummed(octets)).has_value()) << "binary";
}

TEST_F(TarFiles, DoNotPutLargeEntriesIntoMemory) {
  const auto tar = *TarWriter::create(folder_ / "made");
  ASSERT_TRUE(
      tar->add_file("big", folder_.write("source", std::string(16 * 1024 * 1024 + 1, 'x'))).has_value());
  ASSERT_TRUE(tar->finish().has_value());
  const auto reader = *TarReader::open(folder_ / "made");
  EXPECT_EQ(reader->read("big").error().code, Code::malformed);
  EXPECT_TRUE(reader->extract("big", folder_ / "out").has_value());
}

TEST_F(TarFiles, OfOneInstanceShowItItsOwnPartOnly) {
  const auto tar = *TarWriter::create(folder_ / "made");
  ArchivePart part(*tar, "keys.soft/");
  ASSERT_TRUE(part.add("root", as_bytes("r")).has_value());
  EXPECT_FALSE(part.add("../storage.main/db", {}).has_value());
  ASSERT_TRUE(tar->add("storage.main/db", as_bytes("d")).has_value());
  ASSERT_TRUE(tar->finish().has_value());
  const auto reader = *TarReader::open(folder_ / "made");
  const ArchiveSourcePart source(*reader, "keys.soft/");
  EXPECT_EQ(source.names(), std::vector<std::string>{"root"});
  EXPECT_EQ(as_text(*source.read("root")), "r");
  EXPECT_FALSE(source.read("../storage.main/db").has_value());
}

}  // namespace
}  // namespace hanaper::operations
