#include <hanaper/toolkit/identifiers.hpp>
#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/punycode.hpp>
#include <hanaper/toolkit/unicode.hpp>

#include <arpa/inet.h>

#include <algorithm>
#include <cctype>

namespace hanaper::x509 {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return c >= 'a' && c <= 'z'; }

// What somebody sent, fit to stand in a message of one line.
std::string shown(std::string_view text) {
  std::string line(text.substr(0, 255));
  for (char& c : line)
    if (c < ' ' || c > '~') c = '?';
  return "\"" + line + "\"";
}

// Not inlined: most of what refuses a name would be copies of it.
[[gnu::noinline]] Error refused(std::string_view what, std::string_view text, std::string_view why) {
  return malformed(std::string(what) + " " + shown(text) + ": " + std::string(why));
}
Error bad_name(std::string_view text, std::string_view why) { return refused("dns name", text, why); }

Status check_label(std::string_view whole, std::string_view label) {
  if (label.empty()) return bad_name(whole, "empty label");
  if (label.size() > 63) return bad_name(whole, "label of more than 63 octets");
  if (label.front() == '-' || label.back() == '-') return bad_name(whole, "label begins or ends with '-'");
  for (char c : label)
    if (!is_letter(c) && !is_digit(c) && c != '-')
      return bad_name(whole, "only letters, digits, '-' and '.' are allowed");
  // RFC 5890 2.3.1: labels with "--" in the third and fourth place are reserved; A-labels are the only ones
  // in use.
  if (label.size() >= 4 && label.substr(2, 2) == "--" && !label.starts_with("xn--"))
    return bad_name(whole, "reserved label with \"--\" in third place");
  // RFC 5890 2.3.2.1: an A-label is what a U-label becomes by Punycode, so that it can become one again.
  if (label.starts_with("xn--") && !punycode::decodes(label))
    return bad_name(whole, "it has a label that encodes nothing");
  return {};
}

// What browsers read as an IPv4 address (URL Standard, "ends in a number"): "127.1", "0x7f000001", "a.0x".
bool is_number(std::string_view label) {
  if (label.starts_with("0x"))
    return std::ranges::all_of(label.substr(2), [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); });
  return std::ranges::all_of(label, is_digit);
}

}  // namespace

Result<std::string> normal_dns_name(std::string_view text, bool wildcard) {
  std::string name = unicode::ascii_lower(text);
  if (name.size() > 253) return bad_name(text, "longer than 253 octets");
  std::string_view rest = name;
  if (rest.starts_with("*.")) {
    if (!wildcard) return bad_name(text, "a wildcard is not allowed here");
    rest.remove_prefix(2);
  }
  std::size_t labels = 0;
  std::string_view label;
  for (;; ++labels) {
    const std::size_t dot = rest.find('.');
    label = rest.substr(0, dot);
    HANAPER_CHECK(check_label(text, label));
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  if (labels == 0 && name.starts_with("*.")) return bad_name(text, "a wildcard needs two labels below it");
  if (is_number(label)) return bad_name(text, "the last label is a number");
  return name;
}

Result<Bytes> ip_octets(std::string_view text) {
  const std::string terminated(text);
  Bytes octets(16);
  const bool whole = terminated.find('\0') == std::string::npos;
  if (whole && inet_pton(AF_INET6, terminated.c_str(), octets.data()) == 1) return octets;
  octets.resize(4);
  if (whole && inet_pton(AF_INET, terminated.c_str(), octets.data()) == 1) return octets;
  return malformed(shown(text.substr(0, 64)) + " is no ip address");
}

std::string ip_text(ByteView octets) {
  char text[INET6_ADDRSTRLEN] = {};
  if (octets.size() != 4 && octets.size() != 16) return {};
  inet_ntop(octets.size() == 4 ? AF_INET : AF_INET6, octets.data(), text, sizeof text);
  return text;
}

std::string client_of(std::string_view address) {
  constexpr std::uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  auto octets = ip_octets(address.substr(0, address.find('%')));
  if (!octets || octets->size() != 16) return std::string(address);
  if (equal(ByteView(*octets).first(12), mapped)) return ip_text(ByteView(*octets).subspan(12));
  std::fill(octets->begin() + 8, octets->end(), std::uint8_t{0});
  return ip_text(*octets) + "/64";
}

Result<std::string> normal_email(std::string_view text) {
  const auto bad = [&](std::string_view why) { return refused("email address", text, why); };
  const std::size_t at = text.rfind('@');
  if (at == std::string_view::npos || at == 0 || at > 64) return bad("no local part before an '@'");
  for (char c : text.substr(0, at))
    if (c <= 0x20 || c > 0x7e || std::string_view("()<>[]:;,\\\"@").find(c) != std::string_view::npos)
      return bad("the local part holds a character that needs quoting");
  auto domain = normal_dns_name(text.substr(at + 1), false);
  if (!domain) return bad(domain.error().detail);
  return std::string(text.substr(0, at + 1)) + *domain;
}

namespace {

Result<std::string> normal_uri(std::string_view text) {
  const auto bad = [&](std::string_view why) { return refused("uri", text, why); };
  if (text.size() > 2048) return bad("longer than 2048 octets");
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0) return bad("no scheme");
  if (!is_letter(unicode::ascii_lower(text.front()))) return bad("bad scheme");
  for (char c : text.substr(0, colon)) {
    if (!is_letter(unicode::ascii_lower(c)) && !is_digit(c) && c != '+' && c != '-' && c != '.')
      return bad("bad scheme");
  }
  if (colon + 1 == text.size()) return bad("nothing after the scheme");
  // RFC 3986 2: what is none of its characters is written as a percent sign and two digits.
  const auto is_hex = [&](std::size_t at) {
    return at < text.size() && std::isxdigit(static_cast<unsigned char>(text[at])) != 0;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c <= 0x20 || c > 0x7e || std::string_view("\"<>\\^`{|}").find(c) != std::string_view::npos)
      return bad("a character that needs percent-encoding");
    if (c == '%' && !(is_hex(i + 1) && is_hex(i + 2))) return bad("a percent sign without two digits");
  }
  return std::string(text);
}

// Names of devices: "text" or "text/1.2.3".
struct DeviceName {
  std::string_view text, type;
};
DeviceName split_device_name(std::string_view value) {
  const std::size_t slash = value.find('/');
  if (slash == std::string_view::npos) return {value, {}};
  return {value.substr(0, slash), value.substr(slash + 1)};
}

// An account or a mailbox: something in front of the last '@', and a domain behind it.
Result<std::string> normal_account(std::string_view text) {
  const auto bad = [&](std::string_view why) { return refused("user principal name", text, why); };
  std::string lower = unicode::ascii_lower(text);
  const std::size_t at = lower.find('@');
  if (at == std::string::npos || at == 0 || lower.find('@', at + 1) != std::string::npos)
    return bad("it is not of the form user@domain");
  if (lower.size() > 255) return bad("longer than 255 octets");
  if (!unicode::is_all_seen(lower)) return bad("a character that is not seen");
  for (char c : std::string_view(lower).substr(0, at))
    if (c == ' ' || std::string_view("\"/\\[]:;|=,+*?<>").find(c) != std::string_view::npos)
      return bad("a character that no account's name has");
  auto domain = normal_dns_name(std::string_view(lower).substr(at + 1), false);
  if (!domain) return bad(domain.error().detail);
  return lower;
}

// RFC 9598 3: UTF-8 in front of a domain of A-labels; RFC822 names are for what is ASCII.
Result<std::string> normal_utf8_mailbox(std::string_view text) {
  const auto bad = [&](std::string_view why) { return refused("mailbox", text, why); };
  const std::size_t at = text.rfind('@');
  if (at == std::string_view::npos || at == 0 || at > 64) return bad("no local part before an '@'");
  const std::string_view local = text.substr(0, at);
  if (!unicode::is_all_seen(local)) return bad("a character that is not seen");
  if (std::ranges::all_of(local, [](char c) { return static_cast<unsigned char>(c) < 0x80; }))
    return bad("its local part is ASCII: an rfc822Name is for it");
  for (char c : local)
    if (c == ' ' || std::string_view("()<>[]:;,\\\"@").find(c) != std::string_view::npos)
      return bad("the local part holds a character that needs quoting");
  auto domain = normal_dns_name(text.substr(at + 1), false);
  if (!domain) return bad(domain.error().detail);
  return std::string(text.substr(0, at + 1)) + *domain;
}

Result<std::string> normal_device_name(std::string_view value, bool typed) {
  const auto bad = [&](std::string_view why) { return refused("device name", value, why); };
  const DeviceName name = split_device_name(value);
  if (name.text.empty()) return bad("nothing in front of the object identifier");
  if (value.size() > 255) return bad("longer than 255 octets");
  if (!unicode::is_all_seen(name.text)) return bad("not printable UTF-8 text");
  const bool has_type = name.text.size() != value.size();
  if (typed && !has_type) return bad("no type of hardware behind a '/'");
  if (!has_type) return std::string(value);
  const auto type = der::oid_from_text(name.type);
  if (!type || der::oid_to_text(*type) != name.type) return bad("no object identifier behind the '/'");
  return std::string(value);
}

}  // namespace

Result<Identifier> normal_identifier(Identifier::Kind kind, std::string_view text) {
  switch (kind) {
    case Identifier::Kind::dns: {
      HANAPER_TRY(std::string name, normal_dns_name(text, true));
      return Identifier{kind, std::move(name)};
    }
    case Identifier::Kind::ip: {
      HANAPER_TRY(const Bytes octets, ip_octets(text));
      return Identifier{kind, ip_text(octets)};
    }
    case Identifier::Kind::email: {
      HANAPER_TRY(std::string address, normal_email(text));
      return Identifier{kind, std::move(address)};
    }
    case Identifier::Kind::uri: {
      HANAPER_TRY(std::string uri, normal_uri(text));
      return Identifier{kind, std::move(uri)};
    }
    case Identifier::Kind::permanent_identifier:
    case Identifier::Kind::hardware_module: {
      HANAPER_TRY(std::string name, normal_device_name(text, kind == Identifier::Kind::hardware_module));
      return Identifier{kind, std::move(name)};
    }
    case Identifier::Kind::user_principal: {
      HANAPER_TRY(std::string name, normal_account(text));
      return Identifier{kind, std::move(name)};
    }
    case Identifier::Kind::smtp_utf8_mailbox: {
      HANAPER_TRY(std::string mailbox, normal_utf8_mailbox(text));
      return Identifier{kind, std::move(mailbox)};
    }
  }
  return malformed("unknown kind of name");
}

Result<Identifier> guess_identifier(std::string_view text) {
  if (ip_octets(text)) return normal_identifier(Identifier::Kind::ip, text);
  // No name of a host has these characters.
  if (text.find(':') != std::string_view::npos) return normal_identifier(Identifier::Kind::uri, text);
  if (text.find('@') != std::string_view::npos) return normal_identifier(Identifier::Kind::email, text);
  return normal_identifier(Identifier::Kind::dns, text);
}

namespace {

std::string reversed_labels(std::string_view name) {
  std::string reversed;
  while (!name.empty()) {
    const std::size_t dot = name.rfind('.');
    const std::string_view label = dot == std::string_view::npos ? name : name.substr(dot + 1);
    reversed.append(label).push_back('.');
    name = dot == std::string_view::npos ? std::string_view{} : name.substr(0, dot);
  }
  return reversed;
}

}  // namespace

std::string search_key(const Identifier& identifier) {
  std::string key(to_string(identifier.kind));
  key.push_back(':');
  key += identifier.kind == Identifier::Kind::dns ? reversed_labels(identifier.value) : identifier.value;
  // Longer than any dns name; a uri that long is found by its beginning.
  if (key.size() > 300) key.resize(300);
  return key;
}

std::string search_prefix(std::string_view domain) { return "dns:" + reversed_labels(domain); }

namespace {

// OtherName ::= SEQUENCE { type-id OBJECT IDENTIFIER, value [0] EXPLICIT ANY }; nothing when it names no
// device, or in a way that `normal_identifier` does not know.
std::optional<Identifier> device_of(ByteView other_name) {
  der::Reader reader(other_name);
  const auto id = reader.read_oid();
  auto wrapped = reader.enter(der::context(0));
  if (!id || !wrapped || !reader.at_end()) return std::nullopt;
  auto fields = wrapped->enter(der::sequence);
  if (!fields || !wrapped->at_end()) return std::nullopt;
  std::string value;
  auto kind = Identifier::Kind::permanent_identifier;
  if (oid::permanent_identifier == *id) {
    // RFC 4043 2: SEQUENCE { identifierValue UTF8String OPTIONAL, assigner OBJECT IDENTIFIER OPTIONAL }
    const auto text = fields->expect(der::utf8_string);
    if (!text || as_text(text->content).find('/') != std::string_view::npos) return std::nullopt;
    value = as_text(text->content);
    if (!fields->at_end()) {
      const auto assigner = fields->read_oid();
      if (!assigner) return std::nullopt;
      value += "/" + der::oid_to_text(*assigner);
    }
  } else if (oid::hardware_module_name == *id) {
    // RFC 4108 5: SEQUENCE { hwType OBJECT IDENTIFIER, hwSerialNum OCTET STRING }
    kind = Identifier::Kind::hardware_module;
    const auto type = fields->read_oid();
    const auto serial = type ? fields->read_octets() : Result<ByteView>(type.error());
    if (!serial || as_text(*serial).find('/') != std::string_view::npos) return std::nullopt;
    value = std::string(as_text(*serial)) + "/" + der::oid_to_text(*type);
  } else {
    return std::nullopt;
  }
  auto identifier = normal_identifier(kind, value);
  if (!identifier || !fields->at_end()) return std::nullopt;
  return *std::move(identifier);
}

void write_device(der::Writer& writer, const Identifier& identifier) {
  const DeviceName name = split_device_name(identifier.value);
  const Bytes type = der::oid_from_text(name.type).value_or({});
  const bool module = identifier.kind == Identifier::Kind::hardware_module;
  writer.constructed(der::context(0), [&] {
    writer.constructed(der::context(0), [&] {
      writer.sequence([&] {
        if (module) writer.octets(as_bytes(name.text));
        if (!type.empty()) writer.oid(type);
        if (!module) writer.text(der::utf8_string, name.text);
      });
    });
    writer.oid(module ? oid::hardware_module_name : oid::permanent_identifier);
  });
}

// Both are UTF8String; the account's domain controllers read nothing else.
void write_mailbox(der::Writer& writer, const Identifier& identifier) {
  const bool account = identifier.kind == Identifier::Kind::user_principal;
  writer.constructed(der::context(0), [&] {
    writer.constructed(der::context(0), [&] { writer.text(der::utf8_string, identifier.value); });
    writer.oid(account ? oid::user_principal_name : oid::smtp_utf8_mailbox);
  });
}

struct Mailbox {
  Identifier::Kind kind;
  std::string_view text;
};
std::optional<Mailbox> mailbox_of(ByteView other_name) {
  der::Reader reader(other_name);
  const auto id = reader.read_oid();
  auto wrapped = reader.enter(der::context(0));
  if (!id || !wrapped || !reader.at_end()) return std::nullopt;
  const auto text = wrapped->expect(der::utf8_string);
  if (!text || !wrapped->at_end()) return std::nullopt;
  if (oid::user_principal_name == *id)
    return Mailbox{Identifier::Kind::user_principal, as_text(text->content)};
  if (oid::smtp_utf8_mailbox == *id)
    return Mailbox{Identifier::Kind::smtp_utf8_mailbox, as_text(text->content)};
  return std::nullopt;
}

}  // namespace

Result<GeneralNames> parse_general_names(ByteView sequence) {
  HANAPER_TRY(der::Reader reader, der::open(sequence, der::sequence));
  if (reader.at_end()) return malformed("subject alternative name is empty");
  GeneralNames result;
  const auto add = [&](Identifier::Kind kind, std::string_view text) {
    auto normal = normal_identifier(kind, text);
    if (!normal) result.faults.push_back(normal.error().detail);
    result.names.push_back(normal ? *std::move(normal) : Identifier{kind, std::string(text)});
  };
  while (!reader.at_end()) {
    if (result.names.size() + result.others >= 1000) return malformed("more than 1,000 alternative names");
    HANAPER_TRY(const der::Element name, reader.next());
    switch (name.tag) {
      case der::context_primitive(1):
        add(Identifier::Kind::email, as_text(name.content));
        break;
      case der::context_primitive(2):
        add(Identifier::Kind::dns, as_text(name.content));
        break;
      case der::context_primitive(6):
        add(Identifier::Kind::uri, as_text(name.content));
        break;
      case der::context_primitive(7):
        if (name.content.size() != 4 && name.content.size() != 16)
          return malformed("ip address of " + std::to_string(name.content.size()) + " octets");
        result.names.push_back({Identifier::Kind::ip, ip_text(name.content)});
        break;
      case der::context(0):
        if (auto device = device_of(name.content))
          result.names.push_back(*std::move(device));
        else if (const auto mailbox = mailbox_of(name.content))
          add(mailbox->kind, mailbox->text);
        else
          ++result.others;
        break;
      case der::context(3):
      case der::context(4):
      case der::context(5):
      case der::context_primitive(8):
        ++result.others;
        break;
      default:
        return malformed("unknown kind of general name");
    }
  }
  return result;
}

Bytes encode_general_names(std::span<const Identifier> names) {
  der::Writer writer(64 + names.size() * 32);
  writer.sequence([&] {
    for (std::size_t i = names.size(); i-- > 0;) {
      const Identifier& name = names[i];
      switch (name.kind) {
        case Identifier::Kind::email:
          writer.text(der::context_primitive(1), name.value);
          break;
        case Identifier::Kind::dns:
          writer.text(der::context_primitive(2), name.value);
          break;
        case Identifier::Kind::uri:
          writer.text(der::context_primitive(6), name.value);
          break;
        case Identifier::Kind::ip:
          writer.primitive(der::context_primitive(7), ip_octets(name.value).value_or({}));
          break;
        case Identifier::Kind::permanent_identifier:
        case Identifier::Kind::hardware_module:
          write_device(writer, name);
          break;
        case Identifier::Kind::user_principal:
        case Identifier::Kind::smtp_utf8_mailbox:
          write_mailbox(writer, name);
          break;
      }
    }
  });
  return writer.bytes();
}

namespace {

std::string_view without_blanks(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Whether some client could take the text for a host: blanks around it count for nothing, and whatever is
// outside ASCII may be folded to a letter or a dot (RFC 3490 3.1 has three more of them).
bool looks_like_host(std::string_view text, bool single_labels) {
  text = without_blanks(text);
  if (text.empty()) return false;
  if (ip_octets(text)) return true;
  bool dotted = single_labels;
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c);
    const bool foreign = static_cast<unsigned char>(c) >= 0x80;
    if (!letter && !foreign && std::string_view("-_*.").find(c) == std::string_view::npos) return false;
    dotted = dotted || c == '.';
  }
  for (std::string_view dot : {"\xe3\x80\x82", "\xef\xbc\x8e", "\xef\xbd\xa1"})
    dotted = dotted || text.find(dot) != std::string_view::npos;
  return dotted;
}

}  // namespace

SubjectNames subject_names(const Name& subject, bool single_labels) {
  static const std::string email_oid = der::oid_to_text(oid::email_address);
  SubjectNames result;
  for (const NameAttribute& attribute : subject) {
    const bool email = attribute.oid == email_oid;
    if (!email && (attribute.oid != common_name_oid || !looks_like_host(attribute.value, single_labels)))
      continue;
    auto name = email ? normal_identifier(Identifier::Kind::email, attribute.value)
                      : guess_identifier(attribute.value);
    if (!name) {
      result.faults.push_back(name.error().detail);
      name = Identifier{email ? Identifier::Kind::email : Identifier::Kind::dns, attribute.value};
    }
    if (std::ranges::find(result.names, *name) == result.names.end())
      result.names.push_back(*std::move(name));
  }
  return result;
}

}  // namespace hanaper::x509
