#include "oracle_foreign.hpp"

#include <hanaper/toolkit/crypto.hpp>

#include <openssl/bn.h>
#include <openssl/conf.h>
#include <openssl/rsa.h>

namespace hanaper::oracle {
namespace {

using MdContextPtr = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;

// A context that signs as the scheme says, or null.
MdContextPtr signing_context(const Signer& signer) {
  MdContextPtr context(EVP_MD_CTX_new());
  const auto hash = crypto::hash_of(signer.scheme);
  const EVP_MD* digests[] = {EVP_sha1(), EVP_sha256(), EVP_sha384(), EVP_sha512()};
  EVP_PKEY_CTX* key = nullptr;
  if (EVP_DigestSignInit(context.get(), &key, hash ? digests[static_cast<std::size_t>(*hash)] : nullptr,
                         nullptr, signer.key->pkey()) != 1)
    return {};
  if (!to_string(signer.scheme).starts_with("rsa-pss")) return context;
  if (EVP_PKEY_CTX_set_rsa_padding(key, RSA_PKCS1_PSS_PADDING) != 1 ||
      EVP_PKEY_CTX_set_rsa_pss_saltlen(key, RSA_PSS_SALTLEN_DIGEST) != 1)
    return {};
  return context;
}

// Octets of a text in one of the string types. Characters stay within what the type can hold.
Bytes text_as(Random& random, int type, std::size_t size) {
  constexpr std::string_view plain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 '()+,-./:=?";
  constexpr std::uint32_t points[] = {'A',  'z',  '0',   ',',    '"',    0xe4,
                                      0xff, 0xa0, 0x3a9, 0x4e2d, 0xfffd, 0x1f511};
  Bytes octets;
  for (std::size_t i = 0; i < size; ++i) {
    std::uint32_t point = random.pick(points);
    switch (type) {
      case V_ASN1_T61STRING:
        octets.push_back(static_cast<std::uint8_t>(point > 0xff ? 'x' : point));
        break;
      case V_ASN1_BMPSTRING:
        if (point > 0xffff) point = 'y';
        octets.push_back(static_cast<std::uint8_t>(point >> 8));
        octets.push_back(static_cast<std::uint8_t>(point));
        break;
      case V_ASN1_UNIVERSALSTRING:
        for (int shift : {24, 16, 8, 0}) octets.push_back(static_cast<std::uint8_t>(point >> shift));
        break;
      case V_ASN1_UTF8STRING:
        for (char c : std::string_view("\xc3\xa4z")) octets.push_back(static_cast<std::uint8_t>(c));
        break;
      case V_ASN1_NUMERICSTRING:
        octets.push_back(static_cast<std::uint8_t>(random.character("0123456789 ")));
        break;
      default:
        octets.push_back(static_cast<std::uint8_t>(random.character(plain)));
    }
  }
  return octets;
}

constexpr int string_types[] = {V_ASN1_PRINTABLESTRING, V_ASN1_UTF8STRING,   V_ASN1_T61STRING,
                                V_ASN1_BMPSTRING,       V_ASN1_IA5STRING,    V_ASN1_UNIVERSALSTRING,
                                V_ASN1_NUMERICSTRING,   V_ASN1_VISIBLESTRING};

struct ExtensionText {
  int nid;
  const char* text;
};
// What people put into requests and certificates with the openssl program, odd things among it.
constexpr ExtensionText extension_texts[] = {
    {NID_subject_alt_name, "DNS:a.example.test,DNS:*.b.example.test,IP:192.0.2.1,IP:2001:db8::1"},
    {NID_subject_alt_name, "critical,DNS:UPPER.Example.TEST,email:Some.One@Example.TEST,URI:urn:x:y"},
    {NID_subject_alt_name, "RID:1.2.3.4,otherName:1.2.3.4;UTF8:whoever,DNS:a.test,dirName:dn"},
    {NID_subject_alt_name, "DNS:under_score.test,DNS:trailing.test.,DNS:*,URI:no-scheme,email:nobody"},
    {NID_issuer_alt_name, "DNS:issuer.example.test"},
    {NID_key_usage, "critical,digitalSignature,keyEncipherment"},
    {NID_key_usage, "keyAgreement,decipherOnly"},
    {NID_key_usage, "critical,keyCertSign,cRLSign"},
    {NID_ext_key_usage, "serverAuth,clientAuth"},
    {NID_ext_key_usage, "critical,1.3.6.1.4.1.311.20.2.2,anyExtendedKeyUsage"},
    {NID_basic_constraints, "critical,CA:TRUE"},
    {NID_basic_constraints, "CA:TRUE,pathlen:3"},
    {NID_basic_constraints, "CA:FALSE"},
    {NID_subject_key_identifier, "hash"},
    {NID_authority_key_identifier, "keyid:always"},
    {NID_authority_key_identifier, "keyid:always,issuer:always"},
    {NID_authority_key_identifier, "issuer:always"},
    {NID_info_access, "OCSP;URI:http://ocsp.test/,caIssuers;email:a@b.test,1.2.3.4;DNS:c.test"},
    {NID_crl_distribution_points, "URI:http://crl.test/1,URI:ldap://crl.test/x"},
    {NID_certificate_policies, "1.2.3.4,@policy"},
    {NID_name_constraints,
     "critical,permitted;DNS:.Example.test,permitted;email:.test,excluded;URI:.Bad.test"},
    {NID_name_constraints,
     "permitted;IP:192.0.2.0/255.255.255.0,excluded;IP:2001:db8::/ffff:ffff::,excluded;dirName:dn"},
    {NID_tlsfeature, "status_request,status_request_v2"},
    {NID_netscape_comment, "made by openssl"},
    {NID_id_pkix_OCSP_noCheck, "ignored"},
    {NID_inhibit_any_policy, "2"},
    {NID_policy_constraints, "requireExplicitPolicy:3"},
};

CONF* sections() {
  static const Owned<CONF, NCONF_free> conf = [] {
    static constexpr std::string_view text =
        "[dn]\nC=DE\nO=Example\n[policy]\npolicyIdentifier=1.2.3.5\nCPS.1=https://cps.test/\n"
        "userNotice.1=@notice\n[notice]\nexplicitText=UTF8:Hello\n";
    Owned<CONF, NCONF_free> made(NCONF_new(nullptr));
    const Owned<BIO, BIO_free_all> bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    long line = 0;
    NCONF_load_bio(made.get(), bio.get(), &line);
    return made;
  }();
  return conf.get();
}

// Each kind of extension at most once.
ExtensionsPtr foreign_extensions(Random& random, X509* issuer, X509* subject, X509_REQ* request) {
  ExtensionsPtr list(sk_X509_EXTENSION_new_null());
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, subject, request, nullptr, 0);
  X509V3_set_nconf(&context, sections());
  const std::size_t count = random.below(10);
  for (std::size_t i = 0; i < count; ++i) {
    const ExtensionText& chosen = random.pick(extension_texts);
    if (X509v3_get_ext_by_NID(list.get(), chosen.nid, -1) >= 0) continue;
    if (request != nullptr && chosen.nid == NID_authority_key_identifier) continue;
    X509_EXTENSION* made = X509V3_EXT_nconf_nid(sections(), &context, chosen.nid, chosen.text);
    if (made != nullptr) sk_X509_EXTENSION_push(list.get(), made);
  }
  return list;
}

TimePtr foreign_time(Random& random) {
  const Time time = std::chrono::floor<std::chrono::seconds>(random_time(random));
  TimePtr made(ASN1_TIME_new());
  const auto seconds = static_cast<std::time_t>(time.time_since_epoch().count() / 1000);
  // GeneralizedTime before 2050 is not what RFC 5280 wants, but what some write.
  if (random.chance(20))
    ASN1_GENERALIZEDTIME_set(made.get(), seconds);
  else
    ASN1_TIME_set(made.get(), seconds);
  return made;
}

void add_password(X509_REQ* request, Random& random) {
  constexpr int types[] = {V_ASN1_UTF8STRING, V_ASN1_PRINTABLESTRING, V_ASN1_T61STRING, V_ASN1_IA5STRING};
  const int type = random.pick(types);
  const Bytes text = text_as(random, type, random.between(1, 40));
  X509_REQ_add1_attr_by_NID(request, NID_pkcs9_challengePassword, type, text.data(),
                            static_cast<int>(text.size()));
}

}  // namespace

void add_attribute(X509_NAME* name, const char* oid, int type, ByteView value) {
  X509_NAME_add_entry_by_txt(name, oid, type, value.data(), static_cast<int>(value.size()), -1, 0);
}

NamePtr foreign_name(Random& random) {
  NamePtr name(X509_NAME_new());
  const std::size_t count = random.chance(10) ? 32 : random.below(7);
  for (std::size_t i = 0; i < count; ++i) {
    const int type = random.pick(string_types);
    const std::string oid = random.chance(20) ? "1.2.3.4.5." + std::to_string(random.below(1000))
                                              : std::string(random.pick(known_types()).oid);
    add_attribute(name.get(), oid.c_str(), type, text_as(random, type, random.between(1, 20)));
  }
  return name;
}

bool sign(X509* certificate, const Signer& signer) {
  const MdContextPtr context = signing_context(signer);
  return context && X509_sign_ctx(certificate, context.get()) > 0;
}

bool sign(X509_REQ* request, const Signer& signer) {
  const MdContextPtr context = signing_context(signer);
  return context && X509_REQ_sign_ctx(request, context.get()) > 0;
}

X509Ptr foreign_certificate(std::size_t number) {
  Random random = random_for("foreign certificate", number);
  const Signer& signer = signers()[number % signers().size()];
  X509Ptr x509(X509_new());
  const bool v1 = random.chance(5);
  X509_set_version(x509.get(), v1 ? X509_VERSION_1 : random.chance(3) ? X509_VERSION_2 : X509_VERSION_3);
  const Serial serial = random_serial(random);
  const Owned<BIGNUM, BN_free> magnitude(
      BN_bin2bn(serial.octets().data(), static_cast<int>(serial.octets().size()), nullptr));
  BN_to_ASN1_INTEGER(magnitude.get(), X509_get_serialNumber(x509.get()));
  X509_set_issuer_name(x509.get(), foreign_name(random).get());
  X509_set_subject_name(x509.get(), foreign_name(random).get());
  X509_set1_notBefore(x509.get(), foreign_time(random).get());
  X509_set1_notAfter(x509.get(), foreign_time(random).get());
  X509_set_pubkey(x509.get(), random.pick(keys())->pkey());
  if (X509_get_version(x509.get()) == X509_VERSION_3) {
    const ExtensionsPtr list = foreign_extensions(random, x509.get(), x509.get(), nullptr);
    for (int i = 0; i < sk_X509_EXTENSION_num(list.get()); ++i)
      X509_add_ext(x509.get(), sk_X509_EXTENSION_value(list.get(), i), -1);
  }
  if (!sign(x509.get(), signer)) return {};
  return x509;
}

ForeignRequest foreign_request(std::size_t number) {
  Random random = random_for("foreign request", number);
  const Signer& signer = signers()[number % signers().size()];
  RequestPtr request(X509_REQ_new());
  X509_REQ_set_version(request.get(), X509_REQ_VERSION_1);
  X509_REQ_set_subject_name(request.get(), foreign_name(random).get());
  X509_REQ_set_pubkey(request.get(), signer.key->pkey());
  if (random.chance(70)) {
    const ExtensionsPtr list = foreign_extensions(random, nullptr, nullptr, request.get());
    if (sk_X509_EXTENSION_num(list.get()) > 0) X509_REQ_add_extensions(request.get(), list.get());
  }
  if (random.chance(40)) add_password(request.get(), random);
  if (random.chance(30))
    X509_REQ_add1_attr_by_NID(request.get(), NID_pkcs9_unstructuredName, MBSTRING_UTF8,
                              reinterpret_cast<const unsigned char*>("a device"), -1);
  if (random.chance(10))
    X509_REQ_add1_attr_by_txt(request.get(), "1.2.3.4.5.6", V_ASN1_OCTET_STRING,
                              reinterpret_cast<const unsigned char*>("\x00\x01"), 2);
  if (!sign(request.get(), signer)) return {};
  return {std::move(request), signer};
}

}  // namespace hanaper::oracle
