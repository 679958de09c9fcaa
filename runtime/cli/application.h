#pragma once

#include <string>
#include <vector>

namespace bgw::cli {

/// The whole of `bgw`: reads the command line, runs the command, turns errors into messages on stderr.
/// @param arguments  without the program's name
/// @return the exit code
int run_application(const std::vector<std::string>& arguments);

}  // namespace bgw::cli
