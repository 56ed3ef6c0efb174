// The table of rules: what a certificate must look like before it is signed.
//
// Constant data and pure functions; any number of threads may use them at once.
#pragma once

#include "subject.hpp"

namespace hanaper::lint {

// An error is what an RFC forbids with MUST; a warning is what it advises against, or what is lawful and
// still hardly meant.
enum class Severity : std::uint8_t { warning, error };

constexpr std::string_view to_string(Severity severity) noexcept {
  return severity == Severity::error ? "error" : "warning";
}

// What is wrong, naming the value; nothing when the rule holds or has nothing to say.
using Finding = std::optional<std::string>;

struct Rule {
  std::string_view name;         // kebab-case; stable, because configurations name it
  std::string_view citation;     // "RFC 5280 4.1.2.2"
  Severity severity;             //
  std::string_view description;  // one sentence without full stop: what holds
  Finding (*check)(const Subject& subject);
};

// All rules in the order in which they run. The first of them see certificates that cannot be read, up to
// and with the gate, which lets none of these pass; the others see readable ones only.
std::span<const Rule> rules();
inline constexpr std::string_view gate = "well-formed";

// The rule of that name, or null.
const Rule* find_rule(std::string_view name);
// The name that is spelt most like it.
std::string_view nearest_rule(std::string_view name);

// The parts of the table, by what they are about.
std::span<const Rule> basic_rules();
std::span<const Rule> key_rules();
std::span<const Rule> extension_rules();
std::span<const Rule> subject_rules();
std::span<const Rule> general_name_rules();
std::span<const Rule> mailbox_rules();
std::span<const Rule> usage_rules();
std::span<const Rule> authority_rules();
std::span<const Rule> policy_rules();
std::span<const Rule> pointer_rules();
std::span<const Rule> purpose_rules();

}  // namespace hanaper::lint
