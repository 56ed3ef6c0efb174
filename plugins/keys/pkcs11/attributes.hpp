// Attribute templates and how attributes are read.
#pragma once

#include "token.hpp"

#include <deque>

namespace hanaper::pkcs11 {

// A template under construction; owns what its attributes point to.
class Template {
 public:
  Template& flag(CK_ATTRIBUTE_TYPE type, bool value) {
    const CK_BBOOL octet = value ? CK_TRUE : CK_FALSE;
    return octets(type, ByteView(&octet, 1));
  }
  Template& number(CK_ATTRIBUTE_TYPE type, CK_ULONG value) {
    return octets(type, ByteView(reinterpret_cast<const std::uint8_t*>(&value), sizeof value));
  }
  Template& text(CK_ATTRIBUTE_TYPE type, std::string_view value) { return octets(type, as_bytes(value)); }
  Template& octets(CK_ATTRIBUTE_TYPE type, ByteView value) {
    Bytes& kept = values_.emplace_back(to_bytes(value));
    attributes_.push_back({type, kept.data(), static_cast<CK_ULONG>(kept.size())});
    return *this;
  }
  ~Template();  // wipes: templates of imported keys hold secrets
  Template() = default;
  Template(const Template&) = delete;

  CK_ATTRIBUTE* data() noexcept { return attributes_.data(); }
  CK_ULONG size() const noexcept { return static_cast<CK_ULONG>(attributes_.size()); }

 private:
  std::deque<Bytes> values_;
  std::vector<CK_ATTRIBUTE> attributes_;
};

// The value of one attribute; empty when the object has none or does not show it.
CK_RV read_attribute(const Token::Session& session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
                     Bytes& value);
CK_RV read_number(const Token::Session& session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
                  CK_ULONG& value);
// Handles of what matches, at most `limit`.
CK_RV find_objects(const Token::Session& session, Template& wanted, std::size_t limit,
                   std::vector<CK_OBJECT_HANDLE>& found);

// Attributes that both halves of a key share, and those of a public key object made from a
// SubjectPublicKeyInfo.
Status add_public_half(Template& target, ByteView spki);

}  // namespace hanaper::pkcs11
