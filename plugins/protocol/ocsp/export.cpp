// All responses as files, for a web server or an object store that answers GET (RFC 6960 A.1, RFC 9919 5).
//
// A file is named as clients name it: the request in base64. A slash in there becomes a folder, which is
// where web servers look for it, escaped or not; one at the end, too, and what it stands for is index.html.
#include "service.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/oids.hpp>

#include <algorithm>
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
  std::filesystem::path path = std::filesystem::path(folder) / base64::encode(request);
  if (!path.has_filename()) path /= "index.html";
  std::error_code ec;
  std::filesystem::create_directories(path.parent_path(), ec);
  if (ec) return unavailable(path.parent_path().string() + ": cannot be created: " + ec.message());
  return files::replace(path.string(), as_text(response), 0644);
}

}  // namespace

Status Service::each_request(StatusAuthority& authority, const std::vector<der::Oid>& digests,
                             const std::function<Status(ByteView request)>& take) const {
  CertificateQuery query;
  query.expires_from = host_.clock().now();
  query.limit = page;
  for (;;) {
    HANAPER_TRY(const std::vector<CertificateRow> rows, authority.search(query));
    for (const CertificateRow& row : rows) {
      if (!row.issued_at) continue;
      for (const Named& named : names_)
        if (named.authority == &authority &&
            std::ranges::any_of(digests, [&](const der::Oid& oid) { return oid == ByteView(named.hash); }))
          HANAPER_CHECK(take(make_request(named.hash, named.name_hash, named.key_hash, row.serial.octets())));
    }
    if (rows.size() < page) return {};
    query.after = CertificateCursor{rows.back().not_after, rows.back().authority, rows.back().serial};
  }
}

Result<std::vector<Service::Exported>> Service::export_to(const std::string& folder, Call& call) {
  std::vector<Exported> all;
  for (StatusAuthority* authority : authorities_) {
    if (authority->certificate().empty()) continue;
    Exported exported{authority->name(), 0};
    // Clients name certificates by SHA-1 (RFC 5019) or by SHA-256 (RFC 9919).
    HANAPER_CHECK(each_request(*authority, {oid::sha1, oid::sha256}, [&](ByteView request) -> Status {
      const Outcome outcome = answer(request, call);
      const auto* answer = std::get_if<AnswerPointer>(&outcome);
      if (answer == nullptr) return unavailable("a response could not be signed; the log says why");
      ++exported.responses;
      return write_file(folder, request, (*answer)->body);
    }));
    all.push_back(std::move(exported));
  }
  return all;
}

Status Service::presign(Call& call) {
  const Time soon = host_.clock().now() + presign_interval;
  HANAPER_TRY(const Share share, host_.share("presign"));
  for (StatusAuthority* authority : authorities_) {
    if (authority->certificate().empty()) continue;
    HANAPER_CHECK(each_request(*authority, {oid::sha1}, [&](ByteView request) -> Status {
      if (call.remaining().count() == 0) return unavailable("not every response was signed in time");
      const auto id = parse_plain_request(request);
      if (id->serial.back() % share.count != share.index) return {};
      const AnswerPointer kept = cache_.find(authority->id(), id->serial, id->whole, Cache::Wait::shortly);
      if (kept && kept->refresh_at > soon) return {};
      const auto made = sign_and_keep(*authority, *id, call);
      return made ? Status{} : Status(made.error());
    }));
  }
  return {};
}

}  // namespace hanaper::ocsp
