// Trying a profile before anybody needs it.
#include "certified.hpp"
#include "pipeline.hpp"

#include <hanaper/toolkit/algorithms.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/time_text.hpp>

namespace hanaper::issuance {
namespace {

// A key of that kind as far as its form goes; nobody holds its private half.
Bytes stand_in_key(KeySpec spec) {
  const auto some_octets = [](std::size_t count) {
    Bytes octets(count);
    crypto::random(octets);
    return octets;
  };
  const algorithms::KeyRow& row = algorithms::row(spec.type);
  if (row.family == algorithms::Family::rsa) {
    Bytes modulus = some_octets(spec.bits / 8u);
    modulus.front() |= 0x80;
    modulus.back() |= 1;
    return x509::rsa_spki(modulus, Bytes{1, 0, 1});
  }
  if (row.family == algorithms::Family::edwards) return x509::ec_spki(spec.type, some_octets(row.octets));
  Bytes point = some_octets(1 + 2 * row.octets);
  point[0] = 0x04;
  return x509::ec_spki(spec.type, point);
}

Identifier stand_in_name(const config::ProfileConfig& profile) {
  using Kind = Identifier::Kind;
  if (profile.names.contains(Kind::dns)) return {Kind::dns, "self-test.example.test"};
  if (profile.names.contains(Kind::ip)) return {Kind::ip, "192.0.2.1"};
  if (profile.names.contains(Kind::email)) return {Kind::email, "self-test@example.test"};
  if (profile.names.contains(Kind::uri)) return {Kind::uri, "https://self-test.example.test/"};
  if (profile.names.contains(Kind::permanent_identifier)) return {Kind::permanent_identifier, "SELF-TEST"};
  if (profile.names.contains(Kind::user_principal)) return {Kind::user_principal, "self-test@example.test"};
  if (profile.names.contains(Kind::smtp_utf8_mailbox))
    return {Kind::smtp_utf8_mailbox, "selbst-pr\u00fcfung@example.test"};
  return {Kind::hardware_module, "SELF-TEST/1.2.3"};
}

// Who has asked for a year and gets a month learns it from here, not from an outage.
void tell_cut(const Profile& profile, const ValidityPeriod& usual, const std::string& pipeline, Log& log) {
  if (usual.not_after - usual.not_before + std::chrono::seconds{1} >= profile.config().lifetime) return;
  log.warning("certificates end with their authority, before the lifetime of their profile",
              {{"pipeline", pipeline},
               {"profile", profile.config().name},
               {"authority", profile.authority().config().name},
               {"until", time_text(usual.not_after)}});
}

}  // namespace

Status Pipeline::self_test(const std::shared_ptr<const Wiring>& wiring) {
  if (!wiring->authority->check_current(spine_.clock.now())) return {};
  for (const auto& profile : wiring->profiles) {
    HANAPER_TRY(const ValidityPeriod usual, profile->validity(spine_.clock.now(), {}, {}));
    tell_cut(*profile, usual, name_, spine_.log);
    for (KeySpec spec : profile->config().key_types) {
      Work work;
      work.profile = profile.get();
      const Bytes spki = stand_in_key(spec);
      HANAPER_TRY(work.key, x509::parse_public_key(spki));
      work.draft = Draft{.pipeline = name_,
                         .profile = profile->config().name,
                         .authority = profile->authority().config().name,
                         .requester = "self-test",
                         .csr = {},
                         .spki = spki,
                         .key = spec,
                         .subject = {{std::string(x509::common_name_oid), "self-test"}},
                         .names = {},
                         .not_before = usual.not_before,
                         .not_after = usual.not_after,
                         .tbs = {},
                         .account_uri = {},
                         .proofs = {},
                         .rehearsal = true};
      if (!profile->config().names.empty()) work.draft.names.push_back(stand_in_name(profile->config()));
      Call call{"self-test", std::chrono::steady_clock::now() + std::chrono::seconds{10}};
      const auto fail = [&](Error error) {
        return std::move(error).within("profile." + profile->config().name + " with a key of type " +
                                       to_string(spec));
      };
      HANAPER_TRY(work.purposes, profile->purposes(work.csr, spec));
      if (Status drawn = draw_up(work, call); !drawn) return fail(drawn.error());
      if (Status same = check_certified(work); !same) return fail(same.error());
      if (Status valid = run_validators(*wiring, work.draft, call); !valid) return fail(valid.error());
    }
  }
  return {};
}

}  // namespace hanaper::issuance
