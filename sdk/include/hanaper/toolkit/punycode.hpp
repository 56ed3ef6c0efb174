// Internationalised names as they stand in certificates (RFC 3492, RFC 5890).
#pragma once

#include <string_view>

namespace hanaper::punycode {

// Whether the rest of an A-label, behind its "xn--", is Punycode (RFC 3492 6.2) of something that is not
// plain ASCII. Letters of either case. Thread-safe.
bool decodes(std::string_view a_label) noexcept;

}  // namespace hanaper::punycode
