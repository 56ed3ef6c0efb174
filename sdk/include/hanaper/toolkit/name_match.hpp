// Whether two distinguished names are the same one, whatever string types their authors have chosen (RFC 5280
// 7.1). What an authority signs always has the octets of its own certificate; this is for what others wrote.
#pragma once

#include <hanaper/toolkit/name.hpp>

namespace hanaper::x509 {

// Whole Names, DER. Values in UTF8String and PrintableString are compared by their characters, without regard
// to case and to how many blanks there are; values of other types by their octets, but for case in domain
// components (7.3). What cannot be read is the same as its own octets.
bool same_name(ByteView a, ByteView b);

// Whether somebody who wrote `text` has meant that Name, DER. A text has no string types: values of all that
// can be read are compared by their characters.
bool is_name_of(const Name& text, ByteView der);

}  // namespace hanaper::x509
