#include "module.hpp"

#include <dlfcn.h>
#include <libp11.h>
#include <openssl/err.h>

#include <array>
#include <filesystem>
#include <map>

namespace hanaper::pkcs11 {
namespace {

Mutex registry_mutex;
std::map<std::string, std::weak_ptr<Module>>& registry() {
  static std::map<std::string, std::weak_ptr<Module>> modules;
  return modules;
}

// What libp11 left in OpenSSL's queue: reasons of its library are return values of the module.
std::string last_reason() {
  const unsigned long error = ERR_peek_last_error();
  const char* text = ERR_reason_error_string(error);
  std::string reason = text != nullptr ? text : name_of(static_cast<CK_RV>(ERR_GET_REASON(error)));
  ERR_clear_error();
  return reason;
}

std::string text_or_empty(const char* text) { return text == nullptr ? "" : text; }

}  // namespace

bool Gate::close(Deadline deadline) {
  Lock lock(mutex_);
  if (!open_.wait_until(lock, deadline, [&]() HANAPER_REQUIRES(mutex_) { return !closed_; })) return false;
  closed_ = true;
  if (empty_.wait_until(lock, deadline, [&]() HANAPER_REQUIRES(mutex_) { return inside_ == 0; })) return true;
  closed_ = false;
  open_.notify_all();
  return false;
}

void Gate::reopen() {
  const Lock lock(mutex_);
  closed_ = false;
  open_.notify_all();
}

Result<std::shared_ptr<Module>> Module::open(const std::string& path, const std::string& options) {
  std::error_code error;
  const std::string canonical = std::filesystem::canonical(path, error);
  if (error) return unavailable(path + ": " + error.message());
  const Lock lock(registry_mutex);
  std::weak_ptr<Module>& known = registry()[canonical];
  if (std::shared_ptr<Module> module = known.lock()) return module;
  auto module = std::make_shared<Module>(canonical, options);
  HANAPER_CHECK(module->start());
  known = module;
  return module;
}

Module::Module(std::string path, std::string options)
    : path_(std::move(path)), options_(std::move(options)) {}

Module::~Module() {
  stop();
  if (library_ != nullptr) ::dlclose(library_);
}

void Module::stop() noexcept {
  if (context_ == nullptr) return;
  for (const auto& [slots, count] : slots_) PKCS11_release_all_slots(context_, slots, count);
  slots_.clear();
  PKCS11_CTX_unload(context_);
  PKCS11_CTX_free(context_);
  context_ = nullptr;
  ERR_clear_error();
}

Status Module::start() {
  stop();
  if (library_ == nullptr) {
    // Vendors' modules are not made to be unloaded: their threads and exit handlers may outlive us.
    library_ = ::dlopen(path_.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (library_ == nullptr) return unavailable(std::string(::dlerror()));
    void* symbol = ::dlsym(library_, "C_GetFunctionList");
    CK_C_GetFunctionList get = nullptr;
    static_assert(sizeof get == sizeof symbol);
    std::memcpy(&get, &symbol, sizeof get);
    if (get == nullptr || get(&functions_) != CKR_OK)
      return unavailable(path_ + ": is no PKCS#11 module: it has no C_GetFunctionList");
  }
  context_ = PKCS11_CTX_new();
  if (context_ == nullptr) return unavailable("libp11 has no memory");
  if (!options_.empty()) PKCS11_CTX_init_args(context_, options_.c_str());
  if (PKCS11_CTX_load(context_, path_.c_str()) != 0) {
    const std::string reason = last_reason();
    PKCS11_CTX_free(context_);
    context_ = nullptr;
    return unavailable(path_ + ": cannot be initialised: " + reason);
  }
  ++life_;
  return {};
}

Result<std::vector<TokenInfo>> Module::find_tokens() {
  if (context_ == nullptr) return unavailable(path_ + ": is not initialised");
  // They stay until the module stops: libp11 closes every session of a slot that it lets go, also those it
  // did not open, and its call that looks again at slots it has crashes.
  PKCS11_SLOT* slots = nullptr;
  unsigned count = 0;
  if (PKCS11_enumerate_slots(context_, &slots, &count) != 0)
    return unavailable(path_ + ": cannot list its slots: " + last_reason());
  slots_.emplace_back(slots, count);
  std::vector<TokenInfo> tokens;
  for (PKCS11_SLOT* slot = slots; slot != slots + count; ++slot) {
    if (slot->token == nullptr || !slot->token->initialized) continue;
    tokens.push_back({PKCS11_get_slotid_from_slot(slot), text_or_empty(slot->token->label),
                      text_or_empty(slot->token->serialnr),
                      text_or_empty(slot->token->manufacturer) + " " + text_or_empty(slot->token->model),
                      slot->token->userPinLocked != 0});
  }
  ERR_clear_error();
  return tokens;
}

std::string name_of(CK_RV code) {
  struct Name {
    CK_RV code;
    const char* text;
  };
  constexpr std::array names = {
      Name{CKR_OK, "CKR_OK"},
      Name{CKR_HOST_MEMORY, "CKR_HOST_MEMORY"},
      Name{CKR_SLOT_ID_INVALID, "CKR_SLOT_ID_INVALID"},
      Name{CKR_GENERAL_ERROR, "CKR_GENERAL_ERROR"},
      Name{CKR_FUNCTION_FAILED, "CKR_FUNCTION_FAILED"},
      Name{CKR_ARGUMENTS_BAD, "CKR_ARGUMENTS_BAD"},
      Name{CKR_ATTRIBUTE_READ_ONLY, "CKR_ATTRIBUTE_READ_ONLY"},
      Name{CKR_ATTRIBUTE_SENSITIVE, "CKR_ATTRIBUTE_SENSITIVE"},
      Name{CKR_ATTRIBUTE_TYPE_INVALID, "CKR_ATTRIBUTE_TYPE_INVALID"},
      Name{CKR_ATTRIBUTE_VALUE_INVALID, "CKR_ATTRIBUTE_VALUE_INVALID"},
      Name{CKR_DEVICE_ERROR, "CKR_DEVICE_ERROR"},
      Name{CKR_DEVICE_MEMORY, "CKR_DEVICE_MEMORY"},
      Name{CKR_DEVICE_REMOVED, "CKR_DEVICE_REMOVED"},
      Name{CKR_FUNCTION_NOT_SUPPORTED, "CKR_FUNCTION_NOT_SUPPORTED"},
      Name{CKR_KEY_HANDLE_INVALID, "CKR_KEY_HANDLE_INVALID"},
      Name{CKR_KEY_TYPE_INCONSISTENT, "CKR_KEY_TYPE_INCONSISTENT"},
      Name{CKR_KEY_FUNCTION_NOT_PERMITTED, "CKR_KEY_FUNCTION_NOT_PERMITTED"},
      Name{CKR_KEY_NOT_WRAPPABLE, "CKR_KEY_NOT_WRAPPABLE"},
      Name{CKR_KEY_UNEXTRACTABLE, "CKR_KEY_UNEXTRACTABLE"},
      Name{CKR_MECHANISM_INVALID, "CKR_MECHANISM_INVALID"},
      Name{CKR_MECHANISM_PARAM_INVALID, "CKR_MECHANISM_PARAM_INVALID"},
      Name{CKR_OBJECT_HANDLE_INVALID, "CKR_OBJECT_HANDLE_INVALID"},
      Name{CKR_OPERATION_ACTIVE, "CKR_OPERATION_ACTIVE"},
      Name{CKR_PIN_INCORRECT, "CKR_PIN_INCORRECT"},
      Name{CKR_PIN_INVALID, "CKR_PIN_INVALID"},
      Name{CKR_PIN_LEN_RANGE, "CKR_PIN_LEN_RANGE"},
      Name{CKR_PIN_EXPIRED, "CKR_PIN_EXPIRED"},
      Name{CKR_PIN_LOCKED, "CKR_PIN_LOCKED"},
      Name{CKR_SESSION_CLOSED, "CKR_SESSION_CLOSED"},
      Name{CKR_SESSION_COUNT, "CKR_SESSION_COUNT"},
      Name{CKR_SESSION_HANDLE_INVALID, "CKR_SESSION_HANDLE_INVALID"},
      Name{CKR_TEMPLATE_INCOMPLETE, "CKR_TEMPLATE_INCOMPLETE"},
      Name{CKR_TEMPLATE_INCONSISTENT, "CKR_TEMPLATE_INCONSISTENT"},
      Name{CKR_TOKEN_NOT_PRESENT, "CKR_TOKEN_NOT_PRESENT"},
      Name{CKR_TOKEN_NOT_RECOGNIZED, "CKR_TOKEN_NOT_RECOGNIZED"},
      Name{CKR_TOKEN_WRITE_PROTECTED, "CKR_TOKEN_WRITE_PROTECTED"},
      Name{CKR_USER_NOT_LOGGED_IN, "CKR_USER_NOT_LOGGED_IN"},
      Name{CKR_USER_PIN_NOT_INITIALIZED, "CKR_USER_PIN_NOT_INITIALIZED"},
      Name{CKR_CRYPTOKI_NOT_INITIALIZED, "CKR_CRYPTOKI_NOT_INITIALIZED"},
  };
  for (const Name& name : names)
    if (name.code == code) return name.text;
  char text[32];
  std::snprintf(text, sizeof text, "CKR 0x%lx", static_cast<unsigned long>(code));
  return text;
}

}  // namespace hanaper::pkcs11
