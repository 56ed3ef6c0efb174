// Files that decide something: who may have put them there.
#include "scratch.hpp"

#include <hanaper/toolkit/files.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <functional>

namespace hanaper::files {
namespace {

namespace fs = std::filesystem;

struct Place {
  const char* name;
  void (*arrange)(const test::Scratch&);
  const char* part;  // that is wrong, below the folder; "": none
  const char* why;
};
std::ostream& operator<<(std::ostream& out, const Place& place) { return out << place.name; }

void mode(const test::Scratch& scratch, const char* part, mode_t bits) {
  ASSERT_EQ(::chmod((scratch / part).c_str(), bits), 0);
}
void give_away(const test::Scratch& scratch, const char* part) {
  ASSERT_EQ(::lchown((scratch / part).c_str(), 65534, 65534), 0);
}

const Place places[] = {
    {"AFileOfOurs", [](const auto&) {}, "", ""},
    {"AFileThatOthersMayRead", [](const auto& s) { mode(s, "a/b/file", 0644); }, "", ""},
    {"AFileThatItsGroupMayWrite", [](const auto& s) { mode(s, "a/b/file", 0660); }, "a/b/file",
     "others may write"},
    {"AFileThatAllMayWrite", [](const auto& s) { mode(s, "a/b/file", 0602); }, "a/b/file",
     "others may write"},
    {"AFolderThatItsGroupMayWrite", [](const auto& s) { mode(s, "a/b", 0770); }, "a/b", "others may write"},
    {"AFolderAboveThatAllMayWrite", [](const auto& s) { mode(s, "a", 0777); }, "a", "others may write"},
    {"AFolderWhereNobodyReplacesWhatIsAnothers", [](const auto& s) { mode(s, "a", 01777); }, "", ""},
    {"ALinkInsteadOfTheFile",
     [](const auto& s) {
       s.file("c/other", "content");
       fs::remove(s / "a/b/file");
       fs::create_symlink(s / "c/other", s / "a/b/file");
     },
     "", ""},
    {"ALinkToAFolderThatAllMayWrite",
     [](const auto& s) {
       s.file("c/other", "content");
       mode(s, "c", 0777);
       fs::remove(s / "a/b/file");
       fs::create_symlink("../../c/other", s / "a/b/file");
     },
     "c", "others may write"},
    {"ALinkInsteadOfAFolder",
     [](const auto& s) {
       fs::rename(s / "a/b", s / "d");
       fs::create_symlink("../d", s / "a/b");
     },
     "", ""},
    {"ACircleOfLinks",
     [](const auto& s) {
       fs::remove(s / "a/b/file");
       fs::create_symlink("file", s / "a/b/file");
     },
     "a/b/file", "too many links"},
    {"AFolder",
     [](const auto& s) {
       fs::remove(s / "a/b/file");
       fs::create_directory(s / "a/b/file");
     },
     "a/b/file", "is no regular file"},
    {"APipe",
     [](const auto& s) {
       fs::remove(s / "a/b/file");
       ASSERT_EQ(::mkfifo((s / "a/b/file").c_str(), 0600), 0);
     },
     "a/b/file", "is no regular file"},
    {"NoFile", [](const auto& s) { fs::remove(s / "a/b/file"); }, "a/b/file", "No such file"},
};

class TrustedFile : public ::testing::TestWithParam<Place> {};

TEST_P(TrustedFile, IsJudgedWithAllThatLeadsToIt) {
  const test::Scratch scratch;
  scratch.file("a/b/file", "content");
  GetParam().arrange(scratch);
  const auto read = read_trusted(scratch / "a/b/file", 100);
  if (*GetParam().part == '\0') {
    ASSERT_TRUE(read) << read.error().detail;
    EXPECT_EQ(*read, "content");
    return;
  }
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().detail.find(scratch / GetParam().part), 0u) << read.error().detail;
  EXPECT_NE(read.error().detail.find(GetParam().why), std::string::npos) << read.error().detail;
}
INSTANTIATE_TEST_SUITE_P(Is, TrustedFile, ::testing::ValuesIn(places),
                         [](const auto& test) { return test.param.name; });

TEST(TrustedFiles, AreOfRootOrOurselves) {
  if (::geteuid() != 0) GTEST_SKIP() << "SKIP root: only root can give files away";
  for (const char* part : {"a/b/file", "a/b", "a"}) {
    const test::Scratch scratch;
    scratch.file("a/b/file", "content");
    give_away(scratch, part);
    const auto read = read_trusted(scratch / "a/b/file", 100);
    ASSERT_FALSE(read) << part;
    EXPECT_EQ(read.error().detail, scratch / part + ": owned by user 65534; root must own it");
  }
  const test::Scratch scratch;
  scratch.file("a/b/file", "content");
  fs::create_symlink(scratch / "a/b/file", scratch / "link");
  give_away(scratch, "link");
  EXPECT_FALSE(read_trusted(scratch / "link", 100)) << "who may change the link chooses what is read";
}

// Each would be waited for, or be without an end.
struct NoFile {
  const char* name;
  std::function<std::string(const test::Scratch&)> make;
};

const NoFile no_files[] = {
    {"a pipe",
     [](const auto& s) {
       EXPECT_EQ(::mkfifo((s / "pipe").c_str(), 0600), 0);
       return s / "pipe";
     }},
    {"a link to a pipe",
     [](const auto& s) {
       EXPECT_EQ(::mkfifo((s / "pipe").c_str(), 0600), 0);
       fs::create_symlink("pipe", s / "link");
       return s / "link";
     }},
    {"a folder", [](const auto& s) { return s.path().string(); }},
    {"a device", [](const auto&) { return std::string("/dev/zero"); }},
};

TEST(Files, ThatAreNoneAreNeverWaitedFor) {
  for (const NoFile& row : no_files) {
    const test::Scratch scratch;
    const std::string path = row.make(scratch);
    for (const Error& error : {read(path, 100).error(), open_regular(path).error()}) {
      EXPECT_EQ(error.code, Code::malformed) << row.name;
      EXPECT_EQ(error.detail, path + ": is no regular file") << row.name;
    }
    EXPECT_EQ(open_trusted(path).error().code, Code::forbidden) << row.name;
  }
}

TEST(TrustedFiles, AreReadAsTheyWereJudged) {
  const test::Scratch scratch;
  const std::string path = scratch.file("a/file", "content");
  const auto opened = open_trusted(path);
  ASSERT_TRUE(opened) << opened.error().detail;
  fs::remove(path);
  scratch.file("a/file", "another");
  EXPECT_EQ(*read(*opened, path, 100), "content");
  EXPECT_EQ(read_trusted(path, 3).error().code, Code::malformed);
}

TEST(TrustedFiles, MayBeNamedFromHere) {
  const test::Scratch scratch;
  scratch.file("a/file", "content");
  const fs::path before = fs::current_path();
  fs::current_path(scratch.path());
  const auto near = read_trusted("a/./../a/file", 100);
  fs::current_path(before);
  ASSERT_TRUE(near) << near.error().detail;
  EXPECT_EQ(*near, "content");
}

}  // namespace
}  // namespace hanaper::files
