#include "../unit/temporary_folder.hpp"
#include "ocsp_support.hpp"
#include "validity_support.hpp"

#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/public_key.hpp>
#include <service.hpp>

#include <set>

namespace hanaper::test {
namespace {

using ocsp::ResponseStatus;

class Ocsp : public ::testing::Test {
 protected:
  explicit Ocsp(ocsp::Options options = {.lifetime = std::chrono::hours{24},
                                         .stale = std::chrono::hours{1},
                                         .cache = 10'000})
      : service_(options, host_, {&authority_, &other_}) {}
  void SetUp() override { ASSERT_TRUE(service_.start()); }

  // A CertID's parts for one of the authority's certificates.
  static RequestParts about(const fakes::FakeAuthority& authority, ByteView serial,
                            crypto::Hash hash = crypto::Hash::sha1) {
    const auto view = *x509::parse_certificate(authority.certificate());
    const auto key = *x509::parse_public_key(view.spki);
    RequestParts parts;
    const der::Oid oids[] = {oid::sha1, oid::sha256, oid::sha384, oid::sha512};
    parts.hash = to_bytes(oids[static_cast<std::size_t>(hash)]);
    parts.name_hash = crypto::digest(hash, view.subject);
    parts.key_hash = crypto::digest(hash, key.key_bits);
    parts.serial = to_bytes(serial);
    return parts;
  }

  Response post(const Bytes& der) {
    const Asked asked(Method::post, "", der);
    Call call = fakes::test_call();
    return service_.handle(asked.request, call);
  }
  Response get(const std::string& path, std::vector<HeaderView> headers = {}) {
    const Asked asked(Method::get, path, {}, std::move(headers));
    Call call = fakes::test_call();
    return service_.handle(asked.request, call);
  }
  // The body that the fast way gives; nothing when it declines.
  std::optional<std::string> fast(const Bytes& der) {
    const Asked asked(Method::post, "", der);
    KeptReply reply;
    if (!service_.answer_fast(asked.request, reply)) return std::nullopt;
    return reply.body;
  }

  static int status_of(const std::string& body) {
    const auto* data = reinterpret_cast<const unsigned char*>(body.data());
    const ResponsePointer response(d2i_OCSP_RESPONSE(nullptr, &data, static_cast<long>(body.size())));
    return response ? OCSP_response_status(response.get()) : -1;
  }

  // The basic response of a successful one, verified as a client does.
  BasicPointer verified(const std::string& body, const fakes::FakeAuthority& authority) {
    const auto* data = reinterpret_cast<const unsigned char*>(body.data());
    const ResponsePointer response(d2i_OCSP_RESPONSE(nullptr, &data, static_cast<long>(body.size())));
    EXPECT_TRUE(response && OCSP_response_status(response.get()) == OCSP_RESPONSE_STATUS_SUCCESSFUL);
    BasicPointer basic(response ? OCSP_response_get1_basic(response.get()) : nullptr);
    if (!basic) return nullptr;
    const StorePointer store(X509_STORE_new());
    const X509Pointer issuer = read_certificate(authority.certificate());
    X509_STORE_add_cert(store.get(), issuer.get());
    X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store.get()), seconds_of(host_.manual_clock.now()));
    STACK_OF(X509)* more = sk_X509_new_null();
    sk_X509_push(more, issuer.get());
    EXPECT_EQ(OCSP_basic_verify(basic.get(), more, store.get(), 0), 1);
    sk_X509_free(more);
    return basic;
  }

  struct State {
    int status = -1, reason = -1;
    std::int64_t revoked_at = 0, this_update = 0, next_update = 0;
  };
  State state_of(const std::string& body, const fakes::FakeAuthority& authority, const Serial& serial,
                 const EVP_MD* digest = EVP_sha1()) {
    State state;
    const BasicPointer basic = verified(body, authority);
    if (!basic) return state;
    const X509Pointer issuer = read_certificate(authority.certificate());
    BIGNUM* number = BN_bin2bn(serial.octets().data(), static_cast<int>(serial.octets().size()), nullptr);
    ASN1_INTEGER* integer = BN_to_ASN1_INTEGER(number, nullptr);
    OCSP_CERTID* id = OCSP_cert_id_new(digest, X509_get_subject_name(issuer.get()),
                                       X509_get0_pubkey_bitstr(issuer.get()), integer);
    ASN1_GENERALIZEDTIME *revoked = nullptr, *this_update = nullptr, *next_update = nullptr;
    EXPECT_EQ(OCSP_resp_find_status(basic.get(), id, &state.status, &state.reason, &revoked, &this_update,
                                    &next_update),
              1);
    if (revoked != nullptr) state.revoked_at = seconds_of(revoked);
    if (this_update != nullptr) state.this_update = seconds_of(this_update);
    if (next_update != nullptr) state.next_update = seconds_of(next_update);
    OCSP_CERTID_free(id);
    ASN1_INTEGER_free(integer);
    BN_free(number);
    return state;
  }
  int status_for(const Serial& serial) {
    return state_of(post(make_request(about(authority_, serial.octets()))).body, authority_, serial).status;
  }

  fakes::FakeHost host_;
  fakes::FakeAuthority& authority_ = host_.authority("issuing");
  fakes::FakeAuthority& other_ = host_.authority("other");
  ocsp::Service service_;
};

TEST_F(Ocsp, SaysGoodOnlyOfWhatWasSigned) {
  const Serial issued = authority_.add(10), reserved = authority_.add(11, false);
  EXPECT_EQ(status_for(issued), V_OCSP_CERTSTATUS_GOOD);
  EXPECT_EQ(status_for(reserved), V_OCSP_CERTSTATUS_UNKNOWN);
  EXPECT_EQ(status_for(*Serial::from_text("01aa")), V_OCSP_CERTSTATUS_UNKNOWN);
}

TEST_F(Ocsp, KeepsNothingAboutANumberThatMayBeIssuedNext) {
  const Serial next = other_.add(12);
  const auto request = make_request(about(authority_, next.octets()));
  const auto state = state_of(post(request).body, authority_, next);
  EXPECT_EQ(state.status, V_OCSP_CERTSTATUS_UNKNOWN);
  EXPECT_EQ(state.next_update, state.this_update + 60) << "nor shall others for long";
  EXPECT_FALSE(fast(request));
  ASSERT_EQ(authority_.add(12), next);
  EXPECT_EQ(status_for(next), V_OCSP_CERTSTATUS_GOOD);
}

TEST_F(Ocsp, FollowsACertificateThroughHoldReleaseAndRevocation) {
  const Serial serial = authority_.add(10);
  EXPECT_EQ(status_for(serial), V_OCSP_CERTSTATUS_GOOD);
  authority_.revoke(serial, RevocationReason::certificate_hold);
  const auto request = make_request(about(authority_, serial.octets()));
  auto state = state_of(post(request).body, authority_, serial);
  EXPECT_EQ(state.status, V_OCSP_CERTSTATUS_REVOKED);
  EXPECT_EQ(state.reason, 6);
  authority_.revoke(serial, RevocationReason::remove_from_crl);
  EXPECT_EQ(status_for(serial), V_OCSP_CERTSTATUS_GOOD);
  host_.manual_clock.advance(std::chrono::minutes{5});
  authority_.revoke(serial, RevocationReason::key_compromise,
                    host_.manual_clock.now() - std::chrono::hours{3});
  state = state_of(post(request).body, authority_, serial);
  EXPECT_EQ(state.status, V_OCSP_CERTSTATUS_REVOKED);
  EXPECT_EQ(state.reason, 1);
  EXPECT_EQ(state.revoked_at, seconds_of(host_.manual_clock.now()));
  EXPECT_EQ(state.this_update, seconds_of(host_.manual_clock.now()));
  EXPECT_EQ(state.next_update, seconds_of(host_.manual_clock.now()) + 86400);
}

TEST_F(Ocsp, LeavesOutAReasonThatIsNone) {
  const Serial serial = authority_.add(10);
  authority_.revoke(serial, RevocationReason::unspecified);
  const auto state =
      state_of(post(make_request(about(authority_, serial.octets()))).body, authority_, serial);
  EXPECT_EQ(state.status, V_OCSP_CERTSTATUS_REVOKED);
  EXPECT_EQ(state.reason, -1);
}

TEST_F(Ocsp, KnowsItsAuthoritiesByEveryDigest) {
  const Serial serial = other_.add(10);
  const std::pair<crypto::Hash, const EVP_MD*> digests[] = {{crypto::Hash::sha1, EVP_sha1()},
                                                            {crypto::Hash::sha256, EVP_sha256()},
                                                            {crypto::Hash::sha384, EVP_sha384()},
                                                            {crypto::Hash::sha512, EVP_sha512()}};
  for (const auto& [hash, digest] : digests) {
    const std::string body = post(make_request(about(other_, serial.octets(), hash))).body;
    EXPECT_EQ(state_of(body, other_, serial, digest).status, V_OCSP_CERTSTATUS_GOOD)
        << EVP_MD_get0_name(digest);
  }
}

TEST_F(Ocsp, AnswersSeveralCertificatesAtOnce) {
  const Serial good = authority_.add(10);
  RequestParts parts = about(authority_, good.octets());
  parts.certificates = 3;
  const BasicPointer basic = verified(post(make_request(parts)).body, authority_);
  ASSERT_TRUE(basic);
  EXPECT_EQ(OCSP_resp_count(basic.get()), 3);
}

TEST_F(Ocsp, IsNotAuthorisedForStrangers) {
  for (auto change :
       {+[](RequestParts& p) { p.name_hash[0] ^= 1; }, +[](RequestParts& p) { p.key_hash[0] ^= 1; },
        +[](RequestParts& p) { p.hash = to_bytes(oid::sha256); },
        +[](RequestParts& p) {
          p.hash = {0x2a, 3, 4};
        }}) {
    RequestParts parts = about(authority_, authority_.certificate().first(1));
    parts.serial = {5};
    change(parts);
    EXPECT_EQ(status_of(post(make_request(parts)).body), OCSP_RESPONSE_STATUS_UNAUTHORIZED);
  }
}

TEST_F(Ocsp, RefusesEveryMalformedRequestOnBothMethods) {
  for (const NamedRequest& test : malformed_requests()) {
    const Response posted = post(test.der);
    EXPECT_EQ(posted.status, 200) << test.name;
    EXPECT_EQ(status_of(posted.body), OCSP_RESPONSE_STATUS_MALFORMEDREQUEST) << test.name;
    EXPECT_FALSE(fast(test.der)) << test.name;
    const Response got = get("/" + base64::encode(test.der));
    EXPECT_EQ(status_of(got.body), OCSP_RESPONSE_STATUS_MALFORMEDREQUEST) << test.name;
  }
}

TEST_F(Ocsp, RepeatsNoncesAndKeepsNothingWithThem) {
  const Serial serial = authority_.add(10);
  for (std::size_t octets : {1u, 32u, 128u}) {
    RequestParts parts = about(authority_, serial.octets());
    parts.after_list = extensions({{.value = nonce_value(octets)}});
    const Bytes der = make_request(parts);
    const Response response = post(der);
    const BasicPointer basic = verified(response.body, authority_);
    ASSERT_TRUE(basic);
    const unsigned char* data = der.data();
    OCSP_REQUEST* request = d2i_OCSP_REQUEST(nullptr, &data, static_cast<long>(der.size()));
    EXPECT_EQ(OCSP_check_nonce(request, basic.get()), 1) << octets;
    OCSP_REQUEST_free(request);
    EXPECT_FALSE(fast(der));
  }
}

TEST_F(Ocsp, KeepsAResponseOctetForOctetUntilItIsHalfAsOldAsItMayGet) {
  const Serial serial = authority_.add(10);
  const Bytes der = make_request(about(authority_, serial.octets()));
  EXPECT_FALSE(fast(der)) << "nothing is kept yet";
  const std::string first = post(der).body;
  host_.manual_clock.advance(std::chrono::hours{11});
  EXPECT_EQ(fast(der), first);
  EXPECT_EQ(post(der).body, first);
  EXPECT_EQ(get("/" + base64::encode(der)).body, first) << "both methods share";
  EXPECT_EQ(authority_.signatures, 1);
  host_.manual_clock.advance(std::chrono::hours{1});
  EXPECT_FALSE(fast(der));
  const std::string second = post(der).body;
  EXPECT_NE(second, first);
  EXPECT_EQ(fast(der), second);
}

TEST_F(Ocsp, ForgetsAResponseWhenItsCertificateIsRevokedAndNoOther) {
  const Serial one = authority_.add(10), two = authority_.add(11);
  const Bytes about_one = make_request(about(authority_, one.octets()));
  const Bytes about_two = make_request(about(authority_, two.octets()));
  post(about_one);
  const std::string kept = post(about_two).body;
  authority_.revoke(one, RevocationReason::superseded);
  EXPECT_FALSE(fast(about_one));
  EXPECT_EQ(status_for(one), V_OCSP_CERTSTATUS_REVOKED);
  EXPECT_EQ(fast(about_two), kept);
}

TEST_F(Ocsp, SignsAheadItsShareOnlyWhereOtherNodesHaveTheirs) {
  constexpr int all = 40;
  std::vector<Serial> serials;
  for (std::uint64_t i = 0; i < all; ++i) serials.push_back(authority_.add(100 + i));
  Call call = fakes::test_call();
  std::set<std::string> kept;
  int signatures = 0;
  for (std::uint32_t node : {0u, 1u, 2u}) {
    host_.node_share = {node, 3};
    ocsp::Service service({.lifetime = std::chrono::hours{24}, .cache = 10'000}, host_,
                          {&authority_, &other_});
    ASSERT_TRUE(service.start());
    ASSERT_TRUE(service.presign(call));
    const int mine = authority_.signatures - signatures;
    signatures = authority_.signatures;
    EXPECT_NEAR(mine, all / 3, 1) << node;
    for (const Serial& serial : serials) {
      const Asked asked(Method::post, "", make_request(about(authority_, serial.octets())));
      KeptReply reply;
      if (service.answer_fast(asked.request, reply)) {
        EXPECT_TRUE(kept.insert(serial.hex()).second) << "on one node only";
      }
    }
  }
  EXPECT_EQ(kept.size(), std::size_t{all}) << "each on one";
}

TEST_F(Ocsp, SignsAheadWhatIsMissingOrWouldGetTooOld) {
  const Serial one = authority_.add(10), two = authority_.add(11);
  authority_.add(12, false);
  Call call = fakes::test_call();
  ASSERT_TRUE(service_.presign(call));
  EXPECT_EQ(authority_.signatures, 2) << "what was never signed has no response";
  EXPECT_TRUE(fast(make_request(about(authority_, one.octets()))));
  EXPECT_TRUE(fast(make_request(about(authority_, two.octets()))));
  ASSERT_TRUE(service_.presign(call));
  EXPECT_EQ(authority_.signatures, 2);
  authority_.revoke(one, RevocationReason::superseded);
  ASSERT_TRUE(service_.presign(call));
  EXPECT_EQ(authority_.signatures, 3);
  const auto answer = fast(make_request(about(authority_, one.octets())));
  ASSERT_TRUE(answer);
  EXPECT_EQ(state_of(*answer, authority_, one).status, V_OCSP_CERTSTATUS_REVOKED);
  host_.manual_clock.advance(std::chrono::hours{12} - std::chrono::minutes{4});
  ASSERT_TRUE(service_.presign(call));
  EXPECT_EQ(authority_.signatures, 5) << "before they are too old";
}

// The last character of some names is a slash, whatever the length of the serial number.
TEST_F(Ocsp, WritesEveryResponseWhereAWebServerLooksForIt) {
  const TemporaryFolder folder;
  std::vector<Serial> serials;
  for (const char* text : {"3f", "013f", "01013f", "10"}) {
    serials.push_back(*Serial::from_text(text));
    authority_.add(serials.back());
  }
  Call call = fakes::test_call();
  const auto exported = service_.export_to(folder / "", call);
  ASSERT_TRUE(exported) << exported.error().detail;
  EXPECT_EQ(exported->front().responses, 2 * serials.size());
  int slashes = 0;
  for (const Serial& serial : serials) {
    for (crypto::Hash hash : {crypto::Hash::sha1, crypto::Hash::sha256}) {
      std::string name = base64::encode(make_request(about(authority_, serial.octets(), hash)));
      if (name.ends_with('/')) name += "index.html", ++slashes;
      EXPECT_EQ(status_of(folder.read(name)), OCSP_RESPONSE_STATUS_SUCCESSFUL) << name;
    }
  }
  EXPECT_GT(slashes, 0);
}

TEST_F(Ocsp, NeverGuessesWhenTheLedgerIsAway) {
  const Serial known = authority_.add(10), unknown = authority_.add(11);
  const std::string kept = post(make_request(about(authority_, known.octets()))).body;
  authority_.ledger_is_away = true;
  EXPECT_EQ(status_of(post(make_request(about(authority_, unknown.octets()))).body),
            OCSP_RESPONSE_STATUS_TRYLATER);
  host_.manual_clock.advance(std::chrono::hours{13});
  EXPECT_EQ(post(make_request(about(authority_, known.octets()))).body, kept)
      << "the last word stands until it expires";
  host_.manual_clock.advance(std::chrono::hours{11});
  EXPECT_EQ(status_of(post(make_request(about(authority_, known.octets()))).body),
            OCSP_RESPONSE_STATUS_TRYLATER);
}

TEST_F(Ocsp, SaysGoodForAWhileOnlyWithoutHearingOfRevocations) {
  const Serial good = authority_.add(10), revoked = authority_.add(11);
  authority_.revoke(revoked, RevocationReason::unspecified);
  const Bytes about_good = make_request(about(authority_, good.octets())),
              about_revoked = make_request(about(authority_, revoked.octets()));
  const std::string kept = post(about_good).body, kept_revoked = post(about_revoked).body;
  const struct {
    std::chrono::minutes unheard;
    bool away, served;
  } table[] = {{std::chrono::minutes{0}, true, true},
               {std::chrono::minutes{60}, true, true},
               {std::chrono::minutes{61}, true, false},
               {std::chrono::minutes{61}, false, true},  // the ledger itself is asked
               {std::chrono::minutes{0}, true, true}};
  for (const auto& row : table) {
    SCOPED_TRACE(std::to_string(row.unheard.count()) + (row.away ? " min, away" : " min"));
    host_.fake_unheard_for = row.unheard;
    authority_.ledger_is_away = row.away;
    EXPECT_EQ(fast(about_good).has_value(), row.unheard <= std::chrono::hours{1});
    const std::string body = post(about_good).body;
    EXPECT_EQ(status_of(body), row.served ? OCSP_RESPONSE_STATUS_SUCCESSFUL : OCSP_RESPONSE_STATUS_TRYLATER);
    EXPECT_EQ(fast(about_revoked), kept_revoked) << "nobody takes that back unheard";
    EXPECT_EQ(post(about_revoked).body, kept_revoked);
  }
  EXPECT_EQ(status_of(kept), OCSP_RESPONSE_STATUS_SUCCESSFUL);
}

TEST_F(Ocsp, IsNotAuthorisedForAnAuthorityThatHasExpired) {
  const Serial kept = authority_.add(10), fresh = authority_.add(11);
  EXPECT_EQ(status_for(kept), V_OCSP_CERTSTATUS_GOOD);
  const Time end = x509::parse_certificate(authority_.certificate())->not_after;
  host_.manual_clock.advance(
      std::chrono::duration_cast<std::chrono::milliseconds>(end - host_.manual_clock.now()) +
      std::chrono::seconds{1});
  for (const Serial& serial : {kept, fresh})
    EXPECT_EQ(status_of(post(make_request(about(authority_, serial.octets()))).body),
              OCSP_RESPONSE_STATUS_UNAUTHORIZED)
        << "later is no better";
}

TEST_F(Ocsp, SaysTryLaterWhileTheKeyIsAway) {
  const Serial serial = authority_.add(10);
  authority_.key_is_away = true;
  EXPECT_EQ(status_of(post(make_request(about(authority_, serial.octets()))).body),
            OCSP_RESPONSE_STATUS_TRYLATER);
}

TEST_F(Ocsp, SignsAsTheClientPrefersWhereItCan) {
  const Serial serial = authority_.add(10);
  RequestParts parts = about(authority_, serial.octets());
  der::Writer value;
  value.sequence([&] {
    value.sequence([&] { value.raw(x509::algorithm_identifier(SignatureScheme::rsa_pkcs1_sha256)); });
    value.sequence([&] { value.sequence([&] { value.oid(der::Oid{{0x2a, 3}, 2}); }); });
  });
  parts.after_list = extensions({{.oid = to_bytes(oid::ocsp_preferred_algorithms), .value = value.bytes()}});
  const BasicPointer basic = verified(post(make_request(parts)).body, authority_);
  ASSERT_TRUE(basic);
  const ASN1_OBJECT* algorithm = nullptr;
  X509_ALGOR_get0(&algorithm, nullptr, nullptr, OCSP_resp_get0_tbs_sigalg(basic.get()));
  EXPECT_EQ(OBJ_obj2nid(algorithm), NID_sha256WithRSAEncryption);
}

TEST_F(Ocsp, TellsHttpWhatTheResponseSays) {
  const Serial serial = authority_.add(10);
  const std::string path = "/" + base64::encode(make_request(about(authority_, serial.octets())));
  const Response response = get(path);
  const auto header = [&](std::string_view name) -> std::string {
    for (const Header& field : response.headers)
      if (Request::same_name(field.name, name)) return field.value;
    return "";
  };
  EXPECT_EQ(header("Content-Type"), "application/ocsp-response");
  EXPECT_EQ(header("Last-Modified"), "Sat, 21 Nov 2026 00:00:00 GMT");
  EXPECT_EQ(header("Expires"), "Sun, 22 Nov 2026 00:00:00 GMT");
  EXPECT_EQ(header("Cache-Control"), "max-age=43200, public, no-transform, must-revalidate");
  const std::string etag = header("ETag");
  const Response again = get(path, {{"If-None-Match", etag}});
  EXPECT_EQ(again.status, 304);
  EXPECT_TRUE(again.body.empty());
  const Asked asked(Method::get, path);
  KeptReply reply;
  host_.manual_clock.advance(std::chrono::hours{1});
  ASSERT_TRUE(service_.answer_fast(asked.request, reply));
  EXPECT_EQ(reply.body, response.body);
  EXPECT_NE(reply.head.find("max-age=39600,"), std::string::npos) << reply.head;
  EXPECT_NE(reply.head.find("ETag: " + etag + "\r\n"), std::string::npos) << reply.head;
}

// Most clients escape what base64 brings; RFC 6960 A.1 has them do so.
TEST_F(Ocsp, HitsAreFastHoweverThePathIsSpelt) {
  const std::string text = base64::encode(make_request(about(authority_, authority_.add(21).octets())));
  std::string escaped;
  for (char c : text) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0;
    escaped += plain ? std::string(1, c) : "%" + to_hex(as_bytes(std::string_view(&c, 1)));
  }
  const Response response = get("/" + text);
  ASSERT_EQ(response.status, 200);
  for (const std::string& path : {"/" + text, "//" + text, "/" + escaped, "/%4d" + escaped.substr(1)}) {
    const Asked asked(Method::get, path);
    KeptReply reply;
    EXPECT_TRUE(service_.answer_fast(asked.request, reply)) << path;
    EXPECT_EQ(reply.body, response.body) << path;
  }
}

TEST_F(Ocsp, TakesNoOtherMethods) {
  for (Method method : {Method::put, Method::del, Method::patch, Method::options, Method::other}) {
    const Asked asked(method, "/");
    Call call = fakes::test_call();
    EXPECT_EQ(service_.handle(asked.request, call).status, 405);
  }
}

class OcspStrict : public Ocsp {
 protected:
  OcspStrict()
      : Ocsp({.lifetime = std::chrono::hours{24},
              .delegate = false,
              .by_name = true,
              .nonces = false,
              .unissued_are_revoked = true,
              .cache = 64}) {}
};

TEST_F(OcspStrict, SignsWithTheAuthorityItselfByName) {
  const Serial serial = authority_.add(10);
  const BasicPointer basic =
      verified(post(make_request(about(authority_, serial.octets()))).body, authority_);
  ASSERT_TRUE(basic);
  EXPECT_EQ(sk_X509_num(OCSP_resp_get0_certs(basic.get())), -1) << "no certificate is needed";
  const ASN1_OCTET_STRING* id = nullptr;
  const X509_NAME* name = nullptr;
  ASSERT_EQ(OCSP_resp_get0_id(basic.get(), &id, &name), 1);
  EXPECT_EQ(id, nullptr);
  EXPECT_EQ(X509_NAME_cmp(name, X509_get_subject_name(read_certificate(authority_.certificate()).get())), 0);
}

TEST_F(OcspStrict, CallsWhatWasNeverIssuedRevokedInTheWayOfTheExtension) {
  const Serial never = *Serial::from_text("01aa");
  const std::string body = post(make_request(about(authority_, never.octets()))).body;
  const State state = state_of(body, authority_, never);
  EXPECT_EQ(state.status, V_OCSP_CERTSTATUS_REVOKED);
  EXPECT_EQ(state.reason, 6);
  EXPECT_EQ(state.revoked_at, 0);
  const BasicPointer basic = verified(body, authority_);
  ASN1_OBJECT* extended = OBJ_txt2obj("1.3.6.1.5.5.7.48.1.9", 1);
  EXPECT_GE(OCSP_BASICRESP_get_ext_by_OBJ(basic.get(), extended, -1), 0);
  ASN1_OBJECT_free(extended);
}

TEST_F(OcspStrict, DoesNotLookAtNonces) {
  const Serial serial = authority_.add(10);
  RequestParts parts = about(authority_, serial.octets());
  parts.after_list = extensions({{.value = nonce_value(0)}});
  const BasicPointer basic = verified(post(make_request(parts)).body, authority_);
  ASSERT_TRUE(basic);
  EXPECT_LT(OCSP_BASICRESP_get_ext_by_NID(basic.get(), NID_id_pkix_OCSP_Nonce, -1), 0);
}

class OcspThatTells : public Ocsp {
 protected:
  OcspThatTells()
      : Ocsp({.lifetime = std::chrono::hours{24},
              .cache = 10'000,
              .archive_cutoff = true,
              .crl_references = true}) {}

  // The single response about that certificate.
  struct Told {
    BasicPointer basic;
    OCSP_SINGLERESP* single = nullptr;
  };
  Told told(const Serial& serial) {
    Told told{verified(post(make_request(about(authority_, serial.octets()))).body, authority_)};
    if (told.basic) told.single = OCSP_resp_get0(told.basic.get(), 0);
    return told;
  }
  void store_crl(std::uint64_t base = 0) {
    Call call = fakes::test_call();
    CrlRow row;
    row.number = *authority_.claim_crl(0);
    row.base = base;
    row.this_update = host_.manual_clock.now();
    row.next_update = row.this_update + std::chrono::days{4};
    const auto ticket = authority_.begin_crl(row, call);
    ASSERT_TRUE(ticket);
    ASSERT_TRUE(authority_.finish_crl(*ticket, Fingerprint{1}, 1, call));
  }
};

TEST_F(OcspThatTells, SinceWhenNothingIsForgotten) {
  const Serial serial = authority_.add(10);
  const Told answer = told(serial);
  ASSERT_TRUE(answer.single);
  auto* cutoff = static_cast<ASN1_GENERALIZEDTIME*>(
      OCSP_SINGLERESP_get1_ext_d2i(answer.single, NID_id_pkix_OCSP_archiveCutoff, nullptr, nullptr));
  ASSERT_TRUE(cutoff);
  const X509Pointer issuer = read_certificate(authority_.certificate());
  EXPECT_EQ(seconds_of(cutoff), seconds_of(X509_get0_notBefore(issuer.get())));
  ASN1_GENERALIZEDTIME_free(cutoff);
}

TEST_F(OcspThatTells, OnWhichCrlARevokedCertificateIs) {
  authority_.urls = {"http://pki.example.test/crl/issuing.crl"};
  const Serial good = authority_.add(9), serial = authority_.add(10);
  // The extension's value as it was answered; empty when there is none.
  const auto reference = [&](const Serial& of) {
    const Told answer = told(of);
    const int at =
        answer.single ? OCSP_SINGLERESP_get_ext_by_NID(answer.single, NID_id_pkix_OCSP_CrlID, -1) : -1;
    if (at < 0) return std::string();
    const ASN1_OCTET_STRING* value = X509_EXTENSION_get_data(OCSP_SINGLERESP_get_ext(answer.single, at));
    return to_hex({ASN1_STRING_get0_data(value), static_cast<std::size_t>(ASN1_STRING_length(value))});
  };
  store_crl();
  host_.manual_clock.advance(std::chrono::minutes{1});
  authority_.revoke(serial, RevocationReason::superseded);
  EXPECT_EQ(reference(serial), "") << "no CRL has it yet";
  host_.manual_clock.advance(std::chrono::hours{13});
  store_crl();
  store_crl(2);  // a delta, which is not meant
  std::string url = "http://pki.example.test/crl/issuing.crl", at = "20261121130100Z";
  long number = 2;
  X509_EXTENSION* expected = OCSP_crlID_new(url.data(), &number, at.data());
  ASSERT_TRUE(expected);
  const ASN1_OCTET_STRING* value = X509_EXTENSION_get_data(expected);
  EXPECT_EQ(reference(serial),
            to_hex({ASN1_STRING_get0_data(value), static_cast<std::size_t>(ASN1_STRING_length(value))}));
  X509_EXTENSION_free(expected);
  EXPECT_EQ(reference(good), "") << "a good certificate is on none";
  host_.manual_clock.advance(std::chrono::days{5});
  EXPECT_EQ(reference(serial), "") << "that one is out of date";
}

TEST(OcspCache, StaysWithinItsBoundAndRefusesWhatWasSignedBeforeAChange) {
  ocsp::Cache cache(128);
  const auto answer = std::make_shared<const ocsp::Answer>();
  for (std::uint8_t i = 0; i < 250; ++i)
    for (std::uint8_t j = 0; j < 8; ++j) {
      const Bytes serial{1, i, j};
      cache.keep(1, serial, serial, cache.version(1, serial), answer);
    }
  EXPECT_LE(cache.size(), 128u);
  EXPECT_GE(cache.size(), 100u);
  const Bytes serial{1, 2, 3};
  const std::uint64_t before = cache.version(1, serial);
  cache.forget(1, serial);
  cache.keep(1, serial, serial, before, answer);
  EXPECT_FALSE(cache.find(1, serial, serial, ocsp::Cache::Wait::shortly));
}

}  // namespace
}  // namespace hanaper::test
