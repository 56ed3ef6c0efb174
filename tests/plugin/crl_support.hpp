// What the tests of CRLs share: lists of one authority, read back by OpenSSL.
#pragma once

#include "validity_support.hpp"

#include <generator.hpp>
#include <hanaper/toolkit/files.hpp>
#include <list.hpp>

#include <filesystem>
#include <map>

namespace hanaper::test {

class CrlFixture : public ::testing::Test {
 protected:
  using Reason = RevocationReason;

  CrlFixture() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hanaper-crl-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    options_ = {
        .every = std::chrono::days{1}, .overlap = std::chrono::days{3}, .delta = std::chrono::hours{1}};
    list_ = make_list(false);
  }
  ~CrlFixture() override {
    std::error_code ec;
    std::filesystem::remove_all(folder_, ec);
  }

  std::unique_ptr<crl::List> make_list(bool delta, crl::List::Place place = {}, std::uint32_t shard = 0) {
    if (place.path.empty()) place.path = folder_ + (delta ? "/delta.crl" : "/complete.crl");
    return std::make_unique<crl::List>(options_, host_, authority_, shard, delta ? list_.get() : nullptr,
                                       place);
  }

  static CrlPointer read(const crl::List& list) {
    const auto published = list.current();
    if (!published) return nullptr;
    const Bytes der = *published->der();
    const unsigned char* data = der.data();
    CrlPointer crl(d2i_X509_CRL(nullptr, &data, static_cast<long>(der.size())));
    EXPECT_TRUE(crl);
    EXPECT_EQ(data, der.data() + der.size()) << "octets follow the CRL";
    return crl;
  }

  CrlPointer make(crl::List& list) {
    Call call = fakes::test_call();
    const auto made = list.make(call);
    EXPECT_TRUE(made) << made.error().detail;
    CrlPointer crl = read(list);
    const X509Pointer issuer = read_certificate(authority_.certificate());
    EXPECT_EQ(X509_CRL_verify(crl.get(), X509_get0_pubkey(issuer.get())), 1);
    EXPECT_EQ(X509_NAME_cmp(X509_CRL_get_issuer(crl.get()), X509_get_subject_name(issuer.get())), 0);
    return crl;
  }

  // Serial number to reason; -1 for an entry without.
  static std::map<std::string, int> entries(X509_CRL* crl) {
    std::map<std::string, int> all;
    const auto* list = X509_CRL_get_REVOKED(crl);
    for (int i = 0; i < sk_X509_REVOKED_num(list); ++i) {
      X509_REVOKED* entry = sk_X509_REVOKED_value(list, i);
      const ASN1_INTEGER* serial = X509_REVOKED_get0_serialNumber(entry);
      int critical = 0;
      auto* reason =
          static_cast<ASN1_ENUMERATED*>(X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, &critical, nullptr));
      all[to_hex({ASN1_STRING_get0_data(serial), static_cast<std::size_t>(ASN1_STRING_length(serial))})] =
          reason ? static_cast<int>(ASN1_ENUMERATED_get(reason)) : -1;
      ASN1_ENUMERATED_free(reason);
    }
    return all;
  }

  static std::int64_t integer_of(X509_CRL* crl, int nid) {
    int critical = 0;
    auto* value = static_cast<ASN1_INTEGER*>(X509_CRL_get_ext_d2i(crl, nid, &critical, nullptr));
    const std::int64_t number = value ? ASN1_INTEGER_get(value) : -1;
    ASN1_INTEGER_free(value);
    return number;
  }

  void tend(crl::List& list) {
    Call call = fakes::test_call();
    const Status tended = list.tend(call);
    EXPECT_TRUE(tended) << tended.error().detail;
  }

  std::string folder_;
  fakes::FakeHost host_;
  fakes::FakeAuthority& authority_ = host_.authority("issuing");
  crl::Options options_;
  std::unique_ptr<crl::List> list_;
};

}  // namespace hanaper::test
