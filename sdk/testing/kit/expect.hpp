// What is said of a call that breaks a promise.
#pragma once

#include <hanaper/result.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>

namespace hanaper::kit {

// An error that operators and peers can be shown (result.hpp).
inline void expect_readable(const Error& error, std::string_view call) {
  const std::string& text = error.detail;
  EXPECT_FALSE(text.empty()) << call << ": an error of code " << to_string(error.code)
                             << " has no detail; say what is wrong and with what";
  EXPECT_EQ(text.find_first_of("\r\n"), std::string::npos) << call << ": a detail is one line: " << text;
  EXPECT_FALSE(text.ends_with('.')) << call << ": a detail has no full stop: " << text;
}

// That `call` throws nothing and gives a value, or an error of one of those codes.
template <class Call>
auto expect_kept(std::string_view name, std::initializer_list<Code> codes, Call&& call) -> decltype(call()) {
  try {
    auto result = call();
    if (result) return result;
    const Error& error = result.error();
    expect_readable(error, name);
    std::string allowed;
    for (Code code : codes) allowed += (allowed.empty() ? "" : ", ") + std::string(to_string(code));
    EXPECT_TRUE(std::ranges::find(codes, error.code) != codes.end())
        << name << " gives " << to_string(error.code) << ": " << error.detail << "\nIts header allows "
        << allowed;
    return result;
  } catch (const std::exception& error) {
    ADD_FAILURE()
        << name << " throws: " << error.what()
        << "\nWhat is expected to fail is an Error (result.hpp); nothing leaves a plugin as an exception";
  } catch (...) {
    ADD_FAILURE() << name << " throws something that is no std::exception; nothing may leave a plugin so";
  }
  return Error{Code::internal, "it threw"};
}

}  // namespace hanaper::kit
