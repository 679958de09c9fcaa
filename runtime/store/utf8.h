#pragma once

#include <string>
#include <string_view>

namespace bgw::store {

/// The text with every byte that is no part of UTF-8 replaced by U+FFFD: file names, log lines and words of other
/// libraries may hold any bytes, JSON may not.
std::string valid_utf8(std::string_view text);

}  // namespace bgw::store
