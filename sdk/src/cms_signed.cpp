// SignedData (RFC 5652 5).
#include <hanaper/toolkit/algorithms.hpp>
#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/cms.hpp>
#include <hanaper/toolkit/extensions.hpp>
#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/signature_algorithm.hpp>

#include <algorithm>

namespace hanaper::cms {
namespace {

constexpr std::size_t max_certificates = 16;
constexpr std::size_t max_signers = 4;
constexpr std::size_t max_attributes = 32;

// The scheme of rsaEncryption, which names the digest beside it.
SignatureScheme rsa_scheme(crypto::Hash hash) {
  for (const algorithms::SchemeRow& row : algorithms::schemes)
    if (row.padding == algorithms::Padding::pkcs1 && row.hash == hash) return row.scheme;
  return algorithms::row(KeyType::rsa).scheme;
}

Bytes encode(const Attribute& attribute) {
  der::Writer writer(128);
  writer.sequence([&] {
    writer.primitive(der::set, attribute.values);
    writer.oid(attribute.type);
  });
  return writer.bytes();
}

// The content of the SET, in DER's order.
Bytes signed_attributes(const SignedContent& content, crypto::Hash hash) {
  std::vector<Bytes> attributes;
  for (const Attribute& attribute : content.attributes) attributes.push_back(encode(attribute));
  der::Writer type(64), digest(96);
  type.oid(content.content_type);
  digest.octets(crypto::digest(hash, content.content.value_or(ByteView{})));
  attributes.push_back(encode({to_bytes(oid::content_type), type.bytes()}));
  attributes.push_back(encode({to_bytes(oid::message_digest), digest.bytes()}));
  std::ranges::sort(attributes);
  Bytes joined;
  for (const Bytes& attribute : attributes) joined.insert(joined.end(), attribute.begin(), attribute.end());
  return joined;
}

void write_certificates(der::Writer& writer, const std::vector<ByteView>& certificates) {
  if (certificates.empty()) return;
  writer.constructed(der::context(0), [&] {
    for (std::size_t i = certificates.size(); i-- > 0;) writer.raw(certificates[i]);
  });
}

// RSA signatures are named rsaEncryption, without a digest: some clients read no other name.
void write_signature_algorithm(der::Writer& writer, SignatureScheme scheme) {
  if (algorithms::row(scheme).padding != algorithms::Padding::pkcs1)
    return writer.raw(x509::algorithm_identifier(scheme));
  writer.sequence([&] {
    writer.null();
    writer.oid(oid::rsa_encryption);
  });
}

Bytes content_info(der::Oid type, ByteView content) {
  der::Writer writer(content.size() + 64);
  writer.sequence([&] {
    writer.constructed(der::context(0), [&] { writer.raw(content); });
    writer.oid(type);
  });
  return writer.bytes();
}

Result<SignerInfo> parse_signer(der::Reader reader) {
  SignerInfo signer;
  HANAPER_CHECK(reader.read_unsigned());
  if (reader.peek() == der::sequence) {
    HANAPER_TRY(der::Reader name, reader.enter(der::sequence));
    HANAPER_TRY(const der::Element issuer, name.expect(der::sequence));
    HANAPER_TRY(signer.serial, name.read_integer());
    HANAPER_CHECK(name.finish());
    signer.issuer = issuer.whole;
  } else {
    HANAPER_TRY(const der::Element identifier, reader.expect(der::context_primitive(0)));
    signer.key_identifier = identifier.content;
  }
  HANAPER_TRY(der::Reader digest, reader.enter(der::sequence));
  HANAPER_TRY(signer.digest_algorithm, digest.read_oid());
  HANAPER_TRY(const std::optional<der::Element> attributes, reader.maybe(der::context(0)));
  if (attributes) signer.signed_attributes = attributes->content;
  HANAPER_TRY(const der::Element algorithm, reader.expect(der::sequence));
  signer.signature_algorithm = algorithm.whole;
  HANAPER_TRY(signer.signature, reader.read_octets());
  HANAPER_CHECK(reader.maybe(der::context(1)));  // unsigned attributes say nothing that counts
  HANAPER_CHECK(reader.finish());
  return signer;
}

// What the algorithm of a signature says of its key: with rsaEncryption the digest is named beside it.
Result<std::optional<SignatureScheme>> scheme_of(ByteView algorithm, crypto::Hash hash) {
  HANAPER_TRY(der::Reader reader, der::open(algorithm, der::sequence));
  HANAPER_TRY(const ByteView type, reader.read_oid());
  const bool rsa = oid::rsa_encryption == type;
  if (hash == crypto::Hash::sha1) {
    if (!rsa && oid::sha1_rsa != type) return unsupported("the signature algorithm is not supported");
    return std::optional<SignatureScheme>{};
  }
  if (rsa) return std::optional(rsa_scheme(hash));
  HANAPER_TRY(const SignatureScheme scheme, x509::parse_signature_algorithm(algorithm));
  if (algorithms::row(scheme).cms_hash != hash)
    return unsupported("the digest is not that of the signature algorithm");
  return std::optional(scheme);
}

}  // namespace

Bytes certs_only(const std::vector<ByteView>& certificates, const std::vector<ByteView>& crls) {
  der::Writer writer(4096);
  writer.sequence([&] {
    writer.header(der::set, 0);
    if (!crls.empty())
      writer.constructed(der::context(1), [&] {
        for (std::size_t i = crls.size(); i-- > 0;) writer.raw(crls[i]);
      });
    write_certificates(writer, certificates);
    writer.sequence([&] { writer.oid(oid::data); });
    writer.header(der::set, 0);
    writer.integer(1);
  });
  return content_info(oid::signed_data, writer.view());
}

Result<Bytes> sign(const SignedContent& content, const Sign& sign) {
  HANAPER_TRY(const x509::CertificateView signer, x509::parse_certificate(content.signer));
  const SignatureScheme scheme = content.scheme.value_or(rsa_scheme(content.hash));
  const crypto::Hash hash = algorithms::row(scheme).cms_hash;
  const Bytes attributes = signed_attributes(content, hash);
  der::Writer to_sign(attributes.size() + 8);
  to_sign.primitive(der::set, attributes);
  HANAPER_TRY(const Bytes signature, sign(scheme, to_sign.view()));
  der::Writer writer(content.content.value_or(ByteView{}).size() + 4096);
  const auto digest_algorithm = [&] { writer.sequence([&] { writer.oid(algorithms::row(hash).oid); }); };
  writer.sequence([&] {
    writer.constructed(der::set, [&] {
      writer.sequence([&] {
        writer.octets(signature);
        write_signature_algorithm(writer, scheme);
        writer.primitive(der::context(0), attributes);
        digest_algorithm();
        writer.sequence([&] {
          writer.integer(signer.serial.octets());
          writer.raw(signer.issuer);
        });
        writer.integer(1);
      });
    });
    write_certificates(writer, content.certificates);
    writer.sequence([&] {
      if (content.content) writer.constructed(der::context(0), [&] { writer.octets(*content.content); });
      writer.oid(content.content_type);
    });
    writer.constructed(der::set, digest_algorithm);
    // RFC 5652 5.1: 3 when the content is not id-data.
    writer.integer(oid::data == content.content_type ? 1 : 3);
  });
  return content_info(oid::signed_data, writer.view());
}

Result<der::Element> SignerInfo::attribute(ByteView type) const {
  std::optional<der::Element> found;
  der::Reader reader(signed_attributes);
  for (std::size_t count = 0; !reader.at_end(); ++count) {
    if (count == max_attributes) return malformed("too many attributes");
    HANAPER_TRY(der::Reader attribute, reader.enter(der::sequence));
    HANAPER_TRY(const ByteView name, attribute.read_oid());
    HANAPER_TRY(der::Reader values, attribute.enter(der::set));
    HANAPER_CHECK(attribute.finish());
    if (!equal(name, type)) continue;
    if (found) return malformed("an attribute is there twice");
    HANAPER_TRY(found, values.next());
    HANAPER_CHECK(values.finish());
  }
  if (!found) return not_found("no attribute " + der::oid_to_text(type));
  return *found;
}

Result<SignedView> parse_signed(ByteView input) {
  if (input.size() > max_size) return malformed("a message of more than 1 MiB");
  HANAPER_TRY(der::Reader outer, der::open(input, der::sequence));
  HANAPER_TRY(const ByteView type, outer.read_oid());
  if (oid::signed_data != type) return malformed("not SignedData");
  HANAPER_TRY(der::Reader wrapped, outer.enter(der::context(0)));
  HANAPER_CHECK(outer.finish());
  HANAPER_TRY(der::Reader reader, wrapped.enter(der::sequence));
  HANAPER_CHECK(wrapped.finish());

  SignedView view;
  HANAPER_CHECK(reader.read_unsigned());
  HANAPER_CHECK(reader.expect(der::set));  // digestAlgorithms: each signer names its own again
  HANAPER_TRY(der::Reader content, reader.enter(der::sequence));
  HANAPER_TRY(view.content_type, content.read_oid());
  if (!content.at_end()) {
    HANAPER_TRY(der::Reader octets, content.enter(der::context(0)));
    HANAPER_TRY(view.content, octets.read_octets());
    HANAPER_CHECK(octets.finish());
  }
  HANAPER_CHECK(content.finish());
  HANAPER_TRY(const std::optional<der::Element> certificates, reader.maybe(der::context(0)));
  if (certificates) {
    der::Reader list(certificates->content);
    while (!list.at_end()) {
      HANAPER_TRY(const der::Element one, list.next());
      if (one.tag != der::sequence) continue;  // attribute certificates and other kinds
      if (view.certificates.size() == max_certificates) return malformed("too many certificates");
      view.certificates.push_back(one.whole);
    }
  }
  HANAPER_CHECK(reader.maybe(der::context(1)));  // CRLs
  HANAPER_TRY(der::Reader signers, reader.enter(der::set));
  HANAPER_CHECK(reader.finish());
  while (!signers.at_end()) {
    if (view.signers.size() == max_signers) return malformed("too many signers");
    HANAPER_TRY(const der::Reader one, signers.enter(der::sequence));
    HANAPER_TRY(SignerInfo signer, parse_signer(one));
    view.signers.push_back(signer);
  }
  return view;
}

Result<Holder> parse_holder(ByteView der) {
  if (der.size() > 64 * 1024) return malformed("a certificate of more than 64 KiB");
  HANAPER_TRY(der::Reader outer, der::open(der, der::sequence));
  HANAPER_TRY(der::Reader tbs, outer.enter(der::sequence));
  Holder holder;
  holder.der = der;
  HANAPER_CHECK(tbs.maybe(der::context(0)));  // version
  HANAPER_TRY(holder.serial, tbs.read_integer());
  HANAPER_CHECK(tbs.expect(der::sequence));  // signature
  HANAPER_TRY(const der::Element issuer, tbs.expect(der::sequence));
  HANAPER_CHECK(tbs.expect(der::sequence));  // validity
  HANAPER_TRY(const der::Element subject, tbs.expect(der::sequence));
  HANAPER_TRY(const der::Element spki, tbs.expect(der::sequence));
  holder.issuer = issuer.whole;
  holder.subject = subject.whole;
  holder.spki = spki.whole;
  if (const auto view = x509::parse_certificate(der)) {
    const auto* extension = view->find(oid::subject_key_identifier);
    const auto identifier =
        extension ? x509::parse_subject_key_identifier(extension->value) : Result<ByteView>(ByteView{});
    if (identifier) holder.key_identifier = *identifier;
  }
  return holder;
}

Result<Holder> find_signer(const SignedView& view, const SignerInfo& signer) {
  for (const ByteView der : view.certificates) {
    const auto holder = parse_holder(der);
    if (!holder) continue;
    const bool named = signer.key_identifier.empty()
                           ? equal(holder->issuer, signer.issuer) && equal(holder->serial, signer.serial)
                           : equal(holder->key_identifier, signer.key_identifier);
    if (named) return *holder;
  }
  return not_found("the signer's certificate is missing");
}

Result<crypto::Hash> hash_of(ByteView digest_algorithm, bool legacy) {
  const algorithms::HashRow* row =
      algorithms::find(algorithms::hashes, &algorithms::HashRow::oid, digest_algorithm);
  if (row != nullptr && (legacy || row->hash != crypto::Hash::sha1)) return row->hash;
  return unsupported("the digest algorithm is not supported");
}

namespace {

// The elements of a SET, in the order of DER.
Bytes sorted(ByteView set) {
  std::vector<Bytes> elements;
  der::Reader reader(set);
  while (!reader.at_end()) {
    const auto element = reader.next();
    if (!element) return to_bytes(set);
    elements.push_back(to_bytes(element->whole));
  }
  std::ranges::sort(elements);
  Bytes joined;
  for (const Bytes& element : elements) joined.insert(joined.end(), element.begin(), element.end());
  return joined;
}

}  // namespace

Status verify(const SignedView& view, const SignerInfo& signer, ByteView spki, bool legacy) {
  if (signer.signed_attributes.empty()) return malformed("there are no signed attributes");
  HANAPER_TRY(const crypto::Hash hash, hash_of(signer.digest_algorithm, legacy));
  HANAPER_TRY(const std::optional<SignatureScheme> scheme, scheme_of(signer.signature_algorithm, hash));
  HANAPER_TRY(const der::Element type, signer.attribute(oid::content_type));
  HANAPER_TRY(const der::Element digest, signer.attribute(oid::message_digest));
  if (type.tag != der::object_identifier || !equal(type.content, view.content_type))
    return malformed("the signed contentType is not the content's");
  if (digest.tag != der::octet_string ||
      !equal(digest.content, crypto::digest(hash, view.content.value_or(ByteView{}))))
    return Error{Code::forbidden, "the signed messageDigest is not the content's"};
  const auto is_signed = [&](ByteView attributes) {
    der::Writer writer(attributes.size() + 8);
    writer.primitive(der::set, attributes);
    return scheme ? crypto::verify(*scheme, spki, writer.view(), signer.signature)
                  : crypto::verify_sha1(spki, writer.view(), signer.signature);
  };
  Status verified = is_signed(signer.signed_attributes);
  if (verified || verified.error().code != Code::forbidden) return verified;
  // RFC 5652 5.4: "A separate encoding of the signedAttrs field is performed for message digest calculation",
  // in DER: who sends them in another order has sorted them to sign.
  const Bytes in_order = sorted(signer.signed_attributes);
  return equal(in_order, signer.signed_attributes) ? verified : is_signed(in_order);
}

}  // namespace hanaper::cms
