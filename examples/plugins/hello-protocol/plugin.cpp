// The door of protocol/hello: the smallest protocol that shows everything a protocol has.
#include <hanaper/host.hpp>
#include <hanaper/operable.hpp>
#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/json.hpp>
#include <hanaper/toolkit/mutex.hpp>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>

namespace {

using hanaper::Code;
using hanaper::Method;
using hanaper::Request;
using hanaper::Response;
using hanaper::Status;

constexpr hanaper::SettingKey keys[] = {
    {"pipeline", hanaper::SettingType::reference, nullptr, "pipeline", "what issues the certificates"},
    {"greeting", hanaper::SettingType::text, "hello", nullptr, "what GET answers with"},
    {"closed", hanaper::SettingType::path, "hello.closed", nullptr,
     "while this file exists the node is not ready, so that load balancers go elsewhere"},
};

Response text(int status, std::string body) {
  return Response{status, {}, std::move(body)}.with("Content-Type", "text/plain; charset=utf-8");
}

// `hanaper hello guests`: what an operator can ask.
constexpr hanaper::Parameter guests_parameters[] = {
    {"from", hanaper::ParameterType::text, 0, {}, "1..64", "only those whose address begins so"},
    {"order", hanaper::ParameterType::choice, 0, "address", "address|visits",
     "how they are listed; default address"},
};
constexpr hanaper::Column guests_columns[] = {
    {"address"},
    {"visits", hanaper::ColumnType::integer, true, {}, "certificates that it was given since the start"},
};
constexpr hanaper::Operation operation_table[] = {
    {"guests", "GET /guests", "list who was given certificates", hanaper::Permission::system_read,
     hanaper::AnswerForm::list, guests_parameters, guests_columns},
};

class Hello final : public hanaper::Protocol, public hanaper::Operable {
 public:
  // Reads settings and takes what the host offers; opens nothing yet, because `hanaper check` comes here too.
  Status configure(const hanaper::Settings& settings, hanaper::Host& host) override {
    const std::string& greeting = settings.text("greeting");
    if (greeting.empty()) return settings.error("greeting", "is empty; a polite service says something");
    closed_file_ = settings.text("closed");
    host_ = &host;
    issuer_ = &host.issuer(settings.text("pipeline"));
    greetings_ = &host.metrics().counter("hanaper_hello_greetings_total", "Greetings answered.");
    certificates_ = &host.metrics().counter("hanaper_hello_certificates_total", "Certificates handed out.");
    greeting_ = text(200, greeting + " from " + host.public_url() + "\n");
    greeting_head_ = hanaper::serialise_head(greeting_);
    return {};
  }

  Status start() override {
    look();
    // Readiness is asked often and answered from memory; a job looks at the disk.
    host_->scheduler().every("look", std::chrono::milliseconds{500}, [this](hanaper::Call&) {
      look();
      return Status{};
    });
    host_->health().check("open", [this] {
      return closed_ ? hanaper::unavailable(closed_file_ + " exists; remove it to be ready") : Status{};
    });
    return {};
  }

  // Optional interfaces are handed out by their id.
  void* ability(std::string_view id) override {
    return id == hanaper::Operable::ability_id ? static_cast<hanaper::Operable*>(this) : nullptr;
  }

  std::span<const hanaper::Operation> operations() const noexcept override { return operation_table; }

  // Arguments are as the table says when they come here; the answer is JSON as its columns say.
  hanaper::Result<std::string> operate(std::string_view words, const hanaper::Arguments& arguments,
                                       std::string_view /*caller*/, hanaper::Call& /*call*/) override {
    if (words != "guests")
      return hanaper::unsupported("there is no operation \"" + std::string(words) + "\"");
    std::vector<std::pair<std::string, std::int64_t>> rows;
    {
      const hanaper::Lock lock(guests_mutex_);
      for (const auto& [address, visits] : guests_)
        if (address.starts_with(arguments.text("from"))) rows.emplace_back(address, visits);
    }
    if (arguments.text("order") == "visits")
      std::ranges::stable_sort(rows, std::ranges::greater(), &std::pair<std::string, std::int64_t>::second);
    hanaper::json::Array answer;
    for (const auto& [address, visits] : rows)
      answer.emplace_back(hanaper::json::Object{{"address", address}, {"visits", visits}});
    return hanaper::json::write(hanaper::json::Value(std::move(answer)));
  }

  // On a network thread: from memory, or not at all.
  bool answer_fast(const Request& request, hanaper::FastReply& reply) override {
    if (request.method != Method::get || !is_root(request)) return false;
    greetings_->add();
    reply.send(greeting_head_, hanaper::as_bytes(greeting_.body));
    return true;
  }

  // On a worker: may wait for disk and keys until the call's deadline.
  Response handle(const Request& request, hanaper::Call& call) override {
    if (!is_root(request)) return text(404, "nothing here; there is only one thing to ask\n");
    if (request.method == Method::head) return greeting_;
    if (request.method != Method::post)
      return text(405, "GET greets, POST of a certification request issues\n")
          .with("Allow", "GET, HEAD, POST");
    return issue(request, call);
  }

 private:
  static bool is_root(const Request& request) { return request.tail.empty() || request.tail == "/"; }

  Response issue(const Request& request, hanaper::Call& call) {
    hanaper::IssueRequest wish;
    wish.requester = "hello:" + std::string(request.address);
    const auto csr = request_of(request.body);
    if (!csr) return failure(csr.error(), call);
    wish.csr = *csr;
    const auto issued = issuer_->issue(wish, call);
    if (!issued) return failure(issued.error(), call);
    certificates_->add();
    remember(request.address);
    host_->log().info("issued", {{"requester", wish.requester}, {"serial", issued->serial.hex()}});
    std::string pem = hanaper::pem::encode("CERTIFICATE", issued->certificate);
    for (const hanaper::Bytes& above : issued->chain) pem += hanaper::pem::encode("CERTIFICATE", above);
    return Response{200, {}, std::move(pem)}.with("Content-Type", "application/pem-certificate-chain");
  }

  // A PKCS#10 request, PEM or DER.
  static hanaper::Result<hanaper::Bytes> request_of(hanaper::ByteView body) {
    if (!hanaper::as_text(body).starts_with("-----BEGIN ")) return hanaper::to_bytes(body);
    HANAPER_TRY(std::vector<hanaper::pem::Block> blocks, hanaper::pem::decode(hanaper::as_text(body)));
    if (blocks.size() != 1 || blocks[0].label != "CERTIFICATE REQUEST")
      return hanaper::malformed("not one CERTIFICATE REQUEST");
    return std::move(blocks[0].der);
  }

  // Only a protocol knows what its peers want to read; whatever is our own fault stays in the log.
  Response failure(const hanaper::Error& error, const hanaper::Call& call) {
    if (error.code == Code::internal) {
      host_->log().error("request failed", {{"call", call.id}, {"error", error.detail}});
      return text(500, "internal error, call " + call.id + "\n");
    }
    Response response = text(status_of(error.code), error.detail + "\n");
    if (error.retry_after) response.with("Retry-After", std::to_string(error.retry_after->count()));
    return response;
  }

  // The first thousand: whatever strangers can make grow has a bound.
  void remember(std::string_view address) {
    const hanaper::Lock lock(guests_mutex_);
    const auto known = guests_.find(address);
    if (known != guests_.end()) ++known->second;
    if (known == guests_.end() && guests_.size() < 1000) guests_.emplace(address, 1);
  }

  static int status_of(Code code) {
    switch (code) {
      case Code::malformed:
      case Code::bad_csr:
      case Code::bad_key:
        return 400;
      case Code::conflict:
        return 409;
      case Code::rate_limited:
        return 429;
      case Code::unavailable:
        return 503;
      default:
        return 403;
    }
  }

  void look() {
    std::error_code error;
    closed_ = std::filesystem::exists(closed_file_, error);
  }

  // Constant after configure.
  std::string closed_file_, greeting_head_;
  Response greeting_;
  hanaper::Host* host_ = nullptr;
  hanaper::Issuer* issuer_ = nullptr;
  hanaper::Counter* greetings_ = nullptr;
  hanaper::Counter* certificates_ = nullptr;

  std::atomic<bool> closed_{false};  // synchronised by itself
  hanaper::Mutex guests_mutex_;
  std::map<std::string, std::int64_t, std::less<>> guests_ HANAPER_GUARDED_BY(guests_mutex_);
};

}  // namespace

HANAPER_PLUGIN(.kind = "protocol", .name = "hello", .version = "1.0.0", .licence = "Apache-2.0",
               .summary = "greets, and issues to whoever posts a certification request", .keys = keys,
               .key_count = std::size(keys), .create = hanaper::create_plugin<Hello>);
