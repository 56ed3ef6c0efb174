// cert-build and csr-verify: the toolkit against bare OpenSSL signatures.
#include "measure.hpp"

#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/certificate_template.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/csr_builder.hpp>
#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/soft_key.hpp>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <cstdlib>

namespace {

using namespace hanaper;

[[noreturn]] void give_up(const char* why) {
  std::fprintf(stderr, "crypto_bench: %s\n", why);
  std::exit(1);
}

// The reference: EVP_PKEY_sign and EVP_PKEY_verify over a digest that is given, with contexts that are kept.
class Bare {
 public:
  explicit Bare(EVP_PKEY* key)
      : signer_(EVP_PKEY_CTX_new(key, nullptr)), verifier_(EVP_PKEY_CTX_new(key, nullptr)) {
    EVP_PKEY_sign_init(signer_);
    EVP_PKEY_verify_init(verifier_);
    sign();
  }
  ~Bare() {
    EVP_PKEY_CTX_free(signer_);
    EVP_PKEY_CTX_free(verifier_);
  }
  void sign() {
    size_ = sizeof signature_;
    if (EVP_PKEY_sign(signer_, signature_, &size_, digest_, sizeof digest_) != 1)
      give_up("reference cannot sign");
  }
  void verify() {
    if (EVP_PKEY_verify(verifier_, signature_, size_, digest_, sizeof digest_) != 1)
      give_up("reference cannot verify");
  }

 private:
  EVP_PKEY_CTX* signer_;
  EVP_PKEY_CTX* verifier_;
  unsigned char digest_[32] = {1, 2, 3};
  unsigned char signature_[128];
  std::size_t size_ = 0;
};

x509::CertificateTemplate nine_extensions(ByteView key_identifier) {
  return x509::CertificateTemplate(
      {.scheme = SignatureScheme::ecdsa_sha256,
       .issuer = x509::encode_name(*x509::parse_name_text("CN=Bench Issuing CA 1,O=Example,C=DE")),
       .authority_key_identifier = to_bytes(key_identifier),
       .extensions = {
           {to_bytes(oid::extended_key_usage), false,
            x509::extended_key_usage({to_bytes(oid::server_auth), to_bytes(oid::client_auth)})},
           {to_bytes(oid::basic_constraints), true, x509::basic_constraints(false, {})},
           {to_bytes(oid::authority_info_access), false,
            x509::authority_info_access({"http://ocsp.example.test"}, {"http://ca.example.test/ca.cer"})},
           {to_bytes(oid::crl_distribution_points), false,
            x509::crl_distribution_points({"http://crl.example.test/ca.crl"})},
           {to_bytes(oid::certificate_policies), false,
            x509::certificate_policies(
                {{to_bytes(der::oid_from_text("2.23.140.1.2.1").value_or({})), {}}})}}});
}

void check_with_openssl(const Bytes& certificate, EVP_PKEY* issuer) {
  const unsigned char* at = certificate.data();
  X509* x509 = d2i_X509(nullptr, &at, static_cast<long>(certificate.size()));
  if (x509 == nullptr || X509_verify(x509, issuer) != 1) give_up("openssl does not accept what was made");
  X509_free(x509);
}

}  // namespace

int main(int count, char** words) {
  const double seconds = count > 1 ? std::atof(words[1]) : 0.3;
  const auto authority = *crypto::SoftKey::generate({KeyType::ec_p256, 0}),
             subject = *crypto::SoftKey::generate({KeyType::ec_p256, 0});
  const auto public_key = x509::parse_public_key(subject->spki());
  const auto identifier = x509::key_identifier(*public_key);
  const x509::CertificateTemplate form = nine_extensions(identifier);
  const std::vector<Identifier> names = {{Identifier::Kind::dns, "www.example.test"},
                                         {Identifier::Kind::dns, "example.test"}};
  const Bytes name = x509::encode_name({{"2.5.4.3", "www.example.test"}});
  der::Writer writer(2048);
  Bytes certificate;
  const auto build = [&] {
    std::array<std::uint8_t, 16> serial;
    crypto::random(serial);
    serial[0] = 0x10;
    const Time now{std::chrono::milliseconds{1'795'000'000'000}};
    form.render({.serial = *Serial::from_magnitude(serial),
                 .not_before = now,
                 .not_after = now + std::chrono::days{90},
                 .subject = name,
                 .spki = subject->spki(),
                 .key_identifier = identifier,
                 .key_usage = x509::digital_signature,
                 .names = names,
                 .extensions = {}},
                writer);
    const auto signature = authority->sign(SignatureScheme::ecdsa_sha256, writer.view());
    certificate = x509::assemble_certificate(writer.view(), *signature);
  };
  x509::CsrContent content;
  content.names = names;
  const Bytes csr = *x509::build_csr(*subject, content);
  const auto verify = [&] {
    const auto parsed = x509::parse_csr(csr);
    if (!parsed || !x509::verify_csr(*parsed)) give_up("ours cannot verify");
  };

  Bare bare(authority->pkey());
  std::vector<double> built, signed_, verified, bare_verified;
  for (int round = 0; round < 7; ++round) {
    signed_.push_back(bench::loop(seconds, [&] { bare.sign(); }));
    built.push_back(bench::loop(seconds, build));
    bare_verified.push_back(bench::loop(seconds, [&] { bare.verify(); }));
    verified.push_back(bench::loop(seconds, verify));
  }
  check_with_openssl(certificate, authority->pkey());
  bench::print("cert-build", built, signed_, 0.93);
  bench::print("csr-verify", verified, bare_verified, 0.93);
}
