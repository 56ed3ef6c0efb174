// check --deep: a start that changes nothing.
#include "node.hpp"

#include <hanaper/inspectable.hpp>

#include <filesystem>

namespace hanaper {
namespace {

// What a start opens without telling anybody outside of it.
constexpr std::string_view quiet_kinds[] = {"keys", "authenticator", "policy", "validator"};

}  // namespace

// Whether the rest can be looked at: whatever start would have to make first is not made.
bool Node::look_before_start(Checked& checked) {
  std::error_code ec;
  if (!std::filesystem::is_directory(shared_.state_folder, ec)) {
    checked.failures.push_back("the state folder " + shared_.state_folder +
                               " does not exist; run hanaper init");
    return false;
  }
  if (Status own = check_state_owner(shared_.state_folder); !own) checked.fail(own.error());
  if (Status restored = check_restored(shared_.state_folder); !restored) checked.fail(restored.error());
  if (is_open_to_others(shared_.state_folder))
    checked.notes.push_back(shared_.state_folder + ": others may look into it; a start makes its mode 700");
  bool goes_on = checked.failures.empty();
  for (const auto& instance : instances()) {
    const std::string& kind = instance->config().kind;
    if (kind != "storage" && kind != "keys") continue;
    auto* inspectable = instance->ability<Inspectable>();
    if (inspectable == nullptr && kind == "keys") continue;
    if (inspectable == nullptr) {
      checked.notes.push_back(instance->name() +
                              ": its plugin cannot look without changing; it and what is in it are left out");
      goes_on = false;
      continue;
    }
    const auto found = instance->guard().run("inspect", "", [&] { return inspectable->inspect(); });
    if (!found) checked.fail(found.error(), instance->name() + ": ");
    if (found && !found->empty()) checked.notes.push_back(instance->name() + ": " + *found);
    goes_on = goes_on && found && found->empty();
  }
  return goes_on;
}

Node::Checked Node::check_start() {
  Checked checked;
  if (!look_before_start(checked)) return checked;
  const auto succeeds = [&](const Status& status) {
    if (!status) checked.fail(status.error());
    return status.has_value();
  };
  started_ = true;
  if (!succeeds(start_storage()) || !succeeds(shared_.writer->start())) return checked;
  succeeds(shared_.writer->check_clock());
  const services::Holder nobody{model_.node.name, "check", "check"};  // who is never asked for a role
  shared_.roles = std::make_unique<services::Roles>(*shared_.storage, nobody, is_alone(), shared_.logger);
  bool all = true;
  for (const auto& instance : instances())
    if (std::ranges::find(quiet_kinds, instance->config().kind) != std::end(quiet_kinds))
      all = succeeds(instance->start()) && all;
  if (!all || !succeeds(read_ledger())) return checked;
  look_at_pipelines(checked);
  look_at_certificates(checked);
  return checked;
}

void Node::look_at_pipelines(Checked& checked) {
  if (const Status there = check_authorities(); !there) checked.fail(there.error());
  for (const auto& [name, config] : model_.pipelines) {
    if (const Status able = can_issue(name); !able) {
      checked.notes.push_back(able.error().detail);
      continue;
    }
    const auto ready = pipeline(name);
    // A self-test draws serial numbers, and those of a range are gone then.
    if (model_.authorities.at(config.authority).serial.range)
      checked.notes.push_back("pipeline." + name + ": not tested, for that takes serial numbers of a range");
    else if (Status tested = (*ready)->self_test(); !tested)
      checked.fail(tested.error(), "pipeline." + name + ": ");
  }
}

void Node::look_at_certificates(Checked& checked) {
  for (const auto& [name, registrars] : registrars_) {
    const auto known = registrars->look();
    if (!known)
      checked.fail(known.error(), "authority." + name + ".registrar: ");
    else if (!*known)
      checked.notes.push_back("authority." + name +
                              ".registrar: has no certificate that is good; one would be made");
  }
  for (const auto& [name, listener] : model_.listeners) {
    if (!listener.tls) continue;
    const auto good = certificates_.look(listener);
    if (!good)
      checked.fail(good.error(), "listener." + name + ".certificate: ");
    else if (!*good)
      checked.notes.push_back("listener." + name +
                              ".certificate: there is none that is good; one would be issued");
  }
}

}  // namespace hanaper
