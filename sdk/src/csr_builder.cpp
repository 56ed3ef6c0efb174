#include <hanaper/toolkit/csr_builder.hpp>

#include <hanaper/toolkit/oids.hpp>
#include <hanaper/toolkit/signature_algorithm.hpp>

namespace hanaper::x509 {
namespace {

void write_extension_request(der::Writer& writer, const CsrContent& content) {
  const auto write_one = [&](ByteView oid, bool critical, ByteView value) {
    writer.sequence([&] {
      writer.octets(value);
      if (critical) writer.boolean(true);
      writer.oid(oid);
    });
  };
  writer.sequence([&] {
    writer.constructed(der::set, [&] {
      writer.sequence([&] {
        for (std::size_t i = content.extensions.size(); i-- > 0;)
          write_one(content.extensions[i].oid, content.extensions[i].critical, content.extensions[i].value);
        if (!content.names.empty())
          write_one(oid::subject_alt_name, false, encode_general_names(content.names));
      });
    });
    writer.oid(oid::extension_request);
  });
}

}  // namespace

Result<Bytes> build_csr(Key& key, const CsrContent& content) {
  der::Writer info(1024);
  info.sequence([&] {
    info.constructed(der::context(0), [&] {
      // A SET OF in DER is in ascending order: challengePassword (…9.7) comes before extensionRequest
      // (…9.14), and its encoding, being shorter or lower, does as well only by chance; so the octets decide.
      der::Writer password(128), extensions(1024);
      if (!content.challenge_password.empty()) {
        password.sequence([&] {
          password.constructed(der::set,
                               [&] { password.text(der::utf8_string, content.challenge_password); });
          password.oid(oid::challenge_password);
        });
      }
      if (!content.names.empty() || !content.extensions.empty()) write_extension_request(extensions, content);
      const bool password_first = std::ranges::lexicographical_compare(password.view(), extensions.view());
      info.raw(password_first ? extensions.view() : password.view());
      info.raw(password_first ? password.view() : extensions.view());
    });
    info.raw(key.spki());
    info.raw(encode_name(content.subject));
    info.integer(0);
  });
  const SignatureScheme scheme = default_scheme(key.spec());
  HANAPER_TRY(const Bytes signature, key.sign(scheme, info.view()));
  der::Writer writer(info.size() + signature.size() + 64);
  writer.sequence([&] {
    writer.bits(signature);
    writer.raw(algorithm_identifier(scheme));
    writer.raw(info.view());
  });
  return writer.bytes();
}

}  // namespace hanaper::x509
