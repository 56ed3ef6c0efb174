// Who in a configuration needs which key of a provider. OCSP responders have keys of their own in memory, and
// CRLs are signed with their authority's.
#pragma once

#include "model.hpp"

namespace hanaper::config {

struct KeyUse {
  std::string keys, label;  // instance, and label in it
  std::string kind, name;   // of the table that names it: "authority", "issuing"
  std::string key;          // in that table: "key" or "registrar"

  // As people call the user: `registrar of authority "issuing"`.
  std::string text() const {
    return (key == "registrar" ? "registrar of " : "") + kind + " \"" + name + "\"";
  }
};

// In the order of kinds, names and keys.
std::vector<KeyUse> key_uses(const Model& model);

// Another use of a key that is an authority's: what it signs would be signed in the authority's name.
struct KeyClash {
  KeyUse use;
  std::string authority;
};
std::vector<KeyClash> key_clashes(const Model& model);

}  // namespace hanaper::config
