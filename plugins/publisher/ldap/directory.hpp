// A connection to an LDAP server (RFC 4511), and the few changes that publishing takes.
#pragma once

#include <hanaper/host.hpp>

#include <memory>

namespace hanaper::directory {

// How to get there.
struct Place {
  std::string url;        // "ldap://ldap.example.test", "ldaps://..."
  bool start_tls = true;  // for ldap://
  std::string ca;         // PEM file; empty: the system's
  std::string bind;       // DN; empty: anonymous
  Secret password;
  std::chrono::milliseconds timeout{};
};

// An attribute with its one value.
struct Attribute {
  std::string name;  // "userCertificate;binary"
  Bytes value;
};

// Belongs to one thread at a time.
class Connection {
 public:
  // Connected, with TLS where the place wants it, and bound. unavailable.
  static Result<std::unique_ptr<Connection>> open(const Place& place);
  ~Connection();

  enum class Change { add, remove, replace };
  // not_found when there is no such entry; conflict when its object classes do not allow the attribute (RFC
  // 4511 4.1.9: objectClassViolation); unavailable; rejected for what the server refuses. What is there
  // already, or gone already, is no error.
  Status change(const std::string& dn, Change change, const Attribute& attribute);
  // Gives the entry an object class.
  Status add_class(const std::string& dn, const std::string& object_class);
  // An entry with those object classes, its attribute, and what its name says of it.
  Status add(const std::string& dn, const std::vector<std::string>& object_classes,
             const Attribute& attribute);

  // Whether the last answer left it fit for use.
  bool is_good() const noexcept { return good_; }

 private:
  struct Handle;
  explicit Connection(std::unique_ptr<Handle> handle);
  Status outcome(int code, std::string_view what);

  std::unique_ptr<Handle> handle_;
  bool good_ = true;
};

// A value as part of a distinguished name (RFC 4514 2.4).
std::string escaped(std::string_view value);

// not_found when the text is no distinguished name.
Status check_dn(const std::string& dn);

}  // namespace hanaper::directory
