// What the rules look at: one TBSCertificate, taken apart once for all of them.
//
// Everything is a view into the octets given to read(), which must outlive the Subject. Constant after
// read(); belongs to one thread.
#pragma once

#include "text.hpp"

#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/extensions.hpp>
#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/public_key.hpp>

#include <iterator>

namespace hanaper::lint {

// The elements of constructed content, one after the other. Ends quietly before octets that are no element:
// such octets are the business of the rule extension-syntax alone.
class Elements {
 public:
  class Iterator {
   public:
    explicit Iterator(ByteView rest) : rest_(rest) { ++*this; }
    const der::Element& operator*() const noexcept { return element_; }
    Iterator& operator++();
    bool operator==(std::default_sentinel_t) const noexcept { return done_; }

   private:
    ByteView rest_;
    der::Element element_;
    bool done_ = false;
  };

  explicit Elements(ByteView content) noexcept : content_(content) {}
  Iterator begin() const { return Iterator(content_); }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  ByteView content_;
};

// The content of the first element, of the first one with that tag, how many there are; empty when there is
// none.
ByteView inside(ByteView octets);
std::optional<der::Element> child(ByteView content, std::uint8_t tag);
std::size_t count(ByteView content);

// One that stands there more than once, or nothing. A certificate may hold thousands, so that comparing each
// with each would take seconds.
std::optional<ByteView> find_twice(std::vector<ByteView> values);
// The order that find_twice sorts by.
bool before(ByteView a, ByteView b) noexcept;

// The extensions that rules know by name.
enum class Ext : std::uint8_t {
  authority_key_identifier,
  subject_key_identifier,
  key_usage,
  certificate_policies,
  policy_mappings,
  subject_alt_name,
  issuer_alt_name,
  subject_directory_attributes,
  basic_constraints,
  name_constraints,
  policy_constraints,
  extended_key_usage,
  crl_distribution_points,
  inhibit_any_policy,
  freshest_crl,
  authority_info_access,
  subject_info_access,
  tls_feature,
  ocsp_no_check,
  no_rev_avail,
};
inline constexpr std::size_t ext_count = static_cast<std::size_t>(Ext::no_rev_avail) + 1;
// Its name in the RFCs, e.g. "subjectAltName".
std::string_view to_string(Ext ext) noexcept;

// An AlgorithmIdentifier: object identifier and whatever octets follow it.
struct Algorithm {
  ByteView oid;
  ByteView parameters;
};
Algorithm split_algorithm(ByteView identifier);

// Where a name stands; to_string for messages.
enum class Place : std::uint8_t { issuer, subject, subject_alt_name, issuer_alt_name };
std::string_view to_string(Place place) noexcept;

// One attribute of a distinguished name: of the issuer, the subject or a directoryName.
struct Attribute {
  Place place = Place::subject;
  ByteView type;
  std::uint8_t tag = 0;
  ByteView value;
};

// One GeneralName of subjectAltName or issuerAltName.
struct GeneralName {
  static constexpr std::uint8_t other = der::context(0);
  static constexpr std::uint8_t email = der::context_primitive(1);
  static constexpr std::uint8_t dns = der::context_primitive(2);
  static constexpr std::uint8_t directory = der::context(4);
  static constexpr std::uint8_t uri = der::context_primitive(6);
  static constexpr std::uint8_t ip = der::context_primitive(7);

  Place place = Place::subject_alt_name;
  std::uint8_t tag = 0;
  ByteView content;

  std::string_view text() const noexcept { return as_text(content); }
};

// A URI by which an extension points to CRLs, responders or certificates.
struct Pointer {
  Ext ext = Ext::crl_distribution_points;
  std::string_view uri;
};

struct Subject {
  // Never fails: what cannot be read is told by the two faults.
  static Subject read(ByteView tbs);

  Subject() = default;
  Subject(Subject&&) = default;
  Subject(const Subject&) = delete;  // `extensions` points into `tbs`

  const x509::ExtensionView* find(Ext ext) const noexcept {
    return extensions[static_cast<std::size_t>(ext)];
  }
  // The content of the extension's outer element; empty when it is absent or has none.
  ByteView value(Ext ext) const {
    const auto* extension = find(ext);
    return extension == nullptr ? ByteView{} : inside(extension->value);
  }
  bool is_critical(Ext ext) const noexcept { return find(ext) != nullptr && find(ext)->critical; }
  bool has_usage(ByteView purpose) const;
  bool has_empty_subject() const noexcept { return tbs.subject.size() == 2; }

  ByteView der;
  std::string fault;       // why it is no TBSCertificate; then nothing below is filled in
  std::string name_fault;  // what is wrong with the structure of a distinguished name

  x509::TbsView tbs;
  std::array<const x509::ExtensionView*, ext_count> extensions{};

  Algorithm signature;
  Algorithm key_algorithm;
  ByteView key_octets;                 // content of subjectPublicKey
  std::optional<x509::PublicKey> key;  // when it is of a kind the SDK knows
  std::string key_fault;               // why not

  std::vector<Attribute> attributes;
  std::vector<GeneralName> names;
  std::vector<Pointer> pointers;

  bool ca = false;
  std::optional<ByteView> path_length;  // content of pathLenConstraint
  std::uint16_t key_usage = 0;          // x509::KeyUsage bits; 0 also when there is no extension
};

// The fields that parse_tbs refuses without saying where they stand, read leniently.
struct RawFields {
  ByteView serial;             // content
  der::Element times[2] = {};  // notBefore, notAfter
  ByteView extensions;         // content of the list
};
RawFields raw_fields(ByteView tbs);

}  // namespace hanaper::lint
