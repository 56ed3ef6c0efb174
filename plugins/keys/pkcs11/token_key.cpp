#include "token_key.hpp"

#include <hanaper/toolkit/algorithms.hpp>
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/der.hpp>
#include <hanaper/toolkit/signature_algorithm.hpp>

namespace hanaper::pkcs11 {
namespace {

// The numbers of the table, which knows no PKCS#11 header.
static_assert(algorithms::row(crypto::Hash::sha256).pkcs11 == CKM_SHA256 &&
              algorithms::row(crypto::Hash::sha384).pkcs11 == CKM_SHA384 &&
              algorithms::row(crypto::Hash::sha512).pkcs11 == CKM_SHA512);
static_assert(algorithms::row(crypto::Hash::sha256).mgf == CKG_MGF1_SHA256 &&
              algorithms::row(crypto::Hash::sha384).mgf == CKG_MGF1_SHA384 &&
              algorithms::row(crypto::Hash::sha512).mgf == CKG_MGF1_SHA512);
static_assert(algorithms::row(SignatureScheme::ecdsa_sha256).pkcs11 == CKM_ECDSA &&
              algorithms::row(SignatureScheme::rsa_pkcs1_sha256).pkcs11 == CKM_RSA_PKCS &&
              algorithms::row(SignatureScheme::rsa_pss_sha256).pkcs11 == CKM_RSA_PKCS_PSS &&
              algorithms::row(SignatureScheme::ed25519).pkcs11 == CKM_EDDSA);

// Tokens give r and s side by side; X.509 wants SEQUENCE { r, s } (RFC 3279 2.2.3).
Bytes ecdsa_der(ByteView sides) {
  der::Writer writer(160);
  writer.sequence([&] {
    writer.unsigned_integer(sides.subspan(sides.size() / 2));
    writer.unsigned_integer(sides.first(sides.size() / 2));
  });
  return writer.bytes();
}

// Signatures that fail one after the other before a token is asked last: one may be an accident.
constexpr unsigned failures_to_tell = 3;

constexpr std::size_t max_signature = 1024;  // RSA-8192

// Whether the token is lost. Token::lost has more answers; a bad ciphertext can cause those, and these it
// cannot.
bool is_away(CK_RV code) {
  return code == CKR_SESSION_HANDLE_INVALID || code == CKR_SESSION_CLOSED || code == CKR_DEVICE_REMOVED ||
         code == CKR_TOKEN_NOT_PRESENT || code == CKR_CRYPTOKI_NOT_INITIALIZED ||
         code == CKR_USER_NOT_LOGGED_IN;
}

}  // namespace

CK_RV TokenKey::handle_in(const Token::Session& session, CK_OBJECT_HANDLE& handle) {
  if (life_.load(std::memory_order_acquire) == session.life) {
    handle = handle_.load(std::memory_order_relaxed);
    return CKR_OK;
  }
  const Lock lock(finding_);
  KeyObject there;
  const CK_RV code = find_private(session, object_.label, object_.spki, handle, there);
  if (code != CKR_OK || handle == 0) return code;
  wants_pin_.store(there.wants_pin, std::memory_order_relaxed);
  handle_.store(handle, std::memory_order_relaxed);
  life_.store(session.life, std::memory_order_release);
  return CKR_OK;
}

CK_RV TokenKey::begin(const Token::Session& session,
                      CK_RV (*init)(CK_SESSION_HANDLE, CK_MECHANISM*, CK_OBJECT_HANDLE),
                      CK_MECHANISM& mechanism, CK_OBJECT_HANDLE handle) {
  const CK_RV code = init(session.handle, &mechanism, handle);
  if (code != CKR_OK || !wants_pin_.load(std::memory_order_relaxed)) return code;
  return token_.confirm(session);
}

Result<Bytes> TokenKey::sign(CK_MECHANISM mechanism, ByteView input, std::size_t limit) {
  Bytes signature(limit);
  bool absent = false;
  HANAPER_CHECK(token_.run([&](const Token::Session& session) {
    CK_OBJECT_HANDLE handle = 0;
    CK_RV code = handle_in(session, handle);
    absent = code == CKR_OK && handle == 0;
    if (code != CKR_OK || absent) return code;
    code = begin(session, session.functions.C_SignInit, mechanism, handle);
    CK_ULONG size = signature.size();
    if (code == CKR_OK)
      code = session.functions.C_Sign(session.handle, const_cast<CK_BYTE*>(input.data()), input.size(),
                                      signature.data(), &size);
    if (code == CKR_OK) signature.resize(size);
    // The handle may have been the lost thing; the next attempt looks for it again.
    if (code == CKR_KEY_HANDLE_INVALID || code == CKR_OBJECT_HANDLE_INVALID) life_.store(0);
    return code;
  }));
  if (absent)
    return unavailable("key \"" + object_.label + "\" is not, or is another, on token " + token_.name());
  return signature;
}

Result<Bytes> TokenKey::sign_digest(SignatureScheme scheme, ByteView digest) {
  const algorithms::SchemeRow& row = algorithms::row(scheme);
  const algorithms::HashRow& hash = algorithms::row(*row.hash);
  if (algorithms::family_of(scheme) == algorithms::Family::ec) {
    HANAPER_TRY(const Bytes sides,
                sign({row.pkcs11, nullptr, 0}, digest, 2 * algorithms::row(object_.spec.type).octets));
    return ecdsa_der(sides);
  }
  if (row.padding == algorithms::Padding::pss) {
    CK_RSA_PKCS_PSS_PARAMS parameters{hash.pkcs11, hash.mgf, hash.size};
    return sign({row.pkcs11, &parameters, sizeof parameters}, digest, max_signature);
  }
  Bytes info = to_bytes(hash.digest_info);
  info.insert(info.end(), digest.begin(), digest.end());
  return sign({row.pkcs11, nullptr, 0}, info, max_signature);
}

// By the only scheme of such a key.
Result<Bytes> TokenKey::sign_message(ByteView message) {
  const algorithms::KeyRow& row = algorithms::row(object_.spec.type);
  return sign({algorithms::row(row.scheme).pkcs11, nullptr, 0}, message, 2 * row.octets);
}

// Whatever the token says of a ciphertext, the answer is one: what is wrong with it is nobody's business
// (RFC 8017 7.2.2, note). And no ciphertext looks like a lost token.
Result<Secret> TokenKey::decrypt(ByteView ciphertext) {
  std::string plain(ciphertext.size(), '\0');
  CK_RV answer = CKR_OK;
  Status done = token_.run(
      [&](const Token::Session& session) {
        CK_OBJECT_HANDLE handle = 0;
        CK_RV code = handle_in(session, handle);
        if (code == CKR_OK && handle == 0) return CK_RV{CKR_KEY_NEEDED};
        CK_MECHANISM mechanism{CKM_RSA_PKCS, nullptr, 0};
        if (code == CKR_OK) code = begin(session, session.functions.C_DecryptInit, mechanism, handle);
        if (code != CKR_OK) return code;
        CK_ULONG size = plain.size();
        code =
            session.functions.C_Decrypt(session.handle, const_cast<CK_BYTE*>(ciphertext.data()),
                                        ciphertext.size(), reinterpret_cast<CK_BYTE*>(plain.data()), &size);
        if (code == CKR_OK) plain.resize(size);
        return code == CKR_OK || is_away(code) ? code : CK_RV{CKR_ENCRYPTED_DATA_INVALID};
      },
      &answer);
  Secret whole(std::move(plain));
  if (done) return whole;
  if (answer == CKR_ENCRYPTED_DATA_INVALID) return forbidden("decryption failed");
  return std::move(done).error();
}

GroupKey::GroupKey(const std::vector<std::unique_ptr<Token>>& tokens, KeyObject object, Log& log,
                   Metrics& metrics)
    : object_(std::move(object)), log_(log) {
  for (const std::unique_ptr<Token>& token : tokens) {
    Member& member = *members_.emplace_back(std::make_unique<Member>(*token, object_));
    member.used = &metrics.gauge("hanaper_pkcs11_key_usable", "1 while the token signs rightly with the key.",
                                 {{"key", object_.label}, {"token", token->name()}});
  }
}

bool GroupKey::Member::failing() const noexcept {
  return failures.load(std::memory_order_relaxed) >= failures_to_tell;
}

std::string GroupKey::place(const Member& member) const {
  return "key \"" + object_.label + "\" on token " + member.key.token().name();
}

// Those that fail come last: they are asked, because nobody else learns that they do it again.
template <class T, class Operation>
Result<T> GroupKey::spread(Operation&& operation) {
  const std::size_t first = members_.size() == 1 ? 0 : next_.fetch_add(1, std::memory_order_relaxed);
  Error last = unavailable("no token has key \"" + object_.label + "\" as it should be");
  for (const bool failing : {false, true})
    for (std::size_t i = 0; i < members_.size(); ++i) {
      Member& member = *members_[(first + i) % members_.size()];
      if (!member.good.load(std::memory_order_relaxed) || member.failing() != failing) continue;
      auto result = operation(member.key);
      if (result) {
        worked(member);
        return result;
      }
      if (result.error().code != Code::unavailable && result.error().code != Code::internal) return result;
      failed(member, result.error());
      last = std::move(result).error();
    }
  return last;
}

void GroupKey::worked(Member& member) {
  if (member.failures.load(std::memory_order_relaxed) == 0) return;
  if (member.failures.exchange(0) >= failures_to_tell)
    log_.info("key signs again", {{"key", object_.label}, {"token", member.key.token().name()}});
}

// A token that is away says so itself.
void GroupKey::failed(Member& member, const Error& error) {
  if (!member.key.token().health()) return;
  {
    const Lock lock(mutex_);
    member.failure = error.detail;
  }
  if (member.failures.fetch_add(1) + 1 == failures_to_tell)
    log_.error("key does not sign",
               {{"key", object_.label}, {"token", member.key.token().name()}, {"why", error.detail}});
}

Result<Bytes> GroupKey::sign(SignatureScheme scheme, ByteView message) {
  if (!x509::fits(object_.spec, scheme))
    return unsupported("a key of type " + to_string(object_.spec) + " makes no " +
                       std::string(to_string(scheme)) + " signatures");
  if (const auto hash = crypto::hash_of(scheme)) return sign_digest(scheme, crypto::digest(*hash, message));
  return spread<Bytes>([&](TokenKey& key) { return key.sign_message(message); });
}

Result<Bytes> GroupKey::sign_digest(SignatureScheme scheme, ByteView digest) {
  const auto hash = crypto::hash_of(scheme);
  if (!x509::fits(object_.spec, scheme) || !hash)
    return unsupported("a key of type " + to_string(object_.spec) + " signs no digests by " +
                       std::string(to_string(scheme)));
  if (digest.size() != crypto::digest_size(*hash)) return malformed("a digest of the wrong size");
  return spread<Bytes>([&](TokenKey& key) { return key.sign_digest(scheme, digest); });
}

Result<Secret> GroupKey::decrypt(ByteView ciphertext) {
  if (!algorithms::row(object_.spec.type).encrypts)
    return unsupported("a key of type " + to_string(object_.spec) + " cannot decrypt");
  if (ciphertext.size() != (object_.spec.bits + 7u) / 8u) return forbidden("decryption failed");
  return spread<Secret>([&](TokenKey& key) { return key.decrypt(ciphertext); });
}

Status GroupKey::check_member(Member& member, bool& second) {
  HANAPER_CHECK(expect_key(member.key.token(), object_.label, object_.spki, second));
  const SignatureScheme scheme = x509::default_scheme(object_.spec);
  Bytes probe(32);
  crypto::random(probe);
  const auto hash = crypto::hash_of(scheme);
  HANAPER_TRY(const Bytes signature, hash ? member.key.sign_digest(scheme, crypto::digest(*hash, probe))
                                          : member.key.sign_message(probe));
  if (!crypto::verify(scheme, object_.spki, probe, signature))
    return conflict(place(member) + " makes signatures that its public key does not verify");
  return {};
}

void GroupKey::check() {
  for (const std::unique_ptr<Member>& member : members_) {
    bool second = false;
    const Status checked = check_member(*member, second);
    if (checked) worked(*member);
    const std::string trouble = checked ? "" : checked.error().detail;
    member->good.store(checked.has_value());
    member->used->set(checked ? 1 : 0);
    const Lock lock(mutex_);
    if (second && !member->second)
      log_.warning("another key bears the same label; name them by their ids before the next start",
                   {{"key", object_.label}, {"token", member->key.token().name()}});
    member->second = second;
    if (trouble == member->trouble) continue;
    member->trouble = trouble;
    if (trouble.empty())
      log_.info("key is used again", {{"key", object_.label}, {"token", member->key.token().name()}});
    else
      log_.error("key is not used on a token",
                 {{"key", object_.label}, {"token", member->key.token().name()}, {"why", trouble}});
  }
}

// Why the token is not fit for the key; empty: it is.
std::string GroupKey::trouble_locked(const Member& member) const {
  if (!member.trouble.empty()) return member.trouble;
  return member.failing() ? place(member) + " does not sign: " + member.failure : "";
}

Status GroupKey::health() const {
  Status why;
  for (const std::unique_ptr<Member>& member : members_) {
    if (Status there = member->key.token().health(); !there) {
      why = std::move(there);
      continue;
    }
    const Lock lock(mutex_);
    std::string trouble = trouble_locked(*member);
    if (trouble.empty()) return {};
    why = unavailable(std::move(trouble));
  }
  return why;
}

Status GroupKey::whole() const {
  const Lock lock(mutex_);
  for (const std::unique_ptr<Member>& member : members_) {
    if (std::string trouble = trouble_locked(*member); !trouble.empty())
      return unavailable(std::move(trouble));
    if (member->second) return unavailable("another key is called as " + place(*member));
  }
  return {};
}

}  // namespace hanaper::pkcs11
