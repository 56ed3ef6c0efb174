#include <hanaper/toolkit/certificate.hpp>

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/public_key.hpp>

namespace hanaper::x509 {
namespace {

constexpr std::size_t max_size = 64 * 1024;
constexpr std::size_t max_extensions = 64;

// Of a certificate, or of a request: that only asks, and some programs write the false that is the default,
// or a list of nothing.
enum class Of { certificate, request };

// Extensions ::= SEQUENCE SIZE (1..MAX) OF Extension
Result<std::vector<ExtensionView>> parse_extensions(der::Reader list, Of of) {
  std::vector<ExtensionView> extensions;
  if (list.at_end() && of == Of::certificate) return malformed("extensions: empty list");
  extensions.reserve(12);
  while (!list.at_end()) {
    HANAPER_TRY(der::Reader fields, list.enter(der::sequence));
    ExtensionView extension;
    HANAPER_TRY(extension.oid, fields.read_oid());
    if (fields.peek() == der::boolean) {
      HANAPER_TRY(extension.critical, fields.read_boolean());
      if (!extension.critical && of == Of::certificate)
        return malformed("extensions: DEFAULT FALSE is encoded");
    }
    HANAPER_TRY(extension.value, fields.read_octets());
    HANAPER_CHECK(fields.finish());
    // RFC 5280 4.2: "A certificate MUST NOT include more than one instance of a particular extension."
    for (const ExtensionView& other : extensions)
      if (equal(other.oid, extension.oid))
        return malformed("extension " + der::oid_to_text(extension.oid) + " twice");
    if (extensions.size() >= max_extensions) return malformed("extensions: more than 64");
    extensions.push_back(extension);
  }
  return extensions;
}

Status parse_validity(der::Reader& fields, TbsView& view) {
  HANAPER_TRY(der::Reader validity, fields.enter(der::sequence));
  view.not_before_tag = validity.peek();
  HANAPER_TRY(view.not_before, validity.read_time());
  view.not_after_tag = validity.peek();
  HANAPER_TRY(view.not_after, validity.read_time());
  return validity.finish();
}

Status parse_tbs_fields(der::Reader fields, TbsView& view) {
  view.version = 1;
  if (fields.peek() == der::context(0)) {
    HANAPER_TRY(der::Reader version, fields.enter(der::context(0)));
    HANAPER_TRY(const std::uint64_t number, version.read_unsigned());
    HANAPER_CHECK(version.finish());
    if (number == 0 || number > 2) return malformed("certificate version is neither 2 nor 3");
    view.version = static_cast<unsigned>(number) + 1;
  }
  HANAPER_TRY(const ByteView serial, fields.read_integer());
  HANAPER_TRY(view.serial, Serial::from_der(serial));
  HANAPER_TRY(const der::Element algorithm, fields.expect(der::sequence));
  HANAPER_TRY(const der::Element issuer, fields.expect(der::sequence));
  HANAPER_CHECK(parse_validity(fields, view));
  HANAPER_TRY(const der::Element subject, fields.expect(der::sequence));
  HANAPER_TRY(const der::Element spki, fields.expect(der::sequence));
  view.signature_algorithm = algorithm.whole;
  view.issuer = issuer.whole;
  view.subject = subject.whole;
  view.spki = spki.whole;
  for (std::uint8_t n : {1, 2}) {
    HANAPER_TRY(const auto unique, fields.maybe(der::context_primitive(n)));
    view.has_unique_identifiers = view.has_unique_identifiers || unique.has_value();
  }
  if (fields.peek() == der::context(3)) {
    HANAPER_TRY(der::Reader wrapper, fields.enter(der::context(3)));
    HANAPER_TRY(const der::Reader list, wrapper.enter(der::sequence));
    HANAPER_CHECK(wrapper.finish());
    HANAPER_TRY(view.extensions, parse_extensions(list, Of::certificate));
  }
  return fields.finish();
}

}  // namespace

Result<TbsView> parse_tbs(ByteView tbs) {
  if (tbs.size() > max_size) return malformed("certificate of more than 64 KiB");
  HANAPER_TRY(const der::Reader fields, der::open(tbs, der::sequence));
  TbsView view;
  view.whole = tbs;
  HANAPER_CHECK(parse_tbs_fields(fields, view));
  return view;
}

Result<CertificateView> parse_certificate(ByteView input) {
  if (input.size() > max_size) return malformed("certificate of more than 64 KiB");
  HANAPER_TRY(der::Reader outer, der::open(input, der::sequence));
  HANAPER_TRY(const der::Element tbs, outer.expect(der::sequence));
  HANAPER_TRY(const der::Element algorithm, outer.expect(der::sequence));
  CertificateView view;
  HANAPER_TRY(view.signature, outer.read_bits());
  HANAPER_CHECK(outer.finish());
  view.whole = tbs.whole;
  HANAPER_CHECK(parse_tbs_fields(der::Reader(tbs.content), view));
  view.der = input;
  view.outer_algorithm = algorithm.whole;
  return view;
}

namespace {

// Extension ::= SEQUENCE { extnID, critical DEFAULT FALSE, extnValue }, a false that is written included.
Result<ExtensionView> parse_foreign_extension(der::Reader fields) {
  ExtensionView extension;
  HANAPER_TRY(const der::Element type, fields.expect(der::object_identifier));
  HANAPER_TRY(const std::optional<der::Element> critical, fields.maybe(der::boolean));
  HANAPER_TRY(extension.value, fields.read_octets());
  extension.oid = type.content;
  extension.critical = critical && critical->content.size() == 1 && critical->content[0] != 0;
  return extension;
}

}  // namespace

Result<std::optional<ExtensionView>> foreign_extension(ByteView certificate, ByteView oid) {
  if (certificate.size() > max_size) return malformed("certificate of more than 64 KiB");
  HANAPER_TRY(der::Reader outer, der::open(certificate, der::sequence));
  HANAPER_TRY(der::Reader fields, outer.enter(der::sequence));
  std::optional<ExtensionView> found;
  while (!fields.at_end()) {
    HANAPER_TRY(const der::Element field, fields.next());
    if (field.tag != der::context(3)) continue;
    HANAPER_TRY(der::Reader list, der::open(field.content, der::sequence));
    while (!list.at_end()) {
      HANAPER_TRY(const der::Reader one, list.enter(der::sequence));
      HANAPER_TRY(const ExtensionView extension, parse_foreign_extension(one));
      if (!equal(extension.oid, oid)) continue;
      // Which of them would count?
      if (found) return malformed("extension " + der::oid_to_text(oid) + " twice");
      found = extension;
    }
  }
  return found;
}

Bytes assemble_certificate(ByteView tbs, ByteView signature) {
  der::Writer writer(tbs.size() + signature.size() + 96);
  writer.sequence([&] {
    writer.bits(signature);
    if (const auto view = parse_tbs(tbs)) writer.raw(view->signature_algorithm);
    writer.raw(tbs);
  });
  return writer.bytes();
}

namespace {

// UCS-2, as some devices write every text.
Result<std::string> text_of_bmp(ByteView content) {
  if (content.size() % 2 != 0) return malformed("a BMPString of odd length");
  std::string text;
  for (std::size_t i = 0; i < content.size(); i += 2) {
    const unsigned unit = static_cast<unsigned>(content[i]) << 8 | content[i + 1];
    if (unit >= 0xd800 && unit < 0xe000) return malformed("a BMPString with half a character");
    if (unit < 0x80) {
      text.push_back(static_cast<char>(unit));
      continue;
    }
    if (unit >= 0x800) text.push_back(static_cast<char>(0xe0 | unit >> 12));
    text.push_back(static_cast<char>(unit >= 0x800 ? 0x80 | (unit >> 6 & 0x3f) : 0xc0 | unit >> 6));
    text.push_back(static_cast<char>(0x80 | (unit & 0x3f)));
  }
  return text;
}

Status parse_attribute(der::Reader attribute, CsrView& csr, bool& has_password) {
  HANAPER_TRY(const ByteView type, attribute.read_oid());
  HANAPER_TRY(der::Reader values, attribute.enter(der::set));
  HANAPER_CHECK(attribute.finish());
  // Microsoft's tools have an attribute of their own for the same list; two lists would be two requests.
  if (oid::extension_request == type || oid::microsoft_extension_request == type) {
    if (!csr.extensions.empty()) return malformed("extensionRequest twice");
    HANAPER_TRY(const der::Reader list, values.enter(der::sequence));
    HANAPER_CHECK(values.finish());
    HANAPER_TRY(csr.extensions, parse_extensions(list, Of::request));
  } else if (oid::challenge_password == type) {
    if (std::exchange(has_password, true)) return malformed("challengePassword twice");
    HANAPER_TRY(const der::Element password, values.next());
    HANAPER_CHECK(values.finish());
    if (password.tag == der::bmp_string) {
      HANAPER_TRY(csr.challenge_password, text_of_bmp(password.content));
      return {};
    }
    if (password.tag != der::utf8_string && password.tag != der::printable_string &&
        password.tag != der::ia5_string && password.tag != der::teletex_string)
      return malformed("challengePassword is no directory string");
    csr.challenge_password = as_text(password.content);
  }
  return {};
}

Result<CsrView> parse_csr_fields(ByteView input) {
  HANAPER_TRY(der::Reader outer, der::open(input, der::sequence));
  HANAPER_TRY(const der::Element info, outer.expect(der::sequence));
  HANAPER_TRY(const der::Element algorithm, outer.expect(der::sequence));
  CsrView csr;
  csr.der = input;
  HANAPER_TRY(csr.signature, outer.read_bits());
  HANAPER_CHECK(outer.finish());
  csr.info = info.whole;

  der::Reader fields(info.content);
  // RFC 2986 4.1 has 0. Some clients count the version from 1, or write that of a certificate; nothing
  // depends on it.
  HANAPER_CHECK(fields.expect(der::integer));
  HANAPER_TRY(const der::Element subject, fields.expect(der::sequence));
  HANAPER_TRY(const der::Element spki, fields.expect(der::sequence));
  csr.subject = subject.whole;
  csr.spki = spki.whole;
  // RFC 2986 4.1 has the attributes always there; some clients leave the empty set out.
  if (!fields.at_end()) {
    HANAPER_TRY(der::Reader attributes, fields.enter(der::context(0)));
    csr.attributes = attributes.rest();
    bool has_password = false;
    while (!attributes.at_end()) {
      HANAPER_TRY(const der::Reader attribute, attributes.enter(der::sequence));
      HANAPER_CHECK(parse_attribute(attribute, csr, has_password));
    }
  }
  HANAPER_CHECK(fields.finish());
  csr.algorithm = algorithm.whole;
  return csr;
}

}  // namespace

Result<CsrView> parse_csr(ByteView input) {
  if (input.size() > max_size) return bad_csr("request of more than 64 KiB");
  auto csr = parse_csr_fields(input);
  if (csr) return csr;
  return bad_csr(std::move(csr).error().detail);
}

std::optional<ByteView> find_attribute(const CsrView& csr, ByteView oid) {
  der::Reader attributes(csr.attributes);
  while (!attributes.at_end()) {
    auto attribute = attributes.enter(der::sequence);
    if (!attribute) return std::nullopt;
    const auto type = attribute->read_oid();
    const auto values = attribute->enter(der::set);
    if (type && values && equal(*type, oid)) return values->rest();
  }
  return std::nullopt;
}

Status verify_csr(const CsrView& csr, bool sha1) {
  const auto scheme = parse_signature_algorithm(csr.algorithm);
  auto algorithm = der::open(csr.algorithm, der::sequence);
  const auto name = algorithm ? algorithm->read_oid() : Result<ByteView>(algorithm.error());
  const bool old = sha1 && name && oid::sha1_rsa == *name;
  if (!scheme && !old) return bad_csr(scheme.error().detail);
  auto verified = old ? crypto::verify_sha1(csr.spki, csr.info, csr.signature)
                      : crypto::verify(*scheme, csr.spki, csr.info, csr.signature);
  if (!verified && verified.error().code == Code::forbidden)
    return bad_csr("the request's signature does not verify under its own key");
  return verified;
}

}  // namespace hanaper::x509
