// The last look at what was drawn up: whatever was not checked is not signed.
#include "issuance/certified.hpp"

#include "admission_support.hpp"

namespace hanaper::test {
namespace {

// What a template could be given instead of what was checked.
struct Drawn {
  x509::CertificateTemplate::Fixed fixed;
  x509::CertificateTemplate::Filled filled;
  std::vector<Identifier> names;
  x509::Name subject;
  std::vector<x509::Extension> extensions;
};

struct Difference {
  const char* name;
  const char* says;  // "": none
  void (*spoil)(Drawn&);
};
std::ostream& operator<<(std::ostream& out, const Difference& of) { return out << of.name; }

void drop(std::vector<x509::Extension>& list, const der::Oid& oid) {
  std::erase_if(list, [&](const x509::Extension& extension) { return oid == ByteView(extension.oid); });
}

class Certified : public IssuanceFixture, public ::testing::WithParamInterface<Difference> {
 protected:
  Certified() {
    Plan plan;
    plan.profile.honour = {to_bytes(oid::tls_feature)};
    plan.status.urls[0].ocsp = {"http://pki.example.test/ocsp"};
    open(plan);
    profile_ = std::make_unique<issuance::Profile>(plan.profile, authority_);
    work_.profile = profile_.get();
    work_.key = *x509::parse_public_key(key_of_somebody_->spki());
    work_.serial = *Serial::from_text("0102");
    work_.draft.spki = work_.key.spki;
    work_.draft.names = {{Kind::dns, "host.example.test"}, {Kind::ip, "192.0.2.1"}};
    work_.draft.subject = {{std::string(x509::common_name_oid), "host.example.test"}};
    work_.draft.not_before = clock_.now();
    work_.draft.not_after = clock_.now() + std::chrono::days{10};
    work_.purposes.key_usage = x509::digital_signature;
    work_.purposes.extended_usages = plan.profile.extended_usages;
    work_.purposes.extensions = {{to_bytes(oid::tls_feature), false, x509::tls_feature_status_request()}};
  }

  Status drawn_with(void (*spoil)(Drawn&)) {
    const auto identifier = x509::key_identifier(work_.key);
    Drawn drawn;
    drawn.fixed.issuer = to_bytes(authority_->subject());
    drawn.fixed.authority_key_identifier = to_bytes(authority_->key_identifier());
    drawn.fixed.extensions = profile_->fixed_extensions(0);
    drawn.filled = {.serial = work_.serial,
                    .not_before = work_.draft.not_before,
                    .not_after = work_.draft.not_after,
                    .subject = {},
                    .spki = work_.draft.spki,
                    .key_identifier = identifier,
                    .key_usage = work_.purposes.key_usage,
                    .names = {},
                    .extensions = {}};
    drawn.names = work_.draft.names;
    drawn.subject = work_.draft.subject;
    drawn.extensions = work_.purposes.extensions;
    spoil(drawn);
    const Bytes subject = x509::encode_name(drawn.subject);
    drawn.filled.subject = subject;
    drawn.filled.names = drawn.names;
    drawn.filled.extensions = drawn.extensions;
    der::Writer writer;
    x509::CertificateTemplate(drawn.fixed).render(drawn.filled, writer);
    work_.tbs = writer.bytes();
    return issuance::check_certified(work_);
  }

  const std::shared_ptr<crypto::SoftKey> key_of_somebody_ = new_key();
  std::unique_ptr<issuance::Profile> profile_;
  issuance::Work work_;
};

TEST_P(Certified, IsWhatWasChecked) {
  const Status checked = drawn_with(GetParam().spoil);
  if (*GetParam().says == '\0') {
    EXPECT_TRUE(checked.has_value()) << checked.error().detail;
    return;
  }
  ASSERT_FALSE(checked.has_value());
  EXPECT_EQ(checked.error().code, Code::internal);
  EXPECT_NE(checked.error().detail.find(GetParam().says), std::string::npos) << checked.error().detail;
}

void extra(Drawn& drawn, std::string_view dotted, Bytes value, bool critical = false) {
  drawn.extensions.push_back({*der::oid_from_text(dotted), critical, std::move(value)});
}

const Difference differences[] = {
    {"Unchanged", "", [](Drawn&) {}},
    {"OneNameMore", "alternative names are others",
     [](Drawn& d) {
       d.names.push_back({Kind::dns, "admin.other.test"});
     }},
    {"OneNameLess", "alternative names are others", [](Drawn& d) { d.names.pop_back(); }},
    {"ANameOfAnotherKind", "alternative names are others",
     [](Drawn& d) {
       d.names[0] = {Kind::email, "joe@example.test"};
     }},
    {"NoNames", "lacks its names", [](Drawn& d) { d.names.clear(); }},
    {"ASecondCommonName", "subject is another",
     [](Drawn& d) {
       d.subject.push_back({std::string(x509::common_name_oid), "admin.other.test"});
     }},
    {"AnOrganization", "subject is another",
     [](Drawn& d) {
       d.subject.push_back({"2.5.4.10", "Big Bank"});
     }},
    {"NoSubject", "subject is another", [](Drawn& d) { d.subject.clear(); }},
    {"AnotherSerialNumber", "serial number", [](Drawn& d) { d.filled.serial = *Serial::from_text("0103"); }},
    {"AnEarlierBeginning", "validity", [](Drawn& d) { d.filled.not_before -= std::chrono::days{1}; }},
    {"ALaterEnd", "validity", [](Drawn& d) { d.filled.not_after += std::chrono::seconds{1}; }},
    {"AnotherIssuer", "issuer",
     [](Drawn& d) {
       d.fixed.issuer = x509::encode_name({{std::string(x509::common_name_oid), "Another CA"}});
     }},
    {"AnotherAlgorithm", "signature algorithm",
     [](Drawn& d) { d.fixed.scheme = SignatureScheme::rsa_pkcs1_sha256; }},
    {"AnotherKey", "key is another",
     [](Drawn& d) {
       static const auto other = new_key();
       d.filled.spki = other->spki();
     }},
    {"AnotherKeyIdentifier", "2.5.29.14",
     [](Drawn& d) {
       static const Bytes other(20, 7);
       d.filled.key_identifier = other;
     }},
    {"AnotherIssuersKeyIdentifier", "2.5.29.35",
     [](Drawn& d) { d.fixed.authority_key_identifier = Bytes(20, 7); }},
    {"NoIssuersKeyIdentifier", "lacks an extension",
     [](Drawn& d) { d.fixed.authority_key_identifier.clear(); }},
    {"MoreKeyUsages", "2.5.29.15",
     [](Drawn& d) { d.filled.key_usage = x509::digital_signature | x509::key_cert_sign; }},
    {"NoKeyUsage", "lacks an extension", [](Drawn& d) { d.filled.key_usage = 0; }},
    {"AnAuthority", "2.5.29.19",
     [](Drawn& d) { extra(d, "2.5.29.19", x509::basic_constraints(true, {}), true); }},
    {"NoPurposes", "lacks an extension", [](Drawn& d) { drop(d.fixed.extensions, oid::extended_key_usage); }},
    {"OtherPurposes", "2.5.29.37",
     [](Drawn& d) {
       drop(d.fixed.extensions, oid::extended_key_usage);
       extra(d, "2.5.29.37", x509::extended_key_usage({extended_usage("ocsp-signing")}));
     }},
    {"AnotherResponder", "1.3.6.1.5.5.7.1.1",
     [](Drawn& d) {
       drop(d.fixed.extensions, oid::authority_info_access);
       extra(d, "1.3.6.1.5.5.7.1.1", x509::authority_info_access({"http://other.test/"}, {}));
     }},
    {"NoRevocationAskedFor", "1.3.6.1.5.5.7.48.1.5",
     [](Drawn& d) {
       extra(d, "1.3.6.1.5.5.7.48.1.5", Bytes{0x05, 0});
     }},
    {"AnExtensionNobodyKnows", "1.2.3.4",
     [](Drawn& d) {
       extra(d, "1.2.3.4", Bytes{0x05, 0});
     }},
    {"AnExtensionMadeCritical", "1.3.6.1.5.5.7.1.24", [](Drawn& d) { d.extensions.front().critical = true; }},
    {"AnExtensionLess", "lacks an extension", [](Drawn& d) { d.extensions.clear(); }},
};
INSTANTIATE_TEST_SUITE_P(Differs, Certified, ::testing::ValuesIn(differences),
                         [](const auto& test) { return test.param.name; });

class Spoilt : public IssuanceFixture {};

// A plugin that writes where it may only read.
TEST_F(Spoilt, CertificatesAreNeitherPromisedNorSigned) {
  open();
  validator_.judgement = [](const Draft& draft) -> Status {
    const std::string_view text = as_text(draft.tbs);
    const_cast<std::uint8_t*>(draft.tbs.data())[text.rfind("host.example.test")] = 'm';
    return {};
  };
  const Bytes csr = request_for(*new_key(), {{Kind::dns, "host.example.test"}});
  const auto issued = issue(csr);
  ASSERT_FALSE(issued.has_value());
  EXPECT_EQ(issued.error().code, Code::internal);
  EXPECT_NE(issued.error().detail.find("is not what was checked"), std::string::npos);
  EXPECT_EQ(key_->asked, 0);
  EXPECT_TRUE(ledger().empty());
}

}  // namespace
}  // namespace hanaper::test
