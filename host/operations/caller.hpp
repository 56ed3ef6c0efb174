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
  std::vector<std::string> scope = {};  // groups of owners: only their certificates; empty: everybody's

  // As certificates and the audit name who asked.
  std::string requester() const { return "command:" + name; }
};

// [worker] The peer of a control connection, out of what the kernel said when the connection was accepted:
// "uid:0", or "uid:0 login:1000" where somebody else has logged in. Looks names up. It has every permission:
// others cannot connect.
Caller control_caller(std::string_view peer);

// [worker] The same for the user who runs this process.
Caller own_caller();

}  // namespace hanaper::operations
