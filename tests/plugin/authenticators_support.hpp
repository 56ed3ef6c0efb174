// Authenticators as the host meets them: loaded from their shared objects, asked about a sender.
#pragma once

#include "loader/catalog.hpp"

#include <hanaper/testing/fake_host.hpp>
#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/files.hpp>

#include "../unit/temporary_folder.hpp"

#include <gtest/gtest.h>

namespace hanaper::test {

// What a request shows of its sender.
struct Sender {
  std::string authorization;
  std::vector<Bytes> chain;
  bool tls = true;
  std::string address = "192.0.2.7";
};

inline Result<Identity> ask(Plugin& plugin, const Sender& sender) {
  TlsPeer peer;
  for (const Bytes& certificate : sender.chain) peer.chain.push_back(certificate);
  const HeaderView header{"authorization", sender.authorization};
  Request request;
  if (!sender.authorization.empty()) request.headers = {&header, 1};
  if (sender.tls) request.tls = &peer;
  request.address = sender.address;
  Call call = fakes::test_call();
  return static_cast<Authenticator&>(plugin).authenticate(request, call);
}

}  // namespace hanaper::test
