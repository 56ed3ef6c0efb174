#include "key_uses.hpp"

namespace hanaper::config {

std::vector<KeyUse> key_uses(const Model& model) {
  std::vector<KeyUse> uses;
  for (const auto& [name, authority] : model.authorities) {
    if (!authority.keys.empty()) uses.push_back({authority.keys, authority.label, "authority", name, "key"});
    if (!authority.registrar_keys.empty())
      uses.push_back({authority.registrar_keys, authority.registrar_label, "authority", name, "registrar"});
  }
  for (const auto& [name, listener] : model.listeners)
    if (!listener.keys.empty()) uses.push_back({listener.keys, listener.label, "listener", name, "key"});
  return uses;
}

}  // namespace hanaper::config
