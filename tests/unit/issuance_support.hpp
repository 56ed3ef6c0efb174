// A pipeline with an authority, over a storage in memory and a key that does as the test says.
#pragma once

#include "issuance/pipeline.hpp"
#include "writer_support.hpp"

#include <hanaper/toolkit/csr_builder.hpp>
#include <hanaper/toolkit/oids.hpp>

namespace hanaper::test {

using Kind = Identifier::Kind;

inline std::shared_ptr<crypto::SoftKey> new_key(KeySpec spec = {KeyType::ec_p256, 0}) {
  return *crypto::SoftKey::generate(spec);
}

// Signs as its inner key does, unless told otherwise; counts.
class DirectedKey final : public Key {
 public:
  KeySpec spec() const noexcept override { return inner_->spec(); }
  ByteView spki() const noexcept override { return inner_->spki(); }
  Result<Bytes> sign(SignatureScheme scheme, ByteView message) override {
    ++asked;
    if (before_signing)
      if (Status decided = before_signing(message); !decided) return decided.error();
    return inner_->sign(scheme, message);
  }
  Result<Bytes> sign_digest(SignatureScheme, ByteView) override { return unsupported("not here"); }
  Result<Secret> decrypt(ByteView) override { return unsupported("not here"); }

  std::atomic<int> asked{0};
  std::function<Status(ByteView)> before_signing;  // may refuse, may throw

 private:
  const std::shared_ptr<crypto::SoftKey> inner_ = new_key();
};

// Gives out what the test put in, then counts on by itself.
class ListedSerials final : public issuance::SerialSource {
 public:
  Result<Serial> draw(Deadline) override {
    const std::lock_guard lock(mutex_);
    ++drawn;
    if (failure) return *failure;
    if (next.empty()) return Serial::from_text(to_hex(as_bytes("serial " + std::to_string(++count_))));
    const std::string text = next.front();
    next.erase(next.begin());
    return Serial::from_text(text);
  }
  State state() const override { return {"listed", {}, {}, {}}; }

  std::vector<std::string> next;
  std::optional<Error> failure;
  int drawn = 0;

 private:
  std::mutex mutex_;
  int count_ = 0;
};

class DirectedPolicy final : public Policy {
 public:
  Status configure(const Settings&, Host&) override { return {}; }
  Status decide(Draft& draft, Call&) override { return decision ? decision(draft) : Status{}; }
  std::function<Status(Draft&)> decision;
};

class DirectedValidator final : public Validator {
 public:
  Status configure(const Settings&, Host&) override { return {}; }
  Status validate(const Draft& draft, Call&) override { return judgement ? judgement(draft) : Status{}; }
  std::function<Status(const Draft&)> judgement;
};

inline Bytes extended_usage(std::string_view name) { return *x509::parse_extended_usage_name(name); }

// What the tests of admission and task begin with; each changes what it is about.
struct Plan {
  config::AuthorityConfig authority;
  config::ProfileConfig profile;
  issuance::StatusPlan status;
  std::vector<x509::Extension> of_the_authority;  // in its own certificate
  std::chrono::hours authority_lifetime = std::chrono::days{3650};
  std::chrono::minutes authority_age = std::chrono::hours{1};

  Plan() {
    authority.name = "issuing";
    authority.keys = "soft";
    authority.label = "issuing";
    authority.subject = {{std::string(x509::common_name_oid), "Test Issuing CA"}};
    authority.key_position = "pki.toml:1:1";
    profile.name = "web";
    profile.lifetime = std::chrono::days{90};
    profile.backdate = std::chrono::minutes{5};
    profile.key_types = {{KeyType::ec_p256, 0}, {KeyType::ec_p384, 0}, {KeyType::rsa, 2048}};
    profile.extended_usages = {extended_usage("server-auth")};
    profile.names = {Kind::dns, Kind::ip};
    profile.max_names = 5;
  }
};

inline AuthorityRow self_signed(const Plan& plan, Key& key, Time now) {
  x509::CertificateTemplate::Fixed fixed;
  fixed.issuer = x509::encode_name(plan.authority.subject);
  fixed.extensions = plan.of_the_authority;
  fixed.extensions.push_back(
      {to_bytes(oid::basic_constraints), true, x509::basic_constraints(true, std::nullopt)});
  const auto identifier = x509::key_identifier(*x509::parse_public_key(key.spki()));
  der::Writer writer;
  x509::CertificateTemplate(fixed).render({.serial = *Serial::from_text("01"),
                                           .not_before = now - plan.authority_age,
                                           .not_after = now + plan.authority_lifetime,
                                           .subject = fixed.issuer,
                                           .spki = key.spki(),
                                           .key_identifier = identifier,
                                           .key_usage = x509::key_cert_sign,
                                           .names = {},
                                           .extensions = {}},
                                          writer);
  const Bytes tbs = writer.bytes();
  return {.id = 1,
          .name = plan.authority.name,
          .key = "soft:issuing",
          .certificate = x509::assemble_certificate(tbs, *key.sign(SignatureScheme::ecdsa_sha256, tbs)),
          .chain = {}};
}

inline Bytes request_for(Key& key, std::vector<Identifier> names, x509::Name subject = {},
                         std::vector<x509::Extension> extensions = {}) {
  x509::CsrContent content;
  content.subject = std::move(subject);
  content.names = std::move(names);
  content.extensions = std::move(extensions);
  return *x509::build_csr(key, content);
}

// Writer, signers and pipeline, running; the pipeline is wired with what `plan` says.
class IssuanceFixture : public WriterFixture {
 protected:
  void open(const Plan& plan = {}) {
    start();
    authority_ = *issuance::Authority::assemble(plan.authority, self_signed(plan, *key_, clock_.now()), key_,
                                                serials_, plan.status);
    key_->asked = 0;
    auto wiring = std::make_shared<issuance::Wiring>();
    wiring->authority = authority_;
    wiring->profiles = {std::make_shared<issuance::Profile>(plan.profile, authority_)};
    wiring->policies = {{"policy", &policy_}};
    wiring->validators = {{"validator", &validator_}};
    pipeline_.wire(std::move(wiring));
  }

  Result<Issued> issue(const Bytes& csr) { return issue(request(csr)); }
  Result<Issued> issue(const IssueRequest& request) {
    Call call{"call-1", soon()};
    return pipeline_.issue(request, call);
  }
  static IssueRequest request(const Bytes& csr) {
    IssueRequest request;
    request.requester = "test:somebody";
    request.csr = csr;
    return request;
  }

  std::vector<CertificateRow> ledger() {
    CertificateQuery everything;
    everything.limit = 1000;
    return *storage_.memory.search(everything);
  }
  std::string audit_text() {
    std::string text;
    for (const AuditPage& page : audit()) text += page.text;
    return text;
  }
  std::uint64_t count(std::string_view name) {
    return metrics_.counter(name, "", {{"pipeline", "web"}}).value();
  }

  std::shared_ptr<DirectedKey> key_ = std::make_shared<DirectedKey>();
  std::shared_ptr<ListedSerials> serials_ = std::make_shared<ListedSerials>();
  DirectedPolicy policy_;
  DirectedValidator validator_;
  issuance::BlockedKeys blocked_;
  std::shared_ptr<issuance::Authority> authority_;
  issuance::Signers signers_{2, 8, std::chrono::milliseconds{0}};
  issuance::Requests requests_{storage_, writer_, clock_};
  issuance::Pipeline pipeline_{
      "web", {storage_.memory, writer_, signers_, blocked_, requests_, clock_, log_, metrics_}};
};

}  // namespace hanaper::test
