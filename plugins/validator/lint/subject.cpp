#include "subject.hpp"

namespace hanaper::lint {
namespace {

using namespace der::literals;

constexpr der::Oid no_rev_avail_oid = "2.5.29.56"_oid;

struct NamedExtension {
  const der::Oid& oid;
  std::string_view name;
};
// In the order of Ext.
constexpr NamedExtension named_extensions[] = {
    {oid::authority_key_identifier, "authorityKeyIdentifier"},
    {oid::subject_key_identifier, "subjectKeyIdentifier"},
    {oid::key_usage, "keyUsage"},
    {oid::certificate_policies, "certificatePolicies"},
    {oid::policy_mappings, "policyMappings"},
    {oid::subject_alt_name, "subjectAltName"},
    {oid::issuer_alt_name, "issuerAltName"},
    {oid::subject_directory_attributes, "subjectDirectoryAttributes"},
    {oid::basic_constraints, "basicConstraints"},
    {oid::name_constraints, "nameConstraints"},
    {oid::policy_constraints, "policyConstraints"},
    {oid::extended_key_usage, "extKeyUsage"},
    {oid::crl_distribution_points, "cRLDistributionPoints"},
    {oid::inhibit_any_policy, "inhibitAnyPolicy"},
    {oid::freshest_crl, "freshestCRL"},
    {oid::authority_info_access, "authorityInfoAccess"},
    {oid::subject_info_access, "subjectInfoAccess"},
    {oid::tls_feature, "tlsfeature"},
    {oid::ocsp_no_check, "id-pkix-ocsp-nocheck"},
    {no_rev_avail_oid, "noRevAvail"},
};
static_assert(std::size(named_extensions) == ext_count);

// RelativeDistinguishedName ::= SET SIZE (1..MAX) OF AttributeTypeAndValue
Status read_part(der::Reader set, Place place, std::vector<Attribute>& attributes) {
  if (set.at_end()) return malformed("a part without attributes");
  ByteView last;
  while (!set.at_end()) {
    HANAPER_TRY(const der::Element pair, set.expect(der::sequence));
    // X.690 11.6: DER sorts the components of a SET OF.
    if (before(pair.whole, last)) return malformed("a part is not in DER order");
    last = pair.whole;
    der::Reader fields(pair.content);
    HANAPER_TRY(const ByteView type, fields.read_oid());
    HANAPER_TRY(const der::Element value, fields.next());
    HANAPER_CHECK(fields.finish());
    attributes.push_back({place, type, value.tag, value.content});
  }
  return {};
}

// A Name; no limit of its own, because the certificate has one of 64 KiB.
Status read_name(ByteView name, Place place, std::vector<Attribute>& attributes) {
  HANAPER_TRY(der::Reader parts, der::open(name, der::sequence));
  while (!parts.at_end()) {
    HANAPER_TRY(const der::Reader set, parts.enter(der::set));
    HANAPER_CHECK(read_part(set, place, attributes));
  }
  return {};
}

void read_names(Subject& subject) {
  subject.attributes.reserve(8);
  const auto read = [&](ByteView name, Place place) {
    if (Status done = read_name(name, place, subject.attributes); !done && subject.name_fault.empty())
      subject.name_fault = std::string(to_string(place)) + ": " + done.error().detail;
  };
  read(subject.tbs.issuer, Place::issuer);
  read(subject.tbs.subject, Place::subject);
  for (auto [ext, place] : {std::pair{Ext::subject_alt_name, Place::subject_alt_name},
                            std::pair{Ext::issuer_alt_name, Place::issuer_alt_name}}) {
    for (const der::Element& name : Elements(subject.value(ext))) {
      if (subject.names.empty()) subject.names.reserve(8);
      subject.names.push_back({place, name.tag, name.content});
      if (name.tag == GeneralName::directory) read(name.content, place);
    }
  }
}

// Of the full names of distribution points and of the locations of accesses.
void read_pointers(Subject& subject) {
  const auto read = [&](Ext ext, ByteView names) {
    for (const der::Element& name : Elements(names))
      if (name.tag == GeneralName::uri) subject.pointers.push_back({ext, as_text(name.content)});
  };
  subject.pointers.reserve(4);
  for (Ext ext : {Ext::crl_distribution_points, Ext::freshest_crl})
    for (const der::Element& point : Elements(subject.value(ext)))
      if (const auto chosen = child(point.content, der::context(0)))
        if (const auto names = child(chosen->content, der::context(0))) read(ext, names->content);
  for (Ext ext : {Ext::authority_info_access, Ext::subject_info_access})
    for (const der::Element& access : Elements(subject.value(ext))) read(ext, access.content);
}

void read_key(Subject& subject) {
  const ByteView spki = inside(subject.tbs.spki);
  if (const auto identifier = child(spki, der::sequence))
    subject.key_algorithm = split_algorithm(identifier->whole);
  if (const auto bits = child(spki, der::bit_string); bits && !bits->content.empty())
    subject.key_octets = bits->content.subspan(1);
  auto key = x509::parse_public_key(subject.tbs.spki);
  if (key)
    subject.key = *std::move(key);
  else
    subject.key_fault = std::move(key).error().detail;
}

void read_extensions(Subject& subject) {
  for (const x509::ExtensionView& extension : subject.tbs.extensions)
    for (std::size_t i = 0; i < ext_count; ++i)
      if (named_extensions[i].oid == extension.oid) subject.extensions[i] = &extension;

  const ByteView constraints = subject.value(Ext::basic_constraints);
  if (const auto ca = child(constraints, der::boolean))
    subject.ca = !ca->content.empty() && ca->content[0] != 0;
  if (const auto length = child(constraints, der::integer)) subject.path_length = length->content;

  const ByteView bits = subject.value(Ext::key_usage);
  for (std::size_t bit = 0; bit < 9 && 1 + bit / 8 < bits.size(); ++bit)
    if (bits[1 + bit / 8] >> (7 - bit % 8) & 1) subject.key_usage |= static_cast<std::uint16_t>(1 << bit);
}

}  // namespace

Elements::Iterator& Elements::Iterator::operator++() {
  done_ = rest_.empty();
  if (done_) return *this;
  der::Reader reader(rest_);
  if (const auto next = reader.next()) {
    element_ = *next;
    rest_ = reader.rest();
  } else {
    done_ = true;
  }
  return *this;
}

ByteView inside(ByteView octets) {
  for (const der::Element& element : Elements(octets)) return element.content;
  return {};
}

std::optional<der::Element> child(ByteView content, std::uint8_t tag) {
  for (const der::Element& element : Elements(content))
    if (element.tag == tag) return element;
  return std::nullopt;
}

std::size_t count(ByteView content) {
  std::size_t number = 0;
  for ([[maybe_unused]] const der::Element& element : Elements(content)) ++number;
  return number;
}

bool before(ByteView a, ByteView b) noexcept { return std::ranges::lexicographical_compare(a, b); }

std::optional<ByteView> find_twice(std::vector<ByteView> values) {
  std::ranges::sort(values, before);
  const auto found = std::ranges::adjacent_find(values, equal);
  if (found == values.end()) return std::nullopt;
  return *found;
}

std::string_view to_string(Ext ext) noexcept { return named_extensions[static_cast<std::size_t>(ext)].name; }

std::string_view to_string(Place place) noexcept {
  constexpr std::string_view names[] = {"issuer", "subject", "subjectAltName", "issuerAltName"};
  return names[static_cast<std::size_t>(place)];
}

Algorithm split_algorithm(ByteView identifier) {
  const ByteView content = inside(identifier);
  der::Reader reader(content);
  const auto oid = reader.read_oid();
  if (!oid) return {};
  return {*oid, reader.rest()};
}

bool Subject::has_usage(ByteView purpose) const {
  for (const der::Element& usage : Elements(value(Ext::extended_key_usage)))
    if (equal(usage.content, purpose)) return true;
  return false;
}

Subject Subject::read(ByteView tbs) {
  Subject subject;
  subject.der = tbs;
  auto view = x509::parse_tbs(tbs);
  if (!view) {
    subject.fault = std::move(view).error().detail;
    return subject;
  }
  subject.tbs = *std::move(view);
  read_extensions(subject);
  read_key(subject);
  read_names(subject);
  read_pointers(subject);
  subject.signature = split_algorithm(subject.tbs.signature_algorithm);
  return subject;
}

RawFields raw_fields(ByteView tbs) {
  RawFields fields;
  std::size_t position = 0;
  for (const der::Element& element : Elements(inside(tbs))) {
    if (position == 0 && element.tag == der::context(0)) continue;
    if (position == 0 && element.tag == der::integer) fields.serial = element.content;
    if (position == 3) {
      std::size_t end = 0;
      for (const der::Element& time : Elements(element.content))
        if (end < 2) fields.times[end++] = time;
    }
    if (element.tag == der::context(3)) fields.extensions = inside(element.content);
    ++position;
  }
  return fields;
}

}  // namespace hanaper::lint
