// The doorway to OpenSSL.
#include "compiler/plan/sha256.h"

#include <openssl/evp.h>

#include <fstream>
#include <memory>
#include <stdexcept>
#include <vector>

namespace bgw::plan {
namespace {

class Hasher {
 public:
  Hasher() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) { begin(EVP_sha256()); }
  /// Once more from nothing, with the digest it has.
  void restart() { begin(nullptr); }
  void add(const char* data, std::size_t size) { EVP_DigestUpdate(context_.get(), data, size); }
  Key finish() {
    Key key;
    EVP_DigestFinal_ex(context_.get(), key.bytes.data(), nullptr);
    return key;
  }

 private:
  void begin(const EVP_MD* digest) {
    if (!context_ || EVP_DigestInit_ex(context_.get(), digest, nullptr) != 1) {
      throw std::runtime_error("SHA-256 is not available in this OpenSSL");
    }
  }

  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

Key sha256(std::string_view bytes) {
  thread_local Hasher hasher;  // a fresh context costs as much as hashing a kilobyte
  hasher.restart();
  hasher.add(bytes.data(), bytes.size());
  return hasher.finish();
}

Key sha256_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  Hasher hasher;
  std::vector<char> buffer(1 << 20);
  while (file.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || file.gcount() > 0) {
    hasher.add(buffer.data(), static_cast<std::size_t>(file.gcount()));
  }
  if (file.bad()) throw std::runtime_error("cannot read " + path);
  return hasher.finish();
}

}  // namespace bgw::plan
