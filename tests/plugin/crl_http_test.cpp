// CRLs as HTTP clients get them.
#include "crl_support.hpp"

namespace hanaper::test {
namespace {

class CrlHttp : public CrlFixture {};

struct RangeCase {
  const char* name;
  const char* range;
  int status;
  std::size_t first, size;  // of what is sent; size 0: all
};

TEST_F(CrlHttp, AnswersRangesAndConditions) {
  make(*list_);
  const auto published = list_->current();
  const Bytes der = *published->der();
  const std::size_t size = der.size();
  const RangeCase cases[] = {
      {"None", "", 200, 0, size},
      {"TheFirstOctets", "bytes=0-9", 206, 0, 10},
      {"FromTheMiddle", "bytes=100-", 206, 100, size - 100},
      {"TheLastOctets", "bytes=-5", 206, size - 5, 5},
      {"MoreThanThereIs", "bytes=-100000", 206, 0, size},
      {"BeyondTheEnd", "bytes=90000-", 416, 0, 0},
      {"NothingFromTheEnd", "bytes=-0", 416, 0, 0},
      {"UpToBeyondTheEnd", "bytes=0-90000", 206, 0, size},
      {"Several", "bytes=0-1,4-5", 200, 0, size},
      {"AnotherUnit", "lines=0-1", 200, 0, size},
      {"Backwards", "bytes=5-2", 200, 0, size},
      {"NoNumbers", "bytes=a-b", 200, 0, size},
      {"NoDash", "bytes=5", 200, 0, size},
  };
  for (const RangeCase& test : cases) {
    const Asked asked(Method::get, "/issuing.crl", {}, {{"Range", test.range}});
    const auto answer = published->answer(asked.request, host_.manual_clock.now());
    EXPECT_EQ(answer.status, test.status) << test.name;
    EXPECT_EQ(answer.file.has_value(), test.size > 0) << test.name;
    KeptReply reply;
    published->send(answer, reply);
    EXPECT_EQ(reply.body, as_text(ByteView(der).subspan(test.first, test.size))) << test.name;
    EXPECT_NE(reply.head.find("Content-Length: " + std::to_string(test.size) + "\r\n"), std::string::npos)
        << test.name;
  }
  const auto plain = published->answer(Asked(Method::get, "/").request, host_.manual_clock.now());
  std::map<std::string, std::string> headers;
  for (const Header& header : plain.headers) headers[header.name] = header.value;
  EXPECT_EQ(headers["Content-Type"], "application/pkix-crl");
  EXPECT_EQ(headers["Cache-Control"], "public, max-age=345600");
  EXPECT_EQ(headers["Last-Modified"], "Sat, 21 Nov 2026 00:00:00 GMT");
  EXPECT_EQ(headers["Expires"], "Wed, 25 Nov 2026 00:00:00 GMT");
  const std::string etag = headers["ETag"], other = "\"other\"", list = "\"x\", W/" + etag;
  const auto status = [&](std::vector<HeaderView> fields) {
    return published->answer(Asked(Method::get, "/", {}, std::move(fields)).request, host_.manual_clock.now())
        .status;
  };
  EXPECT_EQ(status({{"If-None-Match", etag}}), 304);
  EXPECT_EQ(status({{"If-None-Match", list}}), 304);
  EXPECT_EQ(status({{"If-None-Match", "*"}}), 304);
  EXPECT_EQ(status({{"If-None-Match", other}}), 200);
  EXPECT_EQ(status({{"If-Modified-Since", headers["Last-Modified"]}}), 304);
  EXPECT_EQ(status({{"If-None-Match", other}, {"If-Modified-Since", headers["Last-Modified"]}}), 200);
  EXPECT_EQ(status({{"If-Range", etag}, {"Range", "bytes=0-1"}}), 206);
  EXPECT_EQ(status({{"If-Range", other}, {"Range", "bytes=0-1"}}), 200);
}

}  // namespace
}  // namespace hanaper::test
