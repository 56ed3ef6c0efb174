#include "probe.hpp"

#include <hanaper/toolkit/json.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <memory>
#include <optional>

namespace hanaper::http::outside {
namespace {

template <class T, void (*release)(T*)>
struct FreeIt {
  void operator()(T* object) const { release(object); }
};
template <class T, void (*release)(T*)>
using Own = std::unique_ptr<T, FreeIt<T, release>>;
using Certificate = Own<X509, X509_free>;

Certificate certificate_of(const Bytes& der) {
  const unsigned char* at = der.data();
  return Certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
}

std::optional<Time> time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return std::nullopt;
  return Time{std::chrono::seconds{::timegm(&parts)}};
}

Time now() { return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()); }

class Probe {
 public:
  Probe(const std::string& url, const ProbeOptions& options) : url_(url), options_(options) {}

  std::vector<Finding> run() {
    const auto answer = fetch(url_, {.trust = options_.trust});
    if (!answer) {
      // Whom one trusts is the asker's own matter.
      say("directory", answer.error().code == Code::malformed ? ProbeState::unknown : ProbeState::critical,
          answer.error().detail);
      return std::move(findings_);
    }
    look_at_directory(*answer);
    for (const Bytes& der : answer->chain) chain_.push_back(certificate_of(der));
    std::erase(chain_, nullptr);
    if (chain_.empty()) return std::move(findings_);
    look_at_chain();
    if (chain_.size() < 2) {
      say("OCSP and CRL", ProbeState::unknown, "the server does not send its issuer's certificate");
      return std::move(findings_);
    }
    look_at_ocsp();
    look_at_crl();
    return std::move(findings_);
  }

 private:
  void say(std::string check, ProbeState state, std::string text) {
    findings_.push_back({std::move(check), state, std::move(text)});
  }

  void look_at_directory(const Fetched& answer) {
    const std::string took = std::to_string(answer.took.count()) + " ms";
    if (answer.status != 200)
      return say("directory", ProbeState::critical, "HTTP " + std::to_string(answer.status) + " in " + took);
    const auto value = json::parse(answer.body);
    const bool is_acme = value && value->find("newNonce") != nullptr && value->find("newOrder") != nullptr;
    say("directory", ProbeState::good, (is_acme ? "ACME in " : "HTTP 200 in ") + took);
  }

  void look_at_chain() {
    std::optional<Time> first;
    for (const Certificate& certificate : chain_)
      if (const auto end = time_of(X509_get0_notAfter(certificate.get())); end && (!first || *end < *first))
        first = end;
    if (!first) return say("chain", ProbeState::critical, "a certificate has no end that can be read");
    say("chain",
        *first < now()                   ? ProbeState::critical
        : *first - now() < options_.warn ? ProbeState::warning
                                         : ProbeState::good,
        "until " + time_text(*first));
  }

  void look_at_ocsp() {
    const Own<STACK_OF(OPENSSL_STRING), X509_email_free> urls(X509_get1_ocsp(chain_.front().get()));
    if (!urls || sk_OPENSSL_STRING_num(urls.get()) == 0) return;
    OCSP_CERTID* id = OCSP_cert_to_id(EVP_sha1(), chain_[0].get(), chain_[1].get());
    const Own<OCSP_CERTID, OCSP_CERTID_free> wanted(OCSP_CERTID_dup(id));
    const Own<OCSP_REQUEST, OCSP_REQUEST_free> request(OCSP_REQUEST_new());
    OCSP_request_add0_id(request.get(), id);
    unsigned char* der = nullptr;
    const int size = i2d_OCSP_REQUEST(request.get(), &der);
    const std::string body(reinterpret_cast<const char*>(der), static_cast<std::size_t>(std::max(0, size)));
    OPENSSL_free(der);
    const auto answer = fetch(sk_OPENSSL_STRING_value(urls.get(), 0),
                              {.method = "POST", .content_type = "application/ocsp-request", .body = body});
    if (!answer) return say("OCSP", ProbeState::critical, answer.error().detail);
    const auto* at = reinterpret_cast<const unsigned char*>(answer->body.data());
    const Own<OCSP_RESPONSE, OCSP_RESPONSE_free> response(
        d2i_OCSP_RESPONSE(nullptr, &at, static_cast<long>(answer->body.size())));
    if (answer->status != 200 || !response)
      return say("OCSP", ProbeState::critical, "no response, HTTP " + std::to_string(answer->status));
    if (const int status = OCSP_response_status(response.get()); status != OCSP_RESPONSE_STATUS_SUCCESSFUL)
      return say("OCSP", ProbeState::critical, OCSP_response_status_str(status));
    judge_ocsp(*response, *wanted);
  }

  void judge_ocsp(OCSP_RESPONSE& response, OCSP_CERTID& wanted) {
    const Own<OCSP_BASICRESP, OCSP_BASICRESP_free> basic(OCSP_response_get1_basic(&response));
    // The issuer is the anchor: its own responses count, and those of responders that it has certified.
    const Own<X509_STORE, X509_STORE_free> store(X509_STORE_new());
    X509_STORE_add_cert(store.get(), chain_[1].get());
    X509_STORE_set_flags(store.get(), X509_V_FLAG_PARTIAL_CHAIN);
    const Own<STACK_OF(X509), free_stack> known(sk_X509_new_null());
    sk_X509_push(known.get(), chain_[1].get());
    const bool verified = basic && OCSP_basic_verify(basic.get(), known.get(), store.get(), 0) == 1;
    ERR_clear_error();
    if (!verified)
      return say("OCSP", ProbeState::critical, "the response's signature is not one that counts");
    int status = 0, reason = 0;
    ASN1_GENERALIZEDTIME *revoked = nullptr, *from = nullptr, *to = nullptr;
    if (OCSP_resp_find_status(basic.get(), &wanted, &status, &reason, &revoked, &from, &to) != 1)
      return say("OCSP", ProbeState::critical, "the response is about another certificate");
    if (OCSP_check_validity(from, to, 300, -1) != 1) {
      ERR_clear_error();
      return say("OCSP", ProbeState::critical, "the response is too old, or of the future");
    }
    say("OCSP", status == V_OCSP_CERTSTATUS_GOOD ? ProbeState::good : ProbeState::critical,
        OCSP_cert_status_str(status));
  }

  std::string crl_url() const {
    const Own<CRL_DIST_POINTS, CRL_DIST_POINTS_free> points(static_cast<CRL_DIST_POINTS*>(
        X509_get_ext_d2i(chain_.front().get(), NID_crl_distribution_points, nullptr, nullptr)));
    for (int i = 0; points && i < sk_DIST_POINT_num(points.get()); ++i) {
      const DIST_POINT_NAME* name = sk_DIST_POINT_value(points.get(), i)->distpoint;
      if (name == nullptr || name->type != 0) continue;
      for (int j = 0; j < sk_GENERAL_NAME_num(name->name.fullname); ++j) {
        int type = 0;
        const auto* text = static_cast<const ASN1_STRING*>(
            GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(name->name.fullname, j), &type));
        if (type != GEN_URI) continue;
        std::string url(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                        static_cast<std::size_t>(ASN1_STRING_length(text)));
        if (url.starts_with("http")) return url;
      }
    }
    return {};
  }

  void look_at_crl() {
    const std::string url = crl_url();
    if (url.empty()) return;
    const auto answer = fetch(url, {});
    if (!answer) return say("CRL", ProbeState::critical, answer.error().detail);
    const auto* at = reinterpret_cast<const unsigned char*>(answer->body.data());
    const Own<X509_CRL, X509_CRL_free> crl(
        d2i_X509_CRL(nullptr, &at, static_cast<long>(answer->body.size())));
    ERR_clear_error();
    if (answer->status != 200 || !crl)
      return say("CRL", ProbeState::critical, url + " has none, HTTP " + std::to_string(answer->status));
    const bool verified = X509_CRL_verify(crl.get(), X509_get0_pubkey(chain_[1].get())) == 1;
    ERR_clear_error();
    // An indirect CRL is another's, whose certificate is not at hand.
    const bool own =
        X509_NAME_cmp(X509_CRL_get_issuer(crl.get()), X509_get_subject_name(chain_[1].get())) == 0;
    if (own && !verified) return say("CRL", ProbeState::critical, "its signature does not verify");
    const auto made = time_of(X509_CRL_get0_lastUpdate(crl.get())),
               ends = time_of(X509_CRL_get0_nextUpdate(crl.get()));
    if (!made || !ends) return say("CRL", ProbeState::critical, "it does not say until when it is valid");
    X509_REVOKED* entry = nullptr;
    if (own && X509_CRL_get0_by_cert(crl.get(), &entry, chain_.front().get()) == 1)
      return say("CRL", ProbeState::critical, "the server's certificate is on it");
    const std::string text = "of " + time_text(*made) + ", until " + time_text(*ends);
    // Less than a tenth of its life is left: the next should have been there long ago.
    const bool late = (*ends - now()) * 10 < *ends - *made;
    say("CRL", *ends < now() ? ProbeState::critical : late ? ProbeState::warning : ProbeState::good, text);
  }

  static void free_stack(STACK_OF(X509) * stack) { sk_X509_free(stack); }

  const std::string& url_;
  const ProbeOptions& options_;
  std::vector<Certificate> chain_;
  std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> probe(const std::string& url, const ProbeOptions& options) {
  return Probe(url, options).run();
}

}  // namespace hanaper::http::outside
