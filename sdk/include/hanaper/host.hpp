// What the host offers a plugin: everything is reached through the Host given to configure, nothing is
// global.
#pragma once

#include <hanaper/events.hpp>
#include <hanaper/plugin.hpp>
#include <hanaper/protocol.hpp>
#include <hanaper/registrar.hpp>
#include <hanaper/stages.hpp>
#include <hanaper/storage.hpp>
#include <hanaper/validity.hpp>

#include <atomic>
#include <functional>
#include <initializer_list>
#include <memory>

namespace hanaper {

enum class LogLevel : std::uint8_t { debug, info, warning, error };

struct LogField {
  std::string_view name;
  std::string value;
};

// Structured log lines. Never log secrets, request bodies or bound database values. Thread-safe.
class Log {
 public:
  // [any] `message` is constant text; what varies goes into fields.
  virtual void write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) = 0;

  void debug(std::string_view message, std::initializer_list<LogField> fields = {}) {
    write(LogLevel::debug, message, fields);
  }
  void info(std::string_view message, std::initializer_list<LogField> fields = {}) {
    write(LogLevel::info, message, fields);
  }
  void warning(std::string_view message, std::initializer_list<LogField> fields = {}) {
    write(LogLevel::warning, message, fields);
  }
  void error(std::string_view message, std::initializer_list<LogField> fields = {}) {
    write(LogLevel::error, message, fields);
  }

 protected:
  ~Log() = default;
};

// The wall clock. Tests replace it; nothing else in a plugin asks the system for the time. Thread-safe.
class Clock {
 public:
  virtual Time now() const noexcept = 0;  // [any]

 protected:
  ~Clock() = default;
};

// A number that only grows. Thread-safe.
class Counter {
 public:
  void add(std::uint64_t n = 1) noexcept { value_.fetch_add(n, std::memory_order_relaxed); }  // [any]
  std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// A number that moves both ways. Thread-safe.
class Gauge {
 public:
  void set(std::int64_t n) noexcept { value_.store(n, std::memory_order_relaxed); }      // [any]
  void add(std::int64_t n) noexcept { value_.fetch_add(n, std::memory_order_relaxed); }  // [any]
  std::int64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

// Durations in buckets from 100 us to 10 s. Thread-safe.
class Histogram {
 public:
  static constexpr std::array<double, 11> bounds = {0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05,
                                                    0.1,    0.5,    1,     5,     10};

  void observe(std::chrono::nanoseconds duration) noexcept {  // [any]
    const double seconds = std::chrono::duration<double>(duration).count();
    std::size_t bucket = 0;
    while (bucket < bounds.size() && seconds > bounds[bucket]) ++bucket;
    counts_[bucket].fetch_add(1, std::memory_order_relaxed);
    nanoseconds_.fetch_add(static_cast<std::uint64_t>(duration.count()), std::memory_order_relaxed);
  }
  std::uint64_t count(std::size_t bucket) const noexcept {
    return counts_[bucket].load(std::memory_order_relaxed);
  }
  double sum() const noexcept {
    return static_cast<double>(nanoseconds_.load(std::memory_order_relaxed)) * 1e-9;
  }

 private:
  std::array<std::atomic<std::uint64_t>, bounds.size() + 1> counts_{};
  std::atomic<std::uint64_t> nanoseconds_{0};
};

struct Label {
  std::string name;
  std::string value;
  auto operator<=>(const Label&) const = default;
};

// The Prometheus registry. Asking twice for the same name and labels gives the same object; it lives as
// long as the host. The label `instance` is added by the host. Thread-safe.
class Metrics {
 public:
  virtual Counter& counter(std::string_view name, std::string_view help,
                           std::vector<Label> labels = {}) = 0;  // [any]
  virtual Gauge& gauge(std::string_view name, std::string_view help,
                       std::vector<Label> labels = {}) = 0;  // [any]
  virtual Histogram& histogram(std::string_view name, std::string_view help,
                               std::vector<Label> labels = {}) = 0;  // [any]

 protected:
  ~Metrics() = default;
};

// Work in the background. Jobs run on worker threads with a Call of their own, one run of a job at a time;
// they end with the instance that scheduled them.
class Scheduler {
 public:
  using Job = std::function<Status(Call&)>;

  // [any] Runs `job` every `interval`, the first time one interval from now. A failure is logged.
  virtual void every(std::string_view name, std::chrono::milliseconds interval, Job job) = 0;

  // [any] Runs `job` once, as soon as a worker is free. unavailable when the queue is full.
  virtual Status soon(std::string_view name, Job job) = 0;

 protected:
  ~Scheduler() = default;
};

// What a check says something of.
enum class Purpose : std::uint8_t {
  issue,   // issuing and revoking: /health/ready, and the address that clients issue at
  status,  // telling what became of certificates: /health/status
  node,    // what an operator has to look at though everything works: /health/node
};

// The checks behind /health.
class Health {
 public:
  // [any] `check` is [any]: quick, from memory. Its error detail is shown to operators. It is asked until the
  // instance ends.
  virtual void check(std::string_view name, std::function<Status()> check,
                     Purpose purpose = Purpose::issue) = 0;

 protected:
  ~Health() = default;
};

// One named set of documents, private to the instance that asked for it. All calls are [worker].
class Collection {
 public:
  // not_found when absent or expired.
  virtual Result<Record> get(std::string_view key) = 0;
  virtual Result<std::vector<Record>> find(std::string_view field, std::string_view value,
                                           std::string_view after, std::uint32_t limit) = 0;

  // The same write with its collection filled in, to be committed together with others or with an issuance.
  virtual RecordWrite bind(RecordWrite write) const = 0;

 protected:
  ~Collection() = default;
};

struct IssueRequest {
  std::string profile;    // one of the pipeline's; empty: its first
  std::string requester;  // "acme:account/...": for policies, ledger and audit
  ByteView csr;           // DER PKCS#10 (RFC 2986)
  // What came, where `csr` is made from it anew each time: by this a request that waits is known again.
  ByteView asked;
  // When set, the request must name exactly these, and nothing else is believed.
  std::optional<std::vector<Identifier>> names;
  std::optional<Time> not_before;  // wishes within the profile's lifetime; refused beyond it
  std::optional<Time> not_after;
  // What policies and validators may want to know of how it was proven; see Draft.
  std::string account_uri;
  std::vector<Proof> proofs;
  // A name for this request among the pipeline's, at most 200 octets: asked again under it, the same request
  // gives the same certificate and never a second one, for 90 days. Empty: each call is a request of its own,
  // or, where the pipeline wants approval, `approved_as`.
  std::string once;
  // What an approval is for, as `once` names it; empty: what is asked, and the requester. What is asked is
  // subject, key and attributes but for challengePassword, which a client has to change when it comes back
  // (RFC 7030 4.2.3).
  std::string approved_as;
  // DER of the certificate that this is a renewal of; empty: it is none. A client that keeps its key asks for
  // the same each time, and an approval is for one renewal.
  ByteView renews;
  bool sha1 = false;  // the request may be signed with SHA-1, as old devices do; somebody vouches for its key
  // Committed with the intent, before the signature exists: claims the order for this very issuance.
  std::vector<RecordWrite> with_intent;
  // Committed with the signature: the order's own memory of its certificate.
  std::function<std::vector<RecordWrite>(const struct Issued&)> with_record;
  // Committed with the request that begins to wait for approval, whose id it is told: the order's own memory
  // that it waits.
  std::function<std::vector<RecordWrite>(std::string_view request)> with_pending;
};

struct Issued {
  AuthorityId authority = 0;
  Serial serial;
  Bytes certificate;         // DER
  std::vector<Bytes> chain;  // DER; issuer first, self-signed root left out
  Time not_before;
  Time not_after;
};

// What a profile wants of certification requests, for protocols that tell clients beforehand.
struct RequestForm {
  enum class Subject : std::uint8_t { none, common_name, request };

  std::vector<KeySpec> key_types;  // the preferred one first
  Subject subject = Subject::none;
  std::vector<Identifier::Kind> names;     // kinds of subjectAltName; empty: none
  std::optional<std::uint16_t> key_usage;  // bits of RFC 5280 4.2.1.3 that every certificate gets
  std::vector<Bytes> extended_usages;      // OID contents that every certificate gets
};

struct ValidityPeriod {
  Time not_before;
  Time not_after;
};

// Which certificate, for status and revocation.
struct CertificateId {
  AuthorityId authority = 0;
  Serial serial;
};

struct CertificateStatus {
  CertificateRow row;
  Bytes certificate;  // DER; empty when never signed

  CertificateId id() const { return {row.authority, row.serial}; }
};

// forbidden when it is revoked, on hold or not of that time; "the client certificate", say, begins the
// sentence.
inline Status check_current(const CertificateRow& row, Time now, std::string_view which) {
  if (row.revoked && !row.released) return forbidden(std::string(which) + " is revoked");
  if (now < row.not_before || row.not_after < now) return forbidden(std::string(which) + " has expired");
  return {};
}

// Certificates with which clients follow from one authority to the one that takes over, DER.
struct RollOver {
  std::vector<Bytes>
      next;  // that one's and those above it, the self-signed root last; empty: none is to come
  // Besides Issuer::path() those of its neighbours in time: `next`, whom it has taken over from, and what
  // roots among them say of each other (RFC 4210 4.4: OldWithOld, OldWithNew, NewWithOld, NewWithNew).
  std::vector<Bytes> others;
};

// One pipeline: everything from "may I" to a certificate on disk, with the same refusals for every protocol.
// Thread-safe.
class Issuer {
 public:
  // [worker] Who sends the request, as the pipeline's authenticators find out: the first that knows him, or,
  // where the configuration says `all`, every one of them; then the name is the first's and the roles are
  // everybody's. unauthenticated when they do not know him, and when the pipeline has none; unavailable.
  virtual Result<Identity> authenticate(const Request& request, Call& call) = 0;

  // [any] The WWW-Authenticate values of a 401.
  virtual std::vector<std::string> challenges() const = 0;

  // [worker] Returns only what is durable. bad_csr, bad_key, rejected, forbidden, unsupported,
  // conflict (a record written with it has moved, or `once` names another request), unavailable; pending
  // until somebody approves, where the pipeline wants that, and rejected when he denies.
  virtual Result<Issued> issue(const IssueRequest& request, Call& call) = 0;

  // [worker] conflict when it is revoked already, and its hold is no other; not_found when this pipeline's
  // authority never issued it. certificate_hold may be followed by another reason, or by a release.
  virtual Status revoke(const CertificateId& id, RevocationReason reason, std::string_view requester,
                        Call& call) = 0;

  // [worker] The certificate and what the ledger knows of it. not_found.
  virtual Result<CertificateStatus> status(const CertificateId& id) = 0;

  // [worker] What the ledger knows of the certificate of these DER octets, where this pipeline's authority or
  // one that it has taken over from has issued it. not_found when it is not ours, octet by octet.
  virtual Result<CertificateStatus> identify(ByteView certificate) = 0;

  // [worker] Whether names, key and CSR would be refused, before anybody proves anything.
  virtual Status permits(std::string_view profile, const std::vector<Identifier>& names,
                         std::string_view requester, Call& call) = 0;

  // [worker] Which certificate of this pipeline's authority, or of one that it has taken over from, those
  // octets of its authorityKeyIdentifier and serial number mean. not_found.
  virtual Result<CertificateId> find(ByteView authority_key, const Serial& serial) = 0;

  // [any] What a certificate with those wishes would get. rejected when they go beyond the profile.
  virtual Result<ValidityPeriod> validity(std::string_view profile, std::optional<Time> not_before,
                                          std::optional<Time> not_after) const = 0;

  // [any] The authority that issues now; certificates of those it has taken over from have another.
  virtual AuthorityId authority() const = 0;

  // [any] The chain above what that authority has issued, this pipeline's or one that it has taken over from;
  // DER, issuer first, self-signed root left out.
  virtual std::vector<Bytes> chain(AuthorityId authority) const = 0;

  // [any] That of the authority that issues now, with the self-signed root at the end, where this host has
  // it.
  virtual std::vector<Bytes> path() const = 0;

  // [any] What clients are to know of the authorities before and after this one.
  virtual RollOver roll_over() const = 0;

  // [worker] The certificates RollOver::next in a message signed by the authority of today: SignedData
  // around SignedData (RFC 8894 4.7.1), DER. not_found when nobody is to take over; unavailable.
  virtual Result<Bytes> next_message() = 0;

  // [worker] Who speaks for the authority; made and renewed by the host. unsupported when the authority's
  // table names no key for it; unavailable.
  virtual Result<std::shared_ptr<Registrar>> registrar(Call& call) = 0;

  // [any] Names of the profiles it may issue, the default first.
  virtual std::vector<std::string> profiles() const = 0;

  // [any] What requests for that profile ought to look like; empty: the default. unsupported when the
  // pipeline has no such profile.
  virtual Result<RequestForm> request_form(std::string_view profile) const = 0;

  // [worker] The complete CRL that would list that certificate, as it is published now: DER. not_found when
  // there is no such certificate, or no CRL for it; unsupported when the CRL is larger than `limit`;
  // unavailable.
  virtual Result<Bytes> crl(const CertificateId& id, ByteCount limit) = 0;

 protected:
  ~Issuer() = default;
};

// The profile that a certificate is renewed under: its own. forbidden when the pipeline does not have it.
inline Result<std::string> renewed_profile(const Issuer& issuer, const CertificateRow& row) {
  for (std::string& profile : issuer.profiles())
    if (profile == row.profile) return std::move(profile);
  return forbidden("certificates of profile " + row.profile + " are not renewed here");
}

struct OutboundRequest {
  std::string host;  // a DNS name or an address
  std::uint16_t port = 80;
  std::string target = "/";
  ByteCount body_limit{64 * 1024};
  int redirects = 0;  // how many to follow; only to ports 80 and 443 and the port of the request
  bool tls = false;   // with whatever certificate the peer has
};

struct OutboundAnswer {
  int status = 0;
  std::string body;
  std::string address;  // that was connected, for explanations
  std::vector<Header> fields = {};

  // The value of the first field of that name (case-insensitive); empty when absent.
  std::string_view field(std::string_view name) const noexcept {
    for (const Header& given : fields)
      if (Request::same_name(given.name, name)) return given.value;
    return {};
  }
};

// Something that somebody else is told, and answers.
struct OutboundMessage {
  std::string url;  // http or https; the latter with a certificate that is good for the host's name
  std::string content_type;
  std::string body;                       // at most 1 MiB
  const Secret* authorization = nullptr;  // the field's whole value (RFC 9110 11.6.2); outlives the call
  std::string roots;                      // PEM, whom https servers are certified by; empty: the system's
  ByteCount answer_limit{64 * 1024};
  std::vector<Header> fields = {};  // more of them; none of those that the host writes
};

// A TLS handshake for its own sake, as in RFC 8737.
struct OutboundHandshake {
  std::string host;  // a DNS name or an address
  std::uint16_t port = 443;
  std::string server_name;  // SNI (RFC 6066 3)
  std::string protocol;     // the only one offered in ALPN (RFC 7301)
};

struct HandshakeAnswer {
  Bytes certificate;     // DER, the peer's own; nobody has judged it
  std::string protocol;  // that the peer chose; empty: none
  std::string address;   // that was connected
};

enum class DnsType : std::uint16_t { txt = 16, caa = 257 };

// The host's own way out, under `[outbound]` permit and deny: the address that was checked is the address
// that is connected. Thread-safe.
class Outbound {
 public:
  // [worker] GET over HTTP. unavailable when nobody answers in time, forbidden when policy denies
  // every address, not_found when the name does not resolve, malformed when the answer is no HTTP.
  virtual Result<OutboundAnswer> get(const OutboundRequest& request, Call& call) = 0;

  // [worker] TLS 1.2 or later, closed at once without any data. unavailable, forbidden and not_found as with
  // get; malformed when the peer breaks off the handshake.
  virtual Result<HandshakeAnswer> handshake(const OutboundHandshake& request, Call& call) = 0;

  // [worker] RDATA (RFC 1035 3.2.1) of every record of that name and type, CNAMEs followed; none is an
  // answer too. unavailable when no server answers in time, or DNSSEC does not hold.
  virtual Result<std::vector<Bytes>> records(const std::string& name, DnsType type, Call& call) = 0;

  // [worker] POST over HTTP; redirects are not followed. malformed when the URL or a field is none, or the
  // answer is no HTTP; unavailable also when the server's certificate is not good; the others as with get.
  virtual Result<OutboundAnswer> post(const OutboundMessage& message, Call& call) = 0;

 protected:
  ~Outbound() = default;
};

// A part of work that nodes do together: the one numbered `index` of `count`.
struct Share {
  std::uint32_t index = 0;
  std::uint32_t count = 1;
};

// One facade for each instance. Lives longer than the plugin. References returned live as long as the Host.
class Host {
 public:
  virtual Log& log() = 0;              // [any] lines carry the instance's name
  virtual const Clock& clock() = 0;    // [any]
  virtual Metrics& metrics() = 0;      // [any]
  virtual Scheduler& scheduler() = 0;  // [any]
  virtual Health& health() = 0;        // [main]
  virtual Outbound& outbound() = 0;    // [any]

  // [main] The instance's documents of that name.
  virtual Collection& collection(std::string_view name) = 0;

  // [worker] Writes documents of several collections, all or none, durable when it returns. `writes` come
  // from Collection::bind. conflict when one of them has moved on.
  virtual Status commit(std::vector<RecordWrite> writes, Call& call) = 0;

  // [main] A pipeline that the settings name; usable from start on.
  virtual Issuer& issuer(std::string_view pipeline) = 0;

  // [main] An authority that the settings name; it has a certificate, if at all, from start on.
  virtual StatusAuthority& authority(std::string_view name) = 0;

  // [main] `watcher` is told of every revocation, hold and release of that authority's certificates: of this
  // node's before its caller hears of success, of other nodes' within a second. It may be told twice.
  // [worker], quick. Until the instance ends.
  virtual void watch(StatusAuthority& authority, StatusAuthority::Watcher watcher) = 0;

  // [main] Who publishes the CRL of that shard says where others get it; the source is asked on [worker],
  // until the instance ends.
  virtual void offer_crl(StatusAuthority& authority, std::uint32_t shard,
                         StatusAuthority::CrlSource source) = 0;

  // [any] Where relative paths of this installation start.
  virtual const std::string& state_folder() const = 0;

  // [any] How the world reaches this protocol instance, without a final slash:
  // "https://pki.example.test/acme".
  virtual const std::string& public_url() const = 0;

  // [worker] This node's part of `job`, for `ttl`: nodes that ask within that time divide it among them, up
  // to
  // 16. Shares change as nodes come and go; for a moment two may have the same, or one be nobody's: for work
  // that may be done twice, or late. unavailable.
  virtual Result<Share> share(std::string_view job, std::chrono::milliseconds ttl) = 0;

  // [worker] One line of the audit, durable when it returns; the instance's name is added. For refusals that
  // somebody may have to answer for, which stand whether or not they can be written down: what cannot is in
  // the log. Each instance has 100 lines a minute, what is beyond is counted in the next minute's first line:
  // strangers cannot fill the ledger. `event` is constant text.
  virtual void audit(std::string_view event, std::initializer_list<LogField> fields, Call& call) = 0;

 protected:
  ~Host() = default;
};

}  // namespace hanaper
