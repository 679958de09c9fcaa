#include <charconv>
#include <stdexcept>

#include "compiler/plan/plan.h"

namespace bgw::plan {

std::string Key::hex() const {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text(64, '0');
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    text[2 * i] = kDigits[bytes[i] >> 4];
    text[2 * i + 1] = kDigits[bytes[i] & 15];
  }
  return text;
}

std::string Key::short_hex() const { return hex().substr(0, 12); }

Key Key::from_hex(const std::string& text) {
  if (text.size() != 64) throw std::invalid_argument("a key has 64 hexadecimal digits: '" + text + "'");
  Key key;
  for (std::size_t i = 0; i < 32; ++i) {
    const char* first = text.data() + 2 * i;
    const auto [end, error] = std::from_chars(first, first + 2, key.bytes[i], 16);
    if (error != std::errc() || end != first + 2) {
      throw std::invalid_argument("a key has 64 hexadecimal digits: '" + text + "'");
    }
  }
  return key;
}

}  // namespace bgw::plan
