// Full PKI Requests (RFC 7030 4.3, RFC 5272 3.2): several certificates at once, and what became of each.
#pragma once

#include "cmc.hpp"

#include <hanaper/host.hpp>
#include <hanaper/toolkit/certificate.hpp>

#include <functional>
#include <map>

namespace hanaper::est {

// Shared secrets that identity is proven with, by their identification.
using CmcSecrets = std::map<std::string, Secret, std::less<>>;

// Lines of "identification:secret", the secret of at least 16 octets. malformed names file and line.
Result<CmcSecrets> load_cmc_secrets(const std::string& path);

// Thread-safe.
class FullCmc {
 public:
  FullCmc(CmcSecrets secrets, Host& host, std::string_view pipeline);

  struct Answer {
    Bytes der;                          // Full PKI Response
    bool failed = false;                // nothing of what was asked is there, or will be
    std::optional<Error> pending = {};  // something has to wait
    std::string text = {};              // of the failures, for log and audit
  };
  // What is wanted of each certification request beside what the pipeline wants, and its profile; `waits`:
  // one that came before, and is asked about.
  using Check = std::function<Result<std::string>(const x509::CsrView& csr, bool waits)>;

  // [worker] What answers a PKI Request that `who` has sent. malformed when it is none: then no
  // CMC response can answer it.
  Result<Answer> handle(ByteView body, const Identity& who, const Check& check, Call& call);

 private:
  // A request that is to be issued: of this message, or of one before.
  struct Wanted {
    cmc::BodyPartId id = 0;
    Bytes csr;
    bool waits = false;
  };
  struct Work;

  Status verify(Work& work);
  Result<Bytes> signer_key(const Work& work);
  Status check_identity(const Work& work) const;
  Status check_signer(Work& work, ByteView certificate);
  Result<std::string> check_holder(const Work& work, const x509::CsrView& csr) const;
  Status recall(Work& work);
  void process(Work& work, Call& call);
  void issue(const Wanted& wanted, Work& work, Call& call);
  Result<cmc::Outcome> remember(const Wanted& wanted, const Work& work, const Error& pending, Call& call);
  Result<Answer> answer(const Work& work, Call& call);

  const CmcSecrets secrets_;
  Host& host_;
  Issuer& issuer_;
  Trust& trust_;
  Collection& waiting_;
};

}  // namespace hanaper::est
