#include "services/metrics.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

namespace hanaper::services {
namespace {

TEST(Metrics, AreWrittenByNameAndLabels) {
  Registry registry;
  registry.counter("b_total", "Things counted.").add(3);
  registry.counter("a_total", "Other things.", {{"kind", "y"}}).add(2);
  registry.counter("a_total", "Other things.", {{"kind", "x"}, {"more", "z"}}).add();
  registry.gauge("level", "How high it stands.").set(-5);
  EXPECT_EQ(registry.text(),
            "# HELP a_total Other things.\n"
            "# TYPE a_total counter\n"
            "a_total{kind=\"x\",more=\"z\"} 1\n"
            "a_total{kind=\"y\"} 2\n"
            "# HELP b_total Things counted.\n"
            "# TYPE b_total counter\n"
            "b_total 3\n"
            "# HELP level How high it stands.\n"
            "# TYPE level gauge\n"
            "level -5\n");
}

TEST(Metrics, EscapeWhatWouldEndALabel) {
  Registry registry;
  registry.counter("a_total", "Help.", {{"value", "say \"hi\"\\\nb_total 5"}}).add();
  EXPECT_NE(registry.text().find("\na_total{value=\"say \\\"hi\\\"\\\\\\nb_total 5\"} 1\n"),
            std::string::npos);
}

TEST(Metrics, CountDurationsInBucketsThatIncludeTheSmaller) {
  Registry registry;
  Histogram& histogram = registry.histogram("time_seconds", "Time.", {{"door", "a"}});
  histogram.observe(std::chrono::microseconds{100});  // a bound belongs to its bucket
  histogram.observe(std::chrono::microseconds{400});
  histogram.observe(std::chrono::microseconds{249'500});
  histogram.observe(std::chrono::milliseconds{63'750});
  EXPECT_EQ(registry.text(),
            "# HELP time_seconds Time.\n"
            "# TYPE time_seconds histogram\n"
            "time_seconds_bucket{door=\"a\",le=\"0.0001\"} 1\n"
            "time_seconds_bucket{door=\"a\",le=\"0.0005\"} 2\n"
            "time_seconds_bucket{door=\"a\",le=\"0.001\"} 2\n"
            "time_seconds_bucket{door=\"a\",le=\"0.005\"} 2\n"
            "time_seconds_bucket{door=\"a\",le=\"0.01\"} 2\n"
            "time_seconds_bucket{door=\"a\",le=\"0.05\"} 2\n"
            "time_seconds_bucket{door=\"a\",le=\"0.1\"} 2\n"
            "time_seconds_bucket{door=\"a\",le=\"0.5\"} 3\n"
            "time_seconds_bucket{door=\"a\",le=\"1\"} 3\n"
            "time_seconds_bucket{door=\"a\",le=\"5\"} 3\n"
            "time_seconds_bucket{door=\"a\",le=\"10\"} 3\n"
            "time_seconds_bucket{door=\"a\",le=\"+Inf\"} 4\n"
            "time_seconds_sum{door=\"a\"} 64\n"
            "time_seconds_count{door=\"a\"} 4\n");
}

TEST(Metrics, AreTheSameObjectForTheSameNameAndLabels) {
  Registry registry;
  Counter& first = registry.counter("a_total", "Help.", {{"x", "1"}});
  for (int i = 0; i < 1000; ++i) registry.counter("a_total", "Help.", {{"x", std::to_string(i)}});
  EXPECT_EQ(&registry.counter("a_total", "Help.", {{"x", "1"}}), &first);
  EXPECT_NE(&registry.counter("a_total", "Help.", {{"x", "2"}}), &first);
  EXPECT_NE(&registry.counter("a_total", "Help."), &first);
}

TEST(Metrics, OfOneNameAreOfOneType) {
  Registry registry;
  registry.counter("a", "Help.");
  EXPECT_THROW(registry.gauge("a", "Help."), std::logic_error);
  EXPECT_THROW(registry.histogram("a", "Help."), std::logic_error);
}

TEST(Metrics, MayBeBroughtUpToDateBeforeEachScrape) {
  Registry registry;
  Gauge& gauge = registry.gauge("age", "Age.");
  registry.before_scrape([&] { gauge.add(1); });
  // An update may register: it runs outside of the lock.
  registry.before_scrape([&] { registry.gauge("late", "Late.").set(1); });
  EXPECT_NE(registry.text().find("age 1\n"), std::string::npos);
  EXPECT_NE(registry.text().find("age 2\n"), std::string::npos);
  EXPECT_NE(registry.text().find("late 1\n"), std::string::npos);
}

TEST(Metrics, OfAnInstanceCarryItsName) {
  Registry registry;
  InstanceMetrics first(registry, "protocol.acme"), second(registry, "protocol.staging");
  first.counter("orders_total", "Orders.", {{"state", "valid"}}).add(1);
  second.counter("orders_total", "Orders.", {{"state", "valid"}}).add(2);
  second.gauge("open", "Open.", {}).set(3);
  const std::string text = registry.text();
  EXPECT_NE(text.find("orders_total{instance=\"protocol.acme\",state=\"valid\"} 1\n"), std::string::npos);
  EXPECT_NE(text.find("orders_total{instance=\"protocol.staging\",state=\"valid\"} 2\n"), std::string::npos);
  EXPECT_NE(text.find("open{instance=\"protocol.staging\"} 3\n"), std::string::npos);
}

}  // namespace
}  // namespace hanaper::services
