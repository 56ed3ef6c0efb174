#include "generator.hpp"

#include "crl_writer.hpp"

#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/extensions.hpp>
#include <hanaper/toolkit/oids.hpp>

namespace hanaper::crl {
namespace {

// Content octets of the tag and length before `length` octets.
Bytes header_of(std::uint8_t tag, std::uint64_t length) {
  der::Writer writer(16);
  writer.header(tag, length);
  return writer.bytes();
}

template <class Value>
void write_extension(der::Writer& writer, ByteView oid, bool critical, Value&& value) {
  writer.sequence([&] {
    writer.constructed(der::octet_string, value);
    if (critical) writer.boolean(true);
    writer.oid(oid);
  });
}

// Whether the CRL that `order` describes has a line for it.
bool is_listed(const Order& order, const RevocationRow& row) {
  if (order.expired_before && row.not_after < *order.expired_before) return false;
  if (order.base != 0) return row.at >= order.changed_from;
  // RFC 5280 5.3.1: "removeFromCRL ... may only appear in delta CRLs".
  return row.reason != RevocationReason::remove_from_crl;
}

// With the DER Name of its certificate's issuer where that is another than the entry's before.
void write_entry(der::Writer& writer, const RevocationRow& row, ByteView issuer) {
  writer.clear();
  writer.sequence([&] {
    // RFC 5280 5.3.1: "the reason code CRL entry extension SHOULD be absent instead of using the unspecified
    // (0) reasonCode value".
    const bool with_reason = row.reason != RevocationReason::unspecified;
    if (with_reason || row.invalidity || !issuer.empty())
      writer.sequence([&] {
        if (!issuer.empty())
          write_extension(writer, oid::certificate_issuer, true, [&] {
            writer.sequence([&] { writer.constructed(der::context(4), [&] { writer.raw(issuer); }); });
          });
        if (row.invalidity)
          write_extension(writer, oid::invalidity_date, false,
                          [&] { writer.generalized_time(*row.invalidity); });
        if (with_reason)
          write_extension(writer, oid::reason_code, false, [&] {
            const auto reason = static_cast<std::uint8_t>(row.reason);
            writer.primitive(der::enumerated, ByteView(&reason, 1));
          });
      });
    writer.time(row.at);
    writer.integer(row.serial.octets());
  });
}

Result<Bytes> name_of(const StatusAuthority& authority) {
  HANAPER_TRY(const x509::CertificateView certificate, x509::parse_certificate(authority.certificate()));
  return to_bytes(certificate.subject);
}

// The entries of one authority's certificates, the first with `issuer` if that is not empty.
Result<std::uint64_t> stream_entries(const Order& order, StatusAuthority& authority, ByteView issuer,
                                     CrlWriter& file) {
  std::uint64_t count = 0;
  der::Writer writer(256);
  Status streamed = each_revocation(authority, order.shard, [&](const RevocationRow& row) -> Result<bool> {
    if (!is_listed(order, row)) return true;
    write_entry(writer, row, count == 0 ? issuer : ByteView{});
    HANAPER_CHECK(file.append(writer.view()));
    ++count;
    return true;
  });
  if (!streamed) return std::move(streamed).error();
  return count;
}

// RFC 5280 5.3.3: "If this extension is not present on the first entry in an indirect CRL, the certificate
// issuer defaults to the CRL issuer. On subsequent entries in an indirect CRL, if this extension is not
// present, the certificate issuer for the entry is the same as that for the preceding entry."
Result<std::uint64_t> stream_all_entries(const Order& order, CrlWriter& file) {
  std::uint64_t count = 0;
  const StatusAuthority* current = &order.issuer;
  for (StatusAuthority* authority : order.of) {
    if (authority->certificate().empty()) continue;  // it has issued nothing yet
    Bytes issuer;
    if (authority != current) {
      HANAPER_TRY(issuer, name_of(*authority));
    }
    HANAPER_TRY(const std::uint64_t added, stream_entries(order, *authority, issuer, file));
    count += added;
    if (added > 0) current = authority;
  }
  return count;
}

bool is_indirect(const Order& order) {
  return std::ranges::any_of(order.of, [&](const StatusAuthority* one) { return one != &order.issuer; });
}

// A writer begins at the end.
void write_uri_names(der::Writer& writer, std::span<const std::string> urls) {
  writer.constructed(der::context(0), [&] {    // distributionPoint
    writer.constructed(der::context(0), [&] {  // fullName
      for (std::size_t i = urls.size(); i-- > 0;)
        writer.primitive(der::context_primitive(6), as_bytes(urls[i]));
    });
  });
}

void write_issuing_distribution_point(der::Writer& writer, const Order& order) {
  const auto yes = [&](std::uint8_t tag) {
    const std::uint8_t value = 0xff;
    writer.primitive(der::context_primitive(tag), ByteView(&value, 1));
  };
  writer.sequence([&] {
    if (is_indirect(order)) yes(4);
    if (order.scope == Scope::authorities) yes(2);
    if (order.scope == Scope::users) yes(1);
    write_uri_names(writer, order.distribution_points);
  });
}

// [0] EXPLICIT Extensions.
Bytes extensions_of(const Order& order, std::uint64_t number) {
  der::Writer writer(512);
  writer.constructed(der::context(0), [&] {
    writer.sequence([&] {
      if (!order.expired_before)  // X.509 9.5.2.8: from when on expired certificates stay
        write_extension(writer, oid::expired_certs_on_crl, false, [&] { writer.generalized_time(Time{}); });
      if (!order.freshest.empty() && order.base == 0)
        write_extension(writer, oid::freshest_crl, false, [&] {
          writer.sequence([&] { writer.sequence([&] { write_uri_names(writer, {&order.freshest, 1}); }); });
        });
      if (!order.distribution_points.empty())
        write_extension(writer, oid::issuing_distribution_point, true,
                        [&] { write_issuing_distribution_point(writer, order); });
      if (order.base != 0)
        write_extension(writer, oid::delta_crl_indicator, true, [&] { writer.integer(order.base); });
      // RFC 5280 5.2.7: for clients that have to look for who signed an indirect CRL.
      if (!order.issuer_url.empty())
        write_extension(writer, oid::authority_info_access, false,
                        [&] { writer.raw(x509::authority_info_access({}, {order.issuer_url})); });
      write_extension(writer, oid::crl_number, false, [&] { writer.integer(number); });
      write_extension(writer, oid::authority_key_identifier, false,
                      [&] { writer.raw(x509::authority_key_identifier(order.issuer.key_identifier())); });
    });
  });
  return writer.bytes();
}

// From version to nextUpdate.
Result<Bytes> beginning_of(const Order& order) {
  HANAPER_TRY(const Bytes issuer, name_of(order.issuer));
  der::Writer writer(512);
  writer.time(order.next_update);
  writer.time(order.this_update);
  writer.raw(issuer);
  writer.raw(x509::algorithm_identifier(order.issuer.crl_scheme()));
  writer.integer(std::uint64_t{1});
  return writer.bytes();
}

// The TBSCertList but for its entries, which lie elsewhere.
struct Frame {
  Bytes before;  // headers and everything up to the first entry
  Bytes after;
  std::uint64_t size = 0;  // of the whole TBSCertList
};

Frame frame(const Order& order, ByteView beginning, std::uint64_t number, std::uint64_t entries_size) {
  Frame made;
  made.after = extensions_of(order, number);
  // RFC 5280 5.1.2.6: "When there are no revoked certificates, the revoked certificates list MUST be absent."
  const Bytes list = entries_size == 0 ? Bytes{} : header_of(der::sequence, entries_size);
  const std::uint64_t content = beginning.size() + list.size() + entries_size + made.after.size();
  made.before = header_of(der::sequence, content);
  made.size = made.before.size() + content;
  made.before.insert(made.before.end(), beginning.begin(), beginning.end());
  made.before.insert(made.before.end(), list.begin(), list.end());
  return made;
}

// Entries behind a gap that has room for what comes before them, in a file.
struct Entries {
  CrlWriter file;
  std::uint64_t gap = 0;
  std::uint64_t size() const noexcept { return file.size() - gap; }
};

// Lists of more entries than this have headers of one size, whatever follows, so that their entries are
// written where they will stay. The others are copied, which takes little.
constexpr std::uint64_t large = std::uint64_t{1} << 24;
constexpr std::uint64_t large_header = 6;

bool stays_in_place(const Entries& entries) { return entries.size() >= large; }

// The TBSCertList, `lead` octets behind the beginning of `file`.
Status write_tbs(CrlWriter& file, std::size_t lead, const Frame& frame, Entries* entries,
                 crypto::Hasher* hasher) {
  if (entries == nullptr) {
    HANAPER_CHECK(file.overwrite(lead, frame.before));
    if (hasher != nullptr) HANAPER_CHECK(file.feed(lead, *hasher));
    return file.append(frame.after, hasher);
  }
  HANAPER_CHECK(file.append(Bytes(lead)));
  HANAPER_CHECK(file.append(frame.before, hasher));
  HANAPER_CHECK(file.append(entries->file, entries->gap, hasher));
  return file.append(frame.after, hasher);
}

// Null `entries`: they are in `file` already.
Result<Bytes> sign(const Order& order, const CrlTicket& ticket, const Frame& frame, Entries* entries,
                   CrlWriter& file, std::size_t lead, Call& call) {
  const auto hash = crypto::hash_of(order.issuer.crl_scheme());
  std::optional<crypto::Hasher> hasher;
  if (hash) hasher.emplace(*hash);
  HANAPER_CHECK(write_tbs(file, lead, frame, entries, hasher ? &*hasher : nullptr));
  if (hasher) return order.issuer.sign_crl(ticket, hasher->finish(), call);
  return file.map(lead, [&](ByteView tbs) { return order.issuer.sign_crl(ticket, tbs, call); });
}

Result<Entries> write_entries(const Order& order, const std::string& path, std::size_t beginning,
                              std::uint64_t& count) {
  HANAPER_TRY(CrlWriter file, CrlWriter::create(path));
  const std::uint64_t gap = beginning + 3 * large_header;
  HANAPER_CHECK(file.append(Bytes(gap)));
  HANAPER_TRY(count, stream_all_entries(order, file));
  return Entries{std::move(file), gap};
}

}  // namespace

Status each_revocation(StatusAuthority& authority, std::uint32_t shard,
                       const std::function<Result<bool>(const RevocationRow&)>& take) {
  constexpr std::uint32_t page = 4096;
  for (const std::uint32_t one : {shard, every_shard}) {
    Serial after;
    for (bool more = true; more;) {
      HANAPER_TRY(const std::vector<RevocationRow> rows, authority.revocations(one, after, page));
      for (const RevocationRow& row : rows) {
        HANAPER_TRY(const bool goes_on, take(row));
        if (!goes_on) return {};
      }
      more = rows.size() == page;
      if (more) after = rows.back().serial;
    }
  }
  return {};
}

Result<CrlRow> generate(const Order& order, const std::string& path, Call& call) {
  HANAPER_TRY(const Bytes beginning, beginning_of(order));
  std::uint64_t count = 0;
  HANAPER_TRY(Entries entries, write_entries(order, path + ".entries", beginning.size(), count));
  CrlRow row;
  row.shard = order.shard;
  row.number = order.number;
  row.base = order.base;
  row.this_update = order.this_update;
  row.next_update = order.next_update;
  row.entries = count;
  HANAPER_TRY(const CrlTicket ticket, order.issuer.begin_crl(row, call));
  const Frame frame = crl::frame(order, beginning, ticket.row.number, entries.size());
  const bool in_place = stays_in_place(entries);

  const ByteView algorithm = x509::algorithm_identifier(order.issuer.crl_scheme());
  const auto tail_of = [&](ByteView signature) {
    der::Writer writer(1024);
    writer.bits(signature);
    writer.raw(algorithm);
    return writer.bytes();
  };
  // The outer length is known once there is a signature, and room for it is needed before. The size of ECDSA
  // signatures varies by a few octets; where that changes the size of the length itself, there is another
  // round with the room that was found to be needed.
  std::size_t lead = header_of(der::sequence, frame.size + 90).size();
  for (;;) {
    HANAPER_TRY(CrlWriter file,
                in_place ? Result<CrlWriter>(std::move(entries.file)) : CrlWriter::create(path + ".new"));
    HANAPER_TRY(const Bytes signature,
                sign(order, ticket, frame, in_place ? nullptr : &entries, file, lead, call));
    const Bytes tail = tail_of(signature);
    const Bytes header = header_of(der::sequence, frame.size + tail.size());
    if (header.size() != lead) {
      lead = header.size();
      continue;
    }
    HANAPER_CHECK(file.append(tail));
    HANAPER_CHECK(file.overwrite(0, header));
    HANAPER_TRY(const Fingerprint hash, file.sha256());
    HANAPER_CHECK(order.issuer.finish_crl(ticket, hash, file.size(), call));
    HANAPER_CHECK(file.publish(path));
    row = ticket.row;
    row.hash = hash;
    row.size = file.size();
    return row;
  }
}

}  // namespace hanaper::crl
