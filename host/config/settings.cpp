#include "settings.hpp"

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/time_text.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <sstream>

namespace hanaper::config {
namespace {

namespace fs = std::filesystem;

std::string_view type_phrase(SettingType type) {
  switch (type) {
    case SettingType::text:
    case SettingType::path:
    case SettingType::reference:
      return "a string";
    case SettingType::texts:
    case SettingType::references:
      return "an array of strings";
    case SettingType::integer:
      return "a whole number";
    case SettingType::boolean:
      return "true or false";
    case SettingType::duration:
      return "a duration like \"90d\"";
    case SettingType::size:
      return "a size like \"64KiB\"";
    case SettingType::secret:
      return "{ file = \"...\" } or { credential = \"...\" }";
    case SettingType::tables:
      return "an array of tables";
    case SettingType::map:
      return "a table of strings";
  }
  return "something else";
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t at = text.find(separator);
    parts.emplace_back(text.substr(0, at));
    text = at == std::string_view::npos ? std::string_view{} : text.substr(at + 1);
  }
  return parts;
}

// "1s..1h" in the unit of the type; no bounds, no limits.
struct Range {
  std::int64_t low = INT64_MIN;
  std::int64_t high = INT64_MAX;
};

std::int64_t bound(SettingType type, std::string_view text) {
  if (type == SettingType::duration)
    return parse_duration(text).value_or(std::chrono::milliseconds{0}).count();
  if (type == SettingType::size)
    return static_cast<std::int64_t>(parse_size(text).value_or(ByteCount{}).value);
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

Range range_of(const SettingKey& key) {
  const std::string_view bounds = key.bounds ? key.bounds : "";
  const std::size_t dots = bounds.find("..");
  if (dots == std::string_view::npos) return {};
  return {bound(key.type, bounds.substr(0, dots)), bound(key.type, bounds.substr(dots + 2))};
}

// What is wrong with so many entries, or nothing.
std::optional<std::string> wrong_count(const SettingKey& key, std::size_t count) {
  const Range range = range_of(key);
  const auto number = static_cast<std::int64_t>(count);
  if (number >= range.low && number <= range.high) return {};
  return "has " + std::to_string(count) + " entries; it must have " + std::string(key.bounds);
}

// Reads one value into `out`; returns what is wrong, or nothing.
class ValueReader {
 public:
  ValueReader(const SettingKey& key, const SettingsContext& context) : key_(key), context_(context) {}

  std::optional<std::string> read(const Value& value, Settings::Value& out) const {
    switch (key_.type) {
      case SettingType::text:
      case SettingType::reference:
        return read_text(value, out);
      case SettingType::path:
        return read_path(value, out);
      case SettingType::texts:
      case SettingType::references:
        return read_texts(value, out);
      case SettingType::integer:
        return read_integer(value, out);
      case SettingType::boolean: {
        const bool* flag = std::get_if<bool>(&value.content);
        if (flag == nullptr) return wrong_type();
        out = *flag;
        return {};
      }
      case SettingType::duration:
        return read_scaled(value, out, [](std::string_view text) { return parse_duration(text); });
      case SettingType::size:
        return read_scaled(value, out, [](std::string_view text) { return parse_size(text); });
      case SettingType::secret:
        return read_secret(value, out);
      case SettingType::map:
        return read_map(value, out);
      case SettingType::tables:
        break;  // read_tables, which says more than one thing
    }
    return "unknown type";
  }

 private:
  std::string wrong_type() const { return std::string(type_phrase(key_.type)) + " is expected"; }

  std::optional<std::string> check_choice(const std::string& text) const {
    if (key_.bounds == nullptr || key_.type == SettingType::reference || key_.type == SettingType::references)
      return {};
    const std::vector<std::string> choices = split(key_.bounds, '|');
    if (std::ranges::find(choices, text) != choices.end()) return {};
    std::string known;
    for (const std::string& choice : choices) known += (known.empty() ? "" : ", ") + choice;
    return "\"" + text + "\" is not one of " + known + suggestion(text, choices);
  }

  std::optional<std::string> read_text(const Value& value, Settings::Value& out) const {
    if (value.text() == nullptr) return wrong_type();
    if (value.text()->empty()) return "must not be empty";
    if (auto wrong = check_choice(*value.text())) return wrong;
    out = *value.text();
    return {};
  }

  std::optional<std::string> read_path(const Value& value, Settings::Value& out) const {
    if (value.text() == nullptr) return wrong_type();
    if (value.text()->empty()) return "must not be empty";
    out = (fs::path(context_.state_folder) / *value.text()).lexically_normal().string();
    return {};
  }

  std::optional<std::string> read_texts(const Value& value, Settings::Value& out) const {
    const Array* items = std::get_if<Array>(&value.content);
    if (items == nullptr) return wrong_type();
    std::vector<std::string> texts;
    for (const Value& item : *items) {
      if (item.text() == nullptr) return wrong_type();
      if (item.text()->empty()) return "an empty string is listed";
      if (auto wrong = check_choice(*item.text())) return wrong;
      if (std::ranges::find(texts, *item.text()) != texts.end())
        return "\"" + *item.text() + "\" is listed twice";
      texts.push_back(*item.text());
    }
    out = std::move(texts);
    return {};
  }

  std::optional<std::string> read_map(const Value& value, Settings::Value& out) const {
    const Table* table = value.table();
    if (table == nullptr) return wrong_type();
    std::map<std::string, std::string> map;
    for (const Entry& entry : *table) {
      if (entry.value.text() == nullptr) return entry.key + ": a string is expected";
      map.emplace(entry.key, *entry.value.text());
    }
    if (auto wrong = wrong_count(key_, map.size())) return wrong;
    out = std::move(map);
    return {};
  }

  std::optional<std::string> out_of_range(std::int64_t number) const {
    const Range range = range_of(key_);
    if (number >= range.low && number <= range.high) return {};
    return "must be within " + std::string(key_.bounds);
  }

  std::optional<std::string> read_integer(const Value& value, Settings::Value& out) const {
    const std::int64_t* number = std::get_if<std::int64_t>(&value.content);
    if (number == nullptr) return wrong_type();
    out = *number;
    return out_of_range(*number);
  }

  template <class Parse>
  std::optional<std::string> read_scaled(const Value& value, Settings::Value& out, Parse&& parse) const {
    if (value.text() == nullptr) return wrong_type();
    auto parsed = parse(*value.text());
    if (!parsed) return parsed.error().detail;
    out = *parsed;
    if constexpr (requires { parsed->count(); })
      return out_of_range(parsed->count());
    else
      return out_of_range(static_cast<std::int64_t>(parsed->value));
  }

  std::optional<std::string> read_secret(const Value& value, Settings::Value& out) const {
    const Table* table = value.table();
    if (table == nullptr || table->size() != 1 || table->begin()->value.text() == nullptr)
      return wrong_type() + "; a secret never stands in the file itself";
    const std::string& source = table->begin()->key;
    const std::string& name = *table->begin()->value.text();
    fs::path path;
    if (source == "file") {
      path = fs::path(context_.state_folder) / name;
    } else if (source == "credential") {
      const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
      if (folder == nullptr)
        return "credential \"" + name +
               "\": CREDENTIALS_DIRECTORY is not set; systemd sets it with LoadCredential=";
      if (name.find('/') != std::string::npos) return "credential \"" + name + "\" is no plain name";
      path = fs::path(folder) / name;
    } else {
      return wrong_type();
    }
    if (!context_.read_secrets) {
      out = Secret();
      return {};
    }
    if (!made_by_init(source, path)) return read_secret_file(path, source == "file", out);
    std::error_code ec;
    if (fs::exists(path, ec)) return read_secret_file(path, true, out);
    if (context_.missing_pins == nullptr)
      return path.string() + ": there is no such file; " +
             (fs::exists(context_.state_folder + "/lock", ec)
                  ? "the keys that are here open with that pin alone: bring back your copy of it"
                  : "hanaper init makes up pins that are missing");
    context_.missing_pins->push_back(path.string());
    out = Secret(crypto::random_name(24));
    return {};
  }

  // As create_missing_secrets of the command line makes them.
  bool made_by_init(const std::string& source, const fs::path& path) const {
    return context_.makes_pin && source == "file" &&
           path.lexically_normal().string().starts_with(context_.state_folder + "/");
  }

  static std::optional<std::string> read_secret_file(const fs::path& path, bool check_mode,
                                                     Settings::Value& out) {
    constexpr std::size_t max_secret = 64 * 1024;
    auto opened = files::open_trusted(path.string());
    if (!opened && opened.error().code == Code::not_found)
      return path.string() + (check_mode ? ": there is no such file; write the secret into it, with mode 600"
                                         : ": there is no such credential");
    if (!opened) return opened.error().detail;
    struct stat status {};
    if (check_mode && (::fstat(opened->handle(), &status) != 0 || (status.st_mode & 077) != 0))
      return path.string() + ": others may read or write it; only its owner should (chmod 600)";
    auto read = files::read(*opened, path.string(), max_secret);
    if (!read)
      return read.error().code == Code::malformed ? path.string() + ": larger than 64 KiB"
                                                  : read.error().detail;
    std::string text = *std::move(read);
    if (text.ends_with('\n')) text.pop_back();
    if (text.ends_with('\r')) text.pop_back();
    if (text.empty()) return path.string() + ": is empty";
    out = Secret(std::move(text));
    return {};
  }

  const SettingKey& key_;
  const SettingsContext& context_;
};

// The entry at a dotted path, or null. `prefix_table` tables on the way must be tables.
const Entry* find(const Table& table, std::string_view path) {
  const std::size_t dot = path.find('.');
  const Entry* found = table.find(path.substr(0, dot));
  if (found == nullptr || dot == std::string_view::npos) return found;
  const Table* inner = found->value.table();
  return inner ? find(*inner, path.substr(dot + 1)) : nullptr;
}

// A default as a configuration would have it: what is a string there has its quotes.
std::string fallback_literal(const SettingKey& key) {
  constexpr SettingType bare[] = {SettingType::integer,    SettingType::boolean, SettingType::texts,
                                  SettingType::references, SettingType::tables,  SettingType::map};
  const std::string text = key.fallback;
  return std::ranges::find(bare, key.type) == std::end(bare) ? "\"" + text + "\"" : text;
}

// The default as TOML, through the same reader as what a user writes.
Value fallback_value(const SettingKey& key, const Position& position) {
  Messages ignored;
  Table table = read_text("value = " + fallback_literal(key), "default", ignored);
  Value value = table.empty() ? Value{} : std::move(table.begin()->value);
  value.position = position;
  return value;
}

void check_unknown(const std::string& name, const Table& table, const std::string& prefix,
                   std::span<const SettingKey> keys, const SettingsContext& context, Messages& messages) {
  std::vector<std::string> known;
  for (const SettingKey& key : keys)
    if (std::string_view(key.name).starts_with(prefix)) {
      const std::string rest = key.name + prefix.size();
      known.push_back(rest.substr(0, rest.find('.')));
    }
  if (prefix.empty()) known.insert(known.end(), context.also_known.begin(), context.also_known.end());
  for (const Entry& entry : table) {
    const std::string path = prefix + entry.key;
    if (std::ranges::find(known, entry.key) == known.end()) {
      messages.add(entry.place, name + ": unknown key \"" + path + "\"" +
                                    (entry.key == "include" ? "; it stands above all tables"
                                                            : suggestion(entry.key, known)));
      continue;
    }
    if (std::ranges::any_of(
            keys, [&](const SettingKey& k) { return k.name == path && k.type == SettingType::tables; }))
      continue;  // each of them is looked through by itself
    const bool nested = std::ranges::any_of(
        keys, [&](const SettingKey& k) { return std::string_view(k.name).starts_with(path + "."); });
    if (!nested) continue;
    if (const Table* inner = entry.value.table())
      check_unknown(name, *inner, path + ".", keys, context, messages);
    else
      messages.add(entry.value.position, name + "." + path + ": a table like { key = value } is expected");
  }
}

void read_tables(const Value& value, const SettingKey& key, std::span<const SettingKey> keys,
                 const SettingsContext& context, Settings& settings, Messages& messages) {
  const std::string name = settings.table() + "." + key.name;
  const Array* items = std::get_if<Array>(&value.content);
  if (items == nullptr || std::ranges::any_of(*items, [](const Value& item) { return !item.table(); })) {
    messages.add(value.position, name + ": " + std::string(type_phrase(key.type)) + " is expected");
    return;
  }
  if (const auto wrong = wrong_count(key, items->size())) messages.add(value.position, name + ": " + *wrong);
  const std::vector<SettingKey> below = keys_below(keys, key);
  const SettingsContext inner{context.state_folder, context.read_secrets, {}};
  std::vector<Settings> tables;
  for (const Value& item : *items)
    tables.push_back(make_settings(name + "[" + std::to_string(tables.size() + 1) + "]", *item.table(),
                                   item.position, below, inner, messages));
  settings.set(key.name, {std::move(tables), value.position.text()});
}

}  // namespace

std::vector<SettingKey> keys_below(std::span<const SettingKey> keys, const SettingKey& tables) {
  const std::string prefix = std::string(tables.name) + ".";
  std::vector<SettingKey> below;
  for (SettingKey key : keys)
    if (std::string_view(key.name).starts_with(prefix)) {
      key.name += prefix.size();
      below.push_back(key);
    }
  return below;
}

bool is_below_tables(std::span<const SettingKey> keys, const SettingKey& key) {
  return std::ranges::any_of(keys, [&](const SettingKey& above) {
    return above.type == SettingType::tables &&
           std::string_view(key.name).starts_with(std::string(above.name) + ".");
  });
}

Settings make_settings(const std::string& name, const Table& table, const Position& header,
                       std::span<const SettingKey> keys, const SettingsContext& context, Messages& messages) {
  check_unknown(name, table, "", keys, context, messages);
  Settings settings(name, header.text());
  for (const SettingKey& key : keys) {
    if (is_below_tables(keys, key)) continue;
    const Entry* entry = find(table, key.name);
    const bool usual = entry == nullptr && key.fallback != nullptr && *key.fallback != '\0';
    if (key.type == SettingType::tables && (entry != nullptr || usual)) {
      const Value value = entry ? entry->value : fallback_value(key, header);
      settings.set(key.name, {std::vector<Settings>{}, value.position.text()});
      read_tables(value, key, keys, context, settings, messages);
      continue;
    }
    Settings::Entry result{{}, entry ? entry->value.position.text() : header.text()};
    std::optional<std::string> wrong;
    if (entry != nullptr)
      wrong = ValueReader(key, context).read(entry->value, result.value);
    else if (key.fallback == nullptr)
      wrong = "must be given: " + std::string(key.doc);
    else if (usual)
      wrong = ValueReader(key, context).read(fallback_value(key, header), result.value);
    if (wrong) messages.add(result.position + ": " + name + "." + key.name + ": " + *wrong);
    settings.set(key.name, std::move(result));
  }
  return settings;
}

namespace {

// What stands for a value that somebody has to give.
std::string placeholder(const SettingKey& key, std::span<const SettingKey> keys) {
  switch (key.type) {
    case SettingType::secret:
      return "{ file = \"...\" }";
    case SettingType::map:
      return "{ name = \"...\" }";
    case SettingType::tables: {
      std::string members;
      for (const SettingKey& below : keys_below(keys, key))
        members += (members.empty() ? "" : ", ") + std::string(below.name) + " = " +
                   (below.fallback != nullptr && *below.fallback != '\0' ? fallback_literal(below)
                                                                         : placeholder(below, {}));
      return "[{ " + members + " }]";
    }
    case SettingType::integer:
    case SettingType::boolean:
    case SettingType::texts:
    case SettingType::references:
      return "...";
    default:
      return "\"...\"";
  }
}

std::string explanation(const SettingKey& key) {
  std::string text(key.doc);
  if (key.bounds != nullptr && key.type != SettingType::reference && key.type != SettingType::references)
    text += " (" + std::string(key.bounds) + ")";
  return text;
}

}  // namespace

std::string sample(const std::string& name, std::span<const SettingKey> keys) {
  std::string text = "[" + name + "]\n";
  for (const SettingKey& key : keys) {
    if (is_below_tables(keys, key)) continue;
    text += "# " + explanation(key) + "\n";
    if (key.type == SettingType::tables)
      for (const SettingKey& below : keys_below(keys, key))
        text += "#   " + std::string(below.name) + ": " + explanation(below) + "\n";
    const std::string start = std::string(key.name) + " = ";
    if (key.fallback == nullptr)
      text += start + placeholder(key, keys) + "  # must be given\n";
    else
      text += "#" + start + (*key.fallback == '\0' ? placeholder(key, keys) : fallback_literal(key)) + "\n";
  }
  return text;
}

}  // namespace hanaper::config
