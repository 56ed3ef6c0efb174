// Whom a connection of a trusted proxy is for: the client that the proxy names before it, or in each request.
#include "forwarded.hpp"
#include "session.hpp"

#include <hanaper/toolkit/identifiers.hpp>

#include <sys/socket.h>

#include <cerrno>

namespace hanaper::http {

// The header is looked at before it is taken, because what is behind it is for TLS or for the reader of
// requests. What belongs to it is taken each time: octets that stay would be announced again and again.
void Session::hear_proxy() {
  char octets[ProxyHeader::largest];
  const int socket = socket_.native_handle();
  const ssize_t seen = ::recv(socket, octets, announced_->wanted(), MSG_PEEK);
  if (seen < 0 && (errno == EAGAIN || errno == EINTR)) return wait_readable();
  if (seen <= 0) {
    // Whoever only looks whether somebody listens has asked for nothing.
    if (!announced_->has_begun()) return close();
    return refuse_proxy("the PROXY header is cut off");
  }
  const std::size_t own = announced_->take({octets, static_cast<std::size_t>(seen)});
  if (announced_->state() == ProxyHeader::State::malformed) return refuse_proxy(announced_->fault());
  if (::recv(socket, octets, own, 0) != static_cast<ssize_t>(own)) return close();
  if (announced_->state() == ProxyHeader::State::incomplete) return wait_readable();
  const std::unique_ptr<ProxyHeader> header = std::move(announced_);
  introduce(header->client());
}

void Session::introduce(ByteView client) {
  if (client.empty()) return begin();  // the proxy itself
  const std::string address = x509::ip_text(client), name = x509::client_of(address);
  Shares& connections = listener_->connections;
  if (!connections.pass_on(ListenerState::proxy_name(proxy_), name, 1, connections.each())) {
    listener_->shed.add();
    if (listener_->want_of_room.may_tell())
      thread_.log().warning("connections are closed at once, because there are too many",
                            {{"listener", listener_->listener.config.name},
                             {"client", address},
                             {"proxy", proxy_},
                             {"open", std::to_string(connections.taken())}});
    return close();
  }
  address_ = address;
  client_ = name;
  proxy_.clear();
  begin();
}

void Session::refuse_proxy(std::string_view error) {
  listener_->refused.add();
  if (listener_->wrong_proxies.may_tell())
    thread_.log().warning(
        "connections of a proxy are closed, because they do not say whom they are for",
        {{"listener", listener_->listener.config.name}, {"proxy", proxy_}, {"error", std::string(error)}});
  close();
}

bool Session::find_client(bool header_complete) {
  const config::ListenerConfig& config = listener_->listener.config;
  if (proxy_.empty() || !config.forwarded) return true;
  if (!header_complete) return count_for(ListenerState::proxy_name(proxy_));
  const auto named = forwarded_client(thread_.request.headers, config.proxies);
  address_ = named ? x509::ip_text(*named) : proxy_;
  return count_for(x509::client_of(address_));
}

bool Session::count_for(std::string client) {
  client.swap(client_);
  if (held_ == 0 || thread_.commons().memory.pass_on(client, client_, held_, most_memory())) return true;
  client.swap(client_);
  return false;
}

std::size_t Session::most_memory() const {
  const Shares& memory = thread_.commons().memory;
  const bool nobodys = !proxy_.empty() && client_ == ListenerState::proxy_name(proxy_);
  return nobodys ? memory.all() : memory.each();
}

}  // namespace hanaper::http
