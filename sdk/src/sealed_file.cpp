// The form: a line that says what it is, one octet with the logarithm of scrypt's N, 16 octets of salt; then
// chunks of 64 KiB and their tag, the last one shorter or as long. The nonce of a chunk is its number and
// whether it is the last, so that none can be left out, moved or added; all before the chunks is
// authenticated with each.
#include <hanaper/toolkit/crypto.hpp>
#include <hanaper/toolkit/files.hpp>
#include <hanaper/toolkit/sealed_file.hpp>

#include <openssl/err.h>
#include <openssl/evp.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace hanaper::crypto {
namespace {

constexpr std::string_view magic = "hanaper sealed 1\n";
constexpr std::size_t salt_size = 16, header_size = magic.size() + 1 + salt_size;
constexpr std::size_t chunk_size = 64 * 1024, tag_size = 16;
// What a file may ask for: 256 MiB of memory at the most.
constexpr std::uint8_t least_cost = 14, most_cost = 18;
constexpr std::uint64_t most_memory = 320ULL * 1024 * 1024;

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const noexcept { EVP_CIPHER_CTX_free(context); }
};

Error trouble(const std::string& path) { return unavailable(path + ": " + std::strerror(errno)); }

// As much as there is, up to the size of `to`.
Result<std::size_t> read_some(const files::Descriptor& file, const std::string& path,
                              std::span<std::uint8_t> to) {
  std::size_t done = 0;
  while (done < to.size()) {
    const ssize_t count = ::read(file.handle(), to.data() + done, to.size() - done);
    if (count == 0) break;
    if (count > 0)
      done += static_cast<std::size_t>(count);
    else if (errno != EINTR)
      return trouble(path);
  }
  return done;
}

Status write_all(const files::Descriptor& file, const std::string& path, ByteView octets) {
  while (!octets.empty()) {
    const ssize_t count = ::write(file.handle(), octets.data(), octets.size());
    if (count > 0)
      octets = octets.subspan(static_cast<std::size_t>(count));
    else if (errno != EINTR)
      return trouble(path);
  }
  return {};
}

// One chunk after the other under one key.
class Chunks {
 public:
  static Result<Chunks> open(Bytes header, const Secret& passphrase) {
    Bytes key(32);
    const ByteView salt = ByteView(header).last(salt_size);
    const std::uint64_t n = std::uint64_t{1} << header[magic.size()];
    const bool derived = EVP_PBE_scrypt(passphrase.reveal().data(), passphrase.reveal().size(), salt.data(),
                                        salt.size(), n, 8, 1, most_memory, key.data(), key.size()) == 1;
    Chunks chunks(std::move(header));
    const bool ready =
        derived && chunks.context_ &&
        EVP_CipherInit_ex(chunks.context_.get(), EVP_aes_256_gcm(), nullptr, key.data(), nullptr, 1) == 1;
    wipe(key);
    ERR_clear_error();
    if (!ready) return unavailable("no key can be made of the passphrase: memory is short");
    return chunks;
  }

  const Bytes& header() const noexcept { return header_; }

  // The chunk and its tag.
  bool seal(ByteView plain, bool last, Bytes& sealed) {
    sealed.resize(plain.size() + tag_size);
    return run(plain, last, nullptr, sealed) &&
           EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_GCM_GET_TAG, tag_size,
                               sealed.data() + plain.size()) == 1;
  }
  // What was sealed; false when it was not so.
  bool open(ByteView sealed, bool last, Bytes& plain) {
    Bytes tag = to_bytes(sealed.last(tag_size));
    plain.resize(sealed.size() - tag_size);
    return run(sealed.first(plain.size()), last, &tag, plain);
  }

 private:
  explicit Chunks(Bytes header) : header_(std::move(header)), context_(EVP_CIPHER_CTX_new()) {}

  // Encrypts where there is no tag that the outcome must have.
  bool run(ByteView from, bool last, Bytes* tag, Bytes& to) {
    std::uint8_t nonce[12] = {};
    for (std::size_t i = 0; i < 8; ++i) nonce[10 - i] = static_cast<std::uint8_t>(number_ >> (8 * i));
    nonce[11] = last ? 1 : 0;
    ++number_;
    int size = 0;
    std::uint8_t none = 0;
    EVP_CIPHER_CTX* context = context_.get();
    const bool good =
        EVP_CipherInit_ex(context, nullptr, nullptr, nullptr, nonce, tag == nullptr ? 1 : 0) == 1 &&
        (tag == nullptr || EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, tag_size, tag->data()) == 1) &&
        EVP_CipherUpdate(context, nullptr, &size, header_.data(), static_cast<int>(header_.size())) == 1 &&
        (from.empty() ||
         EVP_CipherUpdate(context, to.data(), &size, from.data(), static_cast<int>(from.size())) == 1) &&
        EVP_CipherFinal_ex(context, &none, &size) == 1;
    ERR_clear_error();
    return good;
  }

  Bytes header_;
  std::unique_ptr<EVP_CIPHER_CTX, FreeContext> context_;
  std::uint64_t number_ = 0;
};

// A new file that is gone again unless it was finished.
class NewFile {
 public:
  explicit NewFile(const std::string& path)
      : path_(path), file_(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)) {
    error_ = errno;
  }
  NewFile(const NewFile&) = delete;
  ~NewFile() {
    if (file_.handle() >= 0 && !finished_) ::unlink(path_.c_str());
  }

  Status check() const {
    if (file_.handle() >= 0) return {};
    if (error_ == EEXIST) return conflict(path_ + " exists already");
    return unavailable(path_ + ": " + std::strerror(error_));
  }
  Status write(ByteView octets) { return write_all(file_, path_, octets); }
  Status finish() {
    if (::fsync(file_.handle()) != 0) return trouble(path_);
    finished_ = true;
    return {};
  }

 private:
  const std::string path_;
  const files::Descriptor file_;
  int error_ = 0;
  bool finished_ = false;
};

// Hands on what is in a file in pieces of that size; `each` learns which is the last. An empty file is one
// empty piece.
template <class Each>
Status for_each_piece(const files::Descriptor& file, const std::string& path, std::size_t size, Each&& each) {
  Bytes piece(size), next(size);
  HANAPER_TRY(std::size_t have, read_some(file, path, piece));
  for (;;) {
    HANAPER_TRY(const std::size_t more,
                have < size ? Result<std::size_t>(std::size_t{0}) : read_some(file, path, next));
    HANAPER_CHECK(each(ByteView(piece).first(have), more == 0));
    if (more == 0) break;
    piece.swap(next);
    have = more;
  }
  wipe(piece);
  wipe(next);
  return {};
}

}  // namespace

std::string make_passphrase() {
  constexpr std::string_view letters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  Bytes random_octets(26);
  random(random_octets);
  std::string text;
  for (std::size_t i = 0; i < random_octets.size(); ++i) {
    if (i != 0 && i % 5 == 0 && i < 25) text += '-';
    text += letters[random_octets[i] % letters.size()];
  }
  wipe(random_octets);
  return text;
}

bool is_sealed_file(const std::string& path) {
  const auto file = files::open_regular(path);
  Bytes begin(magic.size());
  const auto size = file ? read_some(*file, path, begin) : Result<std::size_t>(file.error());
  return size && *size == begin.size() && as_text(begin) == magic;
}

Status seal_file(const std::string& from, const std::string& to, const Secret& passphrase,
                 std::uint8_t cost) {
  HANAPER_TRY(const files::Descriptor source, files::open_regular(from));
  NewFile target(to);
  HANAPER_CHECK(target.check());
  Bytes header = to_bytes(as_bytes(magic)), salt(salt_size), sealed;
  random(salt);
  header.push_back(std::clamp(cost, least_cost, most_cost));
  header.insert(header.end(), salt.begin(), salt.end());
  HANAPER_TRY(Chunks chunks, Chunks::open(std::move(header), passphrase));
  HANAPER_CHECK(target.write(chunks.header()));
  HANAPER_CHECK(for_each_piece(source, from, chunk_size, [&](ByteView piece, bool last) -> Status {
    if (!chunks.seal(piece, last, sealed)) return unavailable(to + ": cannot be encrypted");
    return target.write(sealed);
  }));
  return target.finish();
}

Status open_sealed_file(const std::string& from, const std::string& to, const Secret& passphrase) {
  HANAPER_TRY(const files::Descriptor source, files::open_regular(from));
  Bytes header(header_size), plain;
  HANAPER_TRY(const std::size_t size, read_some(source, from, header));
  if (size != header.size() || !as_text(header).starts_with(magic))
    return malformed(from + ": is no sealed file");
  if (header[magic.size()] < least_cost || header[magic.size()] > most_cost)
    return malformed(from + ": its key would cost more or less than we take");
  NewFile target(to);
  HANAPER_CHECK(target.check());
  HANAPER_TRY(Chunks chunks, Chunks::open(std::move(header), passphrase));
  HANAPER_CHECK(for_each_piece(source, from, chunk_size + tag_size, [&](ByteView piece, bool last) -> Status {
    if (piece.size() < tag_size || !chunks.open(piece, last, plain))
      return forbidden(from + ": the passphrase is another one, or the file was changed or cut");
    return target.write(plain);
  }));
  wipe(plain);
  return target.finish();
}

}  // namespace hanaper::crypto
