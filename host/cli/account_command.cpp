// accounts line: what a file of authenticator/accounts has for one account.
#include "print.hpp"

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/files.hpp>

#include <crypt.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <memory>

namespace hanaper::cli {
namespace {

constexpr std::size_t least_password = 8, most_password = 256;

// Nothing that is typed is seen until this dies.
class Unseen {
 public:
  Unseen() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios unseen = before_;
    unseen.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    is_terminal_ = ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &unseen) == 0;
  }
  ~Unseen() {
    if (!is_terminal_) return;
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
    std::cerr << "\n";
  }
  Unseen(const Unseen&) = delete;
  Unseen& operator=(const Unseen&) = delete;

  bool is_terminal() const noexcept { return is_terminal_; }

 private:
  termios before_{};
  bool is_terminal_ = false;
};

// One line of standard input.
std::string read_password(const std::string& name) {
  const Unseen unseen;
  if (unseen.is_terminal()) std::cerr << "password of " << name << ": " << std::flush;
  std::string password;
  std::getline(std::cin, password);
  if (password.ends_with('\r')) password.pop_back();
  return password;
}

std::string hash_of(const std::string& password) {
  char setting[CRYPT_GENSALT_OUTPUT_SIZE];
  auto data = std::make_unique<crypt_data>();
  const char* made = nullptr;
  if (crypt_gensalt_rn("$y$", 0, nullptr, 0, setting, sizeof setting) != nullptr)
    made = crypt_rn(password.c_str(), setting, data.get(), sizeof(crypt_data));
  std::string text = made != nullptr ? made : "";
  crypto::wipe({reinterpret_cast<std::uint8_t*>(data.get()), sizeof(crypt_data)});
  if (text.empty()) fail(unavailable("the system cannot hash by yescrypt"));
  return text;
}

std::string secret_by_password(Session& session, const std::string& name) {
  std::string password = read_password(name);
  if (password.size() < least_password || password.size() > most_password)
    session.misuse("a password has " + std::to_string(least_password) + " to " +
                   std::to_string(most_password) + " octets, on one line of standard input");
  std::string text = hash_of(password);
  crypto::wipe({reinterpret_cast<std::uint8_t*>(password.data()), password.size()});
  return text;
}

std::string secret_by_token(const std::string& file) {
  std::string token = crypto::random_name(32);
  std::string text = "sha256:" + to_hex(crypto::sha256(as_bytes(token)));
  if (Status made = files::create(file, token + "\n", 0600); !made) fail(made.error());
  crypto::wipe({reinterpret_cast<std::uint8_t*>(token.data()), token.size()});
  return text;
}

}  // namespace

int run_accounts_line(Session& session) {
  const CommandLine& line = session.line();
  const std::string& name = line.positional.front();
  const auto may_stand = [](char c) { return c > ' ' && c < 0x7f && c != ':'; };
  if (name.empty() || name.size() > 128 || name.front() == '#' || !std::ranges::all_of(name, may_stand))
    session.misuse("\"" + name + "\": a name is 1 to 128 characters of ASCII without blanks and ':'");
  const std::string names = line.text("--names"), roles = line.has("--ra") ? "ra" : "";
  std::string text =
      name + ":" +
      (line.has("--token") ? secret_by_token(line.text("--token")) : secret_by_password(session, name));
  if (!roles.empty() || !names.empty()) text += ":" + roles;
  if (!names.empty()) text += ":" + names;
  if (line.has("--json"))
    print_json(json::Object{{"line", text}});
  else
    std::cout << text << "\n";
  return 0;
}

}  // namespace hanaper::cli
