#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "compiler/lowering/program.h"
#include "compiler/semantics/analyze.h"
#include "compiler/source/source_file.h"

namespace bgw::cli {

/// What every command that reads a program takes.
struct ProgramOptions {
  std::string program;
  std::vector<std::string> parameters;       // "T=250K"
  std::vector<std::string> parameter_files;  // TOML, a later one wins
  std::string cache;                         // "" is .bgw beside the program
  bool environment = true;                   // BGW_P_NAME counts; a saved plan holds all params itself
  bool json = false;
};

/// A program read and compiled.
struct LoadedProgram {
  const lowering::Program& program;  // lives until the process ends: to free a large one takes as long as to check it
  std::size_t warnings = 0;
  double milliseconds = 0;
  schema::Value diagnostics;         // its warnings as a JSON list
};

/// The text of a program.
/// @throws CommandFailure with exit code 2 for a file that cannot be read, 3 for one that is no text
source::SourceMap read_program(const std::string& path);

/// Reads and compiles.
/// @param speaks  warnings and errors go to stderr; without it they are in what is returned or thrown, alone
/// @throws CommandFailure with exit code 2 for a file that cannot be read, 3 for a program that is wrong
LoadedProgram load_program(const ProgramOptions& options, bool speaks = true);

/// Compiles a program that was read.
/// @throws CommandFailure with exit code 3 for a program that is wrong
LoadedProgram compile_program(source::SourceMap text, const semantics::Overrides& overrides, bool speaks);

/// Where the results of the program lie.
std::filesystem::path cache_directory(const ProgramOptions& options);

/// `bgw run` with the same program, parameters and cache, for a person to copy: words with blanks are quoted.
std::string run_command(const ProgramOptions& options, const std::vector<std::string>& names);

/// The same of another command: `bgw lock`.
std::string command_line(const char* command, const ProgramOptions& options, const std::vector<std::string>& names);

/// A word as the shell takes it.
std::string shell_word(const std::string& word);

/// Tasks and checks that were asked for; the inputs of checks are among the tasks.
struct Wanted {
  std::string title;  // "default", "F[64], rdf"
  std::vector<std::size_t> tasks;
  std::vector<std::size_t> checks;
};

/// @param names  targets, families, instances or slices; none: the target default
/// @throws CommandFailure with exit code 3 for a name the program does not have
Wanted find_wanted(const lowering::Program& program, const std::vector<std::string>& names);

/// The tasks and everything they need, in the order of the plan.
std::vector<std::size_t> with_inputs(const plan::Plan& plan, const std::vector<std::size_t>& tasks);

}  // namespace bgw::cli
