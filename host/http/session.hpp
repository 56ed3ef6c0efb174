// One connection, from its first octet to its last. Internal to host/http.
#pragma once

#include "chunks.hpp"
#include "io_thread.hpp"
#include "proxy_header.hpp"

#include <optional>

namespace hanaper::http {

// Lives on one network thread; only the answer of a worker comes from elsewhere, by post. Holds no buffer
// while idle: octets are read into the thread's scratch memory, and only what must wait is kept.
class Session final : public std::enable_shared_from_this<Session>, public Wheel::Waiter {
 public:
  // `proxy`: the address is that of a trusted proxy.
  Session(IoThread& thread, std::shared_ptr<ListenerState> listener, int socket, std::string address,
          bool proxy);
  ~Session() override;

  void start();
  // Ends now when idle, else after the running request.
  void wind_down(bool now);

  std::size_t slot = 0;  // in the thread's list

 private:
  // announcing: a proxy has yet to say whom it speaks for; shaking: another thread has the handshake;
  // leaving: it has, and the connection ends when it is back.
  enum class Phase {
    announcing,
    handshake,
    shaking,
    leaving,
    idle,
    reading,
    working,
    writing,
    lingering,
    closed
  };

  void expired() override;
  void set_deadline(std::chrono::milliseconds duration);
  void close();

  // What a proxy says before its client's first octet, and what follows from it.
  void hear_proxy();
  void introduce(ByteView client);
  void refuse_proxy(std::string_view error);
  // Whom the request in the thread's `request` is from, where proxies say it there. False when what this
  // connection holds is more than he may.
  bool find_client(bool header_complete);
  bool count_for(std::string client);
  // Requests and their memory may be the proxy's own for a while; it stands for many.
  std::size_t most_memory() const;
  void begin();

  void wait_readable();
  void wait_writable();
  void on_ready();
  // The next step of a handshake, on whichever thread, and what follows from it, on this one.
  enum class Handshake { done, wants_read, wants_write, failed };
  Handshake shake_hands();
  void handshake();
  void hand_off();
  void after(Handshake step);
  // Whether another thread has the connection, or will; then close waits for it.
  bool is_away();
  void read();
  // Answers the complete requests at the beginning of `octets` and keeps the rest. `octets` are the thread's
  // scratch memory or kept_ itself.
  void consume(std::string_view octets);
  void keep(std::string_view octets);
  // More of a request that is not complete. False when it may be now.
  bool gather(std::string_view fresh);
  // Notes what the incomplete request at the beginning of `octets` waits for.
  void expect_more(const ReadResult& result, std::string_view octets);
  // Counts the memory that this connection's requests have; false when it may not have so much.
  bool hold();
  // One complete request, in the thread's `request`: nobody's, or one that memory answers. False when it is
  // for a worker.
  bool answer(const Mount* mount);
  void hand_to_worker(std::string_view octets, const ReadResult& read, std::shared_ptr<Endpoint> endpoint);
  void work(const std::shared_ptr<Endpoint>& endpoint, Deadline deadline);
  void finish(const Response& response);
  void give_turn_back();
  // Of the request that a worker had.
  void let_go();
  void write_response(const Response& response, bool keep_alive, bool head);
  void refuse(int status);
  void linger();
  void discard();
  // Sends what is in the thread's `out` and the file behind it, then goes on: reads, waits, or closes.
  void flush();
  // Octets of the file, for a while; false when the connection was broken and is closed.
  bool send_file();
  void go_on();
  std::chrono::milliseconds time_to_write() const;

  // Octets moved, 0 when the other side is done, -1 when it would block, -2 on error.
  static constexpr long would_block = -1, broken = -2;
  long receive(char* into, std::size_t size);
  long transmit(std::string_view octets);
  // The same for the beginning of file_; a file that is shorter than it was is broken, too.
  long transmit_file();

  IoThread& thread_;
  const std::shared_ptr<ListenerState> listener_;
  net::basic_stream_socket<net::generic::stream_protocol, net::io_context::executor_type> socket_;
  SSL* ssl_ = nullptr;
  // Who may touch ssl_ in the phase shaking: whoever has taken the step.
  enum class Step { none, waiting, running, taken_back };
  std::atomic<Step> step_{Step::none};
  Phase phase_ = Phase::idle;
  bool wants_write_ = false;  // TLS: the handshake or a read waits for the socket to take octets
  bool close_after_write_ = false;
  bool body_begun_ = false;  // the header section of the kept request is complete
  bool refused_ = false;
  bool abandoned_ = false;        // the worker took too long; its answer is not wanted any more
  std::size_t wanted_ = 0;        // total octets after which the kept request can be complete
  std::optional<Chunks> chunks_;  // or what tells when its chunks are
  std::size_t held_ = 0;          // octets of memory that are counted
  std::string address_;
  std::string client_;  // whom they are counted for
  std::string proxy_;   // a trusted proxy's address; empty where the connection is a client's
  std::unique_ptr<ProxyHeader> announced_;  // of it, while it comes
  std::string kept_;                        // octets of a request that is not complete
  std::string working_;                     // octets of the request that a worker is reading
  std::string pending_;                     // octets to be sent
  FileRange file_;                          // what is to be sent of a file behind them; size 0: nothing
  std::unique_ptr<ReadRequest> request_;    // what a worker is reading
  std::unique_ptr<TlsPeerData> peer_data_;  // made when first needed
  std::unique_ptr<TlsPeer> peer_;
};

}  // namespace hanaper::http
