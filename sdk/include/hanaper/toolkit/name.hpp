// Distinguished names (RFC 5280 4.1.2.4): text form of RFC 4514, DER form, and between them a list of
// attributes in DER order, most significant first. Attributes of one relative distinguished name follow each
// other, sorted, all but the first of them joined.
#pragma once

#include <hanaper/stages.hpp>
#include <hanaper/toolkit/der.hpp>

#include <functional>

namespace hanaper::x509 {

using Name = std::vector<NameAttribute>;

// "CN=Example Issuing CA 1+serialNumber=1,O=Example": RFC 4514, last attribute most significant; types by
// their names or as dotted numbers. malformed for other types and for values beyond the upper bounds of
// RFC 5280 appendix A.
Result<Name> parse_name_text(std::string_view text);
// The RFC 4514 text; attributes without a short name as dotted numbers.
std::string name_text(const Name& name);

// RDNSequence to attributes. malformed for an attribute type twice in one set (X.501 9.3), and for string
// types or octets that cannot be turned into UTF-8.
Result<Name> parse_name(ByteView der);
// UTF8String, but PrintableString and IA5String where RFC 5280 appendix A demands them.
Bytes encode_name(const Name& name);

// Whether a value may stand under that attribute type: not empty, UTF-8 without control characters, within
// its upper bound. malformed says what is wrong.
Status check_attribute(const NameAttribute& attribute);

// Leaves out the attributes of which `unwanted` says so, and the others where they stood.
void remove_attributes(Name& name, const std::function<bool(const NameAttribute&)>& unwanted);

// The first value of that type, or empty.
std::string_view attribute(const Name& name, std::string_view dotted_oid);

inline constexpr std::string_view common_name_oid = "2.5.4.3";

}  // namespace hanaper::x509
