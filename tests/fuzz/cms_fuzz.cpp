// CMS: BER becomes DER that stays as it is; what is signed and enveloped is read without looking beyond it.
#include "fuzz.hpp"

#include <hanaper/toolkit/cms.hpp>
#include <hanaper/toolkit/oids.hpp>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hanaper;
  const ByteView octets(data, size);
  const auto der = cms::to_der(octets);
  if (der) fuzz::require(fuzz::must(cms::to_der(*der)) == *der);
  const ByteView input = der ? ByteView(*der) : octets;
  if (const auto view = cms::parse_signed(input)) {
    for (const cms::SignerInfo& signer : view->signers) {
      (void)cms::find_signer(*view, signer);
      (void)signer.attribute(oid::content_type);
      for (const ByteView certificate : view->certificates) fuzz::require(!certificate.empty());
    }
  }
  if (const auto view = cms::parse_enveloped(input)) {
    for (const auto& recipient : view->recipients) {
      const auto decrypt = [](ByteView) -> Result<Secret> { return Secret(std::string(16, 'k')); };
      const auto content = cms::open(*view, recipient, decrypt);
      fuzz::require(content || content.error().code == Code::malformed);
      const auto der = cms::open_der(*view, recipient, decrypt);
      if (!der) continue;
      fuzz::require(!der->intact || (content && content->reveal() == der->octets.reveal()));
    }
  }
  return 0;
}
