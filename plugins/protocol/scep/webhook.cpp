#include "webhook.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/extensions.hpp>
#include <hanaper/toolkit/json.hpp>
#include <hanaper/toolkit/name.hpp>
#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/public_key.hpp>

namespace hanaper::scep {
namespace {

constexpr std::size_t max_reason = 200;

// What of the names can be told; the rest is in the request itself.
json::Array names_of(const x509::CsrView& csr) {
  json::Array names;
  const auto* extension = csr.find(oid::subject_alt_name);
  const auto parsed = extension ? x509::parse_general_names(extension->value)
                                : Result<x509::GeneralNames>(x509::GeneralNames{});
  if (parsed)
    for (const Identifier& name : parsed->names) names.emplace_back(name.value);
  return names;
}

// One line of printable ASCII, whatever was answered: it goes to the client and into logs.
std::string one_line(std::string_view text) {
  std::string line(text.substr(0, max_reason));
  for (char& c : line)
    if (c < ' ' || c > '~') c = '?';
  return line;
}

}  // namespace

Status Webhook::ask(std::string_view transaction, const x509::CsrView& csr, ByteView der, Call& call) const {
  const auto subject = x509::parse_name(csr.subject);
  const auto key = x509::parse_public_key(csr.spki);
  OutboundMessage message;
  message.url = place_.url;
  message.content_type = "application/json";
  message.body =
      json::write(json::Value(json::Object{{"transaction", std::string(transaction)},
                                           {"challenge", std::string(csr.challenge_password)},
                                           {"subject", subject ? x509::name_text(*subject) : std::string()},
                                           {"names", names_of(csr)},
                                           {"key", key ? to_string(key->spec) : std::string()},
                                           {"csr", base64::encode(der)}}));
  if (!place_.authorization.reveal().empty()) message.authorization = &place_.authorization;
  message.roots = place_.roots;
  const auto answer = host_.outbound().send(message, call);
  if (!answer) return unavailable("the webhook cannot be asked: " + answer.error().detail);
  if (answer->status >= 500)
    return unavailable("the webhook cannot be asked: it answers " + std::to_string(answer->status));
  const auto value = json::parse(answer->body);
  const json::Value* allow = value ? value->find("allow") : nullptr;
  const bool* said = allow ? allow->boolean() : nullptr;
  if (answer->status != 200 || said == nullptr)
    return forbidden("the webhook has answered neither yes nor no (status " + std::to_string(answer->status) +
                     ")");
  if (*said) return {};
  const std::string reason = one_line(value->text_at("reason"));
  return forbidden(reason.empty() ? "the webhook refuses the request" : "refused: " + reason);
}

}  // namespace hanaper::scep
