#include "oracle_family.hpp"

#include <hanaper/toolkit/public_key.hpp>
#include <hanaper/toolkit/signature_algorithm.hpp>

#include <stdexcept>

namespace hanaper::oracle {
namespace {

constexpr std::string_view small_letters = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view host = "abcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::string_view printable =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 '()+,-./:=?";
constexpr std::string_view ia5 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
// One, two, three and four octets of UTF-8.
constexpr std::string_view unicode[] = {"a",
                                        "Z",
                                        " ",
                                        ",",
                                        "+",
                                        "\"",
                                        "\\",
                                        "<",
                                        ">",
                                        ";",
                                        "=",
                                        "#",
                                        "\xc3\xbc",
                                        "\xce\xa9",
                                        "\xd7\x90",
                                        "\xe4\xb8\xad",
                                        "\xef\xbf\xbd",
                                        "\xe2\x82\xac",
                                        "\xf0\x9f\x94\x91",
                                        "\xf0\x9f\x94\x92"};

std::vector<KeyPtr> make_keys() {
  std::vector<KeyPtr> made;
  for (KeySpec spec :
       {KeySpec{KeyType::ec_p256, 0}, KeySpec{KeyType::ec_p384, 0}, KeySpec{KeyType::ec_p521, 0},
        KeySpec{KeyType::ed25519, 0}, KeySpec{KeyType::rsa, 2048}, KeySpec{KeyType::rsa, 3072}}) {
    auto key = crypto::SoftKey::generate(spec);
    if (!key) throw std::runtime_error(key.error().detail);
    made.push_back(*std::move(key));
  }
  return made;
}

std::string text(Random& random, std::string_view alphabet, std::size_t size) {
  std::string made;
  while (made.size() < size) made.push_back(random.character(alphabet));
  return made;
}

std::string random_label(Random& random) {
  constexpr std::string_view a_labels[] = {"xn--bcher-kva", "xn--mnchen-3ya", "xn--nxasmq6b", "xn--p1ai"};
  if (random.chance(5)) return std::string(random.pick(a_labels));
  const std::size_t size = random.chance(10) ? 63 : random.between(1, 12);
  std::string label = text(random, host, size);
  // A hyphen anywhere but at the ends, and not where an A-label has its two.
  if (size > 5 && random.chance(30)) label[size - 2] = '-';
  return label;
}

std::string random_domain(Random& random) {
  const std::size_t labels = random.chance(5) ? 30 : random.between(1, 5);
  std::string name = text(random, small_letters, random.between(2, 10));
  for (std::size_t i = 0; i < labels; ++i) {
    const std::string longer = random_label(random) + "." + name;
    if (longer.size() > 250) break;
    name = longer;
  }
  return name;
}

// A value of exactly `characters` characters.
std::string random_value(Random& random, KnownType::Form form, std::size_t characters) {
  if (form == KnownType::Form::printable) return text(random, printable, characters);
  if (form == KnownType::Form::ia5) return text(random, ia5, characters);
  if (form == KnownType::Form::country) return text(random, "ABCDEFGHIJKLMNOPQRSTUVWXYZ", 2);
  std::string value;
  for (std::size_t i = 0; i < characters; ++i)
    value += random.chance(70) ? std::string(1, random.character(ia5)) : std::string(random.pick(unicode));
  return value;
}

}  // namespace

const std::vector<KeyPtr>& keys() {
  static const std::vector<KeyPtr> made = make_keys();
  return made;
}

const KeyPtr& other_key(KeySpec spec) {
  static const std::vector<KeyPtr> made = make_keys();
  return *std::ranges::find(made, spec, [](const KeyPtr& key) { return key->spec(); });
}

const std::vector<Signer>& signers() {
  static const std::vector<Signer> list = [] {
    std::vector<Signer> made;
    for (const KeyPtr& key : keys())
      for (int i = 0; i <= static_cast<int>(SignatureScheme::ed25519); ++i)
        if (const auto scheme = static_cast<SignatureScheme>(i); x509::fits(key->spec(), scheme))
          made.push_back({key, scheme});
    return made;
  }();
  return list;
}

const std::vector<KnownType>& known_types() {
  using enum KnownType::Form;
  static const std::vector<KnownType> list = {{"2.5.4.3", 64, utf8},
                                              {"2.5.4.4", 32768, utf8},
                                              {"2.5.4.5", 64, printable},
                                              {"2.5.4.6", 2, country},
                                              {"2.5.4.7", 128, utf8},
                                              {"2.5.4.8", 128, utf8},
                                              {"2.5.4.9", 128, utf8},
                                              {"2.5.4.10", 64, utf8},
                                              {"2.5.4.11", 64, utf8},
                                              {"2.5.4.12", 64, utf8},
                                              {"2.5.4.15", 128, utf8},
                                              {"2.5.4.17", 40, utf8},
                                              {"2.5.4.42", 32768, utf8},
                                              {"2.5.4.46", 64, printable},
                                              {"2.5.4.97", 256, utf8},
                                              {"0.9.2342.19200300.100.1.1", 256, utf8},
                                              {"0.9.2342.19200300.100.1.25", 63, ia5},
                                              {"1.2.840.113549.1.9.1", 255, ia5}};
  return list;
}

NameAttribute random_attribute(Random& random, std::string_view oid) {
  const auto type = std::ranges::find(known_types(), oid, &KnownType::oid);
  if (type == known_types().end())
    return {std::string(oid), random_value(random, KnownType::Form::utf8, random.between(1, 256))};
  // Names of people may be 32768 characters long; more than one such would burst a certificate's 64 KiB.
  const std::size_t bound = random.chance(15) ? type->bound : std::min<std::size_t>(type->bound, 24);
  const bool longest = random.chance(20);
  return {std::string(oid), random_value(random, type->form,
                                         longest ? std::min<std::size_t>(bound, 4000)
                                                 : random.between(1, std::min<std::size_t>(bound, 200)))};
}

x509::Name random_name(Random& random) {
  x509::Name name;
  const std::size_t count = random.chance(10) ? 0 : random.chance(30) ? 1 : random.between(2, 8);
  for (std::size_t i = 0; i < count; ++i) {
    if (random.chance(8))
      name.push_back(random_attribute(random, "1.3.6.1.4.1.99999." + std::to_string(random.below(100000))));
    else
      name.push_back(random_attribute(random, random.pick(known_types()).oid));
  }
  return name;
}

Identifier random_identifier(Random& random) {
  switch (random.below(6)) {
    case 0:
      return {Identifier::Kind::ip, x509::ip_text(random.octets(4))};
    case 1: {
      Bytes octets = random.octets(16);
      if (random.chance(50)) std::fill_n(octets.begin() + 2, random.below(13), std::uint8_t{0});
      return {Identifier::Kind::ip, x509::ip_text(octets)};
    }
    case 2:
      return {Identifier::Kind::email, text(random, "ABCxyz019!#$%&'*+-/=?^_`{|}~.", random.between(1, 64)) +
                                           "@" + random_domain(random)};
    case 3:
      return {Identifier::Kind::uri,
              "https://" + random_domain(random) + "/" +
                  text(random, "abcXYZ019-._~?&=#:@", random.chance(5) ? 1500 : random.below(40)) + "%2f"};
    case 4:
      return {Identifier::Kind::dns, "*." + random_domain(random)};
    default:
      return {Identifier::Kind::dns, random_domain(random)};
  }
}

std::vector<Identifier> random_identifiers(Random& random) {
  std::vector<Identifier> names(random.chance(15) ? 0 : random.chance(10) ? 50 : random.between(1, 8));
  for (Identifier& name : names) name = random_identifier(random);
  return names;
}

Serial random_serial(Random& random) {
  Bytes octets = random.octets(random.between(1, 20));
  if (random.chance(30)) octets[0] |= 0x80;  // as far as it may be, a sign octet goes before
  if (octets.size() == 20) octets[0] &= 0x7f;
  const auto serial = Serial::from_magnitude(octets);
  return serial ? *serial : *Serial::from_text("1");
}

Time random_time(Random& random) {
  using namespace std::chrono;
  const Time first = sys_days{1950y / January / 1},
             last = sys_days{9999y / December / 31} + 23h + 59min + 59s;
  const Time turn = sys_days{2050y / January / 1};
  switch (random.below(8)) {
    case 0:
      return first;
    case 1:
      return last;
    case 2:
      return turn - seconds{random.below(100)};
    case 3:
      return turn + seconds{random.below(100)};
    case 4:  // with milliseconds, which have no place in a certificate
      return first + milliseconds{random.next() % static_cast<std::uint64_t>((turn - first).count())};
    case 5:
      return sys_days{year{static_cast<int>(random.between(1952, 9998)) / 4 * 4} / February / 29};
    default:
      return first + seconds{random.next() % static_cast<std::uint64_t>((last - first).count() / 1000)};
  }
}

x509::Subtree random_subtree(Random& random) {
  using Kind = Identifier::Kind;
  switch (random.below(5)) {
    case 0: {
      const std::size_t size = random.chance(50) ? 4 : 16;
      const std::size_t bits = random.below(size * 8 + 1);
      Bytes base = random.octets(size);
      base.resize(2 * size);
      for (std::size_t bit = 0; bit < size * 8; ++bit) {
        const auto mask = static_cast<std::uint8_t>(0x80 >> bit % 8);
        if (bit < bits)
          base[size + bit / 8] |= mask;
        else
          base[bit / 8] &= static_cast<std::uint8_t>(~mask);
      }
      return {Kind::ip, base};
    }
    case 1:
      return {Kind::email, to_bytes(as_bytes(random_domain(random)))};
    case 2:
      return {Kind::email, to_bytes(as_bytes("someone@" + random_domain(random)))};
    case 3:
      return {Kind::uri, to_bytes(as_bytes((random.chance(50) ? "." : "") + random_domain(random)))};
    default:
      return {Kind::dns, to_bytes(as_bytes(random_domain(random)))};
  }
}

Bytes flipped(ByteView octets, Random& random) {
  Bytes changed = to_bytes(octets);
  const std::size_t bit = random.below(changed.size() * 8);
  changed[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
  return changed;
}

}  // namespace hanaper::oracle
