#include <hanaper/testing/tls_peer.hpp>

#include <hanaper/http.hpp>
#include <hanaper/toolkit/identifiers.hpp>
#include <hanaper/toolkit/soft_key.hpp>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <openssl/x509v3.h>
#include <csignal>

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <stdexcept>

namespace hanaper::fakes {
namespace {

constexpr std::size_t most_request = 1024 * 1024;
constexpr timeval patience{10, 0};

template <auto Free>
struct Freed {
  void operator()(auto* object) const noexcept { Free(object); }
};
template <class T, auto Free>
using Held = std::unique_ptr<T, Freed<Free>>;
using Certificate = Held<X509, X509_free>;
using KeyHandle = std::shared_ptr<crypto::SoftKey>;

void need(bool done, const char* what) {
  if (!done) throw std::runtime_error(std::string("tls peer: ") + what + " failed");
}

KeyHandle new_key() {
  auto key = crypto::SoftKey::generate({KeyType::ec_p256, 0});
  need(key.has_value(), "making a key");
  return *key;
}

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Held<X509_EXTENSION, X509_EXTENSION_free> extension(
      X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  need(extension && X509_add_ext(certificate, extension.get(), -1) == 1, "an extension");
}

// A certificate for `key`, signed by the issuer's key; its own issuer where there is none.
Certificate make_certificate(const std::string& name, crypto::SoftKey& key, X509* issuer,
                             crypto::SoftKey& signer, const TlsPeerOptions& options) {
  Certificate made(X509_new());
  need(made != nullptr, "a certificate");
  X509* certificate = made.get();
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), issuer ? 2 : 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate),
                  static_cast<long>(issuer ? options.not_before.count() : -86400));
  X509_gmtime_adj(X509_getm_notAfter(certificate),
                  static_cast<long>(issuer ? options.not_after.count() : 86400));
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(certificate, X509_get_subject_name(issuer ? issuer : certificate));
  X509_set_pubkey(certificate, key.pkey());
  add_extension(certificate, issuer ? issuer : certificate, NID_basic_constraints,
                issuer ? "critical,CA:FALSE" : "critical,CA:TRUE");
  add_extension(certificate, issuer ? issuer : certificate, NID_key_usage,
                issuer ? "critical,digitalSignature" : "critical,keyCertSign,cRLSign");
  if (issuer != nullptr) {
    std::string names;
    for (const Identifier& one : options.names)
      names += (names.empty() ? "" : ",") + std::string(one.kind == Identifier::Kind::ip ? "IP:" : "DNS:") +
               one.value;
    if (!names.empty()) add_extension(certificate, issuer, NID_subject_alt_name, names);
    add_extension(certificate, issuer, NID_ext_key_usage, "serverAuth");
  }
  need(X509_sign(certificate, signer.pkey(), EVP_sha256()) > 0, "signing");
  return made;
}

// The octets of a request, to the end of its body; what there is when the client stops before.
std::string read_request(SSL* ssl) {
  std::string request;
  std::size_t whole = most_request;
  char chunk[4096];
  while (request.size() < whole) {
    const int n = SSL_read(ssl, chunk, sizeof chunk);
    if (n <= 0) break;
    request.append(chunk, static_cast<std::size_t>(n));
    const std::size_t end = request.find("\r\n\r\n");
    if (end == std::string::npos || whole != most_request) continue;
    whole = end + 4;
    for (std::size_t at = request.find("\r\n"); at < end; at = request.find("\r\n", at + 2)) {
      constexpr std::string_view name = "Content-Length:";
      const std::string_view field = std::string_view(request).substr(at + 2, name.size());
      if (!Request::same_name(field, name)) continue;
      std::size_t size = 0;
      const char* digits = request.data() + at + 2 + name.size();
      while (*digits == ' ') ++digits;
      std::from_chars(digits, request.data() + request.size(), size);
      whole = std::min(most_request, whole + size);
    }
  }
  return request;
}

}  // namespace

struct TlsPeer::Tls {
  Held<SSL_CTX, SSL_CTX_free> context;

  // What the client offers, noted on the way; its thread is the peer's.
  TlsHandshake* now = nullptr;

  static int choose(SSL* ssl, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                    unsigned offered_size, void* peer) {
    auto& self = *static_cast<TlsPeer*>(peer);
    static_cast<void>(ssl);
    const std::string& wanted = self.options_.protocol;
    int outcome = SSL_TLSEXT_ERR_ALERT_FATAL;
    for (unsigned at = 0; at < offered_size; at += 1u + offered[at]) {
      const std::string_view one(reinterpret_cast<const char*>(offered) + at + 1, offered[at]);
      if (self.tls_->now != nullptr) self.tls_->now->protocols.emplace_back(one);
      if (wanted.empty() || one != wanted) continue;
      *chosen = offered + at + 1;
      *size = offered[at];
      outcome = SSL_TLSEXT_ERR_OK;
    }
    return wanted.empty() ? SSL_TLSEXT_ERR_NOACK : outcome;
  }
};

TlsPeer::TlsPeer(TlsPeerOptions options) : options_(std::move(options)), tls_(std::make_unique<Tls>()) {
  const KeyHandle root_key = new_key(), key = new_key();
  const Certificate root = make_certificate("Root of a TLS peer", *root_key, nullptr, *root_key, options_);
  const Certificate own = make_certificate("TLS peer", *key, root.get(), *root_key, options_);
  const Held<BIO, BIO_free_all> pem(BIO_new(BIO_s_mem()));
  need(pem && PEM_write_bio_X509(pem.get(), root.get()) == 1, "writing the root");
  char* text = nullptr;
  const long size = BIO_get_mem_data(pem.get(), &text);
  roots_.assign(text, static_cast<std::size_t>(size));
  unsigned char* der = nullptr;
  const int length = i2d_X509(own.get(), &der);
  need(length > 0, "writing the certificate");
  certificate_.assign(der, der + length);
  OPENSSL_free(der);

  tls_->context.reset(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* context = tls_->context.get();
  need(context && SSL_CTX_use_certificate(context, own.get()) == 1 &&
           SSL_CTX_use_PrivateKey(context, key->pkey()) == 1,
       "the TLS context");
  SSL_CTX_set_alpn_select_cb(context, Tls::choose, this);

  listening_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t address_size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  need(listening_ >= 0 && ::bind(listening_, generic, address_size) == 0 && ::listen(listening_, 64) == 0 &&
           ::getsockname(listening_, generic, &address_size) == 0 && ::pipe(wake_) == 0,
       "listening");
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] {
    // OpenSSL writes to clients that have gone.
    sigset_t broken_pipe;
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
    serve();
  });
}

TlsPeer::~TlsPeer() {
  ::close(wake_[1]);
  thread_.join();
  ::close(wake_[0]);
  ::close(listening_);
}

std::vector<TlsHandshake> TlsPeer::handshakes() const {
  const Lock lock(mutex_);
  return handshakes_;
}

void TlsPeer::serve() {
  for (;;) {
    pollfd waiting[] = {{listening_, POLLIN, 0}, {wake_[0], POLLIN, 0}};
    if (::poll(waiting, 2, -1) < 0 && errno != EINTR) return;
    if (waiting[1].revents != 0) return;
    if (waiting[0].revents == 0) continue;
    const int socket = ::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) continue;
    for (int option : {SO_RCVTIMEO, SO_SNDTIMEO})
      ::setsockopt(socket, SOL_SOCKET, option, &patience, sizeof patience);
    if (!options_.breaks_off) serve_one(socket);
    ::close(socket);
  }
}

void TlsPeer::serve_one(int socket) {
  TlsHandshake handshake;
  tls_->now = &handshake;
  const Held<SSL, SSL_free> ssl(SSL_new(tls_->context.get()));
  SSL_set_fd(ssl.get(), socket);
  handshake.finished = SSL_accept(ssl.get()) == 1;
  if (const char* name = SSL_get_servername(ssl.get(), TLSEXT_NAMETYPE_host_name))
    handshake.server_name = name;
  std::string answer;
  if (handshake.finished && options_.answer) {
    handshake.request = read_request(ssl.get());
    answer = options_.answer(handshake.request);
  }
  tls_->now = nullptr;
  const bool good = handshake.finished;
  {
    // Before the answer: who has it finds the request here.
    const Lock lock(mutex_);
    handshakes_.push_back(std::move(handshake));
  }
  if (!answer.empty()) SSL_write(ssl.get(), answer.data(), static_cast<int>(answer.size()));
  if (good) SSL_shutdown(ssl.get());
  ERR_clear_error();
}

std::string http_answer(int status, std::string_view body, std::string_view more_fields) {
  std::string answer = "HTTP/1.1 " + std::to_string(status) + " " + std::string(reason_phrase(status)) +
                       "\r\nContent-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n";
  return answer.append(more_fields).append("\r\n").append(body);
}

}  // namespace hanaper::fakes
