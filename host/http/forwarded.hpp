// Which client a trusted proxy names in the header of a request: Forwarded (RFC 7239) or X-Forwarded-For.
#pragma once

#include <hanaper/http.hpp>
#include <hanaper/toolkit/extensions.hpp>

#include <optional>
#include <span>

namespace hanaper::http {

inline constexpr std::size_t most_forwarded = 32;  // elements that are looked at, from the last one

// Every proxy writes the address of its peer behind what it was given, and the first of them was given
// whatever the client liked. So the list is read from its end: an address that is a proxy's in turn leads
// further back, the first one that is not is the client's. An element that is unreadable or hides its address
// ends the search; the last address before it is the answer. All lines of a field are one list.
//
// Where a request has both fields and they do not agree, one of them may be the client's own work that the
// proxy has passed on, and neither is believed. Nothing where the header names nobody. The address is 4 or 16
// octets; an IPv4-mapped one has 4. Pure.
std::optional<Bytes> forwarded_client(std::span<const HeaderView> headers,
                                      std::span<const x509::Subtree> proxies);

}  // namespace hanaper::http
