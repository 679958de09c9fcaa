#include "runtime/cli/program_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <deque>
#include <set>

#include "compiler/lowering/compile.h"
#include "compiler/source/read_source.h"
#include "compiler/syntax/parse.h"
#include "runtime/catalog/builtin_catalog.h"
#include "runtime/cli/failure.h"
#include "runtime/cli/param_sources.h"
#include "runtime/cli/terminal.h"

namespace bgw::cli {
namespace {

// The params of the program as far as it can be read; its mistakes are told by the compiler.
std::vector<std::string> param_names(const source::SourceMap& text) {
  source::DiagnosticSink unheard;
  std::vector<std::string> names;
  const std::optional<syntax::File> file = syntax::parse(text.main(), unheard);
  if (!file) return names;
  for (const syntax::Item& item : file->items) {
    if (const auto* param = std::get_if<syntax::Param>(&item.what)) names.push_back(param->name.text);
  }
  return names;
}

// The nearest place wins: the command line, then the files from the last to the first, then the environment.
GivenParams given_params(const ProgramOptions& options, const source::SourceMap& text) {
  GivenParams given = params_of_command_line(options.parameters);
  for (auto file = options.parameter_files.rbegin(); file != options.parameter_files.rend(); ++file) {
    given.merge(params_of_file(*file));
  }
  // To read the program for its names takes as long as half of checking it: only where something asks for it.
  if (options.environment && environment_has_params()) given.merge(params_of_environment(param_names(text)));
  return given;
}

// A value from elsewhere than the command line is told with its place: "cold.toml:2:1: T = 250 K".
semantics::Overrides overrides_of(const GivenParams& given) {
  semantics::Overrides overrides;
  for (const auto& [name, param] : given) {
    const bool option = param.origin == kCommandLine;
    const std::string origin = option ? "" : fmt::format("{}: {} = {}", param.origin, name, param.text);
    overrides.emplace(name, semantics::Override(param.text, origin));
  }
  return overrides;
}

void tell(const source::DiagnosticSink& sink, const source::SourceMap& text) {
  const std::vector<source::Diagnostic> diagnostics = sink.sorted();
  if (!diagnostics.empty())
    put(stderr, source::render(diagnostics, text, {.colour = colour_on(stderr), .errors = sink.error_count()}));
}

// A `require` is a condition on the results it reads: it is judged whenever all of them are there anyway.
void add_requirements(const plan::Plan& plan, const std::set<std::size_t>& tasks, std::set<std::size_t>& checks) {
  const std::vector<std::size_t> all = with_inputs(plan, {tasks.begin(), tasks.end()});
  const auto made = [&](const plan::TaskInput& input) {
    return std::binary_search(all.begin(), all.end(), input.task);
  };
  for (std::size_t check = 0; check < plan.checks.size(); ++check) {
    const plan::CheckSpec& spec = plan.checks[check];
    if (spec.kind == "require" && !spec.inputs.empty() && std::all_of(spec.inputs.begin(), spec.inputs.end(), made))
      checks.insert(check);
  }
}

/// @param begin  when reading the text began
LoadedProgram compiled(source::SourceMap text, const semantics::Overrides& overrides, bool speaks,
                       std::chrono::steady_clock::time_point begin) {
  source::DiagnosticSink sink;
  std::optional<lowering::Program> program = lowering::compile(text, catalog::builtin_catalog(), overrides, sink);
  const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - begin;
  if (!program || sink.has_errors()) {
    if (speaks) tell(sink, text);
    CommandFailure failure(kWrongProgram, "");
    failure.diagnostics = schema::parse_json(source::render_json(sink.sorted(), text));
    throw failure;
  }
  if (speaks) tell(sink, text);
  static auto* kept = new std::deque<lowering::Program>;
  kept->push_back(*std::move(program));
  return {kept->back(), sink.warning_count(), elapsed.count(), schema::parse_json(source::render_json(sink.sorted(), text))};
}

}  // namespace

source::SourceMap read_program(const std::string& path) {
  source::ReadFailure failure;
  if (std::optional<std::string> text = source::read_source(path, failure)) return {path, *std::move(text)};
  throw CommandFailure(failure.unreadable ? kWrongUse : kWrongProgram, failure.message);
}

LoadedProgram load_program(const ProgramOptions& options, bool speaks) {
  const auto begin = std::chrono::steady_clock::now();
  source::SourceMap text = read_program(options.program);
  const semantics::Overrides overrides = overrides_of(given_params(options, text));
  return compiled(std::move(text), overrides, speaks, begin);
}

LoadedProgram compile_program(source::SourceMap text, const semantics::Overrides& overrides, bool speaks) {
  return compiled(std::move(text), overrides, speaks, std::chrono::steady_clock::now());
}

std::string shell_word(const std::string& word) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./=:,+@%-";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::filesystem::path cache_directory(const ProgramOptions& options) {
  if (!options.cache.empty()) return options.cache;
  return std::filesystem::path(options.program).parent_path() / ".bgw";
}

std::string run_command(const ProgramOptions& options, const std::vector<std::string>& names) {
  return command_line("run", options, names);
}

std::string command_line(const char* command, const ProgramOptions& options, const std::vector<std::string>& names) {
  std::string text = fmt::format("bgw {} {}", command, shell_word(options.program));
  for (const std::string& name : names) text += " " + shell_word(name);
  for (const std::string& file : options.parameter_files) text += " -P " + shell_word(file);
  for (const std::string& parameter : options.parameters) text += " -p " + shell_word(parameter);
  if (!options.cache.empty()) text += " --cache " + shell_word(options.cache);
  return text;
}

Wanted find_wanted(const lowering::Program& program, const std::vector<std::string>& names) {
  const std::vector<std::string> spellings = names.empty() ? std::vector<std::string>{"default"} : names;
  std::set<std::size_t> tasks;
  std::set<std::size_t> checks;
  for (const std::string& spelling : spellings) {
    const lowering::Found found = lowering::find_instances(program, spelling);
    if (!found.problem.empty()) throw CommandFailure(kWrongProgram, found.problem);
    if (found.tasks.empty() && found.checks.empty() && !found.values.empty()) {
      throw CommandFailure(
          kWrongProgram, fmt::format("`{}` is a value: there is nothing to run, `bgw show {} '{}'` prints it", spelling,
                                     program.plan.program, spelling));
    }
    tasks.insert(found.tasks.begin(), found.tasks.end());
    checks.insert(found.checks.begin(), found.checks.end());
  }
  for (const std::size_t check : checks) {
    for (const plan::TaskInput& input : program.plan.checks[check].inputs) tasks.insert(input.task);
  }
  add_requirements(program.plan, tasks, checks);
  return {fmt::format("{}", fmt::join(spellings, ", ")), {tasks.begin(), tasks.end()}, {checks.begin(), checks.end()}};
}

std::vector<std::size_t> with_inputs(const plan::Plan& plan, const std::vector<std::size_t>& tasks) {
  std::vector<bool> reached(plan.tasks.size(), false);
  for (const std::size_t task : tasks) reached[task] = true;
  for (std::size_t task = plan.tasks.size(); task-- > 0;) {  // inputs stand before what reads them
    if (!reached[task]) continue;
    for (const plan::TaskInput& input : plan.tasks[task].inputs) reached[input.task] = true;
  }
  std::vector<std::size_t> all;
  for (std::size_t task = 0; task < reached.size(); ++task) {
    if (reached[task]) all.push_back(task);
  }
  return all;
}

}  // namespace bgw::cli
