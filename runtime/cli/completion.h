#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace bgw::cli {

/// What may stand where the last of `words` is being typed. `words` are those behind `bgw`, the last one may be empty.
struct Candidates {
  std::vector<std::string> words;
  std::string files;  // not empty: files belong here too, "*" or those with this ending, ".bgw"
};

/// Subcommands and options come from the command line's own description, names and params from the program.
Candidates complete(const CLI::App& app, const std::vector<std::string>& words);

/// The words of a line as a shell would divide it, with quotes and backslashes taken away and nothing else done to
/// them; the last is the one being typed, empty behind a blank.
std::vector<std::string> shell_words(std::string_view line);

/// For the shells: a candidate a line; files as the line ":files .bgw".
int print_candidates(const CLI::App& app, const std::vector<std::string>& words);

/// The script that makes a shell ask `bgw complete`.
/// @param shell  "bash", "zsh" or "fish"
int completion(const std::string& shell);

}  // namespace bgw::cli
