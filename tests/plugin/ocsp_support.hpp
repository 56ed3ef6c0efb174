// OCSP requests as tests want them: right ones, and every way in which they can be wrong.
#pragma once

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/der.hpp>
#include <hanaper/toolkit/oids.hpp>

#include <functional>

namespace hanaper::test {

using Write = std::function<void(der::Writer&)>;

// The parts of a request; what is set here replaces what would be right.
struct RequestParts {
  Bytes hash = to_bytes(oid::sha1);
  Write parameters = [](der::Writer& writer) { writer.null(); };
  Bytes name_hash = Bytes(20, 1), key_hash = Bytes(20, 0x41), serial = {5};
  Write after_id = [](der::Writer&) {};     // in Request
  Write before_list = [](der::Writer&) {};  // in TBSRequest
  Write after_list = [](der::Writer&) {};   // in TBSRequest
  Write after_tbs = [](der::Writer&) {};    // in OCSPRequest
  int certificates = 1;
};

inline Bytes make_request(const RequestParts& parts = {}) {
  der::Writer writer;
  writer.sequence([&] {
    parts.after_tbs(writer);
    writer.sequence([&] {
      parts.after_list(writer);
      writer.sequence([&] {
        for (int i = 0; i < parts.certificates; ++i)
          writer.sequence([&] {
            parts.after_id(writer);
            writer.sequence([&] {
              writer.integer(ByteView(parts.serial));
              writer.octets(parts.key_hash);
              writer.octets(parts.name_hash);
              writer.sequence([&] {
                parts.parameters(writer);
                writer.oid(parts.hash);
              });
            });
          });
      });
      parts.before_list(writer);
    });
  });
  return writer.bytes();
}

struct ExtensionParts {
  Bytes oid = to_bytes(oid::ocsp_nonce);
  Bytes value = {4, 2, 7, 7};
  bool critical = false;
};

// requestExtensions or, with tag 0, singleRequestExtensions.
inline Write extensions(std::vector<ExtensionParts> list, std::uint8_t tag = 2) {
  return [list = std::move(list), tag](der::Writer& writer) {
    writer.constructed(der::context(tag), [&] {
      writer.sequence([&] {
        for (auto at = list.rbegin(); at != list.rend(); ++at)
          writer.sequence([&] {
            writer.octets(at->value);
            if (at->critical) writer.boolean(true);
            writer.oid(at->oid);
          });
      });
    });
  };
}

inline Bytes nonce_value(std::size_t octets) {
  der::Writer writer;
  writer.octets(Bytes(octets, 9));
  return writer.bytes();
}

struct NamedRequest {
  std::string name;
  Bytes der;
};

std::vector<NamedRequest> malformed_requests();

}  // namespace hanaper::test
