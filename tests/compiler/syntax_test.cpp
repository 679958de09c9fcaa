#include "tests/support/catch.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "compiler/source/read_source.h"
#include "compiler/syntax/parse.h"
#include "compiler/syntax/print_ast.h"
#include "compiler/syntax/raw_tokens.h"

namespace {

using namespace bgw;

struct Parsed {
  source::SourceMap file;
  source::DiagnosticSink sink;
  std::optional<syntax::File> tree;
};

Parsed parse(const std::string& text) {
  Parsed parsed{source::SourceMap("program.bgw", text), {}, {}};
  parsed.tree = syntax::parse(parsed.file.main(), parsed.sink);
  return parsed;
}

std::string told(const Parsed& parsed) { return source::render(parsed.sink.sorted(), parsed.file, {}); }

std::string content_of(const std::filesystem::path& path) {
  std::ifstream stream(path);
  std::stringstream text;
  text << stream.rdbuf();
  return text.str();
}

const std::filesystem::path kGolden = std::filesystem::path(BGW_SOURCE_DIR) / "tests/golden/syntax";

}  // namespace

TEST_CASE("a whole program parses without a word", "[syntax]") {
  const Parsed parsed = parse(content_of(kGolden / "everything.bgw"));
  CHECK(told(parsed) == "");
  REQUIRE(parsed.tree);
  CHECK(parsed.tree->edition == 1);
  CHECK(parsed.tree->items.size() == 15);
}

TEST_CASE("every syntax diagnostic says what was written and what to write instead", "[syntax]") {
  int cases = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kGolden / "wrong")) {
    if (entry.path().extension() != ".bgw") continue;
    const Parsed parsed = parse(content_of(entry.path()));
    auto expected = entry.path();
    expected.replace_extension(".txt");
    INFO(entry.path().filename().string());
    if (std::getenv("BGW_UPDATE_GOLDEN")) std::ofstream(expected) << told(parsed);  // after reading the difference
    CHECK(told(parsed) == content_of(expected));
    ++cases;
  }
  CHECK(cases >= 14);
}

TEST_CASE("a mistake in one statement does not hide those in others", "[syntax]") {
  const Parsed parsed = parse("bgw 1\nparam T temperature = 200 K\nlet a = \naxis size : int = [1, 2]\nlet b = 3 $ 4\n");
  CHECK(parsed.sink.error_count() == 3);
  REQUIRE(parsed.tree);
  CHECK(parsed.tree->items.size() == 1);  // the axis is kept
}

TEST_CASE("ranges are bytes and columns are characters where text is not ASCII", "[syntax]") {
  const Parsed parsed = parse("bgw 1\nlet größe = 2 # Länge\nlet β = größe $\n");
  const auto diagnostics = parsed.sink.sorted();
  REQUIRE(diagnostics.size() == 1);
  CHECK(parsed.file.text(diagnostics[0].range) == "$");
  CHECK(parsed.file.position(diagnostics[0].range.begin).line == 3);
  CHECK(parsed.file.position(diagnostics[0].range.begin).column == 15);
}

TEST_CASE("numbers keep their digits, grouped and with exponents", "[syntax]") {
  const Parsed parsed = parse("let a = 1_000_000\nlet b = 7e-5\nlet c = 200 K\n");
  REQUIRE(parsed.tree);
  const auto literal = [&](std::size_t i) {
    return std::get<syntax::NumberLiteral>(std::get<syntax::Let>(parsed.tree->items[i].what).value->what);
  };
  CHECK(literal(0).integer == 1000000);
  CHECK_FALSE(literal(1).integer);
  CHECK(literal(1).value == 7e-5);
  CHECK(literal(2).unit->text == "K");
}

TEST_CASE("comments with two signs document what follows", "[syntax]") {
  const Parsed parsed = parse("## The temperature\n## of the ice\nparam T : temperature = 200 K\n");
  REQUIRE(parsed.tree);
  CHECK(parsed.tree->items[0].doc == "The temperature\nof the ice");
}

TEST_CASE("operators bind as in mathematics", "[syntax]") {
  const Parsed parsed = parse("let a = 1 + 2 * 3 ^ 2 ^ 2\n");
  REQUIRE(parsed.tree);
  const auto& sum = std::get<syntax::Binary>(std::get<syntax::Let>(parsed.tree->items[0].what).value->what);
  CHECK(sum.op == syntax::BinaryOperator::add);
  const auto& product = std::get<syntax::Binary>(sum.right->what);
  CHECK(product.op == syntax::BinaryOperator::multiply);
  const auto& power = std::get<syntax::Binary>(product.right->what);
  CHECK(power.op == syntax::BinaryOperator::power);
  CHECK(std::holds_alternative<syntax::Binary>(power.right->what));
}

TEST_CASE("inside lists, maps and brackets a line end separates nothing", "[syntax]") {
  const auto tree = [](const std::string& text) {
    const Parsed parsed = parse("bgw 1\n" + text + "\n");
    INFO(told(parsed));
    REQUIRE(parsed.tree);
    CHECK(parsed.sink.error_count() == 0);
    return syntax::print_ast(*parsed.tree);
  };
  CHECK(tree("let a = (1 +\n 2\n - 3)") == tree("let a = (1 + 2 - 3)"));
  CHECK(tree("let a = [1\n, 2,\n\n 3\n]") == tree("let a = [1, 2, 3]"));
  CHECK(tree("let a = [x # each\n for x in [1, 2]\n if x > 1]") == tree("let a = [x for x in [1, 2] if x > 1]"));
  CHECK(tree("base b { system = at(w,\n density\n = 3)\n kind = scha }") == tree("base b { system = at(w, density = 3); kind = scha }"));
  CHECK(parse("bgw 1\nlet a = 1\n + 2\n").sink.has_errors());
  CHECK(parse("bgw 1\nbase b { kind\n = scha }\n").sink.has_errors());
}

TEST_CASE("a string ends on its line, also behind a backslash", "[syntax]") {
  for (const char* end : {"\n", "\r\n"}) {
    const std::string said = told(parse(std::string("bgw 1\nlet a = \"abc\\") + end + "let b = 1\n"));
    CHECK(said.find("E0101") != std::string::npos);
    CHECK(said.find("E0107") == std::string::npos);
  }
}

TEST_CASE("no input makes the parser crash", "[syntax]") {
  const std::string hostile[] = {std::string(20000, '('), std::string(20000, '{') + "\n", std::string(20000, '-'),
                                 "let a = " + std::string(20000, '['), std::string("let a = 1\0 2", 12),
                                 "let a = \"abc", "}}}}", "a b {", "\r\n\r\n", "let a = " + [] {
                                   std::string sum = "1";
                                   for (int i = 0; i < 20000; ++i) sum += "+1";
                                   return sum;
                                 }()};
  for (const std::string& text : hostile) {
    const Parsed parsed = parse(text);
    CHECK(parsed.sink.has_errors());
    CHECK(!told(parsed).empty());
  }
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    std::string text(random() % 200, ' ');
    for (char& c : text) c = static_cast<char>(1 + random() % 126);
    const Parsed parsed = parse(text);
    CHECK((parsed.tree || parsed.sink.has_errors()));
  }
}

TEST_CASE("broken pieces of a program never crash the parser", "[syntax]") {
  const std::string whole = content_of(kGolden / "everything.bgw");
  std::mt19937 random(11);
  for (int round = 0; round < 200; ++round) {
    std::string text = whole;
    for (int k = 0; k < 3; ++k) text.erase(random() % text.size(), random() % 20);
    (void)told(parse(text));
  }
}

TEST_CASE("line ends of either kind and a byte order mark are accepted", "[source]") {
  const auto path = std::filesystem::temp_directory_path() / "bgw_bom_test.bgw";
  std::ofstream(path) << "\xEF\xBB\xBF" "bgw 1\r\nlet a = 2\r\n";
  source::ReadFailure failure;
  const auto file = source::read_source(path.string(), failure);
  REQUIRE(file);
  source::DiagnosticSink sink;
  CHECK(syntax::parse(source::SourceFile(path, *file), sink)->items.size() == 1);
  CHECK_FALSE(sink.has_errors());
  std::filesystem::remove(path);
}

TEST_CASE("bytes that are no text are refused with their place", "[source]") {
  CHECK(source::first_invalid_utf8("abc") == std::nullopt);
  CHECK(source::first_invalid_utf8("a\xC3\xA4") == std::nullopt);
  CHECK(source::first_invalid_utf8("a\xFF" "b") == 1);
  CHECK(source::first_invalid_utf8("\xED\xA0\x80") == 0);  // a surrogate
  CHECK(source::first_invalid_utf8("ab\xC3") == 2);
  const auto path = std::filesystem::temp_directory_path() / "bgw_binary_test.bgw";
  std::ofstream(path) << std::string("bgw\0\1", 5);
  source::ReadFailure failure;
  CHECK_FALSE(source::read_source(path.string(), failure));
  CHECK_FALSE(failure.unreadable);
  CHECK(failure.message.find("byte 3 is 0x00") != std::string::npos);
  std::filesystem::remove(path);
  CHECK_FALSE(source::read_source("/no/such/program.bgw", failure));
  CHECK(failure.unreadable);
}

TEST_CASE("a printed tree is a program that prints as itself", "[syntax]") {
  const Parsed first = parse(content_of(kGolden / "everything.bgw"));
  REQUIRE(first.tree);
  const std::string text = syntax::print_ast(*first.tree);
  const Parsed second = parse(text);
  CHECK(told(second) == "");
  REQUIRE(second.tree);
  CHECK(second.tree->items.size() == first.tree->items.size());
  CHECK(syntax::print_ast(*second.tree) == text);
}

TEST_CASE("a printed tree shows how operators bind", "[syntax]") {
  const Parsed parsed = parse("bgw 1\nlet a = 1 + 2*x^-n[*, size = 3].m(k = 5 K)\nblock b { c = [i for i in d if not e] }\n");
  REQUIRE(parsed.tree);
  CHECK(syntax::print_ast(*parsed.tree) ==
        "bgw 1\n"
        "let a = (1 + (2 * (x ^ (-n[*, size = 3].m(k = 5 K)))))\n"
        "block b {\n"
        "  c = [i for i in d if (not e)]\n"
        "}\n");
}

namespace {

/// Where the two lexers differ, or "".
std::string difference_of_lexers(const std::string& text) {
  const source::SourceFile file("program.bgw", text, 7);
  const auto by_hand = syntax::raw_tokens_by_hand(file);
  const auto by_grammar = syntax::raw_tokens_by_grammar(file);
  if (!by_hand) return "read by one lexer only";
  for (std::size_t i = 0; i < std::max(by_hand->size(), by_grammar.size()); ++i) {
    if (i >= by_hand->size() || i >= by_grammar.size() || !((*by_hand)[i] == by_grammar[i])) return "token " + std::to_string(i) + " of: " + text;
  }
  return "";
}

}  // namespace

TEST_CASE("the lexer by hand gives the tokens of the grammar, for every program of the repository", "[syntax]") {
  int programs = 0;
  for (const char* folder : {"workflows", "examples", "std", "tests/golden"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(std::filesystem::path(BGW_SOURCE_DIR) / folder)) {
      if (entry.path().extension() != ".bgw") continue;
      const std::string text = content_of(entry.path());
      if (source::first_invalid_utf8(text)) continue;
      const std::string difference = difference_of_lexers(text);
      // A letter beyond ASCII outside strings and comments is for the grammar's lexer.
      if (difference != "read by one lexer only") CHECK(difference.empty());
      else CHECK(std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; }));
      ++programs;
    }
  }
  CHECK(programs > 50);
}

TEST_CASE("the lexer by hand gives the tokens of the grammar, for strings of what means something", "[syntax]") {
  const std::vector<std::string> parts = {"a", "Z_9", "param", "paramx", "in", "not", "1", "1_0", "1_", "_", "0", ".", "..", "1.5", "1..3", "2e5", "2e", "2e+", "3E-07", "1.e",
                                          "\"", "\"a\"", "\\", "\\\"", "#", "##", "\n", "\r", "\r\n", " ", "\t", "-", ">", "->", "<", "=", "==", "!", "!=", "<=", ";", ":", ",", "(", ")",
                                          "[", "]", "{", "}", "+", "*", "/", "^", "$", "@", "'", "`", "\"\u00e9\"", "# \u00e9\u2013", "\"\\\u00e9\""};
  std::uint64_t state = 20261121;
  const auto next = [&](std::size_t below) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<std::size_t>((state >> 33) % below);
  };
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    for (std::size_t i = 0, length = 1 + next(12); i < length; ++i) text += parts[next(parts.size())];
    const std::string difference = difference_of_lexers(text);
    if (!difference.empty() && difference != "read by one lexer only") FAIL(difference);
  }
  CHECK_FALSE(syntax::raw_tokens_by_hand(source::SourceFile("p", "let \u00e9 = 1")));
  CHECK_FALSE(syntax::raw_tokens_by_hand(source::SourceFile("p", "let a\u00e9 = 1")));
  CHECK(difference_of_lexers("let a = \"\u00e9\"  # \u00e9").empty());
}

TEST_CASE("a program needs no indentation", "[syntax]") {
  const std::string text = "bgw 1\ntrain bg {\nsystem = water\nstage main {\nsteps = 10\n}\nlet a = 1\ncheckpoint {\nkeep = a\n}\n}\nlet b = 2\n";
  const Parsed parsed = parse(text);
  CHECK(told(parsed) == "");
  REQUIRE(parsed.tree);
  CHECK(parsed.tree->items.size() == 2);
  // Where a brace is missing, the line that begins a statement still tells which.
  CHECK(told(parse("bgw 1\ntrain bg {\n  steps = 10\nlet b = 2\n")).find("`train bg {` is never closed") != std::string::npos);
}
