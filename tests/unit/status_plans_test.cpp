// Where the status of certificates is found, as protocols of any origin say it.
#include "node_support.hpp"
#include "socket_support.hpp"

#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/files.hpp>

namespace hanaper::test {
namespace {

std::string protocol(const std::string& name, const std::string& plugin, const std::string& settings) {
  return "[protocol." + name + "]\nplugin = \"" + plugin + "\"\nlistener = \"plain\"\npath = \"/" + name +
         "\"\n" + settings + "\n";
}

std::string two_authorities() {
  return R"(
[listener.plain]
bind = "127.0.0.1:)" +
         std::to_string(sockets::free_port()) + R"("
url = "http://pki.example.test"
health = true
[authority.other]
key = "soft:other"
subject = "CN=Other"
[profile.mail]
lifetime = "90d"
usages = ["email-protection"]
names = ["email"]
[pipeline.mail]
authority = "other"
profiles = ["mail"]
)";
}

std::string claiming(const std::string& claim) {
  return protocol("unruly", "unruly", "authorities = [\"issuing\"]\nclaim = \"" + claim + "\"");
}

struct Claim {
  const char* name;
  std::string protocols;
  std::vector<std::string> refusals;  // each is part of one line; none: all fits
  const char* told = "";
};
std::ostream& operator<<(std::ostream& out, const Claim& of) { return out << of.name; }

class StatusClaims : public NodeFixture, public ::testing::WithParamInterface<Claim> {};

TEST_P(StatusClaims, AreTakenOrRefusedInWords) {
  Node node(model(configuration("", two_authorities() + GetParam().protocols)), catalog_, logger_);
  tell(GetParam().told);
  const std::vector<std::string> failures = node.configure();
  tell("");
  std::string all;
  for (const std::string& line : failures) all += line + "\n";
  ASSERT_EQ(failures.size(), GetParam().refusals.size()) << all;
  for (std::size_t i = 0; i < failures.size(); ++i)
    EXPECT_NE(failures[i].find(GetParam().refusals[i]), std::string::npos) << all;
}

const std::string one = "authorities = [\"issuing\"]", both = "authorities = [\"issuing\", \"other\"]";

const Claim claims[] = {
    {"nobody serves it", "", {}},
    {"the shipped ones", protocol("crl", "crl", both) + protocol("ocsp", "ocsp", both), {}},
    {"a third party's", claiming("good"), {}},
    {"a third party's and OCSP of ours", claiming("good") + protocol("ocsp", "ocsp", both), {}},
    {"a third party's with shards", claiming("shards"), {}},
    {"a third party's that one authority signs",
     protocol("unruly", "unruly", both + "\nclaim = \"indirect\""),
     {}},
    {"CRLs made twice",
     protocol("crl", "crl", one) + claiming("good"),
     {"protocol.unruly.authorities: protocol.crl makes the CRLs of authority issuing already"}},
    {"CRLs made twice by ours",
     protocol("crl", "crl", one) + protocol("more", "crl", both),
     {"protocol.more.authorities: protocol.crl makes the CRLs of authority issuing already"}},
    {"a signer whose own are made elsewhere",
     protocol("crl", "crl", one) + protocol("more", "crl", "authorities = [\"other\"]\nissuer = \"issuing\""),
     {"protocol.more.issuer: protocol.crl makes the CRLs of authority issuing already"}},
    {"a signer that is no authority",
     claiming("foreign-signer"),
     {"protocol.unruly.authorities: the plugin's plan for the CRLs of authority issuing has them signed by "
      "\"nobody\", which is no authority"}},
    {"more shards than there can be",
     claiming("many-shards"),
     {"has 4000000000 shards; at most 1024 are possible"}},
    {"authorities apart from nothing",
     claiming("split-alone"),
     {"sets authorities apart and has no shard for the others"}},
    {"a URL without a scheme",
     claiming("relative-url"),
     {"say \"/list\", which is no absolute URL in ASCII"}},
    {"an empty URL", claiming("empty-url"), {"say \"\", which is no absolute URL in ASCII"}},
    {"a URL beyond ASCII", claiming("odd-url"), {"which is no absolute URL in ASCII"}},
    {"a URL that is too long", claiming("long-url"), {"which is no absolute URL in ASCII"}},
    {"an exception instead of a plan",
     claiming("good"),
     {"protocol.unruly has failed; its exception is in the log"},
     "crl_plan=std"},
    {"an exception instead of URLs",
     claiming("good"),
     {"protocol.unruly has failed; its exception is in the log"},
     "status_urls=int"},
    {"an exception instead of the ability", claiming("good"), {}, "ability=std"},
};
INSTANTIATE_TEST_SUITE_P(Claims, StatusClaims, ::testing::ValuesIn(claims));

std::vector<std::string> places(const std::vector<std::string>& of, const Bytes& certificate) {
  const auto view = *x509::parse_certificate(certificate);
  std::vector<std::string> found;
  for (const std::string& url : of)
    for (const auto& extension : view.extensions)
      if (as_text(extension.value).find(url) != std::string_view::npos) found.push_back(url);
  return found;
}

// It is not ours, and its URLs look like none of ours.
TEST_F(NodeFixture, WritesTheUrlsOfAThirdPartysProtocolIntoCertificates) {
  serve(configuration("", two_authorities() + claiming("good") + protocol("ocsp", "ocsp", one)));
  const auto issued = issue();
  ASSERT_TRUE(issued) << issued.error().detail;
  const std::vector<std::string> urls = {
      "http://status.example.test/issuing/ask", "http://pki.example.test/ocsp",
      "http://status.example.test/issuing/itself", "http://status.example.test/issuing/list/0"};
  EXPECT_EQ(places(urls, issued->certificate), urls);
}

TEST_F(NodeFixture, SpreadsCertificatesOverTheShardsOfAThirdPartysProtocol) {
  serve(configuration("", two_authorities() + claiming("shards")));
  std::set<std::string> seen;
  for (int i = 0; i < 20; ++i) {
    const auto issued = issue();
    ASSERT_TRUE(issued) << issued.error().detail;
    for (const std::string& url :
         places({"/issuing/list/0", "/issuing/list/1", "/issuing/list/2"}, issued->certificate))
      seen.insert(url);
  }
  EXPECT_EQ(seen, (std::set<std::string>{"/issuing/list/1", "/issuing/list/2"}));
}

}  // namespace
}  // namespace hanaper::test
