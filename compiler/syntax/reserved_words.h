#pragma once

#include <string>
#include <vector>

namespace bgw::syntax {

/// The words of the grammar that can be no name, sorted: "and", "as", "axis", ...
std::vector<std::string> reserved_words();

}  // namespace bgw::syntax
