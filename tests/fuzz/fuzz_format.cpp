#include <cstdint>
#include <optional>
#include <string>

#include "compiler/source/read_source.h"
#include "compiler/syntax/format_program.h"
#include "compiler/syntax/parse.h"
#include "compiler/syntax/print_ast.h"
#include "compiler/syntax/print_program.h"
#include "tests/fuzz/fuzz_input.h"

// Bytes -> program -> program in the canonical layout. For every program without syntax errors:
//   - formatting keeps the tree, and formatting twice is formatting once;
//   - the tree printed as a program has the same tree.
namespace bgw::fuzz {
namespace {

/// The tree as text; nullopt when the program has a syntax error.
std::optional<std::string> tree_of(const source::SourceFile& file, std::string* printed = nullptr) {
  source::DiagnosticSink sink;
  const std::optional<syntax::File> tree = syntax::parse(file, sink);
  if (!tree || sink.has_errors()) return std::nullopt;
  if (printed) *printed = syntax::print_program(*tree);
  return syntax::print_ast(*tree);
}

void format(std::string_view bytes) {
  source::ReadFailure failure;
  const std::optional<std::string> text = source::checked_source(std::string(bytes), "program.bgw", failure);
  if (!text) return;
  const source::SourceFile file("program.bgw", *text);
  std::string printed;
  const std::optional<std::string> tree = tree_of(file, &printed);
  if (!tree) return;
  const source::SourceFile once("program.bgw", syntax::format_program(file));
  must(tree_of(once) == tree, "formatting keeps the tree", once.text());
  must(syntax::format_program(once) == once.text(), "formatting twice is formatting once", once.text());
  must(tree_of(source::SourceFile("program.bgw", printed)) == tree, "a printed tree is the program of that tree", printed);
}

}  // namespace
}  // namespace bgw::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  bgw::fuzz::format({reinterpret_cast<const char*>(data), size});
  return 0;
}
