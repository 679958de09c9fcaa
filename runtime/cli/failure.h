#pragma once

#include <stdexcept>
#include <string>

#include "compiler/schema/value.h"

namespace bgw::cli {

// Exit codes of every command.
inline constexpr int kDone = 0;
inline constexpr int kBug = 1;
inline constexpr int kWrongUse = 2;
inline constexpr int kWrongProgram = 3;
inline constexpr int kTaskFailed = 4;  // or there is no result yet
inline constexpr int kCheckFailed = 5;
inline constexpr int kEnvironment = 6;
inline constexpr int kRefused = 7;  // a stale plan, a drift from a lock, work that another run holds
inline constexpr int kThereIsWork = 10;  // of `plan --detailed-exitcode`

/// A command that ends here, with an exit code and what to tell; an empty text when all was told already.
struct CommandFailure : std::runtime_error {
  CommandFailure(int code, const std::string& text) : std::runtime_error(text), exit_code(code) {}
  int exit_code;
  schema::Value diagnostics;  // of a wrong program, as a list; for --json
};

}  // namespace bgw::cli
