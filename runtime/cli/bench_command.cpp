#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "runtime/artifacts/artifact.h"
#include "runtime/cli/bench_summary.h"
#include "runtime/cli/benchmark_programs.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/failure.h"
#include "runtime/cli/fe1.h"
#include "runtime/cli/json_output.h"
#include "runtime/cli/task_program.h"
#include "runtime/cli/terminal.h"
#include "runtime/foundation/errors.h"
#include "runtime/report/number_format.h"
#include "runtime/report/text_table.h"
#include "runtime/store/durable_file.h"
#include "runtime/store/task_json.h"
#include "runtime/store/temporary_file.h"

namespace bgw::cli {
namespace {

using schema::List;
using schema::Map;
using schema::Value;

/// One method at one state point, and what came of it.
struct Cell {
  Fe1State state;
  Fe1Method method;
  std::string skipped;  // why it was not run; "" when it was
  Map settings;         // what was run: of tasks their arguments, of LAMMPS its deck
  List runs;
  BenchSummary summary;
  double peak_memory = 0;  // bytes
};

std::string find_lammps() {
  std::istringstream folders(std::getenv("PATH") ? std::getenv("PATH") : "");
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::filesystem::path program = std::filesystem::path(folder) / "lmp";
    if (::access(program.c_str(), X_OK) == 0) return std::filesystem::absolute(program).string();
  }
  return "";
}

/// The processor's name, as the system tells it.
std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

LoadedProgram load(const BenchFe1Options& options) {
  semantics::Overrides overrides;
  if (options.quick) overrides.emplace("quick", "true");
  if (!options.program.empty()) return compile_program(read_program(options.program), overrides, true);
  for (const BenchmarkProgram& program : benchmark_programs()) {
    if (program.name == "fe1") return compile_program({"fe1.bgw", std::string(program.text)}, overrides, true);
  }
  throw std::logic_error("the program fe1 is missing");
}

std::size_t find_task(const lowering::Program& program, const std::string& block) {
  const lowering::Found found = lowering::find_instances(program, block);
  if (!found.problem.empty()) throw CommandFailure(kWrongProgram, found.problem);
  if (found.tasks.size() != 1) throw CommandFailure(kWrongProgram, fmt::format("`{}` is not one task", block));
  return found.tasks.front();
}

/// A chain of tasks for bgw-task, and their arguments for whoever reads the results.
Value term_of(const plan::Plan& plan, double weight, std::size_t last, Map& settings) {
  List tasks;
  for (const std::size_t task : with_inputs(plan, {last})) {
    tasks.push_back(store::to_json(plan.tasks[task]));
    settings[plan.tasks[task].name] = plan.tasks[task].arguments;
  }
  return Map{{"weight", weight}, {"tasks", std::move(tasks)}};
}

const Value& value_of(const lowering::Program& program, const std::string& name) {
  const auto found = program.values.find(name);
  if (found == program.values.end()) throw CommandFailure(kWrongProgram, fmt::format("the program has no `{}`", name));
  return found->second;
}

/// What bgw-task is asked for; nullopt with a reason in `cell.skipped` for what cannot be run here.
std::optional<Map> request_for(const lowering::Program& program, const BenchFe1Options& options, Cell& cell) {
  Map request{{"seeds", options.seeds}, {"cpus", options.cpus}};
  if (cell.method.name == kFrenkelLadd) {
    const std::string lammps = find_lammps();
    if (cell.state.frenkel_ladd.empty()) cell.skipped = "no deck for this state point";
    else if (lammps.empty()) cell.skipped = "there is no lmp here (Debian: apt-get install lammps)";
    else if (options.lammps_seeds == 0) cell.skipped = "not asked for";
    if (!cell.skipped.empty()) return std::nullopt;
    const std::string& block = cell.state.terms.front().block;
    const Map deck = frenkel_ladd_deck(cell.state, value_of(program, "crystal_" + block), value_of(program, "state_" + block),
                                       lammps, options.quick);
    cell.settings = deck;
    cell.settings.erase("program");
    request["seeds"] = options.lammps_seeds;
    request["frenkel_ladd"] = deck;
    return request;
  }
  List terms;
  for (const Fe1State::Term& term : cell.state.terms) {
    const std::size_t task = find_task(program, cell.method.name + "_" + term.block);
    terms.push_back(term_of(program.plan, term.weight, task, cell.settings));
  }
  request["terms"] = std::move(terms);
  return request;
}

/// A process for each cell: nobody's memory and warm-up are in another's numbers.
Value ask_task_program(const Value& question, int cpus) {
  const store::TemporaryFile request;
  const store::TemporaryFile answer;
  request.write(schema::to_json(question));
  const std::filesystem::path program = find_task_program();
  const int status = run_task_program(program, {"bench", request.path().string()}, answer.descriptor(),
                                      {{"OMP_NUM_THREADS", std::to_string(cpus)}, {"OMP_WAIT_POLICY", "passive"}});  // as tasks have it
  if (status == 127) throw StoreError(fmt::format("cannot start {}", program.string()));
  if (status == kWrongProgram) throw CommandFailure(kWrongProgram, "");  // it has told why
  if (status != 0)
    throw CommandFailure(kTaskFailed, fmt::format("the benchmark could not be run: bgw-task ended with {}", status));
  return schema::parse_json(store::read_bytes(answer.path()));
}

std::string seconds_text(double seconds) { return fmt::format("{:.{}f}", seconds, seconds < 10 ? 2 : 0); }

std::string told(const Cell& cell) {
  const std::string where = fmt::format("{} {}", cell.state.name, cell.method.name);
  if (!cell.skipped.empty()) return fmt::format("{}: not run: {}\n", where, cell.skipped);
  const BenchSummary& s = cell.summary;
  if (s.runs == 0) return fmt::format("{}: no value: {}\n", where, s.failure);
  return fmt::format("{}: {} runs, RMSE {:.1e}, {} s each\n", where, s.runs, s.rmse, seconds_text(s.seconds));
}

Cell run_cell(const lowering::Program& program, const BenchFe1Options& options, const Fe1State& state, const Fe1Method& method) {
  Cell cell{state, method, "", {}, {}, {}, 0};
  if (const std::optional<Map> request = request_for(program, options, cell)) {
    const Value answer = ask_task_program(*request, options.cpus);
    cell.runs = answer.at("runs").as_list();
    cell.peak_memory = answer.at("peak_memory").as_double();
    cell.summary = summarise(cell.runs, state.reference.value);
  }
  put(stderr, told(cell));
  return cell;
}

// ---- what is printed -------------------------------------------------------------------------------------------------

std::string count_text(double count) { return count == 0 ? "-" : report::format_count(std::llround(count)); }

std::vector<std::string> row_of(const Cell& cell) {
  if (!cell.skipped.empty()) return {cell.state.name, cell.method.name, "not run: " + cell.skipped};
  const BenchSummary& s = cell.summary;
  if (s.runs == 0) return {cell.state.name, cell.method.name, "no value: " + s.failure};
  return {cell.state.name,
          cell.method.name,
          report::format_with_error(s.value, std::isnan(s.value_sigma) ? std::optional<double>() : s.value_sigma),
          fmt::format("{:.1e}", s.rmse),
          fmt::format("{:.1e}", s.claimed),
          fmt::format("{:.2f}", s.claimed_over_actual),
          count_text(s.energy_calls),
          count_text(s.force_calls),
          count_text(s.hessian_calls),
          seconds_text(s.seconds),
          seconds_text(s.cpu_seconds),
          report::format_bytes(static_cast<std::uint64_t>(cell.peak_memory)),
          s.failed == 0 ? std::to_string(s.runs) : fmt::format("{} of {}", s.runs, s.runs + s.failed)};
}

std::string text_of(const std::vector<Cell>& cells, const BenchFe1Options& options) {
  report::TextTable table;
  table.columns = {{"state"},          {"method"},      {"mean", true},    {"RMSE", true},  {"claimed", true},
                   {"claimed/actual", true}, {"E", true}, {"F", true},     {"H", true},     {"s", true},
                   {"CPU s", true},    {"memory", true}, {"runs", true}};
  std::string skipped;
  for (const Cell& cell : cells) {
    if (cell.skipped.empty() && cell.summary.runs > 0) table.rows.push_back(row_of(cell));
    else skipped += fmt::format("{} {}: {}\n", cell.state.name, cell.method.name,
                                cell.skipped.empty() ? "no value: " + cell.summary.failure : "not run: " + cell.skipped);
  }
  std::string text = fmt::format("BGW-FE-1{} on {} of {}\n\n", options.quick ? ", a quick look," : "",
                                 options.cpus == 1 ? "one thread" : fmt::format("{} threads", options.cpus), processor_name());
  text += report::render(table) + (skipped.empty() ? "" : "\n" + skipped) + "\n";
  text += "beta F/N in kT; RMSE against the references; E, F, H: calls for energies, energies with forces, Hessians\n";
  std::vector<std::string> seen;
  for (const Cell& cell : cells) {
    if (!seen.empty() && seen.back() == cell.state.name) continue;
    seen.push_back(cell.state.name);
    const Fe1Reference& reference = cell.state.reference;
    text += fmt::format("{}: {}; reference {}, {}\n", cell.state.name, cell.state.title,
                        report::format_with_error(reference.value, reference.sigma), reference.source);
  }
  return text;
}

Map to_value(const Cell& cell) {
  const Fe1Reference& reference = cell.state.reference;
  Map map{{"state", cell.state.name},
          {"method", cell.method.name},
          {"reference", Map{{"value", reference.value}, {"sigma", reference.sigma}, {"source", reference.source}}}};
  if (!cell.skipped.empty()) {
    map["skipped"] = cell.skipped;
    return map;
  }
  const BenchSummary& s = cell.summary;
  map["settings"] = cell.settings;
  map["runs"] = cell.runs;
  map["failed"] = s.failed;
  map["peak_memory"] = cell.peak_memory;
  if (s.runs == 0) return map;
  map["value"] = s.value;
  map["value_sigma"] = artifacts::number_or_none(s.value_sigma);
  map["rmse"] = s.rmse;
  map["claimed"] = artifacts::number_or_none(s.claimed);
  map["claimed_over_actual"] = artifacts::number_or_none(s.claimed_over_actual);
  map["energy_calls"] = s.energy_calls;
  map["force_calls"] = s.force_calls;
  map["hessian_calls"] = s.hessian_calls;
  map["seconds"] = s.seconds;
  map["cpu_seconds"] = s.cpu_seconds;
  return map;
}

Map document_of(const std::vector<Cell>& cells, const BenchFe1Options& options) {
  List list;
  for (const Cell& cell : cells) list.push_back(to_value(cell));
  return {{"benchmark", "BGW-FE-1"}, {"processor", processor_name()}, {"cpus", options.cpus},
          {"quick", options.quick},  {"cells", std::move(list)}};
}

void write_folder(const std::filesystem::path& folder, const std::string& text, const Map& document) {
  std::filesystem::create_directories(folder);
  for (const auto& [name, content] : {std::pair{"fe1.txt", text}, std::pair{"fe1.json", document_line(document)}}) {
    std::ofstream file(folder / name);
    file << content;
    if (!file.flush()) throw StoreError(fmt::format("cannot write {}", (folder / name).string()));
  }
}

}  // namespace

int bench_fe1(const BenchFe1Options& options) {
  const std::vector<Fe1State> states = find_fe1_states(options.states);
  const std::vector<Fe1Method> methods = find_fe1_methods(options.methods);
  const LoadedProgram loaded = load(options);
  std::vector<Cell> cells;
  for (const Fe1State& state : states) {
    for (const Fe1Method& method : methods) cells.push_back(run_cell(loaded.program, options, state, method));
  }
  const std::string text = text_of(cells, options);
  const Map document = document_of(cells, options);
  if (!options.output.empty()) write_folder(options.output, text, document);
  if (options.json) put_document(document);
  else put(stdout, text);
  return kDone;
}

}  // namespace bgw::cli
