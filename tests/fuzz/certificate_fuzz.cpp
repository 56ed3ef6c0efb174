// A certificate, its names and extensions, and all rules of the linter over it.
#include "fuzz.hpp"
#include "rules.hpp"
#include "subject.hpp"

#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/extensions.hpp>
#include <hanaper/toolkit/identifiers.hpp>
#include <hanaper/toolkit/name.hpp>
#include <hanaper/toolkit/public_key.hpp>

namespace hanaper::fuzz {
namespace {

void read_extension(ByteView value) {
  (void)x509::parse_basic_constraints(value);
  (void)x509::parse_key_usage(value);
  (void)x509::parse_extended_key_usage(value);
  (void)x509::parse_subject_key_identifier(value);
  (void)x509::parse_authority_key_identifier(value);
  (void)x509::parse_info_access(value);
  (void)x509::parse_crl_distribution_points(value);
  const auto constraints = x509::parse_name_constraints(value);
  if (const auto names = x509::parse_general_names(value); names && constraints)
    for (const Identifier& name : names->names) (void)x509::allows(*constraints, name);
}

}  // namespace
}  // namespace hanaper::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hanaper;
  ByteView tbs(data, size);
  if (const auto certificate = x509::parse_certificate(tbs)) {
    tbs = certificate->whole;
    for (ByteView name : {certificate->issuer, certificate->subject})
      if (const auto parsed = x509::parse_name(name)) (void)x509::name_text(*parsed);
    for (const auto& extension : certificate->extensions) fuzz::read_extension(extension.value);
    if (const auto key = x509::parse_public_key(certificate->spki)) (void)x509::check_public_key(*key);
  }
  const lint::Subject subject = lint::Subject::read(tbs);
  for (const lint::Rule& rule : lint::rules()) {
    const lint::Finding finding = rule.check(subject);
    if (finding && rule.severity == lint::Severity::error && !subject.fault.empty()) break;
    if (rule.name == lint::gate && finding) break;
  }
  return 0;
}
