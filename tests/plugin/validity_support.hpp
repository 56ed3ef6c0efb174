// What the tests of CRLs and OCSP share: OpenSSL's objects, requests as the host hands them over.
#pragma once

#include <hanaper/testing/fake_host.hpp>

#include <gtest/gtest.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include <memory>

namespace hanaper::test {

template <auto Free>
struct Freeing {
  template <class T>
  void operator()(T* object) const noexcept {
    Free(object);
  }
};
using X509Pointer = std::unique_ptr<X509, Freeing<X509_free>>;
using CrlPointer = std::unique_ptr<X509_CRL, Freeing<X509_CRL_free>>;
using BasicPointer = std::unique_ptr<OCSP_BASICRESP, Freeing<OCSP_BASICRESP_free>>;
using ResponsePointer = std::unique_ptr<OCSP_RESPONSE, Freeing<OCSP_RESPONSE_free>>;
using StorePointer = std::unique_ptr<X509_STORE, Freeing<X509_STORE_free>>;

inline X509Pointer read_certificate(ByteView der) {
  const unsigned char* data = der.data();
  return X509Pointer(d2i_X509(nullptr, &data, static_cast<long>(der.size())));
}

inline std::int64_t seconds_of(const ASN1_TIME* time) {
  int days = 0, seconds = 0;
  ASN1_TIME* epoch = ASN1_TIME_set(nullptr, 0);
  const bool read = ASN1_TIME_diff(&days, &seconds, epoch, time) == 1;
  ASN1_TIME_free(epoch);
  return read ? std::int64_t{days} * 86400 + seconds : -1;
}
inline std::int64_t seconds_of(Time time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

class KeptReply final : public FastReply {
 public:
  void send(std::string_view sent_head, ByteView sent_body) override {
    head = sent_head;
    body = as_text(sent_body);
  }
  void send_file(std::string_view sent_head, FileRange sent_file) override {
    head = sent_head;
    file = std::move(sent_file);
  }
  std::string head, body;
  std::optional<FileRange> file;
};

// A request and the storage behind its views.
struct Asked {
  Request request;
  std::string target;
  std::vector<HeaderView> headers;
  Bytes body;

  Asked(Method method, std::string tail, Bytes content = {}, std::vector<HeaderView> fields = {})
      : target(std::move(tail)), headers(std::move(fields)), body(std::move(content)) {
    request.method = method;
    request.target = request.path = request.tail = target;
    request.headers = headers;
    request.body = body;
    request.address = "192.0.2.1";
  }
  Asked(const Asked&) = delete;
};

}  // namespace hanaper::test
