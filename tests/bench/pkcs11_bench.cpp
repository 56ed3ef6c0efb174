// pkcs11-sign: signatures by the plugin's session pool, against bare C_SignInit and C_Sign in as many
// sessions.
#include "measure.hpp"

#include "../../host/loader/catalog.hpp"

#include <hanaper/testing/fake_host.hpp>
#include <hanaper/toolkit/crypto.hpp>

#include <dlfcn.h>
#include <p11-kit/pkcs11.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <numeric>
#include <thread>

namespace {

using namespace hanaper;

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "pkcs11_bench: %s\n", why.c_str());
  std::exit(1);
}

constexpr const char* pin = "24681357";

std::unique_ptr<Plugin> open_plugin(loader::Catalog& catalog, const char* module, Host& host) {
  auto plugin = catalog.create("keys", "pkcs11");
  if (!plugin) give_up(plugin.error().detail);
  Settings settings("keys.hsm", "bench");
  const auto set = [&](const char* key, Settings::Value value) {
    settings.set(key, {std::move(value), "bench"});
  };
  set("module", std::string(module));
  set("options", std::monostate{});
  set("tokens", std::vector<std::string>{"bench"});
  set("pin", Secret(pin));
  set("sessions", std::int64_t{8});
  set("timeout", std::chrono::milliseconds{10'000});
  set("wrappable", false);
  if (Status done = (*plugin)->configure(settings, host); !done) give_up(done.error().detail);
  if (Status done = (*plugin)->start(); !done) give_up(done.error().detail);
  return *std::move(plugin);
}

// One session that signs with the key, as little as PKCS#11 allows.
class Bare {
 public:
  Bare(CK_FUNCTION_LIST* functions, CK_SLOT_ID slot) : functions_(functions) {
    CK_OBJECT_CLASS half = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE wanted{CKA_CLASS, &half, sizeof half};
    CK_ULONG count = 0;
    if (functions_->C_OpenSession(slot, CKF_SERIAL_SESSION, nullptr, nullptr, &session_) != CKR_OK ||
        functions_->C_FindObjectsInit(session_, &wanted, 1) != CKR_OK ||
        functions_->C_FindObjects(session_, &key_, 1, &count) != CKR_OK || count != 1 ||
        functions_->C_FindObjectsFinal(session_) != CKR_OK)
      give_up("reference finds no key");
  }
  ~Bare() { functions_->C_CloseSession(session_); }
  void once() {
    CK_MECHANISM mechanism{CKM_ECDSA, nullptr, 0};
    CK_BYTE digest[32] = {7}, signature[128];
    CK_ULONG size = sizeof signature;
    if (functions_->C_SignInit(session_, &mechanism, key_) != CKR_OK ||
        functions_->C_Sign(session_, digest, sizeof digest, signature, &size) != CKR_OK)
      give_up("reference failed");
  }

 private:
  CK_FUNCTION_LIST* functions_;
  CK_SESSION_HANDLE session_ = 0;
  CK_OBJECT_HANDLE key_ = 0;
};

template <class Make>
double on_every_core(double seconds, Make&& make) {
  std::vector<double> each(std::thread::hardware_concurrency());
  std::vector<std::thread> threads;
  for (double& cost : each)
    threads.emplace_back([&] {
      auto operation = make();
      cost = bench::loop(seconds, [&] { operation->once(); });
    });
  for (std::thread& thread : threads) thread.join();
  return std::accumulate(each.begin(), each.end(), 0.0) / static_cast<double>(each.size());
}

struct Pooled {
  std::shared_ptr<Key> key;
  Bytes digest = Bytes(32, 7);
  void once() {
    if (!key->sign_digest(SignatureScheme::ecdsa_sha256, digest)) give_up("the pool failed");
  }
};

}  // namespace

int main(int count, char** words) {
  if (count < 3) give_up("usage: pkcs11_bench PLUGINS MODULE [SECONDS]");
  const double seconds = count > 3 ? std::atof(words[3]) : 1.0;
  loader::Catalog catalog(words[1]);
  fakes::FakeHost host("", "/tmp");
  const auto plugin = open_plugin(catalog, words[2], host);
  const auto key = dynamic_cast<Keys&>(*plugin).create("bench", {KeyType::ec_p256, 0});
  if (!key) give_up(key.error().detail);

  void* library = ::dlopen(words[2], RTLD_NOW);
  void* symbol = library == nullptr ? nullptr : ::dlsym(library, "C_GetFunctionList");
  CK_C_GetFunctionList get = nullptr;
  CK_FUNCTION_LIST* functions = nullptr;
  std::memcpy(&get, &symbol, sizeof get);
  if (get == nullptr || get(&functions) != CKR_OK) give_up("no function list");
  CK_SLOT_ID slots[8];
  CK_ULONG slot_count = std::size(slots);
  if (functions->C_GetSlotList(CK_TRUE, slots, &slot_count) != CKR_OK || slot_count == 0) give_up("no slot");

  std::vector<double> ours, reference;
  for (int round = 0; round < 7; ++round) {
    reference.push_back(
        on_every_core(seconds / 2, [&] { return std::make_unique<Bare>(functions, slots[0]); }));
    ours.push_back(on_every_core(seconds / 2, [&] { return std::make_unique<Pooled>(Pooled{*key}); }));
  }
  bench::print("pkcs11-sign", ours, reference, 0.97);
}
