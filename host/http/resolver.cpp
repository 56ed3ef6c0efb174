#include "resolver.hpp"

#include "../services/thread_tag.hpp"

#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/mutex.hpp>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <unbound.h>

#include <algorithm>
#include <exception>
#include <thread>

namespace hanaper::http {
namespace {

constexpr int type_a = 1, type_aaaa = 28, class_in = 1;

struct ContextDelete {
  void operator()(ub_ctx* context) const { ub_ctx_delete(context); }
};

// One question under way. Shared by the asking thread and the resolver's callback, because either may end
// first.
struct Question {
  Mutex mutex;
  Condition answered;
  bool done HANAPER_GUARDED_BY(mutex) = false;
  bool failed HANAPER_GUARDED_BY(mutex) = false;
  std::string failure HANAPER_GUARDED_BY(mutex);
  std::vector<Bytes> records HANAPER_GUARDED_BY(mutex);
};

void take_answer(void* data, int error, ub_result* result) {
  const std::unique_ptr<std::shared_ptr<Question>> holder(static_cast<std::shared_ptr<Question>*>(data));
  Question& question = **holder;
  const Lock lock(question.mutex);
  question.done = true;
  if (error != 0 || result == nullptr) {
    question.failed = true;
    question.failure = error != 0 ? ub_strerror(error) : "no answer";
  } else if (result->bogus) {
    question.failed = true;
    question.failure = "DNSSEC validation failed";
  } else if (result->rcode != 0 && result->rcode != 3) {  // NXDOMAIN is an answer
    question.failed = true;
    question.failure = "server answered with code " + std::to_string(result->rcode);
  } else if (result->havedata) {
    for (int i = 0; result->data[i] != nullptr; ++i) {
      const auto* octets = reinterpret_cast<const std::uint8_t*>(result->data[i]);
      question.records.emplace_back(octets, octets + result->len[i]);
    }
  }
  ub_resolve_free(result);
  question.answered.notify_all();
}

}  // namespace

struct Resolver::State {
  std::unique_ptr<ub_ctx, ContextDelete> context;
  int quit = -1;
  std::thread thread;

  ~State() {
    if (thread.joinable()) {
      const std::uint64_t one = 1;
      if (::write(quit, &one, sizeof one) != sizeof one) std::terminate();  // an eventfd takes one always
      thread.join();
    }
    if (quit >= 0) ::close(quit);
  }

  void run() {
    services::thread_is(services::ThreadKind::io);
    pollfd waits[] = {{ub_fd(context.get()), POLLIN, 0}, {quit, POLLIN, 0}};
    for (;;) {
      ::poll(waits, 2, -1);
      if (waits[1].revents != 0) return;
      ub_process(context.get());
    }
  }

  Result<std::vector<Bytes>> ask(const std::string& name, int type, Deadline deadline) {
    const auto question = std::make_shared<Question>();
    auto* holder = new std::shared_ptr<Question>(question);
    int id = 0;
    if (const int error =
            ub_resolve_async(context.get(), name.c_str(), type, class_in, holder, take_answer, &id);
        error != 0) {
      delete holder;
      return unavailable("dns: " + std::string(ub_strerror(error)));
    }
    Lock lock(question->mutex);
    if (!question->answered.wait_until(lock, deadline,
                                       [&]() HANAPER_REQUIRES(question->mutex) { return question->done; })) {
      lock.unlock();
      // A cancelled question is never called back; one that just was has freed its holder itself.
      if (ub_cancel(context.get(), id) == 0) delete holder;
      return unavailable("dns: no answer for " + name + " in time");
    }
    if (question->failed) return unavailable("dns: " + name + ": " + question->failure);
    return std::move(question->records);
  }
};

Resolver::Resolver(std::unique_ptr<State> state) : state_(std::move(state)) {}
Resolver::~Resolver() = default;

Result<std::unique_ptr<Resolver>> Resolver::open(const std::vector<std::string>& servers,
                                                 const std::string& anchors) {
  auto state = std::make_unique<State>();
  state->context.reset(ub_ctx_create());
  ub_ctx* context = state->context.get();
  if (context == nullptr) return unavailable("dns: no resolver context");
  ub_ctx_async(context, 1);
  // What was there a minute ago proves nothing: every question goes out.
  ub_ctx_set_option(context, "cache-max-ttl:", "0");
  ub_ctx_set_option(context, "cache-max-negative-ttl:", "0");
  // Names that are never answered for keep no other waiting: as many questions at a time as threads may ask,
  // where the library has 16, and a server that has said nothing about some is not taken for one that is
  // gone.
  ub_ctx_set_option(context, "outgoing-range:", "512");
  ub_ctx_set_option(context, "infra-host-ttl:", "1");
  for (std::string server : servers) {
    // "127.0.0.1:8053" and "[::1]:8053" in unbound's spelling, address@port.
    if (server.starts_with('[')) {
      server.erase(0, 1);
      if (const std::size_t bracket = server.find(']'); bracket != std::string::npos)
        server.erase(bracket, 1);
      if (const std::size_t colon = server.rfind(':'); colon != std::string::npos) server[colon] = '@';
    } else if (std::ranges::count(server, ':') == 1) {
      std::ranges::replace(server, ':', '@');
    }
    if (ub_ctx_set_fwd(context, server.c_str()) != 0)
      return malformed("outbound.resolvers: \"" + server + "\" is no DNS server address");
    if (server.starts_with("127.") || server.starts_with("::1"))
      ub_ctx_set_option(context, "do-not-query-localhost:", "no");
  }
  if (servers.empty()) {
    ub_ctx_resolvconf(context, nullptr);
    ub_ctx_hosts(context, nullptr);
  } else {
    // unbound answers these by itself; where servers are configured, their answers count.
    for (const char* zone : {"test.", "invalid.", "home.arpa.", "onion."}) ub_ctx_zone_remove(context, zone);
  }
  if (!anchors.empty()) {
    // unbound reads it with the first question, and says then only that there is no answer.
    if (const auto readable = files::open_regular(anchors); !readable)
      return malformed("outbound.trust_anchors: " + readable.error().detail);
    if (ub_ctx_add_ta_file(context, anchors.c_str()) != 0)
      return malformed("outbound.trust_anchors: " + anchors + " cannot be used");
  }
  state->quit = ::eventfd(0, EFD_CLOEXEC);
  if (state->quit < 0) return unavailable("dns: no event descriptor");
  State* running = state.get();
  state->thread = std::thread([running] { running->run(); });
  return std::unique_ptr<Resolver>(new Resolver(std::move(state)));
}

Result<std::vector<Bytes>> Resolver::records(const std::string& name, int type, Deadline deadline) {
  return state_->ask(name, type, deadline);
}

Result<std::vector<Bytes>> Resolver::addresses(const std::string& name, Deadline deadline) {
  auto six = state_->ask(name, type_aaaa, deadline);
  auto four = state_->ask(name, type_a, deadline);
  if (!six && !four) return std::move(four).error();
  std::vector<Bytes> all;
  for (auto* answer : {&six, &four})
    if (*answer)
      for (Bytes& address : **answer)
        if (address.size() == 4 || address.size() == 16) all.push_back(std::move(address));
  if (all.empty()) return not_found("dns: " + name + " has no address");
  return all;
}

}  // namespace hanaper::http
