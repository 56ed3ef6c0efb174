// Accounts in a file: who may ask, and what shows that it is he.
#pragma once

#include <hanaper/stages.hpp>

#include <map>

namespace hanaper::accounts {

struct Account {
  std::string name;
  std::string hash;  // crypt(5): scrypt or yescrypt; empty for a token
  std::vector<std::string> roles;
  std::vector<std::string> names;  // patterns of what it may ask for
};

// What one reading of the file gave. Immutable.
class Accounts {
 public:
  // Lines of name:secret[:role,role[:name,name]]; the secret is a crypt(5) hash ($7$ or $y$) or "sha256:" and
  // the hexadecimal digest of a token. Empty lines and those with '#' in front are skipped. At most 100,000
  // lines. malformed with the number of the line.
  static Result<Accounts> parse(std::string_view text);

  bool has_tokens() const noexcept { return !tokens_.empty(); }
  bool has_passwords() const noexcept { return !passwords_.empty(); }
  bool has_password(std::string_view name) const { return passwords_.find(name) != passwords_.end(); }

  // [worker] The account of that name and password. A name that is not there takes the time of one that is,
  // and always of the same one. unauthenticated.
  Result<Identity> by_password(const std::string& name, const Secret& password) const;
  // [any] The hash that a password for that name is compared with: its own, or for a name that is not there
  // one of the file's, which costs as much and is always the same.
  std::string_view hash_for(std::string_view name) const;
  // [any] unauthenticated.
  Result<Identity> by_token(std::string_view token) const;

 private:
  Fingerprint secret_{};             // chooses stand-ins
  std::vector<std::string> hashes_;  // of all passwords
  std::map<std::string, Account, std::less<>> passwords_;
  std::map<Fingerprint, Account> tokens_;
};

// Name and password of an Authorization field (RFC 7617); malformed when it is none.
struct BasicCredentials {
  std::string name;
  Secret password;
};
Result<BasicCredentials> parse_basic(std::string_view field);
// The token of an Authorization field (RFC 6750 2.1), empty when it is none.
std::string_view parse_bearer(std::string_view field);

}  // namespace hanaper::accounts
