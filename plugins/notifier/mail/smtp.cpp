#include "smtp.hpp"

#include <curl/curl.h>

#include <cstring>
#include <memory>

namespace hanaper::mail {
namespace {

struct EndEasy {
  void operator()(CURL* curl) const noexcept { curl_easy_cleanup(curl); }
};
struct EndList {
  void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};

struct Text {
  std::string_view left;
  bool wanted = false;  // the server has answered DATA
};

std::size_t give(char* to, std::size_t size, std::size_t count, void* from) {
  auto& text = *static_cast<Text*>(from);
  text.wanted = true;
  const std::size_t octets = std::min(size * count, text.left.size());
  std::memcpy(to, text.left.data(), octets);
  text.left.remove_prefix(octets);
  return octets;
}

// RFC 5321 4.2.1: "5yz Permanent Negative Completion reply", where it is one to MAIL, RCPT, DATA or the text:
// for those libcurl has CURLE_SEND_ERROR, and for the last CURLE_WEIRD_SERVER_REPLY, as for a greeting. What
// a server says of itself (3.1: "554" for no service), of logging in and of TLS (RFC 4954 6) is no fault of
// the mail.
bool is_final(CURLcode code, long reply, bool text_wanted) {
  if (code != CURLE_SEND_ERROR && !text_wanted) return false;
  return reply >= 550 && reply < 560;
}

}  // namespace

Status prepare() {
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return unavailable("libcurl cannot be initialised");
  return {};
}

Status send(const Server& server, const std::string& from, const std::vector<std::string>& to,
            std::string_view text, Deadline deadline) {
  const std::unique_ptr<CURL, EndEasy> easy(curl_easy_init());
  if (!easy) return unavailable("libcurl has no memory");
  CURL* const curl = easy.get();
  std::unique_ptr<curl_slist, EndList> recipients;
  for (const std::string& address : to) {
    curl_slist* const longer = curl_slist_append(recipients.get(), ("<" + address + ">").c_str());
    if (longer == nullptr) return unavailable("libcurl has no memory");
    static_cast<void>(recipients.release());
    recipients.reset(longer);
  }
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  const auto time = std::min(server.timeout, left);
  if (time.count() <= 0) return unavailable(server.url + ": no time is left");
  Text given{text};
  char problem[CURL_ERROR_SIZE] = "";
  const std::string sender = "<" + from + ">";
  const bool set =
      curl_easy_setopt(curl, CURLOPT_URL, server.url.c_str()) == CURLE_OK &&
      curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps") == CURLE_OK &&
      curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
      curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK &&
      curl_easy_setopt(curl, CURLOPT_NETRC, long{CURL_NETRC_IGNORED}) == CURLE_OK &&
      curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, problem) == CURLE_OK &&
      curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(time.count())) == CURLE_OK &&
      curl_easy_setopt(curl, CURLOPT_USE_SSL, long{server.start_tls ? CURLUSESSL_ALL : CURLUSESSL_NONE}) ==
          CURLE_OK &&
      curl_easy_setopt(curl, CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2}) == CURLE_OK &&
      curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
      curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
      (server.ca.empty() || (curl_easy_setopt(curl, CURLOPT_CAINFO, server.ca.c_str()) == CURLE_OK &&
                             curl_easy_setopt(curl, CURLOPT_CAPATH, nullptr) == CURLE_OK)) &&
      (server.user.empty() ||
       (curl_easy_setopt(curl, CURLOPT_USERNAME, server.user.c_str()) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_PASSWORD, std::string(server.password.reveal()).c_str()) ==
            CURLE_OK)) &&
      curl_easy_setopt(curl, CURLOPT_MAIL_FROM, sender.c_str()) == CURLE_OK &&
      curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, recipients.get()) == CURLE_OK &&
      curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L) == CURLE_OK &&
      curl_easy_setopt(curl, CURLOPT_READFUNCTION, give) == CURLE_OK &&
      curl_easy_setopt(curl, CURLOPT_READDATA, &given) == CURLE_OK &&
      curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(text.size())) == CURLE_OK;
  if (!set) return internal("libcurl does not know what it should");
  const CURLcode code = curl_easy_perform(curl);
  if (code == CURLE_OK) return {};
  long reply = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &reply);
  const std::string said = server.url + ": " + (problem[0] != '\0' ? problem : curl_easy_strerror(code)) +
                           (reply != 0 ? " (reply " + std::to_string(reply) + ")" : "");
  return is_final(code, reply, given.wanted) ? Error{Code::rejected, said} : unavailable(said);
}

}  // namespace hanaper::mail
