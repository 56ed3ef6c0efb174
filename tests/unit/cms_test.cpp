// CMS against OpenSSL: what it writes is read here, what is written here it reads.
#include "freed.hpp"

#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/certificate_template.hpp>
#include <hanaper/toolkit/cms.hpp>
#include <hanaper/toolkit/extensions.hpp>
#include <hanaper/toolkit/name.hpp>
#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/soft_key.hpp>

#include <openssl/cms.h>
#include <openssl/x509.h>

#include <gtest/gtest.h>

namespace hanaper {
namespace {

using CmsPtr = std::unique_ptr<CMS_ContentInfo, Freed<CMS_ContentInfo_free>>;
using BioPtr = std::unique_ptr<BIO, Freed<BIO_free_all>>;
using X509Ptr = std::unique_ptr<X509, Freed<X509_free>>;

Bytes self_signed(Key& key, SignatureScheme scheme) {
  const x509::CertificateTemplate form({.scheme = scheme,
                                        .issuer = x509::encode_name({{"2.5.4.3", "CMS"}}),
                                        .authority_key_identifier = {},
                                        .extensions = {}});
  const Bytes name = x509::encode_name({{"2.5.4.3", "CMS"}});
  const auto identifier = x509::key_identifier(*x509::parse_public_key(key.spki()));
  der::Writer writer;
  form.render({.serial = *Serial::from_text("0102"),
               .not_before = Time{},
               .not_after = Time{} + std::chrono::days{30000},
               .subject = name,
               .spki = key.spki(),
               .key_identifier = identifier,
               .key_usage = 0,
               .names = {},
               .extensions = {}},
              writer);
  return x509::assemble_certificate(writer.view(), *key.sign(scheme, writer.view()));
}

X509Ptr to_openssl(ByteView der) {
  const unsigned char* octets = der.data();
  return X509Ptr(d2i_X509(nullptr, &octets, static_cast<long>(der.size())));
}
CmsPtr cms_of(ByteView der) {
  const unsigned char* octets = der.data();
  return CmsPtr(d2i_CMS_ContentInfo(nullptr, &octets, static_cast<long>(der.size())));
}
Bytes octets_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return to_bytes(as_bytes(std::string_view(data, static_cast<std::size_t>(size))));
}
BioPtr bio_of(std::string_view text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

class Cms : public ::testing::Test {
 protected:
  // By OpenSSL: definite lengths, or indefinite ones and strings in pieces.
  Bytes openssl_signed(std::string_view content, const EVP_MD* md, bool stream) {
    const X509Ptr certificate = to_openssl(certificate_);
    const unsigned flags = CMS_BINARY | CMS_PARTIAL | (stream ? CMS_STREAM : 0U);
    const CmsPtr cms(CMS_sign(nullptr, nullptr, nullptr, nullptr, flags));
    CMS_add1_signer(cms.get(), certificate.get(), key_->pkey(), md, flags);
    return written(cms.get(), content, stream);
  }
  Bytes openssl_enveloped(std::string_view content, const EVP_CIPHER* cipher, bool stream) {
    STACK_OF(X509)* to = sk_X509_new_null();
    const X509Ptr certificate = to_openssl(certificate_);
    sk_X509_push(to, certificate.get());
    const BioPtr in = bio_of(content);
    const CmsPtr cms(CMS_encrypt(to, in.get(), cipher, CMS_BINARY | (stream ? CMS_STREAM : 0U)));
    sk_X509_free(to);
    return written(cms.get(), content, stream);
  }
  static Bytes written(CMS_ContentInfo* cms, std::string_view content, bool stream) {
    const BioPtr in = bio_of(content), out(BIO_new(BIO_s_mem()));
    if (stream) {
      EXPECT_EQ(i2d_CMS_bio_stream(out.get(), cms, in.get(), CMS_BINARY | CMS_STREAM), 1);
    } else {
      CMS_final(cms, in.get(), nullptr, CMS_BINARY);
      EXPECT_EQ(i2d_CMS_bio(out.get(), cms), 1);
    }
    return octets_of(out.get());
  }
  cms::Decrypt decrypt() {
    return [this](ByteView encrypted) { return key_->decrypt(encrypted); };
  }

  const std::shared_ptr<crypto::SoftKey> key_ = *crypto::SoftKey::generate({KeyType::rsa, 2048});
  const Bytes certificate_ = self_signed(*key_, SignatureScheme::rsa_pkcs1_sha256);
  const std::string content_ = std::string(5000, 'x') + "end";
};

TEST_F(Cms, ReadsWhatOpenSslSigns) {
  struct Row {
    const EVP_MD* md;
    bool legacy;
  };
  for (const Row& test :
       {Row{EVP_sha256(), false}, Row{EVP_sha384(), false}, Row{EVP_sha512(), false}, Row{EVP_sha1(), true}})
    for (const bool stream : {false, true}) {
      SCOPED_TRACE(std::string(EVP_MD_get0_name(test.md)) + (stream ? " BER" : " DER"));
      const Bytes ber = openssl_signed(content_, test.md, stream);
      EXPECT_EQ(stream, !cms::parse_signed(ber).has_value()) << "strict DER only";
      const auto der = cms::to_der(ber);
      ASSERT_TRUE(der) << der.error().detail;
      const auto view = cms::parse_signed(*der);
      ASSERT_TRUE(view) << view.error().detail;
      ASSERT_TRUE(view->content);
      EXPECT_EQ(as_text(*view->content), content_);
      ASSERT_EQ(view->signers.size(), 1U);
      const auto signer = cms::find_signer(*view, view->signers[0]);
      ASSERT_TRUE(signer);
      EXPECT_TRUE(equal(signer->der, certificate_));
      EXPECT_TRUE(cms::verify(*view, view->signers[0], key_->spki(), true));
      EXPECT_EQ(cms::verify(*view, view->signers[0], key_->spki(), false).has_value(), !test.legacy);
      const auto other = *crypto::SoftKey::generate({KeyType::rsa, 2048});
      EXPECT_EQ(cms::verify(*view, view->signers[0], other->spki(), true).error().code, Code::forbidden);
    }
}

TEST_F(Cms, WritesWhatOpenSslVerifies) {
  for (const crypto::Hash hash : {crypto::Hash::sha256, crypto::Hash::sha384, crypto::Hash::sha512})
    for (const bool with_content : {true, false}) {
      cms::SignedContent content;
      content.content_type = oid::data;
      if (with_content) content.content = as_bytes(content_);
      der::Writer value;
      value.text(der::printable_string, "19");
      content.attributes = {{to_bytes(oid::common_name), value.bytes()}};
      content.hash = hash;
      content.signer = certificate_;
      content.certificates = {certificate_};
      const auto der = cms::sign(content, [&](SignatureScheme scheme, ByteView attributes) {
        EXPECT_EQ(attributes[0], der::set);
        return key_->sign(scheme, attributes);
      });
      ASSERT_TRUE(der);
      const CmsPtr cms = cms_of(*der);
      ASSERT_NE(cms, nullptr);
      const BioPtr out(BIO_new(BIO_s_mem())), none = bio_of("");
      EXPECT_EQ(CMS_verify(cms.get(), nullptr, nullptr, with_content ? nullptr : none.get(), out.get(),
                           CMS_NO_SIGNER_CERT_VERIFY | CMS_BINARY),
                1);
      EXPECT_EQ(as_text(octets_of(out.get())), with_content ? content_ : "");
      const auto view = cms::parse_signed(*der);
      ASSERT_TRUE(view);
      EXPECT_TRUE(cms::verify(*view, view->signers[0], key_->spki()));
      EXPECT_TRUE(view->signers[0].attribute(oid::common_name));
      EXPECT_EQ(view->signers[0].attribute(oid::title).error().code, Code::not_found);
    }
}

TEST_F(Cms, SignsWithEveryKindOfKey) {
  struct Row {
    KeySpec key;
    SignatureScheme scheme;
  };
  for (const Row& row : {Row{{KeyType::ec_p256, 0}, SignatureScheme::ecdsa_sha256},
                         Row{{KeyType::ec_p384, 0}, SignatureScheme::ecdsa_sha384},
                         Row{{KeyType::ed25519, 0}, SignatureScheme::ed25519},
                         Row{{KeyType::rsa, 2048}, SignatureScheme::rsa_pkcs1_sha512},
                         Row{{KeyType::rsa, 2048}, SignatureScheme::rsa_pss_sha256}}) {
    SCOPED_TRACE(to_string(row.scheme));
    const auto key = *crypto::SoftKey::generate(row.key);
    const Bytes certificate = self_signed(*key, row.scheme);
    const auto der =
        cms::sign({.content_type = oid::data,
                   .content = as_bytes(content_),
                   .attributes = {},
                   .scheme = row.scheme,
                   .signer = certificate,
                   .certificates = {certificate}},
                  [&](SignatureScheme scheme, ByteView attributes) { return key->sign(scheme, attributes); });
    ASSERT_TRUE(der);
    const auto view = cms::parse_signed(*der);
    ASSERT_TRUE(view);
    EXPECT_TRUE(cms::verify(*view, view->signers[0], key->spki()));
    if (row.scheme == SignatureScheme::ed25519) continue;  // in CMS, OpenSSL 3.0 does not know it
    const CmsPtr cms = cms_of(*der);
    const BioPtr out(BIO_new(BIO_s_mem()));
    EXPECT_EQ(
        CMS_verify(cms.get(), nullptr, nullptr, nullptr, out.get(), CMS_NO_SIGNER_CERT_VERIFY | CMS_BINARY),
        1);
    EXPECT_EQ(as_text(octets_of(out.get())), content_);
  }
}

TEST_F(Cms, AnyChangedOctetOfASignatureIsNoticed) {
  const Bytes good = openssl_signed("content", EVP_sha256(), false);
  std::size_t parsed = 0;
  for (std::size_t at = 0; at < good.size(); ++at) {
    Bytes changed = good;
    changed[at] ^= 0x01;
    const auto view = cms::parse_signed(changed);
    if (!view || view->signers.size() != 1 || !view->content) continue;
    ++parsed;
    const bool same = as_text(*view->content) == "content";
    const bool verified = cms::verify(*view, view->signers[0], key_->spki()).has_value();
    EXPECT_TRUE(!verified || same) << at;
  }
  EXPECT_GT(parsed, good.size() / 4);
}

TEST_F(Cms, OpensWhatOpenSslEncrypts) {
  struct Row {
    const EVP_CIPHER* openssl;
    cms::Cipher cipher;
  };
  for (const Row& test :
       {Row{EVP_aes_128_cbc(), cms::Cipher::aes128_cbc}, Row{EVP_aes_192_cbc(), cms::Cipher::aes192_cbc},
        Row{EVP_aes_256_cbc(), cms::Cipher::aes256_cbc}, Row{EVP_des_ede3_cbc(), cms::Cipher::des3_cbc}})
    for (const bool stream : {false, true}) {
      SCOPED_TRACE(std::string(EVP_CIPHER_get0_name(test.openssl)) + (stream ? " BER" : " DER"));
      const auto der = cms::to_der(openssl_enveloped(content_, test.openssl, stream));
      ASSERT_TRUE(der) << der.error().detail;
      const auto view = cms::parse_enveloped(*der);
      ASSERT_TRUE(view) << view.error().detail;
      EXPECT_EQ(view->cipher, test.cipher);
      ASSERT_EQ(view->recipients.size(), 1U);
      const auto content = cms::open(*view, view->recipients[0], decrypt());
      ASSERT_TRUE(content);
      EXPECT_EQ(content->reveal(), content_);
    }
}

TEST_F(Cms, EveryFailureToOpenIsTheSame) {
  const Bytes der = openssl_enveloped(content_, EVP_aes_128_cbc(), false);
  const auto view = *cms::parse_enveloped(der);
  const cms::Decrypt decrypts[] = {[](ByteView) -> Result<Secret> {
                                     return Error{Code::forbidden, "decryption failed"};
                                   },
                                   [](ByteView) -> Result<Secret> { return Secret(std::string(15, 'k')); },
                                   [](ByteView) -> Result<Secret> { return Secret(std::string(16, 'k')); },
                                   [](ByteView) -> Result<Secret> { return Secret(std::string()); },
                                   [](ByteView) -> Result<Secret> { return internal("something else"); }};
  for (const cms::Decrypt& decrypt : decrypts)
    for (int i = 0; i < 20; ++i) {
      const auto content = cms::open(view, view.recipients[0], decrypt);
      if (content) {  // one wrong key in 256 leaves a padding that looks right
        EXPECT_NE(content->reveal(), content_);
        continue;
      }
      EXPECT_EQ(content.error().code, Code::malformed);
      EXPECT_EQ(content.error().detail, "the message cannot be decrypted");
    }
  auto cut = view;
  cut.ciphertext.pop_back();
  EXPECT_EQ(cms::open(cut, view.recipients[0], decrypt()).error().detail, "the message cannot be decrypted");
  cut.ciphertext.clear();
  EXPECT_EQ(cms::open(cut, view.recipients[0], decrypt()).error().detail, "the message cannot be decrypted");
}

TEST_F(Cms, PaddingHasNoSayInWhatDerIsOpened) {
  struct Row {
    const char* name;
    std::size_t size;   // of an OCTET STRING with its head of two octets
    std::uint8_t flip;  // what is done to the last octet of the padding
    std::string after;
    bool intact;
  };
  const Row rows[] = {{"a padding of one octet", 15, 0, "", true},
                      {"a padding of a block", 16, 0, "", true},
                      {"a padding in between", 36, 0, "", true},
                      {"a padding that is too long", 36, 12 ^ 13, "", false},
                      {"a padding that another length would have", 36, 12 ^ 1, "", false},
                      {"a padding of nothing", 36, 12, "", false},
                      {"octets after the value", 36, 0, "abc", false}};
  for (const Row& test : rows) {
    SCOPED_TRACE(test.name);
    std::string der(test.size, 'o');
    der[0] = 4;
    der[1] = static_cast<char>(test.size - 2);
    const Bytes envelope = openssl_enveloped(der + test.after, EVP_aes_128_cbc(), false);
    auto view = *cms::parse_enveloped(envelope);
    ASSERT_EQ(view.ciphertext.size() % 16, 0U);
    Bytes iv = to_bytes(view.iv);
    view.iv = iv;
    (view.ciphertext.size() == 16 ? iv[15] : view.ciphertext[view.ciphertext.size() - 17]) ^= test.flip;
    const auto content = cms::open_der(view, view.recipients[0], decrypt());
    ASSERT_TRUE(content) << content.error().detail;
    EXPECT_EQ(content->intact, test.intact);
    EXPECT_EQ(content->octets.reveal().size(), test.size);
    EXPECT_EQ(content->octets.reveal().substr(0, 2), der.substr(0, 2));
  }
}

TEST_F(Cms, EncryptsWhatOpenSslOpens) {
  for (const cms::Cipher cipher : {cms::Cipher::aes128_cbc, cms::Cipher::aes256_cbc, cms::Cipher::des3_cbc})
    for (const bool by_key_identifier : {false, true}) {
      cms::Recipient recipient;
      recipient.certificate = certificate_;
      recipient.by_key_identifier = by_key_identifier;
      const auto der = cms::envelop(oid::data, as_bytes(content_), recipient, cipher);
      ASSERT_TRUE(der) << der.error().detail;
      const CmsPtr cms = cms_of(*der);
      const X509Ptr certificate = to_openssl(certificate_);
      const BioPtr out(BIO_new(BIO_s_mem()));
      EXPECT_EQ(CMS_decrypt(cms.get(), key_->pkey(), certificate.get(), nullptr, out.get(), CMS_BINARY), 1);
      EXPECT_EQ(as_text(octets_of(out.get())), content_);
    }
}

TEST_F(Cms, RefusesKeysThatAreOfNoUse) {
  const Secret secret(std::string(15, 'k'));
  cms::Recipient recipient;
  recipient.secret = &secret;
  recipient.secret_identifier = as_bytes("k");
  EXPECT_EQ(cms::envelop(oid::data, as_bytes(content_), recipient, cms::Cipher::aes128_cbc).error().code,
            Code::bad_key);
  const auto ed25519 = *crypto::SoftKey::generate({KeyType::ed25519, 0});
  const Bytes certificate = self_signed(*ed25519, SignatureScheme::ed25519);
  recipient = {};
  recipient.certificate = certificate;
  EXPECT_EQ(cms::envelop(oid::data, as_bytes(content_), recipient, cms::Cipher::aes128_cbc).error().code,
            Code::bad_key);
}

TEST_F(Cms, CertsOnlyKeepsTheOrder) {
  const auto other = *crypto::SoftKey::generate({KeyType::ec_p256, 0});
  const Bytes second = self_signed(*other, SignatureScheme::ecdsa_sha256);
  for (const std::vector<ByteView>& certificates :
       {std::vector<ByteView>{certificate_, second}, {second, certificate_}, {}}) {
    const Bytes der = cms::certs_only(certificates);
    const auto view = cms::parse_signed(der);
    ASSERT_TRUE(view);
    EXPECT_FALSE(view->content);
    EXPECT_TRUE(view->signers.empty());
    ASSERT_EQ(view->certificates.size(), certificates.size());
    for (std::size_t i = 0; i < certificates.size(); ++i)
      EXPECT_TRUE(equal(view->certificates[i], certificates[i]));
    EXPECT_NE(cms_of(der), nullptr);
  }
}

TEST(Ber, BecomesDer) {
  struct Row {
    const char* name;
    const char* ber;
    const char* der;  // "": malformed
  };
  const Row rows[] = {
      {"DER stays", "3003020105", "3003020105"},
      {"an indefinite length", "30800201050000", "3003020105"},
      {"one inside another", "308030800201050000 0000", "30053003020105"},
      {"an indefinite length in a definite one", "300730800201050000", "30053003020105"},
      {"a length longer than need be", "30820003020105", "3003020105"},
      {"a string in pieces", "240804020102040203 04", "040401020304"},
      {"a string in pieces of indefinite length", "248004020102040203040000", "040401020304"},
      {"pieces in pieces", "2480 2406 04010104 0102 0403030405 0000", "04050102030405"},
      {"an empty string in pieces", "24800000", "0400"},
      {"a context tag", "a0800201050000", "a003020105"},
      {"an empty sequence", "3000", "3000"},
      {"nothing", "", ""},
      {"a tag alone", "30", ""},
      {"cut off", "300302", ""},
      {"a length beyond the end", "3005020105", ""},
      {"a length of five octets", "30850000000003020105", ""},
      {"a length without octets", "3084", ""},
      {"no end of contents", "3080020105", ""},
      {"half an end of contents", "308002010500", ""},
      {"octets after it", "300302010500", ""},
      {"a primitive value of indefinite length", "04800000", ""},
      {"a long tag", "1f8101020105", ""},
      {"a child beyond its parent", "3003020305060708", ""},
      {"an INTEGER in pieces", "2203020105", ""},
      {"a BIT STRING in pieces", "2380030200010000", ""},
      {"a string in pieces that are none", "24800201050000", ""},
  };
  for (const Row& test : rows) {
    SCOPED_TRACE(test.name);
    std::string text = test.ber;
    std::erase(text, ' ');
    const auto der = cms::to_der(*from_hex(text));
    EXPECT_EQ(der ? to_hex(*der) : "", test.der);
    if (!der) {
      EXPECT_EQ(der.error().code, Code::malformed);
    }
  }
}

TEST(Ber, HasLimits) {
  Bytes deep;
  for (int i = 0; i < 40; ++i) deep.insert(deep.end(), {0x30, 0x80});
  EXPECT_FALSE(cms::to_der(deep));
  Bytes many = {0x30, 0x80};
  for (int i = 0; i < 20'001; ++i) many.insert(many.end(), {0x05, 0x00});
  many.insert(many.end(), {0, 0});
  EXPECT_EQ(cms::to_der(many).error().detail, "too many elements");
  EXPECT_FALSE(cms::to_der(Bytes(cms::max_size + 1, 0)));
}

}  // namespace
}  // namespace hanaper
