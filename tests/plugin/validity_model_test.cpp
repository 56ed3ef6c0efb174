// Random histories of certificates against a small model: complete CRLs, deltas and OCSP tell the same story.
#include "ocsp_support.hpp"
#include "validity_support.hpp"

#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/public_key.hpp>
#include <list.hpp>
#include <service.hpp>

#include <filesystem>
#include <map>
#include <random>

namespace hanaper::test {
namespace {

using Reason = RevocationReason;

struct Known {
  Serial serial;
  std::uint32_t shard = 0;
  Time not_after;
  std::optional<Reason> revoked;
};

class ValidityModel : public ::testing::TestWithParam<unsigned> {
 protected:
  ValidityModel() : service_({.lifetime = std::chrono::hours{6}, .cache = 1000}, host_, {&authority_}) {
    std::string pattern = (std::filesystem::temp_directory_path() / "hanaper-model-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    options_ = {
        .every = std::chrono::days{1}, .overlap = std::chrono::days{1}, .delta = std::chrono::hours{1}};
    add_shard();
  }
  ~ValidityModel() override {
    std::error_code ec;
    std::filesystem::remove_all(folder_, ec);
  }

  struct Shard {
    std::unique_ptr<crl::List> complete, delta;
  };
  void add_shard() {
    const auto number = static_cast<std::uint32_t>(shards_.size());
    const auto list = [&](crl::List* complete) {
      return std::make_unique<crl::List>(
          options_, host_, authority_, number, complete,
          crl::List::Place{folder_ + "/" + std::to_string(number) + (complete ? "d" : "c"), "", ""});
    };
    auto complete = list(nullptr);
    auto delta = list(complete.get());
    shards_.push_back({std::move(complete), std::move(delta)});
    make(*shards_.back().complete);
  }

  void make(crl::List& list) {
    Call call = fakes::test_call();
    const auto made = list.make(call);
    ASSERT_TRUE(made) << made.error().detail;
    EXPECT_GT(made->number, numbers_[list.shard()]) << "numbers rise";
    numbers_[list.shard()] = made->number;
  }

  static std::map<std::string, Reason> entries(const crl::List& list) {
    std::map<std::string, Reason> all;
    const Bytes der = *list.current()->der();
    const unsigned char* data = der.data();
    const CrlPointer crl(d2i_X509_CRL(nullptr, &data, static_cast<long>(der.size())));
    const auto* revoked = X509_CRL_get_REVOKED(crl.get());
    for (int i = 0; i < sk_X509_REVOKED_num(revoked); ++i) {
      X509_REVOKED* entry = sk_X509_REVOKED_value(revoked, i);
      const ASN1_INTEGER* serial = X509_REVOKED_get0_serialNumber(entry);
      auto* reason =
          static_cast<ASN1_ENUMERATED*>(X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, nullptr, nullptr));
      all[to_hex({ASN1_STRING_get0_data(serial), static_cast<std::size_t>(ASN1_STRING_length(serial))})] =
          reason ? static_cast<Reason>(ASN1_ENUMERATED_get(reason)) : Reason::unspecified;
      ASN1_ENUMERATED_free(reason);
    }
    return all;
  }

  // What a client knows that has the complete CRL and its delta (RFC 5280 5.2.4).
  static std::map<std::string, Reason> together(const Shard& shard) {
    std::map<std::string, Reason> all = entries(*shard.complete);
    for (const auto& [serial, reason] : entries(*shard.delta)) {
      if (reason == Reason::remove_from_crl)
        all.erase(serial);
      else
        all[serial] = reason;
    }
    return all;
  }

  int ocsp(const Serial& serial) {
    const auto view = *x509::parse_certificate(authority_.certificate());
    RequestParts parts;
    parts.name_hash = crypto::digest(crypto::Hash::sha1, view.subject);
    parts.key_hash = crypto::digest(crypto::Hash::sha1, x509::parse_public_key(view.spki)->key_bits);
    parts.serial = to_bytes(serial.octets());
    const Asked asked(Method::post, "", make_request(parts));
    Call call = fakes::test_call();
    const std::string body = service_.handle(asked.request, call).body;
    const auto* data = reinterpret_cast<const unsigned char*>(body.data());
    const ResponsePointer response(d2i_OCSP_RESPONSE(nullptr, &data, static_cast<long>(body.size())));
    const BasicPointer basic(OCSP_response_get1_basic(response.get()));
    return OCSP_single_get0_status(OCSP_resp_get0(basic.get(), 0), nullptr, nullptr, nullptr, nullptr);
  }

  Known* pick(const std::function<bool(const Known&)>& wanted) {
    std::vector<Known*> fitting;
    for (Known& known : certificates_)
      if (known.not_after > host_.manual_clock.now() && wanted(known)) fitting.push_back(&known);
    return fitting.empty() ? nullptr : fitting[random_() % fitting.size()];
  }

  void issue() {
    const auto shard = static_cast<std::uint32_t>(random_() % shards_.size());
    const auto life = std::chrono::days{1 + random_() % 20};
    const Serial serial = authority_.add(++issued_, true, shard, life);
    certificates_.push_back({serial, shard, host_.manual_clock.now() + life, std::nullopt});
  }
  void change(Known* known, Reason reason) {
    if (known == nullptr) return;
    authority_.revoke(known->serial, reason);
    known->revoked = reason == Reason::remove_from_crl ? std::nullopt : std::optional(reason);
  }

  void step() {
    constexpr Reason final_reasons[] = {Reason::unspecified, Reason::key_compromise, Reason::superseded};
    switch (random_() % 12) {
      case 0:
      case 1:
      case 2:
      case 3:
        return issue();
      case 4:
      case 5:
        return change(pick([](const Known& k) { return !k.revoked; }), Reason::certificate_hold);
      case 6:
        return change(pick([](const Known& k) { return k.revoked == Reason::certificate_hold; }),
                      Reason::remove_from_crl);
      case 7:
      case 8:
        return change(
            pick([](const Known& k) { return !k.revoked || k.revoked == Reason::certificate_hold; }),
            final_reasons[random_() % 3]);
      case 9:
        return host_.manual_clock.advance(std::chrono::minutes{1 + random_() % 3000});
      case 10:
        if (shards_.size() < 4) add_shard();
        return;
      default:
        for (Shard& shard : shards_) make(*shard.complete);
    }
  }

  void compare() {
    for (Shard& shard : shards_) make(*shard.delta);
    // A complete one of this moment has what the last one and the delta have together, but for what a delta
    // says of certificates that have expired.
    if (random_() % 3 == 0)
      for (Shard& shard : shards_) {
        const auto told = together(shard);
        make(*shard.complete);
        const auto whole = entries(*shard.complete);
        for (const auto& [serial, reason] : whole) EXPECT_EQ(told.at(serial), reason) << serial;
        EXPECT_LE(whole.size(), told.size());
        make(*shard.delta);
      }
    const Time now = host_.manual_clock.now();
    for (const Known& known : certificates_) {
      if (known.not_after <= now) continue;
      const auto listed = together(shards_[known.shard]);
      const auto found = listed.find(known.serial.hex());
      const std::optional<Reason> reason =
          found == listed.end() ? std::nullopt : std::optional(found->second);
      EXPECT_EQ(reason, known.revoked) << known.serial.hex();
      EXPECT_EQ(ocsp(known.serial), known.revoked ? V_OCSP_CERTSTATUS_REVOKED : V_OCSP_CERTSTATUS_GOOD)
          << known.serial.hex();
    }
  }

  std::mt19937 random_{GetParam()};
  fakes::FakeHost host_;
  fakes::FakeAuthority& authority_ = host_.authority("issuing");
  std::string folder_;
  crl::Options options_;
  std::vector<Shard> shards_;
  std::map<std::uint32_t, std::uint64_t> numbers_;
  std::vector<Known> certificates_;
  std::uint64_t issued_ = 1000;
  ocsp::Service service_;
};

TEST_P(ValidityModel, CompleteListsDeltasAndOcspAgreeAfterEveryStep) {
  ASSERT_TRUE(service_.start());
  for (int i = 0; i < 60; ++i) {
    step();
    compare();
    ASSERT_FALSE(HasFailure()) << "after step " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Histories, ValidityModel, ::testing::Values(1u, 2u, 3u, 4u, 5u),
                         [](const auto& test) { return "From" + std::to_string(test.param); });

}  // namespace
}  // namespace hanaper::test
