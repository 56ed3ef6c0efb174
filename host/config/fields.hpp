// Tables of the configuration as the structs of the model.
#pragma once

#include "model.hpp"

namespace hanaper::config {

// Settings of one table, read into a struct; failures of the reading functions become messages with the
// place of their key.
class Fields {
 public:
  Fields(Settings settings, Messages& messages) : settings_(std::move(settings)), messages_(messages) {}

  const Settings& settings() const { return settings_; }
  bool has(std::string_view key) const { return settings_.has(key); }
  std::string text(std::string_view key) const { return settings_.text_or(key, {}); }
  std::vector<std::string> texts(std::string_view key) const { return settings_.texts(key); }
  std::chrono::milliseconds duration(std::string_view key) const {
    return has(key) ? settings_.duration(key) : std::chrono::milliseconds{0};
  }
  ByteCount size(std::string_view key) const { return has(key) ? settings_.size(key) : ByteCount{}; }
  std::int64_t integer(std::string_view key) const { return has(key) ? settings_.integer(key) : 0; }
  bool flag(std::string_view key) const { return has(key) && settings_.boolean(key); }
  std::optional<unsigned> maybe_unsigned(std::string_view key) const {
    return has(key) ? std::optional(static_cast<unsigned>(settings_.integer(key))) : std::nullopt;
  }

  std::string position(std::string_view key) const {
    const std::string text = settings_.error(key, "").detail;
    return text.substr(0, text.find(": "));
  }
  void wrong(std::string_view key, std::string_view what) const {
    messages_.add(settings_.error(key, what).detail);
  }

  // parse(text) -> Result<T>; a failure is a message and gives nothing.
  template <class Parse>
  auto parsed(std::string_view key, Parse&& parse) const
      -> std::optional<std::remove_cvref_t<decltype(*parse(""))>> {
    if (!has(key)) return std::nullopt;
    auto result = parse(settings_.text(key));
    if (result) return *std::move(result);
    wrong(key, result.error().detail);
    return std::nullopt;
  }
  template <class Parse>
  auto each(std::string_view key, Parse&& parse) const
      -> std::vector<std::remove_cvref_t<decltype(*parse(""))>> {
    std::vector<std::remove_cvref_t<decltype(*parse(""))>> values;
    for (const std::string& item : texts(key)) {
      auto result = parse(item);
      if (result)
        values.push_back(*std::move(result));
      else
        wrong(key, result.error().detail);
    }
    return values;
  }

 private:
  Settings settings_;
  Messages& messages_;
};

NodeConfig read_node(const Fields& fields);
OutboundConfig read_outbound(const Fields& fields);
ListenerConfig read_listener(const std::string& name, const Fields& fields);
AuthorityConfig read_authority(const std::string& name, const Fields& fields);
ProfileConfig read_profile(const std::string& name, const Fields& fields);
PipelineConfig read_pipeline(const std::string& name, const Fields& fields);

}  // namespace hanaper::config
