// Certificates and requests made by others (tests/data): what OpenSSL reads is read the same, or refused for
// a reason that stands in a table here.
#include "oracle_agreement.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/files.hpp>

#include <gtest/gtest.h>
#include <openssl/err.h>

#include <filesystem>
#include <map>
#include <set>

namespace hanaper::oracle {
namespace {

namespace fs = std::filesystem;

// File name to what is refused of it, as it is reported; several parts in their order, joined by "; ".
using RefusedFiles = std::map<std::string, std::string>;

std::vector<fs::path> files_of(const char* folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(fs::path(HANAPER_TEST_DATA) / folder))
    files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

// The DER in a file: the file itself, or its first PEM block that is no key.
Result<Bytes> der_of(const fs::path& file) {
  HANAPER_TRY(const std::string text, files::read(file, 1024 * 1024));
  if (text.find("-----BEGIN") == std::string::npos) return to_bytes(as_bytes(text));
  HANAPER_TRY(const std::vector<pem::Block> blocks, pem::decode(text));
  for (const pem::Block& block : blocks)
    if (block.label.find("KEY") == std::string::npos) return block.der;
  return malformed("no block");
}

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : "; ") + part;
  return text;
}

// Reads every file with both; `read` returns what was refused.
template <class Read>
void expect_refusals(const char* folder, const RefusedFiles& expected, Read&& read) {
  std::set<std::string> met;
  for (const fs::path& file : files_of(folder)) {
    const std::string name = file.filename();
    SCOPED_TRACE(name);
    const auto der = der_of(file);
    const std::string refused = der ? read(*der) : der.error().detail;
    const auto row = expected.find(name);
    EXPECT_EQ(refused, row == expected.end() ? "" : row->second);
    met.insert(name);
  }
  for (const auto& [name, why] : expected) EXPECT_TRUE(met.contains(name)) << name << " is not there";
}

std::string read_certificate_file(const Bytes& der) {
  const X509Ptr theirs = read_certificate(der);
  const auto ours = x509::parse_certificate(der);
  if (!ours) return (theirs ? "" : "both: ") + ours.error().detail;
  if (theirs) return joined(expect_agreement(theirs.get(), *ours));
  // The toolkit reads names when they are asked for; then it must refuse what OpenSSL refuses.
  for (ByteView name : {ours->issuer, ours->subject})
    if (const auto parsed = x509::parse_name(name); !parsed) return "both: " + parsed.error().detail;
  return "only OpenSSL refuses it";
}

std::string read_request_file(const Bytes& der) {
  const RequestPtr theirs = read_request(der);
  const auto ours = x509::parse_csr(der);
  if (!ours) return (theirs ? "" : "both: ") + ours.error().detail;
  if (!theirs) return "only OpenSSL refuses it";
  if (const auto scheme = x509::parse_signature_algorithm(ours->algorithm); !scheme) {
    EXPECT_FALSE(x509::verify_csr(*ours));
    // Old devices, where somebody wants them.
    const bool sha1 = scheme.error().detail.find("1.2.840.113549.1.1.5") != std::string::npos;
    EXPECT_EQ(x509::verify_csr(*ours, true).has_value(),
              sha1 && X509_REQ_verify(theirs.get(), X509_REQ_get0_pubkey(theirs.get())) == 1);
    ERR_clear_error();
    return scheme.error().detail;
  }
  const bool good = X509_REQ_verify(theirs.get(), X509_REQ_get0_pubkey(theirs.get())) == 1;
  ERR_clear_error();
  EXPECT_EQ(x509::verify_csr(*ours).has_value(), good);
  return joined(expect_agreement(theirs.get(), *ours));
}

TEST(OracleVectors, OfCertificatesAreReadAlikeOrRefusedForAReason) {
  const RefusedFiles expected = {
      // No DER (X.690 10 and 11): defaults that are written out, bit lists with trailing zeros.
      {"alternate-rsa-sha1-oid.der", "key usage: key usage: not a bit string of 1 to 9 bits"},
      {"ed25519-rfc8410.pem", "extensions: DEFAULT FALSE is encoded"},
      // RFC 5280 4.1.2.1, 4.1.2.2, 4.1.2.5, 4.2: version, positive serial number, seconds, nothing twice.
      {"invalid_version.pem", "certificate version is neither 2 nor 3"},
      {"ec_no_named_curve.pem", "serial number is zero"},
      {"san_registered_id.pem", "serial number is zero"},
      {"negative_serial.pem", "serial number is negative"},
      {"badasn1time.pem", "der: time is not in Zulu seconds at octet 32"},
      {"two_basic_constraints.pem", "extension 2.5.29.19 twice"},
      // RFC 5280 4.2.1.10: 8 or 32 octets.
      {"nc_ip_invalid_length.pem", "name constraints: name constraints: address range is not 8 or 32 octets"},
      // Bit strings in names, which no text shows.
      {"scottishpower-bitstring-dn.pem", "subject: name: attribute value is no directory string"},
      {"unique_identifier.pem", "subject: name: attribute value is no directory string"},
      // OpenSSL refuses these as well.
      {"invalid_utf8_common_name.pem", "both: name: attribute value is empty or no clean UTF-8"},
      {"long-form-name-attribute.pem", "both: der: high tag number at octet 5"},
  };
  expect_refusals("cryptography/certificates", expected, read_certificate_file);
}

TEST(OracleVectors, OfPkitsAreReadAlikeOrRefusedForAReason) {
  const RefusedFiles expected = {
      {"InvalidNegativeSerialNumberTest15EE.crt", "serial number is negative"},
  };
  expect_refusals("pkits", expected, read_certificate_file);
}

TEST(OracleVectors, OfRequestsAreReadAlikeOrRefusedForAReason) {
  const std::string sha1 = "signature algorithm 1.2.840.113549.1.1.5 is not supported",
                    md4 = "signature algorithm 1.2.840.113549.1.1.3 is not supported",
                    dsa = "signature algorithm 1.2.840.10040.4.3 is not supported";
  const RefusedFiles expected = {
      // Algorithms of yesterday.
      {"basic_constraints.pem", sha1},
      {"rsa_sha1.der", sha1},
      {"rsa_sha1.pem", sha1},
      {"san_rsa_sha1.der", sha1},
      {"san_rsa_sha1.pem", sha1},
      {"unsupported_extension.pem", sha1},
      {"unsupported_extension_critical.pem", sha1},
      {"rsa_md4.der", md4},
      {"rsa_md4.pem", md4},
      {"dsa_sha1.der", dsa},
      {"dsa_sha1.pem", dsa},
      // RFC 2985 5.4.1: one password, and that a text.
      {"challenge-invalid.der", "challengePassword is no directory string"},
      {"challenge-multi-valued.der", "der: unexpected octets at octet 15"},
      // As for certificates.
      {"long-form-attribute.pem", "der: high tag number at octet 0"},
      {"two_basic_constraints.pem", "extension 2.5.29.19 twice"},
  };
  expect_refusals("cryptography/requests", expected, read_request_file);
}

}  // namespace
}  // namespace hanaper::oracle
