// Whether a request is for what a certificate has already: renewals (RFC 7030 4.2.2, RFC 8894 3.3.1.2).
#pragma once

#include <hanaper/toolkit/certificate.hpp>

namespace hanaper::x509 {

// RFC 5280 7.1 without folding of case: the same attributes with the same text, in whatever string type.
// Whole Names.
bool same_subject(ByteView a, ByteView b);

// What a request wants to be certified, sorted: the names of subjectAltName and those that clients may read
// out of its subject (subject_names). Nothing where there is a name of a kind that we do not know.
std::optional<std::vector<Identifier>> alternative_names(const CsrView& request);

// Whether both have the same names in subjectAltName, in whatever order, as alternative_names tells. Where
// there is a name of a kind that we do not know, the extensions have to be the same octet by octet.
bool same_alternative_names(const CsrView& request, const TbsView& certificate);

}  // namespace hanaper::x509
