#include "token.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/files.hpp>

#include <openssl/evp.h>

namespace hanaper::pkcs11 {
namespace {

using SteadyClock = std::chrono::steady_clock;

// Between two attempts to reach a token that is away.
constexpr auto pause = std::chrono::seconds{1};
// A restart of the module disturbs its other tokens too.
constexpr auto restart_pause = std::chrono::seconds{10};
// Until a token that gave no more sessions is asked for more again.
constexpr auto fewer_for = std::chrono::minutes{1};
// Between two lines that say the same.
constexpr auto told_for = std::chrono::minutes{1};
// For others to leave the module before it is mended.
constexpr auto patience = std::chrono::seconds{2};

// The form in which a PIN that was refused is kept. It must not lead back to that PIN, which may resemble the
// right one.
std::string digest_of(const Secret& pin, ByteView salt) {
  Bytes derived(32);
  if (EVP_PBE_scrypt(pin.reveal().data(), pin.reveal().size(), salt.data(), salt.size(), 1 << 14, 8, 1,
                     64 * 1024 * 1024, derived.data(), derived.size()) != 1)
    return {};
  return base64::encode_url(derived);
}

CK_RV give_pin(const CK_FUNCTION_LIST& functions, CK_SESSION_HANDLE session, CK_USER_TYPE user,
               const Secret& pin) {
  std::string octets(pin.reveal());
  const CK_RV code =
      functions.C_Login(session, user, reinterpret_cast<CK_UTF8CHAR*>(octets.data()), octets.size());
  crypto::wipe({reinterpret_cast<std::uint8_t*>(octets.data()), octets.size()});
  return code;
}

bool is_refusal(CK_RV code) {
  return code == CKR_PIN_INCORRECT || code == CKR_PIN_INVALID || code == CKR_PIN_LEN_RANGE ||
         code == CKR_PIN_LOCKED || code == CKR_PIN_EXPIRED;
}

}  // namespace

bool TokenName::fits(const TokenInfo& info) const {
  if (text.starts_with("serial:")) return text.substr(7) == info.serial;
  if (text.starts_with("slot:")) return text.substr(5) == std::to_string(info.slot);
  return text == info.label;
}

Token::Token(std::shared_ptr<Module> module, TokenOptions options, Log& log, Metrics& metrics)
    : module_(std::move(module)),
      options_(std::move(options)),
      log_(log),
      present_(metrics.gauge("hanaper_pkcs11_token_present", "1 while the token answers.",
                             {{"token", options_.name.text}})),
      mended_(metrics.counter("hanaper_pkcs11_token_mended_total", "Times a lost token was logged in again.",
                              {{"token", options_.name.text}})),
      limit_(options_.sessions),
      since_(options_.sessions),
      pin_(std::move(options_.pin)) {}

void Token::change_pin(const Secret& pin) {
  const Lock lock(mutex_);
  pin_ = pin.clone();
  pin_refused_ = false;
  next_attempt_ = {};  // whoever needs the token tries it at once
}

Secret Token::pin() const {
  const Lock lock(mutex_);
  return pin_.clone();
}

Token::~Token() {
  const Module::Visit visit(*module_, SteadyClock::now() + patience);
  if (!visit || life_ == 0 || visit.life() != module_life_) return;
  for (CK_SESSION_HANDLE session : idle_) visit.functions().C_CloseSession(session);
  visit.functions().C_CloseSession(login_);
}

bool Token::lost(CK_RV code) noexcept {
  switch (code) {
    case CKR_SESSION_HANDLE_INVALID:
    case CKR_SESSION_CLOSED:
    case CKR_USER_NOT_LOGGED_IN:
    case CKR_OBJECT_HANDLE_INVALID:
    case CKR_KEY_HANDLE_INVALID:
    case CKR_TOKEN_NOT_PRESENT:
    case CKR_TOKEN_NOT_RECOGNIZED:
    case CKR_SLOT_ID_INVALID:
    case CKR_DEVICE_REMOVED:
    case CKR_DEVICE_ERROR:
    case CKR_GENERAL_ERROR:
    case CKR_FUNCTION_FAILED:
    case CKR_CRYPTOKI_NOT_INITIALIZED:
      return true;
    default:
      return false;
  }
}

Status Token::connect() {
  return run([](const Session&) -> CK_RV { return CKR_OK; });
}

Status Token::hanging_locked() const {
  const auto now = SteadyClock::now();
  for (const auto since : since_)
    if (since != SteadyClock::time_point{} && now - since > options_.timeout)
      return unavailable(
          "token " + name() + " has not answered for " +
          std::to_string(std::chrono::duration_cast<std::chrono::seconds>(now - since).count()) + " s");
  return {};
}

Status Token::health() const {
  const Lock lock(mutex_);
  HANAPER_CHECK(hanging_locked());
  return trouble_;
}

// A session from the pool or a new one. Nobody joins those who hang in a token that has stopped to answer.
Status Token::Borrowed::open() {
  const auto deadline = SteadyClock::now() + token_.options_.timeout;
  Lock lock(token_.mutex_);
  for (;;) {
    HANAPER_CHECK(token_.hanging_locked());
    if (token_.module_life_ != visit_.life()) token_.life_ = 0;  // another token had the module restarted
    if (token_.life_ == 0) return {};
    if (SteadyClock::now() >= token_.fewer_until_) token_.limit_ = token_.options_.sessions;
    if (!token_.returned_.wait_until(lock, deadline, [&]() HANAPER_REQUIRES(token_.mutex_) {
          return token_.borrowed_ < token_.limit_;
        }))
      return unavailable("all " + std::to_string(token_.limit_) + " sessions of token " + token_.name() +
                         " are busy");
    if (token_.life_ == 0) return {};
    while (token_.since_[place_] != SteadyClock::time_point{}) ++place_;
    token_.since_[place_] = SteadyClock::now();
    ++token_.borrowed_;
    life_ = token_.life_;
    if (!token_.idle_.empty()) {
      handle_ = token_.idle_.back();
      token_.idle_.pop_back();
      return {};
    }
    const CK_SLOT_ID slot = token_.slot_;
    lock.unlock();
    const CK_RV code = visit_.functions().C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr,
                                                        nullptr, &handle_);
    if (code == CKR_OK) return {};
    handle_ = 0;
    lock.lock();
    token_.since_[place_] = {};
    --token_.borrowed_;
    token_.returned_.notify_all();
    if (code == CKR_SESSION_COUNT) {
      HANAPER_CHECK(token_.settle_for_fewer_locked());
    } else if (token_.life_ == life_) {
      token_.life_ = 0;  // lost: the caller mends what belongs to this life
    }
    place_ = 0;
    life_ = 0;
  }
}

// The token gives no more sessions: for a while those that we have must do, the login's among them.
Status Token::settle_for_fewer_locked() {
  if (borrowed_ == 0 && idle_.empty()) {
    if (login_ == 0) return unavailable("token " + name() + " gives no session; other programs have them");
    idle_.push_back(std::exchange(login_, 0));
  }
  const std::size_t have = borrowed_ + idle_.size();
  if (have < limit_)
    log_.warning("token gives fewer sessions than sessions asks for",
                 {{"token", name()}, {"sessions", std::to_string(have)}});
  limit_ = std::min(limit_, have);
  fewer_until_ = SteadyClock::now() + fewer_for;
  return {};
}

Token::Borrowed::~Borrowed() {
  if (life_ == 0) return;
  if (!good_ && handle_ != 0) visit_.functions().C_CloseSession(handle_);
  const Lock lock(token_.mutex_);
  if (good_ && token_.life_ == life_) token_.idle_.push_back(handle_);
  token_.since_[place_] = {};
  --token_.borrowed_;
  token_.returned_.notify_all();
}

// `seen` is the life in which something was lost; 0 when there was none.
Status Token::mend(std::uint64_t seen) {
  {
    Lock lock(mutex_);
    if (!returned_.wait_until(lock, SteadyClock::now() + options_.timeout,
                              [&]() HANAPER_REQUIRES(mutex_) { return !mending_; }))
      return unavailable("token " + name() + " takes too long to log in");
    if (life_ != 0 && life_ != seen) return {};  // somebody else was quicker
    HANAPER_CHECK(hanging_locked());
    if (SteadyClock::now() < next_attempt_ && !trouble_) return trouble_;
    mending_ = true;
  }
  Status mended;
  {
    Module::Alone module(*module_, SteadyClock::now() + patience);
    mended =
        module
            ? mend_alone(module)
            : Status(unavailable("token " + name() + ": a call into " + module_->path() + " does not end"));
  }
  note(mended);
  const Lock lock(mutex_);
  if (!mended) next_attempt_ = SteadyClock::now() + pause;
  mending_ = false;
  returned_.notify_all();
  return mended;
}

Status Token::mend_alone(Module::Alone& module) {
  std::vector<CK_SESSION_HANDLE> old;
  {
    const Lock lock(mutex_);
    old.swap(idle_);
    if (login_ != 0) old.push_back(login_);
    if (module_life_ != module.life()) old.clear();
    login_ = 0;
    life_ = 0;
  }
  // Ours only: other tokens and other programs' parts share the module.
  for (CK_SESSION_HANDLE session : old) module.functions().C_CloseSession(session);
  auto slot = find_slot(module);
  if (!slot && SteadyClock::now() >= next_restart_) {
    // Some modules see what was plugged in only when they start.
    next_restart_ = SteadyClock::now() + restart_pause;
    HANAPER_CHECK(module.restart());
    slot = find_slot(module);
  }
  if (!slot) return std::move(slot).error();
  return log_in(module, *slot);
}

Result<CK_SLOT_ID> Token::find_slot(Module::Alone& module) {
  HANAPER_TRY(const std::vector<TokenInfo> tokens, module.tokens());
  std::string others;
  const TokenInfo* found = nullptr;
  for (const TokenInfo& token : tokens) {
    others += (others.empty() ? "" : ", ") + token.label + " (serial:" + token.serial + ")";
    if (!options_.name.fits(token)) continue;
    if (found != nullptr) return unavailable("two tokens are called " + name() + "; name one by serial:...");
    found = &token;
  }
  if (found == nullptr)
    return unavailable("token " + name() + " is not there; " + module_->path() + " has " +
                       (others.empty() ? "none" : others));
  if (found->pin_locked)
    return unavailable("token " + name() + " has locked its pin; unlock it by its own tools");
  return found->slot;
}

Status Token::log_in(Module::Alone& module, CK_SLOT_ID slot) {
  const Secret pin = this->pin();
  if (was_refused(pin))
    return unavailable("token " + name() +
                       " has refused this pin before; it is not tried again, because tokens lock themselves: "
                       "correct the pin, or remove " +
                       options_.refused_pin_file);
  const CK_FUNCTION_LIST& functions = module.functions();
  CK_SESSION_HANDLE session = 0;
  CK_RV code = functions.C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr, &session);
  if (code != CKR_OK) return unavailable("token " + name() + ": no session: " + name_of(code));
  code = give_pin(functions, session, CKU_USER, pin);
  if (code != CKR_OK && code != CKR_USER_ALREADY_LOGGED_IN) {
    functions.C_CloseSession(session);
    if (is_refusal(code)) return refuse_pin(pin, "token " + name() + " refuses the pin: " + name_of(code));
    return unavailable("token " + name() + ": no login: " + name_of(code));
  }
  const Lock lock(mutex_);
  slot_ = slot;
  login_ = session;
  module_life_ = module.life();
  life_ = ++lives_;
  limit_ = options_.sessions;
  return {};
}

CK_RV Token::confirm(const Session& session) {
  const Secret pin = this->pin();
  {
    const Lock lock(mutex_);
    if (pin_refused_) return CKR_PIN_INCORRECT;
  }
  const CK_RV code = give_pin(session.functions, session.handle, CKU_CONTEXT_SPECIFIC, pin);
  if (is_refusal(code))
    note(refuse_pin(pin, "token " + name() + " refuses the pin for a single operation: " + name_of(code)));
  return code;
}

Status Token::refuse_pin(const Secret& pin, std::string why) {
  {
    const Lock lock(mutex_);
    // Another one may have come meanwhile, of which nothing is known yet.
    if (pin_.reveal() == pin.reveal()) pin_refused_ = true;
  }
  Bytes salt(16);
  crypto::random(salt);
  const std::string text = base64::encode_url(salt) + "\n" + digest_of(pin, salt) + "\n";
  if (Status kept = files::replace(options_.refused_pin_file, text, 0600); !kept)
    log_.warning("refused pin cannot be remembered",
                 {{"token", name()}, {"file", options_.refused_pin_file}, {"why", kept.error().detail}});
  return unavailable(std::move(why));
}

bool Token::was_refused(const Secret& pin) const {
  {
    const Lock lock(mutex_);
    if (pin_refused_) return true;
  }
  const auto text = files::read(options_.refused_pin_file, 4096);
  if (!text) return false;
  const std::size_t end = text->find('\n');
  if (end == std::string::npos) return false;
  const auto salt = base64::decode_url(text->substr(0, end));
  return salt && digest_of(pin, *salt) + "\n" == text->substr(end + 1);
}

// Keeps the outcome for health(), and tells people once for each change; of a token that loses its sessions
// again and again, once a minute.
void Token::note(const Status& status) {
  std::string before, after;
  {
    const Lock lock(mutex_);
    before = trouble_ ? "" : trouble_.error().detail;
    after = status ? "" : status.error().detail;
    trouble_ = status;
  }
  present_.set(status ? 1 : 0);
  if (status) {
    mended_.add();
    const auto now = SteadyClock::now();
    if (before.empty() && now < next_told_) return;
    next_told_ = now + told_for;
    log_.info("token logged in", {{"token", name()}});
  } else if (before != after) {
    log_.error("token is away", {{"token", name()}, {"why", after}});
  }
}

}  // namespace hanaper::pkcs11
