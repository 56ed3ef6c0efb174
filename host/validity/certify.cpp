#include "certify.hpp"

#include "../issuance/signing.hpp"

#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/crypto.hpp>

namespace hanaper::validity {
namespace {

constexpr auto backdate = std::chrono::minutes{5};

}  // namespace

Result<Bytes> certify(const issuance::Authority& authority, const Context& context,
                      const Delegation& delegation, Call& call) {
  HANAPER_TRY(const x509::PublicKey public_key, x509::parse_public_key(delegation.spki));
  const x509::CertificateTemplate form({.scheme = authority.scheme(),
                                        .issuer = to_bytes(authority.subject()),
                                        .authority_key_identifier = to_bytes(authority.key_identifier()),
                                        .extensions = delegation.extensions});
  const auto own_identifier = x509::key_identifier(public_key);
  const Time now = std::chrono::floor<std::chrono::seconds>(context.clock.now());
  const Time not_before =
      delegation.not_before.value_or(std::max<Time>(now - backdate, authority.not_before()));
  HANAPER_TRY(const Serial serial, authority.serials().draw(call.deadline));
  der::Writer writer(1024);
  form.render({.serial = serial,
               .not_before = not_before,
               .not_after = delegation.not_after,
               .subject = delegation.subject,
               .spki = delegation.spki,
               .key_identifier = delegation.key_identifier.empty() ? ByteView(own_identifier)
                                                                   : ByteView(delegation.key_identifier),
               .key_usage = delegation.key_usage,
               .names = {},
               .extensions = {}},
              writer);
  const Bytes tbs = writer.bytes();
  return issuance::sign_recorded(
      context.writer, context.clock,
      {.authority = authority.id(),
       .authority_name = authority.config().name,
       .serial = serial,
       .profile = delegation.profile,
       .requester = "host",
       .not_before = not_before,
       .not_after = delegation.not_after,
       .shard = delegation.shard,
       .tbs = tbs,
       .subject = delegation.profile},
      [&](ByteView message) { return authority.sign(authority.scheme(), message); },
      {.intent = [&](Write& intent) { intent.records = delegation.with_intent; },
       .record = [&](Write& record, ByteView certificate) -> Status {
         if (delegation.with_record) record.records = delegation.with_record(certificate);
         return {};
       }},
      call.deadline);
}

}  // namespace hanaper::validity
