// Patterns of names, as operators write them where they say who may have which.
#pragma once

#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/extensions.hpp>
#include <hanaper/toolkit/name.hpp>

#include <optional>

namespace hanaper::x509 {

// One pattern. Immutable.
//   host.example.test   that name
//   *                   every name of a single label
//   *.example.test      every name one label below, and the wildcard name itself
//   host.*              that host in whatever domain
//   .example.test       every name below, at any depth, wildcard names among them
//   192.0.2.0/24        addresses of that range
//   @example.test       mail addresses of that host
//   permanent-identifier:C02XK1   that device; likewise hardware-module:
//   permanent-identifier:C02*     devices whose names begin so
//   user-principal-name:joe@example.test   that account; @example.test all of that domain
//   O=Example, OU=Lab*  that attribute of the subject, or those that begin so
class NamePattern {
 public:
  // malformed
  static Result<NamePattern> parse(std::string_view text);

  bool covers(const Identifier& name) const;
  // A wildcard name stands for names that an exact pattern means.
  bool hit_by_wildcard(const Identifier& name) const;

  bool is_of_subject() const noexcept { return attribute_.has_value(); }
  bool covers(const NameAttribute& attribute) const;

  const std::string& text() const noexcept { return text_; }

 private:
  enum class Depth : std::uint8_t { none, single, one, any, host };
  bool covers_whole(std::string_view value) const;

  std::string text_;
  std::string base_;
  Depth depth_ = Depth::none;
  std::optional<Subtree> subtree_;
  std::optional<Identifier::Kind> whole_;  // names of a kind that are compared as they stand
  std::optional<std::string> attribute_;   // of the subject: its dotted object identifier
};

// Whether a request asks for nothing but what patterns cover: its names, and of its subject common name, user
// id and mail address, as names or, where the subject is taken over, as attributes. forbidden says what is
// not covered.
Status check_bound(const CsrView& request, std::span<const std::string> patterns, bool subject_taken_over);

// What the name of an account says that it may ask for: the host of that name, in whatever domain where it
// has none, or the address, the mailbox; and a common name and user id like it.
std::vector<std::string> patterns_of_account(std::string_view name);

}  // namespace hanaper::x509
