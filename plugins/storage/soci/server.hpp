// What the dialects with a server have in common: whom to call, as whom, and how long to wait.
#pragma once

#include "dialect.hpp"

#include <hanaper/plugin.hpp>

namespace hanaper::sql {

// One place where a server may answer: a host and port, or the path of a socket.
struct Place {
  std::string host;  // empty: `socket`
  std::uint16_t port = 0;
  std::string socket;

  std::string text() const { return host.empty() ? socket : host + ":" + std::to_string(port); }
};

struct Access {
  std::vector<Place> places;  // in the order of preference
  std::string database;
  std::string user;
  Secret password;
  std::string ca;           // PEM file; empty: TLS is neither asked for nor needed
  std::string certificate;  // PEM file, for servers that want one
  std::string key;
  std::chrono::seconds timeout{5};  // of one statement
};

inline constexpr std::chrono::seconds connect_timeout{2};

// "db1.example.test", "db1.example.test:3307", "[2001:db8::1]:3306", "/run/mysqld/mysqld.sock".
Result<Place> parse_place(std::string_view text, std::uint16_t default_port);

// From the keys that these dialects share.
Result<Access> read_access(const Settings& settings, std::uint16_t default_port);

}  // namespace hanaper::sql
