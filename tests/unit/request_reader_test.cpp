#include "http/request_reader.hpp"

#include <gtest/gtest.h>

namespace hanaper::http {
namespace {

class Sink final : public Endpoint {
 public:
  explicit Sink(std::uint64_t limit) : limit_(limit) {}
  ByteCount body_limit() const override { return ByteCount{limit_}; }
  Response handle(const Request&, Call&) override { return {}; }

 private:
  const std::uint64_t limit_;
};

// Bodies of 32 octets go below /a, none below /none; nobody is below anything else.
const Router& router() {
  static const Router made = [] {
    Router router;
    router.add({"/a", std::make_shared<Sink>(32)});
    router.add({"/none", std::make_shared<Sink>(0)});
    return router;
  }();
  return made;
}

ReadLimits limits() { return {1024, &router()}; }

struct Refusal {
  const char* name;
  std::string octets;
  int status;
};

std::string with_nul(std::string text) {
  text[text.find('@')] = '\0';
  return text;
}

std::vector<Refusal> refusals() {
  const std::string post = "POST /a HTTP/1.1\r\nHost: x\r\n";
  const std::string get = "GET /a HTTP/1.1\r\nHost: x\r\n";
  const std::string chunked = post + "Transfer-Encoding: chunked\r\n\r\n";
  std::string many = "GET /a HTTP/1.1\r\nHost: x\r\n";
  for (int i = 0; i < 100; ++i) many += "A: b\r\n";
  return {
      // Who is asked: RFC 9112 3.2.
      {"no Host", "GET /a HTTP/1.1\r\n\r\n", 400},
      {"a target outside ASCII that nothing follows", "GET /%\xd8\x9a\xd0Host: a\r\n\r\n", 400},
      {"two Hosts", "GET /a HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400},
      {"the same Host twice", "GET /a HTTP/1.1\r\nHost: x\r\nhost: x\r\n\r\n", 400},
      {"two Hosts in HTTP/1.0", "GET /a HTTP/1.0\r\nHost: x\r\nHost: x\r\n\r\n", 400},

      // Where the body ends: RFC 9112 6.
      {"an unknown transfer coding", post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501},
      {"a coding before chunked", post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
      {"chunked twice in a line", post + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 501},
      {"chunked twice in two lines",
       post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"identity", post + "Transfer-Encoding: identity\r\n\r\n", 501},
      {"chunked with a parameter", post + "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", 501},
      {"chunked in quotes", post + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", 501},
      {"an empty transfer coding", post + "Transfer-Encoding: \r\n\r\n", 501},
      {"a coding behind a tab inside", post + "Transfer-Encoding: chunked\t,x\r\n\r\n0\r\n\r\n", 501},
      {"length, then chunked", post + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       400},
      {"chunked, then length", post + "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
       400},
      {"chunked in HTTP/1.0", "POST /a HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       400},
      {"two lengths", post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
      {"the same length twice", post + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na", 400},
      {"a list of equal lengths", post + "Content-Length: 1, 1\r\n\r\na", 400},
      {"a length with a sign", post + "Content-Length: +1\r\n\r\na", 400},
      {"a negative length", post + "Content-Length: -1\r\n\r\n", 400},
      {"a hexadecimal length", post + "Content-Length: 0x1\r\n\r\na", 400},
      {"an empty length", post + "Content-Length: \r\n\r\n", 400},
      {"a length of words", post + "Content-Length: one\r\n\r\n", 400},
      {"a length with a blank inside", post + "Content-Length: 1 1\r\n\r\n", 400},
      {"a length beyond 64 bits", post + "Content-Length: 18446744073709551616\r\n\r\n", 400},

      // Field lines: RFC 9112 5.
      {"a blank before the colon", "GET /a HTTP/1.1\r\nHost : x\r\n\r\n", 400},
      {"a folded value", get + "A: b\r\n c\r\n\r\n", 400},
      {"a value folded by a tab", get + "A: b\r\n\tc\r\n\r\n", 400},
      {"a folded value that is empty first", get + "A:\r\n b\r\n\r\n", 400},
      {"a folded transfer coding", post + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400},
      {"white space before the first field", "GET /a HTTP/1.1\r\n Host: x\r\n\r\n", 400},
      {"a field without a colon", get + "nothing\r\n\r\n", 400},
      {"a field without a name", get + ": b\r\n\r\n", 400},
      {"a blank in a name", get + "A B: c\r\n\r\n", 400},
      {"a quote in a name", get + "A\"B: c\r\n\r\n", 400},
      {"an umlaut in a name", get + "\xc3\xa4: c\r\n\r\n", 400},
      {"a NUL in a value", with_nul(get + "A: b@c\r\n\r\n"), 400},
      {"a NUL in a name", with_nul(get + "A@: b\r\n\r\n"), 400},
      {"a control character in a value", get + "A: b\x01\r\n\r\n", 400},
      {"a bare CR in a value", get + "A: b\rc\r\n\r\n", 400},
      {"a bare LF between fields", "GET /a HTTP/1.1\nHost: x\r\n\r\n", 400},
      {"a bare LF after a field", get + "A: b\nC: d\r\n\r\n", 400},
      {"more than a hundred fields", many + "\r\n", 431},

      // The request line: RFC 9112 3.
      {"no version", "GET /a\r\nHost: x\r\n\r\n", 400},
      {"HTTP/2.0", "GET /a HTTP/2.0\r\nHost: x\r\n\r\n", 505},
      {"HTTP/1.2", "GET /a HTTP/1.2\r\nHost: x\r\n\r\n", 505},
      {"HTTP/0.9", "GET /a HTTP/0.9\r\nHost: x\r\n\r\n", 505},
      {"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"a version in lower case", "GET /a http/1.1\r\nHost: x\r\n\r\n", 400},
      {"two blanks before the target", "GET  /a HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"two blanks before the version", "GET /a  HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"a blank behind the version", "GET /a HTTP/1.1 \r\nHost: x\r\n\r\n", 400},
      {"a blank before the method", " GET /a HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"a method that is no token", "G(T /a HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"no method", "/a HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"three empty lines first", "\r\n\r\n\r\nGET /a HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"a response", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 400},
      {"TLS spoken to a plain port", "\x16\x03\x01\x02\x01\x01\r\n\r\n", 400},

      // The target: RFC 9112 3.2.
      {"UTF-8 in the target", "GET /a\xc3\xa4 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"a fragment", "GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"a tab in the target", "GET /a\tb HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"a NUL in the target", with_nul("GET /a@ HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
      {"DEL in the target", "GET /a\x7f HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"a relative target", "GET a HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"the asterisk", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"the authority form", "CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n", 400},
      {"another scheme", "GET ftp://x/a HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"an absolute target without a path", "GET http://x HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"an absolute target without a host", "GET http:///a HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"an absolute target whose query looks like a path", "GET http://x?/a HTTP/1.1\r\nHost: x\r\n\r\n",
       400},

      // Limits.
      {"a body beyond the endpoint's limit", post + "Content-Length: 33\r\n\r\n", 413},
      {"a body where none is taken", "POST /none HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na", 413},
      {"a body for nobody", "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na", 404},
      {"a chunked body for nobody",
       "POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", 404},
      {"a chunk beyond the endpoint's limit", chunked + "21\r\n" + std::string(33, 'a') + "\r\n0\r\n\r\n",
       413},
      {"chunks beyond it together", chunked + "20\r\n" + std::string(32, 'a') + "\r\n1\r\na\r\n0\r\n\r\n",
       413},
      {"a chunk without a size", chunked + "\r\na\r\n0\r\n\r\n", 400},
      {"a chunk size that is no number", chunked + "g\r\na\r\n0\r\n\r\n", 400},
      {"a chunk size with a sign", chunked + "+1\r\na\r\n0\r\n\r\n", 400},
      {"a chunk size in C's notation", chunked + "0x1\r\na\r\n0\r\n\r\n", 400},
      {"a chunk size beyond 64 bits", chunked + "10000000000000001\r\na\r\n0\r\n\r\n", 400},
      {"a chunk longer than its size", chunked + "1\r\nab\r\n0\r\n\r\n", 400},
      {"a bare LF behind a chunk size", chunked + "1\na\r\n0\r\n\r\n", 400},
      {"a chunk extension without end", chunked + "1;" + std::string(4096, 'x'), 413},
      {"a trailer without end", chunked + "0\r\nA: " + std::string(4096, 'x'), 413},
      {"a length among the trailers", chunked + "1\r\na\r\n0\r\nContent-Length: 1\r\n\r\n", 400},
      {"a coding among the trailers", chunked + "1\r\na\r\n0\r\nTransfer-Encoding: x\r\n\r\n", 400},
      {"a folded trailer", chunked + "1\r\na\r\n0\r\nA:\r\n b\r\n\r\n", 400},
      {"a header section without end", "GET /a HTTP/1.1\r\nHost: x\r\nA: " + std::string(1024, 'x'), 431},
      {"a complete header section beyond its limit", get + "A: " + std::string(1024, 'x') + "\r\n\r\n", 431},
      {"an endless request line", "GET /" + std::string(2048, 'a'), 431},

      // Expectations: RFC 9110 10.1.1.
      {"an unknown expectation", post + "Expect: the-spanish-inquisition\r\nContent-Length: 1\r\n\r\n", 417},
  };
}

TEST(RequestReader, RefusesWhatTwoReadersCouldReadInTwoWays) {
  for (const Refusal& test : refusals()) {
    SCOPED_TRACE(test.name);
    ReadRequest request;
    const ReadResult result = read_request(test.octets, limits(), request);
    EXPECT_EQ(result.state, ReadResult::State::refused);
    EXPECT_EQ(result.status, test.status);
    EXPECT_EQ(result.consumed, 0u);
  }
}

// Whoever sends one octet at a time gets no further than whoever sends all at once.
TEST(RequestReader, RefusesOrWaitsAtEveryCutOfABadRequest) {
  for (const Refusal& test : refusals()) {
    SCOPED_TRACE(test.name);
    for (std::size_t size = 0; size <= test.octets.size(); ++size) {
      ReadRequest request;
      const ReadResult result = read_request(test.octets.substr(0, size), limits(), request);
      EXPECT_NE(result.state, ReadResult::State::complete) << "after " << size << " octets";
    }
  }
}

struct Good {
  const char* name;
  std::string octets;
  Method method;
  std::string_view path, query, body;
  bool keep_alive = true;
};

std::vector<Good> goods() {
  return {
      {"a plain GET", "GET /a HTTP/1.1\r\nHost: x\r\n\r\n", Method::get, "/a", "", ""},
      {"a query", "GET /a/b?c=d?e HTTP/1.1\r\nHost: x\r\n\r\n", Method::get, "/a/b", "c=d?e", ""},
      {"an empty query", "GET /a? HTTP/1.1\r\nHost: x\r\n\r\n", Method::get, "/a", "", ""},
      {"percent escapes as they stand", "GET /a%2Fb HTTP/1.1\r\nHost: x\r\n\r\n", Method::get, "/a%2Fb", "",
       ""},
      {"absolute form", "GET http://x/a?b HTTP/1.1\r\nHost: x\r\n\r\n", Method::get, "/a", "b", ""},
      {"absolute form over TLS", "GET https://x:8443/a HTTP/1.1\r\nHost: x\r\n\r\n", Method::get, "/a", "",
       ""},
      {"an empty line first", "\r\nGET /a HTTP/1.1\r\nHost: x\r\n\r\n", Method::get, "/a", "", ""},
      {"no white space before a value", "GET /a HTTP/1.1\r\nHost:x\r\n\r\n", Method::get, "/a", "", ""},
      {"an empty Host", "GET /a HTTP/1.1\r\nHost:\r\n\r\n", Method::get, "/a", "", ""},
      {"HTTP/1.0 without Host", "GET /a HTTP/1.0\r\n\r\n", Method::get, "/a", "", "", false},
      {"HTTP/1.0 that wants to stay", "GET /a HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", Method::get, "/a",
       "", "", true},
      {"HTTP/1.0 that wants both", "GET /a HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", Method::get,
       "/a", "", "", false},
      {"close", "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", Method::get, "/a", "", "", false},
      {"close among others", "GET /a HTTP/1.1\r\nHost: x\r\nConnection: te , CLOSE\r\n\r\n", Method::get,
       "/a", "", "", false},
      {"close in a second line", "GET /a HTTP/1.1\r\nHost: x\r\nConnection: te\r\nConnection: close\r\n\r\n",
       Method::get, "/a", "", "", false},
      {"something that begins like close", "GET /a HTTP/1.1\r\nHost: x\r\nConnection: closed\r\n\r\n",
       Method::get, "/a", "", "", true},
      {"a method in lower case is another", "get /a HTTP/1.1\r\nHost: x\r\n\r\n", Method::other, "/a", "",
       ""},
      {"HEAD", "HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n", Method::head, "/a", "", ""},
      {"PUT", "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", Method::put, "/a", "", ""},
      {"PATCH", "PATCH /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx", Method::patch, "/a", "", "x"},
      {"DELETE", "DELETE /a HTTP/1.1\r\nHost: x\r\n\r\n", Method::del, "/a", "", ""},
      {"OPTIONS", "OPTIONS /a HTTP/1.1\r\nHost: x\r\n\r\n", Method::options, "/a", "", ""},
      {"a body", "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", Method::post, "/a", "",
       "abc"},
      {"a body of all that is allowed",
       "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 32\r\n\r\n0123456789abcdef0123456789abcdef",
       Method::post, "/a", "", "0123456789abcdef0123456789abcdef"},
      {"a length with zeros in front", "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 003\r\n\r\nabc",
       Method::post, "/a", "", "abc"},
      {"no body where none is taken", "POST /none HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
       Method::post, "/none", "", ""},
      {"an empty body for nobody", "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", Method::post,
       "/b", "", ""},
      {"chunks",
       "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
       Method::post, "/a", "", "abc"},
      {"chunks by another spelling",
       "POST /a HTTP/1.1\r\nHost: x\r\nTRANSFER-ENCODING:  Chunked \r\n\r\n02\r\nab\r\n0\r\n\r\n",
       Method::post, "/a", "", "ab"},
      {"a hexadecimal chunk size",
       "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n",
       Method::post, "/a", "", "0123456789"},
      {"a chunk extension",
       "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;a=\"b\"\r\nx\r\n0\r\n\r\n",
       Method::post, "/a", "", "x"},
      {"no chunks", "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       Method::post, "/a", "", ""},
  };
}

TEST(RequestReader, ReadsWhatRfc9112Allows) {
  for (const Good& test : goods()) {
    SCOPED_TRACE(test.name);
    ReadRequest request;
    const ReadResult result = read_request(test.octets, limits(), request);
    ASSERT_EQ(result.state, ReadResult::State::complete) << result.status;
    EXPECT_EQ(result.consumed, test.octets.size());
    EXPECT_EQ(request.method, test.method);
    EXPECT_EQ(request.path, test.path);
    EXPECT_EQ(request.query, test.query);
    EXPECT_EQ(as_text(request.body), test.body);
    EXPECT_EQ(request.keep_alive, test.keep_alive);
  }
}

TEST(RequestReader, WaitsForEveryOctetOfAGoodRequest) {
  for (const Good& test : goods()) {
    SCOPED_TRACE(test.name);
    for (std::size_t size = 0; size < test.octets.size(); ++size) {
      ReadRequest request;
      const ReadResult result = read_request(test.octets.substr(0, size), limits(), request);
      EXPECT_EQ(result.state, ReadResult::State::incomplete) << "after " << size << " octets";
    }
  }
}

TEST(RequestReader, TakesOneRequestOfAPipelineAtATime) {
  std::string pipeline;
  for (const Good& test : goods()) pipeline += test.octets;
  std::string_view rest = pipeline;
  ReadRequest request;  // one for all, as a connection does
  for (const Good& test : goods()) {
    SCOPED_TRACE(test.name);
    const ReadResult result = read_request(rest, limits(), request);
    ASSERT_EQ(result.state, ReadResult::State::complete);
    ASSERT_EQ(result.consumed, test.octets.size());
    EXPECT_EQ(request.path, test.path);
    EXPECT_EQ(as_text(request.body), test.body);
    EXPECT_EQ(request.keep_alive, test.keep_alive);
    rest.remove_prefix(result.consumed);
  }
  EXPECT_TRUE(rest.empty());
}

TEST(RequestReader, SaysHowMuchIsMissing) {
  const std::string head = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n";
  ReadRequest request;
  ReadResult result = read_request(head.substr(0, 20), limits(), request);
  EXPECT_FALSE(result.header_complete);
  EXPECT_EQ(result.wanted, 0u);
  result = read_request(head + "abc", limits(), request);
  EXPECT_TRUE(result.header_complete);
  EXPECT_EQ(result.wanted, head.size() + 10);
  result = read_request("\r\n" + head + "abc", limits(), request);
  EXPECT_EQ(result.wanted, head.size() + 12);
}

TEST(RequestReader, KeepsFieldsInOrderAndAsTheyStand) {
  ReadRequest request;
  const std::string octets = "GET /a HTTP/1.1\r\nHost: x\r\nA:  b c \t\r\na: \xc3\xa4\r\nEmpty:\r\n\r\n";
  ASSERT_EQ(read_request(octets, limits(), request).state, ReadResult::State::complete);
  ASSERT_EQ(request.headers.size(), 4u);
  EXPECT_EQ(request.headers[1].name, "A");
  EXPECT_EQ(request.headers[1].value, "b c");
  EXPECT_EQ(request.headers[2].value, "\xc3\xa4");
  EXPECT_EQ(request.headers[3].value, "");
}

// RFC 9110 6.5.1: a recipient must not merge trailer fields into the header section.
TEST(RequestReader, LeavesTrailersOut) {
  ReadRequest request;
  const std::string octets =
      "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"
      "X-Client-Certificate: forged\r\nHost: y\r\nConnection: close\r\n\r\n";
  const ReadResult result = read_request(octets, limits(), request);
  ASSERT_EQ(result.state, ReadResult::State::complete) << result.status;
  EXPECT_EQ(result.consumed, octets.size());
  EXPECT_EQ(request.headers.size(), 2u);
  EXPECT_EQ(as_text(request.body), "a");
  EXPECT_TRUE(request.keep_alive);
}

struct Expectation {
  const char* name;
  std::string octets;
  bool expects;
};

TEST(RequestReader, NoticesWhoWaitsForContinue) {
  const Expectation table[] = {
      {"a client that waits",
       "POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n", true},
      // RFC 9110 10.1.1: "A server that receives a 100-continue expectation in an HTTP/1.0 request MUST
      // ignore that expectation."
      {"HTTP/1.0", "POST /a HTTP/1.0\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n", false},
      {"a client that does not", "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n", false},
  };
  for (const Expectation& test : table) {
    SCOPED_TRACE(test.name);
    ReadRequest request;
    const ReadResult result = read_request(test.octets, limits(), request);
    EXPECT_EQ(result.state, ReadResult::State::incomplete);
    EXPECT_TRUE(result.header_complete);
    EXPECT_EQ(request.expects_continue, test.expects);
  }
}

TEST(RequestReader, BoundsTheTargetApartFromTheHeaderSection) {
  ReadLimits wide = limits();
  wide.header = 64 * 1024;
  ReadRequest request;
  const auto ask = [&](std::size_t size) {
    return read_request("GET /" + std::string(size - 1, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n", wide, request);
  };
  EXPECT_EQ(ask(8 * 1024).state, ReadResult::State::complete);
  EXPECT_EQ(ask(8 * 1024 + 1).status, 414);
}

TEST(RequestReader, MovesItsViewsWithTheOctets) {
  for (const Good& test : goods()) {
    SCOPED_TRACE(test.name);
    ReadRequest request;
    std::string before = test.octets;
    ASSERT_EQ(read_request(before, limits(), request).state, ReadResult::State::complete);
    const std::string after = before;
    request.move_to(before.data(), after.data());
    std::ranges::fill(before, '?');
    EXPECT_EQ(request.path, test.path);
    EXPECT_EQ(request.query, test.query);
    EXPECT_EQ(as_text(request.body), test.body);
    for (const HeaderView& header : request.headers) EXPECT_EQ(header.name.find('?'), std::string_view::npos);
  }
}

}  // namespace
}  // namespace hanaper::http
