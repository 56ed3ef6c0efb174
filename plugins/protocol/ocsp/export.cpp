// All responses as files, for a web server or an object store that answers GET (RFC 6960 A.1, RFC 9919 5).
//
// A file is named as clients name it: the request in base64. A slash in there becomes a folder, which is
// where web servers look for it, escaped or not.
#include "service.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/oids.hpp>

#include <filesystem>

namespace hanaper::ocsp {
namespace {

constexpr std::uint32_t page = 500;

Bytes make_request(ByteView hash, ByteView name_hash, ByteView key_hash, ByteView serial) {
  der::Writer writer(256);
  writer.sequence([&] {        // OCSPRequest
    writer.sequence([&] {      // TBSRequest
      writer.sequence([&] {    // requestList
        writer.sequence([&] {  // Request
          writer.sequence([&] {
            writer.integer(serial);
            writer.octets(key_hash);
            writer.octets(name_hash);
            writer.sequence([&] {
              writer.null();
              writer.oid(hash);
            });
          });
        });
      });
    });
  });
  return writer.bytes();
}

Status write_file(const std::string& folder, ByteView request, ByteView response) {
  const std::filesystem::path path = std::filesystem::path(folder) / base64::encode(request);
  std::error_code ec;
  std::filesystem::create_directories(path.parent_path(), ec);
  if (ec) return unavailable(path.parent_path().string() + ": cannot be created: " + ec.message());
  return files::replace(path.string(), as_text(response), 0644);
}

}  // namespace

Result<std::vector<Service::Exported>> Service::export_to(const std::string& folder, Call& call) {
  std::vector<Exported> all;
  for (StatusAuthority* authority : authorities_) {
    Exported exported{authority->name(), 0};
    CertificateQuery query;
    query.expires_from = host_.clock().now();
    query.limit = page;
    for (;;) {
      HANAPER_TRY(const std::vector<CertificateRow> rows, authority->search(query));
      for (const CertificateRow& row : rows) {
        if (row.signature.empty()) continue;
        for (const Named& named : names_) {
          // Clients name certificates by SHA-1 (RFC 5019) or by SHA-256 (RFC 9919).
          if (named.authority != authority || !(oid::sha1 == named.hash || oid::sha256 == named.hash))
            continue;
          const Bytes der = make_request(named.hash, named.name_hash, named.key_hash, row.serial.octets());
          const Outcome outcome = answer(der, call);
          const auto* answer = std::get_if<AnswerPointer>(&outcome);
          if (answer == nullptr) return unavailable("serial number " + row.serial.hex() + ": no response");
          HANAPER_CHECK(write_file(folder, der, (*answer)->body));
          ++exported.responses;
        }
      }
      if (rows.size() < page) break;
      query.after = CertificateCursor{rows.back().not_after, rows.back().authority, rows.back().serial};
    }
    all.push_back(std::move(exported));
  }
  return all;
}

}  // namespace hanaper::ocsp
