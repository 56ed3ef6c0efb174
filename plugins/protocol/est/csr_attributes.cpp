#include "csr_attributes.hpp"

#include <hanaper/toolkit/algorithms.hpp>
#include <hanaper/toolkit/der.hpp>
#include <hanaper/toolkit/extensions.hpp>
#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/signature_algorithm.hpp>

namespace hanaper::est {
namespace {

// Attribute ::= SEQUENCE { type, values SET { one value } }.
template <class Value>
Bytes attribute(ByteView type, Value&& write_value) {
  der::Writer writer(64);
  writer.sequence([&] {
    writer.constructed(der::set, [&] { write_value(writer); });
    writer.oid(type);
  });
  return writer.bytes();
}

Bytes plain(ByteView oid) {
  der::Writer writer(64);
  writer.oid(oid);
  return writer.bytes();
}

// "represented as an attribute, to be reflected as the AlgorithmIdentifier of the SubjectPublicKeyInfo".
Bytes key_attribute(KeySpec spec) {
  const algorithms::KeyRow& row = algorithms::row(spec.type);
  if (spec.bits != 0)
    return attribute(row.oid, [&](der::Writer& writer) { writer.integer(std::uint64_t{spec.bits}); });
  if (row.parameters.empty()) return plain(row.oid);
  return attribute(row.oid, [&](der::Writer& writer) { writer.raw(row.parameters); });
}

Result<Bytes> one(std::string_view text) {
  constexpr std::string_view extension = "extension=";
  if (text == "challenge-password") return plain(oid::challenge_password);
  if (const auto spec = parse_key_spec(text)) return key_attribute(*spec);
  if (const auto scheme = x509::parse_scheme(text)) return plain(algorithms::row(*scheme).oid);
  if (text.starts_with(extension)) {
    HANAPER_TRY(const Bytes oid, der::oid_from_text(text.substr(extension.size())));
    return attribute(oid::extension_request, [&](der::Writer& writer) { writer.oid(oid); });
  }
  HANAPER_TRY(const Bytes oid, der::oid_from_text(text));
  return plain(oid);
}

// "In case the server requires use of an RSA key and needs to specify its size, the field MUST be present and
// contain a placeholder public key value of the desired RSA modulus length."
void write_key_template(der::Writer& writer, KeySpec spec) {
  const algorithms::KeyRow& row = algorithms::row(spec.type);
  writer.constructed(der::context(0), [&] {
    if (row.family == algorithms::Family::rsa) {
      der::Writer key(spec.bits / 8 + 32);
      key.sequence([&] {
        key.integer(std::uint64_t{65537});
        key.unsigned_integer(Bytes(spec.bits / 8, 0xff));
      });
      writer.bits(key.view());
    }
    writer.sequence([&] {
      writer.raw(row.parameters);
      writer.oid(row.oid);
    });
  });
}

// Extension or, without a value, ExtensionTemplate; back to front.
void write_extension(der::Writer& writer, ByteView oid, bool critical, const std::optional<Bytes>& value) {
  writer.sequence([&] {
    if (value) writer.octets(*value);
    if (critical) writer.boolean(true);
    writer.oid(oid);
  });
}

// Where the client has values to fill in, extensionReqTemplate; otherwise extensionRequest, which older
// clients know.
void write_extensions(der::Writer& writer, const RequestForm& form) {
  const bool names = !form.names.empty();
  if (!names && !form.key_usage && form.extended_usages.empty()) return;
  writer.sequence([&] {
    writer.constructed(der::set, [&] {
      writer.sequence([&] {
        if (names) write_extension(writer, oid::subject_alt_name, false, {});
        if (!form.extended_usages.empty())
          write_extension(writer, oid::extended_key_usage, false,
                          x509::extended_key_usage(form.extended_usages));
        if (form.key_usage) write_extension(writer, oid::key_usage, true, x509::key_usage(*form.key_usage));
      });
    });
    writer.oid(names ? oid::extension_request_template : oid::extension_request);
  });
}

}  // namespace

Result<std::vector<Bytes>> listed_attributes(const std::vector<std::string>& texts) {
  std::vector<Bytes> elements;
  for (const std::string& text : texts) {
    auto element = one(text);
    if (!element)
      return malformed("\"" + text +
                       "\" is none of challenge-password, a key type, a signature scheme, extension=OID and "
                       "an object identifier");
    elements.push_back(*std::move(element));
  }
  return elements;
}

// RFC 9908 3.4: subject "MUST be present if the server places any requirements on the RDNs", otherwise
// absent; an RDN without a value is for the client to fill in.
Bytes template_attribute(const RequestForm& form) {
  return attribute(oid::request_template, [&](der::Writer& writer) {
    writer.sequence([&] {
      writer.constructed(der::context(1), [&] { write_extensions(writer, form); });
      if (!form.key_types.empty()) write_key_template(writer, form.key_types.front());
      if (form.subject == RequestForm::Subject::request)
        writer.sequence([&] {
          writer.constructed(der::set, [&] { writer.sequence([&] { writer.oid(oid::common_name); }); });
        });
      writer.integer(0);
    });
  });
}

Bytes csr_attributes(const std::vector<Bytes>& elements) {
  der::Writer writer(256);
  writer.sequence([&] {
    for (std::size_t i = elements.size(); i-- > 0;) writer.raw(elements[i]);
  });
  return writer.bytes();
}

}  // namespace hanaper::est
