// What every publisher and notifier must do: take every event, take it twice, and say by the code whether it
// may come again. Whom they tell need not be there.
#include "expect.hpp"
#include "subject.hpp"

#include <hanaper/toolkit/json.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <thread>

namespace hanaper::kit {
namespace {

using enum Code;

// As the host would make them: the catalogue's types, and one that is not in it yet.
std::vector<Event> events_of(Subject& subject) {
  fakes::FakeAuthority authority(subject.host().memory_storage, subject.host().manual_clock, 100, "issuing");
  const auto key = *crypto::SoftKey::generate({KeyType::ec_p256, 0});
  const Bytes certificate = authority.issue(7, key->spki());
  const Bytes crl{0x30, 0x03, 0x02, 0x01, 0x01};
  const Time now = subject.host().manual_clock.now();
  const auto make = [&](const std::string& type, const std::string& about, json::Object data, Bytes object) {
    Event event{.id = type + "/1",
                .source = "/authorities/issuing",
                .type = type,
                .subject = about,
                .at = now,
                .json = {},
                .object = std::move(object)};
    event.json = json::write(json::Value(json::Object{{"specversion", "1.0"},
                                                      {"id", event.id},
                                                      {"source", event.source},
                                                      {"type", type},
                                                      {"subject", about},
                                                      {"time", time_text_ms(now)},
                                                      {"datacontenttype", "application/json"},
                                                      {"data", std::move(data)}}));
    return event;
  };
  const json::Object of_certificate{{"authority", "issuing"},
                                    {"serial", "0107"},
                                    {"pipeline", "web"},
                                    {"profile", "default"},
                                    {"requester", "test:somebody"},
                                    {"sha256", std::string(64, '0')},
                                    {"name", "CN=fake 7"},
                                    {"common_name", "fake 7\r\nX: y,ou=other/../x"},
                                    {"names", json::Array{"dns:a.example.test"}},
                                    {"not_before", time_text(now)},
                                    {"not_after", time_text(now)}};
  std::vector<Event> events;
  for (const char* type : {"certificate.issued", "certificate.revoked", "certificate.released"})
    events.push_back(make(type, "0107", of_certificate, certificate));
  events.push_back(
      make("authority.certified", "issuing", {{"authority", "issuing"}}, to_bytes(authority.certificate())));
  for (const char* shard : {"0", "1", "ca"})
    events.push_back(
        make("crl.made", "issuing", {{"authority", "issuing"}, {"shard", shard}, {"number", 1}}, crl));
  const json::Object request{
      {"request", std::string(32, 'a')}, {"pipeline", "web"}, {"wanted", "CN=Gr\xc3\xbc\xc3\x9f"}};
  for (const char* type :
       {"request.pending", "request.approved", "request.denied", "authority.expiring", "crl.late",
        "health.failed", "health.restored", "node.started", "node.stopped", "kit.unheard-of"})
    events.push_back(make(type, "something", request, {}));
  return events;
}

class EventsKit : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(subject.status()) << subject.status().error().detail;
    events = events_of(subject);
    subject.host().fake_outbound.answer_send = [](const OutboundMessage&) -> Result<OutboundAnswer> {
      return OutboundAnswer{204, "", "kit", {}};
    };
  }
  Status tell(const Event& event, std::chrono::milliseconds left = std::chrono::seconds{10}) {
    Call call{"kit", std::chrono::steady_clock::now() + left};
    return expect_kept(
        "telling of " + event.type,
        {unavailable, rate_limited, rejected, malformed, forbidden, unsupported, not_found, conflict}, [&] {
          auto* publisher = dynamic_cast<Publisher*>(&subject.plugin());
          return publisher ? publisher->publish(event, call)
                           : dynamic_cast<Notifier&>(subject.plugin()).notify(event, call);
        });
  }

  void takes_every_event_twice() {
    for (const Event& event : events) {
      const Status first = tell(event), second = tell(event);
      EXPECT_EQ(first.has_value(), second.has_value())
          << event.type << ": an event may come again (events.hpp), and then the same must come of it: "
          << (first ? second : first).error().detail;
    }
  }
  void takes_what_it_does_not_know() {
    const Event& event = events.back();
    const Status told = tell(event);
    const bool away = !told && (told.error().code == unavailable || told.error().code == rate_limited);
    const Status known = tell(events.front());
    const bool all_away = !known && known.error().code == unavailable;
    EXPECT_TRUE(!away || all_away) << "an event of an unknown type is never tried again for three days: "
                                   << told.error().detail;
  }
  void bears_json_that_is_none() {
    Event event = events.front();
    for (const char* text : {"", "{", "[]", "null", "{\"data\":1}", "\xff"}) {
      event.json = text;
      static_cast<void>(tell(event));
    }
  }
  void keeps_the_deadline() {
    const auto begun = std::chrono::steady_clock::now();
    static_cast<void>(tell(events.front(), std::chrono::milliseconds{1}));
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds{30})
        << "a call ends by its deadline, or soon after";
  }
  void is_told_by_many_threads() {
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&] {
        for (const Event& event : events) static_cast<void>(tell(event));
      });
    for (std::thread& thread : threads) thread.join();
  }

  Subject subject;
  std::vector<Event> events;
};

class PublisherKit : public EventsKit {};
class NotifierKit : public EventsKit {};

TEST_F(PublisherKit, TakesEveryEventTwice) { takes_every_event_twice(); }
TEST_F(PublisherKit, TakesWhatItDoesNotKnow) { takes_what_it_does_not_know(); }
TEST_F(PublisherKit, BearsJsonThatIsNone) { bears_json_that_is_none(); }
TEST_F(PublisherKit, KeepsTheDeadline) { keeps_the_deadline(); }
TEST_F(PublisherKit, IsToldByManyThreads) { is_told_by_many_threads(); }
TEST_F(NotifierKit, TakesEveryEventTwice) { takes_every_event_twice(); }
TEST_F(NotifierKit, TakesWhatItDoesNotKnow) { takes_what_it_does_not_know(); }
TEST_F(NotifierKit, BearsJsonThatIsNone) { bears_json_that_is_none(); }
TEST_F(NotifierKit, KeepsTheDeadline) { keeps_the_deadline(); }
TEST_F(NotifierKit, IsToldByManyThreads) { is_told_by_many_threads(); }

// Whatever an event says, nothing is written outside the instance's own folder.
TEST_F(PublisherKit, WritesNowhereElse) {
  const auto outside = subject.folder().parent_path() / "x";
  const bool was_there = std::filesystem::exists(outside);
  for (const Event& event : events) static_cast<void>(tell(event));
  EXPECT_EQ(std::filesystem::exists(outside), was_there) << "a name with slashes led out of the folder";
}

}  // namespace
}  // namespace hanaper::kit
