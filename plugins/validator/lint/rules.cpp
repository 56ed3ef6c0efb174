#include "rules.hpp"

#include <numeric>

namespace hanaper::lint {
namespace {

std::vector<Rule> collect() {
  std::vector<Rule> all;
  for (std::span<const Rule> part :
       {basic_rules(), key_rules(), extension_rules(), subject_rules(), general_name_rules(), mailbox_rules(),
        usage_rules(), authority_rules(), policy_rules(), pointer_rules(), purpose_rules()})
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

// How many letters must be put in, taken out or replaced to make one text of the other (Levenshtein).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t k = 0; k < b.size(); ++k) {
      const std::size_t replaced = diagonal + (a[i] == b[k] ? 0 : 1);
      diagonal = row[k + 1];
      row[k + 1] = std::min({replaced, row[k] + 1, row[k + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::span<const Rule> rules() {
  static const std::vector<Rule> all = collect();
  return all;
}

const Rule* find_rule(std::string_view name) {
  for (const Rule& rule : rules())
    if (rule.name == name) return &rule;
  return nullptr;
}

std::string_view nearest_rule(std::string_view name) {
  name = name.substr(0, 100);  // the work grows with the square of the length
  return std::ranges::min(rules(), {}, [&](const Rule& rule) { return distance(rule.name, name); }).name;
}

}  // namespace hanaper::lint
