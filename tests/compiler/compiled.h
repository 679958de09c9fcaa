#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "compiler/lowering/compile.h"
#include "runtime/catalog/builtin_catalog.h"
#include "tests/support/catch.h"

namespace bgw::tests {

inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) FAIL("cannot read " << path.string());
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline const schema::Catalog& catalog() {
  static const schema::Catalog all = catalog::builtin_catalog();
  return all;
}

using Files = std::map<std::string, std::string>;

/// What the compiler made of a program, and all that it said.
struct Compiled {
  std::optional<lowering::Program> program;
  std::vector<source::Diagnostic> diagnostics;
  std::string said;
};

/// Compiles a program whose imports are read from `files` alone.
inline Compiled compile_text(const std::string& text, const Files& files = {}, const semantics::Overrides& overrides = {},
                             const std::string& name = "program.bgw") {
  source::SourceMap sources(name, text);
  source::DiagnosticSink sink;
  const lowering::ImportReader reader = [&](const std::string& path, std::string& problem) -> std::optional<std::string> {
    const auto found = files.find(path);
    if (found != files.end()) return found->second;
    problem = "cannot read " + path;
    return std::nullopt;
  };
  Compiled compiled;
  compiled.program = lowering::compile(sources, catalog(), overrides, sink, reader);
  compiled.diagnostics = sink.sorted();
  compiled.said = source::render(compiled.diagnostics, sources, {});
  return compiled;
}

/// The same of a program that is right.
inline lowering::Program compile_right(const std::string& text, const Files& files = {}, const semantics::Overrides& overrides = {},
                                       const std::string& name = "program.bgw") {
  Compiled compiled = compile_text(text, files, overrides, name);
  if (!compiled.program) FAIL(text << "\n" << compiled.said);
  return std::move(*compiled.program);
}

/// The id of the first error, or of the first warning of a program without errors; "" when there is neither.
inline std::string first_id(const Compiled& compiled) {
  for (const source::Diagnostic& diagnostic : compiled.diagnostics) {
    if (diagnostic.severity == source::Severity::error) return diagnostic.id;
  }
  return compiled.diagnostics.empty() ? "" : compiled.diagnostics.front().id;
}

inline const plan::TaskSpec& task_named(const lowering::Program& program, const std::string& name) {
  for (const plan::TaskSpec& task : program.plan.tasks) {
    if (task.name == name) return task;
  }
  FAIL("no task " << name);
  throw std::logic_error("unreachable");
}

const plan::TaskSpec& task_named(lowering::Program&&, const std::string&) = delete;  // it would not outlive the line

}  // namespace bgw::tests
