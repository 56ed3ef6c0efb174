// Who is told of this node's events, and the edges that it finds.
#include "node.hpp"

#include <hanaper/toolkit/time_text.hpp>

#include <algorithm>

namespace hanaper {

void Node::listen_for_events() {
  std::set<std::string> heard;
  for (const auto& [name, pipeline] : model_.pipelines)
    if (!pipeline.publish.empty() || !pipeline.notify.empty()) heard.insert(name);
  outbox_->listen(std::move(heard));
}

events::Subscriber Node::subscriber(const config::PipelineConfig& pipeline,
                                    const std::shared_ptr<Instance>& instance) {
  events::Subscriber subscriber;
  subscriber.pipeline = pipeline.name;
  subscriber.instance = instance->name();
  subscriber.plugin = instance.get();
  subscriber.publishes = instance->config().kind == "publisher";
  subscriber.from_beginning = instance->config().from_beginning;
  subscriber.types = instance->config().events;
  // Keeps the instance for as long as it is told.
  subscriber.deliver = [instance, publisher = instance->as<Publisher>(), notifier = instance->as<Notifier>()](
                           const Event& event, Call& call) {
    return publisher ? publisher->publish(event, call) : notifier->notify(event, call);
  };
  const auto add = [&](const std::string& name, bool issues) {
    validity::NodeAuthority& authority = status_authorities_.find(name)->second;
    const bool known = std::ranges::any_of(subscriber.authorities,
                                           [&](const auto& told) { return told.authority == &authority; });
    if (!known) subscriber.authorities.push_back({&authority, authority.published_shards(), issues});
  };
  add(pipeline.authority, true);
  for (const auto& earlier : roll_overs_.before(pipeline.authority)) add(earlier->config().name, true);
  for (std::string above = model_.authorities.at(pipeline.authority).issuer; !above.empty();
       above = model_.authorities.at(above).issuer)
    add(above, false);
  return subscriber;
}

void Node::subscribe(Deadline deadline) {
  std::vector<events::Subscriber> subscribers;
  std::set<std::string> seen;
  const Instances serving = instances();
  for (const std::string& name : wired_) {
    const config::PipelineConfig& pipeline = model_.pipelines.at(name);
    const auto add = [&](std::string_view kind, const std::vector<std::string>& instances) {
      for (const std::string& wanted : instances) {
        const auto found = find_instance(serving, kind, wanted);
        if (!found || (!found->as<Publisher>() && !found->as<Notifier>())) continue;
        events::Subscriber& made = subscribers.emplace_back(subscriber(pipeline, found));
        made.first = seen.insert(found->name()).second;
        for (events::ToldAuthority& told : made.authorities)
          told.first = seen.insert(found->name() + " " + told.authority->name()).second;
      }
    };
    add("publisher", pipeline.publish);
    add("notifier", pipeline.notify);
  }
  dispatcher_->subscribe(std::move(subscribers), deadline);
}

void Node::start_events() {
  health_watch_ = std::make_unique<events::HealthWatch>(model_.node.name);
  dispatcher_ =
      std::make_unique<events::Dispatcher>(events::Context{*shared_.storage, *shared_.writer, *outbox_,
                                                           shared_.clock, shared_.logger, shared_.metrics},
                                           *shared_.roles);
  subscribe(reload_deadline());
  dispatcher_->start([this] { raise_edges(); }, [this] { raise_health(); });
}

// For the commit that says so in the audit.
std::vector<RecordWrite> Node::node_event(std::string_view type) {
  if (!outbox_->hears()) return {};
  return {outbox_->document(events::node_event(type, model_.node.name, shared_.clock.now()))};
}

// Of what belongs to no node: whoever has the role looks.
void Node::raise_edges() {
  const Time now = shared_.clock.now();
  for (const auto& [name, unused] : model_.authorities) {
    const auto authority = authorities_.find(name);
    if (!authority || authority->not_after() <= now) continue;
    if (auto edge = events::authority_expiring(name, authority->certificate(), authority->not_before(),
                                               authority->not_after(), now))
      outbox_->raise(*std::move(edge));
    validity::NodeAuthority& status = status_authorities_.find(name)->second;
    for (const std::uint32_t shard : status.published_shards())
      if (const auto newest = status.newest_crl(shard, false))
        if (auto edge = events::crl_late(name, *newest, now)) outbox_->raise(*std::move(edge));
  }
}

// For those who read logs: once for each threshold, and each day once it is over.
void Node::watch_authorities() {
  const Time now = shared_.clock.now();
  for (const auto& [name, unused] : model_.authorities) {
    const auto authority = authorities_.find(name);
    if (!authority) continue;
    const bool over = !authority->check_current(now);
    const auto edge = events::authority_expiring(name, authority->certificate(), authority->not_before(),
                                                 authority->not_after(), now);
    if (!over && !edge) continue;
    const std::string occurrence =
        over ? time_text(std::chrono::floor<std::chrono::days>(now)) : edge->occurrence;
    if (std::exchange(told_of_authorities_[name], occurrence) == occurrence) continue;
    const auto left = std::chrono::floor<std::chrono::days>(authority->not_after() - now);
    if (over)
      shared_.logger.error("an authority has expired",
                           {{"authority", name}, {"until", time_text(authority->not_after())}});
    else
      shared_.logger.warning("an authority expires soon; make the one that takes over",
                             {{"authority", name},
                              {"until", time_text(authority->not_after())},
                              {"days", std::to_string(left.count())}});
  }
}

void Node::raise_health() {
  if (!serving_) return;
  for (events::Edge& edge : health_watch_->look(shared_.readiness.report(), shared_.clock.now()))
    outbox_->raise(std::move(edge));
}

}  // namespace hanaper
