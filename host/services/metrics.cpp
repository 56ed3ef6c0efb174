#include "metrics.hpp"

#include <charconv>
#include <stdexcept>

namespace hanaper::services {
namespace {

std::string escape(std::string_view value) {
  std::string text;
  for (char c : value) {
    if (c == '\\' || c == '"') text.push_back('\\');
    if (c == '\n')
      text += "\\n";
    else
      text.push_back(c);
  }
  return text;
}

std::string labels_text(const std::vector<Label>& labels, std::string_view extra = {}) {
  if (labels.empty() && extra.empty()) return {};
  std::string text = "{";
  for (const Label& label : labels)
    text += (text.size() > 1 ? "," : "") + label.name + "=\"" + escape(label.value) + "\"";
  if (!extra.empty()) text.append(text.size() > 1 ? "," : "").append(extra);
  return text + "}";
}

std::string number(double value) {
  char text[64];  // "0.0001" and never "1e-04": bounds are labels, and labels are compared as text
  return {text, std::to_chars(text, text + sizeof text, value, std::chars_format::fixed).ptr};
}

void append_histogram(std::string& out, std::string_view name, const std::vector<Label>& labels,
                      const Histogram& histogram) {
  std::uint64_t total = 0;
  for (std::size_t bucket = 0; bucket <= Histogram::bounds.size(); ++bucket) {
    total += histogram.count(bucket);
    const std::string bound = bucket < Histogram::bounds.size() ? number(Histogram::bounds[bucket]) : "+Inf";
    out.append(name)
        .append("_bucket")
        .append(labels_text(labels, "le=\"" + bound + "\""))
        .append(" ")
        .append(std::to_string(total))
        .append("\n");
  }
  out.append(name)
      .append("_sum")
      .append(labels_text(labels))
      .append(" ")
      .append(number(histogram.sum()))
      .append("\n");
  out.append(name)
      .append("_count")
      .append(labels_text(labels))
      .append(" ")
      .append(std::to_string(total))
      .append("\n");
}

}  // namespace

Registry::Family& Registry::family(std::string_view name, std::string_view help, Type type) {
  const auto [found, fresh] = families_.try_emplace(std::string(name), Family{type, std::string(help), {}});
  if (found->second.type != type)
    throw std::logic_error("metric " + std::string(name) + " registered under two types");
  return found->second;
}

Counter& Registry::counter(std::string_view name, std::string_view help, std::vector<Label> labels) {
  const Lock lock(mutex_);
  const auto [found, fresh] =
      family(name, help, Type::counter).members.try_emplace(std::move(labels), counters_.size());
  return fresh ? counters_.emplace_back() : counters_[found->second];
}

Gauge& Registry::gauge(std::string_view name, std::string_view help, std::vector<Label> labels) {
  const Lock lock(mutex_);
  const auto [found, fresh] =
      family(name, help, Type::gauge).members.try_emplace(std::move(labels), gauges_.size());
  return fresh ? gauges_.emplace_back() : gauges_[found->second];
}

Histogram& Registry::histogram(std::string_view name, std::string_view help, std::vector<Label> labels) {
  const Lock lock(mutex_);
  const auto [found, fresh] =
      family(name, help, Type::histogram).members.try_emplace(std::move(labels), histograms_.size());
  return fresh ? histograms_.emplace_back() : histograms_[found->second];
}

void Registry::before_scrape(std::function<void()> update) {
  const Lock lock(mutex_);
  updates_.push_back(std::move(update));
}

void Registry::also(std::function<std::string()> text) {
  const Lock lock(mutex_);
  others_.push_back(std::move(text));
}

std::string Registry::text() {
  std::vector<std::function<void()>> updates;
  std::vector<std::function<std::string()>> others;
  {
    const Lock lock(mutex_);
    updates = updates_;
    others = others_;
  }
  for (const auto& update : updates) update();
  std::string rest;
  for (const auto& other : others) rest += other();
  const Lock lock(mutex_);
  std::string out;
  for (const auto& [name, family] : families_) {
    constexpr std::string_view types[] = {"counter", "gauge", "histogram"};
    out.append("# HELP ").append(name).append(" ").append(family.help).append("\n");
    out.append("# TYPE ")
        .append(name)
        .append(" ")
        .append(types[static_cast<std::size_t>(family.type)])
        .append("\n");
    for (const auto& [labels, index] : family.members) {
      if (family.type == Type::histogram) {
        append_histogram(out, name, labels, histograms_[index]);
        continue;
      }
      const std::string value = family.type == Type::counter ? std::to_string(counters_[index].value())
                                                             : std::to_string(gauges_[index].value());
      out.append(name).append(labels_text(labels)).append(" ").append(value).append("\n");
    }
  }
  return out + rest;
}

}  // namespace hanaper::services
