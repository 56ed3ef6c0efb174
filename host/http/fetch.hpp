// HTTP as a command needs it now and then: one question, one answer, whatever the machine trusts.
#pragma once

#include <hanaper/result.hpp>
#include <hanaper/values.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace hanaper::http::outside {

// Whose certificates are believed. `anybody` is for what is checked otherwise, by a fingerprint.
struct Anchors {
  enum class Kind : std::uint8_t { system, file, anybody } kind = Kind::system;
  std::string file;  // PEM
};

struct Asked {
  std::string method = "GET", content_type = {};
  std::string body = {};
  Anchors trust = {};
  std::chrono::seconds timeout{10};  // for all of it
};

struct Fetched {
  int status = 0;
  std::string body;
  std::vector<Bytes> chain;  // what the server sent, its own first; none without TLS
  std::chrono::milliseconds took{0};
};

// Bodies up to 16 MiB; no redirects. Names are looked up as the machine does, and every address is good.
// malformed: the URL or the file of anchors is none. unavailable: nobody answers as HTTP, or the server's
// certificate is not good.
Result<Fetched> fetch(const std::string& url, const Asked& asked);

}  // namespace hanaper::http::outside
