// What comes in on a connection, until it is a request.
#include "session.hpp"

namespace hanaper::http {

void Session::read() {
  const long n = receive(thread_.read_buffer.get(), IoThread::read_size);
  if (n == would_block) return wants_write_ ? wait_writable() : wait_readable();
  if (n <= 0) return close();
  const std::string_view fresh(thread_.read_buffer.get(), static_cast<std::size_t>(n));
  if (kept_.empty()) return consume(fresh);
  const bool waits = gather(fresh);
  if (!hold()) return refuse(503);
  if (waits) return go_on();
  consume(kept_);
}

bool Session::gather(std::string_view fresh) {
  const std::size_t before = kept_.size();
  // A string would grow to twice its size. Whoever announces much has not sent it yet.
  if (kept_.capacity() < before + fresh.size()) {
    const std::size_t room = before + fresh.size() + before / 4;
    std::string larger;
    larger.reserve(wanted_ != 0 ? std::min(room, std::max(wanted_, before + fresh.size())) : room);
    larger += kept_;
    kept_.swap(larger);
  }
  kept_ += fresh;
  if (wanted_ != 0) return kept_.size() < wanted_;
  if (chunks_) return !chunks_->end_in(fresh);
  const std::size_t seam = before < 3 ? 0 : before - 3;
  return kept_.find("\r\n\r\n", seam) == std::string::npos &&
         kept_.size() <= listener_->limits.header + IoThread::read_size;
}

void Session::expect_more(const ReadResult& result, std::string_view octets) {
  const config::ListenerConfig& config = listener_->listener.config;
  // Each phase has one deadline, however slowly its octets come.
  if (phase_ != Phase::reading && !result.header_complete) set_deadline(config.header_timeout);
  phase_ = Phase::reading;
  if (!result.header_complete || body_begun_) return;
  body_begun_ = true;
  set_deadline(config.body_timeout);
  wanted_ = result.wanted;
  if (result.chunked) {
    chunks_.emplace(result.body_limit, listener_->limits.header);
    static_cast<void>(chunks_->end_in(octets.substr(result.body_at)));
  }
  if (thread_.request.expects_continue) thread_.out += "HTTP/1.1 100 Continue\r\n\r\n";
}

bool Session::hold() {
  constexpr std::size_t step = std::size_t{16} * 1024;  // so that not every octet is counted by itself
  if (listener_->control) return true;
  const std::size_t octets =
      kept_.capacity() + working_.capacity() + (request_ ? request_->joined.capacity() : 0);
  const std::size_t wanted = octets <= 4096 ? 0 : (octets + step - 1) / step * step;
  if (wanted > held_ && !thread_.commons().memory.take(client_, wanted - held_, most_memory())) return false;
  if (wanted < held_) thread_.commons().memory.give_back(client_, held_ - wanted);
  held_ = wanted;
  return true;
}

void Session::consume(std::string_view octets) {
  while (!octets.empty()) {
    const ReadResult result = read_request(octets, listener_->limits, thread_.request);
    if (result.state == ReadResult::State::refused) return refuse(result.status);
    const bool complete = result.state == ReadResult::State::complete;
    if (!find_client(complete || result.header_complete)) return refuse(503);
    if (!complete) {
      // Both who count chunks must see the same end.
      if (body_begun_) return refuse(400);
      expect_more(result, octets);
      break;
    }
    body_begun_ = false;
    wanted_ = 0;
    chunks_.reset();
    if (close_after_write_ || thread_.commons().leaving) thread_.request.keep_alive = false;
    const Mount* mount = listener_->listener.router.find(thread_.request.path);
    if (!answer(mount)) {
      hand_to_worker(octets, result, mount->endpoint);
      return flush();
    }
    octets.remove_prefix(result.consumed);
    phase_ = Phase::idle;
    if (close_after_write_) octets = {};
    // A file is sent before the next request is read.
    if (close_after_write_ || file_.size > 0) break;
  }
  keep(octets);
  if (!hold()) return refuse(503);
  flush();
}

// They may be kept_'s own.
void Session::keep(std::string_view octets) { std::string(octets).swap(kept_); }

}  // namespace hanaper::http
