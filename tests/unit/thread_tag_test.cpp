#include "services/thread_tag.hpp"

#include "writer_support.hpp"

namespace hanaper::test {
namespace {

using services::ThreadKind;

TEST(ThreadTags, SayWhoMayCallWhat) {
  const ThreadKind kinds[] = {ThreadKind::main, ThreadKind::worker, ThreadKind::io, ThreadKind::writer};
  std::string table;
  for (ThreadKind tag : kinds) {
    for (ThreadKind here : kinds) table += services::allowed(tag, here) ? '+' : '-';
    table += ' ';
  }
  // Tags downwards, threads across: main, worker, io, writer.
  EXPECT_EQ(table, "+--- ++-- --+- ---+ ");
}

TEST(ThreadTags, BelongToOneThread) {
  services::thread_is(ThreadKind::main);
  std::thread([] { services::thread_is(ThreadKind::io); }).join();
  EXPECT_EQ(services::this_thread, ThreadKind::main);
}

#ifdef HANAPER_DEBUG
using ThreadTagsDeathTest = WriterFixture;

TEST_F(ThreadTagsDeathTest, ABlockingCommitOnANetworkThreadEndsADebugBuild) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  start();
  EXPECT_DEATH(
      {
        services::thread_is(ThreadKind::io);
        static_cast<void>(commit(record("a")));
      },
      "commit.* is \\[worker\\], called on a thread of kind io");
}

TEST_F(ThreadTagsDeathTest, ABlockingCommitOnTheWritersOwnThreadEndsADebugBuild) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  start();
  EXPECT_DEATH(
      {
        services::thread_is(ThreadKind::writer);
        static_cast<void>(commit(record("a")));
      },
      "commit.* is \\[worker\\], called on a thread of kind writer");
}
#endif

}  // namespace
}  // namespace hanaper::test
