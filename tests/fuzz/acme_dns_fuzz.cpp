// TXT and CAA records as they come out of the DNS: the first octet says how many octets each record has.
#include "caa.hpp"
#include "fuzz.hpp"
#include "methods.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hanaper;
  if (size == 0) return 0;
  const std::size_t piece = std::size_t{data[0]} + 1;
  std::vector<Bytes> records;
  for (std::size_t at = 1; at < size && records.size() < 16; at += piece)
    records.emplace_back(data + at, data + std::min(size, at + piece));
  const std::string issuers[] = {"ca.example.test"};
  (void)acme::judge_dns_01("name", records, "token.thumbprint");
  const Status wild = acme::judge_dns_persist_01("name", records, issuers, "account", true, Time{});
  if (wild)
    fuzz::require(acme::judge_dns_persist_01("name", records, issuers, "account", false, Time{}).has_value());
  std::vector<caa::Property> properties;
  for (const Bytes& record : records) {
    if (const auto text = acme::txt_of(record)) fuzz::require(text->size() < record.size() || record.empty());
    if (auto property = caa::parse_property(record)) properties.push_back(*std::move(property));
  }
  // Who may by any record may still when nobody else is named beside.
  const caa::Asked asked{issuers, "account", "dns-01", false};
  (void)caa::judge("name", properties, asked);
  return 0;
}
