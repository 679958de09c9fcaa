#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/cli/program_options.h"
#include "runtime/cli/selection.h"

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

struct PlanOptions : SelectionOptions {
  bool detailed_exit_code = false;
  bool seeds = false;
  std::string output;  // a file for `run` to go by later
};
int plan(const PlanOptions& options);

struct RunCommandOptions : SelectionOptions {
  int cpus = 0;  // 0: those of the machine
  bool quiet = false;
  bool wait = true;  // for tasks that another run is doing
  bool fail_fast = false;
  std::vector<std::string> command_line;
};
int run(const RunCommandOptions& options);

struct LockOptions : ProgramOptions {
  std::string output;  // "" is bgw.lock beside the program
  bool check = false;
};
int lock(const LockOptions& options);

struct ReproduceOptions : RunCommandOptions {
  std::string fresh;   // "" is a folder beside the cache, removed in the end
  bool keep = false;
  double sigmas = 4;   // a difference may be so many of its standard errors
  bool full = false;   // hosts and folders too
};
int reproduce(const ReproduceOptions& options);

struct VerifyOptions : ProgramOptions {
  std::vector<std::string> names;
};
int verify(const VerifyOptions& options);

struct ShowOptions : ProgramOptions {
  std::string name;  // "" for a saved plan
};
int show(const ShowOptions& options);

struct ReportOptions : ProgramOptions {
  std::vector<std::string> targets;
  std::string output;  // "" is the program's name with .html, in the working directory
};
int report(const ReportOptions& options);

struct EnergyOptions : ProgramOptions {
  std::string system;
  std::vector<std::string> structures;
  bool forces = false;
  bool stress = false;
};
int energy(const EnergyOptions& options);

struct ExportOptions : ProgramOptions {
  std::string name;
  std::string format = "h5md";  // or "extxyz"
  std::string output;           // "" is the result's name in the working directory
  std::int64_t every = 1;
  bool weighted = false;        // refuse samples without weights
  bool force = false;           // what stands at the output goes
};
/// `bgw export`: configurations of a finished task as a trajectory.
int export_samples(const ExportOptions& options);

struct BenchFe1Options {
  std::vector<std::string> states;   // "A", "D"; none: all
  std::vector<std::string> methods;  // none: all
  int seeds = 32;
  int lammps_seeds = 2;              // of what LAMMPS runs; 0: it does not
  int cpus = 2;
  bool quick = false;
  std::string program;  // one with blocks of the same names; "": that of benchmarks/fe1.bgw
  std::string output;   // a folder for the table and the JSON
  bool json = false;
};
/// `bgw bench fe1`: the cost of free energies by several routes (docs/benchmarks.md).
int bench_fe1(const BenchFe1Options& options);

struct ListOptions : ProgramOptions {
  std::string pattern;
  bool count = false;
};
int list(const ListOptions& options);

struct LogOptions : ProgramOptions {
  int runs = 20;
};
int log(const LogOptions& options);

struct StatusOptions : ProgramOptions {
  std::vector<std::string> targets;
  bool watch = false;  // again every second, until no run is on
};
int status(const StatusOptions& options);

struct LogsOptions : ProgramOptions {
  std::string name;
  bool follow = false;
  bool all = false;    // earlier attempts, too
  int lines = 0;       // the last so many; 0: all
};
int logs(const LogsOptions& options);

struct WhyOptions : ProgramOptions {
  std::string name;  // of a task, or a key or its first digits
};
int why(const WhyOptions& options);

struct DiffOptions : ProgramOptions {
  // Two names behind a program; or one, and `program` is a key like it, or both are programs.
  std::vector<std::string> names;
};
int diff(const DiffOptions& options);

struct DoctorOptions : ProgramOptions {};
int doctor(const DoctorOptions& options);

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

struct SchemaOptions {
  std::vector<std::string> command;  // its words; none lists all
  bool json = false;
};
/// `bgw schema`: the published form of what a command prints with --json.
int print_schema(const SchemaOptions& options);
/// "cache-verify", "check", …
std::vector<std::string> schema_names();

}  // namespace bgw::cli
