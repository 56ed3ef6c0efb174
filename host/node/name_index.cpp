#include "name_index.hpp"

#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/identifiers.hpp>
#include <hanaper/toolkit/oids.hpp>

#include <algorithm>

namespace hanaper {
namespace {

constexpr std::string_view collection = "host.names", key = "cursor";
constexpr std::uint32_t rows_at_once = 4096;

void collect(const CertificateRow& row, std::vector<NameRow>& names) {
  const auto tbs = x509::parse_tbs(row.tbs);
  const auto* extension = tbs ? tbs->find(oid::subject_alt_name) : nullptr;
  if (extension == nullptr) return;
  const auto parsed = x509::parse_general_names(extension->value);
  if (!parsed) return;
  for (const Identifier& name : parsed->names)
    names.push_back({x509::search_key(name), row.authority, row.serial});
}

}  // namespace

Status NameIndex::catch_up(Call& call) {
  const Lock lock(mutex_);
  for (;;) {
    std::string cursor;
    std::uint64_t version = 0;
    auto record = storage_.records().get(collection, key);
    if (!record && record.error().code != Code::not_found) return std::move(record).error();
    if (record) {
      cursor = record->data;
      version = record->version;
    }
    HANAPER_TRY(const std::vector<CertificateRow> rows, storage_.ledger().issued_since(cursor, rows_at_once));
    if (rows.empty()) return {};
    Write write;
    for (const CertificateRow& row : rows) collect(row, write.names);
    // Neighbours in the index together: each of its pages is written once.
    std::ranges::sort(write.names, {}, &NameRow::name);
    write.records.push_back({std::string(collection), std::string(key), version, false, {}, {}, cursor});
    Status stored = writer_.commit(write, call.deadline);
    if (!stored && stored.error().code == Code::conflict) continue;  // another node was faster
    if (!stored) return stored;
    if (rows.size() < rows_at_once) return {};
  }
}

}  // namespace hanaper
