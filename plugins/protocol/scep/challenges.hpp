// Challenges that are good once.
#pragma once

#include <hanaper/host.hpp>
#include <hanaper/toolkit/certificate.hpp>
#include <hanaper/toolkit/identifiers.hpp>
#include <hanaper/toolkit/name.hpp>

namespace hanaper::scep {

struct Challenge {
  std::string key = {};                // of its record: what is kept is a digest
  std::string profile;                 // empty: the pipeline's default
  x509::Name subject;                  // empty: whichever, under whichever names
  std::vector<Identifier> names = {};  // beside the one that the subject's common name is
  std::uint64_t version = 0;

  // Whether it is for what the request wants to be called; rejected.
  Status check(const x509::CsrView& csr) const;
};

// The records behind them. Thread-safe.
class Challenges {
 public:
  Challenges(Collection& records, const Clock& clock) : records_(records), clock_(clock) {}

  // What is to be committed to make one, and its text, which nobody can ask for again.
  struct Made {
    Secret text;
    std::string id;  // as list and withdraw have it
    RecordWrite write;
    Time expires;
  };
  Made make(const Challenge& wanted, std::chrono::milliseconds lifetime) const;

  // [worker] Those that are good still, without what they read: an id, and what they are for.
  struct Listed {
    std::string id;
    Challenge challenge;
    std::optional<Time> expires;
  };
  Result<std::vector<Listed>> list() const;
  // [worker] The write that ends the one of that id; not_found.
  Result<RecordWrite> withdraw(std::string_view id) const;

  // Whether the texts are the same, in the same time whatever is shown.
  static bool same(std::string_view shown, std::string_view known);

  // [worker] not_found when there is none of that text: never made, expired, or used. It is found by its
  // digest, so that time tells nothing of what is known.
  Result<Challenge> find(std::string_view text) const;

  // The write that uses it up; conflict at commit when somebody else has.
  RecordWrite spend(const Challenge& challenge) const;

 private:
  static Result<Challenge> read(const Record& record);

  Collection& records_;
  const Clock& clock_;
};

}  // namespace hanaper::scep
