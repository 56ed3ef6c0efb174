// Answering: which authority is asked, what the ledger knows, who signs, and what is kept.
#pragma once

#include "cache.hpp"
#include "response.hpp"

#include <hanaper/host.hpp>
#include <hanaper/toolkit/der.hpp>

namespace hanaper::ocsp {

struct Options {
  std::chrono::milliseconds lifetime{0};  // thisUpdate to nextUpdate
  std::chrono::milliseconds stale{0};     // how long "good" is said without hearing of revocations
  bool delegate = true;                   // else the authorities sign themselves
  bool by_name = false;
  bool nonces = true;
  bool unissued_are_revoked = false;
  std::size_t cache = 0;
  bool presign = false;
  bool archive_cutoff = false;  // say since when nothing was forgotten
  bool crl_references = false;  // say which CRL lists what is revoked
};

// How often responses are signed ahead, and how far.
inline constexpr auto presign_interval = std::chrono::minutes{5};

// Thread-safe after start.
class Service {
 public:
  Service(Options options, Host& host, std::vector<StatusAuthority*> authorities);

  // [main] Those that have no certificate yet are left out.
  Status start();
  // [main] Begins to sign ahead, where that is wanted.
  void schedule();

  Response handle(const Request& request, Call& call);
  bool answer_fast(const Request& request, FastReply& reply);

  // [worker] Signs what nobody keeps yet, or what would be too old before the next time: for each certificate
  // that has not expired the response that most clients ask for, with SHA-1.
  Status presign(Call& call);

  // [worker] Writes a response for each certificate that has not expired, as files below `folder` that a web
  // server can serve for GET.
  struct Exported {
    std::string authority;
    std::size_t responses = 0;
  };
  Result<std::vector<Exported>> export_to(const std::string& folder, Call& call);

 private:
  // An authority as CertIDs name it.
  struct Named {
    StatusAuthority* authority;
    Bytes hash;  // content octets of the digest's OID
    Bytes name_hash, key_hash;
    Time not_before, not_after;  // of its certificate
  };
  // What a request comes to: an HTTP answer, or an OCSP status in one.
  using Outcome = std::variant<AnswerPointer, ResponseStatus>;

  Status name_authorities();
  const Named* named(const CertId& id) const;
  Outcome answer(ByteView der, Call& call);
  Outcome answer_parsed(const OcspRequest& request, Call& call);
  Outcome answer_one(StatusAuthority& authority, const CertId& id, Call& call);
  Status each_request(StatusAuthority& authority, const std::vector<der::Oid>& digests,
                      const std::function<Status(ByteView request)>& take) const;
  Result<AnswerPointer> sign_and_keep(StatusAuthority& authority, const CertId& id, Call& call);
  Result<AnswerPointer> sign(StatusAuthority& authority, const OcspRequest& request, Call& call);
  Result<Single> look_up(StatusAuthority& authority, const CertId& id) const;
  Result<std::optional<CrlReference>> crl_of(StatusAuthority& authority, const CertificateRow& row) const;
  Response present(const Request& request, const Outcome& outcome, Time now) const;
  std::optional<KeyType> signer_for(const OcspRequest& request) const;
  // Whether others may have revoked meanwhile what it calls good.
  bool is_stale(const Answer& answer) const { return answer.good && host_.unheard_for() > options_.stale; }

  const Options options_;
  Host& host_;
  const std::vector<StatusAuthority*> authorities_;
  std::vector<Named> names_;  // constant after start
  Cache cache_;
  Counter& hits_;
  Counter& signed_;
  Counter& malformed_;
  Counter& unauthorized_;
  Counter& failed_;
};

// "Cache-Control: ..." as RFC 9919 5 wants it, without line end.
std::string cache_control(const Answer& answer, Time now);

}  // namespace hanaper::ocsp
