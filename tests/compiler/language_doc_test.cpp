#include <algorithm>
#include <set>

#include "compiler/syntax/format_program.h"
#include "compiler/units/dimension.h"
#include "compiler/units/unit_table.h"
#include "tests/compiler/compiled.h"

// The documentation shows programs. Each is compiled here as its fence says:
//   ```bgw                  a whole program
//   ```bgw continues        goes on from the program above it
//   ```bgw wrong E0301      added to the program above (or whole, when it begins with its edition): this id comes first;
//                           on a page of one diagnostic the id is that of the page
//   ```bgw file NAME        a file that the programs below may import
//   ```bgw … -p T=250K      with a param from outside
//   ```sh, ```text          no program
// A program that is right gives no warning either, and on the page on the language it is laid out as `bgw fmt` does.

using namespace bgw;
using tests::compile_text;
using tests::Compiled;
using tests::first_id;

namespace {

const std::filesystem::path kSource = BGW_SOURCE_DIR;

struct Fence {
  std::vector<std::string> tag;  // "bgw", "wrong", "E0301"
  std::string text;
  std::size_t line = 0;
};

std::vector<Fence> fences_of(const std::string& page, const std::string& name) {
  std::vector<Fence> fences;
  std::istringstream lines(page);
  std::size_t number = 0;
  bool open = false;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (!line.starts_with("```")) {
      if (open) fences.back().text += line + "\n";
      continue;
    }
    open = !open;
    if (!open) continue;
    Fence& fence = fences.emplace_back();
    fence.line = number;
    std::istringstream words(line.substr(3));
    for (std::string word; words >> word;) fence.tag.push_back(word);
  }
  if (open) FAIL(name << ":" << fences.back().line << ": this block is never closed");
  return fences;
}

constexpr const char* kProgram = "example.bgw";
constexpr const char* kSilicon = "silicon\n5.43\n0 0.5 0.5\n0.5 0 0.5\n0.5 0.5 0\nSi\n2\nDirect\n0 0 0\n0.25 0.25 0.25\n";

/// What the words after `bgw` ask for.
struct Wanted {
  bool continues = false, wrong = false;
  std::string id, file;
  semantics::Overrides overrides;
};

Wanted wanted_of(const Fence& fence, const std::string& id_of_page, const std::string& place) {
  Wanted wanted;
  wanted.id = id_of_page;
  for (std::size_t i = 1; i < fence.tag.size(); ++i) {
    const std::string& word = fence.tag[i];
    const bool more = i + 1 < fence.tag.size();
    if (word == "continues") {
      wanted.continues = true;
    } else if (word == "wrong") {
      wanted.wrong = true;
      if (more && fence.tag[i + 1] != "-p") wanted.id = fence.tag[++i];
    } else if (word == "file" && more) {
      wanted.file = fence.tag[++i];
    } else if (word == "-p" && more && fence.tag[i + 1].find('=') != std::string::npos) {
      const std::string& given = fence.tag[++i];
      wanted.overrides[given.substr(0, given.find('='))] = given.substr(given.find('=') + 1);
    } else {
      FAIL(place << ": a block of bgw has no `" << word << "`");
    }
  }
  return wanted;
}

/// Compiles every block of a page.
/// @return how many programs it has
std::size_t check_page(const std::filesystem::path& path, const std::string& id_of_page = "", tests::Files files = {}, bool laid_out = false) {
  const std::string name = path.lexically_relative(kSource).generic_string();
  std::string program;
  std::size_t programs = 0;
  for (const Fence& fence : fences_of(tests::read_text(path), name)) {
    const std::string place = name + ":" + std::to_string(fence.line);
    INFO(place);
    if (fence.tag == std::vector<std::string>{"text"} || fence.tag == std::vector<std::string>{"sh"}) continue;
    if (fence.tag.size() == 3 && fence.tag[0] == "text" && fence.tag[1] == "file") {
      files[fence.tag[2]] = fence.text;
      continue;
    }
    REQUIRE_FALSE(fence.tag.empty());
    REQUIRE(fence.tag[0] == "bgw");
    ++programs;
    const Wanted wanted = wanted_of(fence, id_of_page, place);
    const bool whole = fence.text.starts_with("bgw ");
    if (wanted.wrong) {
      const Compiled compiled = compile_text(whole ? fence.text : program + fence.text, files, wanted.overrides, kProgram);
      INFO(fence.text << compiled.said);
      CHECK(first_id(compiled) == wanted.id);
      continue;
    }
    const Compiled compiled = compile_text(wanted.continues ? program + fence.text : fence.text, files, wanted.overrides, kProgram);
    INFO(fence.text << compiled.said);
    CHECK(compiled.program);
    CHECK(compiled.diagnostics.empty());
    if (laid_out) CHECK(syntax::format_program(source::SourceFile(kProgram, fence.text)) == fence.text);
    if (!wanted.file.empty()) files[wanted.file] = fence.text;
    else program = wanted.continues ? program + fence.text : fence.text;
  }
  return programs;
}

std::string language() { return tests::read_text(kSource / "docs" / "language.md"); }

/// From a heading to the next of the same or a higher level.
std::string section(const std::string& page, const std::string& heading) {
  const auto begin = page.find("\n" + heading + "\n");
  if (begin == std::string::npos) FAIL("the page has no section " << heading);
  const std::string level = heading.substr(0, heading.find(' ') + 1);
  auto end = page.find("\n" + level, begin + heading.size() + 1);
  if (level == "### ") end = std::min(end, page.find("\n## ", begin + 1));
  return page.substr(begin, end - begin);
}

/// All that stands between `…`.
std::set<std::string> spans(const std::string& text) {
  std::set<std::string> found;
  for (std::size_t at = text.find('`'); at != std::string::npos; at = text.find('`', at)) {
    const auto end = text.find('`', at + 1);
    if (end == std::string::npos) break;
    found.insert(text.substr(at + 1, end - at - 1));
    at = end + 1;
  }
  return found;
}

/// The line of a table whose first cell holds the name.
std::string row_of(const std::string& table, const std::string& name) {
  const auto begin = table.find("\n| `" + name + "` |");
  return begin == std::string::npos ? "" : table.substr(begin + 1, table.find('\n', begin + 1) - begin - 1);
}

using schema::Attribute;
using schema::Type;

void later_words(const Type& type, const std::string& in_front, std::set<std::string>& later) {
  for (const std::string& word : type.later) later.insert(in_front + " = " + word);
  for (const Type& item : type.items) later_words(item, in_front, later);
}

void later_attributes(const std::vector<Attribute>& attributes, const std::string& owner, std::set<std::string>& later) {
  for (const Attribute& attribute : attributes) {
    const bool everywhere = attribute.name == "precision" || attribute.name == "deterministic";
    const std::string name = everywhere ? attribute.name : owner + "." + attribute.name;
    if (attribute.later || !attribute.only.is_none()) later.insert(name);
    else later_words(attribute.type, name, later);
  }
}

/// Everything that the schema marks as not run yet, but what only stands within such a part.
std::set<std::string> later_parts() {
  std::set<std::string> later;
  for (const std::string& noun : tests::catalog().nouns()) {
    const schema::KindSchema& kind = *tests::catalog().find_kind(noun);
    if (kind.later) {
      later.insert(noun);
      continue;
    }
    later_attributes(kind.attributes, noun, later);
    for (const schema::NestedSchema& nested : kind.nested) later_attributes(nested.attributes, nested.kind, later);
  }
  return later;
}

}  // namespace

TEST_CASE("every program of the page on the language compiles as it says", "[docs]") {
  CHECK(check_page(kSource / "docs" / "language.md", "", {{"traj.h5md", "configurations"}}, true) >= 50);
}

TEST_CASE("every program of the page on generators compiles", "[docs]") { CHECK(check_page(kSource / "docs" / "generators.md") >= 3); }

TEST_CASE("the program of the README compiles", "[docs]") { CHECK(check_page(kSource / "README.md") >= 1); }

TEST_CASE("the programs of the pages on diagnostics compile as they say", "[docs]") {
  const std::filesystem::path folder = kSource / "docs" / "diagnostics";
  if (!std::filesystem::exists(folder)) return;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string stem = entry.path().stem().string();
    if (entry.path().extension() == ".md")
      check_page(entry.path(), stem, {{"lib/water.bgw", "bgw 1\nlet T = 200 K\n"}, {"si.vasp", kSilicon}, {"traj.h5md", "configurations"}});
  }
}

TEST_CASE("the page on the language names every unit and every type", "[docs]") {
  const auto named = spans(section(language(), "## Numbers and units"));
  for (const std::string& unit : units::unit_names()) CHECK(named.count(unit) == 1);
  for (const std::string& dimension : units::dimension_names()) CHECK(named.count(dimension) == 1);
}

TEST_CASE("the page on the language names every kind with its results", "[docs]") {
  const std::string table = section(language(), "### The kinds");
  const std::set<std::string> of_every_task{"energy_calls", "seconds"};
  CHECK(language().find("Every task also has the results `energy_calls` and `seconds`") != std::string::npos);
  for (const std::string& noun : tests::catalog().nouns()) {
    const std::string row = row_of(table, noun);
    INFO(noun);
    CHECK_FALSE(row.empty());
    std::set<std::string> results{noun};
    for (const schema::Result& result : tests::catalog().find_kind(noun)->results) {
      if (of_every_task.count(result.name) == 0) results.insert(result.name);
    }
    CHECK(spans(row) == results);
  }
}

TEST_CASE("the page on the language names every reserved word", "[docs]") {
  const std::string grammar = tests::read_text(kSource / "grammar" / "Bgw.g4");
  std::set<std::string> reserved;
  const auto lexer = grammar.find("// ---------- lexer");
  for (std::size_t at = grammar.find(":'", lexer); at != std::string::npos; at = grammar.find(":'", at + 1)) {
    const auto end = grammar.find('\'', at + 2);
    const std::string word = grammar.substr(at + 2, end - at - 2);
    if (std::isalpha(static_cast<unsigned char>(word[0]))) reserved.insert(word);
  }
  CHECK(reserved.size() == 22);
  CHECK(spans(section(language(), "## Reserved words")) == reserved);
}

TEST_CASE("the page on the language lists what is not run yet, no more and no less", "[docs]") {
  std::string text = section(language(), "## Checked, not run yet");
  const auto list = text.find("\n- ");
  REQUIRE(list != std::string::npos);
  CHECK(spans(text.substr(list)) == later_parts());
}
