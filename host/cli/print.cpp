#include "print.hpp"

#include "terminal.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/files.hpp>

#include <algorithm>
#include <iostream>

namespace hanaper::cli {
namespace {

const json::Array& rows_of(const json::Value& answer) {
  static const json::Array none;
  const json::Value* rows = answer.find("items");
  return rows != nullptr && rows->array() != nullptr ? *rows->array() : none;
}

// "not_after" as NOT AFTER.
std::string title(std::string_view name) {
  std::string text(name);
  for (char& c : text) c = c == '_' ? ' ' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return text;
}

std::string label(std::string_view name) {
  std::string text(name);
  std::ranges::replace(text, '_', ' ');
  return text;
}

std::string rows_text(std::span<const Column> columns, const json::Array& rows) {
  std::vector<std::vector<std::string>> cells(1);
  for (const Column& column : columns)
    if (column.shown) cells.front().push_back(title(column.name));
  for (const json::Value& row : rows) {
    cells.emplace_back();
    for (const Column& column : columns)
      if (column.shown) cells.back().push_back(cell(row, column.name));
  }
  return table(cells);
}

// The members that have a value, and below them each table of rows.
std::string members_text(std::span<const Column> columns, const json::Value& answer) {
  std::vector<std::vector<std::string>> cells;
  std::string tables;
  for (const Column& column : columns) {
    const json::Value* value = answer.find(column.name);
    if (!column.shown || value == nullptr || column.type == ColumnType::content) continue;
    if (column.type == ColumnType::rows)
      tables += "\n" + rows_text(column.columns, value->array() ? *value->array() : json::Array());
    else if (const std::string text = cell(answer, column.name); text != "-")
      cells.push_back({label(column.name), text});
  }
  return table(cells) + tables;
}

void write_content(const Column& column, const json::Value& answer, const CommandLine& line) {
  const Bytes octets = need(base64::decode(answer.text_at(column.name)));
  if (!line.has("--out")) {
    std::cout << as_text(octets) << std::flush;
    return;
  }
  if (Status written = files::replace(line.text("--out"), as_text(octets), 0644); !written)
    fail(written.error());
}

// What people have always read of some, and scripts have parsed.

void print_certificates(const json::Value& answer) {
  std::vector<std::vector<std::string>> cells = {
      {"SERIAL", "STATE", "AUTHORITY", "PROFILE", "NOT AFTER", "NAMES"}};
  for (const json::Value& row : rows_of(answer)) {
    const std::string names = cell(row, "names");
    cells.push_back({cell(row, "serial"), cell(row, "state"), cell(row, "authority"), cell(row, "profile"),
                     cell(row, "not_after"), names == "-" ? cell(row, "subject") : names});
  }
  std::cout << table(cells);
}

void print_decision(const json::Value& request) {
  std::cout << request.text_at("request") << " " << request.text_at("state") << ": "
            << for_eyes(std::string(request.text_at("subject"))) << "\n";
}

void print_key(const json::Value& key) {
  std::cerr << key.text_at("key") << ": " << key.text_at("type") << "\n";
  std::cout << key.text_at("public");
}

void print_deleted(const json::Value& key) { std::cout << key.text_at("key") << " deleted\n"; }

void print_copies(const json::Value& key) {
  std::string copies;
  for (const json::Value& copy : *key.find("copies")->array())
    copies += (copies.empty() ? "" : ", ") + *copy.text();
  std::cout << key.text_at("key") << (copies.empty() ? ": there is one token only" : ": also on " + copies)
            << "\n";
}

void print_chains(const json::Value& answer) {
  for (const json::Value& chain : rows_of(answer))
    std::cout << "node " << chain.text_at("node") << ": " << cell(chain, "pages") << " pages, "
              << cell(chain, "lines") << " lines, unbroken, last " << chain.text_at("last") << ", head "
              << chain.text_at("head") << "\n";
}

void print_lines(const json::Value& answer) {
  for (const json::Value& row : rows_of(answer))
    std::cout << for_eyes(std::string(row.text_at("line"))) << "\n";
}

void print_changes(const json::Value& answer) {
  if (rows_of(answer).empty()) std::cout << "nothing changed\n";
  for (const json::Value& row : rows_of(answer)) {
    const std::string_view table = row.text_at("table");
    std::cout << table << (table.empty() ? "" : ": ") << row.text_at("outcome") << "\n";
  }
}

struct Form {
  std::string_view id;
  void (*print)(const json::Value& answer);
};
constexpr Form forms[] = {
    {"list", print_certificates},     {"requests.approve", print_decision}, {"requests.deny", print_decision},
    {"keys.create", print_key},       {"keys.import", print_key},           {"keys.delete", print_deleted},
    {"keys.replicate", print_copies}, {"audit.verify", print_chains},       {"audit.tail", print_lines},
    {"reload", print_changes},
};

}  // namespace

std::string cell(const json::Value& row, std::string_view column) {
  const json::Value* value = row.find(column);
  if (value == nullptr) return "-";
  if (value->text()) return value->text()->empty() ? "-" : *value->text();
  if (value->integer()) return std::to_string(*value->integer());
  if (value->boolean()) return *value->boolean() ? "yes" : "no";
  std::string list;
  if (value->array())
    for (const json::Value& item : *value->array())
      if (item.text()) list += (list.empty() ? "" : " ") + *item.text();
  return list.empty() ? "-" : list;
}

void print_json(const json::Value& value) { std::cout << json::write_pretty(value) << "\n"; }

void print_items(json::Array rows) { print_json(operations::items(std::move(rows))); }

void print_answer(const operations::Described& operation, const json::Value& answer,
                  const CommandLine& line) {
  const std::span<const Column> columns = operation.what->columns;
  const auto content = std::ranges::find(columns, ColumnType::content, &Column::type);
  if (content != columns.end() && (line.has("--out") || !line.has("--json")))
    write_content(*content, answer, line);
  if (line.has("--json")) return print_json(answer);
  if (content != columns.end()) return;
  const auto* form = std::ranges::find(forms, operation.id, &Form::id);
  if (form != std::end(forms)) return form->print(answer);
  std::cout << (operation.what->answer == AnswerForm::list ? rows_text(columns, rows_of(answer))
                                                           : members_text(columns, answer));
}

}  // namespace hanaper::cli
