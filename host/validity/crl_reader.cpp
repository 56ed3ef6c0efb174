#include "crl_reader.hpp"

#include "reasons.hpp"

#include <hanaper/toolkit/der.hpp>
#include <hanaper/toolkit/oids.hpp>

namespace hanaper::validity {
namespace {

// What a storage can keep, and still be far above.
constexpr std::uint64_t largest_number = std::uint64_t{1} << 62;

struct CrlExtension {
  ByteView oid;
  bool critical = false;
  ByteView value;
};

// Extensions, or those of an entry: each with `take`.
template <class Take>
Status each_extension(der::Reader list, Take&& take) {
  while (!list.at_end()) {
    HANAPER_TRY(der::Reader one, list.enter(der::sequence));
    CrlExtension extension;
    HANAPER_TRY(extension.oid, one.read_oid());
    if (one.peek() == der::boolean) {
      HANAPER_TRY(extension.critical, one.read_boolean());
    }
    HANAPER_TRY(extension.value, one.read_octets());
    HANAPER_CHECK(one.finish());
    HANAPER_CHECK(take(extension));
  }
  return {};
}

// RFC 5280 5.2: "If a CRL contains a critical extension that the application cannot process, then the
// application MUST NOT use that CRL to determine the status of certificates."
Status pass_over(const CrlExtension& extension) {
  if (!extension.critical) return {};
  return unsupported("has a critical extension " + der::oid_to_text(extension.oid) +
                     " that is not known here");
}

Status read_crl_extension(const CrlExtension& extension, CrlView& crl) {
  if (oid::delta_crl_indicator == extension.oid) {
    crl.delta = true;
    return {};
  }
  if (oid::issuing_distribution_point == extension.oid) return {};  // entries name their issuers themselves
  if (!(oid::crl_number == extension.oid)) return pass_over(extension);
  der::Reader value(extension.value);
  HANAPER_TRY(const ByteView number, value.read_integer());
  HANAPER_CHECK(value.finish());
  if (number.front() & 0x80) return malformed("has a number below zero");
  for (std::uint8_t octet : number) {
    if (crl.number > largest_number >> 8) return unsupported("has a number beyond 2^62");
    crl.number = crl.number << 8 | octet;
  }
  return {};
}

Result<RevocationReason> parse_reason(ByteView value) {
  HANAPER_TRY(const der::Element reason, der::only(value, der::enumerated));
  const unsigned number = reason.content.size() == 1 ? reason.content[0] : 255;
  return reason_numbered(number).value_or(RevocationReason::unspecified);  // revoked it is, whatever for
}

// The directoryName among GeneralNames.
Result<ByteView> parse_issuer(ByteView value) {
  HANAPER_TRY(der::Reader names, der::open(value, der::sequence));
  while (!names.at_end()) {
    HANAPER_TRY(const der::Element name, names.next());
    if (name.tag != der::context(4)) continue;
    HANAPER_TRY(const der::Element directory, der::only(name.content, der::sequence));
    return directory.whole;
  }
  return malformed("has an entry whose issuer has no name");
}

Status read_entry_extension(const CrlExtension& extension, CrlEntry& entry, ByteView& issuer) {
  if (oid::reason_code == extension.oid) {
    HANAPER_TRY(entry.reason, parse_reason(extension.value));
    return {};
  }
  if (oid::certificate_issuer == extension.oid) {
    HANAPER_TRY(issuer, parse_issuer(extension.value));
    return {};
  }
  if (!(oid::invalidity_date == extension.oid)) return pass_over(extension);
  HANAPER_TRY(const der::Element date, der::only(extension.value, der::generalized_time));
  HANAPER_TRY(entry.invalidity, der::parse_time(date.tag, date.content));
  return {};
}

}  // namespace

Result<CrlView> parse_crl(ByteView der) {
  CrlView crl;
  HANAPER_TRY(der::Reader outer, der::open(der, der::sequence));
  HANAPER_TRY(const der::Element tbs, outer.expect(der::sequence));
  HANAPER_TRY(const der::Element algorithm, outer.expect(der::sequence));
  HANAPER_TRY(crl.signature, outer.read_bits());
  HANAPER_CHECK(outer.finish());
  crl.tbs = tbs.whole;
  crl.algorithm = algorithm.whole;

  der::Reader inner(tbs.content);
  if (inner.peek() == der::integer) {
    HANAPER_TRY(const std::uint64_t version, inner.read_unsigned());
    if (version != 1) return unsupported("is a CRL of another version than 2");
  }
  HANAPER_TRY(const der::Element signed_as, inner.expect(der::sequence));
  // RFC 5280 5.1.1.2: "This field MUST contain the same algorithm identifier as the signature field".
  if (!equal(signed_as.whole, crl.algorithm)) return malformed("names two signature algorithms");
  HANAPER_TRY(const der::Element issuer, inner.expect(der::sequence));
  crl.issuer = issuer.whole;
  HANAPER_TRY(crl.this_update, inner.read_time());
  if (inner.peek() == der::utc_time || inner.peek() == der::generalized_time)
    HANAPER_CHECK(inner.read_time());
  if (inner.peek() == der::sequence) {
    HANAPER_TRY(const der::Element entries, inner.next());
    crl.entries = entries.content;
  }
  if (inner.peek() == der::context(0)) {
    HANAPER_TRY(der::Reader wrapped, inner.enter(der::context(0)));
    HANAPER_TRY(const der::Reader extensions, wrapped.enter(der::sequence));
    HANAPER_CHECK(wrapped.finish());
    HANAPER_CHECK(each_extension(
        extensions, [&](const CrlExtension& extension) { return read_crl_extension(extension, crl); }));
  }
  HANAPER_CHECK(inner.finish());
  return crl;
}

namespace {

// `issuer` is that of the entry before, and becomes this one's.
Result<CrlEntry> read_entry(der::Reader one, ByteView& issuer) {
  CrlEntry entry;
  HANAPER_TRY(const ByteView serial, one.read_integer());
  if (serial.front() & 0x80) return malformed("has an entry with a serial number below zero");
  HANAPER_TRY(entry.serial, Serial::from_magnitude(serial));
  HANAPER_TRY(entry.at, one.read_time());
  if (!one.at_end()) {
    HANAPER_TRY(const der::Reader extensions, one.enter(der::sequence));
    HANAPER_CHECK(each_extension(extensions, [&](const CrlExtension& extension) {
      return read_entry_extension(extension, entry, issuer);
    }));
  }
  HANAPER_CHECK(one.finish());
  entry.issuer = issuer;
  return entry;
}

}  // namespace

// RFC 5280 5.3.3: "On subsequent entries in an indirect CRL, if this extension is not present, the
// certificate issuer for the entry is the same as that for the preceding entry."
Status each_entry(const CrlView& crl, const std::function<Status(const CrlEntry&)>& take,
                  const std::function<void(std::size_t, const Error&)>& unread) {
  ByteView issuer = crl.issuer;
  std::size_t number = 0;
  for (der::Reader list(crl.entries); !list.at_end();) {
    HANAPER_TRY(const der::Reader one, list.enter(der::sequence));
    ++number;
    const auto entry = read_entry(one, issuer);
    if (entry) {
      HANAPER_CHECK(take(*entry));
    } else if (unread) {
      unread(number, entry.error());
    } else {
      return entry.error();
    }
  }
  return {};
}

}  // namespace hanaper::validity
