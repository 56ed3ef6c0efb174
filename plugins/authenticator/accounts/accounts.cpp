#include "accounts.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/name_pattern.hpp>

#include <crypt.h>

namespace hanaper::accounts {
namespace {

constexpr std::size_t max_lines = 100'000;
constexpr std::size_t max_password = 256;
constexpr std::string_view token_mark = "sha256:";

// A hash of nothing anybody knows, where there is no other: costs what `mkpasswd -m yescrypt` costs.
constexpr std::string_view nobodys_hash =
    "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7";

Error unknown(std::string_view kind) { return {Code::unauthenticated, std::string(kind)}; }

std::vector<std::string> split(std::string_view text, char mark) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(mark), text.size());
    if (end != 0) parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

// An account without the role "ra" is bound to names: those of its line, or what its own name says.
Identity identity_of(std::string_view kind, const Account& account) {
  Identity identity{std::string(kind) + account.name, account.roles, false, {}};
  if (std::ranges::find(account.roles, "ra") == account.roles.end())
    identity.bound_to.push_back(account.names.empty() ? x509::patterns_of_account(account.name)
                                                      : account.names);
  return identity;
}

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= 128 &&
         std::ranges::all_of(name, [](char c) { return c > ' ' && c < 0x7f; });
}

// Whether crypt(3) gives that hash again.
bool fits(const Secret& password, std::string_view hash_text) {
  const std::string hash(hash_text);
  auto data = std::make_unique<crypt_data>();
  const std::string given(password.reveal());
  const char* made = crypt_rn(given.c_str(), hash.c_str(), data.get(), sizeof(crypt_data));
  const bool same = made != nullptr && crypto::equal_constant_time(as_bytes(made), as_bytes(hash));
  crypto::wipe({reinterpret_cast<std::uint8_t*>(data.get()), sizeof(crypt_data)});
  crypto::wipe({reinterpret_cast<std::uint8_t*>(const_cast<char*>(given.data())), given.size()});
  return same;
}

}  // namespace

Result<Accounts> Accounts::parse(std::string_view text) {
  Accounts accounts;
  crypto::random(accounts.secret_);
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const auto wrong = [&](std::string_view what) {
      return malformed("line " + std::to_string(number) + ": " + std::string(what));
    };
    if (++number > max_lines) return wrong("more than 100000 lines");
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#')) continue;
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !is_name(line.substr(0, colon)))
      return wrong("no account: name:secret[:role,role] is wanted");
    Account account{.name = std::string(line.substr(0, colon)), .hash = {}, .roles = {}, .names = {}};
    std::string_view rest = line.substr(colon + 1);
    const bool token = rest.starts_with(token_mark);
    if (token) rest.remove_prefix(token_mark.size());
    const std::size_t roles = rest.find(':');
    if (roles != std::string_view::npos) {
      const std::string_view more = rest.substr(roles + 1);
      const std::size_t names = more.find(':');
      account.roles = split(more.substr(0, names), ',');
      if (names != std::string_view::npos) account.names = split(more.substr(names + 1), ',');
      for (const std::string& name : account.names)
        if (const auto pattern = x509::NamePattern::parse(name); !pattern)
          return wrong(pattern.error().detail);
    }
    const std::string_view secret = rest.substr(0, roles);
    if (token) {
      const auto digest = from_hex(secret);
      Fingerprint key{};
      if (!digest || digest->size() != key.size()) return wrong("sha256: wants 64 hexadecimal digits");
      std::ranges::copy(*digest, key.begin());
      if (!accounts.tokens_.emplace(key, std::move(account)).second) return wrong("the same token again");
      continue;
    }
    if (!secret.starts_with("$7$") && !secret.starts_with("$y$"))
      return wrong("no scrypt or yescrypt hash, and no sha256: either; hanaper accounts line makes one");
    account.hash = secret;
    accounts.hashes_.emplace_back(secret);
    std::string name = account.name;
    if (!accounts.passwords_.emplace(std::move(name), std::move(account)).second)
      return wrong("the same name again");
  }
  return accounts;
}

Result<Identity> Accounts::by_password(const std::string& name, const Secret& password) const {
  const bool right = fits(password, hash_for(name));
  const auto found = passwords_.find(name);
  if (found == passwords_.end() || !right) return unknown("no such name and password");
  return identity_of("password:", found->second);
}

std::string_view Accounts::hash_for(std::string_view name) const {
  if (const auto found = passwords_.find(name); found != passwords_.end()) return found->second.hash;
  if (hashes_.empty()) return nobodys_hash;
  const Fingerprint mac = crypto::hmac_sha256(secret_, as_bytes(name));
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < 8; ++i) number = number << 8 | mac[i];
  return hashes_[number % hashes_.size()];
}

Result<Identity> Accounts::by_token(std::string_view token) const {
  const auto found = tokens_.find(crypto::sha256(as_bytes(token)));
  if (found == tokens_.end()) return unknown("no such token");
  return identity_of("token:", found->second);
}

Result<BasicCredentials> parse_basic(std::string_view field) {
  constexpr std::string_view scheme = "Basic ";
  if (field.size() < scheme.size() || !Request::same_name(field.substr(0, scheme.size()), scheme))
    return malformed("no Basic credentials");
  field.remove_prefix(scheme.size());
  HANAPER_TRY(Bytes octets, base64::decode(field));
  const std::string_view text = as_text(octets);
  const std::size_t colon = text.find(':');
  const bool good = colon != std::string_view::npos && text.find('\0') == std::string_view::npos &&
                    text.size() - colon - 1 <= max_password;
  BasicCredentials credentials;
  if (good) {
    credentials.name = text.substr(0, colon);
    credentials.password = Secret(std::string(text.substr(colon + 1)));
  }
  crypto::wipe(octets);
  if (!good) return malformed("no Basic credentials");
  return credentials;
}

std::string_view parse_bearer(std::string_view field) {
  constexpr std::string_view scheme = "Bearer ";
  if (field.size() < scheme.size() || !Request::same_name(field.substr(0, scheme.size()), scheme)) return {};
  return field.substr(scheme.size());
}

}  // namespace hanaper::accounts
