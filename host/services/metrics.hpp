// The metrics registry and its Prometheus text (exposition format 0.0.4).
#pragma once

#include <hanaper/services.hpp>
#include <hanaper/toolkit/mutex.hpp>

#include <deque>
#include <functional>
#include <map>

namespace hanaper::services {

// Every metric of the process. Registering takes a lock; counting does not. Thread-safe.
class Registry final : public Metrics {
 public:
  Counter& counter(std::string_view name, std::string_view help, std::vector<Label> labels = {}) override;
  Gauge& gauge(std::string_view name, std::string_view help, std::vector<Label> labels = {}) override;
  Histogram& histogram(std::string_view name, std::string_view help, std::vector<Label> labels = {}) override;

  // Runs before each scrape, to set gauges that nobody keeps up to date. [any]
  void before_scrape(std::function<void()> update);

  // Text in the same format that each scrape ends with: what is not counted here. [any]
  void also(std::function<std::string()> text);

  std::string text();

 private:
  enum class Type { counter, gauge, histogram };
  struct Family {
    Type type;
    std::string help;
    std::map<std::vector<Label>, std::size_t> members;  // index into the deque of its type
  };
  Family& family(std::string_view name, std::string_view help, Type type) HANAPER_REQUIRES(mutex_);

  Mutex mutex_;
  std::map<std::string, Family, std::less<>> families_ HANAPER_GUARDED_BY(mutex_);
  std::deque<Counter> counters_ HANAPER_GUARDED_BY(mutex_);
  std::deque<Gauge> gauges_ HANAPER_GUARDED_BY(mutex_);
  std::deque<Histogram> histograms_ HANAPER_GUARDED_BY(mutex_);
  std::vector<std::function<void()>> updates_ HANAPER_GUARDED_BY(mutex_);
  std::vector<std::function<std::string()>> others_ HANAPER_GUARDED_BY(mutex_);
};

// The registry as one instance sees it: every metric carries its name.
class InstanceMetrics final : public Metrics {
 public:
  InstanceMetrics(Registry& registry, std::string instance)
      : registry_(registry), instance_(std::move(instance)) {}

  Counter& counter(std::string_view name, std::string_view help, std::vector<Label> labels) override {
    return registry_.counter(name, help, with_instance(std::move(labels)));
  }
  Gauge& gauge(std::string_view name, std::string_view help, std::vector<Label> labels) override {
    return registry_.gauge(name, help, with_instance(std::move(labels)));
  }
  Histogram& histogram(std::string_view name, std::string_view help, std::vector<Label> labels) override {
    return registry_.histogram(name, help, with_instance(std::move(labels)));
  }

 private:
  std::vector<Label> with_instance(std::vector<Label> labels) const {
    labels.insert(labels.begin(), {"instance", instance_});
    return labels;
  }

  Registry& registry_;
  const std::string instance_;
};

}  // namespace hanaper::services
