// Which part of the host answers a path.
#pragma once

#include <hanaper/protocol.hpp>

#include <memory>
#include <vector>

namespace hanaper::http {

// Somebody who answers requests below a path. The functions mean what Protocol's mean.
class Endpoint {
 public:
  virtual ~Endpoint() = default;
  virtual ByteCount body_limit() const { return ByteCount{64 * 1024}; }                         // [any]
  virtual Response handle(const Request& request, Call& call) = 0;                              // [worker]
  virtual bool answer_fast(const Request& /*request*/, FastReply& /*reply*/) { return false; }  // [io]
};

struct Mount {
  std::string path;  // "/acme"; "" is everything
  std::shared_ptr<Endpoint> endpoint;
};

// The mounts of one listener; immutable once it listens.
class Router {
 public:
  void add(Mount mount) { mounts_.push_back(std::move(mount)); }
  bool empty() const noexcept { return mounts_.empty(); }

  // Clients that put an address and a path together double the slash between them: the first counts once.
  static std::string_view routed(std::string_view path) noexcept {
    while (path.starts_with("//")) path.remove_prefix(1);
    return path;
  }

  // The longest mount that is `path` or ends at one of its slashes; null when there is none.
  const Mount* find(std::string_view path) const noexcept {
    path = routed(path);
    const Mount* best = nullptr;
    for (const Mount& mount : mounts_) {
      const bool within =
          path.starts_with(mount.path) &&
          (path.size() == mount.path.size() || path[mount.path.size()] == '/' || mount.path.empty());
      if (within && (best == nullptr || mount.path.size() > best->path.size())) best = &mount;
    }
    return best;
  }

 private:
  std::vector<Mount> mounts_;
};

}  // namespace hanaper::http
