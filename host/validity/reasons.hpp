// The reasons of revocations (RFC 5280 5.3.1), by their numbers and by their names.
#pragma once

#include <hanaper/values.hpp>

#include <optional>

namespace hanaper::validity {

inline constexpr RevocationReason reasons[] = {
    RevocationReason::unspecified,         RevocationReason::key_compromise,
    RevocationReason::ca_compromise,       RevocationReason::affiliation_changed,
    RevocationReason::superseded,          RevocationReason::cessation_of_operation,
    RevocationReason::certificate_hold,    RevocationReason::remove_from_crl,
    RevocationReason::privilege_withdrawn, RevocationReason::aa_compromise};

// [any] Nothing for 7, which the RFC leaves out, and whatever else is none.
inline std::optional<RevocationReason> reason_numbered(unsigned number) noexcept {
  for (const RevocationReason reason : reasons)
    if (static_cast<unsigned>(reason) == number) return reason;
  return std::nullopt;
}

// [any] As the RFC spells it: "keyCompromise".
inline std::optional<RevocationReason> reason_named(std::string_view name) noexcept {
  for (const RevocationReason reason : reasons)
    if (to_string(reason) == name) return reason;
  return std::nullopt;
}

}  // namespace hanaper::validity
