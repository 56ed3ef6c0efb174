// Who asks for an operation. Only the host makes one: no argument, header or text of a client does.
#pragma once

#include <hanaper/operable.hpp>

#include <bitset>

namespace hanaper::operations {

class Permissions {
 public:
  static Permissions all() {
    Permissions permissions;
    permissions.held_.set();
    return permissions;
  }
  void add(Permission permission) { held_.set(static_cast<std::size_t>(permission)); }
  bool holds(Permission permission) const { return held_[static_cast<std::size_t>(permission)]; }

 private:
  std::bitset<permission_count> held_;
};

// Plain data.
struct Caller {
  enum class Kind { local, certificate, token, person };

  std::string name;  // "uid:0 (root), login uid:1000 (alice)"
  Kind kind = Kind::local;
  Permissions permissions = {};
  std::vector<std::string> scope = {};  // groups of owners whose certificates are his; empty: everybody's

  // As certificates and the audit name who asked.
  std::string requester() const { return "command:" + name; }
};

// [worker] The peer of a control connection by what the kernel said of him when the connection was accepted:
// "uid:0", or "uid:0 login:1000" where somebody else has logged in. Looks names up. Whoever got as far may do
// everything.
Caller control_caller(std::string_view peer);

// [worker] Whoever runs this process, the same way.
Caller own_caller();

}  // namespace hanaper::operations
