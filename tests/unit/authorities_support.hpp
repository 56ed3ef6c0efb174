// A node with authorities that serves nothing, and authorities of somebody else.
#pragma once

#include "node_support.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/certificate_template.hpp>
#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/public_key.hpp>

#include <functional>

namespace hanaper::test {

inline std::string authority(const std::string& name, const std::string& settings = {}) {
  return "[authority." + name + "]\nsubject = \"CN=" + name + "\"\n" +
         (settings.find("key = ") == std::string::npos ? "key = \"soft:" + name + "\"\n" : "") + settings +
         "\n[pipeline." + name + "]\nauthority = \"" + name + "\"\nprofiles = [\"web\"]\n";
}

class AuthorityNode : public NodeFixture {
 protected:
  // A node that is started and serves nothing; empty, or why it does not start.
  std::string open(const std::string& authorities) {
    node_.reset();
    node_ = std::make_unique<Node>(model(R"([node]
state = "state"
[storage.main]
plugin = "sqlite"
[keys.soft]
plugin = "softtoken"
pin = { file = "pin" }
[profile.web]
lifetime = "90d"
)" + authorities),
                                   catalog_, logger_);
    for (const std::string& line : node_->configure()) return line;
    const Status started = node_->start();
    return started ? "" : started.error().detail;
  }
  // "NAME: what became of it", or the one line that says why not.
  std::vector<std::string> init() {
    const auto outcomes = node_->init();
    if (!outcomes) return {outcomes.error().detail};
    std::vector<std::string> lines;
    for (const auto& [name, text] : *outcomes) lines.push_back(name + ": " + text);
    return lines;
  }
  Bytes certificate_of(const std::string& name) {
    const auto found = node_->authorities().find(name);
    return found ? found->certificate() : Bytes{};
  }
  static void expect_lines(const std::vector<std::string>& lines, const std::vector<std::string>& begins) {
    std::string all;
    for (const std::string& line : lines) all += line + "\n";
    ASSERT_EQ(lines.size(), begins.size()) << all;
    for (std::size_t i = 0; i < lines.size(); ++i)
      EXPECT_TRUE(lines[i].starts_with(begins[i])) << lines[i] << "\nwanted: " << begins[i];
  }
};

// An authority of somebody else, and the certificates that it makes, right or wrong.
struct Outside {
  struct Form {
    Bytes spki;
    std::string subject;
    std::string issuer = "outside";
    Bytes subject_name = {}, issuer_name = {};  // DER; instead of the two above
    Key* signer = nullptr;
    std::optional<bool> ca = true;  // none: without basicConstraints
    std::uint16_t usage = x509::key_cert_sign | x509::crl_sign;
    std::chrono::hours lifetime = std::chrono::days{1000};
  };

  static Bytes name_or(const Bytes& name, const std::string& common_name) {
    return name.empty() ? x509::encode_name({{"2.5.4.3", common_name}}) : name;
  }

  static Bytes certify(const Form& form) {
    x509::CertificateTemplate::Fixed fixed;
    fixed.issuer = name_or(form.issuer_name, form.issuer);
    if (form.ca)
      fixed.extensions.push_back(
          {to_bytes(oid::basic_constraints), true, x509::basic_constraints(*form.ca, std::nullopt)});
    const Bytes subject = name_or(form.subject_name, form.subject);
    const auto identifier = x509::key_identifier(*x509::parse_public_key(form.spki));
    const Time now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    der::Writer writer;
    x509::CertificateTemplate(fixed).render({.serial = *Serial::from_text("0123"),
                                             .not_before = now - std::chrono::days{100},
                                             .not_after = now + form.lifetime,
                                             .subject = subject,
                                             .spki = form.spki,
                                             .key_identifier = identifier,
                                             .key_usage = form.usage,
                                             .names = {},
                                             .extensions = {}},
                                            writer);
    const Bytes tbs = writer.bytes();
    return x509::assemble_certificate(tbs, *form.signer->sign(SignatureScheme::ecdsa_sha256, tbs));
  }

  static std::shared_ptr<crypto::SoftKey> new_key() {
    return *crypto::SoftKey::generate({KeyType::ec_p256, 0});
  }

  std::shared_ptr<crypto::SoftKey> key = new_key(), middle_key = new_key(), other_key = new_key();
  Bytes root = certify({.spki = to_bytes(key->spki()), .subject = "outside", .signer = key.get()});
  Bytes middle = certify({.spki = to_bytes(middle_key->spki()), .subject = "middle", .signer = key.get()});
};

inline std::string pem_of(const std::vector<Bytes>& certificates) {
  std::string text;
  for (const Bytes& certificate : certificates) text += pem::encode("CERTIFICATE", certificate);
  return text;
}

}  // namespace hanaper::test
