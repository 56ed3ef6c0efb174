// A PKCS#11 module that hands every call on to the one that PKCS11_SHIM_MODULE names, but for those a test
// wants to see fail. A test's tool; it belongs to no installation.
#include "pkcs11_shim.hpp"

#include <dlfcn.h>
#include <p11-kit/pkcs11.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>

namespace {

Pkcs11Shim shim;
CK_FUNCTION_LIST* real = nullptr;
CK_FUNCTION_LIST ours;
std::mutex mutex;
std::map<CK_SESSION_HANDLE, CK_SLOT_ID> sessions;  // guarded by mutex

CK_SLOT_ID slot_of(CK_SESSION_HANDLE session) {
  const std::lock_guard lock(mutex);
  const auto found = sessions.find(session);
  return found == sessions.end() ? ~0UL : found->second;
}

bool is_absent(CK_SLOT_ID slot) { return slot == shim.absent || slot == shim.back_at_start; }

CK_RV initialize(void* arguments) {
  ++shim.starts;
  shim.back_at_start = ~0UL;
  return real->C_Initialize(arguments);
}

// Out of the list altogether, as a reader without its token.
CK_RV get_slot_list(CK_BBOOL present, CK_SLOT_ID* slots, CK_ULONG* count) {
  const CK_ULONG room = *count;
  CK_RV code = real->C_GetSlotList(present, slots, count);
  if (code != CKR_OK || slots == nullptr) return code;
  CK_ULONG kept = 0;
  for (CK_ULONG i = 0; i < *count && i < room; ++i)
    if (!is_absent(slots[i])) slots[kept++] = slots[i];
  *count = kept;
  return code;
}

CK_RV get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO* info) {
  return is_absent(slot) ? CKR_TOKEN_NOT_PRESENT : real->C_GetTokenInfo(slot, info);
}

CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, void* data, CK_NOTIFY notify,
                   CK_SESSION_HANDLE* session) {
  if (is_absent(slot)) return CKR_TOKEN_NOT_PRESENT;
  const std::lock_guard lock(mutex);
  const auto taken =
      std::count_if(sessions.begin(), sessions.end(), [&](const auto& one) { return one.second == slot; });
  if (static_cast<unsigned long>(taken) >= shim.most_sessions) return CKR_SESSION_COUNT;
  const CK_RV code = real->C_OpenSession(slot, flags, data, notify, session);
  if (code == CKR_OK) sessions[*session] = slot;
  return code;
}

CK_RV close_session(CK_SESSION_HANDLE session) {
  const std::lock_guard lock(mutex);
  sessions.erase(session);
  return real->C_CloseSession(session);
}

CK_RV close_all_sessions(CK_SLOT_ID slot) {
  const std::lock_guard lock(mutex);
  std::erase_if(sessions, [&](const auto& one) { return one.second == slot; });
  return real->C_CloseAllSessions(slot);
}

CK_RV finalize(void* reserved) {
  const std::lock_guard lock(mutex);
  sessions.clear();
  return real->C_Finalize(reserved);
}

CK_RV log_in(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR* pin, CK_ULONG size) {
  ++shim.logins;
  return real->C_Login(session, user, pin, size);
}

CK_RV sign_init(CK_SESSION_HANDLE session, CK_MECHANISM* mechanism, CK_OBJECT_HANDLE key) {
  return is_absent(slot_of(session)) ? CKR_DEVICE_REMOVED : real->C_SignInit(session, mechanism, key);
}

CK_RV sign(CK_SESSION_HANDLE session, CK_BYTE* data, CK_ULONG size, CK_BYTE* signature,
           CK_ULONG* signature_size) {
  const CK_SLOT_ID slot = slot_of(session);
  if (slot == shim.hanging) {
    ++shim.hung;
    while (slot == shim.hanging) std::this_thread::yield();
    --shim.hung;
  }
  const std::uint64_t number = ++shim.signatures;
  const std::uint64_t every = shim.fail_every;
  if ((every != 0 && number % every == 0) || slot == shim.failing) return shim.fail_with;
  return real->C_Sign(session, data, size, signature, signature_size);
}

bool load() {
  if (real != nullptr) return true;
  const char* path = std::getenv("PKCS11_SHIM_MODULE");
  void* library = path == nullptr ? nullptr : dlopen(path, RTLD_NOW | RTLD_LOCAL);
  void* symbol = library == nullptr ? nullptr : dlsym(library, "C_GetFunctionList");
  CK_C_GetFunctionList get = nullptr;
  std::memcpy(&get, &symbol, sizeof get);
  if (get == nullptr || get(&real) != CKR_OK) return false;
  ours = *real;
  ours.C_Initialize = initialize;
  ours.C_GetSlotList = get_slot_list;
  ours.C_GetTokenInfo = get_token_info;
  ours.C_Finalize = finalize;
  ours.C_OpenSession = open_session;
  ours.C_CloseSession = close_session;
  ours.C_CloseAllSessions = close_all_sessions;
  ours.C_Login = log_in;
  ours.C_SignInit = sign_init;
  ours.C_Sign = sign;
  return true;
}

}  // namespace

extern "C" {

__attribute__((visibility("default"))) Pkcs11Shim* pkcs11_shim() { return &shim; }

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST** list) {
  const std::lock_guard lock(mutex);
  if (!load()) return CKR_GENERAL_ERROR;
  *list = &ours;
  return CKR_OK;
}

}  // extern "C"
