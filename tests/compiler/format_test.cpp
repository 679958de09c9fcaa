#include "tests/support/catch.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "compiler/syntax/format_program.h"
#include "compiler/syntax/lex.h"
#include "compiler/syntax/parse.h"
#include "compiler/syntax/print_ast.h"
#include "compiler/syntax/print_program.h"
#include "tests/support/random_program.h"

namespace {

using namespace bgw;

/// The fully parenthesised tree; nullopt for a program with syntax errors.
std::optional<std::string> tree_of(const std::string& text) {
  const source::SourceMap sources("program.bgw", text);
  source::DiagnosticSink sink;
  const auto tree = syntax::parse(sources.main(), sink);
  UNSCOPED_INFO(source::render(sink.sorted(), sources, {}));
  if (!tree || sink.has_errors()) return std::nullopt;
  return syntax::print_ast(*tree);
}

std::string formatted(const std::string& text) { return syntax::format_program(source::SourceFile("program.bgw", text)); }

std::string printed(const std::string& text) {
  const source::SourceMap sources("program.bgw", text);
  source::DiagnosticSink sink;
  return syntax::print_program(*syntax::parse(sources.main(), sink));
}

/// All tokens and comments but line ends and `;`, one a line.
std::string tokens_of(const std::string& text) {
  const source::SourceFile file("program.bgw", text);
  std::string out;
  for (const syntax::SourceToken& token : syntax::lex(file)) {
    if (token.kind == "NL" || token.kind == "SEMI") continue;
    std::string word(file.text(token.range));
    if (token.channel != syntax::Channel::program) word.erase(word.find_last_not_of(" \t") + 1);
    out += token.kind + ' ' + word + '\n';
  }
  return out;
}

void check_laws(const std::string& text) {
  CAPTURE(text);
  const auto tree = tree_of(text);
  REQUIRE(tree);
  const std::string once = formatted(text);
  CAPTURE(once);
  REQUIRE(tree_of(once) == tree);
  REQUIRE(tokens_of(once) == tokens_of(text));
  REQUIRE(formatted(once) == once);
  const std::string again = printed(text);
  CAPTURE(again);
  REQUIRE(tree_of(again) == tree);
}

std::string content_of(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  std::stringstream text;
  text << stream.rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("formatting and printing keep the tree, tokens and comments of generated programs", "[format]") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    INFO("seed " << seed);
    check_laws(test::RandomProgram(seed).text(12));
  }
}

TEST_CASE("formatting and printing keep every program of the repository", "[format]") {
  int programs = 0;
  for (const char* folder : {"std", "workflows", "examples", "tests/golden"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(std::filesystem::path(BGW_SOURCE_DIR) / folder)) {
      if (entry.path().extension() != ".bgw") continue;
      const std::string text = content_of(entry.path());
      if (!tree_of(text)) continue;  // its mistake is one of syntax
      INFO(entry.path().filename().string());
      check_laws(text);
      ++programs;
    }
  }
  CHECK(programs > 50);
}

TEST_CASE("the programs that come with bgw stand as fmt writes them", "[format]") {
  for (const char* folder : {"std", "workflows", "examples"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(std::filesystem::path(BGW_SOURCE_DIR) / folder)) {
      if (entry.path().extension() != ".bgw") continue;
      INFO(entry.path().filename().string());
      CHECK(formatted(content_of(entry.path())) == content_of(entry.path()));
    }
  }
}

TEST_CASE("attributes and declarations stand in columns", "[format]") {
  CHECK(formatted("param T:temperature=200 K in 50 K..260 K\nparam steps : int=60\n\nlattice ice[n in size]{\nkind=fcc\n  atoms = n  # all\n\n\n\n"
                  "density=0.03 /angstrom^3\n}") ==
        "param T     : temperature = 200 K in 50 K .. 260 K\nparam steps : int         = 60\n\nlattice ice[n in size] {\n  kind  = fcc\n"
        "  atoms = n  # all\n\n  density = 0.03 /angstrom^3\n}\n");
}

TEST_CASE("a block on one line stays there while it fits", "[format]") {
  CHECK(formatted("ensemble cold {kind=nvt;temperature=T;}") == "ensemble cold { kind = nvt; temperature = T }\n");
  const std::string word(60, 'x');
  CHECK(formatted("a b { " + word + " = 1; " + word + " = 2 }") == "a b {\n  " + word + " = 1\n  " + word + " = 2\n}\n");
}

TEST_CASE("line ends of another system and trailing blanks go", "[format]") {
  CHECK(formatted("let a = 1  \r\n\r\n\r\nlet b = [1,\r\n2]\r\n") == "let a = 1\n\nlet b = [1,\n  2]\n");
}

TEST_CASE("tokens are listed with their place and channel", "[format]") {
  CHECK(syntax::print_tokens(source::SourceFile("p.bgw", "## ö\nlet a = 2 K # c")) ==
        "1:1 DOC(doc) ## ö\n1:5 NL \\n\n2:1 LET let\n2:5 ID a\n2:7 ASSIGN =\n2:9 NUMBER 2\n2:11 ID K\n2:13 COMMENT(comment) # c\n");
}

TEST_CASE("a file that is not the first has global ranges", "[format]") {
  const source::SourceFile file("second.bgw", "let größe = 2", 1000);
  source::DiagnosticSink sink;
  const auto tree = syntax::parse(file, sink);
  REQUIRE(tree);
  CHECK(tree->items.at(0).range.begin == 1000);
  CHECK(tree->items.at(0).range.end == file.end() - 1);
  CHECK(syntax::lex(file).at(1).range.begin == 1004);
}
