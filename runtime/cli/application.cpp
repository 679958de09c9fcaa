#include "runtime/cli/application.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <functional>
#include <system_error>

#include "runtime/cli/commands.h"
#include "runtime/cli/completion.h"
#include "runtime/cli/failure.h"
#include "runtime/cli/json_output.h"
#include "runtime/cli/terminal.h"
#include "runtime/cli/upkeep_commands.h"
#include "runtime/foundation/errors.h"

namespace bgw::cli {
namespace {

constexpr const char* kFooter = R"(
A program describes a crystal and the ways to its free energy; see docs/commands.md.
  bgw check ice.bgw                 all mistakes at once, nothing runs
  bgw plan  ice.bgw                 what would run, and why
  bgw run   ice.bgw -p steps=200    makes what is missing; results stay in .bgw/ beside the program
  bgw show  ice.bgw 'F[64]' --json  one result

Exit codes: 0 done, 1 a bug of ours, 2 wrong use, 3 the program is wrong, 4 a task failed or there is no result yet,
5 an expectation does not hold, 6 the machine or the cache, 7 refused, 10 there is work (plan --detailed-exitcode, fmt --check),
129, 130 and 143 interrupted.)";

// Asked of the bare words: a command line that cannot be read is answered in JSON, too.
bool wants_json(const std::vector<std::string>& arguments) {
  return std::find(arguments.begin(), arguments.end(), "--json") != arguments.end();
}

// Every command is a subcommand with its own options; the one that was chosen is left in `chosen`.
class Application {
 public:
  Application() : app_("Free energies of crystals: programs in, numbers with errors out.", "bgw") {
    app_.require_subcommand(1);
    app_.set_version_flag("--version", "bgw " BGW_VERSION);
    app_.footer(kFooter);
    app_.failure_message(CLI::FailureMessage::simple);
    add_check();
    add_format();
    add_plan();
    add_run();
    add_show();
    add_lock();
    add_verify();
    add_reproduce();
    add_report();
    add_energy();
    add_export();
    add_bench();
    add_list();
    add_log();
    add_status();
    add_logs();
    add_why();
    add_diff();
    add_doctor();
    add_cache();
    add_garbage();
    add_pins();
    add_query();
    add_explain();
    add_doc();
    add_schema();
    add_completion();
  }

  int run(const std::vector<std::string>& arguments) {
    run_options_.command_line = reproduce_options_.command_line = arguments;
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // CLI11 takes them from the back
    try {
      app_.parse(reversed);
    } catch (const CLI::Success& asked_for_help) {
      return app_.exit(asked_for_help);
    } catch (const CLI::ParseError& error) {
      app_.exit(error);  // tells it
      if (wants_json(arguments)) put_failure(kWrongUse, error.what(), {});
      return kWrongUse;
    }
    return chosen_();
  }

 private:
  CLI::App* add(const char* name, const char* description, ProgramOptions& options, bool parameters = true) {
    CLI::App* command = app_.add_subcommand(name, description);
    command->add_option("PROGRAM", options.program, "the program, a .bgw file")->required();
    return with_program_options(command, options, parameters);
  }
  static CLI::App* with_program_options(CLI::App* command, ProgramOptions& options, bool parameters = true) {
    if (parameters) {
      command->add_option("-p,--param", options.parameters, "another value of a param: -p T=250K; may be repeated")
          ->allow_extra_args(false)
          ->take_all();
      command
          ->add_option("-P,--params", options.parameter_files,
                       "a TOML file with values of params; a later file wins over an earlier one, -p over both")
          ->type_name("FILE")
          ->allow_extra_args(false)
          ->take_all();
    }
    command->add_option("--cache", options.cache, "folder of the results (default: .bgw beside the program)");
    command->add_flag("--json", options.json, "for machines: JSON on stdout");
    return command;
  }

  void add_check() {
    CLI::App* command = add(
        "check", "All mistakes of a program at once, each with its place and a way out; runs nothing", check_options_);
    command->add_option("--emit", check_options_.emit, "print what a stage makes of the program instead")
        ->check(CLI::IsMember(emitted_forms()));
    command->callback([this] { chosen_ = [this] { return check(check_options_); }; });
  }
  void add_format() {
    CLI::App* command = app_.add_subcommand("fmt", "Brings programs into the one layout, comments and tokens stay");
    command->add_option("PROGRAM", format_options_.programs, "programs; - reads stdin and writes stdout")->required();
    command->add_flag("--check", format_options_.check, "change nothing, list what would change; exit 10 when there is any");
    command->add_flag("--stdout", format_options_.to_stdout, "print the result, leave the files alone");
    command->callback([this] { chosen_ = [this] { return cli::format(format_options_); }; });
  }
  void takes_plans(CLI::App* command) {
    command->get_option("PROGRAM")->description("the program, a .bgw file, or a plan that `bgw plan -o FILE` saved");
  }
  // What of a program is meant, the same for planning and running.
  void add_selection(CLI::App* command, SelectionOptions& options) {
    command->add_option("TARGET", options.targets,
                        "targets, families, members or slices: F, 'F[64]', 'lbar[*,64,*]' (default: the target default)");
    CLI::Option* until = add_names(command, "--until", options.until, "of that only NAME and what leads to it; may be repeated");
    add_names(command, "--only", options.only, "exactly NAME, whose inputs have to be there; may be repeated")
        ->excludes("TARGET")
        ->excludes(until);
    add_names(command, "--force", options.force, "make NAME again though it is there, and what reads it; may be repeated");
    add_locked(command, options);
  }
  CLI::Option* add_names(CLI::App* command, const char* option, std::vector<std::string>& names, const char* description) {
    return command->add_option(option, names, description)->type_name("NAME")->allow_extra_args(false)->take_all();
  }
  void add_locked(CLI::App* command, SelectionOptions& options) {
    CLI::Option* locked = command->add_flag("--locked", options.locked, "refuse what is not as bgw.lock says, exit 7");
    command->add_option("--lock-file", options.lock_file, "another lock file (default: bgw.lock beside the program)")
        ->type_name("FILE")
        ->needs(locked);
  }
  void add_plan() {
    CLI::App* command = add("plan", "What a run would do, and why; runs nothing", plan_options_);
    takes_plans(command);
    add_selection(command, plan_options_);
    command->add_flag("--detailed-exitcode", plan_options_.detailed_exit_code, "exit 10 when there is work to do");
    command->add_flag("--seeds", plan_options_.seeds, "the seed of each task too");
    command->add_option("-o,--output", plan_options_.output, "save the plan, for `bgw run FILE` to go by")->type_name("FILE");
    command->callback([this] { chosen_ = [this] { return plan(plan_options_); }; });
  }
  void add_run() {
    CLI::App* command = add("run", "Makes what is missing and prints the results; a saved plan runs as it stands", run_options_);
    takes_plans(command);
    add_selection(command, run_options_);
    add_running(command, run_options_);
    command->add_option("--wait", run_options_.wait,
                        "0: give up tasks that another run is doing, exit 7 (default: 1, wait for them)");
    CLI::Option* fast = command->add_flag("--fail-fast", run_options_.fail_fast, "end with the first task that fails");
    command->add_flag_callback("--keep-going", [] {}, "go on with what does not need a task that failed (the default)")->excludes(fast);
    command->callback([this] { chosen_ = [this] { return cli::run(run_options_); }; });
  }
  void add_running(CLI::App* command, RunCommandOptions& options) {
    command->add_option("--cpus", options.cpus, "threads of all tasks together (default: those of the machine)")
        ->check(CLI::Range(1, 4096));
    command->add_flag("--quiet,-q", options.quiet, "no progress, only the results");
  }
  void add_show() {
    CLI::App* command = add("show", "A result, a table, a check or a value of a program; or a saved plan", show_options_);
    takes_plans(command);
    command->add_option("NAME", show_options_.name, "for instance 'F[64]', 'F[64].ess', free_energy, 'water[64]'");
    command->callback([this] { chosen_ = [this] { return show(show_options_); }; });
  }
  void add_lock() {
    CLI::App* command = add("lock", "Writes what a program comes to, for `--locked` to hold it to that", lock_options_);
    command->add_option("-o,--output", lock_options_.output, "the lock file (default: bgw.lock beside the program)")->type_name("FILE");
    command->add_flag("--check", lock_options_.check, "write nothing, name what differs from the lock file; exit 7 when there is any");
    command->callback([this] { chosen_ = [this] { return cli::lock(lock_options_); }; });
  }
  void add_verify() {
    CLI::App* command = add("verify", "Judges require and expect from the results that are there; runs nothing", verify_options_);
    command->add_option("TARGET", verify_options_.names, "targets, checks, or tasks that checks read (default: the target default)");
    command->callback([this] { chosen_ = [this] { return verify(verify_options_); }; });
  }
  void add_reproduce() {
    CLI::App* command = add("reproduce", "Computes results again in an empty cache and compares them", reproduce_options_);
    command->add_option("TARGET", reproduce_options_.targets, "targets, families, members or slices (default: the target default)");
    command->add_flag("--fresh{}", reproduce_options_.fresh,
                      "in an empty cache, as ever; --fresh=FOLDER names it (default: one beside the cache, removed in the end)");
    command->add_flag_callback("--compare", [] {}, "compare with the results that are there, as ever");
    command->add_option("--sigmas", reproduce_options_.sigmas, "a difference may be so many of its standard errors (default: 4)")
        ->check(CLI::PositiveNumber);
    command->add_flag("--keep", reproduce_options_.keep, "leave the folder of the new results");
    command->add_flag("--full", reproduce_options_.full, "hosts and folders too");
    add_locked(command, reproduce_options_);
    add_running(command, reproduce_options_);
    command->callback([this] { chosen_ = [this] { return reproduce(reproduce_options_); }; });
  }
  void add_report() {
    CLI::App* command =
        add("report", "One HTML page with results, figures, checks and where every number comes from", report_options_);
    command->add_option("TARGET", report_options_.targets,
                        "targets, families, members or slices (default: the target default)");
    command->add_option("-o,--output", report_options_.output, "the page (default: the program's name with .html)");
    command->callback([this] { chosen_ = [this] { return cli::report(report_options_); }; });
  }
  void add_energy() {
    CLI::App* command =
        add("energy", "Energy, forces and stress of structures with the potential of a system", energy_options_);
    command->add_option("SYSTEM", energy_options_.system, "a system of the program: water, 'water[64]'")->required();
    command
        ->add_option("--structure", energy_options_.structures,
                     "an extended xyz file with Lattice=\"...\", or POSCAR, lengths in angstrom; may be repeated")
        ->allow_extra_args(false)
        ->required();
    command->add_flag("--forces", energy_options_.forces, "the forces too");
    command->add_flag("--stress", energy_options_.stress, "dU/d strain by the volume, too: the static stress");
    command->callback([this] { chosen_ = [this] { return energy(energy_options_); }; });
  }
  void add_export() {
    CLI::App* command = add("export", "Configurations of a result as a trajectory, for other programs", export_options_);
    command->add_option("NAME", export_options_.name, "a result with samples: 'draws[64]', ref, traj.samples")->required();
    command->add_option("--format", export_options_.format, "h5md (the default) or extxyz")->check(CLI::IsMember({"h5md", "extxyz"}));
    command->add_option("-o,--output", export_options_.output, "the file (default: the name of the result, here)")->type_name("FILE");
    command->add_option("--every", export_options_.every, "only every so many-th configuration, from the first on")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000'000}));
    command->add_flag("--weighted", export_options_.weighted, "refuse samples without weights");
    command->add_flag("--force", export_options_.force, "replace a file that is there");
    command->callback([this] { chosen_ = [this] { return export_samples(export_options_); }; });
  }

  void add_bench() {
    CLI::App* bench = app_.add_subcommand("bench", "Times this machine on free energies whose values are known");
    bench->require_subcommand(1);
    CLI::App* command = bench->add_subcommand("fe1", "Error, calls and seconds of several routes to the free energies of four crystals");
    command->add_option("--states", bench_fe1_options_.states, "state points: A, B, C, D (default: all)")->delimiter(',');
    command->add_option("--methods", bench_fe1_options_.methods, "routes (default: all)")->delimiter(',');
    command->add_option("--seeds", bench_fe1_options_.seeds, "runs of each route (default: 32)")->check(CLI::Range(1, 100000));
    command->add_option("--lammps-seeds", bench_fe1_options_.lammps_seeds, "runs of what LAMMPS does, minutes each (default: 2)")
        ->check(CLI::Range(0, 100000));
    command->add_option("--cpus", bench_fe1_options_.cpus, "threads (default: 2)")->check(CLI::Range(1, 4096));
    command->add_flag("--quick", bench_fe1_options_.quick, "short runs, to see that all works");
    command->add_option("--program", bench_fe1_options_.program, "a program with blocks of the same names instead of benchmarks/fe1.bgw");
    command->add_option("-o,--output", bench_fe1_options_.output, "a folder for fe1.txt and fe1.json")->type_name("FOLDER");
    command->add_flag("--json", bench_fe1_options_.json, "for machines: JSON on stdout");
    command->callback([this] { chosen_ = [this] { return bench_fe1(bench_fe1_options_); }; });
  }
  void add_list() {
    CLI::App* command = add("list", "Names of all blocks, or of those a pattern picks", list_options_);
    command->add_option("PATTERN", list_options_.pattern, "a family or slice: 'lbar[*,64,*]'");
    command->add_flag("--count", list_options_.count, "only how many of each kind");
    command->callback([this] { chosen_ = [this] { return list(list_options_); }; });
  }
  void add_log() {
    CLI::App* command = add("log", "Earlier runs of a program, newest first", log_options_, false);
    command->add_option("-n", log_options_.runs, "at most so many (default: 20)")->check(CLI::Range(1, 1000000));
    command->alias("runs");
    command->callback([this] { chosen_ = [this] { return cli::log(log_options_); }; });
  }
  void add_status() {
    CLI::App* command = add("status", "What is being run now, how far it is, and what is left of earlier runs", status_options_);
    command->add_option("TARGET", status_options_.targets, "targets, families, members or slices (default: all of the run)");
    command->add_flag("--watch,-w", status_options_.watch, "again every second, until no run is on");
    command->callback([this] { chosen_ = [this] { return cli::status(status_options_); }; });
  }
  void add_logs() {
    CLI::App* command = add("logs", "What tasks wrote, while they run and afterwards", logs_options_);
    command->add_option("NAME", logs_options_.name, "a task, or a family of them")->required();
    command->add_flag("--follow,-f", logs_options_.follow, "go on with what is written, until the tasks end");
    command->add_option("--lines,-n", logs_options_.lines, "the last so many lines")->check(CLI::Range(1, 100000000));
    command->add_flag("--all", logs_options_.all, "earlier attempts, too");
    command->callback([this] { chosen_ = [this] { return logs(logs_options_); }; });
  }
  void add_why() {
    CLI::App* command = add("why", "Why a task is cached or has to run: what differs from the nearest earlier one", why_options_);
    command->add_option("NAME", why_options_.name, "a task, a family of them, or a key (its first four digits or more)")->required();
    command->callback([this] { chosen_ = [this] { return why(why_options_); }; });
  }
  void add_diff() {
    CLI::App* command = app_.add_subcommand("diff", "What differs between two tasks, or between two programs");
    command->add_option("PROGRAM", diff_options_.program, "the program; without one, the first of two keys")->required();
    command->add_option("NAME", diff_options_.names, "tasks: names of the program, keys, or their first four digits or more; or another program")
        ->required()
        ->expected(1, 2);
    with_program_options(command, diff_options_);
    command->callback([this] { chosen_ = [this] { return diff(diff_options_); }; });
  }
  void add_doctor() {
    CLI::App* command = app_.add_subcommand("doctor", "Whether this machine is fit for the work; exit 6 when something is bad");
    command->add_option("PROGRAM", doctor_options_.program, "whether it is fit for this program");
    with_program_options(command, doctor_options_);
    command->callback([this] { chosen_ = [this] { return doctor(doctor_options_); }; });
  }
  void add_cache() {
    CLI::App* cache = app_.add_subcommand("cache", "Looks after the folder of results");
    cache->require_subcommand(1);
    CLI::App* verify = cache->add_subcommand("verify", "Reads every result, compares checksums and the database; exit 6 when something is wrong");
    verify->add_flag("--repair", cache_verify_options_.repair, "make database and objects agree, move damaged objects aside");
    verify->add_flag("--evict", cache_verify_options_.evict, "the same, and remove what was made from damaged objects");
    verify->callback([this] { chosen_ = [this] { return cache_verify(cache_verify_options_); }; });
    CLI::App* rebuild = cache->add_subcommand(
        "rebuild", "Enters all results into the database again, from what lies beside them; for a lost or damaged one");
    rebuild->callback([this] { chosen_ = [this] { return cache_rebuild(cache_options_); }; });
    add_place(verify, cache_verify_options_);
    add_place(rebuild, cache_options_);
  }
  // For commands that need the cache and not the program.
  static void add_place(CLI::App* command, ProgramOptions& options) {
    command->add_option("PROGRAM", options.program, "the program beside which the cache lies");
    command->add_option("--cache", options.cache, "the cache itself");
    command->add_flag("--json", options.json, "for machines: JSON on stdout");
  }
  void add_garbage() {
    CLI::App* command = app_.add_subcommand("gc", "What of the cache nobody needs any more; --apply removes it");
    command->add_option("PROGRAM", garbage_options_.programs, "programs beside which the cache lies");
    command->add_option("--keep-last", garbage_options_.keep_last, "keep what the last N runs of every program need (default: 2)")
        ->check(CLI::Range(0, 1000000));
    command->add_option("--older", garbage_options_.older, "remove only what is older: 12h, 30d, 2w, 0 (default: 30d)");
    command->add_option("--root", garbage_options_.roots, "keep what this program leads to; may be repeated")->allow_extra_args(false);
    command->add_flag("--apply", garbage_options_.apply, "remove it");
    command->add_option("--cache", garbage_options_.cache, "the cache itself");
    command->add_flag("--json", garbage_options_.json, "for machines: JSON on stdout");
    command->callback([this] { chosen_ = [this] { return collect_garbage(garbage_options_); }; });
  }
  void add_pins() {
    CLI::App* command = add("pin", "Protects results, and what they were made from, from gc", pin_options_);
    command->add_option("TARGET", pin_options_.names, "targets, families, members or slices (default: the target default)");
    command->add_option("--as", pin_options_.label, "the label; one that exists moves (default: program and names)");
    command->callback([this] { chosen_ = [this] { return pin(pin_options_); }; });
    CLI::App* remove = app_.add_subcommand("unpin", "Takes a label off again");
    remove->add_option("PROGRAM", pin_options_.program, "the program beside which the cache lies")->required();
    remove->add_option("LABEL", pin_options_.label, "as `bgw pins` lists it")->required();
    remove->add_option("--cache", pin_options_.cache, "the cache itself");
    remove->add_flag("--json", pin_options_.json, "for machines: JSON on stdout");
    remove->callback([this] { chosen_ = [this] { return unpin(pin_options_); }; });
    CLI::App* list = app_.add_subcommand("pins", "The labels, and what they protect");
    list->callback([this] { chosen_ = [this] { return pins(cache_options_); }; });
    add_place(list, cache_options_);
  }
  void add_query() {
    CLI::App* command = app_.add_subcommand("query", "Asks the database of results and runs in SQL; read-only");
    command->add_option("WORDS", query_options_.words, "[PROGRAM] 'SELECT ...' over the views of docs/database.md")->required()->expected(1, 2);
    command->add_option("--cache", query_options_.cache, "folder of the results (default: .bgw beside the program, or here)");
    CLI::Option* csv = command->add_flag("--csv", query_options_.csv, "for spreadsheets: commas, one line a row");
    command->add_flag("--json", query_options_.json, "for machines: JSON on stdout")->excludes(csv);
    command->callback([this] { chosen_ = [this] { return cli::query(query_options_); }; });
  }
  void add_explain() {
    CLI::App* command = app_.add_subcommand("explain", "What a diagnostic means, a wrong program and the right one");
    command->add_option("ID", explain_options_.id, "for instance E0301; without it all are listed");
    command->add_flag("--json", explain_options_.json, "for machines: JSON on stdout");
    command->callback([this] { chosen_ = [this] { return explain(explain_options_); }; });
  }
  void add_doc() {
    CLI::App* command = app_.add_subcommand("doc", "What a block takes and makes; units and functions");
    command->add_option("TOPIC", doc_options_.topic,
                        "a block kind, constructor or function, `units`, `functions`, `all` (default: an overview)");
    command->add_option("--editor", doc_options_.editor, "the syntax file of an editor")
        ->check(CLI::IsMember({"vim", "textmate"}))
        ->group("");
    command->add_flag("--json", doc_options_.json, "for machines: JSON on stdout");
    command->callback([this] { chosen_ = [this] { return doc(doc_options_); }; });
  }
  void add_schema() {
    CLI::App* command = app_.add_subcommand("schema", "The form of what a command prints with --json, as JSON Schema");
    command->add_option("COMMAND", schema_options_.command, "for instance run, or cache verify; without it all are listed");
    command->add_flag("--json", schema_options_.json, "for machines: JSON on stdout");
    command->callback([this] { chosen_ = [this] { return print_schema(schema_options_); }; });
  }
  void add_completion() {
    CLI::App* command = app_.add_subcommand("completion", "A script that completes commands and names in a shell");
    command->add_option("SHELL", shell_, "bash, zsh or fish")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}));
    command->callback([this] { chosen_ = [this] { return completion(shell_); }; });
    CLI::App* candidates = app_.add_subcommand("complete", "What may come next; the scripts call it")->group("");
    candidates->add_option("WORDS", typed_words_, "the words behind `bgw`, the last one unfinished");
    candidates->add_option("--line", typed_line_, "or the whole line as it was typed, with `bgw` and its quotes");
    candidates->callback([this] { chosen_ = [this] { return complete_typed(); }; });
  }

  int complete_typed() {
    std::vector<std::string> words = typed_words_;
    if (!typed_line_.empty()) {
      words = shell_words(typed_line_);
      words.erase(words.begin());  // bgw itself
    }
    return print_candidates(app_, words);
  }

  CLI::App app_;
  std::function<int()> chosen_;
  ProgramOptions cache_options_;
  VerifyOptions verify_options_;
  GarbageOptions garbage_options_;
  PinOptions pin_options_;
  QueryOptions query_options_;
  CheckOptions check_options_;
  FormatOptions format_options_;
  PlanOptions plan_options_;
  RunCommandOptions run_options_;
  ShowOptions show_options_;
  LockOptions lock_options_;
  CacheVerifyOptions cache_verify_options_;
  ReproduceOptions reproduce_options_;
  ReportOptions report_options_;
  EnergyOptions energy_options_;
  ExportOptions export_options_;
  BenchFe1Options bench_fe1_options_;
  ListOptions list_options_;
  LogOptions log_options_;
  StatusOptions status_options_;
  LogsOptions logs_options_;
  WhyOptions why_options_;
  DiffOptions diff_options_;
  DoctorOptions doctor_options_;
  ExplainOptions explain_options_;
  DocOptions doc_options_;
  SchemaOptions schema_options_;
  std::string shell_;
  std::string typed_line_;
  std::vector<std::string> typed_words_;
};

int tell(int exit_code, const std::string& message) {
  if (!message.empty()) put(stderr, fmt::format("{} {}\n", painted("bgw:", Colour::red, stderr), message));
  return exit_code;
}

// On stderr for people, and for who asked for JSON on stdout too.
int end_with(const std::vector<std::string>& arguments, int exit_code, const std::string& message,
             const schema::Value& diagnostics = {}) {
  if (wants_json(arguments)) put_failure(exit_code, message, diagnostics);
  return tell(exit_code, message);
}

// Results that did not reach their file or pipe are no results, whatever the command made of them. One that was ended by
// a signal has none to show; its terminal may be gone.
int with_output_written(int exit_code) {
  if (exit_code > 128) return exit_code;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return exit_code;
  return tell(kEnvironment, "the output could not be written: is the disk full, or its reader gone?");
}

int run_command(const std::vector<std::string>& arguments) {
  try {
    return Application().run(arguments);
  } catch (const CommandFailure& failure) {
    return end_with(arguments, failure.exit_code, failure.what(), failure.diagnostics);
  } catch (const InputError& error) {
    return end_with(arguments, kWrongProgram, error.what());
  } catch (const StoreError& error) {
    return end_with(arguments, kEnvironment, error.what());
  } catch (const NumericalError& error) {
    return end_with(arguments, kTaskFailed, error.what());
  } catch (const std::system_error& error) {  // of files, or of a stream that cannot be written
    return end_with(arguments, kEnvironment, error.what());
  } catch (const std::exception& error) {
    return end_with(arguments, kBug, fmt::format("internal error, please report it: {}", error.what()));
  }
}

}  // namespace

int run_application(const std::vector<std::string>& arguments) {
  open_standard_streams();
  return with_output_written(run_command(arguments));
}

}  // namespace bgw::cli
