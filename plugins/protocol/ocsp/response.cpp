#include "response.hpp"

#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/oids.hpp>

namespace hanaper::ocsp {
namespace {

void write_enumerated(der::Writer& writer, std::uint8_t value) {
  writer.primitive(der::enumerated, ByteView(&value, 1));
}

template <class Value>
void write_extension(der::Writer& writer, ByteView oid, Value&& value) {
  writer.sequence([&] {
    writer.constructed(der::octet_string, value);
    writer.oid(oid);
  });
}

void write_status(der::Writer& writer, const Single& single) {
  switch (single.kind) {
    case Single::Kind::good:
      return writer.header(der::context_primitive(0), 0);
    case Single::Kind::unknown:
      return writer.header(der::context_primitive(2), 0);
    case Single::Kind::revoked:
      break;
  }
  writer.constructed(der::context(1), [&] {
    // As in CRLs (RFC 5280 5.3.1), no reason is better than "unspecified".
    if (single.revoked.reason != RevocationReason::unspecified)
      writer.constructed(der::context(0),
                         [&] { write_enumerated(writer, static_cast<std::uint8_t>(single.revoked.reason)); });
    writer.generalized_time(single.revoked.at);
  });
}

// RFC 6960 4.4.2: CrlID.
void write_crl_reference(der::Writer& writer, const CrlReference& crl) {
  writer.sequence([&] {
    writer.constructed(der::context(2), [&] { writer.generalized_time(crl.at); });
    writer.constructed(der::context(1), [&] { writer.integer(crl.number); });
    if (!crl.url.empty()) writer.constructed(der::context(0), [&] { writer.text(der::ia5_string, crl.url); });
  });
}

void write_single_extensions(der::Writer& writer, const Basic& basic, const Single& single) {
  const bool dated = single.kind == Single::Kind::revoked && single.revoked.invalidity;
  if (!dated && !single.crl && !basic.archive_cutoff) return;
  writer.constructed(der::context(1), [&] {
    writer.sequence([&] {
      if (dated)
        write_extension(writer, oid::invalidity_date,
                        [&] { writer.generalized_time(*single.revoked.invalidity); });
      if (basic.archive_cutoff)
        write_extension(writer, oid::ocsp_archive_cutoff,
                        [&] { writer.generalized_time(*basic.archive_cutoff); });
      if (single.crl)
        write_extension(writer, oid::ocsp_crl, [&] { write_crl_reference(writer, *single.crl); });
    });
  });
}

void write_single(der::Writer& writer, const Basic& basic, const Single& single) {
  writer.sequence([&] {
    write_single_extensions(writer, basic, single);
    writer.constructed(der::context(0), [&] { writer.generalized_time(basic.next_update); });
    writer.generalized_time(basic.this_update);
    write_status(writer, single);
    writer.raw(single.id.whole);
  });
}

void write_extensions(der::Writer& writer, const Basic& basic) {
  if (!basic.nonce && !basic.extended_revoke) return;
  writer.constructed(der::context(1), [&] {
    writer.sequence([&] {
      // RFC 6960 4.4.8: "The value of the extension MUST be ASN.1 NULL."
      if (basic.extended_revoke) write_extension(writer, oid::ocsp_extended_revoke, [&] { writer.null(); });
      if (basic.nonce) write_extension(writer, oid::ocsp_nonce, [&] { writer.octets(*basic.nonce); });
    });
  });
}

}  // namespace

Result<Bytes> make_response(const Basic& basic, Responder& responder) {
  der::Writer data(1024);
  Bytes name;
  if (basic.by_name) {
    HANAPER_TRY(const x509::CertificateView certificate, x509::parse_certificate(responder.certificate()));
    name = to_bytes(certificate.subject);
  }
  data.sequence([&] {
    write_extensions(data, basic);
    data.sequence([&] {
      for (std::size_t i = basic.singles.size(); i-- > 0;) write_single(data, basic, basic.singles[i]);
    });
    data.generalized_time(basic.this_update);
    if (basic.by_name)
      data.constructed(der::context(1), [&] { data.raw(name); });
    else
      data.constructed(der::context(2), [&] { data.octets(responder.key_hash()); });
  });
  HANAPER_TRY(const Bytes signature, responder.sign(data.view()));
  der::Writer whole(data.size() + responder.certificate().size() + 512);
  whole.sequence([&] {
    whole.constructed(der::context(0), [&] {
      whole.sequence([&] {
        whole.constructed(der::octet_string, [&] {
          whole.sequence([&] {
            if (responder.delegated())
              whole.constructed(der::context(0),
                                [&] { whole.sequence([&] { whole.raw(responder.certificate()); }); });
            whole.bits(signature);
            whole.raw(x509::algorithm_identifier(responder.scheme()));
            whole.raw(data.view());
          });
        });
        whole.oid(oid::ocsp_basic);
      });
    });
    write_enumerated(whole, static_cast<std::uint8_t>(ResponseStatus::successful));
  });
  return whole.bytes();
}

std::string error_response(ResponseStatus status) {
  return {0x30, 0x03, 0x0a, 0x01, static_cast<char>(status)};
}

}  // namespace hanaper::ocsp
