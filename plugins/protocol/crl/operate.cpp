#include "operate.hpp"

#include <hanaper/toolkit/base64.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/time_text.hpp>

namespace hanaper::crl {
namespace {

// What travels in an answer; a larger one is a file to copy.
constexpr ByteCount most_to_travel{64 * 1024 * 1024};

constexpr Parameter lists_parameters[] = {
    {"authority", ParameterType::text, Parameter::word, {}, {}, "whose CRLs; default all"},
};
constexpr Parameter one_parameters[] = {
    {"authority", ParameterType::text, Parameter::required | Parameter::word, {}, {}, "whose CRL"},
    {"delta", ParameterType::boolean, 0, {}, {}, "the delta CRL"},
    {"shard", ParameterType::text, 0, "0", {}, "which of several, or ca; default 0"},
};
constexpr Parameter download_parameters[] = {
    one_parameters[0],
    one_parameters[1],
    one_parameters[2],
    {"pem", ParameterType::boolean, 0, {}, {}, "as PEM"},
};
constexpr Column columns[] = {
    {"authority"},
    {"shard"},
    {"kind", ColumnType::text, true, {}, "complete or delta"},
    {"number", ColumnType::integer},
    {"entries", ColumnType::integer},
    {"size", ColumnType::integer},
    {"this_update", ColumnType::time},
    {"next_update", ColumnType::time},
    {"base", ColumnType::integer, false, {}, "of a delta: the number of the CRL that it adds to"},
    {"path", ColumnType::text, false, {}, "of the file on the node"},
    {"sha256", ColumnType::text, false},
};
constexpr Column download_columns[] = {
    columns[0], columns[1],  columns[2],
    columns[3], columns[10], {"crl", ColumnType::content, true, {}, "DER, or PEM where that was asked for"}};

constexpr Operation table[] = {
    {"generate", "POST /crls", "make CRLs now", Permission::system_operate, AnswerForm::list,
     lists_parameters, columns},
    {"list", "GET /crls", "list the CRLs that this node serves", Permission::system_read, AnswerForm::list,
     lists_parameters, columns},
    {"show", "GET /crls/{authority}", "show one of the CRLs that this node serves", Permission::system_read,
     AnswerForm::one, one_parameters, columns},
    {"download", "GET /crls/{authority}/content", "get one of the CRLs that this node serves",
     Permission::system_read, AnswerForm::one, download_parameters, download_columns},
};

json::Object describe(const List& list, const CrlRow& row) {
  json::Object object{{"authority", list.issuer().name()},
                      {"shard", shard_name(row.shard)},
                      {"kind", row.base == 0 ? "complete" : "delta"},
                      {"number", static_cast<std::int64_t>(row.number)},
                      {"entries", static_cast<std::int64_t>(row.entries)},
                      {"size", static_cast<std::int64_t>(row.size)},
                      {"this_update", time_text(row.this_update)},
                      {"next_update", time_text(row.next_update)},
                      {"path", list.path()}};
  if (row.base != 0) object.emplace_back("base", static_cast<std::int64_t>(row.base));
  if (row.hash) object.emplace_back("sha256", to_hex(*row.hash));
  return object;
}

class Run {
 public:
  Run(std::list<List>& lists, const std::vector<StatusAuthority*>& authorities, const Arguments& arguments,
      Call& call)
      : lists_(lists), authorities_(authorities), arguments_(arguments), call_(call) {}

  Result<json::Value> generate() {
    json::Array made;
    for (List& list : lists_) {
      if (!is_meant(list)) continue;
      HANAPER_TRY(const CrlRow row, list.make_anywhere(call_));
      made.emplace_back(describe(list, row));
    }
    return told(std::move(made));
  }

  // What this node serves, and what its files hold therefore.
  Result<json::Value> all() {
    json::Array rows;
    for (List& list : lists_) {
      if (!is_meant(list)) continue;
      const auto held = list.held();
      if (held) rows.emplace_back(describe(list, *held));
      if (!held && held.error().code != Code::not_found) return held.error();
    }
    return told(std::move(rows));
  }

  Result<json::Value> show() {
    HANAPER_TRY(List* const list, chosen());
    HANAPER_TRY(const CrlRow row, list->held());
    return json::Value(describe(*list, row));
  }

  // What was listed, or the next where that has just taken its place.
  Result<json::Value> download() {
    HANAPER_TRY(List* const list, chosen());
    for (int left = 3;; --left) {
      HANAPER_TRY(const CrlRow row, list->held());
      if (row.size > most_to_travel.value)
        return unsupported("the CRL has " + size_text(ByteCount{row.size}) + "; copy it from " +
                           list->path());
      HANAPER_TRY(const std::string der, files::read(list->path(), most_to_travel.value));
      if (!row.hash || crypto::sha256(as_bytes(der)) == *row.hash) return content(describe(*list, row), der);
      if (left == 0)
        return unavailable(list->path() +
                           ": is not the CRL that is served; hanaper crl generate makes another");
    }
  }

 private:
  Result<json::Value> content(const json::Object& described, const std::string& der) const {
    json::Object answer;
    for (const auto& [name, value] : described)
      if (std::ranges::find(download_columns, name, &Column::name) != std::end(download_columns))
        answer.emplace_back(name, value);
    answer.emplace_back(
        "crl",
        base64::encode(as_bytes(arguments_.boolean("pem") ? pem::encode("X509 CRL", as_bytes(der)) : der)));
    return json::Value(std::move(answer));
  }

  // Whether it is the named authority's: it signs the CRL, or its certificates are on it.
  bool is_meant(const List& list) const {
    const std::string& name = arguments_.text("authority");
    if (name.empty() || name == list.issuer().name()) return true;
    return std::ranges::any_of(authorities_, [&](const StatusAuthority* authority) {
      return authority->name() == name && list.is_of(*authority);
    });
  }

  Result<json::Value> told(json::Array rows) const {
    if (rows.empty() && arguments_.has("authority"))
      return not_found("no CRL of an authority \"" + arguments_.text("authority") + "\"");
    return json::Value(std::move(rows));
  }

  Result<List*> chosen() const {
    bool known = false;
    for (List& list : lists_) {
      if (!is_meant(list)) continue;
      known = true;
      if (list.is_delta() == arguments_.boolean("delta") &&
          shard_name(list.shard()) == arguments_.text("shard"))
        return &list;
    }
    if (!known) return not_found("no CRL of an authority \"" + arguments_.text("authority") + "\"");
    return not_found("there is no such CRL; hanaper crl list shows those there are");
  }

  std::list<List>& lists_;
  const std::vector<StatusAuthority*>& authorities_;
  const Arguments& arguments_;
  Call& call_;
};

}  // namespace

std::span<const Operation> operations() { return table; }

Result<json::Value> operate(std::list<List>& lists, const std::vector<StatusAuthority*>& authorities,
                            std::string_view words, const Arguments& arguments, Call& call) {
  Run run(lists, authorities, arguments, call);
  if (words == "generate") return run.generate();
  if (words == "list") return run.all();
  if (words == "show") return run.show();
  if (words == "download") return run.download();
  return unsupported("there is no operation \"" + std::string(words) + "\"");
}

}  // namespace hanaper::crl
