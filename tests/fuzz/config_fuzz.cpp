// A configuration, up to the model: whatever is wrong is told, and nothing else happens.
#include "config/model.hpp"

#include "fuzz.hpp"

namespace {

constexpr hanaper::SettingKey file_keys[] = {
    {"file", hanaper::SettingType::path, "hanaper.db", nullptr, "the database"},
    {"size", hanaper::SettingType::integer, "4", nullptr, "a number"},
};

hanaper::Result<const hanaper::Manifest*> find(std::string_view kind, std::string_view name) {
  static const hanaper::Manifest sqlite{.size = sizeof(hanaper::Manifest),
                                        .kind = "storage",
                                        .name = "sqlite",
                                        .version = "1",
                                        .licence = "Apache-2.0",
                                        .summary = "",
                                        .keys = file_keys,
                                        .key_count = std::size(file_keys),
                                        .create = nullptr};
  if (kind == "storage" && name == "sqlite") return &sqlite;
  return hanaper::not_found("no such plugin");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hanaper;
  config::Messages messages;
  const config::Table table = config::read_text(fuzz::text_of(data, size), "fuzz.toml", messages);
  if (messages.empty()) (void)config::make_model(table, find, false, messages);
  for (const std::string& line : messages.lines())
    fuzz::require(!line.empty() && line.find('\n') == std::string::npos);
  return 0;
}
