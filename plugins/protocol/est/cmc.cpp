#include "cmc.hpp"

#include <hanaper/toolkit/oids.hpp>

#include <set>

namespace hanaper::est::cmc {
namespace {

using namespace der::literals;

constexpr der::Oid status_info_v2 = "1.3.6.1.5.5.7.7.25"_oid;
constexpr der::Oid identification = "1.3.6.1.5.5.7.7.2"_oid;
constexpr der::Oid data_return = "1.3.6.1.5.5.7.7.4"_oid;
constexpr der::Oid transaction_id = "1.3.6.1.5.5.7.7.5"_oid;
constexpr der::Oid sender_nonce = "1.3.6.1.5.5.7.7.6"_oid;
constexpr der::Oid recipient_nonce = "1.3.6.1.5.5.7.7.7"_oid;
constexpr der::Oid query_pending = "1.3.6.1.5.5.7.7.21"_oid;
constexpr der::Oid identity_proof_v2 = "1.3.6.1.5.5.7.7.34"_oid;
constexpr der::Oid hmac_sha256 = "1.2.840.113549.2.9"_oid;

constexpr std::size_t max_controls = 32;
constexpr std::size_t max_requests = 16;
constexpr std::size_t max_value = 1024;  // of a nonce, a name, a token
constexpr std::size_t nonce_size = 16;

Result<BodyPartId> read_id(der::Reader& reader) {
  HANAPER_TRY(const std::uint64_t id, reader.read_unsigned());
  if (id > 0xffffffff) return malformed("a body part's number is too large");
  return static_cast<BodyPartId>(id);
}

Result<ByteView> value_of(der::Reader values, std::uint8_t tag) {
  HANAPER_TRY(const der::Element value, values.expect(tag));
  HANAPER_CHECK(values.finish());
  if (value.content.empty() || value.content.size() > max_value)
    return malformed("a control is empty or larger than 1 KiB");
  return value.content;
}

Status set_once(std::optional<ByteView>& place, const Result<ByteView>& value) {
  if (!value) return value.error();
  if (place) return malformed("a control is there twice");
  place = *value;
  return {};
}

Result<ByteView> algorithm_of(der::Reader& reader) {
  HANAPER_TRY(der::Reader algorithm, reader.enter(der::sequence));
  return algorithm.read_oid();
}

Result<IdentityProof> parse_proof(der::Reader values) {
  HANAPER_TRY(der::Reader reader, values.enter(der::sequence));
  HANAPER_CHECK(values.finish());
  IdentityProof proof;
  HANAPER_TRY(const ByteView hash, algorithm_of(reader));
  HANAPER_TRY(const ByteView mac, algorithm_of(reader));
  HANAPER_TRY(proof.witness, reader.read_octets());
  HANAPER_CHECK(reader.finish());
  const auto known = cms::hash_of(hash, false);
  proof.supported = known && hmac_sha256 == mac;
  if (known) proof.hash = *known;
  return proof;
}

Status take_control(PkiData& data, BodyPartId id, ByteView type, const der::Reader& values) {
  if (transaction_id == type) return set_once(data.transaction, value_of(values, der::integer));
  if (sender_nonce == type) return set_once(data.sender_nonce, value_of(values, der::octet_string));
  if (identification == type) return set_once(data.identification, value_of(values, der::utf8_string));
  // The server's nonce of the message before: nothing here depends on what was said before.
  if (recipient_nonce == type) {
    HANAPER_CHECK(value_of(values, der::octet_string));
    return {};
  }
  if (data_return == type) return set_once(data.data_return, value_of(values, der::octet_string));
  if (query_pending == type) {
    HANAPER_TRY(const ByteView token, value_of(values, der::octet_string));
    data.queries.push_back({id, token});
    return {};
  }
  if (identity_proof_v2 == type) {
    if (data.proof) return malformed("a control is there twice");
    HANAPER_TRY(data.proof, parse_proof(values));
    data.proof->id = id;
    return {};
  }
  return unsupported("the control is not known");
}

Status parse_controls(der::Reader controls, PkiData& data, std::multiset<BodyPartId>& ids) {
  for (std::size_t count = 0; !controls.at_end(); ++count) {
    if (count == max_controls) return malformed("more than 32 controls");
    HANAPER_TRY(der::Reader control, controls.enter(der::sequence));
    HANAPER_TRY(const BodyPartId id, read_id(control));
    HANAPER_TRY(const ByteView type, control.read_oid());
    HANAPER_TRY(const der::Reader values, control.enter(der::set));
    HANAPER_CHECK(control.finish());
    ids.insert(id);
    if (!take_control(data, id, type, values)) data.refused.push_back(id);
  }
  return {};
}

// The number of a CertReqMsg is its certReqId (RFC 4211 5).
Result<BodyPartId> crmf_id(der::Reader reader) {
  HANAPER_TRY(der::Reader request, reader.enter(der::sequence));
  return read_id(request);
}

Result<PkiData::Request> parse_request(const der::Element& element) {
  using Kind = PkiData::Request::Kind;
  PkiData::Request request;
  der::Reader reader(element.content);
  if (element.tag == der::context(1)) {
    request.kind = Kind::crmf;
    HANAPER_TRY(request.id, crmf_id(reader));
    return request;
  }
  HANAPER_TRY(request.id, read_id(reader));
  if (element.tag == der::context(2)) {
    request.kind = Kind::other;
    return request;
  }
  if (element.tag != der::context(0)) return malformed("a request of no kind that RFC 5272 knows");
  HANAPER_TRY(const der::Element csr, reader.expect(der::sequence));
  HANAPER_CHECK(reader.finish());
  request.csr = csr.whole;
  return request;
}

void write_outcome(der::Writer& writer, const Outcome& outcome) {
  writer.sequence([&] {
    if (outcome.fail_info) writer.integer(static_cast<std::uint64_t>(*outcome.fail_info));
    if (outcome.wait)
      writer.sequence([&] {
        writer.generalized_time(outcome.wait->again);
        writer.octets(outcome.wait->token);
      });
    if (!outcome.text.empty()) writer.text(der::utf8_string, outcome.text);
    writer.sequence([&] {
      for (std::size_t i = outcome.of.size(); i-- > 0;) writer.integer(std::uint64_t{outcome.of[i]});
    });
    writer.integer(static_cast<std::uint64_t>(outcome.status));
  });
}

}  // namespace

Result<PkiData> parse_pki_data(ByteView input) {
  HANAPER_TRY(der::Reader outer, der::open(input, der::sequence));
  PkiData data;
  std::multiset<BodyPartId> ids;
  HANAPER_TRY(const der::Reader controls, outer.enter(der::sequence));
  HANAPER_CHECK(parse_controls(controls, data, ids));
  HANAPER_TRY(const der::Element sequence, outer.expect(der::sequence));
  data.request_sequence = sequence.whole;
  der::Reader requests(sequence.content);
  while (!requests.at_end()) {
    if (data.requests.size() == max_requests) return malformed("more than 16 requests");
    HANAPER_TRY(const der::Element one, requests.next());
    HANAPER_TRY(PkiData::Request request, parse_request(one));
    ids.insert(request.id);
    data.requests.push_back(request);
  }
  // RFC 5272 3.2.1: what no control refers to is ignored.
  HANAPER_CHECK(outer.expect(der::sequence));
  HANAPER_CHECK(outer.expect(der::sequence));
  HANAPER_CHECK(outer.finish());
  for (const BodyPartId id : ids)
    if (id == 0 || ids.count(id) > 1)
      return malformed("body part " + std::to_string(id) + " is there twice, or is 0");
  return data;
}

Bytes pki_response(const std::vector<Outcome>& outcomes, const PkiData& request) {
  std::vector<std::pair<ByteView, Bytes>> controls;
  const auto add = [&](ByteView type, const auto& write) {
    der::Writer value(256);
    write(value);
    controls.emplace_back(type, value.bytes());
  };
  for (const Outcome& outcome : outcomes)
    add(status_info_v2, [&](der::Writer& value) { write_outcome(value, outcome); });
  if (request.transaction)
    add(transaction_id, [&](der::Writer& value) { value.integer(*request.transaction); });
  if (request.data_return) add(data_return, [&](der::Writer& value) { value.octets(*request.data_return); });
  if (request.sender_nonce) {
    Bytes nonce(nonce_size);
    crypto::random(nonce);
    add(recipient_nonce, [&](der::Writer& value) { value.octets(*request.sender_nonce); });
    add(sender_nonce, [&](der::Writer& value) { value.octets(nonce); });
  }
  der::Writer writer(1024);
  writer.sequence([&] {
    writer.sequence([] {});
    writer.sequence([] {});
    writer.sequence([&] {
      for (std::size_t i = controls.size(); i-- > 0;)
        writer.sequence([&] {
          writer.constructed(der::set, [&] { writer.raw(controls[i].second); });
          writer.oid(controls[i].first);
          writer.integer(std::uint64_t{i + 1});
        });
    });
  });
  return writer.bytes();
}

bool is_proven(const PkiData& request, std::string_view secret) {
  if (!request.proof || !request.proof->supported) return false;
  Bytes material = to_bytes(as_bytes(secret));
  if (request.identification)
    material.insert(material.end(), request.identification->begin(), request.identification->end());
  Bytes key = crypto::digest(request.proof->hash, material);
  const Fingerprint expected = crypto::hmac_sha256(key, request.request_sequence);
  crypto::wipe(material);
  crypto::wipe(key);
  return crypto::equal_constant_time(expected, request.proof->witness);
}

}  // namespace hanaper::est::cmc
