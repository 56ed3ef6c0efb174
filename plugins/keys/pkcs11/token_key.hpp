// A private key on one token, and one that several tokens hold.
#pragma once

#include "objects.hpp"

#include <hanaper/toolkit/mutex.hpp>

namespace hanaper::pkcs11 {

// A key on one token. Thread-safe.
class TokenKey {
 public:
  // `object` lives longer. Whatever else bears its name on the token is not used.
  TokenKey(Token& token, const KeyObject& object) : token_(token), object_(object) {}

  Token& token() const noexcept { return token_; }

  // [worker] As Key's functions of the same names.
  Result<Bytes> sign_digest(SignatureScheme scheme, ByteView digest);
  Result<Bytes> sign_message(ByteView message);  // Ed25519
  Result<Secret> decrypt(ByteView ciphertext);

 private:
  Result<Bytes> sign(CK_MECHANISM mechanism, ByteView input, std::size_t limit);
  CK_RV begin(const Token::Session& session,
              CK_RV (*init)(CK_SESSION_HANDLE, CK_MECHANISM*, CK_OBJECT_HANDLE), CK_MECHANISM& mechanism,
              CK_OBJECT_HANDLE handle);
  CK_RV handle_in(const Token::Session& session, CK_OBJECT_HANDLE& handle);

  Token& token_;
  const KeyObject& object_;
  // The handle and the life of the token that it belongs to: read without a lock by every signature.
  std::atomic<std::uint64_t> life_{0};
  std::atomic<CK_OBJECT_HANDLE> handle_{0};
  std::atomic<bool> wants_pin_{false};  // of the object behind the handle
  Mutex finding_;
};

// The same key on each of a group of tokens: signatures are spread over those that hold it, and go on while
// one of them does. A token that has another key under that name, or none, is never used for it; one whose
// signatures fail, one after the other, is asked last. Thread-safe.
class GroupKey final : public Key {
 public:
  // The tokens live longer than the key.
  GroupKey(const std::vector<std::unique_ptr<Token>>& tokens, KeyObject object, Log& log, Metrics& metrics);

  KeySpec spec() const noexcept override { return object_.spec; }
  ByteView spki() const noexcept override { return object_.spki; }
  Result<Bytes> sign(SignatureScheme scheme, ByteView message) override;
  Result<Bytes> sign_digest(SignatureScheme scheme, ByteView digest) override;
  Result<Secret> decrypt(ByteView ciphertext) override;

  // [worker] Lets every token make a signature, and judges it under the one public key.
  void check();
  // [any] Whether a signature would succeed now: why not, when no token is fit for it.
  Status health() const;
  // [any] Whether every token is as it should be, though the others do: what an operator should look at.
  Status whole() const;

 private:
  struct Member {
    Member(Token& token, const KeyObject& object) : key(token, object) {}
    TokenKey key;
    std::atomic<bool> good{false};
    std::atomic<unsigned> failures{0};  // one after the other, of a token that is there
    Gauge* used = nullptr;
    std::string trouble, failure;  // why it is not used; what failed last. Guarded by mutex_
    bool second = false;           // another key bears the name too. Guarded by mutex_
    bool failing() const noexcept;
  };

  template <class T, class Operation>
  Result<T> spread(Operation&& operation);
  Status check_member(Member& member, bool& second);
  void worked(Member& member);
  void failed(Member& member, const Error& error);
  std::string place(const Member& member) const;
  std::string trouble_locked(const Member& member) const;

  const KeyObject object_;
  Log& log_;
  std::vector<std::unique_ptr<Member>> members_;
  std::atomic<std::size_t> next_{0};
  mutable Mutex mutex_;
};

}  // namespace hanaper::pkcs11
