#include <hanaper/toolkit/certificate_template.hpp>

#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/signature_algorithm.hpp>

namespace hanaper::x509 {
namespace {

void write_extension(der::Writer& writer, ByteView oid, bool critical, ByteView value) {
  writer.sequence([&] {
    writer.octets(value);
    if (critical) writer.boolean(true);
    writer.oid(oid);
  });
}

constexpr bool is_empty_name(ByteView name) noexcept { return name.size() == 2; }

}  // namespace

CertificateTemplate::CertificateTemplate(const Fixed& fixed) : scheme_(fixed.scheme) {
  algorithm_and_issuer_ = to_bytes(algorithm_identifier(fixed.scheme));
  algorithm_and_issuer_.insert(algorithm_and_issuer_.end(), fixed.issuer.begin(), fixed.issuer.end());
  der::Writer writer;
  for (std::size_t i = fixed.extensions.size(); i-- > 0;)
    write_extension(writer, fixed.extensions[i].oid, fixed.extensions[i].critical, fixed.extensions[i].value);
  if (!fixed.authority_key_identifier.empty())
    write_extension(writer, oid::authority_key_identifier, false,
                    authority_key_identifier(fixed.authority_key_identifier));
  extensions_ = writer.bytes();
}

void CertificateTemplate::render(const Filled& filled, der::Writer& writer) const {
  const auto write_extensions = [&] {
    for (std::size_t i = filled.extensions.size(); i-- > 0;)
      write_extension(writer, filled.extensions[i].oid, filled.extensions[i].critical,
                      filled.extensions[i].value);
    if (!filled.names.empty()) {
      const Bytes names = encode_general_names(filled.names);
      write_extension(writer, oid::subject_alt_name, is_empty_name(filled.subject), names);
    }
    writer.raw(extensions_);
    writer.sequence([&] {
      writer.constructed(der::octet_string, [&] { writer.octets(filled.key_identifier); });
      writer.oid(oid::subject_key_identifier);
    });
    if (filled.key_usage != 0) write_extension(writer, oid::key_usage, true, key_usage(filled.key_usage));
  };

  writer.clear();
  writer.sequence([&] {
    writer.constructed(der::context(3), [&] { writer.sequence(write_extensions); });
    writer.raw(filled.spki);
    writer.raw(filled.subject);
    writer.sequence([&] {
      writer.time(filled.not_after);
      writer.time(filled.not_before);
    });
    writer.raw(algorithm_and_issuer_);
    writer.integer(filled.serial.octets());
    writer.constructed(der::context(0), [&] { writer.integer(2); });  // v3
  });
}

}  // namespace hanaper::x509
