#include "requests.hpp"

#include "../services/audit.hpp"

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/json.hpp>

namespace hanaper::issuance {
namespace {

// No instance has such a name.
constexpr const char* requests_collection = ".requests";
// For as long a request asked again finds its certificate, and a pending one its approval.
constexpr auto kept_for = std::chrono::days{90};

std::int64_t milliseconds(Time time) { return time.time_since_epoch().count(); }

Result<RequestState> parse_state(std::string_view text) {
  for (RequestState state : {RequestState::pending, RequestState::approved, RequestState::denied,
                             RequestState::issuing, RequestState::issued})
    if (to_string(state) == text) return state;
  return internal("a remembered request has no state that is known");
}

Result<RememberedRequest> read(const Record& record) {
  HANAPER_TRY(const json::Value value, json::parse(record.data));
  RememberedRequest request;
  request.id = record.key;
  request.version = record.version;
  HANAPER_TRY(request.state, parse_state(value.text_at("state")));
  request.pipeline = value.text_at("pipeline");
  request.profile = value.text_at("profile");
  request.requester = value.text_at("requester");
  request.subject = value.text_at("subject");
  request.purposes = value.text_at("purposes");
  request.by = value.text_at("by");
  request.reason = value.text_at("reason");
  request.asked_at = Time{std::chrono::milliseconds{value.integer_at("asked_at")}};
  request.moved_at = Time{std::chrono::milliseconds{value.integer_at("moved_at")}};
  HANAPER_TRY(const Bytes digest, from_hex(value.text_at("csr")));
  if (digest.size() != request.csr.size()) return internal("a remembered request is damaged");
  std::ranges::copy(digest, request.csr.begin());
  request.run = value.text_at("run");
  if (request.state == RequestState::issued) {
    request.certificate.authority = static_cast<AuthorityId>(value.integer_at("authority"));
    HANAPER_TRY(request.certificate.serial, Serial::from_text(value.text_at("serial")));
  }
  return request;
}

// That it has come into its state.
events::Happening happening_of(const RememberedRequest& request) {
  events::Happening happening;
  happening.type = "request." + std::string(to_string(request.state));
  happening.source = events::source_of("pipelines", request.pipeline);
  happening.subject = request.id;
  happening.id = happening.type + "/" + request.id + "/" + std::to_string(milliseconds(request.moved_at));
  happening.at = request.moved_at;
  happening.pipeline = request.pipeline;
  happening.data = {{"request", request.id},      {"pipeline", request.pipeline},
                    {"profile", request.profile}, {"requester", request.requester},
                    {"wanted", request.subject},  {"purposes", request.purposes}};
  if (!request.by.empty()) happening.data.emplace_back("by", request.by);
  if (!request.reason.empty()) happening.data.emplace_back("reason", request.reason);
  return happening;
}

}  // namespace

std::string Requests::id_of(std::string_view pipeline, std::string_view once) {
  const Fingerprint digest = crypto::sha256({as_bytes(pipeline), as_bytes({"\0", 1}), as_bytes(once)});
  return to_hex(ByteView(digest).first(16));
}

Result<RememberedRequest> Requests::get(std::string_view id) const {
  HANAPER_TRY(const Record record, storage_.records().get(requests_collection, id));
  return read(record);
}

Result<std::vector<RememberedRequest>> Requests::list(RequestState state, std::string_view after,
                                                      std::uint32_t limit) const {
  HANAPER_TRY(const std::vector<Record> records,
              storage_.records().find(requests_collection, "state", to_string(state), after, limit));
  std::vector<RememberedRequest> requests;
  for (const Record& record : records) {
    HANAPER_TRY(RememberedRequest request, read(record));
    requests.push_back(std::move(request));
  }
  return requests;
}

RecordWrite Requests::write(const RememberedRequest& request) const {
  json::Object object{{"state", to_string(request.state)},
                      {"pipeline", request.pipeline},
                      {"profile", request.profile},
                      {"requester", request.requester},
                      {"subject", request.subject},
                      {"purposes", request.purposes},
                      {"csr", to_hex(request.csr)},
                      {"asked_at", milliseconds(request.asked_at)},
                      {"moved_at", milliseconds(request.moved_at)}};
  if (!request.by.empty()) object.emplace_back("by", request.by);
  if (!request.reason.empty()) object.emplace_back("reason", request.reason);
  if (request.state == RequestState::issuing) object.emplace_back("run", request.run);
  if (request.state == RequestState::issued) {
    object.emplace_back("authority", request.certificate.authority);
    object.emplace_back("serial", request.certificate.serial.hex());
  }
  RecordWrite write;
  write.collection = requests_collection;
  write.key = request.id;
  write.expected = request.version;
  write.expires = clock_.now() + kept_for;
  write.indexes = {{"state", std::string(to_string(request.state))}};
  write.data = json::write(json::Value(std::move(object)));
  return write;
}

Status Requests::store(const RememberedRequest& request, std::string_view event, const Call& call,
                       std::vector<RecordWrite> with) {
  Write write;
  write.records = std::move(with);
  write.records.push_back(this->write(request));
  if (outbox_ != nullptr && outbox_->hears(request.pipeline))
    write.records.push_back(outbox_->document(happening_of(request)));
  write.audit = services::audit_line(clock_.now(), event,
                                     {{"request", request.id},
                                      {"pipeline", request.pipeline},
                                      {"requester", request.requester},
                                      {"subject", request.subject},
                                      {"by", request.by},
                                      {"reason", request.reason},
                                      {"call", call.id}});
  return writer_.commit(write, call.deadline);
}

Result<RememberedRequest> Requests::decide(std::string_view id, bool approve, std::string reason,
                                           std::string by, const Call& call) {
  auto request = get(id);
  if (!request && request.error().code == Code::not_found)
    return not_found("no request " + std::string(id) + "; hanaper requests list shows those that wait");
  if (!request) return request;
  if (request->state != RequestState::pending)
    return conflict("request " + request->id + " is " + std::string(to_string(request->state)) + " already");
  request->state = approve ? RequestState::approved : RequestState::denied;
  request->moved_at = clock_.now();
  request->by = std::move(by);
  request->reason = std::move(reason);
  HANAPER_CHECK(store(*request, approve ? "request.approved" : "request.denied", call));
  return request;
}

}  // namespace hanaper::issuance
