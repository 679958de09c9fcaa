#include "compiler/lowering/compile.h"

#include "compiler/lowering/build_program.h"
#include "compiler/syntax/parse.h"

namespace bgw::lowering {

std::optional<Program> compile(const source::SourceFile& text, const schema::Catalog& catalog,
                               const semantics::Overrides& overrides, source::DiagnosticSink& sink) {
  const std::optional<syntax::File> file = syntax::parse(text, sink);
  // What the parser could not read is missing from the tree: names would seem undefined that are not.
  if (!file || sink.has_errors()) return std::nullopt;
  const auto model = semantics::analyze(*file, text, catalog, overrides, sink);
  if (!model) return std::nullopt;
  return build_program(*model, text);
}

}  // namespace bgw::lowering
