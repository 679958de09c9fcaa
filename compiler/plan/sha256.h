#pragma once

#include <string_view>

#include "compiler/plan/plan.h"

namespace bgw::plan {

/// SHA-256 of a text.
Key sha256(std::string_view bytes);
/// SHA-256 of a file's bytes; throws std::runtime_error when it cannot be read.
Key sha256_of_file(const std::string& path);

}  // namespace bgw::plan
