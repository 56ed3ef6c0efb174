// ocsp-sign and crl-1m: responses against a bare signature, a CRL against reading its rows and hashing its
// octets.
//
//   validity_bench storage-sqlite.so [ENTRIES] [SECONDS]
#include "measure.hpp"

#include "../../sdk/testing/kit/subject.hpp"

#include <generator.hpp>
#include <hanaper/testing/fake_authority.hpp>
#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/public_key.hpp>
#include <response.hpp>

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <sqlite3.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace {

using namespace hanaper;

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "validity_bench: %s\n", why.c_str());
  std::exit(1);
}

// An authority whose revocations lie in the storage under test, and all else in memory.
class Authority final : public StatusAuthority {
 public:
  Authority(fakes::FakeAuthority& fake, Ledger& ledger) : fake_(fake), ledger_(ledger) {}
  const std::string& name() const override { return fake_.name(); }
  AuthorityId id() const override { return fake_.id(); }
  ByteView certificate() const override { return fake_.certificate(); }
  ByteView key_identifier() const override { return fake_.key_identifier(); }
  std::vector<std::string> crl_urls(std::uint32_t) const override { return {}; }
  Result<CertificateRow> find(const Serial& serial) override { return fake_.find(serial); }
  Result<std::vector<CertificateRow>> search(CertificateQuery query) override { return fake_.search(query); }
  Result<std::vector<RevocationRow>> revocations(std::uint32_t shard, const Serial& after,
                                                 std::uint32_t limit) override {
    return ledger_.revocations(id(), shard, after, limit);
  }
  Result<std::vector<CrlRow>> crls(std::uint32_t shard, std::uint32_t limit) override {
    return fake_.crls(shard, limit);
  }
  Result<CrlRow> newest_crl(std::uint32_t shard, bool delta) override {
    return fake_.newest_crl(shard, delta);
  }
  Result<std::shared_ptr<Responder>> responder(std::optional<KeyType> delegate, Call& call) override {
    return fake_.responder(delegate, call);
  }
  SignatureScheme crl_scheme() const override { return fake_.crl_scheme(); }
  Result<std::uint64_t> claim_crl(std::uint32_t shard) override { return fake_.claim_crl(shard); }
  Result<CrlTicket> begin_crl(CrlRow row, Call& call) override { return fake_.begin_crl(row, call); }
  Result<Bytes> sign_crl(const CrlTicket& ticket, ByteView digest, Call& call) override {
    return fake_.sign_crl(ticket, digest, call);
  }
  Status finish_crl(const CrlTicket& ticket, const Fingerprint& hash, std::uint64_t size,
                    Call& call) override {
    return fake_.finish_crl(ticket, hash, size, call);
  }
  Result<Bytes> crl(std::uint32_t shard, ByteCount limit) override { return fake_.crl(shard, limit); }

 private:
  fakes::FakeAuthority& fake_;
  Ledger& ledger_;
};

void fill(Storage& storage, AuthorityId authority, std::size_t entries, Time now) {
  constexpr std::size_t group = 2000;
  std::uint64_t number = 0;
  for (std::size_t done = 0; done < entries; done += group) {
    std::vector<Write> writes(std::min(group, entries - done));
    std::vector<Write*> pointers;
    for (Write& write : writes) {
      std::array<std::uint8_t, 20> octets{};
      crypto::random(octets);
      octets[0] = 0x0c;
      write.revocation = Revocation{.authority = authority,
                                    .serial = *Serial::from_magnitude(octets),
                                    .shard = 0,
                                    .reason = RevocationReason::superseded,
                                    .at = now,
                                    .invalidity = {},
                                    .not_after = now + std::chrono::days{90},
                                    .block_key = {}};
      pointers.push_back(&write);
    }
    Batch batch;
    batch.node = "bench";
    batch.number = ++number;
    batch.writes = pointers;
    if (const Status written = storage.commit(batch); !written) give_up(written.error().detail);
  }
}

std::size_t peak_memory() {  // KiB
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::strtoull(line.c_str() + 6, nullptr, 10);
  return 0;
}
void forget_peak() { std::ofstream("/proc/self/clear_refs") << "5"; }

// Every row as a program of ten lines reads it, and the digest of as many octets as the CRL has.
void reference(const std::string& database, AuthorityId authority, std::size_t size, std::size_t entries) {
  sqlite3* handle = nullptr;
  sqlite3_stmt* statement = nullptr;
  const std::string sql =
      "SELECT serial, reason, revoked_at, invalid_at, not_after FROM revocation WHERE authority = " +
      std::to_string(authority) + " AND shard = 0 ORDER BY authority, shard, serial";
  if (sqlite3_open_v2(database.c_str(), &handle, SQLITE_OPEN_READONLY, nullptr) != SQLITE_OK ||
      sqlite3_prepare_v2(handle, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK)
    give_up(database + " cannot be read");
  std::size_t rows = 0;
  while (sqlite3_step(statement) == SQLITE_ROW) {
    ++rows;
    static_cast<void>(sqlite3_column_text(statement, 0));
    for (int column = 1; column < 5; ++column) static_cast<void>(sqlite3_column_int64(statement, column));
  }
  sqlite3_finalize(statement);
  sqlite3_close(handle);
  if (rows != entries) give_up("the reference has read " + std::to_string(rows) + " rows");
  static const Bytes piece(64 * 1024, 0x30);
  crypto::Hasher hasher(crypto::Hash::sha256);
  for (std::size_t at = 0; at < size; at += piece.size())
    hasher.update(ByteView(piece).first(std::min(piece.size(), size - at)));
  static_cast<void>(hasher.finish());
}

void verify_crl(const std::string& path, ByteView issuer, std::size_t entries) {
  std::ifstream file(path, std::ios::binary);
  const std::string der((std::istreambuf_iterator<char>(file)), {});
  const auto* data = reinterpret_cast<const unsigned char*>(der.data());
  X509_CRL* crl = d2i_X509_CRL(nullptr, &data, static_cast<long>(der.size()));
  const unsigned char* at = issuer.data();
  X509* certificate = d2i_X509(nullptr, &at, static_cast<long>(issuer.size()));
  if (crl == nullptr || X509_CRL_verify(crl, X509_get0_pubkey(certificate)) != 1 ||
      static_cast<std::size_t>(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl))) != entries)
    give_up("openssl does not accept the CRL");
  X509_CRL_free(crl);
  X509_free(certificate);
}

void bench_crl(std::size_t entries) {
  kit::target().settings = {{"file", "{folder}/hanaper.db"}};
  kit::Subject subject;
  if (!subject.status()) give_up(subject.status().error().detail);
  auto& storage = dynamic_cast<Storage&>(subject.plugin());
  fakes::FakeAuthority& fake = subject.host().authority("bench");
  const Time now = subject.host().manual_clock.now();
  fill(storage, fake.id(), entries, now);
  Authority authority(fake, storage.ledger());
  const std::string folder = subject.folder(), path = folder + "/bench.crl";
  crl::Order order{.issuer = authority,
                   .of = {&authority},
                   .this_update = now,
                   .next_update = now + std::chrono::days{4},
                   .expired_before = now - std::chrono::days{400}};
  std::vector<double> ours, theirs;
  const auto timed = [](std::vector<double>& list, const std::function<void()>& run) {
    const double start = bench::cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
    run();
    list.push_back((bench::cpu_seconds(CLOCK_THREAD_CPUTIME_ID) - start) * 1e3);
  };
  CrlRow row;
  std::size_t growth = 0;
  for (int round = 0; round < 5; ++round) {
    const std::size_t before = (forget_peak(), peak_memory());
    timed(ours, [&] {
      Call call{"bench", std::chrono::steady_clock::now() + std::chrono::minutes{10}};
      order.number = *authority.claim_crl(0);
      const auto made = crl::generate(order, path, call);
      if (!made) give_up(made.error().detail);
      row = *made;
    });
    growth = std::max(growth, peak_memory() - before);
    timed(theirs, [&] { reference(folder + "/hanaper.db", fake.id(), row.size, entries); });
  }
  verify_crl(path, fake.certificate(), entries);
  bench::print("crl-" + std::to_string(entries), ours, theirs, 1 / 2.5, "ms");
  std::printf("bench crl-memory    peak=%.1fMiB above idle, %zu entries, %.1fMiB\n",
              static_cast<double>(growth) / 1024, entries, static_cast<double>(row.size) / 1024 / 1024);
}

void bench_ocsp(double seconds) {
  fakes::ManualClock clock;
  fakes::MemoryStorage storage(clock);
  fakes::FakeAuthority authority(storage, clock, 1, "bench");
  Call call = fakes::test_call();
  const auto responder = authority.responder(KeyType::ec_p256, call);
  const auto key = *crypto::SoftKey::generate({KeyType::ec_p256, 0});
  EVP_PKEY_CTX* bare = EVP_PKEY_CTX_new(key->pkey(), nullptr);
  EVP_PKEY_sign_init(bare);
  Bytes request = {0x30, 0x42, 0x30, 0x40, 0x30, 0x3e, 0x30, 0x3c, 0x30, 0x3a, 0x30, 0x09,
                   0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14};
  request.insert(request.end(), 20, 1);
  request.insert(request.end(), {0x04, 0x14});
  request.insert(request.end(), 20, 2);
  request.insert(request.end(), {0x02, 0x01, 0x05});
  std::vector<double> ours, theirs;
  for (int round = 0; round < 5; ++round) {
    theirs.push_back(bench::loop(seconds, [&] {
      unsigned char digest[32] = {1}, signature[128];
      std::size_t size = sizeof signature;
      if (EVP_PKEY_sign(bare, signature, &size, digest, sizeof digest) != 1) give_up("no signature");
    }));
    ours.push_back(bench::loop(seconds, [&] {
      const auto id = ocsp::parse_plain_request(request);
      if (!id) give_up("the request cannot be read");
      request.back() = static_cast<std::uint8_t>(request.back() % 100 + 1);
      const ocsp::Single single{*id, ocsp::Single::Kind::good, {}};
      ocsp::Basic basic;
      basic.singles = {&single, 1};
      basic.this_update = clock.now();
      basic.next_update = clock.now() + std::chrono::days{1};
      if (!ocsp::make_response(basic, **responder)) give_up("no response");
    }));
  }
  EVP_PKEY_CTX_free(bare);
  bench::print("ocsp-sign", ours, theirs, 0.93);
}

}  // namespace

int main(int count, char** words) {
  if (count < 2) give_up("usage: validity_bench storage-sqlite.so [ENTRIES] [SECONDS]");
  kit::target().file = words[1];
  bench_ocsp(count > 3 ? std::strtod(words[3], nullptr) : 1);
  bench_crl(count > 2 ? std::strtoull(words[2], nullptr, 10) : 1'000'000);
}
