// Names in text: normal forms are fixed points, and distinguished names survive the way through DER.
#include "fuzz.hpp"

#include <hanaper/toolkit/extensions.hpp>
#include <hanaper/toolkit/identifiers.hpp>
#include <hanaper/toolkit/name.hpp>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hanaper;
  const std::string_view text = fuzz::text_of(data, size);
  for (const auto kind : identifier_kinds) {
    const auto normal = x509::normal_identifier(kind, text);
    if (!normal) continue;
    fuzz::require(fuzz::must(x509::normal_identifier(kind, normal->value)) == *normal);
    const Identifier one[] = {*normal};
    const auto again = x509::parse_general_names(x509::encode_general_names(one));
    fuzz::require(again && again->faults.empty() && again->names == std::vector<Identifier>{*normal});
  }
  if (const auto subtree = x509::parse_subtree(text))
    fuzz::require(fuzz::must(x509::parse_subtree(x509::subtree_text(*subtree))) == *subtree);
  if (const auto name = x509::parse_name_text(text)) {
    fuzz::require(fuzz::must(x509::parse_name(x509::encode_name(*name))) == *name);
    fuzz::require(fuzz::must(x509::parse_name_text(x509::name_text(*name))) == *name);
  }
  return 0;
}
