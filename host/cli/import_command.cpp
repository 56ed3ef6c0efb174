// import: files are read here, with the rights of whoever asks, and handed over in portions.
#include "../operations/foreign.hpp"
#include "../operations/foreign_files.hpp"
#include "print.hpp"
#include "terminal.hpp"

#include <hanaper/toolkit/base64.hpp>

#include <iostream>

namespace hanaper::cli {
namespace {

using operations::ForeignFiles;

// What one request may hold, well below what the control socket takes.
constexpr std::size_t most_octets = 2'000'000, most_entries = 2000;
constexpr std::size_t lines_shown = 20;

// What became of what one file held.
struct Tally {
  std::int64_t fresh = 0, known = 0, revoked = 0, numbers = 0;
  std::vector<std::string> refused = {};
};

class Portions {
 public:
  Portions(Session& session, ForeignFiles& files) : session_(session), files_(files) {
    for (const auto& source : files.sources()) tallies.push_back({.refused = source.refused});
  }

  // A certificate goes with what is said of it: it is revoked in the commit that makes it known.
  void send_all() {
    for (const ForeignFiles::Item& item : files_.items()) {
      if (certificates_.size() + item.certificate.size() > most_octets || sent_.size() == most_entries)
        send();
      certificates_.insert(certificates_.end(), item.certificate.begin(), item.certificate.end());
      sent_.push_back(&item);
    }
    send(files_.crl_number());
  }
  std::size_t done() const { return done_; }

  std::vector<Tally> tallies;  // of each source
  std::int64_t next_crl = 0;

 private:
  static bool says_more(const ForeignFiles::Item& item) {
    return item.entry && (item.certificate.empty() || item.entry->revoked_at);
  }

  void send(std::uint64_t crl_number = 0) {
    if (sent_.empty() && crl_number == 0) return;
    json::Object request{{"authority", session_.line().text("--authority")},
                         {"dry_run", session_.line().has("--dry-run")}};
    if (!certificates_.empty()) request.emplace_back("certificates", base64::encode(certificates_));
    json::Array entries;
    for (const auto* item : sent_)
      if (says_more(*item)) entries.emplace_back(operations::entry_text(*item->entry));
    if (!entries.empty()) request.emplace_back("entries", std::move(entries));
    if (crl_number != 0) request.emplace_back("crl_number", static_cast<std::int64_t>(crl_number));
    const json::Value answer = session_.run("certificates.import", request);
    count(*answer.find("certificates")->array(), *answer.find("entries")->array());
    if (const json::Value* next = answer.find("next_crl")) next_crl = std::max(next_crl, *next->integer());
    done_ += sent_.size();
    sent_.clear();
    certificates_.clear();
  }

  void count(const json::Array& certificates, const json::Array& entries) {
    constexpr std::string_view refused = "refused: ";
    std::size_t certificate = 0, entry = 0;
    for (const auto* item : sent_) {
      if (!item->certificate.empty()) {
        const std::string& outcome = *certificates.at(certificate++).text();
        Tally& tally = tallies[item->certificate_source];
        if (outcome.starts_with(refused))
          tally.refused.push_back(item->file + ": " + outcome.substr(refused.size()));
        else
          ++(outcome == "known" ? tally.known : tally.fresh);
      }
      if (!says_more(*item)) continue;
      const std::string& outcome = *entries.at(entry++).text();
      Tally& tally = tallies[item->entry_source];
      if (outcome.starts_with("new")) ++tally.numbers;
      if (outcome.ends_with("revoked")) ++tally.revoked;
    }
  }

  Session& session_;
  ForeignFiles& files_;
  Bytes certificates_;
  std::vector<const ForeignFiles::Item*> sent_;  // what the next request holds
  std::size_t done_ = 0;
};

Bytes certificate_of(Session& session) {
  const json::Value shown =
      session.run("show.authority", json::Object{{"authority", session.line().text("--authority")}});
  return need(pem::decode(shown.text_at("certificate"))).front().der;
}

json::Value value_of(const ForeignFiles::Source& source, const Tally& tally) {
  json::Object row{{"file", source.path},
                   {"new", tally.fresh},
                   {"known", tally.known},
                   {"revoked", tally.revoked},
                   {"numbers", tally.numbers},
                   {"passed_over", source.passed_over},
                   {"refused", json::Array(tally.refused.begin(), tally.refused.end())}};
  if (source.crl_number != 0) row.emplace_back("crl_number", static_cast<std::int64_t>(source.crl_number));
  return row;
}

void print_source(const ForeignFiles::Source& source, const Tally& tally) {
  std::cout << source.path << ": certificates: " << tally.fresh << " new, " << tally.known << " known, "
            << tally.numbers << " by serial number alone; " << tally.revoked << " revocations; "
            << tally.refused.size() << " refused";
  if (source.passed_over != 0) std::cout << "; " << source.passed_over << " other files";
  if (source.crl_number != 0) std::cout << "; CRL number " << source.crl_number;
  std::cout << "\n";
  for (std::size_t i = 0; i < std::min(tally.refused.size(), lines_shown); ++i)
    std::cout << table({{"  refused: " + tally.refused[i]}});
  if (tally.refused.size() > lines_shown)
    std::cout << "  and " << tally.refused.size() - lines_shown << " more; --json has all of them\n";
}

}  // namespace

int run_import(Session& session) {
  const CommandLine& line = session.line();
  if (!line.has("--authority")) session.misuse("--authority NAME is needed");
  ForeignFiles files = need(ForeignFiles::open(certificate_of(session),
                                               line.has("--pin") ? read_pin(line.text("--pin")) : Secret()));
  for (const std::string& path : line.positional)
    if (Status added = files.add(path); !added) fail(added.error());
  Portions portions(session, files);
  {
    const Progress progress("importing", [&] {
      return std::to_string(portions.done()) + " of " + std::to_string(files.items().size());
    });
    portions.send_all();
  }
  bool refused = false;
  json::Array rows;
  for (std::size_t i = 0; i < files.sources().size(); ++i) {
    refused = refused || !portions.tallies[i].refused.empty();
    rows.push_back(value_of(files.sources()[i], portions.tallies[i]));
    if (!line.has("--json")) print_source(files.sources()[i], portions.tallies[i]);
  }
  if (line.has("--json")) {
    print_json(json::Object{
        {"items", std::move(rows)}, {"dry_run", line.has("--dry-run")}, {"next_crl", portions.next_crl}});
    return refused ? 1 : 0;
  }
  if (portions.next_crl != 0)
    std::cout << "the next CRL of authority " << line.text("--authority") << " has number "
              << portions.next_crl << " at the least\n";
  if (line.has("--dry-run")) std::cout << "nothing was changed\n";
  return refused ? 1 : 0;
}

}  // namespace hanaper::cli
