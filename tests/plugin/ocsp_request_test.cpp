#include "ocsp_support.hpp"

#include <request.hpp>

#include <gtest/gtest.h>

namespace hanaper::test {
namespace {

Write raw(Bytes octets) {
  return [octets = std::move(octets)](der::Writer& writer) { writer.raw(octets); };
}

Bytes joined(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// Where each tag of the encoding stands, depth first.
void find_headers(ByteView whole, std::size_t at, std::size_t end, std::vector<std::size_t>& headers) {
  while (at < end) {
    headers.push_back(at);
    const std::size_t length = whole[at + 1];  // the plain request is short
    if (whole[at] & 0x20) find_headers(whole, at + 2, at + 2 + length, headers);
    at += 2 + length;
  }
}

// Every element of a right request with another tag, a wrong length, an indefinite one, a long form.
void add_mutations(std::vector<NamedRequest>& cases) {
  const Bytes right = make_request();
  std::vector<std::size_t> headers;
  find_headers(right, 0, right.size(), headers);
  for (std::size_t at : headers) {
    const std::string where = "At" + std::to_string(at);
    const auto change = [&](const char* name, std::size_t octet, int value) {
      Bytes wrong = right;
      wrong[octet] = static_cast<std::uint8_t>(value);
      cases.push_back({name + where, std::move(wrong)});
    };
    change("AnotherTag", at, right[at] ^ 0x40);
    change("ALengthTooLong", at + 1, right[at + 1] + 1);
    if (right[at + 1] > 0) change("ALengthTooShort", at + 1, right[at + 1] - 1);
    change("AnIndefiniteLength", at + 1, 0x80);
    Bytes long_form = right;
    long_form.insert(long_form.begin() + static_cast<std::ptrdiff_t>(at + 1), 0x81);
    cases.push_back({"ALongFormOfAShortLength" + where, std::move(long_form)});
  }
  for (std::size_t size : {std::size_t{1}, std::size_t{2}, std::size_t{10}, right.size() - 1})
    cases.push_back({"CutOffAfter" + std::to_string(size),
                     Bytes(right.begin(), right.begin() + static_cast<std::ptrdiff_t>(size))});
}

}  // namespace

std::vector<NamedRequest> malformed_requests() {
  std::vector<NamedRequest> cases;
  add_mutations(cases);
  const auto add = [&](const char* name, auto change) {
    RequestParts parts;
    change(parts);
    cases.push_back({name, make_request(parts)});
  };
  add("NoCertificate", [](auto& p) { p.certificates = 0; });
  add("TooManyCertificates", [](auto& p) { p.certificates = 33; });
  add("AHashOfTooManyOctets", [](auto& p) { p.name_hash = Bytes(65, 1); });
  add("AKeyHashOfTooManyOctets", [](auto& p) { p.key_hash = Bytes(65, 1); });
  add("ASerialOfTooManyOctets", [](auto& p) { p.serial = Bytes(33, 1); });
  add("ASerialWithALeadingZero", [](auto& p) { p.serial = {0, 5}; });
  add("ASerialWithALeadingFf", [](auto& p) { p.serial = {0xff, 0xff}; });
  add("ASerialWithoutOctets", [](auto& p) { p.serial = {}; });
  add("AnOidWithoutOctets", [](auto& p) { p.hash = {}; });
  add("AnOidThatDoesNotEnd", [](auto& p) { p.hash = {0x2a, 0x86}; });
  add("AnOidWithAPaddedArc", [](auto& p) { p.hash = {0x2a, 0x80, 0x01}; });
  add("DigestParametersThatAreNoNull", [](auto& p) { p.parameters = raw({4, 1, 0}); });
  add("ANullWithContent", [](auto& p) { p.parameters = raw({5, 1, 0}); });
  add("TwoDigestParameters", [](auto& p) { p.parameters = raw({5, 0, 5, 0}); });
  add("AVersionOtherThanV1", [](auto& p) { p.before_list = raw({0xa0, 3, 2, 1, 1}); });
  add("AVersionWithoutValue", [](auto& p) { p.before_list = raw({0xa0, 0}); });
  add("ANegativeVersion", [](auto& p) { p.before_list = raw({0xa0, 3, 2, 1, 0xff}); });
  add("TwoVersions", [](auto& p) { p.before_list = raw({0xa0, 6, 2, 1, 0, 2, 1, 0}); });
  add("ARequestorNameThatIsNone", [](auto& p) { p.before_list = raw({0xa1, 3, 4, 1, 7}); });
  add("ARequestorNameOfAnUnknownChoice", [](auto& p) { p.before_list = raw({0xa1, 3, 0x89, 1, 7}); });
  add("AnEmptyRequestorName", [](auto& p) { p.before_list = raw({0xa1, 0}); });
  add("TwoRequestorNames", [](auto& p) { p.before_list = raw({0xa1, 6, 0x82, 1, 'a', 0x82, 1, 'b'}); });
  add("SomethingBehindTheRequestList", [](auto& p) { p.after_list = raw({5, 0}); });
  add("SomethingBehindTheCertId", [](auto& p) { p.after_id = raw({5, 0}); });
  add("SomethingBehindTheRequest", [](auto& p) { p.after_tbs = raw({5, 0}); });
  add("AnEmptyListOfExtensions", [](auto& p) { p.after_list = extensions({}); });
  add("AnEmptyListOfExtensionsOfACertificate", [](auto& p) { p.after_id = extensions({}, 0); });
  add("ExtensionsUnderAnotherTag", [](auto& p) { p.after_list = extensions({{}}, 3); });
  add("TwoNonces", [](auto& p) { p.after_list = extensions({{}, {}}); });
  add("ANonceWithoutOctets", [](auto& p) { p.after_list = extensions({{.value = nonce_value(0)}}); });
  add("ANonceOfTooManyOctets", [](auto& p) { p.after_list = extensions({{.value = nonce_value(129)}}); });
  add("ANonceThatIsNoOctetString", [](auto& p) { p.after_list = extensions({{.value = {2, 1, 7}}}); });
  add("ANonceWithoutItsWrapping", [](auto& p) { p.after_list = extensions({{.value = {7, 7, 7, 7}}}); });
  add("ANonceWithSomethingBehindIt", [](auto& p) {
    p.after_list = extensions({{.value = {4, 1, 7, 5, 0}}});
  });
  add("ACriticalExtensionThatNobodyKnows", [](auto& p) {
    p.after_list = extensions({{.oid = {0x2a, 3, 4}, .critical = true}});
  });
  add("ACriticalExtensionOfACertificate", [](auto& p) {
    p.after_id = extensions({{.oid = {0x2a, 3, 4}, .critical = true}}, 0);
  });
  add("PreferredAlgorithmsThatAreNoList", [](auto& p) {
    p.after_list = extensions({{.oid = to_bytes(oid::ocsp_preferred_algorithms), .value = {4, 0}}});
  });
  add("PreferredAlgorithmsWithoutAlgorithm", [](auto& p) {
    p.after_list =
        extensions({{.oid = to_bytes(oid::ocsp_preferred_algorithms), .value = {0x30, 2, 0x30, 0}}});
  });
  add("ASignatureWithoutContent", [](auto& p) { p.after_tbs = raw({0xa0, 0}); });
  add("ASignatureWithoutBits", [](auto& p) { p.after_tbs = raw({0xa0, 4, 0x30, 2, 0x30, 0}); });
  add("ASignatureOfNoBits", [](auto& p) { p.after_tbs = raw({0xa0, 7, 0x30, 5, 0x30, 0, 3, 1, 0}); });
  add("ASignatureWithUnusedBits", [](auto& p) {
    p.after_tbs = raw({0xa0, 8, 0x30, 6, 0x30, 0, 3, 2, 1, 2});
  });
  cases.push_back({"Nothing", {}});
  cases.push_back({"AnEmptySequence", {0x30, 0}});
  cases.push_back({"Text", to_bytes(as_bytes("hello"))});
  cases.push_back({"SomethingBehindTheWhole", joined(make_request(), {0})});
  cases.push_back({"TwoRequests", joined(make_request(), make_request())});
  cases.push_back({"MoreThanTheLimit", joined(make_request(), Bytes(ocsp::request_limit, 0))});
  return cases;
}

namespace {

TEST(OcspRequest, RefusesEveryMalformedOne) {
  const std::vector<NamedRequest> cases = malformed_requests();
  EXPECT_GE(cases.size(), 80u);
  for (const NamedRequest& test : cases) {
    EXPECT_FALSE(ocsp::parse_request(test.der, true)) << test.name;
    EXPECT_FALSE(ocsp::parse_plain_request(test.der)) << test.name;
  }
}

TEST(OcspRequest, ReadsAPlainOneTheSameOnBothWays) {
  const Bytes der = make_request();
  const auto whole = ocsp::parse_request(der, true);
  ASSERT_TRUE(whole) << whole.error().detail;
  ASSERT_EQ(whole->ids.size(), 1u);
  const ocsp::CertId& id = whole->ids.front();
  EXPECT_TRUE(oid::sha1 == id.hash);
  EXPECT_TRUE(equal(id.name_hash, Bytes(20, 1)));
  EXPECT_TRUE(equal(id.key_hash, Bytes(20, 0x41)));
  EXPECT_TRUE(equal(id.serial, Bytes{5}));
  const auto plain = ocsp::parse_plain_request(der);
  ASSERT_TRUE(plain);
  EXPECT_TRUE(equal(plain->whole, id.whole));
}

struct GoodRequest {
  const char* name;
  std::function<void(RequestParts&)> change;
};

TEST(OcspRequest, ReadsWhatClientsAddToIt) {
  const GoodRequest cases[] = {
      {"AnExplicitVersion",
       [](auto& p) {
         p.before_list = raw({0xa0, 3, 2, 1, 0});
       }},
      {"ARequestorName",
       [](auto& p) {
         p.before_list = raw({0xa1, 3, 0x82, 1, 'a'});
       }},
      {"AbsentDigestParameters", [](auto& p) { p.parameters = [](der::Writer&) {}; }},
      {"ANegativeSerial", [](auto& p) { p.serial = {0x80}; }},
      {"ManyCertificates", [](auto& p) { p.certificates = 32; }},
      {"AnUnknownExtension",
       [](auto& p) {
         p.after_list = extensions({{.oid = {0x2a, 3, 4}}});
       }},
      {"AnUnknownExtensionOfACertificate",
       [](auto& p) {
         p.after_id = extensions({{.oid = {0x2a, 3, 4}}}, 0);
       }},
      {"AcceptableResponseTypes",
       [](auto& p) {
         p.after_list =
             extensions({{.oid = to_bytes(oid::ocsp_response), .value = {0x30, 0}, .critical = true}});
       }},
      {"ASignature",
       [](auto& p) {
         p.after_tbs = raw({0xa0, 8, 0x30, 6, 0x30, 0, 3, 2, 0, 2});
       }},
      {"ASignatureWithCertificates",
       [](auto& p) {
         p.after_tbs = raw({0xa0, 12, 0x30, 10, 0x30, 0, 3, 2, 0, 2, 0xa0, 2, 0x30, 0});
       }},
  };
  for (const GoodRequest& test : cases) {
    RequestParts parts;
    test.change(parts);
    const auto request = ocsp::parse_request(make_request(parts), true);
    EXPECT_TRUE(request) << test.name << ": " << request.error().detail;
  }
}

TEST(OcspRequest, TakesNoncesOf1To128Octets) {
  for (std::size_t octets : {1u, 16u, 32u, 128u}) {
    RequestParts parts;
    parts.after_list = extensions({{.value = nonce_value(octets)}});
    const Bytes der = make_request(parts);
    const auto request = ocsp::parse_request(der, true);
    ASSERT_TRUE(request) << request.error().detail;
    EXPECT_EQ(request->nonce->size(), octets);
    EXPECT_FALSE(ocsp::parse_plain_request(der)) << "its answer is for one client only";
  }
  RequestParts parts;
  parts.after_list = extensions({{.value = nonce_value(0)}});
  const auto request = ocsp::parse_request(make_request(parts), false);
  ASSERT_TRUE(request) << "nobody looks";
  EXPECT_FALSE(request->nonce);
}

TEST(OcspPath, ReadsEverySpellingOfTheSameRequest) {
  // These octets need '+' and '/' and padding.
  const Bytes octets = {0x30, 0xfb, 0xef, 0xbe, 0xff, 0xff, 0xff, 0x01};
  for (const char* path : {"/MPvvvv///wE=", "/MPvvvv///wE", "/MPvvvv%2F%2f%2FwE%3D", "/MPvvvv___wE",
                           "//MPvvvv///wE=", "MPvvvv///wE=", "/%4dPvvvv///wE="}) {
    const auto decoded = ocsp::decode_path(path);
    ASSERT_TRUE(decoded) << path << ": " << decoded.error().detail;
    EXPECT_EQ(*decoded, octets) << path;
  }
  EXPECT_EQ(*ocsp::decode_path("/MPv-vv__"), *ocsp::decode_path("/MPv+vv//"));
}

TEST(OcspPath, TakesWhatClientsAndProxiesMakeOfOne) {
  struct Spelling {
    const char* name;
    Bytes octets;
    std::vector<const char*> paths;
  };
  const Spelling table[] = {
      {"with padding", {0x30, 0x02, 0xfb, 0xef}, {"/MAL77w==", "/MAL77w==/", "/MAL77w/", "/MAL77w%3D%3D/"}},
      {"that needs none",
       {0x30, 0x04, 0xfb, 0xef, 0xff, 0xff},
       {"/MAT77///", "/MAT77////", "/MAT77%2F%2F%2F/"}},
      {"whose last digit is a slash", {0x30, 0x01, 0x3f}, {"/MAE/", "/MAE//"}},
      {"with one octet of padding", {0x30, 0x03, 0xff, 0xff, 0xff}, {"/MAP///8=", "/MAP///8=/", "/MAP///8/"}},
      {"with a blank for a plus",
       {0x30, 0x04, 0xfb, 0xef, 0xbf, 0xbe},
       {"/MAT777++", "/MAT777%2B%2b", "/MAT777%20%20", "/MAT777+%20/"}},
      {"in lines", {0x30, 0x02, 0xfb, 0xef}, {"/MAL7%0A7w==", "/MAL7%0D%0A7w==%0D%0A", "/%0aMAL77w=%0A="}},
  };
  for (const Spelling& test : table)
    for (const char* path : test.paths) {
      SCOPED_TRACE(std::string(test.name) + ": " + path);
      const auto decoded = ocsp::decode_path(path);
      ASSERT_TRUE(decoded) << decoded.error().detail;
      EXPECT_EQ(to_hex(*decoded), to_hex(test.octets));
    }
}

TEST(OcspPath, RefusesWhatIsNoBase64) {
  for (const char* path : {"", "/", "//", "/M", "/MA=", "/MA===", "/MAA==", "/MB==", "/M=A=", "/MA%", "/MA%3",
                           "/MA%zz", "/MAAA!", "/MA A", "/MAAA%00", "/====", "/MAA\xff"})
    EXPECT_FALSE(ocsp::decode_path(path)) << path;
  EXPECT_FALSE(ocsp::decode_path(std::string(3 * ocsp::request_limit, 'A')));
}

}  // namespace
}  // namespace hanaper::test
