#include <hanaper/toolkit/name.hpp>

#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/unicode.hpp>

#include <algorithm>

namespace hanaper::x509 {
namespace {

struct AttributeType {
  std::string_view label;  // RFC 4514 3, RFC 4519
  std::string_view dotted;
  std::size_t bound;  // RFC 5280 appendix A.1, characters
  std::uint8_t tag;
};

constexpr AttributeType types[] = {
    {"CN", "2.5.4.3", 64, der::utf8_string},
    {"SN", "2.5.4.4", 32768, der::utf8_string},
    {"serialNumber", "2.5.4.5", 64, der::printable_string},
    {"C", "2.5.4.6", 2, der::printable_string},
    {"L", "2.5.4.7", 128, der::utf8_string},
    {"ST", "2.5.4.8", 128, der::utf8_string},
    {"STREET", "2.5.4.9", 128, der::utf8_string},
    {"O", "2.5.4.10", 64, der::utf8_string},
    {"OU", "2.5.4.11", 64, der::utf8_string},
    {"title", "2.5.4.12", 64, der::utf8_string},
    {"organizationIdentifier", "2.5.4.97", 256, der::utf8_string},
    {"postalCode", "2.5.4.17", 40, der::utf8_string},
    {"businessCategory", "2.5.4.15", 128, der::utf8_string},
    {"GN", "2.5.4.42", 32768, der::utf8_string},
    {"dnQualifier", "2.5.4.46", 64, der::printable_string},
    {"UID", "0.9.2342.19200300.100.1.1", 256, der::utf8_string},
    {"DC", "0.9.2342.19200300.100.1.25", 63, der::ia5_string},
    {"emailAddress", "1.2.840.113549.1.9.1", 255, der::ia5_string},
};

const AttributeType* type_by_oid(std::string_view dotted) {
  for (const AttributeType& type : types)
    if (type.dotted == dotted) return &type;
  return nullptr;
}

const AttributeType* type_by_label(std::string_view label) {
  const auto lower = [](char c) { return unicode::ascii_lower(c); };
  for (const AttributeType& type : types)
    if (std::ranges::equal(type.label, label, {}, lower, lower)) return &type;
  return nullptr;
}

// By its label, or by its number alone (RFC 4514 2.3), for which "OID." may stand in front.
std::optional<std::string> oid_of(std::string_view label) {
  if (const AttributeType* type = type_by_label(label)) return std::string(type->dotted);
  if (label.starts_with("OID.") || label.starts_with("oid.")) label.remove_prefix(4);
  if (label.empty() || label.size() > 100 || !der::oid_from_text(label)) return std::nullopt;
  return std::string(label);
}

// Characters of a UTF-8 text; nothing when it is not UTF-8 or holds control characters.
std::optional<std::size_t> characters(std::string_view text) {
  std::size_t count = 0;
  for (; !text.empty(); ++count) {
    const auto character = unicode::first(text);
    if (!character) return std::nullopt;
    const std::uint32_t point = character->point;
    if (point < 0x20 || (point >= 0x7f && point < 0xa0)) return std::nullopt;
    text.remove_prefix(character->size);
  }
  return count;
}

bool printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view(" '()+,-./:=?").find(c) != std::string_view::npos;
  });
}

bool ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7f; });
}

void append_utf8(std::string& text, std::uint32_t point) {
  if (point < 0x80) {
    text.push_back(static_cast<char>(point));
  } else if (point < 0x800) {
    text.push_back(static_cast<char>(0xc0 | point >> 6));
    text.push_back(static_cast<char>(0x80 | (point & 0x3f)));
  } else {
    if (point < 0x10000) {
      text.push_back(static_cast<char>(0xe0 | point >> 12));
    } else {
      text.push_back(static_cast<char>(0xf0 | point >> 18));
      text.push_back(static_cast<char>(0x80 | (point >> 12 & 0x3f)));
    }
    text.push_back(static_cast<char>(0x80 | (point >> 6 & 0x3f)));
    text.push_back(static_cast<char>(0x80 | (point & 0x3f)));
  }
}

Result<std::string> decode_string(const der::Element& element) {
  std::string text;
  switch (element.tag) {
    case der::utf8_string:
      text = as_text(element.content);
      break;
    case der::printable_string:
      if (!printable(as_text(element.content))) return malformed("name: character outside PrintableString");
      text = as_text(element.content);
      break;
    case der::numeric_string:  // no directory string, but what some national attributes are made of
    case der::visible_string:
    case der::ia5_string:
      if (!ascii(as_text(element.content))) return malformed("name: character outside IA5String");
      text = as_text(element.content);
      break;
    case der::teletex_string:  // read as Latin-1, as everybody wrote it
      for (std::uint8_t octet : element.content) append_utf8(text, octet);
      break;
    case der::bmp_string:
      if (element.content.size() % 2 != 0) return malformed("name: BMPString of odd length");
      for (std::size_t i = 0; i < element.content.size(); i += 2)
        append_utf8(text, static_cast<std::uint32_t>(element.content[i] << 8 | element.content[i + 1]));
      break;
    case der::universal_string:
      if (element.content.size() % 4 != 0) return malformed("name: UniversalString of odd length");
      for (std::size_t i = 0; i < element.content.size(); i += 4) {
        if (element.content[i] != 0 || element.content[i + 1] > 0x10)
          return malformed("name: UniversalString beyond Unicode");
        append_utf8(text, static_cast<std::uint32_t>(element.content[i + 1] << 16 |
                                                     element.content[i + 2] << 8 | element.content[i + 3]));
      }
      break;
    default:
      return malformed("name: attribute value is no directory string");
  }
  if (text.empty() || !characters(text)) return malformed("name: attribute value is empty or no clean UTF-8");
  return text;
}

}  // namespace

Status check_attribute(const NameAttribute& attribute) {
  const AttributeType* type = type_by_oid(attribute.oid);
  const std::string label = type ? std::string(type->label) : attribute.oid;
  const auto count = characters(attribute.value);
  if (attribute.value.empty()) return malformed(label + " is empty");
  if (!count) return malformed(label + " is not UTF-8 or holds control characters");
  if (!unicode::is_all_seen(attribute.value)) return malformed(label + " holds a character that is not seen");
  const std::size_t bound = type ? type->bound : 256;
  if (*count > bound) return malformed(label + " is longer than " + std::to_string(bound) + " characters");
  if (type == nullptr) return {};
  if (type->tag == der::printable_string && !printable(attribute.value))
    return malformed(label + " holds a character outside PrintableString");
  if (type->tag == der::ia5_string && !ascii(attribute.value)) return malformed(label + " is not ASCII");
  if (type->label == "C" && *count != 2) return malformed("C is not a code of two letters");
  return {};
}

std::string_view attribute(const Name& name, std::string_view dotted_oid) {
  for (const NameAttribute& part : name)
    if (part.oid == dotted_oid) return part.value;
  return {};
}

namespace {

void write_attribute(der::Writer& writer, const NameAttribute& attribute) {
  const AttributeType* type = type_by_oid(attribute.oid);
  writer.sequence([&] {
    writer.text(type ? type->tag : static_cast<std::uint8_t>(der::utf8_string), attribute.value);
    writer.oid(der::oid_from_text(attribute.oid).value_or({}));
  });
}

Bytes encoded_attribute(const NameAttribute& attribute) {
  der::Writer writer(128);
  write_attribute(writer, attribute);
  return writer.bytes();
}

// One relative distinguished name, in the order of DER (X.690 11.6). malformed for a type twice.
Status put_in_order(Name& part) {
  for (std::size_t i = 1; i < part.size(); ++i)
    for (std::size_t k = i; k > 0 && encoded_attribute(part[k]) < encoded_attribute(part[k - 1]); --k)
      std::swap(part[k], part[k - 1]);
  for (std::size_t i = 0; i < part.size(); ++i) {
    part[i].joined = i != 0;
    for (std::size_t k = 0; k < i; ++k)
      if (part[k].oid == part[i].oid) return malformed("name: an attribute twice in one part");
  }
  return {};
}

}  // namespace

void remove_attributes(Name& name, const std::function<bool(const NameAttribute&)>& unwanted) {
  Name left;
  bool begun = false;  // whether something of this part is left
  for (NameAttribute& attribute : name) {
    begun = begun && attribute.joined;
    if (unwanted(attribute)) continue;
    attribute.joined = begun;
    begun = true;
    left.push_back(std::move(attribute));
  }
  name = std::move(left);
}

Result<Name> parse_name_text(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return malformed("subject \"" + std::string(text.substr(0, 200)) + "\": " + std::string(why));
  };
  Name name, part;
  std::size_t i = 0;
  while (i < text.size()) {
    while (i < text.size() && text[i] == ' ') ++i;
    const std::size_t equals = text.find('=', i);
    if (equals == std::string_view::npos) return bad("an attribute without '='");
    const std::string_view label = text.substr(i, equals - i);
    const std::optional<std::string> oid = oid_of(label);
    if (!oid) return bad("unknown attribute \"" + std::string(label.substr(0, 40)) + "\"");
    std::string value;
    std::size_t kept = 0;  // octets that trailing blanks must not eat
    for (i = equals + 1; i < text.size() && text[i] != ',' && text[i] != '+'; ++i) {
      if (text[i] == '#' && value.empty())  // RFC 4514 2.4: the BER of a value, in hexadecimal
        return bad("a value in hexadecimal ('#') is not supported; write \"\\#\" for the character");
      if (text[i] != '\\') {
        if (text[i] == ' ' && value.empty()) continue;
        value.push_back(text[i]);
        if (text[i] != ' ') kept = value.size();
        continue;
      }
      if (i + 1 >= text.size()) return bad("a '\\' at the end");
      const auto hex = i + 2 < text.size() ? from_hex(text.substr(i + 1, 2)) : Result<Bytes>(malformed(""));
      if (hex) {
        value.push_back(static_cast<char>((*hex)[0]));
        i += 2;
      } else {
        value.push_back(text[++i]);
      }
      kept = value.size();
    }
    value.resize(kept);
    NameAttribute attribute{*oid, std::move(value)};
    if (auto checked = check_attribute(attribute); !checked) return bad(checked.error().detail);
    if (name.size() + part.size() == 32) return bad("more than 32 attributes");  // as parse_name has it
    part.push_back(std::move(attribute));
    const bool ends = i == text.size() || text[i] == ',';
    if (ends) {
      if (const Status ordered = put_in_order(part); !ordered) return bad(ordered.error().detail);
      name.insert(name.begin(), part.begin(), part.end());
      part.clear();
    }
    if (i < text.size() && ++i == text.size())
      return bad(std::string("nothing after the last '") + text.back() + "'");
  }
  if (name.empty()) return bad("no attributes");
  return name;
}

std::string name_text(const Name& name) {
  std::string text;
  // The parts from the last to the first, the attributes of each as they stand.
  std::vector<std::size_t> order;
  for (std::size_t end = name.size(); end > 0;) {
    std::size_t begin = end - 1;
    while (begin > 0 && name[begin].joined) --begin;
    for (std::size_t i = begin; i < end; ++i) order.push_back(i);
    end = begin;
  }
  bool first = true;
  for (const std::size_t i : order) {
    if (!first) text.push_back(name[i].joined ? '+' : ',');
    first = false;
    const AttributeType* type = type_by_oid(name[i].oid);
    text += type ? std::string(type->label) : name[i].oid;
    text.push_back('=');
    const std::string& value = name[i].value;
    for (std::size_t k = 0; k < value.size(); ++k) {
      const char c = value[k];
      const bool special = std::string_view(",+\"\\<>;=").find(c) != std::string_view::npos;
      const bool edge = (k == 0 && (c == ' ' || c == '#')) || (k + 1 == value.size() && c == ' ');
      if (special || edge) text.push_back('\\');
      text.push_back(c);
    }
  }
  return text;
}

Result<Name> parse_name(ByteView der) {
  HANAPER_TRY(der::Reader sequence, der::open(der, der::sequence));
  Name name;
  while (!sequence.at_end()) {
    HANAPER_TRY(der::Reader set, sequence.enter(der::set));
    Name part;
    do {
      if (name.size() + part.size() >= 32) return malformed("name: more than 32 attributes");
      HANAPER_TRY(der::Reader pair, set.enter(der::sequence));
      HANAPER_TRY(const ByteView type, pair.read_oid());
      HANAPER_TRY(const der::Element value, pair.next());
      HANAPER_CHECK(pair.finish());
      HANAPER_TRY(std::string text, decode_string(value));
      part.push_back({der::oid_to_text(type), std::move(text)});
    } while (!set.at_end());
    // In whatever order they came: tools that do not sort are many, and nothing hangs on it.
    HANAPER_CHECK(put_in_order(part));
    std::ranges::move(part, std::back_inserter(name));
  }
  return name;
}

Bytes encode_name(const Name& name) {
  der::Writer writer(256);
  writer.sequence([&] {
    for (std::size_t end = name.size(); end > 0;) {
      std::size_t begin = end - 1;
      while (begin > 0 && name[begin].joined) --begin;
      Name several;
      if (end - begin > 1) {
        several.assign(name.begin() + static_cast<std::ptrdiff_t>(begin),
                       name.begin() + static_cast<std::ptrdiff_t>(end));
        static_cast<void>(put_in_order(several));
      }
      writer.constructed(der::set, [&] {
        if (several.empty()) return write_attribute(writer, name[begin]);
        for (std::size_t i = several.size(); i-- > 0;) write_attribute(writer, several[i]);
      });
      end = begin;
    }
  });
  return writer.bytes();
}

}  // namespace hanaper::x509
