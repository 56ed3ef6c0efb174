// Result<T>: what every fallible call of the SDK returns.
//
// Expected failures are values, not exceptions: an exception that leaves a plugin is a bug, is caught at
// one guard in the host, logged against the plugin and turned into Code::internal. The code set is closed
// on purpose. Only protocol plugins translate codes into what their peers read (ACME problems, HTTP
// statuses, SCEP failInfo, OCSP response status); everyone else returns them untouched.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace hanaper {

enum class Code : std::uint8_t {
  malformed,        // the input does not have the form its specification demands
  unauthenticated,  // nobody has shown who asks
  forbidden,        // known, and not allowed
  not_found,        // the thing named does not exist
  conflict,         // it exists already, or somebody else changed it first
  rejected,         // policy refuses the names or the request as a whole
  bad_csr,          // the certification request is unacceptable
  bad_key,          // the public key is unacceptable, whoever asks
  rate_limited,     // too much, too often: retry_after says when
  unavailable,      // a part we need is away; the same call may succeed later
  unsupported,      // well formed, but not something this host does
  internal,         // our own fault; detail is for the log only
  pending,          // somebody has yet to approve it: ask again, retry_after says when
};

// The names of codes as they appear in logs, metrics and answers, in the order above.
inline constexpr std::string_view code_names[] = {
    "malformed", "unauthenticated", "forbidden",   "not_found",   "conflict", "rejected", "bad_csr",
    "bad_key",   "rate_limited",    "unavailable", "unsupported", "internal", "pending"};
static_assert(std::size(code_names) == static_cast<std::size_t>(Code::pending) + 1);

// "bad_csr".
constexpr std::string_view to_string(Code code) noexcept {
  const auto number = static_cast<std::size_t>(code);
  return number < std::size(code_names) ? code_names[number] : "unknown";
}
// The code of that name; internal for what is none.
constexpr Code code_named(std::string_view name) noexcept {
  for (std::size_t i = 0; i < std::size(code_names); ++i)
    if (code_names[i] == name) return static_cast<Code>(i);
  return Code::internal;
}

// Why a call failed. `detail` is one line, lower case, without a full stop; it names the thing, and it may
// be shown to the peer unless the code is internal.
struct Error {
  Code code = Code::internal;
  std::string detail;
  std::optional<std::chrono::seconds> retry_after = {};

  // The same error one layer up: "context: detail".
  Error within(std::string_view context) && {
    detail.insert(0, ": ").insert(0, context);
    return std::move(*this);
  }
};

inline Error malformed(std::string detail) { return {Code::malformed, std::move(detail)}; }
inline Error not_found(std::string detail) { return {Code::not_found, std::move(detail)}; }
inline Error conflict(std::string detail) { return {Code::conflict, std::move(detail)}; }
inline Error rejected(std::string detail) { return {Code::rejected, std::move(detail)}; }
inline Error bad_csr(std::string detail) { return {Code::bad_csr, std::move(detail)}; }
inline Error bad_key(std::string detail) { return {Code::bad_key, std::move(detail)}; }
inline Error forbidden(std::string detail) { return {Code::forbidden, std::move(detail)}; }
inline Error unsupported(std::string detail) { return {Code::unsupported, std::move(detail)}; }
inline Error internal(std::string detail) { return {Code::internal, std::move(detail)}; }
inline Error pending(std::string detail, std::chrono::seconds retry_after) {
  return {Code::pending, std::move(detail), retry_after};
}
inline Error unavailable(std::string detail, std::chrono::seconds retry_after = std::chrono::seconds{5}) {
  return {Code::unavailable, std::move(detail), retry_after};
}

// Either a value or an Error; never neither. Reading the value of a failed Result is a bug and throws
// std::bad_variant_access. Not synchronised: a Result belongs to one thread at a time.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}
  template <class U>
  requires(std::is_convertible_v<U, T> && !std::is_same_v<std::remove_cvref_t<U>, T> &&
           !std::is_same_v<std::remove_cvref_t<U>, Error> && !std::is_same_v<std::remove_cvref_t<U>, Result>)
      Result(U&& value)
      : state_(std::in_place_index<0>, std::forward<U>(value)) {}

  bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }

  T& operator*() & { return std::get<0>(state_); }
  const T& operator*() const& { return std::get<0>(state_); }
  T&& operator*() && { return std::get<0>(std::move(state_)); }
  T* operator->() { return &std::get<0>(state_); }
  const T* operator->() const { return &std::get<0>(state_); }

  Error& error() & { return std::get<1>(state_); }
  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }

  T value_or(T fallback) && { return has_value() ? std::get<0>(std::move(state_)) : std::move(fallback); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  bool has_value() const noexcept { return !error_.has_value(); }
  explicit operator bool() const noexcept { return has_value(); }

  Error& error() & { return error_.value(); }
  const Error& error() const& { return error_.value(); }
  Error&& error() && { return std::move(error_).value(); }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace hanaper

#define HANAPER_JOIN_(a, b) a##b
#define HANAPER_JOIN(a, b) HANAPER_JOIN_(a, b)

// HANAPER_TRY(auto key, find(label)): declares `key` from the value, or returns the error to the caller.
#define HANAPER_TRY(declaration, expression)                                                                 \
  auto HANAPER_JOIN(hanaper_try_, __LINE__) = (expression);                                                  \
  if (!HANAPER_JOIN(hanaper_try_, __LINE__)) return std::move(HANAPER_JOIN(hanaper_try_, __LINE__)).error(); \
  declaration = *std::move(HANAPER_JOIN(hanaper_try_, __LINE__))

// HANAPER_CHECK(start()): returns the error to the caller if there is one.
#define HANAPER_CHECK(expression) \
  if (auto hanaper_check = (expression); !hanaper_check) return std::move(hanaper_check).error()
