// Validation of challenges (RFC 8555 8), as background jobs that any node can take up again.
#include "service.hpp"

#include "methods.hpp"

#include <hanaper/toolkit/crypto.hpp>

#include <algorithm>

namespace hanaper::acme {
namespace {

constexpr int most_attempts = 4;
constexpr std::uint32_t validating_page = 500;
// How long an attempt may take before another node may think that this one is gone.
constexpr auto attempt_time = std::chrono::seconds{45};

std::chrono::seconds pause_after(int attempts) {
  return std::min(longest_pause, std::chrono::seconds{1 << attempts});
}

Problem problem_for(const Error& error) {
  // RFC 8555 6.7
  std::string type = "incorrectResponse";
  if (error.code == Code::not_found) type = "dns";
  if (error.code == Code::forbidden) type = "unauthorized";
  if (error.code == Code::unavailable) type = error.detail.starts_with("dns:") ? "dns" : "connection";
  if (error.detail.find(": tls: ") != std::string::npos) type = "tls";
  return {error.code == Code::unavailable || error.code == Code::not_found ? 400 : 403, std::move(type),
          error.detail};
}

// RFC 8555 8.2: "The server MUST add an entry to the "error" field in the challenge after each failed
// validation query": the last one in front, the earlier ones as its subproblems.
json::Value with_earlier(const Problem& problem, const json::Value& before) {
  json::Value error = to_json(problem);
  if (before.object() == nullptr) return error;
  json::Array earlier;
  if (const json::Value* list = before.find("subproblems"); list && list->array()) earlier = *list->array();
  json::Object last;
  for (const json::Member& member : *before.object())
    if (member.first == "type" || member.first == "detail") last.push_back(member);
  earlier.emplace_back(std::move(last));
  error.object()->emplace_back("subproblems", std::move(earlier));
  return error;
}

// Whatever happens in it, a turn ends.
struct Running {
  ValidationQueue& queue;
  Verdicts& verdicts;
  ValidationQueue::Validation validation;
  bool is_early = false;  // there was no place where it has to ask
  ~Running() {
    if (is_early) {
      queue.put_back(std::move(validation));
      return;
    }
    queue.done(validation);
    verdicts.tell(validation.authorization);
  }
};

// What is not there yet may be there in a moment; what is wrong or forbidden is final (RFC 8555 8.2). In the
// DNS an old record is one that is not there yet: a secondary or a cache still has it.
bool worth_another(const Error& error, std::string_view method) {
  return error.code == Code::unavailable || error.code == Code::not_found ||
         (error.code == Code::malformed && is_dns_method(method));
}

}  // namespace

// The first node makes the key, all others find it.
Status Service::share_nonces(Call& call) {
  RecordWrite made;
  made.key = "nonce-key";
  Fingerprint fresh;
  crypto::random(fresh);
  made.data = to_hex(fresh);
  const Status stored = store_.commit({store_.shared.bind(made)}, call);
  if (!stored && stored.error().code != Code::conflict) return stored.error();
  HANAPER_TRY(const Record record, store_.shared.get("nonce-key"));
  HANAPER_TRY(const Bytes key, from_hex(record.data));
  Fingerprint shared_key{};
  std::copy_n(key.begin(), std::min(key.size(), shared_key.size()), shared_key.begin());
  nonces_.share(shared_key);
  return {};
}

// A client that has a nonce of before tries again (RFC 8555 6.5).
Status Service::share_nonces_with_others(Call& call) {
  if (nonces_.shared() || host_.is_alone()) return {};
  HANAPER_CHECK(share_nonces(call));
  host_.log().info("nonces are shared from now on: there are several nodes", {});
  return {};
}

Status Service::start() {
  Call call{"start", std::chrono::steady_clock::now() + std::chrono::seconds{30}};
  if (options_.shared_nonces.value_or(false)) HANAPER_CHECK(share_nonces(call));
  if (!options_.shared_nonces)
    host_.scheduler().every("nonces", std::chrono::seconds{1},
                            [this](Call& job) { return share_nonces_with_others(job); });
  write_directory();
  HANAPER_CHECK(take_up_validating(call));
  host_.scheduler().every("validate", std::chrono::seconds{1},
                          [this](Call& job) { return take_up_validating(job); });
  host_.scheduler().every("directory", std::chrono::seconds{1}, [this](Call&) {
    write_directory();
    return Status();
  });
  host_.scheduler().every("issue", std::chrono::seconds{2},
                          [this](Call& job) { return take_up_issuing(job); });
  if (options_.star_min_lifetime.count() > 0)
    host_.scheduler().every("renew", std::chrono::seconds{5}, [this](Call& job) { return renew_due(job); });
  return {};
}

// What is due, on whatever node it was begun, and what a run that is over was at.
Status Service::take_up_validating(Call& call) {
  for (std::string after; call.remaining().count() > 0;) {
    HANAPER_TRY(const std::vector<Record> records,
                store_.authorizations.find("open", "validating", after, validating_page));
    for (const Record& record : records) {
      const auto one = read_authorization(record);
      if (!one) {
        host_.log().error("an authorization cannot be read",
                          {{"authorization", record.key}, {"error", one.error().detail}});
        continue;  // it keeps no other from its turn
      }
      const bool abandoned = host_.is_over(one->run);
      if (abandoned || one->next_attempt <= host_.clock().now())
        validation_queue_.add({.account = one->account,
                               .authorization = one->id,
                               .client = one->client,
                               .claimed = {},
                               .abandoned = abandoned});
    }
    if (records.size() < validating_page) break;
    after = records.back().key;
  }
  return start_validations();
}

// As many as have their turn. Each makes way for another when it is done.
Status Service::start_validations() {
  while (const auto turn = validation_queue_.next()) {
    Status begun = host_.scheduler().soon("validate", [this, turn = *turn](Call& call) {
      Status validated;
      {
        Running place{validation_queue_, verdicts_, turn};
        validated = validate(place.validation, call);
        place.is_early = !validated && validated.error().code == Code::rate_limited;
        if (place.is_early) validated = {};
      }
      const Status more = start_validations();
      return validated ? more : validated;
    });
    if (begun) continue;
    validation_queue_.done(*turn);
    return begun;
  }
  return {};
}

// Written with the claim, so that no other node makes the same attempt.
void Service::claim_attempt(Authorization& authorization) const {
  ++authorization.attempts;
  authorization.next_attempt = host_.clock().now() + attempt_time;
  authorization.run = host_.run();
}

// rate_limited: the attempt that is claimed now, as `turn` says, is still to be made.
Status Service::validate(ValidationQueue::Validation& turn, Call& call) {
  auto known = store_.authorization(turn.authorization);
  if (!known) return known.error().code == Code::not_found ? Status() : known.error();
  bool ours = false;
  const auto claimed = store_.change(
      *std::move(known),
      [&](Authorization& current) {
        ours = current.status == "pending" && current.under_way() != nullptr;
        if (!ours) return false;
        const Time now = host_.clock().now();
        if (turn.claimed && current.next_attempt == *turn.claimed) {
          if (current.next_attempt > now + attempt_time / 2) return false;
          // It waited long for its turn; the attempt that was claimed is still to be made.
          --current.attempts;
        } else {
          ours = turn.abandoned || current.next_attempt <= now;
        }
        if (ours) claim_attempt(current);
        return ours;
      },
      call);
  if (!claimed) return claimed.error().code == Code::not_found ? Status() : claimed.error();
  if (!ours) return {};
  turn.claimed = claimed->next_attempt;
  return attempt(turn, *claimed, call);
}

Status Service::attempt(const ValidationQueue::Validation& turn, Authorization claimed, Call& call) {
  const int attempt = claimed.attempts;
  const Challenge challenge = *claimed.under_way();
  const auto account = store_.account(claimed.account);
  if (!account && account.error().code != Code::not_found) return account.error();

  std::string seen;
  Status proven = account && account->status == "valid"
                      ? prove(turn, claimed, challenge, *account, seen, call)
                      : Status(forbidden("the account is " + (account ? account->status : "gone")));
  if (!proven && proven.error().code == Code::rate_limited) return proven;
  const bool again = !proven && worth_another(proven.error(), challenge.type) && attempt < most_attempts;
  if (!again) (proven ? validations_ : validations_failed_).add();
  host_.log().info(proven  ? "challenge met"
                   : again ? "challenge tried"
                           : "challenge failed",
                   {{"authorization", claimed.id},
                    {"type", challenge.type},
                    {"name", claimed.identifier.value},
                    {"error", proven ? "" : proven.error().detail}});
  if (!proven && !again)
    static_cast<void>(options_.limits.take("failures-per-account", claimed.account, host_.clock().now()));
  const auto stored = store_.change(
      claimed,
      [&](Authorization& current) {
        Challenge* target = current.find(challenge.type);
        // Deactivated, expired, or judged by somebody else meanwhile.
        if (current.status != "pending" || target == nullptr || target->status != "processing" ||
            current.attempts != attempt)
          return false;
        const Time at = host_.clock().now();
        add_event(current.history, at,
                  challenge.type + " attempt " + std::to_string(attempt) + ": " +
                      (proven ? "met" + (seen.empty() ? "" : " by " + seen) : proven.error().detail));
        if (proven) {
          target->status = "valid";
          target->validated = at;
          target->error = nullptr;
          current.status = "valid";
          current.expires = at + options_.authorization_lifetime;
          return true;
        }
        target->error = with_earlier(problem_for(proven.error()), target->error);
        current.next_attempt = at + pause_after(attempt);
        if (again) return true;
        target->status = "invalid";
        current.status = "invalid";
        return true;
      },
      call);
  return stored ? Status() : stored.error();
}

// `seen` is what answered, for explanations.
Status Service::prove(const ValidationQueue::Validation& turn, const Authorization& authorization,
                      const Challenge& challenge, const Account& account, std::string& seen, Call& call) {
  const Identifier& identifier = authorization.identifier;
  const std::string key_authorization = challenge.token + "." + account.thumbprint;
  const std::string account_url = url("/account/" + account.id);
  const auto may_connect = [&](const std::string& target) -> Status {
    if (validation_queue_.enter(turn, target)) return {};
    return Error{Code::rate_limited, target + " is asked by as many as may ask it at once"};
  };
  if (challenge.type == "http-01") {
    OutboundRequest request;
    request.host = identifier.value;
    request.port = options_.http_01_port;
    request.target = "/.well-known/acme-challenge/" + challenge.token;
    request.body_limit = ByteCount{4096};
    request.redirects = 10;
    request.may_connect = may_connect;
    HANAPER_TRY(const OutboundAnswer answer, host_.outbound().get(request, call));
    seen = answer.address;
    if (answer.status != 200) return malformed(seen + " answered " + std::to_string(answer.status));
    Status judged = judge_http_01(answer.body, key_authorization);
    if (!judged) judged.error().detail.insert(0, seen + " ");
    return judged;
  }
  if (challenge.type == "tls-alpn-01") {
    OutboundHandshake request{identifier.value, options_.tls_alpn_01_port, tls_server_name(identifier),
                              "acme-tls/1", may_connect};
    HANAPER_TRY(const HandshakeAnswer answer, host_.outbound().handshake(request, call));
    seen = answer.address;
    Status judged = judge_tls_alpn_01(identifier, answer.certificate, answer.protocol, key_authorization);
    if (!judged) judged.error().detail.insert(0, seen + " ");
    return judged;
  }
  const bool persist = challenge.type == "dns-persist-01";
  std::string name = (persist ? "_validation-persist." : "_acme-challenge.") + identifier.value;
  if (challenge.type == "dns-account-01") name = account_label(account_url) + "." + name;
  HANAPER_TRY(const std::vector<Bytes> records, host_.outbound().records(name, DnsType::txt, call));
  seen = "TXT at " + name;
  if (!persist) return judge_dns_01(name, records, key_authorization);
  return judge_dns_persist_01(name, records, options_.caa_identities, account_url,
                              authorization.wildcard || authorization.subdomains, host_.clock().now());
}

}  // namespace hanaper::acme
