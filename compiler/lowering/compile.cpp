#include "compiler/lowering/compile.h"

#include <algorithm>
#include <array>

#include "compiler/lowering/build_program.h"

namespace bgw::lowering {
namespace {

/// What the parser could not read is missing from the tree, so names and attributes may only seem to be missing:
/// beside its errors only those are told that do not depend on what stands elsewhere.
bool stands_alone(const source::Diagnostic& diagnostic) {
  static constexpr std::array kIds{"E0201", "E0202", "E0205", "E0206", "E0301", "E0302", "E0303", "E0306", "E0307", "E0310"};
  return std::find(kIds.begin(), kIds.end(), diagnostic.id) != kIds.end();
}

}  // namespace

std::optional<Program> compile(source::SourceMap& sources, const schema::Catalog& catalog,
                               const semantics::Overrides& overrides, source::DiagnosticSink& sink, const ImportReader& read) {
  semantics::Modules modules;
  if (!load_modules(sources, read, sink, modules)) return std::nullopt;
  const bool readable = !sink.has_errors();
  source::DiagnosticSink meaning;
  auto model = semantics::analyze(modules, sources, catalog, overrides, meaning, read);
  for (const source::Diagnostic& diagnostic : meaning.sorted()) {
    if (readable || stands_alone(diagnostic)) sink.add(diagnostic);
  }
  if (!readable || !model) return std::nullopt;
  Program program = build_program(*model, sources);
  program.made_of = std::shared_ptr<const semantics::Model>(std::move(model));
  return program;
}

}  // namespace bgw::lowering
