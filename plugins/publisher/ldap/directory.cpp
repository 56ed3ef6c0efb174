#include "directory.hpp"

#include <ldap.h>

#include <poll.h>
#include <sys/time.h>

#include <cerrno>
#include <list>

namespace hanaper::directory {
namespace {

// What belongs to libldap, freed when it goes.
struct FreeDn {
  void operator()(LDAPDN dn) const noexcept { ldap_dnfree(dn); }
};
using Dn = std::unique_ptr<std::remove_pointer_t<LDAPDN>, FreeDn>;

Dn parse_dn(const std::string& text) {
  LDAPDN dn = nullptr;
  if (ldap_str2dn(text.c_str(), &dn, LDAP_DN_FORMAT_LDAPV3) != LDAP_SUCCESS) return nullptr;
  return Dn(dn);
}

berval view(const Bytes& octets) {
  return {octets.size(), const_cast<char*>(reinterpret_cast<const char*>(octets.data()))};
}

// One attribute of a change, in the form that libldap takes; outlived by what it was made from.
class Mod {
 public:
  Mod(int operation, std::string type, std::vector<Bytes> values)
      : type_(std::move(type)), values_(std::move(values)) {
    for (const Bytes& value : values_) views_.push_back(view(value));
    for (berval& one : views_) pointers_.push_back(&one);
    pointers_.push_back(nullptr);
    mod_.mod_op = operation | LDAP_MOD_BVALUES;
    mod_.mod_type = type_.data();
    mod_.mod_bvalues = pointers_.data();
  }
  Mod(const Mod&) = delete;
  Mod& operator=(const Mod&) = delete;
  LDAPMod* get() noexcept { return &mod_; }

 private:
  std::string type_;
  std::vector<Bytes> values_;
  std::vector<berval> views_;
  std::vector<berval*> pointers_;
  LDAPMod mod_{};
};

Bytes octets(std::string_view text) { return to_bytes(as_bytes(text)); }

// What the server or the connection will be over, sooner or later; and what is wrong with our account, which
// is no fault of the event.
bool may_pass(int code) {
  if (code < 0) return true;  // libldap's own: connection, time, memory
  switch (code) {
    case LDAP_BUSY:
    case LDAP_UNAVAILABLE:
    case LDAP_UNWILLING_TO_PERFORM:
    case LDAP_ADMINLIMIT_EXCEEDED:
    case LDAP_TIMELIMIT_EXCEEDED:
    case LDAP_OPERATIONS_ERROR:
    case LDAP_OTHER:
    case LDAP_REFERRAL:
    case LDAP_INVALID_CREDENTIALS:
    case LDAP_INAPPROPRIATE_AUTH:
    case LDAP_INSUFFICIENT_ACCESS:
    case LDAP_CONFIDENTIALITY_REQUIRED:
    case LDAP_STRONG_AUTH_REQUIRED:
      return true;
    default:
      return false;
  }
}

// How long one read or write may wait, and where.
struct Waits {
  ber_socket_t socket = -1;
  int milliseconds = 0;
};

// libldap waits for ever in a handshake, and takes a socket that timed out for one that is to be asked again.
// So this layer stands between it and the socket, which never blocks for longer than it may.
int add_layer(Sockbuf_IO_Desc* layer, void* waits) {
  layer->sbiod_pvt = waits;
  return 0;
}
int remove_layer(Sockbuf_IO_Desc*) { return 0; }
int control_layer(Sockbuf_IO_Desc* layer, int option, void* argument) {
  return LBER_SBIOD_CTRL_NEXT(layer, option, argument);
}
// Whether the socket is ready in time; else errno says that it is not.
bool is_ready(Sockbuf_IO_Desc* layer, short events) {
  const auto* waits = static_cast<const Waits*>(layer->sbiod_pvt);
  pollfd one{waits->socket, events, 0};
  const Deadline deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds{waits->milliseconds};
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    const int ready = left > 0 ? ::poll(&one, 1, static_cast<int>(left)) : 0;
    if (ready > 0) return true;
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) errno = ETIMEDOUT;
    return false;
  }
}
ber_slen_t read_layer(Sockbuf_IO_Desc* layer, void* octets, ber_len_t size) {
  return is_ready(layer, POLLIN) ? LBER_SBIOD_READ_NEXT(layer, octets, size) : -1;
}
ber_slen_t write_layer(Sockbuf_IO_Desc* layer, void* octets, ber_len_t size) {
  return is_ready(layer, POLLOUT) ? LBER_SBIOD_WRITE_NEXT(layer, octets, size) : -1;
}
int close_layer(Sockbuf_IO_Desc*) { return 0; }
Sockbuf_IO time_limit{add_layer, remove_layer, control_layer, read_layer, write_layer, close_layer};

int limit_waits(LDAP*, Sockbuf* buffer, LDAPURLDesc*, sockaddr*, ldap_conncb* self) {
  auto* waits = static_cast<Waits*>(self->lc_arg);
  if (ber_sockbuf_ctrl(buffer, LBER_SB_OPT_GET_FD, &waits->socket) != 1) return -1;
  return ber_sockbuf_add_io(buffer, &time_limit, LBER_SBIOD_LEVEL_PROVIDER + 5, waits);
}

void forget_connection(LDAP*, Sockbuf*, ldap_conncb*) {}

}  // namespace

struct Connection::Handle {
  LDAP* ldap = nullptr;
  std::string url;
  timeval time{};
  Waits waits;
  ldap_conncb connected{};
  ~Handle() {
    if (ldap != nullptr) ldap_unbind_ext_s(ldap, nullptr, nullptr);
  }
};

Connection::Connection(std::unique_ptr<Handle> handle) : handle_(std::move(handle)) {}
Connection::~Connection() = default;

// Each handle has settings of its own, whatever ldap.conf and the environment say.
Result<std::unique_ptr<Connection>> Connection::open(const Place& place) {
  auto handle = std::make_unique<Handle>();
  handle->url = place.url;
  const auto failed = [&](std::string_view what, int code) {
    char* more = nullptr;
    ldap_get_option(handle->ldap, LDAP_OPT_DIAGNOSTIC_MESSAGE, &more);
    const std::string text = more != nullptr && *more != '\0' ? " (" + std::string(more) + ")" : "";
    ldap_memfree(more);
    return unavailable(place.url + ": " + std::string(what) + ": " + ldap_err2string(code) + text);
  };
  if (const int code = ldap_initialize(&handle->ldap, place.url.c_str()); code != LDAP_SUCCESS)
    return failed("no connection", code);
  LDAP* const ldap = handle->ldap;
  const int version = LDAP_VERSION3, demand = LDAP_OPT_X_TLS_DEMAND, hard = LDAP_OPT_X_TLS_HARD, fresh = 0,
            least = LDAP_OPT_X_TLS_PROTOCOL_TLS1_2;
  handle->time = {place.timeout.count() / 1000, place.timeout.count() % 1000 * 1000};
  handle->waits.milliseconds = static_cast<int>(place.timeout.count());
  handle->connected = {limit_waits, forget_connection, &handle->waits};
  const char* const ca = place.ca.empty() ? "/etc/ssl/certs/ca-certificates.crt" : place.ca.c_str();
  ldap_set_option(ldap, LDAP_OPT_PROTOCOL_VERSION, &version);
  ldap_set_option(ldap, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
  ldap_set_option(ldap, LDAP_OPT_RESTART, LDAP_OPT_ON);
  ldap_set_option(ldap, LDAP_OPT_NETWORK_TIMEOUT, &handle->time);
  ldap_set_option(ldap, LDAP_OPT_TIMEOUT, &handle->time);
  ldap_set_option(ldap, LDAP_OPT_CONNECT_CB, &handle->connected);
  const bool tls = place.url.starts_with("ldaps://");
  if (tls || place.start_tls) {
    const bool set = ldap_set_option(ldap, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand) == LDAP_SUCCESS &&
                     ldap_set_option(ldap, LDAP_OPT_X_TLS_PROTOCOL_MIN, &least) == LDAP_SUCCESS &&
                     ldap_set_option(ldap, LDAP_OPT_X_TLS_CACERTDIR, "") == LDAP_SUCCESS &&
                     ldap_set_option(ldap, LDAP_OPT_X_TLS_CACERTFILE, ca) == LDAP_SUCCESS &&
                     (!tls || ldap_set_option(ldap, LDAP_OPT_X_TLS, &hard) == LDAP_SUCCESS) &&
                     ldap_set_option(ldap, LDAP_OPT_X_TLS_NEWCTX, &fresh) == LDAP_SUCCESS;
    if (!set) return unavailable(place.url + ": TLS cannot be set up with " + ca);
  }
  if (!tls && place.start_tls)
    if (const int code = ldap_start_tls_s(ldap, nullptr, nullptr); code != LDAP_SUCCESS)
      return failed("no StartTLS", code);
  const std::string_view password = place.password.reveal();
  berval credentials{password.size(), const_cast<char*>(password.data())};
  if (const int code = ldap_sasl_bind_s(ldap, place.bind.empty() ? nullptr : place.bind.c_str(),
                                        LDAP_SASL_SIMPLE, &credentials, nullptr, nullptr, nullptr);
      code != LDAP_SUCCESS)
    return failed("not bound as \"" + place.bind + "\"", code);
  return std::unique_ptr<Connection>(new Connection(std::move(handle)));
}

Status Connection::outcome(int code, std::string_view what) {
  good_ = code >= 0;
  if (code == LDAP_SUCCESS) return {};
  const std::string text = handle_->url + ": " + std::string(what) + ": " + ldap_err2string(code);
  if (may_pass(code)) return unavailable(text);
  if (code == LDAP_NO_SUCH_OBJECT) return not_found(text);
  if (code == LDAP_OBJECT_CLASS_VIOLATION) return conflict(text);
  return Error{Code::rejected, text};
}

Status Connection::change(const std::string& dn, Change change, const Attribute& attribute) {
  const int operation = change == Change::add      ? LDAP_MOD_ADD
                        : change == Change::remove ? LDAP_MOD_DELETE
                                                   : LDAP_MOD_REPLACE;
  Mod mod(operation, attribute.name, {attribute.value});
  LDAPMod* mods[] = {mod.get(), nullptr};
  const int code = ldap_modify_ext_s(handle_->ldap, dn.c_str(), mods, nullptr, nullptr);
  if (change == Change::add && code == LDAP_TYPE_OR_VALUE_EXISTS) return {};
  if (change == Change::remove && code == LDAP_NO_SUCH_ATTRIBUTE) return {};
  return outcome(code, dn);
}

Status Connection::add_class(const std::string& dn, const std::string& object_class) {
  Mod mod(LDAP_MOD_ADD, "objectClass", {octets(object_class)});
  LDAPMod* mods[] = {mod.get(), nullptr};
  const int code = ldap_modify_ext_s(handle_->ldap, dn.c_str(), mods, nullptr, nullptr);
  if (code == LDAP_TYPE_OR_VALUE_EXISTS) return {};
  return outcome(code, dn);
}

Status Connection::add(const std::string& dn, const std::vector<std::string>& object_classes,
                       const Attribute& attribute) {
  const Dn parsed = parse_dn(dn);
  if (!parsed || parsed.get()[0] == nullptr) return malformed("\"" + dn + "\" is no distinguished name");
  std::vector<Bytes> classes;
  for (const std::string& name : object_classes) classes.push_back(octets(name));
  std::list<Mod> parts;
  parts.emplace_back(LDAP_MOD_ADD, "objectClass", std::move(classes));
  parts.emplace_back(LDAP_MOD_ADD, attribute.name, std::vector<Bytes>{attribute.value});
  // RFC 4511 4.7: the attributes of the entry's own name belong to it.
  for (const LDAPAVA* const* ava = parsed.get()[0]; *ava != nullptr; ++ava) {
    const berval& name = (*ava)->la_attr;
    const berval& value = (*ava)->la_value;
    parts.emplace_back(LDAP_MOD_ADD, std::string(name.bv_val, name.bv_len),
                       std::vector<Bytes>{octets({value.bv_val, value.bv_len})});
  }
  std::vector<LDAPMod*> mods;
  for (Mod& part : parts) mods.push_back(part.get());
  mods.push_back(nullptr);
  return outcome(ldap_add_ext_s(handle_->ldap, dn.c_str(), mods.data(), nullptr, nullptr), dn);
}

std::string escaped(std::string_view value) {
  std::string text;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    const bool end = i == 0 || i + 1 == value.size();
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) {
      text += "\\" + to_hex(as_bytes({&c, 1}));
      continue;
    }
    const bool special = std::string_view("\"+,;<>\\=").find(c) != std::string_view::npos ||
                         (c == '#' && i == 0) || (c == ' ' && end);
    if (special) text.push_back('\\');
    text.push_back(c);
  }
  return text;
}

Status check_dn(const std::string& dn) {
  if (!parse_dn(dn)) return malformed("\"" + dn + "\" is no distinguished name");
  return {};
}

}  // namespace hanaper::directory
