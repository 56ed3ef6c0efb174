// Whether the value of an extension has the structure its ASN.1 module gives it.
//
// Sizes, ranges and contents are for the rules: an empty list or a name that is no name passes here. Pure
// functions; callable from any thread.
#pragma once

#include "subject.hpp"

namespace hanaper::lint {

// malformed says what is wrong and at which octet of the part.
Status check_syntax(Ext ext, ByteView value);

}  // namespace hanaper::lint
