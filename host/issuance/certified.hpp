// What is certified is what was checked: the last look at a certificate before it is promised.
#pragma once

#include "steps.hpp"

namespace hanaper::issuance {

// Reads the to-be-signed octets again and compares them with everything that was checked: subject, names,
// validity, key, purposes, and each extension. internal, naming what differs; nothing of it may be signed.
Status check_certified(const Work& work);

// Whether all that a client may read out of a subject is among the names: a host or a mailbox that nobody has
// checked is none of them. rejected.
Status check_subject_names(const x509::Name& subject, const std::vector<Identifier>& names,
                           const config::ProfileConfig& profile);

// Whether TLS clients may accept its certificates for a server.
bool is_for_servers(const config::ProfileConfig& profile);

// Whether the text is the one by which a device among the names is known.
bool is_text_of_device(std::string_view text, const std::vector<Identifier>& names);

}  // namespace hanaper::issuance
