// The certificates of our own listeners: from files, or issued and renewed by ourselves.
#pragma once

#include "../http/tls.hpp"
#include "../issuance/pipeline.hpp"
#include "instance.hpp"

#include <hanaper/toolkit/mutex.hpp>

#include <map>

namespace hanaper {

class ListenerCertificates {
 public:
  using FindPipeline = std::function<issuance::Pipeline*(const std::string&)>;

  using FindKeys = std::function<Keys*(const std::string&)>;

  ListenerCertificates(Shared& shared, FindPipeline pipelines, FindKeys keys)
      : shared_(shared), pipelines_(std::move(pipelines)), keys_(std::move(keys)) {}

  // [main] Whether the files that the listener names can be served with; nothing to say of one that issues,
  // or whose key a provider keeps.
  static Status check(const config::ListenerConfig& listener);

  // [main] Whether there is a certificate that open would take without having one issued; why files and keys
  // that the listener names cannot be served with.
  Result<bool> look(const config::ListenerConfig& listener) const;

  // [main] A context with a certificate in it: the stored one while it is good, else a new one. Where none
  // can be issued now, that is logged, and health says so until there is one.
  Result<std::shared_ptr<http::TlsContext>> open(const config::ListenerConfig& listener);

  // [worker] Renews what has less than a third of its life left, reads files again that have changed, and
  // gives tickets another key twice a day.
  Status renew(Call& call);

  // [any] Until when each listener's certificate is valid.
  std::map<std::string, Time> ends() const;

  // [any] Whether every listener's certificate is valid now.
  Status health() const;

 private:
  struct Held {
    config::ListenerConfig config;
    std::shared_ptr<http::TlsContext> context;
    Time not_before, not_after;
    Time tickets_since;
  };

  Status refresh(Held& held, bool at_start, Call& call);
  Status issue(Held& held, Call& call);
  void install_last(Held& held);
  Status install(Held& held, http::TlsIdentity identity);
  void rotate_tickets(Held& held) const;
  Result<std::shared_ptr<Key>> provided_key(const Held& held, bool may_create) const;
  bool still_good(const Held& held, ByteView certificate) const;
  std::string stored_file(const Held& held) const {
    return shared_.state_folder + "/tls/" + held.config.name + ".pem";
  }

  Shared& shared_;
  const FindPipeline pipelines_;
  const FindKeys keys_;
  mutable Mutex mutex_;
  std::map<std::string, Held> held_ HANAPER_GUARDED_BY(mutex_);
};

}  // namespace hanaper
