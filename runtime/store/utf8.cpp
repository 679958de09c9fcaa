#include "runtime/store/utf8.h"

#include "compiler/source/read_source.h"

namespace bgw::store {

std::string valid_utf8(std::string_view text) {
  std::string valid;
  while (const std::optional<std::size_t> bad = source::first_invalid_utf8(text)) {
    valid += text.substr(0, *bad);
    valid += "\xEF\xBF\xBD";
    text.remove_prefix(*bad + 1);
  }
  valid += text;
  return valid;
}

}  // namespace bgw::store
