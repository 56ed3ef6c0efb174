// What a device sends to attest itself: CBOR, certificates of a root that the seeds have, and a TPM's
// structures.
#include "fuzz.hpp"

#include "attestation.hpp"
#include "cbor.hpp"
#include "tpm.hpp"

#include <hanaper/toolkit/public_key.hpp>

namespace {

constexpr const char* root =
    "3082012a3081d0a003020102020900dcb7e0d80c192143300a06082a8648ce3d040302300f310d300b06035504030c04526f"
    "6f743020170d3236313132323037303435315a180f32313236313032393038303435315a300f310d300b06035504030c0452"
    "6f6f743059301306072a8648ce3d020106082a8648ce3d0301070342000461e315863fbe39ab934ea5dbf8648abb284522f8"
    "7b7d53e6b7efd745e51d0487a5678016c6d74f901b84acb484f1b43fb707f13e39f5d71a763030634119a0e5a3133011300f"
    "0603551d130101ff040530030101ff300a06082a8648ce3d040302034900304602210099b6ef6a276a6bef8fcd3d1afa32f2"
    "1fc192357953f716b50e32ec0714bbf158022100a9eea787d8623379c4f520f685fc9404660aafb690ecc02293893707be51"
    "46ae";
// Within the lives of the seeds' certificates.
constexpr hanaper::Time now{std::chrono::seconds{2'000'000'000}};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hanaper;
  static const std::vector<Bytes> roots(1, fuzz::must(from_hex(root)));
  static const x509::TrustAnchors trust = fuzz::must(x509::TrustAnchors::make(
      roots, {}, x509::TrustAnchors::Purpose::any, x509::TrustAnchors::Strength::current));
  const ByteView input(data, size);
  const acme::Attestation attestation{
      input, {Identifier::Kind::permanent_identifier, "SN/1.2.3"}, "token", "token.thumbprint"};
  if (const auto judged = acme::judge_attestation(attestation, trust, now))
    fuzz::require(x509::parse_public_key(judged->spki).has_value());
  acme::cbor::Reader reader(input);
  (void)reader.skip();
  if (const auto key = acme::tpm::parse_public(input)) {
    fuzz::require(x509::parse_public_key(key->spki).has_value());
    (void)acme::tpm::name_of(*key, input);
  }
  (void)acme::tpm::parse_certified(input);
  for (const std::int64_t algorithm : {-7, -257, -37}) (void)acme::tpm::parse_signature(input, algorithm);
  return 0;
}
