// backup, restore: what the operations and a file of the operator's have to do with each other.
#include "print.hpp"
#include "terminal.hpp"

#include "../operations/restore.hpp"

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/sealed_file.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <sstream>

namespace hanaper::cli {
namespace {

namespace fs = std::filesystem;

std::string amount_text(std::uint64_t octets) {
  constexpr std::string_view units[] = {"KiB", "MiB", "GiB", "TiB"};
  if (octets < 10'000) return std::to_string(octets) + " octets";
  double size = static_cast<double>(octets) / 1024;
  std::size_t unit = 0;
  for (; size >= 1024 && unit + 1 < std::size(units); ++unit) size /= 1024;
  std::ostringstream text;
  text << std::fixed << std::setprecision(1) << size << " " << units[unit];
  return text.str();
}

// The state folder, for what is shown while it lasts; a file that is broken by now is no reason not to back
// up.
std::string state_folder(Session& session) {
  try {
    return session.model(false).node.state;
  } catch (const Failure&) {
    return {};
  }
}

// Gives a file a name that no other has.
bool take_name(const fs::path& file, const fs::path& name, std::error_code& ec) {
  ec.clear();
  if (::renameat2(AT_FDCWD, file.c_str(), AT_FDCWD, name.c_str(), RENAME_NOREPLACE) == 0) return true;
  ec.assign(errno, std::generic_category());
  // Some file systems of others' machines cannot promise that; it was free a moment ago.
  if (ec == std::errc::invalid_argument) fs::rename(file, name, ec);
  return !ec;
}

bool sync_file(const fs::path& file, std::error_code& ec) {
  const int handle = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (handle < 0 || ::fsync(handle) != 0) ec.assign(errno, std::generic_category());
  if (handle >= 0) ::close(handle);
  return !ec;
}

// Takes a file of the daemon's away to where it was asked for.
void take_away(const fs::path& made, const std::string& target) {
  std::error_code ec, ignored;
  if (target == "-") {
    std::cout << std::ifstream(made, std::ios::binary).rdbuf() << std::flush;
    const bool failed = !std::cout;
    fs::remove(made, ignored);
    if (failed) fail(unavailable("standard output: the backup could not be written whole"));
    return;
  }
  // Whatever happens, there is all of it under the target's name or nothing.
  if (take_name(made, target, ec)) return;
  if (ec == std::errc::cross_device_link) {
    const fs::path beside = target + ".part-" + crypto::random_name(6);
    if (fs::copy_file(made, beside, ec) && sync_file(beside, ec)) take_name(beside, target, ec);
    if (ec) fs::remove(beside, ignored);
  }
  fs::remove(made, ignored);
  if (ec) fail(unavailable(target + ": the backup could not be written: " + ec.message()));
}

Secret read_passphrase(const std::string& file) {
  constexpr std::size_t least = 12;
  Secret passphrase = read_pin(file);
  if (passphrase.reveal().size() < least || passphrase.reveal().find('\n') != std::string_view::npos)
    fail(malformed(file + ": one line of at least 12 characters is expected, the passphrase"));
  return passphrase;
}

// What seals a backup, and whether it was made here, where nobody else knows it; none: it is not sealed.
struct Seal {
  Secret passphrase;
  bool made = false;
};

Seal seal_of(const Session& session) {
  const CommandLine& line = session.line();
  if (line.has("--passphrase")) return {read_passphrase(line.text("--passphrase")), false};
  if (line.has("--seal")) return {Secret(crypto::make_passphrase()), true};
  return {};
}

// In place of what the daemon made.
std::string sealed_copy(const std::string& made, const std::string& target, const Seal& seal) {
  if (seal.passphrase.empty()) return made;
  const std::string sealed = (target == "-" ? made : target) + ".part-" + crypto::random_name(6);
  const Progress progress("sealing");
  const Status done = crypto::seal_file(made, sealed, seal.passphrase);
  ::unlink(made.c_str());
  if (!done) fail(done.error());
  return sealed;
}

}  // namespace

int run_backup(Session& session) {
  const std::string target = session.line().positional.front();
  const bool to_output = target == "-", as_json = session.line().has("--json");
  if (to_output && as_json) session.misuse("\"-\" and --json both want standard output");
  if (to_output && ::isatty(STDOUT_FILENO) != 0) session.misuse("a backup is not written to a terminal");
  if (!to_output && fs::exists(target)) fail(conflict(target + " exists already"));
  const Seal seal = seal_of(session);
  // The daemon writes into its state folder only; from there the file is ours to take.
  const std::string name = "backup-" + crypto::random_name(9) + ".tar";
  const fs::path watched = fs::path(state_folder(session)) / name;
  json::Value result;
  {
    const Progress progress("backing up", [&] {
      std::error_code ec;
      const auto size = fs::file_size(watched, ec);
      return ec ? std::string() : std::to_string(size / (1024 * 1024)) + " MiB";
    });
    result = session.run("backup", json::Object{{"name", name}});
  }
  take_away(sealed_copy(std::string(result.text_at("file")), target, seal), target);
  if (as_json) {
    json::Object answer = *result.object();
    for (auto& [member, value] : answer)
      if (member == "file") value = fs::absolute(target).string();
    if (seal.made) answer.emplace_back("passphrase", std::string(seal.passphrase.reveal()));
    print_json(answer);
    return 0;
  }
  std::ostream& out = to_output ? std::cerr : std::cout;
  out << (to_output ? "standard output" : target) << ": " << *result.find("entries")->integer()
      << " entries, " << amount_text(static_cast<std::uint64_t>(*result.find("octets")->integer()))
      << (seal.passphrase.empty() ? "; pins are not in it\n" : ", sealed; pins are not in it\n");
  if (seal.made)
    out << "its passphrase is " << seal.passphrase.reveal()
        << "\nkeep it apart from the backup: it is nowhere else, and nothing opens the backup without it\n";
  return 0;
}

namespace {

std::string counted(const json::Value& of, std::string_view member, const std::string& one) {
  const std::int64_t count = of.integer_at(member);
  return std::to_string(count) + " " + one + (count == 1 ? "" : "s");
}

void print_restored(const json::Value& restored, const std::string& state) {
  const std::string_view time = restored.text_at("time");
  std::cout << "restored the backup of " << time << " into " << state << "\n";
  for (const json::Value& numbers : *restored.find("numbers")->array())
    std::cout << "authority " << numbers.text_at("authority") << ": CRLs go on with number "
              << *numbers.find("next")->integer() << "\n";
  const json::Array& crls = *restored.find("crls")->array();
  bool newer = false;
  for (const json::Value& crl : crls) {
    const bool is_newer = *crl.find("newer")->boolean();
    newer = newer || is_newer;
    std::cout << crl.text_at("file") << ": " << crl.text_at("kind") << " CRL "
              << *crl.find("number")->integer() << " of authority " << crl.text_at("authority") << ", of "
              << crl.text_at("this_update") << (is_newer ? ", newer" : ", not newer")
              << " than the backup: " << counted(crl, "entries", "revocation") << ", "
              << *crl.find("taken")->integer() << " taken in, " << *crl.find("unknown")->integer()
              << " of them by serial number alone\n";
  }
  if (!newer)
    std::cout << "what was revoked after " << time
              << " is good again: take in the CRLs that were published since, with --crl, or revoke it\n";
}

// The backup as it was before it was sealed, in the state folder as long as this lives.
class Unsealed {
 public:
  Unsealed(const Session& session, const std::string& file, const std::string& state) {
    const CommandLine& line = session.line();
    if (!crypto::is_sealed_file(file)) return;
    if (!line.has("--passphrase")) session.misuse(file + " is sealed: --passphrase FILE is needed");
    const Secret passphrase = read_passphrase(line.text("--passphrase"));
    const std::string plain = state + "/backup-" + crypto::random_name(9) + ".tar";
    const Progress progress("opening");
    if (Status opened = crypto::open_sealed_file(file, plain, passphrase); !opened) fail(opened.error());
    path_ = plain;
  }
  Unsealed(const Unsealed&) = delete;
  ~Unsealed() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  const std::string& path_or(const std::string& file) const { return path_.empty() ? file : path_; }

 private:
  std::string path_;
};

}  // namespace

int run_restore(Session& session) {
  const std::string file = session.line().positional.front();
  std::vector<operations::CrlFile> crls;
  for (const std::string& path : session.line().texts("--crl"))
    for (operations::CrlFile& crl : need(operations::read_crls(path))) crls.push_back(std::move(crl));
  const std::string state = session.model(false).node.state;
  create_state_folder(state);
  std::vector<std::string> missing;
  const auto node = session.configured_node("", &missing);
  if (!missing.empty())
    throw Failure{2,
                  {missing.front() + ": there is no such file; the keys of a backup open with the pin that "
                                     "they had: bring it back first"}};
  const Unsealed unsealed(session, file, state);
  const Progress progress("restoring");
  const json::Value restored =
      need(operations::restore(*node, operations::own_caller(), unsealed.path_or(file), crls));
  if (session.line().has("--json"))
    print_json(restored);
  else
    print_restored(restored, state);
  return 0;
}

}  // namespace hanaper::cli
