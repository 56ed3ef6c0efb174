// Key objects on a token: found, described, made, copied. Every function is one visit to one session.
#pragma once

#include "token.hpp"

#include <hanaper/keys.hpp>

#include <optional>

namespace hanaper::pkcs11 {

// What this plugin knows of a private key on a token.
struct KeyObject {
  std::string label;
  Bytes id;  // CKA_ID
  KeySpec spec;
  Bytes spki;              // DER; empty when no public half lies beside the private one
  bool wants_pin = false;  // for each operation (CKA_ALWAYS_AUTHENTICATE)
};

// Keys are named as configurations write them: by their label, or by "id-" and their CKA_ID in hexadecimal.

// Handle of the private key of that name and public key, and what it is; 0 when there is none, CKR_... when
// the token does not answer. Others may bear the name too.
CK_RV find_private(const Token::Session& session, std::string_view label, ByteView spki,
                   CK_OBJECT_HANDLE& handle, KeyObject& key);

// What that private key is; CKR_OK with an empty spki for one that we cannot use.
CK_RV describe(const Token::Session& session, CK_OBJECT_HANDLE object, KeyObject& key);

// Private keys of types this SDK knows, all of them or those of that name.
Result<std::vector<KeyObject>> describe_keys(Token& token, std::string_view label = {});

// not_found; unavailable; unsupported for a key without public half or of a foreign type; conflict for a name
// that two keys bear.
Result<KeyObject> describe_key(Token& token, std::string_view label);
// Whether that very key is among those of the name; `second` says whether others are too. not_found;
// unavailable; conflict when only others are.
Status expect_key(Token& token, std::string_view label, ByteView spki, bool& second);

struct NewKey {
  std::string_view label;
  KeySpec spec;
  bool wrappable = false;  // may leave the token wrapped, for replication
};

class Template;
// A CKA_ID nobody has drawn before.
Bytes new_id();
// conflict when a private key of that name is there, usable or not.
Status refuse_taken(Token& token, std::string_view label);
// What the private half may do, and what may be done to it; the name of either half.
void add_private_duties(Template& target, const NewKey& key);
void add_name(Template& target, std::string_view label, ByteView id);
// An answer of the token that the request brought about, in words: "token hsm-a cannot ...: CKR_...".
Status explain(Token& token, Status status, CK_RV answer, const std::string& what);

// Generates on the token: sensitive, and not extractable unless wrappable. conflict when the name is taken.
Status generate_key(Token& token, const NewKey& key);
// Takes a PKCS#8 PrivateKeyInfo over.
Status import_key(Token& token, const NewKey& key, const Secret& pkcs8);
// Destroys both halves.
Status delete_key(Token& token, std::string_view label);
// Copies from one token to another: wrapped under an AES key that travels under an RSA key of the target.
// forbidden when the key may not leave its token.
Status copy_key(Token& from, Token& to, std::string_view label);

}  // namespace hanaper::pkcs11
