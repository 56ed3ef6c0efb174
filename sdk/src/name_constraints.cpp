#include <hanaper/toolkit/extensions.hpp>

#include <hanaper/toolkit/unicode.hpp>

#include <bit>
#include <charconv>

namespace hanaper::x509 {
namespace {

// Network and mask of "192.0.2.0/24", 8 or 32 octets.
Result<Bytes> parse_range(std::string_view text) {
  const std::size_t slash = text.find('/');
  HANAPER_TRY(Bytes octets, ip_octets(text.substr(0, slash)));
  std::size_t bits = octets.size() * 8;
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    if (error != std::errc{} || end != digits.data() + digits.size() || bits > octets.size() * 8)
      return malformed("\"" + std::string(text) + "\" has a bad prefix length");
  }
  const std::size_t size = octets.size();
  octets.resize(size * 2);
  for (std::size_t bit = 0; bit < size * 8; ++bit) {
    const auto mask = static_cast<std::uint8_t>(0x80 >> bit % 8);
    if (bit < bits)
      octets[size + bit / 8] |= mask;
    else if (octets[bit / 8] & mask)
      return malformed("\"" + std::string(text) + "\" has bits set behind its prefix");
  }
  return octets;
}

// Names and bases are compared in lower case (RFC 5280 7.2, 7.5); the octets of certificates stay as they
// are.
using unicode::ascii_lower;

// A leading dot is not in the RFC for dns names, but in the wild: everything below, without the domain
// itself.
bool within_domain(std::string_view name, std::string_view base) {
  if (base.empty() || name == base) return true;
  return name.size() > base.size() && name.ends_with(base) &&
         (base.starts_with('.') || name[name.size() - base.size() - 1] == '.');
}

// RFC 5280 4.2.1.10 for hosts of mail addresses and URIs: ".example.test" is everything below, without the
// dot exactly that host.
bool within_host(std::string_view host, std::string_view base) {
  if (base.starts_with('.')) return host.size() > base.size() && host.ends_with(base);
  return host == base;
}

// The host of a URI as a fully qualified domain name; empty when it has none.
std::string uri_host(std::string_view uri) {
  const std::size_t start = uri.find("://");
  if (start == std::string_view::npos) return {};
  std::string_view authority = uri.substr(start + 3);
  authority = authority.substr(0, authority.find_first_of("/?#"));
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos)
    authority.remove_prefix(at + 1);
  return normal_dns_name(authority.substr(0, authority.find(':')), false).value_or({});
}

// RFC 5280 7.5: the local part is matched exactly, the host without case.
bool within_mailbox(std::string_view address, std::string_view base) {
  const std::size_t at = address.rfind('@'), base_at = base.rfind('@');
  const std::string host = ascii_lower(at == std::string_view::npos ? address : address.substr(at + 1));
  if (base_at == std::string_view::npos) return within_host(host, ascii_lower(base));
  return address.substr(0, at) == base.substr(0, base_at) && host == ascii_lower(base.substr(base_at + 1));
}

// RFC 4291 2.5.5.2: "::ffff:192.0.2.1" is 192.0.2.1 to every socket, and is judged as that. The four octets
// of such an address, or of the addresses of such a range; else nothing.
ByteView without_mapping(ByteView octets) {
  constexpr std::uint8_t prefix[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return octets.size() == 16 && equal(octets.first(12), prefix) ? octets.subspan(12) : octets;
}

bool within_range(ByteView address, ByteView range) {
  if (address.empty() || address.size() * 2 != range.size()) return false;
  for (std::size_t i = 0; i < address.size(); ++i)
    if ((address[i] & range[address.size() + i]) != range[i]) return false;
  return true;
}

bool within_addresses(ByteView address, ByteView range) {
  const ByteView network = range.first(range.size() / 2), mask = range.subspan(range.size() / 2);
  const ByteView shortened = without_mapping(network);
  const bool mapped = shortened.size() != network.size() && equal(mask.first(12), Bytes(12, 0xff));
  Bytes as_v4 = to_bytes(mapped ? shortened : network);
  const ByteView of_mask = mapped ? mask.subspan(12) : mask;
  as_v4.insert(as_v4.end(), of_mask.begin(), of_mask.end());
  return within_range(without_mapping(address), as_v4);
}

bool within(const Subtree& subtree, const Identifier& name) {
  const std::string_view base = as_text(subtree.base);
  switch (name.kind) {
    case Identifier::Kind::dns:
      return within_domain(ascii_lower(name.value), ascii_lower(base));
    case Identifier::Kind::ip:
      return within_addresses(ip_octets(name.value).value_or({}), subtree.base);
    case Identifier::Kind::email:
    case Identifier::Kind::smtp_utf8_mailbox:
      return within_mailbox(name.value, base);
    case Identifier::Kind::uri:
      return within_host(uri_host(name.value), ascii_lower(base));
    case Identifier::Kind::permanent_identifier:
    case Identifier::Kind::hardware_module:
    case Identifier::Kind::user_principal:
      break;  // no subtree is of these kinds
  }
  return false;
}

// "*.example.test" stands for names that an exclusion of "a.example.test" forbids.
bool wildcard_reaches(const Subtree& subtree, const Identifier& name) {
  if (name.kind != Identifier::Kind::dns || !name.value.starts_with("*.")) return false;
  const std::string base = ascii_lower(as_text(subtree.base));
  const std::size_t dot = base.find('.');
  return dot != std::string::npos && base.substr(dot + 1) == ascii_lower(name.value).substr(2);
}

Status parse_subtrees(ByteView list, std::vector<Subtree>& subtrees, bool& others) {
  der::Reader reader(list);
  if (reader.at_end()) return malformed("name constraints: empty list of subtrees");
  while (!reader.at_end()) {
    if (subtrees.size() >= 1000) return malformed("name constraints: more than 1,000 subtrees");
    HANAPER_TRY(der::Reader fields, reader.enter(der::sequence));
    HANAPER_TRY(const der::Element base, fields.next());
    // RFC 5280 4.2.1.10: "minimum MUST be zero, and maximum MUST be absent"; DER leaves both out.
    HANAPER_CHECK(fields.finish());
    Subtree subtree{Identifier::Kind::dns, to_bytes(base.content)};
    switch (base.tag) {
      case der::context_primitive(1):
        subtree.kind = Identifier::Kind::email;
        break;
      case der::context_primitive(2):
        subtree.kind = Identifier::Kind::dns;
        break;
      case der::context_primitive(6):
        subtree.kind = Identifier::Kind::uri;
        break;
      case der::context_primitive(7):
        if (base.content.size() != 8 && base.content.size() != 32)
          return malformed("name constraints: address range is not 8 or 32 octets");
        subtree.kind = Identifier::Kind::ip;
        break;
      default:
        others = true;
        continue;
    }
    subtrees.push_back(std::move(subtree));
  }
  return {};
}

}  // namespace

Result<Subtree> parse_subtree(std::string_view text) {
  // In normal form, as the names are that it will be compared with; ".example.test" keeps its dot.
  const auto host = [](Identifier::Kind kind, std::string_view name) -> Result<Subtree> {
    const bool below = name.starts_with('.');
    HANAPER_TRY(const std::string base, normal_dns_name(below ? name.substr(1) : name, false));
    return Subtree{kind, to_bytes(as_bytes((below ? "." : "") + base))};
  };
  if (text.starts_with("uri:")) return host(Identifier::Kind::uri, text.substr(4));
  if (text.starts_with('@')) return host(Identifier::Kind::email, text.substr(1));
  if (text.find('@') != std::string_view::npos) {
    HANAPER_TRY(const std::string mailbox, normal_email(text));
    return Subtree{Identifier::Kind::email, to_bytes(as_bytes(mailbox))};
  }
  if (text.find('/') != std::string_view::npos || ip_octets(text)) {
    HANAPER_TRY(Bytes range, parse_range(text));
    return Subtree{Identifier::Kind::ip, std::move(range)};
  }
  if (text.starts_with('.')) text.remove_prefix(1);
  // A constraint may be a single label: everything below "test".
  HANAPER_TRY(const std::string base, normal_dns_name(text, false));
  return Subtree{Identifier::Kind::dns, to_bytes(as_bytes(base))};
}

std::string subtree_text(const Subtree& subtree) {
  std::string base(as_text(subtree.base));
  switch (subtree.kind) {
    case Identifier::Kind::dns:
      return base;
    case Identifier::Kind::uri:
      return "uri:" + base;
    case Identifier::Kind::email:
      return base.find('@') == std::string::npos ? "@" + base : base;
    case Identifier::Kind::ip:
    case Identifier::Kind::permanent_identifier:
    case Identifier::Kind::hardware_module:
    case Identifier::Kind::user_principal:
    case Identifier::Kind::smtp_utf8_mailbox:
      break;
  }
  const ByteView octets = subtree.base;
  const ByteView mask = octets.subspan(octets.size() / 2);
  std::size_t bits = 0;
  for (std::uint8_t octet : mask) bits += static_cast<std::size_t>(std::popcount(octet));
  return ip_text(octets.first(octets.size() / 2)) + "/" + std::to_string(bits);
}

Bytes name_constraints(const NameConstraints& constraints) {
  der::Writer writer(256);
  const auto write = [&](std::uint8_t tag, const std::vector<Subtree>& subtrees) {
    if (subtrees.empty()) return;
    writer.constructed(tag, [&] {
      for (std::size_t i = subtrees.size(); i-- > 0;) {
        constexpr std::uint8_t tags[] = {der::context_primitive(2), der::context_primitive(7),
                                         der::context_primitive(1), der::context_primitive(6)};
        writer.sequence(
            [&] { writer.primitive(tags[static_cast<std::size_t>(subtrees[i].kind)], subtrees[i].base); });
      }
    });
  };
  writer.sequence([&] {
    write(der::context(1), constraints.excluded);
    write(der::context(0), constraints.permitted);
  });
  return writer.bytes();
}

Result<NameConstraints> parse_name_constraints(ByteView value) {
  HANAPER_TRY(der::Reader fields, der::open(value, der::sequence));
  NameConstraints constraints;
  HANAPER_TRY(const auto permitted, fields.maybe(der::context(0)));
  HANAPER_TRY(const auto excluded, fields.maybe(der::context(1)));
  HANAPER_CHECK(fields.finish());
  // RFC 5280 4.2.1.10: "Conforming CAs MUST NOT issue certificates where name constraints is an empty
  // sequence."
  if (!permitted && !excluded) return malformed("name constraints: neither permitted nor excluded");
  if (permitted) HANAPER_CHECK(parse_subtrees(permitted->content, constraints.permitted, constraints.others));
  if (excluded) HANAPER_CHECK(parse_subtrees(excluded->content, constraints.excluded, constraints.others));
  return constraints;
}

bool judges(const Subtree& subtree, Identifier::Kind kind) {
  return subtree.kind == kind ||
         (subtree.kind == Identifier::Kind::email && kind == Identifier::Kind::smtp_utf8_mailbox);
}

bool allows(const NameConstraints& constraints, const Identifier& name) {
  // RFC 5280 4.2.1.10: a URI "that does not include an authority component with a host name specified as a
  // fully qualified domain name" is rejected wherever URIs are constrained.
  const auto of_that_kind = [&](const Subtree& subtree) { return judges(subtree, name.kind); };
  if (name.kind == Identifier::Kind::uri && uri_host(name.value).empty() &&
      (std::ranges::any_of(constraints.permitted, of_that_kind) ||
       std::ranges::any_of(constraints.excluded, of_that_kind)))
    return false;
  // An IPv6 range that others read octet by octet excludes what it maps as well.
  const auto as_it_stands = [&](const Subtree& subtree) {
    return name.kind == Identifier::Kind::ip &&
           within_range(ip_octets(name.value).value_or({}), subtree.base);
  };
  for (const Subtree& subtree : constraints.excluded)
    if (judges(subtree, name.kind) &&
        (within(subtree, name) || as_it_stands(subtree) || wildcard_reaches(subtree, name)))
      return false;
  bool constrained = false;
  for (const Subtree& subtree : constraints.permitted) {
    if (!judges(subtree, name.kind)) continue;
    if (within(subtree, name)) return true;
    constrained = true;
  }
  return !constrained;
}

}  // namespace hanaper::x509
