// issue: the whole spine with durable commits at 64 requesters, against a loop that verifies and signs; or
// with another storage, against the same over SQLite.
#include "measure.hpp"

#include "../../host/node/node.hpp"
#include "../../host/services/memory.hpp"

#include <hanaper/toolkit/csr_builder.hpp>
#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/soft_key.hpp>

#include <openssl/evp.h>

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <numeric>
#include <thread>

namespace {

using namespace hanaper;

constexpr int requesters = 64;

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "issue_bench: %s\n", why.c_str());
  std::exit(1);
}

constexpr std::string_view configuration = R"(
[node]
state = "."
[keys.soft]
plugin = "softtoken"
pin = { file = "pin" }
[authority.root]
key = "soft:root"
subject = "CN=Bench Root"
[authority.issuing]
issuer = "root"
key = "soft:issuing"
subject = "CN=Bench Issuing CA"
[profile.web]
lifetime = "90d"
usages = ["server-auth"]
[policy.names]
permit = [".example.test"]
[validator.lint]
[pipeline.web]
authority = "issuing"
profiles = ["web"]
policy = ["names"]
validate = ["lint"]
)";

struct Verifier {
  explicit Verifier(EVP_PKEY* key)
      : signer(EVP_PKEY_CTX_new(key, nullptr)), verifier(EVP_PKEY_CTX_new(key, nullptr)) {
    EVP_PKEY_sign_init(signer);
    EVP_PKEY_verify_init(verifier);
  }
  void once() {
    unsigned char digest[32] = {7}, signature[128];
    std::size_t size = sizeof signature;
    if (EVP_PKEY_sign(signer, signature, &size, digest, 32) != 1 ||
        EVP_PKEY_verify(verifier, signature, size, digest, 32) != 1)
      give_up("reference failed");
  }
  EVP_PKEY_CTX* signer;
  EVP_PKEY_CTX* verifier;
};

// A CA in a folder of its own that issues for 64 requesters at once.
class Ca {
 public:
  Ca(loader::Catalog& catalog, services::Logger& logger, const std::string& storage)
      : folder_((std::filesystem::temp_directory_path() / "hanaper-bench-XXXXXX").string()),
        catalog_(catalog),
        logger_(logger) {
    if (::mkdtemp(folder_.data()) == nullptr) give_up(folder_);
    if (!files::create(folder_ + "/pki.toml", std::string(configuration) + storage, 0600) ||
        !files::create(folder_ + "/pin", "a pin for the bench", 0600))
      give_up("files");
    if (const auto made = started()->authorities().init(); !made) give_up(made.error().detail);
    // Again, now that there is an authority to wire the pipeline with.
    node_ = started();
    const auto pipeline = node_->pipeline("web");
    if (!pipeline) give_up(pipeline.error().detail);
    pipeline_ = *pipeline;
    for (int i = 0; i < requesters; ++i) {
      const auto subject = *crypto::SoftKey::generate({KeyType::ec_p256, 0});
      x509::CsrContent content;
      content.names = {{Identifier::Kind::dns, "host" + std::to_string(i) + ".example.test"}};
      requests_.push_back(*x509::build_csr(*subject, content));
    }
  }
  ~Ca() {
    node_->stop();
    node_.reset();
    std::filesystem::remove_all(folder_);
  }

  // CPU microseconds of this process for each certificate.
  double issue_for(double seconds) {
    std::atomic<bool> stop{false};
    std::atomic<std::size_t> done{0};
    const double start = bench::cpu_seconds(CLOCK_PROCESS_CPUTIME_ID);
    std::vector<std::thread> threads;
    for (int i = 0; i < requesters; ++i)
      threads.emplace_back([&, i] {
        pthread_setname_np(pthread_self(), "requester");
        while (!stop) {
          IssueRequest request;
          request.requester = "bench";
          request.csr = requests_[static_cast<std::size_t>(i)];
          Call call{"bench", std::chrono::steady_clock::now() + std::chrono::seconds{30}};
          if (const auto issued = pipeline_->issue(request, call); !issued) give_up(issued.error().detail);
          ++done;
        }
      });
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    stop = true;
    for (std::thread& thread : threads) thread.join();
    return (bench::cpu_seconds(CLOCK_PROCESS_CPUTIME_ID) - start) * 1e6 / static_cast<double>(done);
  }

 private:
  std::unique_ptr<Node> started() {
    config::Messages messages;
    config::Model model = config::make_model(
        config::read(folder_ + "/pki.toml", {}, messages),
        [&](std::string_view kind, std::string_view name) { return catalog_.find(kind, name); }, true,
        messages);
    if (!messages.empty()) give_up(messages.lines().front());
    auto node = std::make_unique<Node>(std::move(model), catalog_, logger_);
    if (const auto failures = node->configure(); !failures.empty()) give_up(failures.front());
    if (Status up = node->start(); !up) give_up(up.error().detail);
    return node;
  }

  std::string folder_;
  loader::Catalog& catalog_;
  services::Logger& logger_;
  std::unique_ptr<Node> node_;
  issuance::Pipeline* pipeline_ = nullptr;
  std::vector<Bytes> requests_;
};

// On every core at once, as ours: cores that share what they are made of make each other slower.
double verify_and_sign_for(EVP_PKEY* key, double seconds) {
  std::vector<double> each(std::thread::hardware_concurrency());
  std::vector<std::thread> threads;
  for (double& cost : each)
    threads.emplace_back([&] {
      Verifier verifier(key);
      cost = bench::loop(seconds, [&] { verifier.once(); });
    });
  for (std::thread& thread : threads) thread.join();
  return std::accumulate(each.begin(), each.end(), 0.0) / static_cast<double>(each.size());
}

constexpr const char* sqlite_table = "[storage.main]\nplugin = \"sqlite\"\n";

void against_verify_and_sign(loader::Catalog& catalog, services::Logger& logger, double seconds) {
  const auto key = *crypto::SoftKey::generate({KeyType::ec_p256, 0});
  Ca ca(catalog, logger, sqlite_table);
  std::vector<double> ours, reference;
  ca.issue_for(0.3);
  for (int round = 0; round < 5; ++round) {
    reference.push_back(verify_and_sign_for(key->pkey(), seconds / 2));
    ours.push_back(ca.issue_for(seconds));
  }
  bench::print("issue", ours, reference, 0.75);
}

// No goal: what another storage costs this process, beside what it costs its server.
void against_sqlite(loader::Catalog& catalog, services::Logger& logger, double seconds,
                    const std::string& name, const std::string& settings) {
  Ca local(catalog, logger, sqlite_table),
      remote(catalog, logger, "[storage.main]\nplugin = \"" + name + "\"\n" + settings);
  std::vector<double> ours, reference;
  local.issue_for(0.3);
  remote.issue_for(0.3);
  for (int round = 0; round < 5; ++round) {
    reference.push_back(local.issue_for(seconds));
    ours.push_back(remote.issue_for(seconds));
  }
  bench::print("issue-" + name, ours, reference, 0);
}

}  // namespace

// SETTING=VALUE as TOML: hosts=["127.0.0.1:3306"].
int main(int count, char** words) {
  if (count < 2) give_up("usage: issue_bench PLUGINS [SECONDS [STORAGE SETTING=VALUE...]]");
  const double seconds = count > 2 ? std::atof(words[2]) : 1.0;
  ::umask(0077);
  services::tune_allocator();
  services::Logger logger;
  static_cast<void>(logger.apply({"error", "text", "", {}}));
  loader::Catalog catalog(words[1]);
  if (count <= 3) {
    against_verify_and_sign(catalog, logger, seconds);
    return 0;
  }
  std::string settings;
  for (int i = 4; i < count; ++i) settings += std::string(words[i]) + "\n";
  against_sqlite(catalog, logger, seconds, words[3], settings);
}
