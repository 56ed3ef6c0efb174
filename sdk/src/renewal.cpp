#include <hanaper/toolkit/extensions.hpp>
#include <hanaper/toolkit/identifiers.hpp>
#include <hanaper/toolkit/name.hpp>
#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/renewal.hpp>

#include <algorithm>

namespace hanaper::x509 {
namespace {

// Sorted; nothing when some cannot be told.
std::optional<std::vector<Identifier>> names_of(const ExtensionView* extension, ByteView subject) {
  std::vector<Identifier> names;
  if (extension != nullptr) {
    auto parsed = parse_general_names(extension->value);
    if (!parsed || parsed->others != 0) return {};
    names = std::move(parsed->names);
  }
  if (const auto name = parse_name(subject))
    for (Identifier& own : subject_names(*name, true).names)
      if (std::ranges::find(names, own) == names.end()) names.push_back(std::move(own));
  std::ranges::sort(names);
  return names;
}

}  // namespace

bool same_subject(ByteView a, ByteView b) {
  if (equal(a, b)) return true;
  const auto first = parse_name(a), second = parse_name(b);
  return first && second && *first == *second;
}

std::optional<std::vector<Identifier>> alternative_names(const CsrView& request) {
  return names_of(request.find(oid::subject_alt_name), request.subject);
}

bool same_alternative_names(const CsrView& request, const TbsView& certificate) {
  const ExtensionView *wanted = request.find(oid::subject_alt_name),
                      *had = certificate.find(oid::subject_alt_name);
  if (wanted != nullptr && had != nullptr && equal(wanted->value, had->value)) return true;
  const auto first = names_of(wanted, request.subject), second = names_of(had, certificate.subject);
  return first && second && *first == *second;
}

}  // namespace hanaper::x509
