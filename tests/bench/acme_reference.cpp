// What a complete ACME order cannot do without: seven verifications (six requests, one CSR) and one
// signature, in a loop; prints CPU microseconds for each round.
#include "measure.hpp"

#include <openssl/ec.h>
#include <openssl/evp.h>

#include <cstdlib>

int main(int count, char** words) {
  const double seconds = count > 1 ? std::atof(words[1]) : 1;
  EVP_PKEY* key = EVP_EC_gen("P-256");
  EVP_PKEY_CTX* signer = EVP_PKEY_CTX_new(key, nullptr);
  EVP_PKEY_CTX* verifier = EVP_PKEY_CTX_new(key, nullptr);
  EVP_PKEY_sign_init(signer);
  EVP_PKEY_verify_init(verifier);
  const double used = hanaper::bench::loop(seconds, [&] {
    unsigned char digest[32] = {7}, signature[128];
    std::size_t size = sizeof signature;
    bool good = EVP_PKEY_sign(signer, signature, &size, digest, sizeof digest) == 1;
    for (int i = 0; i < 7; ++i)
      good = good && EVP_PKEY_verify(verifier, signature, size, digest, sizeof digest) == 1;
    if (!good) std::abort();
  });
  std::printf("%.3f\n", used);
  EVP_PKEY_CTX_free(signer);
  EVP_PKEY_CTX_free(verifier);
  EVP_PKEY_free(key);
}
