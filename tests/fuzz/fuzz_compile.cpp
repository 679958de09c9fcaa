#include <cstdint>
#include <string>

#include "compiler/lowering/compile.h"
#include "compiler/plan/preimage.h"
#include "compiler/source/read_source.h"
#include "runtime/catalog/builtin_catalog.h"
#include "tests/fuzz/fuzz_input.h"

// Bytes -> program -> plan, with everything that is said about it. Beside what the sanitizers see, these laws hold:
//   - a program that does not compile has an error, and each message has a place in the program;
//   - what is printed is UTF-8, and as JSON it is JSON;
//   - the plan is in an order in which it can run, each task has a key and a canonical text.
namespace bgw::fuzz {
namespace {

void check_diagnostics(const source::DiagnosticSink& sink, const source::SourceMap& sources) {
  const auto diagnostics = sink.sorted();
  for (const source::Diagnostic& diagnostic : diagnostics) {
    must(!diagnostic.message.empty() && !diagnostic.id.empty(), "a message has an id and words", diagnostic.id);
    must(diagnostic.range.begin <= diagnostic.range.end, "a range does not end before it begins", diagnostic.message);
    must(diagnostic.range.end <= sources.files().back().end(), "a range lies in the program", diagnostic.message);
  }
  for (const bool colour : {false, true}) {
    const std::string text = source::render(diagnostics, sources, {.colour = colour, .limit = 50, .errors = sink.error_count()});
    must(!source::first_invalid_utf8(text), "messages are UTF-8", text);
  }
  const std::string json = source::render_json(diagnostics, sources);
  must(!source::first_invalid_utf8(json), "messages are UTF-8", json);
  must(schema::parse_json(json).as_list().size() == diagnostics.size(), "the list of messages holds them all", json);
}

void check_program(const lowering::Program& program) {
  for (std::size_t i = 0; i < program.plan.tasks.size(); ++i) {
    const plan::TaskSpec& task = program.plan.tasks[i];
    for (const plan::TaskInput& input : task.inputs) {
      must(input.task < i, "inputs stand before what reads them", task.name);
      must(input.key == program.plan.tasks[input.task].key, "an input has the key of its task", task.name);
    }
    must(!source::first_invalid_utf8(plan::preimage(task)), "preimages are UTF-8", task.name);
  }
  must(lowering::find_instances(program, "default").problem.empty(), "every program has the target default");
}

/// Imports are answered from the input alone.
lowering::ImportReader reader_of(const Input& input) {
  return [&input](const std::string& path, std::string& problem) -> std::optional<std::string> {
    const auto found = input.files.find(path);
    if (found == input.files.end()) {
      problem = "cannot read " + path + ": No such file or directory";
      return std::nullopt;
    }
    source::ReadFailure failure;
    std::optional<std::string> text = source::checked_source(found->second, path, failure);
    problem = failure.message;
    return text;
  };
}

void compile(std::string_view bytes) {
  static const schema::Catalog kCatalog = catalog::builtin_catalog();
  const Input input = split_input(bytes);
  source::ReadFailure failure;
  std::optional<std::string> text = source::checked_source(input.program, "program.bgw", failure);
  if (!text) {
    must(!failure.message.empty() && !source::first_invalid_utf8(failure.message), "a file that is no text is told", failure.message);
    return;
  }
  source::SourceMap sources("program.bgw", *std::move(text));
  source::DiagnosticSink sink;
  const std::optional<lowering::Program> program =
      lowering::compile(sources, kCatalog, {input.overrides.begin(), input.overrides.end()}, sink, reader_of(input));
  must(program || sink.has_errors(), "a program that does not compile has an error");
  check_diagnostics(sink, sources);
  if (program && !sink.has_errors()) check_program(*program);
}

}  // namespace
}  // namespace bgw::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  bgw::fuzz::compile({reinterpret_cast<const char*>(data), size});
  return 0;
}
