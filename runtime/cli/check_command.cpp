#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "compiler/syntax/lex.h"
#include "compiler/syntax/parse.h"
#include "compiler/syntax/print_ast.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/failure.h"
#include "runtime/cli/json_output.h"
#include "runtime/cli/machine_warnings.h"
#include "runtime/cli/not_yet_run.h"
#include "runtime/cli/terminal.h"

namespace bgw::cli {
namespace {

std::string counted(std::size_t count, const char* noun, const char* plural) {
  return fmt::format("{} {}", count, count == 1 ? noun : plural);
}

int emit_tokens(const ProgramOptions& options) {
  const source::SourceMap sources = read_program(options.program);
  put(stdout, syntax::print_tokens(sources.main()));
  return kDone;
}

int emit_ast(const ProgramOptions& options) {
  const source::SourceMap sources = read_program(options.program);
  source::DiagnosticSink sink;
  const std::optional<syntax::File> file = syntax::parse(sources.main(), sink);
  if (file) put(stdout, syntax::print_ast(*file));
  put(stderr, source::render(sink.sorted(), sources, {.colour = colour_on(stderr), .errors = sink.error_count()}));
  return sink.has_errors() ? kWrongProgram : kDone;
}

int emit_model(const ProgramOptions& options) {
  fmt::print("{}\n", schema::to_pretty_json(lowering::describe_model(load_program(options).program)));
  return kDone;
}

int emit_plan(const ProgramOptions& options) {
  fmt::print("{}\n", schema::to_pretty_json(lowering::describe_plan(load_program(options).program)));
  return kDone;
}

/// A line for each word of `--emit`.
struct Emitter {
  const char* form;
  int (*emit)(const ProgramOptions&);
};
constexpr Emitter kEmitters[] = {
    {"tokens", emit_tokens},
    {"ast", emit_ast},
    {"model", emit_model},
    {"plan", emit_plan},
};

}  // namespace

std::vector<std::string> emitted_forms() {
  std::vector<std::string> forms;
  for (const Emitter& emitter : kEmitters) forms.emplace_back(emitter.form);
  return forms;
}

int check(const CheckOptions& options) {
  for (const Emitter& emitter : kEmitters) {
    if (options.emit == emitter.form) return emitter.emit(options);
  }
  const LoadedProgram loaded = load_program(options, !options.json);
  const plan::Plan& plan = loaded.program.plan;
  const Wanted wanted = find_wanted(loaded.program, {});
  const std::size_t wanted_tasks = with_inputs(plan, wanted.tasks).size();
  const std::size_t axes = loaded.program.axes;
  std::vector<std::size_t> every(plan.tasks.size());
  std::iota(every.begin(), every.end(), 0U);
  const std::vector<std::string> machine = machine_warnings(plan, every);
  const std::size_t warnings = loaded.warnings + machine.size();
  const std::vector<std::string> missing = not_yet_run(plan, every);
  if (options.json) {
    const schema::Map map{{"ok", true},
                          {"diagnostics", loaded.diagnostics},
                          {"not_run_yet", schema::List(missing.begin(), missing.end())},
                          {"tasks", static_cast<std::int64_t>(plan.tasks.size())},
                          {"default_tasks", static_cast<std::int64_t>(wanted_tasks)},
                          {"checks", static_cast<std::int64_t>(plan.checks.size())},
                          {"axes", static_cast<std::int64_t>(axes)},
                          {"warnings", static_cast<std::int64_t>(warnings)},
                          {"machine_warnings", schema::List(machine.begin(), machine.end())},
                          {"milliseconds", loaded.milliseconds}};
    put_document(map);
    return kDone;
  }
  print_machine_warnings(machine);
  if (!missing.empty()) {
    put(stderr, fmt::format("note: {} of this program {} checked, but not run by this version yet; `bgw plan` lists {}\n",
                            counted(missing.size(), "part", "parts"), missing.size() == 1 ? "is" : "are", missing.size() == 1 ? "it" : "them"));
  }
  fmt::print("ok: {} (target default: {}), {}, {} ({:.0f} ms)\n", counted(plan.tasks.size(), "task", "tasks"),
             wanted_tasks, counted(axes, "axis", "axes"), counted(warnings, "warning", "warnings"),
             loaded.milliseconds);
  return kDone;
}

}  // namespace bgw::cli
