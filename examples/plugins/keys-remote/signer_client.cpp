#include "signer_client.hpp"

using hanaper::Result;
using hanaper::Status;
using hanaper::json::Value;

Result<Value> SignerClient::ask(hanaper::json::Object question) {
  auto connected = line();
  reachable_ = connected.has_value();
  if (!connected) return std::move(connected).error();
  auto answer = converse(*connected, Value(std::move(question)));
  reachable_ = answer.has_value();
  if (!answer) return answer;
  {
    const hanaper::Lock lock(mutex_);
    idle_.push_back(*std::move(connected));
  }
  if (answer->find("error") != nullptr) return wire::to_error(*answer);
  return answer;
}

Status SignerClient::health() const {
  return reachable_ ? Status{} : hanaper::unavailable("no signer at " + socket_);
}

// One that is left from earlier, unless the signer has been restarted meanwhile; else a new one.
Result<wire::Line> SignerClient::line() {
  {
    const hanaper::Lock lock(mutex_);
    while (!idle_.empty()) {
      wire::Line line = std::move(idle_.back());
      idle_.pop_back();
      if (!line.stale()) return line;
    }
  }
  HANAPER_TRY(const int socket, wire::connect(socket_));
  wire::Line line(socket);
  line.set_timeout(timeout_);
  return line;
}

Result<Value> SignerClient::converse(wire::Line& line, const Value& question) {
  HANAPER_CHECK(line.send(question));
  return line.receive();
}
