// Requests that are remembered: those that may be asked again and must not give a second certificate, and
// those that wait for somebody's approval.
#pragma once

#include "../events/outbox.hpp"

#include <hanaper/issuer.hpp>
#include <hanaper/services.hpp>

namespace hanaper::issuance {

enum class RequestState : std::uint8_t { pending, approved, denied, issuing, issued };
constexpr std::string_view to_string(RequestState state) noexcept {
  constexpr std::string_view names[] = {"pending", "approved", "denied", "issuing", "issued"};
  return names[static_cast<std::size_t>(state)];
}

struct RememberedRequest {
  std::string id;  // 32 hexadecimal digits
  RequestState state = RequestState::pending;
  std::string pipeline, profile, requester;
  std::string subject;   // as text, with the names asked for
  std::string purposes;  // extended key usages that it would get, as profiles name them
  Fingerprint csr{};     // SHA-256
  Time asked_at;
  Time moved_at;              // into its state
  std::string by;             // who approved or denied
  std::string reason;         // of a denial
  CertificateId certificate;  // once issued
  std::string run;            // issuing: of the daemon that is at it
  std::uint64_t version = 0;
};

// The records behind it. Thread-safe.
class Requests {
 public:
  // Without an outbox nobody is told.
  Requests(Storage& storage, services::Writer& writer, const Clock& clock, events::Outbox* outbox = nullptr)
      : storage_(storage), writer_(writer), clock_(clock), outbox_(outbox) {}

  // The id of what is asked of a pipeline under that name.
  static std::string id_of(std::string_view pipeline, std::string_view once);

  // [worker] not_found.
  Result<RememberedRequest> get(std::string_view id) const;
  // [worker] Those in that state, by id.
  Result<std::vector<RememberedRequest>> list(RequestState state, std::string_view after,
                                              std::uint32_t limit) const;

  // The write that puts a request where `version` was; conflict at commit when it has moved since.
  RecordWrite write(const RememberedRequest& request) const;
  // [worker] The same, committed, with a line of audit, the event, and whatever else belongs to it.
  Status store(const RememberedRequest& request, std::string_view event, const Call& call,
               std::vector<RecordWrite> with = {});

  // [worker] By an operator. conflict when it is not pending any more.
  Result<RememberedRequest> decide(std::string_view id, bool approve, std::string reason, std::string by,
                                   const Call& call);

 private:
  Storage& storage_;
  services::Writer& writer_;
  const Clock& clock_;
  events::Outbox* const outbox_;
};

}  // namespace hanaper::issuance
