#include "request.hpp"

#include <hanaper/toolkit/der.hpp>
#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/signature_algorithm.hpp>

namespace hanaper::ocsp {
namespace {

// AlgorithmIdentifier of a digest: parameters absent or NULL.
Result<ByteView> read_digest_algorithm(der::Reader& reader) {
  HANAPER_TRY(der::Reader algorithm, reader.enter(der::sequence));
  HANAPER_TRY(const ByteView oid, algorithm.read_oid());
  if (!algorithm.at_end()) HANAPER_CHECK(algorithm.read_null());
  HANAPER_CHECK(algorithm.finish());
  return oid;
}

Result<CertId> read_cert_id(der::Reader& reader) {
  HANAPER_TRY(const der::Element whole, reader.expect(der::sequence));
  der::Reader fields(whole.content);
  CertId id;
  id.whole = whole.whole;
  HANAPER_TRY(id.hash, read_digest_algorithm(fields));
  HANAPER_TRY(id.name_hash, fields.read_octets());
  HANAPER_TRY(id.key_hash, fields.read_octets());
  HANAPER_TRY(id.serial, fields.read_integer());
  HANAPER_CHECK(fields.finish());
  if (id.name_hash.size() > 64 || id.key_hash.size() > 64)
    return malformed("a hash is longer than 64 octets");
  // Certificates have 20 at most (RFC 5280 4.1.2.2); longer ones only make answers longer.
  if (id.serial.size() > 32) return malformed("a serial number is longer than 32 octets");
  return id;
}

// RFC 9654 2.1: "A responder MUST ... accept Nonces of 1 to 128 octets", inside an OCTET STRING.
Result<ByteView> read_nonce_value(ByteView value) {
  HANAPER_TRY(const der::Element octets, der::only(value, der::octet_string));
  if (octets.content.empty() || octets.content.size() > 128)
    return malformed("a nonce has 1 to 128 octets (RFC 9654 2.1)");
  return octets.content;
}

// RFC 6960 4.4.7: the client's wishes, the best first. What we do not know is passed over.
Result<std::vector<SignatureScheme>> read_preferred(ByteView value) {
  std::vector<SignatureScheme> schemes;
  HANAPER_TRY(der::Reader list, der::open(value, der::sequence));
  while (!list.at_end()) {
    if (schemes.size() > 16) return malformed("more than 16 preferred signature algorithms");
    HANAPER_TRY(der::Reader preferred, list.enter(der::sequence));
    HANAPER_TRY(const der::Element algorithm, preferred.expect(der::sequence));
    if (!preferred.at_end()) {
      HANAPER_TRY(const der::Element key, preferred.expect(der::sequence));
      static_cast<void>(key);
    }
    HANAPER_CHECK(preferred.finish());
    if (const auto scheme = x509::parse_signature_algorithm(algorithm.whole)) schemes.push_back(*scheme);
  }
  return schemes;
}

// Extensions, each handed to `take` with its value; one that is critical and not taken is an error.
template <class Take>
Status read_extensions(der::Reader& reader, Take&& take) {
  HANAPER_TRY(der::Reader list, reader.enter(der::sequence));
  if (list.at_end()) return malformed("an empty list of extensions");
  std::vector<ByteView> seen;
  while (!list.at_end()) {
    HANAPER_TRY(der::Reader extension, list.enter(der::sequence));
    HANAPER_TRY(const ByteView oid, extension.read_oid());
    bool critical = false;
    if (extension.peek() == der::boolean) {
      HANAPER_TRY(critical, extension.read_boolean());
      if (!critical) return malformed("a default value is encoded");
    }
    HANAPER_TRY(const ByteView value, extension.read_octets());
    HANAPER_CHECK(extension.finish());
    for (ByteView other : seen)
      if (equal(other, oid)) return malformed("an extension is there twice");
    if (seen.size() >= 16) return malformed("more than 16 extensions");
    seen.push_back(oid);
    HANAPER_TRY(const bool taken, take(oid, value));
    // RFC 6960 4.4: "unrecognized ... unless they have the critical flag set".
    if (critical && !taken) return malformed("a critical extension is not known here");
  }
  return reader.finish();
}

Status read_single(der::Reader& list, OcspRequest& request) {
  HANAPER_TRY(der::Reader single, list.enter(der::sequence));
  HANAPER_TRY(CertId id, read_cert_id(single));
  if (!single.at_end()) {
    HANAPER_TRY(der::Reader extensions, single.enter(der::context(0)));
    HANAPER_CHECK(read_extensions(extensions, [](ByteView, ByteView) { return Result<bool>(false); }));
  }
  HANAPER_CHECK(single.finish());
  if (request.ids.size() >= id_limit) return malformed("more than 32 certificates in one request");
  request.ids.push_back(id);
  return {};
}

// The signature is well-formed or the request is not; who signed does not matter to us, and is not checked.
Status read_signature(der::Reader& reader, OcspRequest& request) {
  HANAPER_TRY(der::Reader tagged, reader.enter(der::context(0)));
  HANAPER_TRY(der::Reader signature, tagged.enter(der::sequence));
  HANAPER_CHECK(tagged.finish());
  HANAPER_TRY(const der::Element algorithm, signature.expect(der::sequence));
  HANAPER_TRY(const ByteView bits, signature.read_bits());
  if (bits.empty()) return malformed("an empty signature");
  if (!signature.at_end()) {
    HANAPER_TRY(der::Reader certificates, signature.enter(der::context(0)));
    HANAPER_TRY(const der::Element list, certificates.expect(der::sequence));
    HANAPER_CHECK(certificates.finish());
    static_cast<void>(list);
  }
  static_cast<void>(algorithm);
  request.is_signed = true;
  return signature.finish();
}

Status read_version(der::Reader& tbs) {
  HANAPER_TRY(der::Reader tagged, tbs.enter(der::context(0)));
  HANAPER_TRY(const std::uint64_t version, tagged.read_unsigned());
  // v1 is the default, and some clients write it all the same.
  if (version != 0) return malformed("a version other than v1");
  return tagged.finish();
}

}  // namespace

Result<OcspRequest> parse_request(ByteView der, bool read_nonce) {
  if (der.size() > request_limit) return malformed("a request is larger than 64 KiB");
  OcspRequest request;
  HANAPER_TRY(der::Reader outer, der::open(der, der::sequence));
  HANAPER_TRY(der::Reader tbs, outer.enter(der::sequence));
  if (tbs.peek() == der::context(0)) HANAPER_CHECK(read_version(tbs));
  if (tbs.peek() == der::context(1)) {
    HANAPER_TRY(der::Reader name, tbs.enter(der::context(1)));
    HANAPER_TRY(const der::Element general_name, name.next());
    // RFC 5280 4.2.1.6: GeneralName has the choices 0 to 8.
    if ((general_name.tag & 0xc0) != 0x80 || (general_name.tag & 0x1f) > 8)
      return malformed("the requestor's name is no GeneralName");
    HANAPER_CHECK(name.finish());
  }
  HANAPER_TRY(der::Reader list, tbs.enter(der::sequence));
  while (!list.at_end()) HANAPER_CHECK(read_single(list, request));
  if (request.ids.empty()) return malformed("a request for no certificate");
  if (!tbs.at_end()) {
    HANAPER_TRY(der::Reader extensions, tbs.enter(der::context(2)));
    HANAPER_CHECK(read_extensions(extensions, [&](ByteView oid, ByteView value) -> Result<bool> {
      if (oid::ocsp_nonce == oid) {
        if (!read_nonce) return true;
        HANAPER_TRY(request.nonce, read_nonce_value(value));
        return true;
      }
      if (oid::ocsp_preferred_algorithms == oid) {
        HANAPER_TRY(request.preferred, read_preferred(value));
        return true;
      }
      return oid::ocsp_response == oid;  // we have the basic response for everybody
    }));
  }
  HANAPER_CHECK(tbs.finish());
  if (!outer.at_end()) HANAPER_CHECK(read_signature(outer, request));
  HANAPER_CHECK(outer.finish());
  return request;
}

std::optional<CertId> parse_plain_request(ByteView der) {
  const auto parse = [&]() -> Result<CertId> {
    HANAPER_TRY(der::Reader outer, der::open(der, der::sequence));
    HANAPER_TRY(der::Reader tbs, outer.enter(der::sequence));
    HANAPER_TRY(der::Reader list, tbs.enter(der::sequence));
    HANAPER_TRY(der::Reader single, list.enter(der::sequence));
    HANAPER_TRY(CertId id, read_cert_id(single));
    for (const der::Reader* reader : {&single, &list, &tbs, &outer}) HANAPER_CHECK(reader->finish());
    return id;
  };
  auto id = parse();
  return id ? std::optional(*id) : std::nullopt;
}

namespace {

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Both alphabets of RFC 4648; -1: neither.
constexpr auto base64_digits = [] {
  std::array<std::int8_t, 256> digits{};
  digits.fill(-1);
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < alphabet.size(); ++i)
    digits[static_cast<std::uint8_t>(alphabet[i])] = static_cast<std::int8_t>(i);
  digits['-'] = 62;
  digits['_'] = 63;
  return digits;
}();

// The character that an escape at `at` stands for, which is then behind it; nothing when it is none.
std::optional<char> unescaped(std::string_view path, std::size_t& at) {
  const int high = at + 2 < path.size() ? hex_digit(path[at + 1]) : -1;
  const int low = at + 2 < path.size() ? hex_digit(path[at + 2]) : -1;
  if (high < 0 || low < 0) return std::nullopt;
  at += 2;
  return static_cast<char>(high << 4 | low);
}

Result<Bytes> decode(std::string_view path) {
  Bytes octets;
  octets.reserve(path.size() * 3 / 4);
  std::uint32_t bits = 0;
  std::size_t digits = 0, padding = 0;
  for (std::size_t i = 0; i < path.size(); ++i) {
    char c = path[i];
    if (c == '%') {
      const auto escaped = unescaped(path, i);
      if (!escaped) return malformed("a percent sign without two hexadecimal digits");
      c = *escaped;
      if (c == '\r' || c == '\n') continue;  // base64 in lines, as mail and PEM have it
      if (c == ' ') c = '+';                 // which forms write as a blank, and the other way round
    }
    if (c == '=') {
      if (++padding > 2) return malformed("too much padding");
      continue;
    }
    const int digit = base64_digits[static_cast<std::uint8_t>(c)];
    if (digit < 0 || padding > 0) return malformed("not base64");
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    if (++digits % 4 == 0) {
      for (int shift : {16, 8, 0}) octets.push_back(static_cast<std::uint8_t>(bits >> shift));
      bits = 0;
    }
  }
  const std::size_t left = digits % 4;
  if (left == 1 || (padding > 0 && left + padding != 4)) return malformed("base64 of an odd length");
  if (left == 2) octets.push_back(static_cast<std::uint8_t>(bits >> 4));
  if (left == 3)
    for (int shift : {10, 2}) octets.push_back(static_cast<std::uint8_t>(bits >> shift));
  if ((left == 2 && (bits & 0x0f)) || (left == 3 && (bits & 0x03)))
    return malformed("stray bits at the end of base64");
  if (octets.empty()) return malformed("an empty request");
  return octets;
}

// DER to the last octet.
bool is_whole(ByteView octets) {
  der::Reader reader(octets);
  return reader.expect(der::sequence) && reader.at_end();
}

}  // namespace

Result<Bytes> decode_path(std::string_view path) {
  if (path.size() > 2 * request_limit) return malformed("a request is larger than 64 KiB");
  // Requests begin with 'M': every slash before belongs to the address (and may be doubled by clients).
  while (path.starts_with('/')) path.remove_prefix(1);
  auto octets = decode(path);
  // At the end it is a digit of base64, or what clients and proxies put behind every address.
  if (path.ends_with('/') && !(octets && is_whole(*octets)))
    if (auto without = decode(path.substr(0, path.size() - 1)); without && is_whole(*without)) return without;
  return octets;
}

}  // namespace hanaper::ocsp
