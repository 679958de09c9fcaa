#include "compiler/source/diagnostic.h"

#include <filesystem>
#include <fstream>
#include <set>

#include "compiler/source/read_source.h"
#include "tests/support/catch.h"

using namespace bgw::source;

namespace {

const SourceMap kProgram("ice.bgw", "bgw 1\nensemble é { kind = nvt; temperature = 0.4 kcal/mol }\r\nlast");

SourceRange place_of(std::string_view text) {
  const std::size_t begin = kProgram.main().text().find(text);
  return {begin, begin + text.size()};
}

Diagnostic energy_for_temperature() {
  return {"E0301",
          Severity::error,
          place_of("0.4 kcal/mol"),
          "energy given where a temperature is expected",
          "energy",
          {{place_of("last"), "read here"}},
          {"`ensemble.temperature` is a temperature"},
          {"write `temperature = 201.3 K`"}};
}

}  // namespace

TEST_CASE("a diagnostic shows its place, both spans, the notes and the way out", "[source]") {
  CHECK(render({energy_for_temperature()}, kProgram, {}) ==
        "error[E0301]: energy given where a temperature is expected\n"
        " --> ice.bgw:2:40\n"
        "  |\n"
        "2 | ensemble é { kind = nvt; temperature = 0.4 kcal/mol }\n"
        "  |                                        ^^^^^^^^^^^^ energy\n"
        "3 | last\n"
        "  | ---- read here\n"
        "  = note: `ensemble.temperature` is a temperature\n"
        "  = help: write `temperature = 201.3 K`\n");
}

TEST_CASE("colour is there only when asked for", "[source]") {
  CHECK(render({energy_for_temperature()}, kProgram, {}).find('\033') == std::string::npos);
  CHECK(render({energy_for_temperature()}, kProgram, {.colour = true}).find('\033') != std::string::npos);
}

TEST_CASE("errors beyond the limit are counted, warnings are shown", "[source]") {
  std::vector<Diagnostic> many(5, energy_for_temperature());
  const std::string text = render(many, kProgram, {.limit = 2});
  CHECK(text.ends_with("... and 3 more errors\n"));
  CHECK(render(many, kProgram, {.limit = 5}).find("more errors") == std::string::npos);
}

TEST_CASE("one mistake is told once, in the order of the source", "[source]") {
  DiagnosticSink sink;
  sink.add(energy_for_temperature());
  sink.add(energy_for_temperature());
  Diagnostic earlier = energy_for_temperature();
  earlier.range = {0, 3};
  earlier.severity = Severity::warning;
  sink.add(earlier);
  CHECK(sink.error_count() == 1);
  CHECK(sink.warning_count() == 1);
  REQUIRE(sink.sorted().size() == 2);
  CHECK(sink.sorted().front().range.begin == 0);
}

TEST_CASE("JSON holds bytes, lines and columns, with quotes and control characters escaped", "[source]") {
  Diagnostic d{"E0109", Severity::error, place_of("last"), "a \"quote\"\nand \\", "", {}, {}, {}};
  CHECK(render_json({d}, kProgram) ==
        R"([{"id":"E0109","severity":"error","file":"ice.bgw","begin":62,"end":66,"line":3,"column":1,"end_line":3,)"
        R"("end_column":5,"utf16":0,"end_utf16":4,"message":"a \"quote\"\u000aand \\","label":"","labels":[],"notes":[],"helps":[]}])");
  CHECK(render_json({}, kProgram) == "[]");
}

TEST_CASE("a place outside the text or in a cut line is still shown", "[source]") {
  const SourceMap file("p", std::string(399, 'x') + "ééé");
  Diagnostic d{"E0109", Severity::error, {10'000, 20'000}, "past the end", "", {}, {}, {}};
  CHECK_FALSE(first_invalid_utf8(render({d}, file, {})));
}

TEST_CASE("a mark far along a line is shown with what surrounds it", "[source]") {
  const std::string before(100'000, 'x');
  const SourceMap file("p", before + " wrong " + before);
  Diagnostic d{"E0109", Severity::error, {100'001, 100'006}, "far", "", {}, {}, {}};
  const std::string said = render({d}, file, {});
  CHECK(said.size() < 1000);
  CHECK(said.find("--> p:1:100002") != std::string::npos);
  const std::size_t text = said.find("1 | ") + 4, marks = said.find("  | ", text) + 4;
  CHECK(said.find("wrong") - text == said.find("^^^^^") - marks);
}

TEST_CASE("the nearest name is at most three edits away", "[source]") {
  const std::vector<std::string> kinds = {"ensemble", "estimate", "train"};
  CHECK(nearest("ensembel", kinds) == "ensemble");
  CHECK(nearest("trian", kinds) == "train");
  CHECK(nearest("polynomial", kinds) == "");
  CHECK(nearest("x", kinds) == "");
}

TEST_CASE("the place of a bad byte counts a byte order mark", "[source]") {
  const auto path = std::filesystem::temp_directory_path() / "bgw_source_test.bgw";
  std::ofstream(path, std::ios::binary) << "\xEF\xBB\xBF" << "bgw \xFF";
  ReadFailure failure;
  CHECK_FALSE(read_source(path.string(), failure));
  CHECK_FALSE(failure.unreadable);
  CHECK(failure.message.find("byte 7 is 0xff") != std::string::npos);
  std::filesystem::remove(path);
  CHECK_FALSE(read_source(path.string(), failure));
  CHECK(failure.unreadable);
}

TEST_CASE("every diagnostic has one id and a title", "[source]") {
  std::set<std::string> ids;
  int count = 0;
#define BGW_DIAGNOSTIC(id, title) \
  ids.insert(#id);                \
  CHECK(std::string(title).size() > 5); \
  ++count;
#include "compiler/source/diagnostic_ids.def"
#undef BGW_DIAGNOSTIC
  CHECK(static_cast<int>(ids.size()) == count);
}
