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

std::vector<KeyClash> key_clashes(const Model& model) {
  std::vector<KeyClash> clashes;
  std::map<std::pair<std::string, std::string>, std::string> owners;  // authorities by their key
  const std::vector<KeyUse> uses = key_uses(model);
  for (const KeyUse& use : uses) {
    if (use.kind != "authority" || use.key != "key") continue;
    const auto [owner, fresh] = owners.emplace(std::pair(use.keys, use.label), use.name);
    if (!fresh) clashes.push_back({use, owner->second});
  }
  for (const KeyUse& use : uses) {
    if (use.kind == "authority" && use.key == "key") continue;
    if (const auto owner = owners.find({use.keys, use.label}); owner != owners.end())
      clashes.push_back({use, owner->second});
  }
  return clashes;
}

}  // namespace hanaper::config
