// remote-signer SOCKET FOLDER: keeps keys as files in FOLDER and answers questions at SOCKET (wire.hpp). Here
// it stands for a network HSM, a smart card, a cloud: whatever you have, the plugin stays the same. Its keys
// are not encrypted; its user and the mode of its folder are all that protects them.
#include "wire.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/mutex.hpp>
#include <hanaper/toolkit/signature_algorithm.hpp>
#include <hanaper/toolkit/soft_key.hpp>

#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <map>
#include <thread>

namespace {

using hanaper::Bytes;
using hanaper::KeySpec;
using hanaper::Result;
using hanaper::Secret;
using hanaper::SignatureScheme;
using hanaper::Status;
using hanaper::crypto::SoftKey;
using hanaper::json::Array;
using hanaper::json::Object;
using hanaper::json::Value;
namespace fs = std::filesystem;

Value octets(hanaper::ByteView bytes) { return Object{{"octets", hanaper::base64::encode(bytes)}}; }

// Thread-safe.
class Signer {
 public:
  explicit Signer(std::string folder) : folder_(std::move(folder)) {}

  // The answer to one question. A question that is wrong gets an error.
  Result<Value> answer(const Value& question) {
    const std::string_view what = question.text_at("do");
    if (what == "list") return list();
    const std::string label(question.text_at("label"));
    HANAPER_CHECK(check(label));
    if (what == "create") return create(label, question);
    if (what == "import") return import(label, question);
    if (what == "remove") return remove(label);
    HANAPER_TRY(const std::shared_ptr<SoftKey> key, find(label));
    if (what == "find") return octets(key->spki());
    HANAPER_TRY(const Bytes input, hanaper::base64::decode(question.text_at("octets")));
    if (what == "decrypt") return decrypt(*key, input);
    HANAPER_TRY(const SignatureScheme scheme, hanaper::x509::parse_scheme(question.text_at("scheme")));
    if (what == "sign-digest") return signature(key->sign_digest(scheme, input));
    if (what == "sign") return signature(key->sign(scheme, input));
    return hanaper::unsupported("cannot do \"" + std::string(what) + "\"");
  }

 private:
  static Result<Value> signature(Result<Bytes> made) {
    if (!made) return std::move(made).error();
    return octets(*made);
  }

  static Result<Value> decrypt(SoftKey& key, hanaper::ByteView input) {
    HANAPER_TRY(const Secret plain, key.decrypt(input));
    return octets(hanaper::as_bytes(plain.reveal()));
  }

  // A label becomes a file's name, so nothing else may pass.
  static Status check(std::string_view label) {
    if (!hanaper::is_key_label(label))
      return hanaper::malformed("no key label: 1 to 64 of A-Z a-z 0-9 . _ -");
    return {};
  }

  std::string file_of(const std::string& label) const { return folder_ + "/" + label + ".pem"; }

  Result<std::shared_ptr<SoftKey>> find(const std::string& label) {
    const hanaper::Lock lock(mutex_);
    if (const auto open = open_.find(label); open != open_.end()) return open->second;
    auto pem = hanaper::files::read(file_of(label), 64 * 1024);
    if (!pem && pem.error().code == hanaper::Code::not_found)
      return hanaper::not_found("no key \"" + label + "\"");
    if (!pem) return std::move(pem).error();
    HANAPER_TRY(std::shared_ptr<SoftKey> key, SoftKey::from_pem(Secret(*std::move(pem)), Secret()));
    open_.emplace(label, key);
    return key;
  }

  Result<Value> create(const std::string& label, const Value& question) {
    HANAPER_TRY(const KeySpec spec, hanaper::parse_key_spec(question.text_at("type")));
    HANAPER_TRY(const std::shared_ptr<SoftKey> key, SoftKey::generate(spec));
    return store(label, *key);
  }

  Result<Value> import(const std::string& label, const Value& question) {
    HANAPER_TRY(const Bytes pkcs8, hanaper::base64::decode(question.text_at("octets")));
    HANAPER_TRY(const std::shared_ptr<SoftKey> key,
                SoftKey::from_pkcs8(Secret(std::string(hanaper::as_text(pkcs8)))));
    return store(label, *key);
  }

  Result<Value> store(const std::string& label, const SoftKey& key) {
    HANAPER_TRY(const Secret pem, key.to_pem());
    HANAPER_CHECK(hanaper::files::create(file_of(label), pem.reveal(), 0600));
    return octets(key.spki());
  }

  Result<Value> remove(const std::string& label) {
    const hanaper::Lock lock(mutex_);
    std::error_code error;
    if (!fs::remove(file_of(label), error)) return hanaper::not_found("no key \"" + label + "\"");
    open_.erase(label);
    return Value(Object{});
  }

  Result<Value> list() {
    std::map<std::string, std::string> types;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder_, error)) {
      if (entry.path().extension() != ".pem") continue;
      // One that is removed meanwhile is not there.
      if (const auto key = find(entry.path().stem()))
        types.emplace(entry.path().stem(), to_string((*key)->spec()));
    }
    if (error) return hanaper::unavailable(folder_ + ": " + error.message());
    Array keys;
    for (const auto& [label, type] : types) keys.emplace_back(Object{{"label", label}, {"type", type}});
    return Value(Object{{"keys", std::move(keys)}});
  }

  const std::string folder_;
  hanaper::Mutex mutex_;
  std::map<std::string, std::shared_ptr<SoftKey>> open_ HANAPER_GUARDED_BY(mutex_);
};

void converse(Signer& signer, wire::Line line) {
  for (;;) {
    const auto question = line.receive();
    if (!question) return;
    const auto answer = signer.answer(*question);
    if (!line.send(answer ? *answer : wire::to_answer(answer.error()))) return;
  }
}

int fail(const std::string& line) {
  std::cerr << "remote-signer: " << line << "\n";
  return 1;
}

}  // namespace

int main(int count, char** words) {
  if (count != 3) return fail("usage: remote-signer SOCKET FOLDER"), 2;
  const std::string socket = words[1];
  sigset_t signals;
  sigemptyset(&signals);
  for (int number : {SIGTERM, SIGINT}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  static Signer signer(words[2]);  // as long as the threads that ask it
  if (Status made = hanaper::files::create_folder(words[2]); !made) return fail(made.error().detail);
  // What a signer that was killed has left behind; one that lives answers.
  if (auto other = wire::connect(socket))
    return ::close(*other), fail(socket + ": another signer answers there");
  std::error_code error;
  if (fs::is_socket(socket, error)) fs::remove(socket, error);
  const auto listener = wire::listen(socket);
  if (!listener) return fail(listener.error().detail);

  std::thread([handle = *listener] {
    for (int peer; (peer = wire::accept(handle)) >= 0;)
      std::thread(converse, std::ref(signer), wire::Line(peer)).detach();
  }).detach();
  std::cout << "ready at " << socket << std::endl;
  int number = 0;
  sigwait(&signals, &number);
  fs::remove(socket, error);
  std::_Exit(0);
}
