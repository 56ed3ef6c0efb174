// Documents and edges on their way to those who are told, and the threads that tell them.
#include "events_support.hpp"

#include <hanaper/toolkit/event_text.hpp>

#include <fstream>

namespace hanaper::test {
namespace {

using Lines = std::vector<std::string>;

class OutboxOf : public EventsFixture {
 protected:
  events::Edge edge(std::string occurrence, std::string subject = "storage.main") {
    events::Edge edge;
    edge.happening.type = "health.failed";
    edge.happening.source = "/nodes/main";
    edge.happening.subject = std::move(subject);
    edge.happening.at = clock_.now();
    edge.occurrence = std::move(occurrence);
    return edge;
  }
  events::Happening started(std::string node) {
    return events::node_event("node.started", node, clock_.now());
  }
  std::size_t waiting() {
    return storage_.memory.find(std::string(events::new_collection), "", "", "", 10'000)->size();
  }
};

TEST_F(OutboxOf, AnEdgeBecomesOneDocumentHoweverOftenAndByWhomItIsSeen) {
  events::Outbox elsewhere(storage_, writer_, clock_, log_, "second");
  elsewhere.listen({"web"});
  for (int i = 0; i < 3; ++i) {
    outbox_.raise(edge("first"));
    elsewhere.raise(edge("first"));
    ASSERT_TRUE(outbox_.flush(soon()).has_value());
    ASSERT_TRUE(elsewhere.flush(soon()).has_value());
  }
  EXPECT_EQ(waiting(), 1u);
  outbox_.raise(edge("second"));
  outbox_.raise(edge("first", "keys.soft"));
  ASSERT_TRUE(outbox_.flush(soon()).has_value());
  EXPECT_EQ(waiting(), 3u);
  events::Outbox after_a_restart(storage_, writer_, clock_, log_, "main");
  after_a_restart.listen({"web"});
  ASSERT_TRUE(outbox_.order(hold(), soon()).has_value());
  after_a_restart.raise(edge("first"));
  ASSERT_TRUE(after_a_restart.flush(soon()).has_value());
  EXPECT_EQ(waiting(), 0u) << "told before, and not again";
}

TEST_F(OutboxOf, WhatIsRaisedWhileTheDatabaseIsAwayIsStoredWhenItIsBack) {
  storage_.before_commit = [](const Batch&) -> Status { return unavailable("gone"); };
  for (int i = 0; i < 3; ++i) outbox_.raise(edge(std::to_string(i)));
  EXPECT_EQ(outbox_.flush(soon()).error().code, Code::unavailable);
  EXPECT_EQ(waiting(), 0u);
  storage_.before_commit = nullptr;
  ASSERT_TRUE(outbox_.flush(soon()).has_value());
  EXPECT_EQ(waiting(), 3u);
}

TEST_F(OutboxOf, MemoryHoldsAThousandAndSaysWhatItLoses) {
  for (std::size_t i = 0; i < events::Outbox::memory + 2; ++i) outbox_.raise(edge(std::to_string(i)));
  ASSERT_TRUE(outbox_.flush(soon()).has_value());
  EXPECT_EQ(waiting(), events::Outbox::memory);
  const auto lines = log_.lines();
  EXPECT_EQ(
      std::ranges::count_if(lines, [](const std::string& line) { return line.find("is lost") != line.npos; }),
      2);
}

TEST_F(OutboxOf, WhatNobodyHearsIsNotWritten) {
  outbox_.listen({});
  outbox_.raise(edge("x"));
  ASSERT_TRUE(outbox_.flush(soon()).has_value());
  EXPECT_EQ(waiting(), 0u);
  EXPECT_FALSE(outbox_.hears("web"));
}

TEST_F(OutboxOf, DocumentsOfANodeKeepTheirOrderAlthoughTheClockStandsStill) {
  events::Subscription subscription(subscriber(), means());
  tell(subscription);
  Lines expected;
  for (int i = 0; i < 250; ++i) {
    Write write;
    write.records = {outbox_.document(started("n" + std::to_string(i)))};
    ASSERT_TRUE(commit(std::move(write)).has_value());
    expected.push_back("node.started n" + std::to_string(i));
  }
  for (int i = 0; i < 5; ++i) tell(subscription);
  EXPECT_EQ(told(), expected);
}

TEST_F(OutboxOf, OnlyTheHolderOfTheRoleNumbers) {
  Write write;
  write.records = {outbox_.document(started("a"))};
  ASSERT_TRUE(commit(std::move(write)).has_value());
  const Fence old = hold("main");
  hold("second");
  Write fresh;
  fresh.records = {outbox_.document(started("b"))};
  ASSERT_TRUE(commit(std::move(fresh)).has_value());
  EXPECT_EQ(outbox_.order(old, soon()).error().code, Code::conflict);
  EXPECT_EQ(waiting(), 2u);
}

TEST_F(OutboxOf, WhatBelongsToNoPipelineIsToldToEachInstanceOnce) {
  events::Subscriber second = subscriber();
  second.first = false;
  second.instance = "notifier.second";
  events::Subscription one(subscriber(), means()), two(std::move(second), means());
  tell(one);
  tell(two);
  Write write;
  write.records = {outbox_.document(started("a"))};
  ASSERT_TRUE(commit(std::move(write)).has_value());
  tell(one);
  tell(two);
  EXPECT_EQ(told(), Lines{"node.started a"});
}

TEST_F(OutboxOf, RequestsAreToldWithTheirDecisions) {
  issuance::Requests requests(storage_, writer_, clock_, &outbox_);
  events::Subscription subscription(subscriber(), means());
  tell(subscription);
  const Call call{"call-1", soon()};
  for (const char* pipeline : {"web", "other"}) {
    issuance::RememberedRequest request;
    request.id = issuance::Requests::id_of(pipeline, "x");
    request.pipeline = pipeline;
    request.profile = "web";
    request.requester = "test";
    request.asked_at = request.moved_at = clock_.now();
    ASSERT_TRUE(requests.store(request, "request.asked", call).has_value());
    clock_.advance(seconds{1});
    ASSERT_TRUE(requests.decide(request.id, false, "no", "somebody", call).has_value());
    clock_.advance(seconds{1});
  }
  EXPECT_EQ(waiting(), 2u) << "nobody hears of the other pipeline";
  tell(subscription);
  const std::string id = issuance::Requests::id_of("web", "x");
  EXPECT_EQ(told(), (Lines{"request.pending " + id, "request.denied " + id}));
  EXPECT_EQ(EventText::read(told_.back())->field("reason"), "no");
}

TEST_F(OutboxOf, AnAuthorityThatEndsIsToldAtEachThresholdOnce) {
  const Time begin = clock_.now();
  const Bytes certificate{1, 2, 3};
  const auto at = [&](days life, days age) -> std::string {
    const auto edge = events::authority_expiring("issuing", certificate, begin, begin + life, begin + age);
    if (!edge) return "";
    return EventText::read(events::make_event(edge->happening))->field("days").value_or("none");
  };
  const struct {
    int life, age;
    std::string days;
  } table[] = {{3650, 0, ""},      {3650, 3559, ""},  {3650, 3560, "90"}, {3650, 3619, "90"},
               {3650, 3620, "30"}, {3650, 3643, "7"}, {3650, 3649, "7"},  {3650, 3650, ""},
               {100, 90, "30"},    {100, 50, ""},     {30, 25, "7"},      {14, 10, ""}};
  for (const auto& row : table)
    EXPECT_EQ(at(days{row.life}, days{row.age}), row.days) << row.life << " " << row.age;
}

TEST_F(OutboxOf, ACheckThatFailsForTenSecondsIsToldAndSoIsItsEnd) {
  events::HealthWatch watch("main");
  const auto look = [&](bool good) {
    Lines lines;
    services::Readiness::Report outcomes{
        {"keys.soft", Purpose::issue, good ? Status{} : unavailable("the token is away")},
        {"writer", Purpose::issue, Status{}}};
    for (const events::Edge& edge : watch.look(outcomes, clock_.now())) lines.push_back(edge.happening.type);
    clock_.advance(seconds{5});
    return lines;
  };
  EXPECT_EQ(look(false), Lines{});
  EXPECT_EQ(look(true), Lines{}) << "short enough";
  EXPECT_EQ(look(false), Lines{});
  EXPECT_EQ(look(false), Lines{});
  EXPECT_EQ(look(false), Lines{"health.failed"});
  EXPECT_EQ(look(false), Lines{});
  EXPECT_EQ(look(true), Lines{"health.restored"});
  EXPECT_EQ(look(true), Lines{});
}

// Every type once, for the catalogue to be held against.
TEST_F(OutboxOf, EventsOfEveryTypeAreWrittenForTheCatalogue) {
  events::Subscription subscription(subscriber(), means());
  const Bytes crl{0x30, 0x01, 0x01};
  told_.push_back(events::crl_made("issuing", crl_row(1), crl));
  tell(subscription);
  const std::string serial = issue_one();
  for (const auto reason : {RevocationReason::certificate_hold, RevocationReason::remove_from_crl}) {
    revoke(serial, reason);
    tell(subscription);
  }
  issuance::RememberedRequest request;
  request.id = issuance::Requests::id_of("web", "x");
  issuance::Requests requests(storage_, writer_, clock_, &outbox_);
  request.pipeline = "web";
  for (const auto state :
       {issuance::RequestState::pending, issuance::RequestState::approved, issuance::RequestState::denied}) {
    request.state = state;
    if (state != issuance::RequestState::pending) request.by = "somebody";
    request.version = state == issuance::RequestState::pending ? 0 : request.version + 1;
    ASSERT_TRUE(requests.store(request, "x", Call{"call-1", soon()}).has_value());
  }
  for (const char* type : {"node.started", "node.stopped"})
    told_.push_back(events::make_event(events::node_event(type, "a node", clock_.now())));
  outbox_.raise(*events::authority_expiring("issuing", crl, clock_.now() - days{3650}, clock_.now() + days{5},
                                            clock_.now()));
  CrlRow late = crl_row(3);
  late.shard = authority_shard;
  outbox_.raise(*events::crl_late("issuing", late, clock_.now()));
  events::HealthWatch watch("main");
  for (const bool good : {false, false, true}) {
    for (events::Edge& edge :
         watch.look({{"keys.soft", Purpose::node, good ? Status{} : unavailable("away")}}, clock_.now()))
      outbox_.raise(std::move(edge));
    clock_.advance(minutes{1});
  }
  ASSERT_TRUE(outbox_.flush(soon()).has_value());
  tell(subscription);
  std::set<std::string> types;
  std::ofstream file(HANAPER_EVENT_SAMPLES);
  for (const Event& event : told_) {
    types.insert(event.type);
    file << event.json << "\n";
  }
  EXPECT_EQ(types.size(), 14u);
  EXPECT_TRUE(file.good());
}

class DispatcherOf : public EventsFixture {
 protected:
  // One instance with its own receiver.
  events::Subscriber to(const std::string& name, std::function<Status(const Event&, Call&)> deliver) {
    events::Subscriber subscriber = EventsFixture::subscriber();
    subscriber.instance = name;
    subscriber.from_beginning = true;
    subscriber.deliver = std::move(deliver);
    return subscriber;
  }
  // A receiver that takes an event and does not come back until it is let go.
  struct Tarpit {
    std::mutex mutex;
    std::condition_variable changed;
    bool inside = false, free = false;
    std::function<Status(const Event&, Call&)> receiver() {
      return [this](const Event&, Call&) -> Status {
        std::unique_lock lock(mutex);
        inside = true;
        changed.notify_all();
        changed.wait(lock, [&] { return free; });
        return {};
      };
    }
    bool wait_until_inside() {
      std::unique_lock lock(mutex);
      return changed.wait_for(lock, seconds{30}, [&] { return inside; });
    }
    void let_go() {
      const std::lock_guard lock(mutex);
      free = true;
      changed.notify_all();
    }
  };
  // Until `count` certificates were told.
  struct Received {
    std::mutex mutex;
    std::condition_variable changed;
    std::set<std::string> certificates;
    std::function<Status(const Event&, Call&)> receiver() {
      return [this](const Event& event, Call&) -> Status {
        take(event);
        return {};
      };
    }
    void take(const Event& event) {
      const std::lock_guard lock(mutex);
      if (event.type == "certificate.issued") certificates.insert(event.subject);
      changed.notify_all();
    }
    bool wait_for(std::size_t count) {
      std::unique_lock lock(mutex);
      return changed.wait_for(lock, seconds{30}, [&] { return certificates.size() >= count; });
    }
  };
};

TEST_F(DispatcherOf, AReceiverThatHangsHoldsUpNobodyElse) {
  Tarpit tarpit;
  Received good;
  events::Dispatcher dispatcher(means(), roles_);
  std::vector<events::Subscriber> all;
  for (int i = 0; i < 20; ++i) all.push_back(to("notifier.hung" + std::to_string(i), tarpit.receiver()));
  all.push_back(to("notifier.good", good.receiver()));
  dispatcher.subscribe(std::move(all), soon());
  dispatcher.start([] {}, [] {});
  for (int i = 0; i < 10; ++i) issue_one();
  EXPECT_TRUE(good.wait_for(10));
  tarpit.let_go();
  EXPECT_TRUE(dispatcher.stop(soon()));
}

TEST_F(DispatcherOf, ANewSetOfSubscribersReplacesTheOldAndKeepsWhatIsTheSame) {
  Received kept, first, second;
  events::Dispatcher dispatcher(means(), roles_);
  dispatcher.start([] {}, [] {});
  const int one = 1, two = 2;
  events::Subscriber before = to("notifier.a", first.receiver()), after = to("notifier.a", second.receiver());
  before.plugin = &one;
  after.plugin = &two;
  dispatcher.subscribe({to("notifier.kept", kept.receiver()), before}, soon());
  issue_one();
  ASSERT_TRUE(first.wait_for(1) && kept.wait_for(1));
  dispatcher.subscribe({to("notifier.kept", kept.receiver()), after}, soon());
  issue_one();
  ASSERT_TRUE(second.wait_for(1) && kept.wait_for(2));
  EXPECT_EQ(first.certificates.size(), 1u) << "it was replaced";
  EXPECT_EQ(second.certificates.size(), 1u) << "it went on where the other was";
  const auto standings = events::standings(storage_.memory);
  ASSERT_TRUE(standings.has_value());
  ASSERT_EQ(standings->size(), 2u);
  EXPECT_EQ((*standings)[0].instance, "notifier.a");
  EXPECT_FALSE((*standings)[0].position.failing_since);
}

TEST_F(DispatcherOf, ACallThatDoesNotComeBackHoldsUpItsOwnSuccessorAlone) {
  Tarpit tarpit;
  Received kept, second;
  const int one = 1, two = 2;
  events::Subscriber before = to("notifier.a", tarpit.receiver()),
                     after = to("notifier.a", second.receiver());
  before.plugin = &one;
  after.plugin = &two;
  events::Dispatcher dispatcher(means(), roles_);
  dispatcher.start([] {}, [] {});
  dispatcher.subscribe({to("notifier.kept", kept.receiver()), before}, soon());
  issue_one();
  ASSERT_TRUE(tarpit.wait_until_inside());
  const auto already = std::chrono::steady_clock::now();
  dispatcher.subscribe({to("notifier.kept", kept.receiver()), after}, already);
  issue_one();
  EXPECT_TRUE(kept.wait_for(2));
  {
    const std::lock_guard lock(second.mutex);
    EXPECT_TRUE(second.certificates.empty()) << "the first is still being told";
  }
  dispatcher.subscribe({after}, already);
  tarpit.let_go();
  EXPECT_TRUE(second.wait_for(1));
  EXPECT_TRUE(dispatcher.stop(soon()));
}

TEST_F(DispatcherOf, SaysAtItsStopThatACallHasNotComeBackAndOutlivesIt) {
  Tarpit tarpit;
  std::thread release;
  {
    events::Dispatcher dispatcher(means(), roles_);
    dispatcher.subscribe({to("notifier.a", tarpit.receiver())}, soon());
    dispatcher.start([] {}, [] {});
    issue_one();
    ASSERT_TRUE(tarpit.wait_until_inside());
    EXPECT_FALSE(dispatcher.stop(std::chrono::steady_clock::now()));
    release = std::thread([&] { tarpit.let_go(); });
  }
  release.join();
}

TEST_F(DispatcherOf, ADeadLetterIsListedAndSentAgain) {
  std::atomic<bool> refuses{true};
  Received received;
  events::Dispatcher dispatcher(means(), roles_);
  dispatcher.subscribe({to("notifier.a",
                           [&](const Event& event, Call&) -> Status {
                             if (event.type == "certificate.issued" && refuses) {
                               received.changed.notify_all();
                               return Error{Code::rejected, "not now"};
                             }
                             received.take(event);
                             return {};
                           })},
                       soon());
  dispatcher.start([] {}, [] {});
  const std::string serial = issue_one();
  std::vector<events::DeadLetter> letters;
  for (const Deadline end = soon(); letters.empty() && std::chrono::steady_clock::now() < end;
       std::this_thread::yield())
    letters = *events::dead_letters(storage_.memory, "web/notifier.a", "", 10);
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0].event.subject, serial);
  EXPECT_TRUE(events::dead_letters(storage_.memory, "web/notifier.other", "", 10)->empty());
  const Call call{"call-1", soon()};
  EXPECT_EQ(dispatcher.resend("none", "test", call).error().code, Code::not_found);
  EXPECT_EQ(dispatcher.resend(letters[0].id, "test", call).error().code, Code::rejected);
  EXPECT_EQ(events::dead_letters(storage_.memory, "", "", 10)->size(), 1u) << "it stays";
  refuses = false;
  ASSERT_TRUE(dispatcher.resend(letters[0].id, "test", call).has_value());
  EXPECT_TRUE(received.wait_for(1));
  EXPECT_TRUE(events::dead_letters(storage_.memory, "", "", 10)->empty());
  EXPECT_NE(audit_text().find("event.resent"), std::string::npos);
}

}  // namespace
}  // namespace hanaper::test
