// The only home of toml++.
#include "value.hpp"

#include <hanaper/toolkit/files.hpp>

#include <toml++/toml.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <sstream>

namespace hanaper::config {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t max_file = 1024 * 1024;
constexpr std::size_t max_files = 64;
constexpr int max_depth = 8;

class Reader {
 public:
  explicit Reader(Messages& messages) : messages_(messages) {}

  Table parse(std::string_view text, const std::string& name) {
    try {
      const toml::table parsed = toml::parse(text, name);
      return convert(parsed, name);
    } catch (const toml::parse_error& error) {
      messages_.add(position(error.source(), name), in_plain_words(std::string(error.description())));
      return {};
    }
  }

  // `origin` is where the include stands; empty for the first file.
  Table load(const std::string& file, const std::string& origin, int depth) {
    const std::string prefix = origin.empty() ? "" : origin + ": include: ";
    std::error_code ec;
    const std::string canonical = fs::weakly_canonical(file, ec);
    if (!seen_.insert(canonical).second) {
      messages_.add(prefix + file + " is included more than once");
      return {};
    }
    if (depth > max_depth || seen_.size() > max_files) {
      messages_.add(prefix + "more than " + std::to_string(max_depth) + " levels or " +
                    std::to_string(max_files) + " files");
      return {};
    }
    if (fs::is_directory(file, ec)) {
      messages_.add(prefix + file + ": is a folder");
      return {};
    }
    const auto text = files::read_trusted(file, max_file);
    if (!text) {
      messages_.add(prefix + reason(file, text.error()));
      return {};
    }
    Table table = parse(*text, file);
    include(table, file, depth);
    return table;
  }

  // Lays `from` into `into`; a key that both have is refused unless both are tables.
  void merge(Table& into, Table from, const std::string& path) {
    for (Entry& entry : from) {
      Entry* found = into.find(entry.key);
      if (found == nullptr) {
        into.add(std::move(entry));
        continue;
      }
      Table* old_table = found->value.table();
      Table* new_table = entry.value.table();
      if (old_table != nullptr && new_table != nullptr)
        merge(*old_table, std::move(*new_table), path + entry.key + ".");
      else
        messages_.add(entry.place, path + entry.key + ": already given at " + found->place.text());
    }
  }

  void override_with(Table& table, const std::string& setting) {
    const Position place{"--set " + setting};
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos || equals == 0) return messages_.add(place, "write it as key.path=value");
    Table* target = &table;
    std::string_view path = std::string_view(setting).substr(0, equals);
    for (std::size_t dot = path.find('.'); dot != std::string_view::npos; dot = path.find('.')) {
      const std::string key(path.substr(0, dot));
      Entry* entry = target->find(key);
      if (entry == nullptr) entry = &target->add({key, place, {Table{}, place}});
      target = entry->value.table();
      if (target == nullptr) return messages_.add(place, key + " is no table");
      path.remove_prefix(dot + 1);
    }
    target->erase(path);
    target->add({std::string(path), place, {override_value(setting.substr(equals + 1), place), place}});
  }

 private:
  static std::string reason(const std::string& file, const Error& error) {
    if (error.code == Code::not_found) return file + ": no such file or directory";
    return error.code == Code::malformed ? file + ": larger than 1 MiB" : error.detail;
  }

  static std::string lower(std::string text) {
    if (text.size() > 1 && text[0] >= 'A' && text[0] <= 'Z' && (text[1] < 'A' || text[1] > 'Z'))
      text[0] = static_cast<char>(text[0] + 32);
    while (text.ends_with('.')) text.pop_back();
    std::ranges::replace(text, '\n', ' ');
    return text;
  }

  // toml++ explains the commonest mistakes, a text without quotes and a quote too few, by what it tried.
  static std::string in_plain_words(std::string description) {
    const auto says = [&](std::string_view words) { return description.find(words) != std::string::npos; };
    if (says("control characters other than TAB"))
      return "a string must end on its line, and holds no control characters but tabs";
    for (const char* kind : {" value: ", " boolean: ", " integer: expected", " floating-point: expected"})
      if (says(kind)) return lower(std::move(description)) + "; a text stands in quotes";
    return lower(std::move(description));
  }

  static Position position(const toml::source_region& source, const std::string& name) {
    return {name, static_cast<std::uint32_t>(source.begin.line),
            static_cast<std::uint32_t>(source.begin.column)};
  }

  // A TOML value if it reads as one, else the text itself: --set log.level=debug needs no quotes.
  decltype(Value::content) override_value(const std::string& text, const Position& place) {
    try {
      const toml::table parsed = toml::parse("value = " + text, place.file);
      Table converted = convert(parsed, place.file);
      if (converted.size() == 1) return std::move(converted.begin()->value.content);
    } catch (const toml::parse_error&) {
      // not TOML: a bare word
    }
    return text;
  }

  Table convert(const toml::table& source, const std::string& name) {
    Table table;
    for (auto&& [key, node] : source)
      table.add({std::string(key.str()), position(key.source(), name), convert(node, name)});
    // toml++ sorts by key; readers expect the order of the file.
    std::ranges::stable_sort(
        table, {}, [](const Entry& entry) { return std::pair(entry.place.line, entry.place.column); });
    return table;
  }

  Value convert(const toml::node& node, const std::string& name) {
    Value value;
    value.position = position(node.source(), name);
    if (const auto* table = node.as_table()) {
      value.content = convert(*table, name);
    } else if (const auto* array = node.as_array()) {
      Array items;
      for (const toml::node& item : *array) items.push_back(convert(item, name));
      value.content = std::move(items);
    } else if (const auto* text = node.as_string()) {
      value.content = text->get();
    } else if (const auto* integer = node.as_integer()) {
      value.content = integer->get();
    } else if (const auto* number = node.as_floating_point()) {
      value.content = number->get();
    } else if (const auto* boolean = node.as_boolean()) {
      value.content = boolean->get();
    } else {
      messages_.add(value.position, "dates and times are not used here; write a string");
    }
    return value;
  }

  void include(Table& table, const std::string& file, int depth) {
    const Entry* found = table.find("include");
    if (found == nullptr) return;
    const Value value = found->value;
    table.erase("include");
    const Array* list = std::get_if<Array>(&value.content);
    if (list == nullptr) return messages_.add(value.position, "include: an array of file names is expected");
    for (const Value& item : *list) {
      if (item.text() == nullptr) {
        messages_.add(item.position, "include: a file name is expected");
        continue;
      }
      const fs::path path = (fs::path(file).parent_path() / *item.text()).lexically_normal();
      merge(table, load(path.string(), item.position.text(), depth + 1), "");
    }
  }

  Messages& messages_;
  std::set<std::string> seen_;
};

// How many letters were left out, put in, mistaken or swapped with their neighbour.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before = std::exchange(last, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

}  // namespace

const Entry* Table::find(std::string_view key) const noexcept {
  const auto found = std::ranges::find(entries_, key, &Entry::key);
  return found == entries_.end() ? nullptr : &*found;
}
Entry* Table::find(std::string_view key) noexcept {
  return const_cast<Entry*>(std::as_const(*this).find(key));
}
Entry& Table::add(Entry entry) { return entries_.emplace_back(std::move(entry)); }
void Table::erase(std::string_view key) {
  std::erase_if(entries_, [&](const Entry& entry) { return entry.key == key; });
}

Table read(const std::string& file, const std::vector<std::string>& overrides, Messages& messages) {
  Reader reader(messages);
  Table table = reader.load(file, "", 0);
  for (const std::string& setting : overrides) reader.override_with(table, setting);
  return table;
}

Table read_node(const std::string& file, const std::vector<std::string>& overrides) {
  Messages ignored;
  const auto text = files::read_trusted(file, max_file);
  std::string table;
  bool inside = false;
  std::istringstream lines(text ? *text : std::string());
  for (std::string line; std::getline(lines, line); table += (inside ? line : "") + "\n")
    if (const std::size_t first = line.find_first_not_of(" \t"); first != line.npos && line[first] == '[')
      inside = line.compare(first, 6, "[node]") == 0;
  Reader reader(ignored);
  Table root = reader.parse(table, file);
  for (const std::string& setting : overrides) reader.override_with(root, setting);
  return root;
}

Table read_text(std::string_view text, const std::string& name, Messages& messages) {
  return Reader(messages).parse(text, name);
}

std::string suggestion(std::string_view word, const std::vector<std::string>& candidates) {
  std::string_view best;
  std::size_t least = std::max<std::size_t>(1, std::min<std::size_t>(word.size(), 40) / 3) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t d = distance(word.substr(0, 40), candidate);
    if (d < least) {
      least = d;
      best = candidate;
    }
  }
  return best.empty() ? "" : "; did you mean \"" + std::string(best) + "\"?";
}

}  // namespace hanaper::config
