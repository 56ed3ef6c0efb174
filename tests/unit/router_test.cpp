#include "http/router.hpp"

#include <gtest/gtest.h>

namespace hanaper::http {
namespace {

class Nobody final : public Endpoint {
 public:
  Response handle(const Request&, Call&) override { return {}; }
};

Router router_of(std::initializer_list<const char*> paths) {
  Router router;
  for (const char* path : paths) router.add({path, std::make_shared<Nobody>()});
  return router;
}

struct Routed {
  std::string_view path;
  const char* mount;  // null: nobody
};

TEST(Router, FindsTheLongestMountThatEndsAtASlash) {
  const Router router = router_of({"/acme", "/acme/staging", "/crl", "/.well-known/est"});
  const Routed table[] = {
      {"/acme", "/acme"},
      {"/acme/", "/acme"},
      {"/acme/directory", "/acme"},
      {"/acme//directory", "/acme"},
      {"//acme/directory", "/acme"},
      {"///acme", "/acme"},
      {"//", nullptr},
      {"/./acme", nullptr},
      {"/acme/staging", "/acme/staging"},
      {"/acme/staging/directory", "/acme/staging"},
      {"/acme/stagings", "/acme"},
      {"/.well-known/est/cacerts", "/.well-known/est"},
      {"/acmes", nullptr},
      {"/acm", nullptr},
      {"/ACME", nullptr},
      {"/acme%2Fdirectory", nullptr},
      {"/x/acme", nullptr},
      {"/", nullptr},
      {"", nullptr},
  };
  for (const Routed& test : table) {
    SCOPED_TRACE(test.path);
    const Mount* found = router.find(test.path);
    ASSERT_EQ(found != nullptr, test.mount != nullptr);
    EXPECT_EQ(found ? found->path : "", test.mount ? test.mount : "");
  }
}

TEST(Router, DoesNotCareInWhichOrderMountsCame) {
  for (const Router& router : {router_of({"/a", "/a/b"}), router_of({"/a/b", "/a"})}) {
    EXPECT_EQ(router.find("/a/b/c")->path, "/a/b");
    EXPECT_EQ(router.find("/a/c")->path, "/a");
  }
}

TEST(Router, GivesTheEmptyMountWhatIsLeft) {
  const Router router = router_of({"", "/a"});
  EXPECT_EQ(router.find("/a/b")->path, "/a");
  EXPECT_EQ(router.find("/b")->path, "");
  EXPECT_EQ(router.find("/ab")->path, "");
}

TEST(Router, IsEmptyUntilSomethingIsMounted) {
  EXPECT_TRUE(Router().empty());
  EXPECT_EQ(Router().find("/a"), nullptr);
  EXPECT_FALSE(router_of({"/a"}).empty());
}

}  // namespace
}  // namespace hanaper::http
