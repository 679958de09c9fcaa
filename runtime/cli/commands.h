#pragma once

#include <string>
#include <vector>

#include "runtime/cli/program_options.h"

// One function a command; each prints and gives the exit code. What goes wrong on the way is thrown: CommandFailure,
// InputError, StoreError (runtime/cli/application.cpp turns them into messages and codes).
namespace bgw::cli {

struct CheckOptions : ProgramOptions {
  std::string emit;  // "" or one of emitted_forms()
};
int check(const CheckOptions& options);
/// What `check --emit` prints: "tokens", "ast".
std::vector<std::string> emitted_forms();

struct FormatOptions {
  std::vector<std::string> programs;  // "-" is stdin
  bool check = false;
  bool to_stdout = false;
};
int format(const FormatOptions& options);

struct PlanOptions : ProgramOptions {
  std::vector<std::string> targets;
  bool detailed_exit_code = false;
};
int plan(const PlanOptions& options);

struct RunCommandOptions : ProgramOptions {
  std::vector<std::string> targets;
  int cpus = 0;  // 0: those of the machine
  bool quiet = false;
  bool wait = true;  // for tasks that another run is doing
  std::vector<std::string> command_line;
};
int run(const RunCommandOptions& options);

struct ShowOptions : ProgramOptions {
  std::string name;
};
int show(const ShowOptions& options);

struct ReportOptions : ProgramOptions {
  std::vector<std::string> targets;
  std::string output;  // "" is the program's name with .html, in the working directory
};
int report(const ReportOptions& options);

struct EnergyOptions : ProgramOptions {
  std::string system;
  std::string structure;
  bool forces = false;
};
int energy(const EnergyOptions& options);

struct ListOptions : ProgramOptions {
  std::string pattern;
  bool count = false;
};
int list(const ListOptions& options);

struct LogOptions : ProgramOptions {
  int runs = 20;
};
int log(const LogOptions& options);

struct ExplainOptions {
  std::string id;  // "" lists all
  bool json = false;
};
int explain(const ExplainOptions& options);

struct DocOptions {
  std::string topic;   // a kind, constructor or function; "units", "functions", "all"; "" is an overview
  std::string editor;  // "vim", "textmate": a file of editors/
  bool json = false;
};
int doc(const DocOptions& options);

int cache_verify(const ProgramOptions& options);
int cache_rebuild(const ProgramOptions& options);

}  // namespace bgw::cli
