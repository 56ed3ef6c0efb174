// Each kind of plugin behind its guard: the host has no other way into one.
#pragma once

#include "../services/guard.hpp"

#include <hanaper/events.hpp>
#include <hanaper/keys.hpp>
#include <hanaper/stages.hpp>
#include <hanaper/storage.hpp>

namespace hanaper {

// `plugin` as its kind, every function of it behind `guard`, both of which outlive the result. Null when the
// shared object has lied about its kind, and for protocols, whose guard is their endpoint.
std::unique_ptr<Plugin> guarded_kind(std::string_view kind, Plugin& plugin, services::Guard& guard);

}  // namespace hanaper
