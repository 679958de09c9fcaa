#pragma once

#include <map>
#include <string>
#include <vector>

namespace bgw::cli {

/// The value of a param, given outside the program, and where: "-p", "cold.toml:3:5", "BGW_P_T".
struct GivenParam {
  std::string text;
  std::string origin;
};
using GivenParams = std::map<std::string, GivenParam>;

inline constexpr const char* kCommandLine = "-p";

/// `T=250K`, as the command line gives it.
/// @throws CommandFailure with exit code 2 for what is not NAME=VALUE and for a name that stands twice
GivenParams params_of_command_line(const std::vector<std::string>& parameters);

/// A TOML file whose keys are names of params, in tables those of imports; strings carry units, `T = "250 K"`. Whole
/// numbers keep their digits, others are the shortest text that reads back to the same double.
/// @throws CommandFailure with exit code 2 for a file that cannot be read, 3 with line and column for one that is no
///         list of params
GivenParams params_of_file(const std::string& path);

/// True when there is any `BGW_P_…` in the environment.
bool environment_has_params();
/// `BGW_P_T=250K` for the params that the program has: the environment serves many programs.
GivenParams params_of_environment(const std::vector<std::string>& known);

}  // namespace bgw::cli
