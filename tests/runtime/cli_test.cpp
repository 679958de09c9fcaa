#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "compiler/lowering/compile.h"
#include "runtime/catalog/builtin_catalog.h"
#include "runtime/cli/completion.h"
#include "runtime/cli/diagnostic_pages.h"
#include "runtime/cli/editor_syntax.h"
#include "runtime/cli/failure.h"
#include "runtime/cli/param_sources.h"
#include "runtime/cli/schema_doc.h"
#include "runtime/foundation/errors.h"
#include "tests/support/catch.h"
#include "tests/support/scratch_directory.h"

using namespace bgw;

namespace {

bool holds(const std::string& text, const std::string& part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

const std::filesystem::path kSource = BGW_SOURCE_DIR;

std::string text_of(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

/// Compares with a file of the source tree; BGW_UPDATE_GOLDEN=1 writes it anew.
void check_golden(const std::string& text, const std::filesystem::path& file) {
  if (std::getenv("BGW_UPDATE_GOLDEN")) std::ofstream(file, std::ios::binary) << text;
  INFO(file.filename().string());
  CHECK(text == text_of(file));
}

std::map<std::string, std::string> titles() {
  return {
#define BGW_DIAGNOSTIC(id, title) {#id, title},
#include "compiler/source/diagnostic_ids.def"
#undef BGW_DIAGNOSTIC
  };
}

/// What stands between ``` lines: the words behind the opening one and the lines up to the closing one.
struct Fence {
  std::vector<std::string> words;
  std::string text;
  std::size_t begin = 0, end = 0;  // of the text in the page
};

std::vector<Fence> fences_of(const std::string& page) {
  std::vector<Fence> fences;
  for (std::size_t at = page.find("```"); at != std::string::npos; at = page.find("```", at)) {
    const std::size_t line_end = page.find('\n', at);
    Fence fence;
    std::istringstream words(page.substr(at + 3, line_end - at - 3));
    for (std::string word; words >> word;) fence.words.push_back(word);
    fence.begin = line_end + 1;
    fence.end = page.find("```", fence.begin);
    fence.text = page.substr(fence.begin, fence.end - fence.begin);
    fences.push_back(fence);
    at = fence.end + 3;
  }
  return fences;
}

struct Said {
  std::string text;
  std::set<std::string> ids;
};

/// The files that examples name: themselves, and two that are there.
std::optional<std::string> imported(const Fence& example, const std::string& path, std::string& problem) {
  if (path == "example.bgw") return example.text;
  if (path == "lib/water.bgw") return "bgw 1\nlet T = 200 K\n";
  if (path == "si.vasp") return "silicon\n5.43\n0 0.5 0.5\n0.5 0 0.5\n0.5 0.5 0\nSi\n2\nDirect\n0 0 0\n0.25 0.25 0.25\n";
  if (path == "traj.h5md") return "configurations";
  problem = "cannot read " + path + ": No such file or directory";
  return std::nullopt;
}

/// What the compiler says of an example; `-p NAME=VALUE` among the words is given from outside.
Said compiled(const Fence& example) {
  semantics::Overrides overrides;
  for (std::size_t i = 0; i + 1 < example.words.size(); ++i) {
    const std::string& given = example.words[i + 1];
    if (example.words[i] == "-p") overrides[given.substr(0, given.find('='))] = given.substr(given.find('=') + 1);
  }
  source::SourceMap sources("example.bgw", example.text);
  source::DiagnosticSink sink;
  lowering::compile(sources, catalog::builtin_catalog(), overrides, sink,
                    [&](const std::string& path, std::string& problem) { return imported(example, path, problem); });
  Said said{source::render(sink.sorted(), sources, {}), {}};
  for (const source::Diagnostic& diagnostic : sink.sorted()) said.ids.insert(diagnostic.id);
  return said;
}

std::string without_trailing_blanks(const std::string& text) {
  std::string result;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    line.erase(line.find_last_not_of(' ') + 1);
    result += line + "\n";
  }
  return result;
}

}  // namespace

TEST_CASE("every diagnostic has a page and every page a diagnostic", "[explain]") {
  std::set<std::string> pages;
  for (const cli::DiagnosticPage& page : cli::diagnostic_pages()) pages.emplace(page.id);
  std::set<std::string> ids;
  for (const auto& [id, title] : titles()) ids.insert(id);
  CHECK(pages == ids);
}

TEST_CASE("a page has its title, its sections and programs that do what it says", "[explain]") {
  for (const cli::DiagnosticPage& embedded : cli::diagnostic_pages()) {
    const std::string id(embedded.id);
    INFO(id);
    std::string page(embedded.text);
    CHECK(page.starts_with("# " + id + ": " + titles()[id] + "\n\n"));
    CHECK(page.find("\n\n## Wrong\n") < page.find("\n\n## bgw says\n"));
    CHECK(page.find("\n\n## bgw says\n") < page.find("\n\n## Right\n"));
    const std::vector<Fence> fences = fences_of(page);
    REQUIRE(fences.size() == 3);
    REQUIRE(fences[0].words.size() >= 2);
    CHECK((fences[0].words[0] == "bgw" && fences[0].words[1] == "wrong"));
    CHECK(fences[1].words == std::vector<std::string>{"text"});
    CHECK(fences[2].words.at(0) == "bgw");
    const Said wrong = compiled(fences[0]);
    CHECK(wrong.ids == std::set<std::string>{id});
    CHECK(compiled(fences[2]).text == "");
    page.replace(fences[1].begin, fences[1].end - fences[1].begin, without_trailing_blanks(wrong.text));
    check_golden(page, kSource / "docs" / "diagnostics" / (id + ".md"));
  }
}

TEST_CASE("the files for editors are those the schema makes now", "[editors]") {
  const schema::Catalog catalog = catalog::builtin_catalog();
  check_golden(cli::vim_syntax(catalog), kSource / "editors/vim/syntax/bgw.vim");
  check_golden(cli::textmate_grammar(catalog), kSource / "editors/textmate/bgw.tmLanguage.json");
  CHECK(holds(cli::vim_syntax(catalog), "syn keyword bgwStatement and as axis bgw else"));
  CHECK(holds(cli::textmate_grammar(catalog), "stillinger_weber"));
}

TEST_CASE("every function the documentation names is one the compiler knows", "[doc]") {
  for (const schema::Value& function : cli::document_functions()) {
    Fence program;
    program.text = "bgw 1\naxis size : int = [1]\nensemble e[n in size] { kind = nvt; temperature = " +
                   function.at("name").as_string() + "() }\n";
    const Said said = compiled(program);
    INFO(said.text);
    CHECK_FALSE(said.ids.empty());
    CHECK(said.text.find("there is no function") == std::string::npos);
  }
}

TEST_CASE("the documentation of a kind says unit, bounds and default as a program would", "[doc]") {
  const schema::Catalog catalog = catalog::builtin_catalog();
  const auto attribute = [](const schema::Value& owner, const std::string& name) {
    for (const schema::Value& each : owner.at("attributes").as_list()) {
      if (each.at("name").as_string() == name) return each;
    }
    return schema::Value();
  };
  const schema::Value ensemble = cli::document(*catalog.find_kind("ensemble"));
  CHECK(ensemble.at("makes").as_string() == "value");
  CHECK(attribute(ensemble, "temperature").at("unit").as_string() == "K");
  CHECK(attribute(ensemble, "temperature").at("required").as_bool());
  CHECK(attribute(ensemble, "temperature").at("bounds").as_string() == "above 0");
  const schema::Value train = cli::document(*catalog.find_kind("train"));
  const auto nested = [&](const std::string& kind) {
    for (const schema::Value& each : train.at("nested").as_list()) {
      if (each.at("kind").as_string() == kind) return each;
    }
    return schema::Value();
  };
  CHECK(attribute(nested("checkpoint"), "every").at("default").as_string() == "5 min");
  CHECK(nested("stage").at("many").as_bool());
  CHECK(attribute(nested("stage"), "steps").at("bounds").as_string() == "at least 1 and at most 1000000000");
  const schema::Value reference = cli::document(*catalog.find_kind("reference"));
  for (const schema::Value& result : reference.at("results").as_list()) {
    if (result.at("name").as_string() == "mean_energy") CHECK(result.at("dimension").as_string() == "energy");
  }
  CHECK(cli::document(*catalog.find_constructor("hmc")).at("attributes").as_list().size() >= 2);
}

TEST_CASE("a file of params keeps every digit and tells where what is wrong stands", "[params]") {
  const test::ScratchDirectory scratch;
  const std::filesystem::path file = scratch.path() / "cold.toml";
  const auto given = [&](const std::string& text) {
    std::ofstream(file, std::ios::binary) << text;
    return cli::params_of_file(file.string());
  };
  const cli::GivenParams params =
      given("T = \"250 K\"\nseed = 9223372036854775807\nx = 0.1\nrate = 1e-300\nwhole = 60.0\non = true\nhex = 0xff\n");
  CHECK(params.at("T").text == "250 K");
  CHECK(params.at("T").origin == file.string() + ":1:1");
  CHECK(params.at("seed").text == "9223372036854775807");
  CHECK(params.at("seed").origin == file.string() + ":2:1");
  CHECK(params.at("x").text == "0.1");
  CHECK(params.at("rate").text == "1e-300");
  CHECK(params.at("whole").text == "60.0");
  CHECK(params.at("on").text == "true");
  CHECK(params.at("hex").text == "255");
  const cli::GivenParams imported = given("T = 1\n[water]\nrho = 2\nice.x = 3\n");
  CHECK(imported.size() == 3);
  CHECK(imported.at("water.rho").text == "2");
  CHECK(imported.at("water.rho").origin == file.string() + ":3:1");
  CHECK(imported.at("water.ice.x").text == "3");
  const auto complaint_about = [&](const std::string& text) -> std::string {
    try {
      given(text);
    } catch (const cli::CommandFailure& failure) {
      CHECK(failure.exit_code == cli::kWrongProgram);
      return failure.what();
    }
    return "no complaint";
  };
  const std::string name = file.string();
  CHECK(holds(complaint_about("\n  a = [1, 2]\n"), name + ":2:3: `a` is a list"));
  CHECK(holds(complaint_about("a = 2020-01-01\n"), name + ":1:1: `a` is a date or a time"));
  CHECK(holds(complaint_about("a = nan\n"), "`a` is not finite"));
  CHECK(holds(complaint_about("a = \"\"\n"), "the value of `a` is empty"));
  CHECK(holds(complaint_about("a = 1\na = 2\n"), name + ":2:"));
  CHECK(holds(complaint_about("a = \n"), name + ":1:5: this is no TOML"));
  CHECK(holds(complaint_about("a = " + std::string(5000, '[')), name + ":1:"));
  CHECK(holds(complaint_about("a = 99999999999999999999\n"), name + ":1:"));
  CHECK(holds(complaint_about("a = \"\xff\"\n"), name + ": a file of params is UTF-8 text"));
}

TEST_CASE("a line is divided into words as a shell does, and nothing in it is run", "[completion]") {
  using Words = std::vector<std::string>;
  CHECK(cli::shell_words("bgw show ice.bgw ") == Words{"bgw", "show", "ice.bgw", ""});
  CHECK(cli::shell_words("bgw show 'my ice.bgw' F\\[6") == Words{"bgw", "show", "my ice.bgw", "F[6"});
  CHECK(cli::shell_words("bgw show 'F[") == Words{"bgw", "show", "F["});
  CHECK(cli::shell_words("bgw \"a b\"'c' $(date)") == Words{"bgw", "a bc", "$(date)"});
  CHECK(cli::shell_words("bgw ''") == Words{"bgw", ""});
  CHECK(cli::shell_words("") == Words{""});
}
