// The fields every certificate has (RFC 5280 4.1) and whether the whole can be read at all.
#include "rules.hpp"

namespace hanaper::lint {
namespace {

using std::chrono::sys_days;

// The first rules run on what parse_tbs refuses and say which field it is; parse_tbs itself only says at
// which octet.
Finding serial_number(const Subject& subject) {
  if (subject.fault.empty()) return std::nullopt;
  const ByteView serial = raw_fields(subject.der).serial;
  if (serial.empty()) return std::nullopt;
  // RFC 5280 4.1.2.2: "Conforming CAs MUST NOT use serialNumber values longer than 20 octets."
  const auto checked = Serial::from_der(serial);
  if (checked) return std::nullopt;
  return checked.error().detail + ": " + to_hex(serial.first(std::min<std::size_t>(serial.size(), 24)));
}

Finding validity_form(const Subject& subject) {
  if (subject.fault.empty()) return std::nullopt;
  const RawFields fields = raw_fields(subject.der);
  for (const der::Element& time : fields.times) {
    if (time.whole.empty()) continue;
    const std::string label = &time == fields.times ? "notBefore " : "notAfter ";
    if (time.tag != der::utc_time && time.tag != der::generalized_time)
      return label + "is neither UTCTime nor GeneralizedTime";
    // RFC 5280 4.1.2.5.2: "GeneralizedTime values MUST NOT include fractional seconds."
    if (const auto parsed = der::parse_time(time.tag, time.content); !parsed)
      return label + in_quotes(time.content) + ": " + parsed.error().detail;
  }
  return std::nullopt;
}

Finding extension_once(const Subject& subject) {
  if (subject.fault.empty()) return std::nullopt;
  std::vector<ByteView> ids;
  for (const der::Element& extension : Elements(raw_fields(subject.der).extensions))
    if (const ByteView id = inside(extension.content); der::is_oid(id)) ids.push_back(id);
  // RFC 5280 4.2: "A certificate MUST NOT include more than one instance of a particular extension."
  const auto twice = find_twice(std::move(ids));
  if (!twice) return std::nullopt;
  return "extension " + der::oid_to_text(*twice) + " stands there twice";
}

Finding well_formed(const Subject& subject) {
  if (subject.fault.empty()) return std::nullopt;
  return subject.fault;
}

Finding version(const Subject& subject) {
  // RFC 5280 4.1.2.1: "When extensions are used, as expected in this profile, version MUST be 3 (value is
  // 2)."
  if (subject.tbs.version == 3 || subject.tbs.extensions.empty()) return std::nullopt;
  return "version " + std::to_string(subject.tbs.version) + " with extensions";
}

Finding issuer_not_empty(const Subject& subject) {
  // RFC 5280 4.1.2.4: "The issuer field MUST contain a non-empty distinguished name (DN)."
  if (!inside(subject.tbs.issuer).empty()) return std::nullopt;
  return "the issuer is an empty name";
}

Finding unique_identifiers_absent(const Subject& subject) {
  // RFC 5280 4.1.2.8: "CAs conforming to this profile MUST NOT generate certificates with unique
  // identifiers."
  if (!subject.tbs.has_unique_identifiers) return std::nullopt;
  return "issuerUniqueID or subjectUniqueID is there";
}

Finding validity_time_type(const Subject& subject) {
  const auto check = [](std::string_view label, std::uint8_t tag, Time time) -> Finding {
    constexpr Time turn{sys_days{std::chrono::year{2050} / 1 / 1}};
    // RFC 5280 4.1.2.5: "CAs conforming to this profile MUST always encode certificate validity dates
    // through the year 2049 as UTCTime". UTCTime cannot say a later year, so only one mistake is possible.
    if (tag != der::generalized_time || time >= turn) return std::nullopt;
    const std::chrono::year_month_day date{std::chrono::floor<std::chrono::days>(time)};
    return std::string(label) + " of the year " + std::to_string(static_cast<int>(date.year())) +
           " is a GeneralizedTime";
  };
  if (auto finding = check("notBefore", subject.tbs.not_before_tag, subject.tbs.not_before)) return finding;
  return check("notAfter", subject.tbs.not_after_tag, subject.tbs.not_after);
}

Finding validity_order(const Subject& subject) {
  // RFC 5280 4.1.2.5: "The validity period for a certificate is the period of time from notBefore through
  // notAfter, inclusive."
  if (subject.tbs.not_before <= subject.tbs.not_after) return std::nullopt;
  const auto before = subject.tbs.not_before - subject.tbs.not_after;
  return "notAfter is " + std::to_string(std::chrono::floor<std::chrono::seconds>(before).count()) +
         " seconds before notBefore";
}

constexpr Rule basic_table[] = {
    {"serial-number", "RFC 5280 4.1.2.2", Severity::error,
     "The serial number is a positive integer of at most 20 octets", serial_number},
    {"validity-form", "RFC 5280 4.1.2.5", Severity::error,
     "Both dates are in Zulu time, with seconds and without fractions", validity_form},
    {"extension-once", "RFC 5280 4.2", Severity::error, "No extension stands there twice", extension_once},
    {"well-formed", "RFC 5280 4.1", Severity::error,
     "The octets are one TBSCertificate in DER; cannot be skipped", well_formed},
    {"version", "RFC 5280 4.1.2.1", Severity::error, "A certificate with extensions is of version 3",
     version},
    {"issuer-not-empty", "RFC 5280 4.1.2.4", Severity::error, "The issuer has a name", issuer_not_empty},
    {"unique-identifiers-absent", "RFC 5280 4.1.2.8", Severity::error,
     "Neither issuer nor subject has a unique identifier", unique_identifiers_absent},
    {"validity-time-type", "RFC 5280 4.1.2.5", Severity::error,
     "Dates through 2049 are UTCTime, only later ones GeneralizedTime", validity_time_type},
    {"validity-order", "RFC 5280 4.1.2.5", Severity::error, "The certificate does not end before it begins",
     validity_order},
};

}  // namespace

std::span<const Rule> basic_rules() { return basic_table; }

}  // namespace hanaper::lint
