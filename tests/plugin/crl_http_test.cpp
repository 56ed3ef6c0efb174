// CRLs as HTTP clients get them.
#include "crl_support.hpp"

#include <list>
#include <set>

namespace hanaper::test {
namespace {

class CrlHttp : public CrlFixture {};

struct RangeCase {
  const char* name;
  const char* range;
  int status;
  std::size_t first, size;  // of what is sent; size 0: all
};

TEST_F(CrlHttp, AnswersRanges) {
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
  EXPECT_EQ(headers["Cache-Control"], "public, max-age=86400");
  EXPECT_EQ(headers["Last-Modified"], "Sat, 21 Nov 2026 00:00:00 GMT");
  EXPECT_EQ(headers["Expires"], "Sun, 22 Nov 2026 00:00:00 GMT");
}

struct AgeCase {
  const char* name;
  bool delta;
  std::chrono::seconds later;
  const char* cache_control;
};

// Each day one is made that is valid for four, each hour a delta that is valid for two.
TEST_F(CrlHttp, IsKeptByCachesUntilTheNextOneIsDue) {
  using namespace std::chrono_literals;
  const auto delta = make_list(true);
  make(*list_);
  make(*delta);
  const AgeCase cases[] = {
      {"made just now", false, 0s, "public, max-age=86400"},
      {"an hour later", false, 1h, "public, max-age=82800"},
      {"the next is due", false, 24h, "public, max-age=0"},
      {"the next is late", false, 25h, "public, max-age=0"},
      {"a delta", true, 0s, "public, max-age=3600"},
      {"a delta half an hour later", true, 30min, "public, max-age=1800"},
      {"a delta that is late", true, 90min, "public, max-age=0"},
  };
  for (const AgeCase& test : cases) {
    const auto published = (test.delta ? *delta : *list_).current();
    const Time now = host_.manual_clock.now() + test.later;
    std::map<std::string, std::string> headers;
    for (const Header& header : published->answer(Asked(Method::get, "/").request, now).headers)
      headers[header.name] = header.value;
    EXPECT_EQ(headers["Cache-Control"], test.cache_control) << test.name;
  }
}

struct ConditionCase {
  const char* name;
  std::vector<HeaderView> fields;  // E stands for the ETag
  int status;
  int pair;  // of a CRL that is the second of its second, where that differs
};

// RFC 9110 13.2.2.
TEST_F(CrlHttp, AnswersConditionsInTheirOrder) {
  constexpr const char *same = "Sat, 21 Nov 2026 00:00:00 GMT", *later = "Sun, 22 Nov 2026 00:00:00 GMT",
                       *earlier = "Fri, 20 Nov 2026 23:59:59 GMT", *range = "bytes=0-1";
  const ConditionCase cases[] = {
      {"NoCondition", {}, 200, 0},
      {"IfMatch", {{"If-Match", "E"}}, 200, 0},
      {"IfMatchOfSeveral", {{"If-Match", "\"x\", E"}}, 200, 0},
      {"IfMatchAny", {{"If-Match", "*"}}, 200, 0},
      {"IfMatchOther", {{"If-Match", "\"0\""}}, 412, 0},
      {"IfMatchWeak", {{"If-Match", "W/E"}}, 412, 0},
      {"IfMatchOtherInRange", {{"If-Match", "\"0\""}, {"Range", range}}, 412, 0},
      {"IfMatchBeforeDate", {{"If-Match", "E"}, {"If-Unmodified-Since", earlier}}, 200, 0},
      {"IfMatchThenNoneMatch", {{"If-Match", "E"}, {"If-None-Match", "E"}}, 304, 0},
      {"UnmodifiedSinceLater", {{"If-Unmodified-Since", later}}, 200, 0},
      {"UnmodifiedSinceSame", {{"If-Unmodified-Since", same}}, 200, 412},
      {"UnmodifiedSinceEarlier", {{"If-Unmodified-Since", earlier}}, 412, 0},
      {"UnmodifiedSinceNoDate", {{"If-Unmodified-Since", "yesterday"}}, 200, 0},
      {"UnmodifiedThenModifiedSince", {{"If-Unmodified-Since", later}, {"If-Modified-Since", later}}, 304, 0},
      {"NoneMatch", {{"If-None-Match", "E"}}, 304, 0},
      {"NoneMatchWeak", {{"If-None-Match", "\"x\", W/E"}}, 304, 0},
      {"NoneMatchAny", {{"If-None-Match", "*"}}, 304, 0},
      {"NoneMatchOther", {{"If-None-Match", "\"0\""}}, 200, 0},
      {"NoneMatchBeforeDate", {{"If-None-Match", "\"0\""}, {"If-Modified-Since", later}}, 200, 0},
      {"ModifiedSinceSame", {{"If-Modified-Since", same}}, 304, 200},
      {"ModifiedSinceLater", {{"If-Modified-Since", later}}, 304, 0},
      {"ModifiedSinceEarlier", {{"If-Modified-Since", earlier}}, 200, 0},
      {"ModifiedSinceOldForm", {{"If-Modified-Since", "Sunday, 22-Nov-26 00:00:00 GMT"}}, 304, 0},
      {"ModifiedSinceNoDate", {{"If-Modified-Since", "tomorrow"}}, 200, 0},
      {"RangeOfTheSame", {{"If-Range", "E"}, {"Range", range}}, 206, 0},
      {"RangeOfAnother", {{"If-Range", "\"0\""}, {"Range", range}}, 200, 0},
      {"RangeWeak", {{"If-Range", "W/E"}, {"Range", range}}, 200, 0},
      {"RangeByDate", {{"If-Range", same}, {"Range", range}}, 200, 0},
  };
  make(*list_);
  const Time now = host_.manual_clock.now();
  std::set<std::string> etags;
  for (const bool pair : {false, true}) {
    if (pair) make(*list_);
    const auto published = list_->current();
    const auto ask = [&](bool pem, const Request& request) {
      return pem ? *published->answer_pem(request, now) : published->answer(request, now);
    };
    for (const bool pem : {false, true}) {
      std::string etag;
      for (const Header& header : ask(pem, Asked(Method::get, "/").request).headers)
        if (header.name == "ETag") etag = header.value;
      EXPECT_TRUE(etags.insert(etag).second) << etag;
      for (const ConditionCase& test : cases) {
        SCOPED_TRACE(std::string(test.name) + (pair ? ", of a pair" : "") + (pem ? ", PEM" : ""));
        std::list<std::string> values;
        std::vector<HeaderView> fields;
        for (const HeaderView& field : test.fields) {
          std::string& value = values.emplace_back(field.value);
          if (const std::size_t at = value.find('E'); at != std::string::npos) value.replace(at, 1, etag);
          fields.push_back({field.name, value});
        }
        const auto answer = ask(pem, Asked(Method::get, "/", {}, fields).request);
        EXPECT_EQ(answer.status, pair && test.pair != 0 ? test.pair : test.status);
        EXPECT_EQ(answer.file.has_value(), answer.status < 300);
        std::map<std::string, std::string> headers;
        for (const Header& header : answer.headers) headers[header.name] = header.value;
        EXPECT_EQ(headers["Cache-Control"], answer.status == 412 ? "no-store" : "public, max-age=86400");
        for (const char* name : {"ETag", "Last-Modified", "Expires"})
          EXPECT_EQ(headers.contains(name), answer.status != 412) << name;
      }
    }
  }
}

}  // namespace
}  // namespace hanaper::test
