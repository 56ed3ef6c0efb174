// store-group: durable certificate rows through the ledger, in groups as the writer makes them, against the
// same database driven by hand through its own C library with the same groups. Wall time: most of it is the
// server's. And store-sync: the same rows against the disk itself, an append and fdatasync for each.
//
//   store_bench PLUGIN.so SECONDS [KEY=VALUE]...
//
// The values for a server: host, port, user, password, database.
#include "measure.hpp"
#include "store_reference.hpp"

#include "../../sdk/testing/kit/subject.hpp"

#include <hanaper/toolkit/crypto.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>

namespace {

using namespace hanaper;

constexpr std::size_t group = 256;

// Serial numbers as the product draws them: time first, randomness behind it.
Serial next_serial() {
  static std::uint32_t tick = 0x0c000000;
  std::array<std::uint8_t, 20> octets{};
  crypto::random(octets);
  ++tick;
  for (std::size_t i = 0; i < 4; ++i) octets[i] = static_cast<std::uint8_t>(tick >> (24 - 8 * i));
  return *Serial::from_magnitude(octets);
}

// A group's rows, made beforehand for both sides.
struct Group {
  Group() : tbs(1200, 0x30) {
    for (std::size_t i = 0; i < group; ++i) serials.push_back(next_serial());
  }
  std::vector<Serial> serials;
  Bytes tbs;
};

class Ours {
 public:
  explicit Ours(Storage& storage) : storage_(storage) {}

  void commit(const Group& rows) {
    std::vector<Write> writes(group);
    std::vector<Write*> pointers;
    for (std::size_t i = 0; i < group; ++i) {
      writes[i].reservation = Reservation{
          1, rows.serials[i], "web", "acme:account/0123456789", now_, now_ + std::chrono::days{90},
          0, rows.tbs};
      pointers.push_back(&writes[i]);
    }
    Batch batch;
    batch.node = "bench";
    batch.number = ++number_;
    batch.writes = pointers;
    if (const Status done = storage_.commit(batch); !done) bench::give_up(done.error().detail);
  }

 private:
  Storage& storage_;
  const Time now_ = std::chrono::sys_days{std::chrono::year{2026} / 11 / 21};
  std::uint64_t number_ = 0;
};

class Theirs {
 public:
  explicit Theirs(std::unique_ptr<bench::Reference> reference) : reference_(std::move(reference)) {}

  void commit(const Group& rows) {
    std::vector<bench::CertificateData> data(group);
    for (std::size_t i = 0; i < group; ++i) {
      data[i].serial = rows.serials[i].hex();
      data[i].profile = "web";
      data[i].requester = "acme:account/0123456789";
      data[i].not_before = 1795000000000;
      data[i].not_after = 1802776000000;
      data[i].tbs.assign(rows.tbs.begin(), rows.tbs.end());
    }
    reference_->commit(++number_, data);
  }

 private:
  std::unique_ptr<bench::Reference> reference_;
  std::uint64_t number_ = 0;
};

// Microseconds of wall time for each row.
template <class Side>
double rows_for(Side& side, double seconds) {
  double used = 0;
  std::size_t rows = 0;
  while (used < seconds) {
    const Group made;
    const double start = bench::cpu_seconds(CLOCK_MONOTONIC);
    side.commit(made);
    used += bench::cpu_seconds(CLOCK_MONOTONIC) - start;
    rows += group;
  }
  return used * 1e6 / static_cast<double>(rows);
}

// Microseconds of wall time for each append that is made durable by itself.
double appends_for(const std::string& folder, double seconds) {
  const int file = ::open((folder + "/appended").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const Bytes block(1200, 0x30);
  const double start = bench::cpu_seconds(CLOCK_MONOTONIC);
  std::size_t appends = 0;
  double used = 0;
  while (used < seconds) {
    if (::write(file, block.data(), block.size()) != static_cast<ssize_t>(block.size()) ||
        ::fdatasync(file) != 0)
      bench::give_up("cannot append");
    ++appends;
    used = bench::cpu_seconds(CLOCK_MONOTONIC) - start;
  }
  ::close(file);
  return used * 1e6 / static_cast<double>(appends);
}

}  // namespace

int main(int count, char** words) {
  if (count < 3) bench::give_up("usage: store_bench PLUGIN.so SECONDS [KEY=VALUE]...");
  const double seconds = std::atof(words[2]);
  kit::target().file = words[1];
  std::map<std::string, std::string> settings;
  for (int i = 3; i < count; ++i) {
    const std::string word = words[i];
    const std::size_t equals = word.find('=');
    settings[word.substr(0, equals)] = word.substr(equals + 1);
  }
  const std::string kind = kit::manifest().name;
  if (settings.contains("host"))
    kit::target().settings = {{"hosts", settings["host"] + ":" + settings["port"]},
                              {"user", settings["user"]},
                              {"password", settings["password"]},
                              {"database", settings["database"]}};
  std::string folder = (std::filesystem::temp_directory_path() / "hanaper-bench-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) bench::give_up(folder);
  settings["file"] = folder + "/reference.db";
  {
    kit::Subject subject;
    if (!subject.status()) bench::give_up(subject.status().error().detail);
    Ours ours(dynamic_cast<Storage&>(subject.plugin()));
    Theirs theirs(bench::make_reference(kind, settings));
    rows_for(ours, seconds / 4);
    rows_for(theirs, seconds / 4);
    std::vector<double> us, reference, appends;
    for (int round = 0; round < 7; ++round) {
      appends.push_back(appends_for(folder, seconds / 4));
      reference.push_back(rows_for(theirs, seconds));
      us.push_back(rows_for(ours, seconds));
    }
    bench::print("store-group-" + kind, us, reference, 0.9);
    bench::print("store-sync-" + kind, us, appends, kind == "postgresql" ? 9 : 15);
  }
  std::filesystem::remove_all(folder);
}
