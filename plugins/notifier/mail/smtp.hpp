// Handing a mail to an SMTP server (RFC 5321), by libcurl.
#pragma once

#include <hanaper/host.hpp>

namespace hanaper::mail {

// Where mails go, and how.
struct Server {
  std::string url;        // "smtp://mail.example.test:587", "smtps://..."
  bool start_tls = true;  // for smtp://
  std::string ca;         // PEM file; empty: the system's
  std::string user;       // empty: nobody logs in
  Secret password;
  std::chrono::milliseconds timeout{};
};

// [main] Once for each process before anything is sent.
Status prepare();

// [worker] Returns when the server has taken the mail for everybody in `to`. unavailable; rejected when the
// server refuses this mail for good.
Status send(const Server& server, const std::string& from, const std::vector<std::string>& to,
            std::string_view text, Deadline deadline);

}  // namespace hanaper::mail
