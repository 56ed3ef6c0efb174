// What has happened, as those who are told get it; host/events/README.md lists the types.
#pragma once

#include <hanaper/events.hpp>
#include <hanaper/storage.hpp>
#include <hanaper/toolkit/json.hpp>
#include <hanaper/validity.hpp>

namespace hanaper::events {

// Something that has happened, before anybody is told.
struct Happening {
  std::string type;
  std::string source;   // "/pipelines/web"
  std::string subject;  // a request, an authority, a check
  std::string id;       // the same for the same happening, whoever finds it
  Time at;
  json::Object data;
  // Whose instances are told: those of a pipeline, or of all pipelines of an authority; with neither, every
  // instance that a pipeline names, once.
  std::string pipeline = {};
  std::string authority = {};
};

// A state that has changed. `occurrence` tells this time from others of that type and subject.
struct Edge {
  Happening happening;
  std::string occurrence;
};

// "/pipelines/" and a name, percent-encoded where a URI wants that.
std::string source_of(std::string_view kind, std::string_view name);

inline std::int64_t milliseconds(Time time) { return time.time_since_epoch().count(); }

// As the files of CRLs are named: "3", or "ca" for that of authorities' certificates.
inline std::string shard_text(std::uint32_t shard) {
  return shard == authority_shard ? "ca" : std::to_string(shard);
}

Event make_event(const Happening& happening, Bytes object = {});
// The event of a JSON text that make_event has made; internal for any other.
Result<Event> read_event(std::string json, Bytes object = {});

// Of a certificate that is signed; `authority` as configured.
Event certificate_issued(const std::string& authority, const CertificateRow& row);
// Of a change to its revocation; `row` is the certificate's.
Event certificate_revoked(const std::string& authority, const CertificateRow& row,
                          const RevocationRow& change);
Event authority_certified(const std::string& authority, ByteView certificate);
Event crl_made(const std::string& authority, const CrlRow& row, Bytes crl);

}  // namespace hanaper::events
