// A subscription over a storage in memory, a receiver that does as the test says, and certificates to tell
// of.
#pragma once

#include "events/dispatcher.hpp"
#include "events/edges.hpp"
#include "issuance_support.hpp"

#include <hanaper/testing/fake_authority.hpp>

namespace hanaper::test {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

class EventsFixture : public IssuanceFixture {
 protected:
  void SetUp() override {
    open();
    outbox_.listen({"web"});
  }

  std::string issue_one(std::string name = "a.example.test") {
    const auto issued = issue(request_for(*subject_, {{Kind::dns, std::move(name)}}));
    if (!issued) throw std::logic_error(issued.error().detail);
    clock_.advance(seconds{1});
    return issued->serial.hex();
  }
  void revoke(const std::string& serial, RevocationReason reason) {
    Call call{"revoke", soon()};
    const CertificateRow row = *storage_.memory.certificate(1, *Serial::from_text(serial));
    const Status revoked = pipeline_.revoke(row, {reason, {}, "test"}, call);
    if (!revoked) throw std::logic_error(revoked.error().detail);
    clock_.advance(seconds{1});
  }

  events::Context means() { return {storage_, writer_, outbox_, clock_, log_, metrics_}; }
  events::Subscriber subscriber() {
    events::Subscriber subscriber;
    subscriber.pipeline = "web";
    subscriber.instance = "notifier.test";
    subscriber.first = true;
    subscriber.authorities = {{&status_, {0}, true}};
    subscriber.deliver = [this](const Event& event, Call&) -> Status {
      if (receive)
        if (Status decided = receive(event); !decided) return decided;
      told_.push_back(event);
      return {};
    };
    return subscriber;
  }
  Fence hold(const std::string& node = "main") { return *fakes::take_lease(storage_.memory, "events", node); }
  Result<bool> step(events::Subscription& subscription) { return step(subscription, hold()); }
  Result<bool> step(events::Subscription& subscription, const Fence& fence) {
    if (auto ordered = outbox_.order(fence, soon()); !ordered) return ordered;
    return subscription.step(fence, [] { return true; });
  }
  // Steps until there is no more.
  void tell(events::Subscription& subscription) {
    for (int i = 0; i < 100; ++i) {
      const auto more = step(subscription);
      ASSERT_TRUE(more.has_value()) << more.error().detail;
      if (!*more) return;
    }
    FAIL() << "there is no end";
  }
  // "certificate.issued SERIAL", of certificates, requests and nodes; without what a subscription begins
  // with.
  std::vector<std::string> told() const {
    std::vector<std::string> lines;
    for (const Event& event : told_)
      if (event.type != "authority.certified" && event.type != "crl.made")
        lines.push_back(event.type + " " + event.subject);
    return lines;
  }
  std::vector<events::DeadLetter> dead() {
    std::vector<events::DeadLetter> letters;
    const auto records = storage_.memory.find(events::dead_collection, "", "", "", 1000);
    for (const Record& record : *records) letters.push_back(*events::DeadLetter::read(record));
    return letters;
  }

  CrlRow crl_row(std::uint64_t number) {
    CrlRow row;
    row.authority = 1;
    row.number = number;
    row.this_update = row.next_update = clock_.now();
    return row;
  }

  std::function<Status(const Event&)> receive;  // may refuse
  std::vector<Event> told_;
  std::shared_ptr<crypto::SoftKey> subject_ = new_key();
  fakes::FakeAuthority status_{storage_.memory, clock_, 1, "issuing"};
  services::Roles roles_{storage_, {"main", "state", "boot"}, false, log_};
  events::Outbox outbox_{storage_, writer_, clock_, log_, "main"};
};

}  // namespace hanaper::test
