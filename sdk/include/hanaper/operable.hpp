// Operations: what an operator can have an instance do, as in `hanaper crl generate`.
//
// A plugin says in tables of constants which operations it brings: words, parameters, columns of the answer.
// Out of these the host makes the command, its help, its completion, its manual and its description for HTTP,
// checks every argument before the plugin sees it, and prints what the plugin answers.
#pragma once

#include <hanaper/protocol.hpp>

#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace hanaper {

// What a caller must be allowed to do.
enum class Permission : std::uint32_t {
  certificates_read,     // look at certificates and what is known of them
  certificates_request,  // have certificates issued
  certificates_revoke,   // revoke them, hold them, release them
  requests_decide,       // approve and deny
  discovery_run,         // look for certificates in the network
  inventory_edit,        // say who answers for a certificate
  audit_read,            // read the audit
  system_read,           // look at the node, its keys, accounts, CRLs
  system_operate,        // change them
};
inline constexpr std::size_t permission_count = 9;

// "certificates:read"
constexpr std::string_view to_string(Permission permission) noexcept {
  constexpr std::string_view names[permission_count] = {
      "certificates:read", "certificates:request", "certificates:revoke", "requests:decide", "discovery:run",
      "inventory:edit",    "audit:read",           "system:read",         "system:operate"};
  return names[static_cast<std::size_t>(permission)];
}

// How an argument is written, and what it is once it was checked.
enum class ParameterType : std::uint32_t {
  text,         // up to 4,096 octets of UTF-8 without control characters; bounds: "1..64" octets
  integer,      // bounds: "1..100"
  boolean,      // a switch on the command line
  duration,     // "90d", "500ms"; bounds: "1s..1y"
  time,         // RFC 3339: "2026-11-21T18:50:00Z"
  choice,       // bounds: "a|b|c"
  certificate,  // a serial number in hexadecimal, or the certificate as PEM; a file on the command line
  content,      // octets, base64 in JSON: the command line reads them from a file
  secret,       // the same, never shown or logged
  place,        // an absolute path on the node: never by HTTP
};

// One argument of an operation. On the command line "key_type" is the option --key-type, unless it is a word.
struct Parameter {
  static constexpr std::uint32_t required = 1;  // has to be given
  static constexpr std::uint32_t word =
      2;  // stands without its name behind the command, in the order of the table
  static constexpr std::uint32_t repeats = 4;  // may be given several times, up to 10,000: text, choice

  std::string_view name;           // a-z, 0-9, _
  ParameterType type;              //
  std::uint32_t form = 0;          // of the three above
  std::string_view fallback = {};  // as it would be written, when it is not given; empty: it is absent then
  std::string_view bounds = {};    // see ParameterType; empty: none
  std::string_view doc = {};       // one sentence without full stop

  constexpr bool is(std::uint32_t form_wanted) const noexcept { return (form & form_wanted) != 0; }
};

enum class ColumnType : std::uint32_t {
  text,     //
  integer,  //
  boolean,  //
  time,     // RFC 3339 text
  texts,    // an array of texts
  rows,     // an array of objects, whose columns are given
  content,  // octets, base64 in JSON: the command line writes them to standard output, or to the file of
            // --out
};

// One member of an answer, and one column of the table that people see.
struct Column {
  std::string_view name;                 // "not_after": NOT AFTER above the table
  ColumnType type = ColumnType::text;    //
  bool shown = true;                     // to people; programs see all
  std::span<const Column> columns = {};  // of rows
  std::string_view doc = {};             // where the name does not say it; one sentence without full stop
};

enum class AnswerForm : std::uint32_t {
  one,   // an object
  list,  // rows: a JSON array of objects, no more than 10,000
};

// One operation. All of it is constant and lives as long as the program.
struct Operation {
  // "eab create": on the command line behind the plugin's name, a-z, 0-9, - and single blanks. Every
  // operation of a plugin has other words.
  std::string_view words;
  // "POST /external-keys": method and path, below the plugin's own. A parameter that is required may stand in
  // the path as {name}; the others of a GET or DELETE are its query, of a POST or PUT its body. Empty: not by
  // HTTP.
  std::string_view http;
  std::string_view summary;  // one sentence without full stop
  Permission permission;
  AnswerForm answer = AnswerForm::one;
  std::span<const Parameter> parameters = {};
  std::span<const Column> columns = {};
  // Where several instances bring it, one has to be named with --instance. Otherwise all of them are asked:
  // rows are put together, of `one` the first answer counts, and whoever answers not_found is passed over.
  bool names_instance = false;
};

// The certificate that an argument names.
struct NamedCertificate {
  Serial serial;
  Bytes certificate = {};  // DER; empty when it was named by its serial number
};

// The arguments of one call: those the operation declares, of their types and within bounds; what has a
// fallback is there. Asking for another name or as another type is a bug and throws. Plain data, for one
// thread at a time.
class Arguments {
 public:
  using Value = std::variant<std::monostate, std::string, std::vector<std::string>, std::int64_t, bool,
                             std::chrono::milliseconds, Time, NamedCertificate, Secret>;

  bool has(std::string_view name) const { return !std::holds_alternative<std::monostate>(value(name)); }
  // Of text, choice, place, and content, whose octets it holds. Empty when it is not given.
  const std::string& text(std::string_view name) const {
    static const std::string none;
    return has(name) ? get<std::string>(name) : none;
  }
  // Empty when it is not given.
  const std::vector<std::string>& texts(std::string_view name) const {
    static const std::vector<std::string> none;
    return has(name) ? get<std::vector<std::string>>(name) : none;
  }
  bool boolean(std::string_view name) const { return has(name) && get<bool>(name); }
  // Those of what is required, or has a fallback; ask has() first where neither holds.
  std::int64_t integer(std::string_view name) const { return get<std::int64_t>(name); }
  std::chrono::milliseconds duration(std::string_view name) const {
    return get<std::chrono::milliseconds>(name);
  }
  Time time(std::string_view name) const { return get<Time>(name); }
  const NamedCertificate& certificate(std::string_view name) const { return get<NamedCertificate>(name); }
  const Secret& secret(std::string_view name) const { return get<Secret>(name); }

  void set(std::string name, Value value) { values_.insert_or_assign(std::move(name), std::move(value)); }

 private:
  const Value& value(std::string_view name) const {
    const auto found = values_.find(name);
    if (found == values_.end()) throw std::out_of_range("no parameter " + std::string(name) + " is declared");
    return found->second;
  }
  template <class T>
  const T& get(std::string_view name) const {
    return std::get<T>(value(name));
  }

  std::map<std::string, Value, std::less<>> values_;
};

// Optional: what an operator can have an instance do. Thread-safe.
class Operable {
 public:
  static constexpr std::string_view ability_id = "hanaper.operable/1";

  // [any] The same for every instance of the plugin. It is asked of instances that are not configured, too:
  // help and completion need no configuration.
  virtual std::span<const Operation> operations() const noexcept = 0;

  // [worker] Runs the operation with these words and answers a JSON text as its `answer` and columns say.
  // `caller` is who asks, for the audit and for what names a requester. The instance is configured; it may
  // not be started.
  virtual Result<std::string> operate(std::string_view words, const Arguments& arguments,
                                      std::string_view caller, Call& call) = 0;

 protected:
  ~Operable() = default;
};

}  // namespace hanaper
