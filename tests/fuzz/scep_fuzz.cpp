// PKI messages of SCEP: whatever comes is a message that can be answered, or malformed.
#include "fuzz.hpp"

#include <message.hpp>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hanaper;
  const auto message = scep::parse_message(ByteView(data, size));
  if (!message) {
    fuzz::require(message.error().code == Code::malformed || message.error().code == Code::bad_csr);
    return 0;
  }
  fuzz::require(!message->header.transaction.empty() && !message->header.sender_nonce.empty());
  fuzz::require(message->content.signers.size() == 1);
  return 0;
}
