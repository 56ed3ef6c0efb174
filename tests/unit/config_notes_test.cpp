// What a configuration hardly means is said by whoever checks it.
#include "config/notes.hpp"

#include <hanaper/toolkit/oids.hpp>

#include <gtest/gtest.h>

#include <functional>

namespace hanaper::config {
namespace {

struct Meant {
  const char* name;
  std::function<void(Model&)> by;
  bool noted = false;
};

// EST as devices use it: who renews shows the certificate that is renewed.
Model devices() {
  Model model;
  model.listeners["public"].client_certificates = ClientCertificates::optional;
  model.profiles["device"].name = "device";
  model.profiles["device"].extended_usages = {to_bytes(oid::server_auth)};
  PipelineConfig& pipeline = model.pipelines["web"];
  pipeline.name = "web";
  pipeline.authority = "issuing";
  pipeline.profiles = {"device"};
  pipeline.authenticate = {"certificates"};
  InstanceConfig& mtls = model.instances.emplace_back();
  mtls.kind = "authenticator";
  mtls.name = "certificates";
  mtls.references = {{"authorities", "authority", "issuing"}};
  InstanceConfig& est = model.instances.emplace_back();
  est.kind = "protocol";
  est.name = "est";
  est.listener = "public";
  est.references = {{"pipeline", "pipeline", "web"}};
  return model;
}

TEST(ConfigNotes, NameProfilesWhoseCertificatesCannotBeRenewedByThemselves) {
  const auto usages = [](std::vector<ByteView> oids) {
    return [oids](Model& model) {
      model.profiles["device"].extended_usages.clear();
      for (ByteView oid : oids) model.profiles["device"].extended_usages.push_back(to_bytes(oid));
    };
  };
  const Meant table[] = {
      {"servers alone", [](Model&) {}, true},
      {"other purposes", usages({oid::code_signing, oid::server_auth}), true},
      {"clients too", usages({oid::server_auth, oid::client_auth})},
      {"any purpose", usages({oid::any_extended_key_usage})},
      {"no purpose, which is every", usages({})},
      {"a listener that asks for no certificates",
       [](Model& model) { model.listeners["public"].client_certificates = ClientCertificates::none; }},
      {"nobody who knows certificates", [](Model& model) { model.pipelines["web"].authenticate.clear(); }},
      {"one who knows those of others alone",
       [](Model& model) { model.instances.front().references.clear(); }},
      {"another authority", [](Model& model) { model.pipelines["web"].authority = "root"; }},
  };
  for (const Meant& test : table) {
    Model model = devices();
    test.by(model);
    const std::vector<std::string> lines = notes(model);
    EXPECT_EQ(lines.size(), test.noted ? 1u : 0u) << test.name;
  }
  EXPECT_EQ(
      notes(devices()).front(),
      "pipeline.web: certificates of profile \"device\" are not for TLS clients, so that they cannot be "
      "renewed by themselves through protocol.est (authenticator.certificates); add \"client-auth\" to "
      "profile.device.usages");
}

TEST(ConfigNotes, NameListenersThatTrustEverybody) {
  for (const auto& [range, noted] : {std::pair{"0.0.0.0/0", true},
                                     {"::/0", true},
                                     {"128.0.0.0/1", false},
                                     {"10.0.0.0/8", false},
                                     {"2001:db8::/32", false}}) {
    Model model;
    model.listeners["public"].name = "public";
    model.listeners["public"].proxies = {*x509::parse_subtree("192.0.2.11"), *x509::parse_subtree(range)};
    EXPECT_EQ(notes(model),
              noted ? std::vector<std::string>{"listener.public: proxies has every address, so that "
                                               "whoever connects may say whom he speaks for"}
                    : std::vector<std::string>{})
        << range;
  }
}

}  // namespace
}  // namespace hanaper::config
