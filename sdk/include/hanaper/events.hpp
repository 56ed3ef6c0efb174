// Events: what has happened, for those who make certificates and CRLs public and those who tell people and
// programs.
//
// A pipeline names its publishers and notifiers. What happens is stored, and every instance gets the events
// of its pipeline one after the other, those of one node in their order. Each arrives at least once: after a
// crash, or when an answer was lost, it comes again under the same id. Nothing is given up silently:
//
//   success          the event is done
//   unavailable,     it comes again after a pause, which grows from a second to ten minutes and is never
//   rate_limited     shorter than retry_after; what follows waits. After three days it is a dead letter
//   any other error  a dead letter at once; the next event follows
//
// A dead letter is kept for 90 days, and an operator can have it sent again.
#pragma once

#include <hanaper/protocol.hpp>

#include <string>

namespace hanaper {

// One thing that has happened. host/events/README.md lists the types and what their data hold.
struct Event {
  std::string id;       // the same when the event comes again; unique together with `source`
  std::string source;   // where it happened: "/pipelines/web", "/authorities/issuing", "/nodes/main"
  std::string type;     // "certificate.issued"
  std::string subject;  // what it is about: a serial number, a request, the name of an authority or a check
  Time at;
  // All of it and `data`: one object in the JSON format of CloudEvents 1.0, at most 256 KiB.
  std::string json;
  // DER of what the event is about: a certificate for certificate.issued, certificate.revoked and
  // authority.certified, a complete CRL for crl.made; empty for every other type.
  Bytes object;
};

// Makes certificates and CRLs public: in a folder, in a directory. It gets the events that have an object.
class Publisher : public Plugin {
 public:
  // [worker] Makes public what the event is about, or takes it back; the same event may come again. Several
  // at once when several pipelines name the instance. Ends by the call's deadline, 30 seconds.
  virtual Status publish(const Event& event, Call& call) = 0;
};

// Tells somebody. It gets the events that its table asks for in `events`, or all.
class Notifier : public Plugin {
 public:
  // [worker] Tells of the event; otherwise as Publisher::publish.
  virtual Status notify(const Event& event, Call& call) = 0;
};

}  // namespace hanaper
