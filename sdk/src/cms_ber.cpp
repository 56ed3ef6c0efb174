// From BER to DER, as far as senders of CMS go beyond DER.
#include <hanaper/toolkit/cms.hpp>

namespace hanaper::cms {
namespace {

constexpr int max_depth = 32;
constexpr int max_elements = 20'000;

constexpr std::uint8_t constructed = 0x20;
constexpr std::uint8_t indefinite = 0x80;

class Normaliser {
 public:
  explicit Normaliser(ByteView input) : input_(input) {}

  Result<Bytes> run() {
    Bytes out;
    HANAPER_CHECK(element(0, out));
    if (at_ != input_.size()) return malformed("octets follow the value");
    return out;
  }

 private:
  struct Head {
    std::uint8_t tag = 0;
    bool open = false;  // until end-of-contents
    std::size_t length = 0;
  };

  Result<Head> head() {
    if (input_.size() - at_ < 2) return malformed("cut off");
    Head head{input_[at_++]};
    if ((head.tag & 0x1f) == 0x1f) return malformed("a tag of more than one octet");
    const std::uint8_t first = input_[at_++];
    if (first == indefinite) {
      if (!(head.tag & constructed)) return malformed("a primitive value of indefinite length");
      head.open = true;
      return head;
    }
    head.length = first;
    if (first > indefinite) {
      const std::size_t octets = first & 0x7f;
      if (octets > 4 || octets > input_.size() - at_)
        return malformed("a length that is cut off or too large");
      head.length = 0;
      for (std::size_t i = 0; i < octets; ++i) head.length = head.length << 8 | input_[at_++];
    }
    if (head.length > input_.size() - at_) return malformed("a length beyond the end");
    return head;
  }

  bool at_end_of_contents() const {
    return input_.size() - at_ >= 2 && input_[at_] == 0 && input_[at_ + 1] == 0;
  }

  Status element(int depth, Bytes& out) {
    if (depth > max_depth) return malformed("nested too deeply");
    if (++elements_ > max_elements) return malformed("too many elements");
    HANAPER_TRY(const Head head, this->head());
    if (!(head.tag & constructed)) {
      append(head.tag, input_.subspan(at_, head.length), out);
      at_ += head.length;
      return {};
    }
    Bytes content;
    const std::size_t end = at_ + head.length;
    const bool string = head.tag == (der::octet_string | constructed);
    for (;;) {
      if (head.open && at_end_of_contents()) {
        at_ += 2;
        break;
      }
      if (!head.open && at_ == end) break;
      const std::size_t before = content.size();
      HANAPER_CHECK(element(depth + 1, content));
      if (!head.open && at_ > end) return malformed("a value beyond the end of what holds it");
      // A string in pieces (X.690 8.7.3): their contents, one after the other.
      if (string) HANAPER_CHECK(unwrap(content, before));
    }
    const bool pieces = (head.tag & 0xc0) == 0 && head.tag != der::sequence && head.tag != der::set;
    if (pieces && !string) return malformed("a string in pieces that is no OCTET STRING");
    append(string ? std::uint8_t{der::octet_string} : head.tag, content, out);
    return {};
  }

  // The piece that was appended last loses its header.
  static Status unwrap(Bytes& content, std::size_t from) {
    const auto piece = der::only(ByteView(content).subspan(from), der::octet_string);
    if (!piece) return malformed("a piece of an OCTET STRING is none");
    const std::size_t header = piece->whole.size() - piece->content.size();
    content.erase(content.begin() + static_cast<std::ptrdiff_t>(from),
                  content.begin() + static_cast<std::ptrdiff_t>(from + header));
    return {};
  }

  static void append(std::uint8_t tag, ByteView content, Bytes& out) {
    der::Writer header(16);
    header.header(tag, content.size());
    out.insert(out.end(), header.view().begin(), header.view().end());
    out.insert(out.end(), content.begin(), content.end());
  }

  const ByteView input_;
  std::size_t at_ = 0;
  int elements_ = 0;
};

}  // namespace

Result<Bytes> to_der(ByteView ber) {
  if (ber.size() > max_size) return malformed("a message of more than 1 MiB");
  return Normaliser(ber).run();
}

}  // namespace hanaper::cms
