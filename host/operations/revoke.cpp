// Revocation, alone and of many.
#include "../validity/reasons.hpp"
#include "foreign.hpp"
#include "table.hpp"

#include <algorithm>

namespace hanaper::operations {
namespace {

issuance::RevocationOrder order_of(const Caller& caller, const Arguments& arguments) {
  issuance::RevocationOrder order;
  order.reason = validity::reason_named(arguments.text("reason")).value_or(RevocationReason::unspecified);
  if (arguments.has("invalidity")) order.invalidity = arguments.time("invalidity");
  order.requester = caller.requester();
  return order;
}

// Whether it is as ordered, so that a command that is repeated succeeds again. Without a reason any will do.
bool stands_already(const CertificateRow& row, const issuance::RevocationOrder& order, bool reason_given) {
  if (!row.revoked || row.released) return false;
  if (*row.revoked == order.reason) return true;
  return !reason_given && *row.revoked != RevocationReason::certificate_hold;
}

std::string_view state_after(RevocationReason reason) {
  if (reason == RevocationReason::remove_from_crl) return "issued";
  return reason == RevocationReason::certificate_hold ? "on hold" : "revoked";
}

// One of many changes that are committed as groups.
class PendingChange final : public services::Submission {
 public:
  void committed(Status status) noexcept override {
    outcome = std::move(status);
    done.set();
  }
  issuance::Revoker::Change change;
  issuance::Pipeline* pipeline = nullptr;  // that it counts for
  Status outcome;
  bool submitted = false;
  services::Completion done;
};

Result<json::Value> revoke_row(Node& node, const CertificateRow& row, const issuance::RevocationOrder& order,
                               const Arguments& arguments, Call& call) {
  if (stands_already(row, order, arguments.has("reason")))
    return json::Value(json::Object{{"serial", row.serial.hex()},
                                    {"state", state_after(*row.revoked)},
                                    {"reason", to_string(*row.revoked)},
                                    {"already", true}});
  if (issuance::Pipeline* pipeline = node.pipeline_of(row)) {
    HANAPER_CHECK(pipeline->revoke(row, order, call));
  } else {
    HANAPER_CHECK(node.revoker().revoke(authority_name(node, row.authority), row, order, call));
  }
  return json::Value(json::Object{{"serial", row.serial.hex()},
                                  {"state", state_after(order.reason)},
                                  {"reason", to_string(order.reason)}});
}

}  // namespace

Result<json::Value> revoke(Node& node, const Caller& caller, const Arguments& arguments, Call& call) {
  HANAPER_TRY(const CertificateRow row,
              find_row(node, arguments.certificate("certificate"), arguments.text("authority")));
  return revoke_row(node, row, order_of(caller, arguments), arguments, call);
}

// A certificate that the ledger has is no matter of this: who names one here has mistaken the number.
Result<json::Value> revoke_unknown(Node& node, const Caller& caller, const Arguments& arguments, Call& call) {
  const issuance::RevocationOrder order = order_of(caller, arguments);
  HANAPER_TRY(const std::shared_ptr<issuance::Authority> authority,
              find_authority(node, arguments.text("authority")));
  auto serial = Serial::from_text(arguments.text("serial"));
  if (!serial) return std::move(serial).error().within("serial");
  const auto row = node.storage().ledger().certificate(authority->id(), *serial);
  if (row && !row->tbs.empty())
    return conflict("the certificate with serial number " + serial->hex() + " is known; revoke it as such");
  if (row) return revoke_row(node, *row, order, arguments, call);
  if (row.error().code != Code::not_found) return row.error();
  if (order.reason == RevocationReason::remove_from_crl)
    return not_found("no certificate with serial number " + serial->hex() + " is on hold");
  const Intake intake{.authority = authority->id(),
                      .name = authority->config().name,
                      .requester = caller.requester(),
                      .now = node.shared().clock.now()};
  const Known known = new_number(intake, *serial, authority->not_before(), authority->not_after());
  const validity::IndexEntry said{*serial, {}, intake.now, order.reason, order.invalidity};
  issuance::Revoker::Change change;
  HANAPER_TRY(change.write, write_of(intake, known, &said));
  HANAPER_CHECK(authority->serials().pass(std::span(&*serial, 1), call.deadline));
  HANAPER_CHECK(node.writer().commit(change.write, call.deadline));
  node.revoker().done(change);
  return json::Value(json::Object{
      {"serial", serial->hex()}, {"state", state_after(order.reason)}, {"reason", to_string(order.reason)}});
}

namespace {

// What many revocations come to.
struct Tally {
  std::int64_t revoked = 0, already = 0;
  json::Array failures = {};
  void failed(std::string_view serial, const Error& error) {
    failures.emplace_back(std::string(serial.substr(0, 64)) + ": " + error.detail);
  }
};

std::unique_ptr<PendingChange> submit(Node& node, issuance::Revoker::Change change, const CertificateRow& row,
                                      const Call& call) {
  auto made = std::make_unique<PendingChange>();
  made->change = std::move(change);
  made->pipeline = node.pipeline_of(row);
  made->write = made->change.write;
  made->expiry = made->change.expiry;
  made->deadline = call.deadline;
  made->outcome = node.writer().submit(*made);
  made->submitted = made->outcome.has_value();
  return made;
}

}  // namespace

// What is revoked already, for that reason, is as good as revoked.
Result<json::Value> revoke_many(Node& node, const Caller& caller, const Arguments& arguments, Call& call) {
  const issuance::RevocationOrder order = order_of(caller, arguments);
  const bool reason_given = arguments.has("reason");
  const issuance::Revoker revoker = node.revoker();
  HANAPER_TRY(const std::vector<AuthorityRow> authorities,
              authorities_called(node, arguments.text("authority")));
  std::vector<std::unique_ptr<PendingChange>> pending;
  Tally tally;
  for (const std::string& text : arguments.texts("serials")) {
    const auto serial = Serial::from_text(text);
    const auto row = serial ? find_row(node, authorities, *serial) : Result<CertificateRow>(serial.error());
    if (!row) {
      tally.failed(text, row.error());
      continue;
    }
    const auto issuer = std::ranges::find(authorities, row->authority, &AuthorityRow::id);
    auto change = revoker.prepare(issuer->name, *row, order, call);
    if (change)
      pending.push_back(submit(node, *std::move(change), *row, call));
    else if (stands_already(*row, order, reason_given))
      ++tally.already;
    else  // not every conflict is that: it may have expired, or be revoked for another reason
      tally.failed(text, change.error());
  }
  for (const auto& one : pending) {
    if (one->submitted) one->done.wait();
    if (one->outcome) {
      revoker.done(one->change);
      if (one->pipeline && order.reason != RevocationReason::remove_from_crl)
        one->pipeline->count_revocation();
      ++tally.revoked;
      continue;
    }
    const Revocation& wanted = *one->change.write.revocation;
    // Somebody may have been faster, and for another reason.
    const bool faster = one->outcome.error().code == Code::conflict;
    const auto row = faster ? node.storage().ledger().certificate(wanted.authority, wanted.serial)
                            : Result<CertificateRow>(one->outcome.error());
    if (row && stands_already(*row, order, reason_given))
      ++tally.already;
    else
      tally.failed(wanted.serial.hex(), one->outcome.error());
  }
  return json::Value(json::Object{
      {"revoked", tally.revoked}, {"already", tally.already}, {"failures", std::move(tally.failures)}});
}

}  // namespace hanaper::operations
