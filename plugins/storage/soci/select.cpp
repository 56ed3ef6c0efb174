// Reading by SOCI, whatever the columns are.
#include "dialect.hpp"

namespace hanaper::sql {
namespace {

class SociCells final : public Cells {
 public:
  explicit SociCells(const soci::row& row) : row_(row) {}

  bool empty(int column) const override { return row_.get_indicator(at(column)) == soci::i_null; }
  std::int64_t number(int column) const override {
    if (row_.get_properties(at(column)).get_data_type() == soci::dt_integer) return row_.get<int>(at(column));
    return row_.get<long long>(at(column));
  }
  std::string_view text(int column) const override {
    return texts_.at(at(column)) = row_.get<std::string>(at(column));
  }

 private:
  static std::size_t at(int column) { return static_cast<std::size_t>(column); }
  const soci::row& row_;
  mutable std::array<std::string, 16> texts_;  // SOCI gives copies
};

// ':p0', ':p1' ... for each '?'.
std::string with_names(const std::string& sql) {
  std::string named;
  int count = 0;
  for (char c : sql) {
    if (c == '?')
      named += ":p" + std::to_string(count++);
    else
      named.push_back(c);
  }
  return named;
}

}  // namespace

void Connection::select(const std::string& sql, std::span<const Field> values, const EachRow& each) {
  std::array<long long, most_fields> numbers{};
  std::array<std::string, most_fields> texts;
  soci::row row;
  soci::statement statement(session());
  statement.exchange(soci::into(row));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (const auto* number = std::get_if<std::int64_t>(&values[i])) {
      numbers.at(i) = *number;
      statement.exchange(soci::use(numbers.at(i)));
    } else {
      texts.at(i) = std::get<std::string_view>(values[i]);
      statement.exchange(soci::use(texts.at(i)));
    }
  }
  statement.alloc();
  statement.prepare(with_names(sql), soci::details::st_one_time_query);
  statement.define_and_bind();
  statement.execute();
  const SociCells cells(row);
  while (statement.fetch()) each(cells);
}

}  // namespace hanaper::sql
