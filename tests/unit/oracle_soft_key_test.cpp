// Private keys in files: written here and read by the openssl program, and back.
#include "oracle_family.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/files.hpp>

#include <gtest/gtest.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>

#include <sys/wait.h>

#include <array>
#include <cstdlib>
#include <filesystem>

namespace hanaper::oracle {
namespace {

using crypto::SoftKey;

// A folder that is gone afterwards.
class Folder {
 public:
  Folder() : path_((std::filesystem::temp_directory_path() / "hanaper-oracle.XXXXXX").string()) {
    if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("no temporary folder");
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }
  std::string write(std::string_view name, std::string_view content) const {
    EXPECT_TRUE(files::replace(file(name), content, 0600).has_value());
    return file(name);
  }

 private:
  std::string path_;
};

// Standard output of the openssl program; nothing when it fails.
std::optional<std::string> openssl(const std::string& arguments) {
  FILE* pipe = ::popen(("openssl " + arguments + " 2>/dev/null </dev/null").c_str(), "r");
  if (pipe == nullptr) return std::nullopt;
  std::string output;
  char buffer[4096];
  for (std::size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) output.append(buffer, n);
  const int status = ::pclose(pipe);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return std::nullopt;
  return output;
}

Bytes public_key(const std::string& file, const std::string& more) {
  const auto output = openssl("pkey -in " + file + " -pubout -outform DER " + more);
  return output ? to_bytes(as_bytes(*output)) : Bytes{};
}

TEST(OracleSoftKeys, InPlainFilesAreReadByTheProgram) {
  const Folder folder;
  for (const KeyPtr& key : keys()) {
    SCOPED_TRACE(to_string(key->spec()));
    const auto pem = key->to_pem();
    ASSERT_TRUE(pem.has_value());
    const std::string file = folder.write("key.pem", pem->reveal());
    EXPECT_EQ(public_key(file, ""), to_bytes(key->spki()));
    EXPECT_TRUE(openssl("pkey -check -noout -in " + file).has_value());
    // RFC 5958's plain form, and what the program makes of it, is the same again.
    EXPECT_EQ(openssl("pkey -in " + file), std::string(pem->reveal()));
    const auto again = SoftKey::from_pem(*pem, Secret());
    ASSERT_TRUE(again.has_value());
    EXPECT_EQ(EVP_PKEY_eq((*again)->pkey(), key->pkey()), 1);
    EXPECT_EQ(to_bytes((*again)->spki()), to_bytes(key->spki()));
    EXPECT_EQ((*again)->spec(), key->spec());
  }
}

TEST(OracleSoftKeys, InEncryptedFilesAreReadByTheProgramThatHasThePin) {
  const Folder folder;
  const std::string pin = "a pin with \xc3\xbc and \xe2\x82\xac";
  const std::string pin_file = folder.write("pin", pin + "\n");
  for (const KeyPtr& key : keys()) {
    SCOPED_TRACE(to_string(key->spec()));
    const auto pem = key->to_encrypted_pem(Secret(pin));
    ASSERT_TRUE(pem.has_value());
    const std::string file = folder.write("key.pem", *pem);
    EXPECT_EQ(public_key(file, "-passin file:" + pin_file), to_bytes(key->spki()));
    EXPECT_EQ(public_key(file, "-passin pass:other"), Bytes{});
    const auto again = SoftKey::from_pem(Secret(*pem), Secret(pin));
    ASSERT_TRUE(again.has_value());
    EXPECT_EQ(EVP_PKEY_eq((*again)->pkey(), key->pkey()), 1);
    EXPECT_EQ(SoftKey::from_pem(Secret(*pem), Secret("other")).error().code, Code::forbidden);
    EXPECT_EQ(SoftKey::from_pem(Secret(*pem), Secret()).error().code, Code::forbidden);
  }
}

// Of what scrypt and a cipher have been told: {N, r, p, octets of salt}.
void expect_scrypt(const std::string& pem, std::array<long, 4> wanted) {
  const auto blocks = pem::decode(pem);
  ASSERT_TRUE(blocks.has_value());
  ASSERT_EQ(blocks->size(), 1u);
  EXPECT_EQ((*blocks)[0].label, "ENCRYPTED PRIVATE KEY");
  const unsigned char* at = (*blocks)[0].der.data();
  const Owned<X509_SIG, X509_SIG_free> sealed(
      d2i_X509_SIG(nullptr, &at, static_cast<long>((*blocks)[0].der.size())));
  ASSERT_TRUE(sealed);
  const X509_ALGOR* algorithm = nullptr;
  X509_SIG_get0(sealed.get(), &algorithm, nullptr);
  const ASN1_OBJECT* id = nullptr;
  const void* parameters = nullptr;
  int type = 0;
  X509_ALGOR_get0(&id, &type, &parameters, algorithm);
  EXPECT_EQ(OBJ_obj2nid(id), NID_pbes2);
  const Owned<PBE2PARAM, PBE2PARAM_free> pbes2(
      static_cast<PBE2PARAM*>(ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBE2PARAM), algorithm->parameter)));
  ASSERT_TRUE(pbes2);
  EXPECT_EQ(OBJ_obj2nid(pbes2->encryption->algorithm), NID_aes_256_cbc);
  ASSERT_EQ(OBJ_obj2nid(pbes2->keyfunc->algorithm), NID_id_scrypt);
  const Owned<SCRYPT_PARAMS, SCRYPT_PARAMS_free> scrypt(static_cast<SCRYPT_PARAMS*>(
      ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(SCRYPT_PARAMS), pbes2->keyfunc->parameter)));
  ASSERT_TRUE(scrypt);
  EXPECT_EQ((std::array<long, 4>{ASN1_INTEGER_get(scrypt->costParameter), ASN1_INTEGER_get(scrypt->blockSize),
                                 ASN1_INTEGER_get(scrypt->parallelizationParameter),
                                 static_cast<long>(octets_of(scrypt->salt).size())}),
            wanted);
}

TEST(OracleSoftKeys, AreEncryptedWithScryptAndAes) {
  const auto pem = keys()[0]->to_encrypted_pem(Secret("a pin"));
  ASSERT_TRUE(pem.has_value());
  // As OWASP's Password Storage Cheat Sheet has it for 16 MiB.
  expect_scrypt(*pem, {16384, 8, 5, 16});
  // Another salt each time.
  EXPECT_NE(*keys()[0]->to_encrypted_pem(Secret("a pin")), *pem);
  // 192 random bits are not guessed.
  expect_scrypt(*keys()[0]->to_encrypted_pem(Secret(crypto::random_name(24))), {16384, 8, 1, 16});
}

struct ProgramKey {
  const char* name;
  const char* command;  // writes the key to standard output
  const char* pin;
};

TEST(OracleSoftKeys, MadeByTheProgramAreRead) {
  const ProgramKey table[] = {
      {"P256", "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256", ""},
      {"P384Traditional", "ecparam -genkey -noout -name secp384r1", ""},
      {"P521WithParameters", "ecparam -genkey -name secp521r1", ""},
      {"Ed25519", "genpkey -algorithm ED25519", ""},
      {"Rsa", "genrsa 2048", ""},
      {"RsaTraditional", "genrsa -traditional 2048", ""},
      {"Pbkdf2", "genpkey -algorithm ED25519 -aes-128-cbc -pass pass:secret", "secret"},
      {"TraditionalEncrypted", "genrsa -traditional -aes256 -passout pass:secret 2048", "secret"},
  };
  const Folder folder;
  for (const ProgramKey& row : table) {
    SCOPED_TRACE(row.name);
    const auto text = openssl(row.command);
    ASSERT_TRUE(text.has_value());
    const std::string file = folder.write("key.pem", *text);
    const auto key = SoftKey::from_pem(Secret(*text), Secret(row.pin));
    ASSERT_TRUE(key.has_value()) << key.error().detail;
    EXPECT_EQ(public_key(file, std::string("-passin pass:") + row.pin), to_bytes((*key)->spki()));
    if (*row.pin != '\0') {
      EXPECT_EQ(SoftKey::from_pem(Secret(*text), Secret("wrong")).error().code, Code::forbidden);
    }
    const auto der = openssl("pkcs8 -topk8 -nocrypt -outform DER -in " + file + " -passin pass:" + row.pin);
    ASSERT_TRUE(der.has_value());
    const auto again = SoftKey::from_pkcs8(Secret(*der));
    ASSERT_TRUE(again.has_value()) << again.error().detail;
    EXPECT_EQ(to_bytes((*again)->spki()), to_bytes((*key)->spki()));
    EXPECT_FALSE(SoftKey::from_pkcs8(Secret(der->substr(0, der->size() / 2))).has_value());
  }
}

// Whoever may write a key file but lacks its pin can change octets blindly, and what then signs betrays the
// key.
TEST(OracleSoftKeys, WithAnothersPublicKeyAreRefused) {
  struct Case {
    const char* command;
    std::string_view before;  // what stands in front of the octet that changes
  };
  for (const Case& row :
       {Case{"genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256", {"\x02\x01\x01\x04\x20", 5}},
        Case{"genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384", {"\x02\x01\x01\x04\x30", 5}},
        Case{"genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048", {"\x02\x82\x01\x01\x00", 5}}}) {
    const auto text = openssl(row.command);
    ASSERT_TRUE(text.has_value()) << row.command;
    const auto blocks = pem::decode(*text);
    ASSERT_TRUE(blocks.has_value() && blocks->size() == 1) << row.command;
    std::string der(as_text(blocks->front().der));
    const std::size_t at = der.find(row.before);
    ASSERT_NE(at, std::string::npos) << row.command;
    der[at + row.before.size() + 7] ^= 1;
    const auto from_der = SoftKey::from_pkcs8(Secret(der));
    ASSERT_FALSE(from_der.has_value()) << row.command;
    EXPECT_EQ(from_der.error().code, Code::bad_key) << row.command;
    const auto from_pem = SoftKey::from_pem(Secret(pem::encode("PRIVATE KEY", as_bytes(der))), Secret());
    ASSERT_FALSE(from_pem.has_value()) << row.command;
    EXPECT_EQ(from_pem.error().code, Code::malformed) << row.command;
  }
}

TEST(OracleSoftKeys, OfOtherKindsAreRefused) {
  for (const char* command :
       {"genpkey -algorithm X25519", "genpkey -algorithm ED448", "ecparam -genkey -noout -name secp256k1",
        "genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048"}) {
    const auto text = openssl(command);
    ASSERT_TRUE(text.has_value()) << command;
    const auto key = SoftKey::from_pem(Secret(*text), Secret());
    ASSERT_FALSE(key.has_value()) << command;
    EXPECT_EQ(key.error().code, Code::bad_key) << command;
  }
}

TEST(OracleSoftKeys, SignWhatOpensslVerifies) {
  const Bytes message(1000, 0x42);
  for (const Signer& signer : signers()) {
    SCOPED_TRACE(std::string(to_string(signer.scheme)) + " by " + to_string(signer.key->spec()));
    const auto hash = crypto::hash_of(signer.scheme);
    const char* digests[] = {"SHA1", "SHA256", "SHA384", "SHA512"};
    const bool pss = to_string(signer.scheme).starts_with("rsa-pss");
    for (bool prehashed : {false, true}) {
      if (prehashed && !hash) continue;
      const auto signature = prehashed
                                 ? signer.key->sign_digest(signer.scheme, crypto::digest(*hash, message))
                                 : signer.key->sign(signer.scheme, message);
      ASSERT_TRUE(signature.has_value());
      for (bool good : {true, false}) {
        Bytes tried = *signature;
        if (!good) tried[tried.size() / 2] ^= 4;
        const Owned<EVP_MD_CTX, EVP_MD_CTX_free> context(EVP_MD_CTX_new());
        EVP_PKEY_CTX* verifier = nullptr;
        ASSERT_EQ(EVP_DigestVerifyInit_ex(context.get(), &verifier,
                                          hash ? digests[static_cast<std::size_t>(*hash)] : nullptr, nullptr,
                                          nullptr, signer.key->pkey(), nullptr),
                  1);
        if (pss) {
          EVP_PKEY_CTX_set_rsa_padding(verifier, RSA_PKCS1_PSS_PADDING);
          EVP_PKEY_CTX_set_rsa_pss_saltlen(verifier, RSA_PSS_SALTLEN_DIGEST);
        }
        EXPECT_EQ(
            EVP_DigestVerify(context.get(), tried.data(), tried.size(), message.data(), message.size()) == 1,
            good);
        EXPECT_EQ(crypto::verify(signer.scheme, signer.key->spki(), message, tried).has_value(), good);
      }
    }
  }
}

TEST(OracleSoftKeys, DecryptWhatOpensslEncrypts) {
  const KeyPtr& key = keys()[4];
  const std::string_view plain = "a session key";
  const Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free> context(EVP_PKEY_CTX_new(key->pkey(), nullptr));
  Bytes sealed(256);
  std::size_t size = sealed.size();
  ASSERT_EQ(EVP_PKEY_encrypt_init(context.get()), 1);
  ASSERT_EQ(EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING), 1);
  ASSERT_EQ(EVP_PKEY_encrypt(context.get(), sealed.data(), &size, as_bytes(plain).data(), plain.size()), 1);
  const auto opened = key->decrypt(sealed);
  ASSERT_TRUE(opened.has_value());
  EXPECT_EQ(opened->reveal(), plain);
  sealed.pop_back();
  EXPECT_FALSE(key->decrypt(sealed).has_value());
  EXPECT_EQ(keys()[0]->decrypt(sealed).error().code, Code::unsupported);
}

}  // namespace
}  // namespace hanaper::oracle
