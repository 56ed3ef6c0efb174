// What answers an http-01 validation, in pieces, and where it redirects to.
#include "fuzz.hpp"
#include "http/answer_reader.hpp"
#include "methods.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hanaper;
  if (size == 0) return 0;
  const std::size_t piece = std::size_t{data[0]} + 1;
  std::string_view rest = fuzz::text_of(data, size).substr(1);
  http::AnswerReader reader(ByteCount{4096});
  bool done = false;
  while (!rest.empty() && !done) {
    const auto taken = reader.take(rest.substr(0, piece));
    if (!taken) return 0;
    done = *taken;
    rest.remove_prefix(std::min(piece, rest.size()));
  }
  if (!done && !reader.end()) return 0;
  fuzz::require(reader.body().size() <= 4096);
  (void)acme::judge_http_01(reader.body(), "token.thumbprint");
  OutboundRequest from;
  from.host = "host.example.test";
  from.port = 8080;
  const OutboundAnswer answer{reader.status(), "", "", reader.fields()};
  if (const auto next = http::redirected(from, answer.field("Location"))) {
    fuzz::require(!next->host.empty() && !next->target.empty() && next->target.front() == '/');
    fuzz::require(next->port == 80 || next->port == 443 || next->port == 8080);
    fuzz::require(next->target.find_first_of("\r\n ") == std::string::npos);
    fuzz::require(next->host.find_first_of("\r\n ") == std::string::npos);
  }
  return 0;
}
