#include <cmath>
#include <filesystem>
#include <fstream>

#include "compiler/plan/sha256.h"
#include "runtime/foundation/errors.h"
#include "runtime/report/doc_comments.h"
#include "runtime/report/figure_svg.h"
#include "runtime/report/gnuplot.h"
#include "runtime/report/graph_svg.h"
#include "runtime/report/histogram.h"
#include "runtime/report/page.h"
#include "runtime/store/durable_file.h"
#include "tests/support/catch.h"
#include "tests/support/scratch_directory.h"
#include "tests/support/toy_plan.h"

namespace {

using namespace bgw;
using namespace bgw::report;
using schema::List;
using schema::Map;
using schema::Value;

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::size_t occurrences(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

Value simple_figure(const std::string& title) {
  return Map{{"title", title},
             {"series",
              List{Map{{"label", "model"}, {"style", "line"}, {"x", List{1.0, 2.0, 3.0}}, {"y", List{0.5, 2.5, 1.0}}},
                   Map{{"label", "chains"},
                       {"style", "points"},
                       {"x", List{1.0, 2.0}},
                       {"y", List{0.6, 2.4}},
                       {"yerr", List{0.1, nullptr}}}}}};
}

// A base, a training that reads it, an estimate over both, a reference, and a table: one of each part of the page.
struct Program {
  test::ToyPlan toy;
  std::size_t base, train, reference, estimate, table, figure;
  Program() {
    base = add("base", "phonons", "phonons[64]", {{"samples", 150}});
    train = add("train", "bg", "bg", {{"seed", 42}, {"flow", "<b>mode_split</b>"}}, {{"base", base}});
    reference = add("reference", "ref", "ref[64]", {{"seed", 7}}, {{"base", base}});
    estimate = add("estimate", "F", "F[64]", {}, {{"samples", train}, {"data", reference}});
    table = add("table", "free_energy", "free_energy", {}, {{"rows.0", estimate}}, test::kInline);
    figure = add("figure", "rdf", "rdf", {}, {}, test::kInline);
    toy.plan.program = "ice.bgw";
    plan::CheckSpec check;
    check.name = "published[64]";
    check.kind = "expect";
    check.inputs = {{"value", toy.plan.tasks[estimate].key, estimate}};
    check.arguments = Map{{"value", Map{{"op", "attribute"}, {"task", "value"}, {"name", "per_particle"}}},
                          {"reference", Map{{"op", "const"}, {"value", -25.16311}}},
                          {"sigmas", 4.0},
                          {"source", "Table 1"}};
    toy.plan.checks.push_back(check);
  }

  std::size_t add(const std::string& kind, const std::string& block, const std::string& name, Map arguments,
                  const std::map<std::string, std::size_t>& inputs = {}, const test::ToyOptions& options = {}) {
    const std::size_t task = toy.add(name, kind, std::move(arguments), inputs, options);
    toy.plan.tasks[task].presentation = Map{{"block", block}, {"energy_unit", "kcal/mol"}};
    return task;
  }

  PageRequest request() const {
    return {toy.plan,
            toy.all(),
            {0},
            "bgw 1\n\n## Cubic ice & its <free> energy.\n## Two lines.\n\n## Trained once.\ntrain bg {\n",
            [](const std::string& name) { return "bgw run ice.bgw '" + name + "'"; }};
  }

  void publish(store::Cache& cache, std::size_t task, const artifacts::Artifact& artifact) const {
    const plan::TaskSpec& spec = toy.plan.tasks[task];
    store::make_directories(cache.layout().work(spec.key));
    store::Provenance provenance;
    provenance.started = 1'790'000'000'000'000;
    provenance.ended = provenance.started + 12'000'000;
    provenance.host = "secret-host";
    cache.objects().publish(spec, artifact, provenance);
  }

  void publish_all(store::Cache& cache) const;
};

std::vector<double> bell(double centre, double width) {
  std::vector<double> values;
  for (int i = 0; i < 2000; ++i)
    values.push_back(centre + width * std::sin(i * 1.7) * std::sqrt(-2 * std::log((i + 1) / 2001.0)));
  return values;
}

void Program::publish_all(store::Cache& cache) const {
  artifacts::Artifact fitted;
  fitted.results = {{"bound", -25.10, 0.002, "kT", 150, "beta F / N, Lambda = sigma"},
                    {"mean_energy", 0.26838, 0.00001, "eV", {}, ""}};
  fitted.cost = {0, 300, 40, 1.25};
  publish(cache, base, fitted);
  artifacts::Artifact trained;
  for (int step = 1; step <= 60; ++step) {
    trained.arrays["history/step"].integers.push_back(step);
    trained.arrays["history/loss"].doubles.push_back(-25.1 - 0.06 * (1 - std::exp(-step / 15.0)) +
                                                     0.002 * std::sin(step * 1.0));
    trained.arrays["history/ess"].doubles.push_back(0.6 * (1 - std::exp(-step / 20.0)));
  }
  for (auto& [name, array] : trained.arrays) array.shape = {60};
  trained.results = {{"loss", -25.158, 0.001, "kT", 960, ""}, {"ess", 0.5712345, {}, "", {}, ""}};
  trained.cost = {0, 1'234'567, 0, 62};
  publish(cache, train, trained);
  artifacts::Artifact sampled;
  sampled.results = {{"per_particle", -25.1630, 0.0002, "kT", 1024, "beta F / N, Lambda = sigma"}};
  sampled.arrays["overlap_matrix"] = {{3, 3}, {0.8, 0.2, 0.0, 0.2, 0.6, 0.2, 0.0, 0.25, 0.75}, {}, ""};
  publish(cache, reference, sampled);
  artifacts::Artifact estimated;
  estimated.results = {{"per_particle", -25.16313, 0.00006, "kT", 4000, "beta F / N, Lambda = sigma"}};
  estimated.arrays["work_forward"] = {{2000}, bell(-1610, 1.2), {}, "kT"};
  estimated.arrays["work_reverse"] = {{2000}, bell(-1611, 1.1), {}, "kT"};
  publish(cache, estimate, estimated);
  const Value cell = Map{{"value", -25.16313}, {"sigma", 0.00006}, {"unit", "kT"}};
  cache.records().put_rows({}, {{&toy.plan.tasks[table],
                          Map{{"indices", List{"n"}},
                              {"columns", List{Map{{"name", "generator"}, {"unit", nullptr}, {"digits", "auto"}}}},
                              {"rows", List{Map{{"index", Map{{"n", 64}}}, {"cells", List{cell}}}}}}}});
  cache.records().put_rows({}, {{&toy.plan.tasks[figure], simple_figure("g(r) <of> ice")}});
}

}  // namespace

TEST_CASE("an SVG of a figure holds its labels and takes its text colour from the page", "[report]") {
  const std::string svg = draw_svg(simple_figure("radial distribution"));
  CHECK(svg.starts_with("<svg"));
  for (const char* text : {"radial distribution", "model", "chains"}) CHECK(holds(svg, text));
  CHECK(holds(svg, "currentColor"));
  CHECK_FALSE(holds(svg, "\"black\""));
  CHECK_FALSE(holds(svg, "NaN"));
  CHECK_FALSE(holds(svg, " color='#FFFFFF'"));  // no white disc over what lies behind a point
}

TEST_CASE("a band goes there on one side and back on the other, and ends where no error is known", "[report]") {
  const Value figure = Map{{"series", List{Map{{"label", "line"}, {"style", "line"}, {"band", true}, {"x", List{1.0, 2.0, 3.0, 4.0, 5.0}}, {"y", List{10.0, 20.0, 30.0, 40.0, 50.0}}, {"yerr", List{1.0, 2.0, nullptr, 4.0, 5.0}}},
                                           Map{{"label", "coexistence"}, {"style", "line"}, {"band", true}, {"x", List{5.0, 6.0}}, {"y", List{100.0, 200.0}}, {"xerr", List{0.5, 0.25}}}}}};
  const std::string script = figure_script(figure);
  CHECK(holds(script, "$band0 << END\n1 11\n2 22\n2 18\n1 9\n\n4 44\n5 55\n5 45\n4 36\n\nEND\n"));
  CHECK(holds(script, "$band1 << END\n4.5 100\n5.75 200\n6.25 200\n5.5 100\n\nEND\n"));
  CHECK_FALSE(holds(script, "with vectors"));  // no bars on top
  const std::string svg = draw_svg(figure);
  CHECK(occurrences(svg, "fill-opacity = '0.250000'") == 3);  // two pieces of one band and the other
  for (const char* text : {"line", "coexistence"}) CHECK(holds(svg, text));
}

TEST_CASE("errors of curves and of abscissae are bars", "[report]") {
  const auto script = [](const char* which) {
    return figure_script(Map{{"series", List{Map{{"label", "g"}, {"style", "line"}, {"x", List{1.0, 2.0}}, {"y", List{5.0, 6.0}}, {which, List{0.5, nullptr}}}}}});
  };
  CHECK(holds(script("yerr"), "1 5 0.5 0\n2 6 NaN 0\n"));
  CHECK(holds(script("yerr"), "using 1:($2-$3):(0):(2*$3) with vectors nohead"));
  CHECK(holds(script("xerr"), "1 5 0 0.5\n2 6 0 NaN\n"));
  CHECK(holds(script("xerr"), "using ($1-$4):2:(2*$4):(0) with vectors nohead"));
}

TEST_CASE("a plane is coloured by its words, in cells around the places of its grid", "[report]") {
  const Value figure = Map{{"xlabel", "P (GPa)"},
                           {"series", List{Map{{"label", "domain"}, {"style", "fill"}, {"x", List{8.0, 9.0, 11.0}}, {"y", List{300.0, 500.0}}, {"words", List{"diamond", "beta_tin"}}, {"places", List{0, 0, 1, 0, 1, -1}}},
                                           Map{{"label", "line"}, {"style", "points"}, {"x", List{9.5}}, {"y", List{400.0}}}}}};
  const std::string script = figure_script(figure);
  CHECK(holds(script, "set xrange [8:11]\nset yrange [300:500]\n"));
  CHECK(occurrences(script, "set object rectangle") == 4);
  CHECK(holds(script, "rectangle from 8,300 to 10,400 behind fillcolor rgb '#0072b2'"));  // two places of one word
  CHECK(holds(script, "rectangle from 10,300 to 11,400 behind fillcolor rgb '#d55e00'"));
  CHECK(holds(script, "rectangle from 8.5,400 to 10,500 behind fillcolor rgb '#d55e00'"));
  const std::string svg = draw_svg(figure);
  for (const char* text : {"diamond", "beta_tin", "line"}) CHECK(holds(svg, text));
  CHECK_FALSE(holds(svg, "domain"));
}

TEST_CASE("a label cannot leave its place in the gnuplot script", "[report]") {
  const std::filesystem::path canary = std::filesystem::temp_directory_path() / "bgw-gnuplot-canary";
  std::filesystem::remove(canary);
  const std::string command = "touch " + canary.string();
  const std::string title =
      "it's `" + command + "` \"$(" + command + ")\"\n!" + command + "\n'; system('" + command + "'); '";
  const std::string svg = draw_svg(simple_figure(title));
  CHECK_FALSE(std::filesystem::exists(canary));
  CHECK(holds(svg, "touch"));
  CHECK(gnuplot_string("it's\nso") == "'it''s so'");
}

TEST_CASE("what gnuplot has to say about a script is the message", "[report]") {
  CHECK_THROWS_WITH(run_gnuplot("plot nonsense(\n"), Catch::Contains("gnuplot"));
}

TEST_CASE("a missing gnuplot names the package", "[report]") {
  ::setenv("BGW_GNUPLOT", "no-such-gnuplot", 1);
  CHECK_THROWS_WITH(run_gnuplot("plot x\n"), Catch::Contains("gnuplot-nox"));
  ::unsetenv("BGW_GNUPLOT");
}

TEST_CASE("a histogram is a density: its area is one, whatever the range", "[report]") {
  const std::vector<double> values = bell(3, 2);
  const Range range = common_range({&values});
  const Value series = histogram_series("w", values, range.low, range.high);
  const List& x = series.at("x").as_list();
  const List& y = series.at("y").as_list();
  double area = 0;
  for (std::size_t i = 0; i + 1 < x.size(); ++i)
    area += 0.5 * (y[i].as_double() + y[i + 1].as_double()) * (x[i + 1].as_double() - x[i].as_double());
  CHECK(area == Approx(1));
}

TEST_CASE("the range of values passes over what is no number and is never empty", "[report]") {
  const std::vector<double> values{1.0, std::nan(""), INFINITY, -2.0}, one{4.0}, none;
  CHECK(common_range({&values}).low == -2);
  CHECK(common_range({&values}).high == 1);
  CHECK(common_range({&one}).low < common_range({&one}).high);
  CHECK(common_range({&none}).low < common_range({&none}).high);
}

TEST_CASE("doc comments are read with what they stand before", "[report]") {
  const std::vector<DocComment> comments = doc_comments(
      "bgw 1\n\n## About\n## ice.\nparam T : temperature = 200 K # no\n\n## Trained.\ntrain bg[n in size] {\n");
  REQUIRE(comments.size() == 2);
  CHECK(comments[0].text == "About ice.");
  CHECK(comments[0].subject.empty());
  CHECK(comments[1].subject == "train bg");
}

TEST_CASE("the graph has one box a family", "[report]") {
  const Program program;
  const std::string svg = draw_graph(program.toy.plan, program.toy.all(), std::vector<bool>(6));
  CHECK(occurrences(svg, "<rect") == 6);
  CHECK(occurrences(svg, "<path") == 5);
}

TEST_CASE("the page of a program without results names the commands that make them", "[report]") {
  const test::ScratchDirectory scratch;
  store::Cache cache = store::Cache::look(scratch.path() / "nothing");
  const std::string page = make_page(Program().request(), cache);
  CHECK(holds(page, "bgw run ice.bgw &apos;F[64]&apos;"));
  CHECK(holds(page, "0 of 6"));
  CHECK(holds(page, "F[64] has no result yet"));
  CHECK_FALSE(holds(page, scratch.path().string()));
  CHECK_FALSE(std::filesystem::exists(scratch.path() / "nothing"));
}

TEST_CASE("the page shows every number with its error, the verdicts, the curves and where it all comes from",
          "[report]") {
  const test::ScratchDirectory scratch;
  store::Cache cache = store::Cache::open(scratch.path() / "cache");
  const Program program;
  program.publish_all(cache);
  const std::string page = make_page(program.request(), cache);
  if (const char* keep = std::getenv("BGW_KEEP_PAGE")) std::ofstream(keep) << page;
  CHECK(holds(page, "-25.16313(6)"));
  CHECK(holds(page, "6.1890(2)"));  // eV in the unit of the potential, kcal/mol
  CHECK(holds(page, ">0.5712<"));  // a fraction without an error bar
  CHECK(holds(page, ">holds<"));
  CHECK(occurrences(page, "href=\"#convention-1\"") == 3);
  CHECK(occurrences(page, "id=\"convention-") == 1);
  CHECK(holds(page, "Cubic ice &amp; its &lt;free&gt; energy. Two lines."));
  CHECK(holds(page, "&lt;b&gt;mode_split"));
  CHECK_FALSE(holds(page, "<b>mode_split"));
  CHECK(holds(page, program.toy.plan.tasks[program.estimate].key.hex()));
  CHECK(occurrences(page, "<svg") >= 5);                                        // figure, loss, ess, work, graph
  CHECK(holds(page, "0.250"));                                                  // of the overlap matrix
  CHECK(occurrences(page, "http") == occurrences(page, "http://www.w3.org/"));  // names of SVG, never fetched
  CHECK_FALSE(holds(page, "<script"));
  CHECK_FALSE(holds(page, "missing</span>"));
}

TEST_CASE("a damaged object costs its pictures, not the page", "[report]") {
  const test::ScratchDirectory scratch;
  store::Cache cache = store::Cache::open(scratch.path() / "cache");
  const Program program;
  program.publish_all(cache);
  const std::filesystem::path file = cache.layout().object(program.toy.plan.tasks[program.estimate].key) / "result.h5";
  std::filesystem::permissions(file, std::filesystem::perms::owner_write, std::filesystem::perm_options::add);
  std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
  bytes.seekp(100);
  bytes.put('x');
  bytes.close();
  const std::string page = make_page(program.request(), cache);
  CHECK(holds(page, "damaged"));
  CHECK(holds(page, "0.250"));
}
