// Errors as ACME clients read them (RFC 8555 6.7, RFC 7807). The only place where the SDK's codes become
// problem types.
#pragma once

#include <hanaper/host.hpp>
#include <hanaper/toolkit/json.hpp>

namespace hanaper::acme {

struct Problem {
  int status = 500;
  std::string type;  // without the URN: "badNonce"
  std::string detail;
  std::optional<std::chrono::seconds> retry_after = {};
  std::optional<Identifier> identifier = {};  // in subproblems only
  std::vector<Problem> subproblems = {};
  json::Object extra = {};           // "algorithms"
  std::string allow = {};            // methods, with 405 (RFC 9110 15.5.6)
  std::vector<Header> headers = {};  // Link, Location
};

// What a handler returns: a response, or a problem to present.
template <class T>
class Outcome {
 public:
  Outcome(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Outcome(Problem problem) : state_(std::in_place_index<1>, std::move(problem)) {}
  explicit operator bool() const noexcept { return state_.index() == 0; }
  T& operator*() { return std::get<0>(state_); }
  T* operator->() { return &std::get<0>(state_); }
  Problem& problem() { return std::get<1>(state_); }

 private:
  std::variant<T, Problem> state_;
};

Problem malformed_problem(std::string detail, int status = 400);
// An SDK error that has no more special meaning where it happened. Internal details stay in the log.
Problem problem_of(const Error& error, const Call& call);

json::Value to_json(const Problem& problem);
Response present(const Problem& problem);

// An Outcome's value, or the problem to the caller.
#define ACME_TRY(declaration, expression)                                                                \
  auto HANAPER_JOIN(acme_try_, __LINE__) = (expression);                                                 \
  if (!HANAPER_JOIN(acme_try_, __LINE__)) return std::move(HANAPER_JOIN(acme_try_, __LINE__).problem()); \
  declaration = std::move(*HANAPER_JOIN(acme_try_, __LINE__))

}  // namespace hanaper::acme
