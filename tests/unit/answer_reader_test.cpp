// What strangers' servers answer, in whatever pieces.
#include "http/answer_reader.hpp"

#include <gtest/gtest.h>

namespace hanaper::http {
namespace {

struct Row {
  const char* name;
  std::string answer;
  bool closes;       // the connection ends behind it
  const char* body;  // null: refused
};

const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

const std::string hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
const std::string last = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody";

std::string times(int count, const std::string& text) {
  std::string all;
  while (count-- > 0) all += text;
  return all;
}

const Row rows[] = {
    {"of a length", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody", false, "body"},
    {"of no length", "HTTP/1.1 200 OK\r\n\r\nbody", true, "body"},
    {"nothing in chunks", chunked + "0\r\n\r\n", false, ""},
    {"one chunk", chunked + "4\r\nbody\r\n0\r\n\r\n", false, "body"},
    {"chunks of one octet", chunked + "1\r\nb\r\n3\r\nody\r\n0\r\n\r\n", false, "body"},
    {"extensions and a trailer", chunked + "4;a=b\r\nbody\r\n0;c\r\nName: value\r\n\r\n", false, "body"},
    {"a trailer that is none", chunked + "0\r\nt\r\n\r\n", false, nullptr},
    {"chunks without an end", chunked + "4\r\nbody\r\n0\r\n", true, nullptr},
    {"half a chunk", chunked + "4\r\nbo", true, nullptr},
    {"more than was asked for", "HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n", false, nullptr},
    {"one of 1xx before it", "HTTP/1.1 100 Continue\r\n\r\n" + last, false, "body"},
    {"one of 1xx before chunks", hints + chunked + "4\r\nbody\r\n0\r\n\r\n", false, "body"},
    {"one of 1xx that says it has a body", "HTTP/1.1 102 Wait\r\nContent-Length: 4\r\n\r\n" + last, false,
     "body"},
    {"one of 1xx that says it has chunks", "HTTP/1.1 102 Wait\r\nTransfer-Encoding: chunked\r\n\r\n" + last,
     false, "body"},
    {"five of 1xx before it", times(5, hints) + last, false, "body"},
    {"six of 1xx before it", times(6, hints) + last, false, nullptr},
    {"nothing behind one of 1xx", hints, true, nullptr},
    {"half a head behind one of 1xx", hints + "HTTP/1.1 200 OK\r\nContent-Le", true, nullptr},
    {"another protocol", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n" + last, false, nullptr},
    {"no HTTP", "SSH-2.0-OpenSSH_9.2\r\n\r\n", true, nullptr},
    {"nothing", "", true, nullptr},
};

// The body, or nothing for what is refused.
std::optional<std::string> read(const Row& row, std::size_t piece) {
  AnswerReader reader(ByteCount{1000});
  bool done = false;
  for (std::size_t at = 0; at < row.answer.size() && !done; at += piece) {
    const auto taken = reader.take(std::string_view(row.answer).substr(at, piece));
    if (!taken) return std::nullopt;
    done = *taken;
  }
  if (!done && row.closes) done = reader.end().has_value();
  return done ? std::optional(reader.body()) : std::nullopt;
}

TEST(Answers, AreTheSameInWhateverPiecesTheyCome) {
  for (const Row& row : rows)
    for (std::size_t piece = 1; piece <= std::max<std::size_t>(row.answer.size(), 1); ++piece) {
      SCOPED_TRACE(std::string(row.name) + ", in pieces of " + std::to_string(piece));
      const auto body = read(row, piece);
      EXPECT_EQ(body.value_or("refused"), row.body != nullptr ? row.body : "refused");
    }
}

TEST(Answers, GiveTheirFields) {
  AnswerReader reader(ByteCount{1000});
  ASSERT_TRUE(
      *reader.take("HTTP/1.1 103 Early Hints\r\nX-B: of another\r\n\r\nHTTP/1.1 503 Busy\r\nRetry-After: "
                   "7\r\nX-A: one\r\nContent-Length: 0\r\nx-a:  two\r\n\r\n"));
  const OutboundAnswer answer{reader.status(), reader.body(), "", reader.fields()};
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.field("retry-after"), "7");
  EXPECT_EQ(answer.field("X-A"), "one") << "the first of that name";
  EXPECT_EQ(answer.field("X-B"), "");
}

}  // namespace
}  // namespace hanaper::http
