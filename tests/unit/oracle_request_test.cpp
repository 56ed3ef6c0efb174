// Certification requests, written by either side and read by the other.
#include "oracle_agreement.hpp"
#include "oracle_foreign.hpp"

#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/public_key.hpp>

#include <gtest/gtest.h>
#include <openssl/err.h>

namespace hanaper::oracle {
namespace {

constexpr std::size_t own_requests = 600, foreign_requests = 616;

struct Written {
  x509::CsrContent content;
  KeyPtr key;
  Bytes der;
};

Written own_request(std::size_t number) {
  Random random = random_for("request", number);
  Written made{{}, keys()[number % keys().size()], {}};
  made.content.subject = random_name(random);
  made.content.names = random_identifiers(random);
  if (random.chance(60)) made.content.extensions = written(random_extensions(random), random);
  const std::size_t length = random.chance(40) ? random.between(1, 255) : 0;
  while (made.content.challenge_password.size() < length)
    made.content.challenge_password.push_back(random.character("abc XYZ019_-\"\\"));
  made.der = x509::build_csr(*made.key, made.content).value_or({});
  return made;
}

bool verifies(X509_REQ* request) {
  const bool good = request != nullptr && X509_REQ_verify(request, X509_REQ_get0_pubkey(request)) == 1;
  ERR_clear_error();
  return good;
}

TEST(OracleRequests, AreReadWholeAndWrittenBackTheSame) {
  for (std::size_t i = 0; i < own_requests; ++i) {
    SCOPED_TRACE(trace("request", i));
    const Written made = own_request(i);
    const RequestPtr request = read_request(made.der);
    ASSERT_TRUE(request) << to_hex(made.der);
    EXPECT_EQ(encoded(i2d_X509_REQ, request.get()), made.der);
    const auto view = x509::parse_csr(made.der);
    ASSERT_TRUE(view.has_value()) << view.error().detail;
    EXPECT_EQ(expect_agreement(request.get(), *view), std::vector<std::string>{});
    const ExtensionsPtr extensions(X509_REQ_get_extensions(request.get()));
    EXPECT_EQ(changed_by_encoding(extensions.get()), std::nullopt);
    // Made from the parts again; OpenSSL sorts the attributes as DER wants its sets.
    EXPECT_EQ(encoded(i2d_re_X509_REQ_tbs, request.get()), to_bytes(view->info));
    if (HasFailure()) return;
  }
}

TEST(OracleRequests, CarryWhatWentIn) {
  for (std::size_t i = 0; i < own_requests; ++i) {
    SCOPED_TRACE(trace("request", i));
    const Written made = own_request(i);
    const RequestPtr request = read_request(made.der);
    ASSERT_TRUE(request);
    EXPECT_EQ(name_of(X509_REQ_get_subject_name(request.get())), made.content.subject);
    EXPECT_EQ(EVP_PKEY_eq(X509_REQ_get0_pubkey(request.get()), made.key->pkey()), 1);
    const ExtensionsPtr list(X509_REQ_get_extensions(request.get()));
    const auto extensions = extensions_of(list.get());
    const std::size_t names = made.content.names.empty() ? 0 : 1;
    ASSERT_EQ(extensions.size(), names + made.content.extensions.size());
    for (std::size_t k = 0; k < made.content.extensions.size(); ++k) {
      const x509::Extension& in = made.content.extensions[k];
      EXPECT_EQ(extensions[names + k], (Extension{der::oid_to_text(in.oid), in.critical, in.value}));
    }
    const auto view = x509::parse_csr(made.der);
    ASSERT_TRUE(view.has_value());
    if (const x509::ExtensionView* san = view->find(oid::subject_alt_name)) {
      const auto read = x509::parse_general_names(san->value);
      ASSERT_TRUE(read.has_value());
      EXPECT_EQ(read->names, made.content.names);
      EXPECT_EQ(read->faults, std::vector<std::string>{});
    }
    EXPECT_EQ(view->challenge_password, made.content.challenge_password);
    const int attributes = (made.content.challenge_password.empty() ? 0 : 1) + (extensions.empty() ? 0 : 1);
    EXPECT_EQ(X509_REQ_get_attr_count(request.get()), attributes);
    if (HasFailure()) return;
  }
}

// Both sides' verdict on the octets: read and verified under the key inside.
void expect_same_verdict(ByteView der, bool expected) {
  const RequestPtr request = read_request(der);
  EXPECT_EQ(verifies(request.get()), expected) << to_hex(der);
  const auto view = x509::parse_csr(der);
  EXPECT_EQ(view.has_value() && x509::verify_csr(*view).has_value(), expected) << to_hex(der);
}

TEST(OracleRequests, VerifyUntilOneBitIsChanged) {
  for (std::size_t i = 0; i < own_requests; ++i) {
    SCOPED_TRACE(trace("request", i));
    const Written made = own_request(i);
    ASSERT_FALSE(made.der.empty());
    expect_same_verdict(made.der, true);
    Random random = random_for("request flip", i);
    expect_same_verdict(flipped(made.der, random), false);
    if (HasFailure()) return;
  }
}

TEST(OracleForeignRequests, AreReadToTheSameValues) {
  std::size_t passwords = 0, extensions = 0;
  for (std::size_t i = 0; i < foreign_requests; ++i) {
    SCOPED_TRACE(trace("foreign request", i));
    const ForeignRequest made = foreign_request(i);
    ASSERT_TRUE(made.request);
    const Bytes der = encoded(i2d_X509_REQ, made.request.get());
    const auto view = x509::parse_csr(der);
    ASSERT_TRUE(view.has_value()) << view.error().detail;
    EXPECT_EQ(expect_agreement(made.request.get(), *view), std::vector<std::string>{});
    EXPECT_EQ(*x509::parse_signature_algorithm(view->algorithm), made.signer.scheme);
    passwords += view->challenge_password.empty() ? 0 : 1;
    extensions += view->extensions.size();
    if (HasFailure()) return;
  }
  EXPECT_GT(passwords, foreign_requests / 5);
  EXPECT_GT(extensions, foreign_requests);
}

TEST(OracleForeignRequests, VerifyUntilOneBitIsChanged) {
  for (std::size_t i = 0; i < foreign_requests; ++i) {
    SCOPED_TRACE(trace("foreign request", i));
    const ForeignRequest made = foreign_request(i);
    const Bytes der = encoded(i2d_X509_REQ, made.request.get());
    expect_same_verdict(der, true);
    const auto view = x509::parse_csr(der);
    ASSERT_TRUE(view.has_value());
    Random random = random_for("foreign request flip", i);
    // Once in what is signed, once in the signature.
    for (ByteView part : {view->info, view->signature}) {
      Bytes changed = der;
      const std::size_t at = static_cast<std::size_t>(part.data() - der.data()) + random.below(part.size());
      changed[at] ^= static_cast<std::uint8_t>(1 << random.below(8));
      expect_same_verdict(changed, false);
    }
    if (HasFailure()) return;
  }
}

TEST(OracleForeignRequests, DoNotVerifyUnderAnotherKey) {
  for (const Signer& signer : signers()) {
    SCOPED_TRACE(std::string(to_string(signer.scheme)) + " by " + to_string(signer.key->spec()));
    const RequestPtr request(X509_REQ_new());
    X509_REQ_set_version(request.get(), X509_REQ_VERSION_1);
    X509_REQ_set_pubkey(request.get(), other_key(signer.key->spec())->pkey());
    ASSERT_TRUE(sign(request.get(), signer));
    const Bytes der = encoded(i2d_X509_REQ, request.get());
    expect_same_verdict(der, false);
    const auto view = x509::parse_csr(der);
    ASSERT_TRUE(view.has_value());
    EXPECT_EQ(x509::verify_csr(*view).error().code, Code::bad_csr);
  }
}

// What OpenSSL reads and verifies, and the toolkit refuses on purpose.
TEST(OracleForeignRequests, AreRefusedWithAlgorithmsOfYesterday) {
  const KeyPtr& rsa = keys()[4];
  const PkeyPtr secp256k1(EVP_EC_gen("secp256k1")), dsa_like(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED448"));
  struct Row {
    EVP_PKEY* key;
    const EVP_MD* digest;
    const char* detail;
  };
  const Row table[] = {{rsa->pkey(), EVP_sha1(), "1.2.840.113549.1.1.5 is not supported"},
                       {rsa->pkey(), EVP_md5(), "1.2.840.113549.1.1.4 is not supported"},
                       {rsa->pkey(), EVP_sha224(), "1.2.840.113549.1.1.14 is not supported"},
                       {keys()[0]->pkey(), EVP_sha1(), "1.2.840.10045.4.1 is not supported"},
                       {keys()[0]->pkey(), EVP_sha3_256(), "2.16.840.1.101.3.4.3.10 is not supported"},
                       {dsa_like.get(), nullptr, "1.3.101.113 is not supported"}};
  for (const Row& row : table) {
    const RequestPtr request(X509_REQ_new());
    X509_REQ_set_pubkey(request.get(), row.key);
    ASSERT_GT(X509_REQ_sign(request.get(), row.key, row.digest), 0) << row.detail;
    const Bytes der = encoded(i2d_X509_REQ, request.get());
    const auto view = x509::parse_csr(der);
    ASSERT_TRUE(view.has_value()) << row.detail;
    const Status verified = x509::verify_csr(*view);
    ASSERT_FALSE(verified.has_value()) << row.detail;
    EXPECT_NE(verified.error().detail.find(row.detail), std::string::npos) << verified.error().detail;
  }
  const RequestPtr request(X509_REQ_new());
  X509_REQ_set_pubkey(request.get(), secp256k1.get());
  ASSERT_GT(X509_REQ_sign(request.get(), secp256k1.get(), EVP_sha256()), 0);
  const Bytes der = encoded(i2d_X509_REQ, request.get());
  const auto view = x509::parse_csr(der);
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(x509::verify_csr(*view).error().code, Code::bad_key);
}

struct OddAttributes {
  const char* name;
  std::vector<std::pair<const char*, const char*>> attributes;  // dotted type, DER of the values in hex
  const char* detail;
};

TEST(OracleForeignRequests, AreRefusedWithAttributesThatContradictThemselves) {
  constexpr const char *password = "1.2.840.113549.1.9.7", *extensions = "1.2.840.113549.1.9.14";
  constexpr const char* no_check = "3011300f06092b060105050730010504020500";
  const OddAttributes table[] = {
      {"TwoPasswordsInOne", {{password, "0c01610c0162"}}, "unexpected octets"},
      {"PasswordTwice", {{password, "0c0161"}, {password, "0c0162"}}, "challengePassword twice"},
      {"PasswordOfOctets", {{password, "040161"}}, "no directory string"},
      {"NoPassword", {{password, ""}}, "element missing"},
      {"ExtensionsTwice", {{extensions, no_check}, {extensions, no_check}}, "extensionRequest twice"},
      {"NothingRequested", {{extensions, ""}}, "tag 30 expected"},
  };
  for (const OddAttributes& row : table) {
    der::Writer info;
    info.sequence([&] {
      info.constructed(der::context(0), [&] {
        for (std::size_t i = row.attributes.size(); i-- > 0;) {
          info.sequence([&] {
            info.primitive(der::set, *from_hex(row.attributes[i].second));
            info.oid(*der::oid_from_text(row.attributes[i].first));
          });
        }
      });
      info.raw(keys()[0]->spki());
      info.raw(x509::encode_name({}));
      info.integer(0);
    });
    const Bytes signature = *keys()[0]->sign(SignatureScheme::ecdsa_sha256, info.view());
    der::Writer writer;
    writer.sequence([&] {
      writer.bits(signature);
      writer.raw(x509::algorithm_identifier(SignatureScheme::ecdsa_sha256));
      writer.raw(info.view());
    });
    EXPECT_TRUE(verifies(read_request(writer.view()).get())) << row.name;
    const auto view = x509::parse_csr(writer.view());
    ASSERT_FALSE(view.has_value()) << row.name;
    EXPECT_NE(view.error().detail.find(row.detail), std::string::npos)
        << row.name << ": " << view.error().detail;
  }
}

}  // namespace
}  // namespace hanaper::oracle
