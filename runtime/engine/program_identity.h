#pragma once

#include <filesystem>
#include <string>

#include "compiler/plan/plan.h"

namespace bgw::engine {

/// The name under which the history knows a program: its absolute path.
inline std::string program_identity(const plan::Plan& plan) {
  return std::filesystem::absolute(plan.program).lexically_normal().string();
}

}  // namespace bgw::engine
