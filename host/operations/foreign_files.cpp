#include "foreign_files.hpp"

#include "../node/chains.hpp"
#include "../validity/crl_reader.hpp"

#include <hanaper/toolkit/bundle.hpp>
#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/der.hpp>
#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/name_match.hpp>

#include <algorithm>
#include <filesystem>

namespace hanaper::operations {
namespace {

using validity::IndexEntry;
namespace fs = std::filesystem;

constexpr std::string_view nothing_known =
    "is neither PEM, a certificate, a CRL, a PKCS#7, a PKCS#12 nor an index.txt";

// Of two that say something of one certificate: whoever says that it is over before who says that it is on
// hold, a compromise before other reasons, a reason before none.
int weight(const IndexEntry& entry) {
  if (!entry.revoked_at || entry.reason == RevocationReason::remove_from_crl) return 0;
  if (entry.reason == RevocationReason::certificate_hold) return 1;
  if (entry.reason == RevocationReason::unspecified) return 2;
  return entry.reason == RevocationReason::key_compromise ? 4 : 3;
}

// Whether that is one value of DER or BER, and not text that begins with a zero.
bool is_binary(std::string_view octets) {
  if (octets.starts_with("\x30\x80")) return true;
  der::Reader reader(as_bytes(octets));
  return reader.expect(der::sequence) &&
         as_text(reader.rest()).find_first_not_of(" \r\n") == std::string_view::npos;
}

// What lies beside certificates and is none: a request, or a private key (PKCS#8, RSA, EC), which has a
// number in front where a certificate has a sequence, and a PKCS#12 has 3.
bool is_request_or_key(ByteView octets) {
  if (x509::parse_csr(octets)) return true;
  der::Reader reader(octets);
  auto inner = reader.enter(der::sequence);
  if (!inner) return false;
  if (inner->peek() == der::integer) return inner->read_unsigned().value_or(0) != 3;
  // EncryptedPrivateKeyInfo: an algorithm and octets.
  return inner->next() && inner->peek() == der::octet_string;
}

}  // namespace

Result<ForeignFiles> ForeignFiles::open(Bytes authority, Secret pin) {
  ForeignFiles files(std::move(authority), std::move(pin));
  HANAPER_TRY(const x509::CertificateView view, x509::parse_certificate(files.authority_));
  files.name_ = view.subject;
  files.spki_ = view.spki;
  return files;
}

std::uint64_t ForeignFiles::crl_number() const {
  std::uint64_t number = 0;
  for (const Source& source : sources_) number = std::max(number, source.crl_number);
  return number;
}

Status ForeignFiles::add(const std::string& path) {
  std::error_code ec;
  const fs::file_status status = fs::status(path, ec);
  if (!fs::exists(status)) return not_found(path + ": there is no such file or folder");
  sources_.push_back({path});
  if (!fs::is_directory(status)) return add_file(path, true);
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(path, ec)) names.push_back(entry.path());
  if (ec) return unavailable(path + ": " + ec.message());
  std::ranges::sort(names);
  for (const std::string& name : names) {
    if (fs::is_regular_file(name, ec)) {
      HANAPER_CHECK(add_file(name, false));
    } else {
      ++sources_.back().passed_over;
    }
  }
  return {};
}

Status ForeignFiles::add_file(const std::string& path, bool named) {
  std::error_code ec;
  if (!fs::is_regular_file(path, ec)) return malformed(path + ": is no file");
  const std::uintmax_t size = fs::file_size(path, ec);
  const std::size_t left = max_foreign_octets - octets_;
  if (ec || size > left)
    return malformed(path +
                     ": with it there would be more than 1 GiB; give some of the files in a further command");
  auto octets = files::read(path, left);
  if (!octets) {
    refuse(path, octets.error().detail.starts_with(path) ? octets.error().detail.substr(path.size() + 2)
                                                         : octets.error().detail);
    return {};
  }
  octets_ += octets->size();
  if (Status taken = read(path, *octets, named); !taken) refuse(path, taken.error().detail);
  return {};
}

// In a folder there may be anything; a file that was named has to be something.
Status ForeignFiles::read(const std::string& path, const std::string& octets, bool named) {
  if (octets.empty() || validity::is_index(octets)) {
    read_index(path, octets);
    return {};
  }
  const bool other = is_binary(octets) ? is_request_or_key(as_bytes(octets))
                                       : octets.find("-----BEGIN ") == std::string::npos;
  if (other) {
    if (named) return malformed(std::string(nothing_known));
    ++sources_.back().passed_over;
    return {};
  }
  HANAPER_TRY(x509::Bundle bundle, x509::read_bundle(as_bytes(octets), pin_));
  if (bundle.certificates.empty() && bundle.crls.empty()) {
    if (named) return malformed("holds neither a certificate nor a CRL");
    ++sources_.back().passed_over;
  }
  for (Bytes& certificate : bundle.certificates) add_certificate(path, std::move(certificate));
  for (const Bytes& crl : bundle.crls) HANAPER_CHECK(read_crl(path, crl));
  return {};
}

void ForeignFiles::read_index(const std::string& path, std::string_view text) {
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line == "\r") continue;
    if (const auto entry = validity::parse_index_line(line))
      add_entry(*entry);
    else
      refuse(path, "line " + std::to_string(number) + " " + entry.error().detail);
  }
}

Status ForeignFiles::read_crl(const std::string& path, ByteView der) {
  auto view = validity::parse_crl(der);
  if (!view) return malformed("is no CRL that could be read: " + view.error().detail);
  if (!x509::same_name(view->issuer, name_)) return forbidden("is a CRL of another authority");
  if (!was_signed_by(spki_, view->algorithm, view->tbs, view->signature))
    return forbidden("is a CRL that is not signed by the authority's key, though it has its name");
  Source& source = sources_.back();
  std::int64_t others = 0;
  HANAPER_CHECK(validity::each_entry(
      *view,
      [&](const validity::CrlEntry& entry) -> Status {
        if (x509::same_name(entry.issuer, name_))
          add_entry({entry.serial, {}, entry.at, entry.reason, entry.invalidity});
        else
          ++others;
        return {};
      },
      [&](std::size_t number, const Error& why) {
        refuse(path, "entry " + std::to_string(number) + " of the CRL: " + why.detail);
      }));
  if (others != 0)
    source.refused.push_back(source.path + ": is an indirect CRL with " + std::to_string(others) +
                             " certificates of other authorities, which are left out");
  source.crl_number = std::max(source.crl_number, view->number);
  return {};
}

// Of several with one serial number the first goes with what is said of it; whoever keeps the ledger says
// whether the others are the same.
void ForeignFiles::add_certificate(const std::string& path, Bytes der) {
  const auto view = x509::parse_certificate(der);
  if (!view) return refuse(path, "holds a certificate that cannot be read: " + view.error().detail);
  const auto [place, fresh] = places_.emplace(view->serial, items_.size());
  Item* item = fresh ? &items_.emplace_back() : &items_[place->second];
  if (!item->certificate.empty()) item = &items_.emplace_back();
  item->certificate = std::move(der);
  item->certificate_source = sources_.size() - 1;
  item->file = path;
}

void ForeignFiles::add_entry(const IndexEntry& entry) {
  const auto [place, fresh] = places_.emplace(entry.serial, items_.size());
  Item& item = fresh ? items_.emplace_back() : items_[place->second];
  if (item.entry && weight(*item.entry) >= weight(entry)) {
    if (!item.entry->not_after) item.entry->not_after = entry.not_after;
    return;
  }
  const std::optional<Time> not_after = item.entry ? item.entry->not_after : std::nullopt;
  item.entry = entry;
  if (!item.entry->not_after) item.entry->not_after = not_after;
  item.entry_source = sources_.size() - 1;
}

void ForeignFiles::refuse(const std::string& path, const std::string& why) {
  sources_.back().refused.push_back(path + ": " + why);
}

}  // namespace hanaper::operations
