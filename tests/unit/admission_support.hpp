// Requests that no well-behaved program writes.
#pragma once

#include "issuance_support.hpp"

#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/signature_algorithm.hpp>

#include <openssl/bn.h>

namespace hanaper::test {

// A PKCS#10 request put together from parts, each of which may be wrong; the signature is right unless said.
struct Crafted {
  Key* signer = nullptr;
  std::optional<Bytes> spki;              // default: the signer's
  Bytes subject = x509::encode_name({});  // whole Name
  std::vector<Bytes> attributes;          // whole Attributes
  std::uint64_t version = 0;
  std::optional<Bytes> algorithm;  // whole AlgorithmIdentifier; default: the signer's

  Bytes build() const {
    der::Writer info(1024);
    info.sequence([&] {
      info.constructed(der::context(0), [&] {
        for (std::size_t i = attributes.size(); i-- > 0;) info.raw(attributes[i]);
      });
      info.raw(spki ? ByteView(*spki) : signer->spki());
      info.raw(subject);
      info.integer(version);
    });
    const SignatureScheme scheme = x509::default_scheme(signer->spec());
    const Bytes signature = *signer->sign(scheme, info.view());
    der::Writer writer(2048);
    writer.sequence([&] {
      writer.bits(signature);
      writer.raw(algorithm ? ByteView(*algorithm) : x509::algorithm_identifier(scheme));
      writer.raw(info.view());
    });
    return writer.bytes();
  }
};

// An extensionRequest attribute (RFC 2985 5.4.2) with these extensions.
inline Bytes extension_request(const std::vector<x509::Extension>& extensions) {
  der::Writer writer(1024);
  writer.sequence([&] {
    writer.constructed(der::set, [&] {
      writer.sequence([&] {
        for (std::size_t i = extensions.size(); i-- > 0;)
          writer.sequence([&] {
            writer.octets(extensions[i].value);
            if (extensions[i].critical) writer.boolean(true);
            writer.oid(extensions[i].oid);
          });
      });
    });
    writer.oid(oid::extension_request);
  });
  return writer.bytes();
}

// A subjectAltName whose only name has that tag and content.
inline Bytes alternative_name(std::uint8_t tag, std::string_view content) {
  der::Writer writer;
  writer.sequence([&] { writer.primitive(tag, as_bytes(content)); });
  return writer.bytes();
}

// A Name of one attribute with that string type.
inline Bytes name_of(ByteView type, std::uint8_t tag, std::string_view value) {
  der::Writer writer;
  writer.sequence([&] {
    writer.constructed(der::set, [&] {
      writer.sequence([&] {
        writer.text(tag, value);
        writer.oid(type);
      });
    });
  });
  return writer.bytes();
}

// A SubjectPublicKeyInfo with an algorithm of the test's choice.
inline Bytes key_info(ByteView algorithm, ByteView parameters, ByteView bits) {
  der::Writer writer;
  writer.sequence([&] {
    writer.bits(bits);
    writer.sequence([&] {
      writer.raw(parameters);
      writer.oid(algorithm);
    });
  });
  return writer.bytes();
}

inline Bytes oid_element(std::string_view dotted) {
  der::Writer writer;
  writer.oid(*der::oid_from_text(dotted));
  return writer.bytes();
}

// 2048 bits without small factors, odd, and of no known flaw: nobody knows its factors.
inline Bytes some_modulus() {
  static const auto key = new_key({KeyType::rsa, 2048});
  return to_bytes(x509::parse_public_key(key->spki())->modulus);
}

// 2048 bits that are 1 modulo every small prime; the products of the generator with the ROCA flaw are powers
// of 65537 there, and 1 is one.
inline Bytes roca_modulus() {
  const auto free_bn = [](BIGNUM* number) { BN_free(number); };
  const std::unique_ptr<BIGNUM, decltype(free_bn)> product(BN_new(), free_bn), n(BN_new(), free_bn);
  BN_one(product.get());
  for (unsigned prime : {2, 11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157})
    BN_mul_word(product.get(), prime);
  BN_copy(n.get(), product.get());
  while (BN_num_bits(n.get()) < 2048) BN_lshift1(n.get(), n.get());
  BN_add_word(n.get(), 1);
  Bytes modulus(256);
  BN_bn2bin(n.get(), modulus.data());
  return modulus;
}

// A request as it is before a case spoils it, and what it meets.
struct Scene {
  Plan plan;
  std::shared_ptr<crypto::SoftKey> key = new_key();
  Crafted crafted;
  std::optional<Bytes> csr;  // instead of what is crafted
  IssueRequest request;
  std::vector<Fingerprint> blocked;
  std::function<Status(Draft&)> policy;
  std::function<Status(const Draft&)> validator;

  Scene() {
    crafted.signer = key.get();
    names({{Kind::dns, "host.example.test"}});
  }
  void names(const std::vector<Identifier>& wanted) { alternative(x509::encode_general_names(wanted)); }
  void alternative(Bytes value) { extensions({{to_bytes(oid::subject_alt_name), false, std::move(value)}}); }
  void extensions(const std::vector<x509::Extension>& list) {
    crafted.attributes = {extension_request(list)};
  }
  void and_extension(ByteView oid, Bytes value) {
    extensions({{to_bytes(oid::subject_alt_name), false,
                 x509::encode_general_names(std::vector<Identifier>{{Kind::dns, "host.example.test"}})},
                {to_bytes(oid), false, std::move(value)}});
  }
  void signed_by(KeySpec spec) {
    key = new_key(spec);
    crafted.signer = key.get();
  }
  void subject(const der::Oid& type, std::uint8_t tag, std::string_view value) {
    crafted.subject = name_of(type, tag, value);
  }
  Bytes built() const { return csr ? *csr : crafted.build(); }
};

class Admission : public IssuanceFixture {
 protected:
  Result<Issued> ask(Scene& scene) {
    open(scene.plan);
    policy_.decision = scene.policy;
    validator_.judgement = scene.validator;
    for (const Fingerprint& hash : scene.blocked) blocked_.add(hash);
    csr_ = scene.built();
    IssueRequest request = scene.request;
    request.requester = "test:somebody";
    request.csr = csr_;
    return issue(request);
  }
  Bytes csr_;
};

}  // namespace hanaper::test
