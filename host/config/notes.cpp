#include "notes.hpp"

#include <hanaper/toolkit/oids.hpp>

#include <algorithm>

namespace hanaper::config {
namespace {

bool asks_for_certificates(const Model& model, const InstanceConfig& protocol) {
  const auto listener = model.listeners.find(protocol.listener);
  return listener != model.listeners.end() &&
         listener->second.client_certificates != ClientCertificates::none;
}

// RFC 5280 4.2.1.12: who has other purposes alone is no TLS client.
bool gives_clients(const ProfileConfig& profile) {
  const auto is = [](const std::vector<Bytes>& oids, ByteView wanted) {
    return std::ranges::any_of(oids, [&](const Bytes& oid) { return equal(oid, wanted); });
  };
  return profile.extended_usages.empty() || is(profile.extended_usages, oid::client_auth) ||
         is(profile.extended_usages, oid::any_extended_key_usage);
}

// An authenticator of the pipeline that takes certificates of its authority; null: there is none.
const InstanceConfig* takes_own_certificates(const Model& model, const PipelineConfig& pipeline) {
  for (const std::string& name : pipeline.authenticate) {
    const InstanceConfig* authenticator = model.instance("authenticator", name);
    if (authenticator == nullptr) continue;
    const std::vector<std::string> authorities = authenticator->referred("authority");
    if (std::ranges::find(authorities, pipeline.authority) != authorities.end()) return authenticator;
  }
  return nullptr;
}

// Where holders come with their certificates, those of a profile for servers alone cannot.
void note_renewals(const Model& model, const InstanceConfig& protocol, std::vector<std::string>& lines) {
  if (!asks_for_certificates(model, protocol)) return;
  for (const std::string& name : protocol.referred("pipeline")) {
    const auto pipeline = model.pipelines.find(name);
    if (pipeline == model.pipelines.end()) continue;
    const InstanceConfig* authenticator = takes_own_certificates(model, pipeline->second);
    if (authenticator == nullptr) continue;
    for (const std::string& profile_name : pipeline->second.profiles) {
      const auto profile = model.profiles.find(profile_name);
      if (profile == model.profiles.end() || gives_clients(profile->second)) continue;
      lines.push_back(
          "pipeline." + name + ": certificates of profile \"" + profile_name +
          "\" are not for TLS clients, so that they cannot be renewed by themselves through protocol." +
          protocol.name + " (authenticator." + authenticator->name + "); add \"client-auth\" to profile." +
          profile_name + ".usages");
    }
  }
}

// Who may name whomever he likes is bound by no limit that counts by address.
void note_proxies(const ListenerConfig& listener, std::vector<std::string>& lines) {
  const bool all = std::ranges::any_of(listener.proxies, [](const x509::Subtree& range) {
    return range.base[range.base.size() / 2] == 0;  // the first octet of the mask
  });
  if (all)
    lines.push_back("listener." + listener.name +
                    ": proxies has every address, so that whoever connects may say whom he speaks for");
}

}  // namespace

std::vector<std::string> notes(const Model& model) {
  std::vector<std::string> lines;
  for (const InstanceConfig& instance : model.instances)
    if (instance.kind == "protocol") note_renewals(model, instance, lines);
  for (const auto& [name, listener] : model.listeners) note_proxies(listener, lines);
  return lines;
}

}  // namespace hanaper::config
