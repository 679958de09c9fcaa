#include <cmath>
#include <functional>
#include <set>

#include "tests/compiler/compiled.h"

using namespace bgw;
using schema::Map;
using schema::Value;
using tests::compile_right;
using tests::compile_text;
using tests::Files;
using tests::first_id;
using tests::task_named;

namespace {

constexpr double kBoltzmann = 8.617333262145e-5;           // eV/K, exact since 2019 to these digits
constexpr double kAtomicUnit = 1.66053906660e-27 / 1.602176634e-29;  // kg in eV fs^2/angstrom^2

const std::string kMw = "potential mw { style = stillinger_weber; epsilon = 6.189 kcal/mol; sigma = 2.3925 angstrom; lambda = 23.15 }\n";
const std::string kIce = "lattice ice { kind = diamond_cubic; atoms = 64; density = 0.0336 /angstrom^3 }\n";
const std::string kWater = "system water { potential = mw; lattice = ice; mass = 18.015 g/mol }\n";
const std::string kCold = "ensemble cold { kind = nvt; temperature = 200 K }\n";
const std::string kPhonons = "base phonons { kind = scha; system = water; ensemble = cold }\n";
const std::string kWhole = "bgw 1\n" + kMw + kIce + kWater + kCold + kPhonons;

std::set<std::string> keys(const lowering::Program& program) {
  std::set<std::string> all;
  for (const plan::TaskSpec& task : program.plan.tasks) all.insert(task.key.hex());
  return all;
}

std::string id_of(const std::string& text, const Files& files = {}) { return first_id(compile_text(text, files)); }

/// The value of an expression of sums and products over results, each known by the name of its task.
double evaluated(const Value& expression, const plan::TaskSpec& of, const lowering::Program& program, const std::map<std::string, double>& results) {
  const auto inner = [&](const Value& part) { return evaluated(part, of, program, results); };
  const std::string& op = expression.at("op").as_string();
  if (op == "const") return expression.at("value").as_double();
  if (op == "attribute") {
    for (const plan::TaskInput& input : of.inputs) {
      if (input.role == expression.at("task").as_string()) return results.at(program.plan.tasks[input.task].name);
    }
    FAIL("no input " << expression.at("task").as_string());
  }
  const schema::List& args = expression.at("args").as_list();
  if (op == "multiply") return inner(args[0]) * inner(args[1]);
  if (op == "subtract") return inner(args[0]) - inner(args[1]);
  REQUIRE(op == "call");
  REQUIRE(expression.at("name").as_string() == "mean");
  double sum = 0.0;
  const schema::List& items = args[0].at("items").as_list();
  for (const Value& item : items) sum += inner(item);
  return sum / static_cast<double>(items.size());
}

}  // namespace

// ---------- imports ----------

TEST_CASE("a value block of an imported file is that block, under the name of the file or the one after `as`", "[modules]") {
  const Files files{{"lib/mw.bgw", "bgw 1\n" + kMw}};
  const std::string rest = kIce + kCold + kPhonons;
  const auto whole = keys(compile_right(kWhole));
  CHECK(keys(compile_right("bgw 1\nimport \"lib/mw.bgw\"\nsystem water { potential = mw.mw; lattice = ice; mass = 18.015 g/mol }\n" + rest, files)) == whole);
  CHECK(keys(compile_right("bgw 1\nimport \"lib/mw.bgw\" as monatomic\nsystem water { potential = monatomic.mw; lattice = ice; mass = 18.015 g/mol }\n" + rest, files)) == whole);
  CHECK(keys(compile_right("bgw 1\nimport \"lib/mw.bgw\" as m\nsystem water { potential = m.potential.mw; lattice = ice; mass = 18.015 g/mol }\n" + rest, files)) == whole);
}

TEST_CASE("a library imports another, whose path is seen from it", "[modules]") {
  const Files files{{"lib/parts/mw.bgw", "bgw 1\n" + kMw},
                    {"lib/water.bgw", "bgw 1\nimport \"parts/mw.bgw\" as p\n" + kIce + "system water { potential = p.mw; lattice = ice; mass = 18.015 g/mol }\n"}};
  const auto program = compile_right("bgw 1\nimport \"lib/water.bgw\" as lib\n" + kCold + "base phonons { kind = scha; system = lib.water; ensemble = cold }\n", files);
  CHECK(keys(program) == keys(compile_right(kWhole)));
  std::vector<std::string> paths;
  for (const auto& import : program.plan.imports) paths.push_back(import.path);
  CHECK(paths == std::vector<std::string>{"lib/water.bgw", "lib/parts/mw.bgw"});
  // What a library imports is its own affair.
  CHECK(id_of("bgw 1\nimport \"lib/water.bgw\" as lib\nsystem other { potential = lib.p.mw; lattice = lib.ice }\n", files) == "E0207");
}

TEST_CASE("a file that two others import is one module", "[modules]") {
  const Files files{{"rho.bgw", "bgw 1\nparam rho : density = 0.0336 /angstrom^3\n"},
                    {"a.bgw", "bgw 1\nimport \"rho.bgw\" as r\nlet one = r.rho\n"},
                    {"b.bgw", "bgw 1\nimport \"./rho.bgw\" as r\nlet two = r.rho\n"}};
  const std::string text = "bgw 1\nimport \"a.bgw\" as a\nimport \"b.bgw\" as b\nimport \"rho.bgw\" as r\n"
                           "require a.one == b.two and b.two == r.rho\n";
  CHECK(compile_text(text, files).said.empty());
  // One param, whatever the way to it; it has the name of the first.
  const auto changed = compile_text(text, files, {{"a.r.rho", "0.034/angstrom^3"}});
  CHECK(changed.program);
  CHECK(compile_right(text, files).plan.imports.size() == 3);
}

TEST_CASE("files that import each other, or cannot be read, are told", "[modules]") {
  CHECK(id_of("bgw 1\nimport \"a.bgw\"\n", {{"a.bgw", "bgw 1\nimport \"b.bgw\"\n"}, {"b.bgw", "bgw 1\nimport \"a.bgw\"\n"}}) == "E0222");
  CHECK(id_of("bgw 1\nimport \"program.bgw\" as again\n", {{"program.bgw", ""}}) == "E0222");
  CHECK(id_of("bgw 1\nimport \"lib/none.bgw\"\n") == "E0219");
  CHECK(id_of("bgw 1\nimport \"lib/3d.bgw\"\n", {{"lib/3d.bgw", "bgw 1\nlet a = 1\n"}}) == "E0219");
  CHECK(id_of("bgw 1\nimport \"a.bgw\" as x\nimport \"b.bgw\" as x\n", {{"a.bgw", "bgw 1\nlet a = 1\n"}, {"b.bgw", "bgw 1\nlet b = 1\n"}}) == "E0206");
  CHECK(id_of("bgw 1\nimport \"a.bgw\" as a\nlet x = a.nothing\n", {{"a.bgw", "bgw 1\nlet a = 1\n"}}) == "E0207");
  CHECK(id_of("bgw 1\nimport \"a.bgw\" as a\nlet x = a\n", {{"a.bgw", "bgw 1\nlet b = 1\n"}}) == "E0215");
}

TEST_CASE("a mistake in an imported file is shown there", "[modules]") {
  const auto compiled = compile_text("bgw 1\nimport \"lib.bgw\" as lib\n" + kCold + "base b { kind = scha; system = lib.water; ensemble = cold }\n",
                                     {{"lib.bgw", "bgw 1\n" + kMw + "lattice ice { kind = diamond_cubic; atoms = 65; density = 0.0336 /angstrom^3 }\n" + kWater}});
  CHECK_FALSE(compiled.program);
  CHECK(first_id(compiled) == "E0401");
  CHECK(compiled.said.find("--> lib.bgw:3:") != std::string::npos);
}

TEST_CASE("params of imported files are given from outside by their full name", "[modules]") {
  const Files files{{"lib/mw.bgw", "bgw 1\nparam rho : density = 0.0336 /angstrom^3 in 0.03 /angstrom^3 .. 0.04 /angstrom^3\n" + kMw +
                                       "lattice ice { kind = diamond_cubic; atoms = 64; density = rho }\n" + kWater}};
  const std::string text = "bgw 1\nimport \"lib/mw.bgw\" as water\n" + kCold + "base phonons { kind = scha; system = water.water; ensemble = cold }\n";
  const auto changed = compile_right(text, files, {{"water.rho", "0.034/angstrom^3"}});
  CHECK(task_named(changed, "phonons").arguments.at("system").at("lattice").at("density").as_double() == 0.034);
  CHECK(changed.plan.overridden.count("water.rho") == 1);
  CHECK(first_id(compile_text(text, files, {{"rho", "0.034/angstrom^3"}})) == "E0216");
  CHECK(first_id(compile_text(text, files, {{"water.rho", "0.05/angstrom^3"}})) == "E0307");
  CHECK(first_id(compile_text(text, files, {{"water.rho", "200 K"}})) == "E0311");
}

TEST_CASE("families, functions and axes are imported with what they need", "[modules]") {
  const Files files{{"lib.bgw", "bgw 1\naxis size : int = [64, 216]\nlet scale = 2\nfn doubled(a: int) -> int = scale * a\n" + kMw +
                                    "lattice ice[n in size] { kind = diamond_cubic; atoms = n; density = 0.0336 /angstrom^3 }\n"
                                    "system water[n in size] { potential = mw; lattice = ice[n]; mass = 18.015 g/mol }\n"}};
  const auto program = compile_right("bgw 1\nimport \"lib.bgw\" as lib\nlet scale = 100\n" + kCold +
                                         "base phonons { kind = scha; system = lib.water[64]; ensemble = cold; samples = lib.doubled(scale) }\n",
                                     files);
  CHECK(task_named(program, "phonons").arguments.at("samples").as_int() == 200);
  CHECK(task_named(program, "phonons").arguments.at("system").at("lattice").at("atoms").as_int() == 64);
  CHECK(id_of("bgw 1\nimport \"lib.bgw\" as lib\n" + kCold + "base phonons { kind = scha; system = lib.water[512]; ensemble = cold }\n", files) == "E0209");
}

// ---------- extends ----------

namespace {

const std::string kTraining = kWhole + "flow ours { type = mode_split }\n";
const std::string kOwn = "system = water; ensemble = cold; base = phonons; flow = ours; seed = 1";

}  // namespace

TEST_CASE("what a block writes itself stands, the rest is that of the block it extends", "[modules]") {
  const auto program = compile_right(kTraining + "train first { " + kOwn + "; stage main { loss = reverse_kl; steps = 50; batch = 8 }\n  checkpoint { every = 10 s; keep = 5 } }\n" +
                                     "train second extends first { seed = 2; checkpoint { keep = 3 } }\n"
                                     "train third extends second { stage other { loss = reverse_kl(gradient = total); steps = 10 } }\n");
  const plan::TaskSpec &second = task_named(program, "second"), &third = task_named(program, "third");
  CHECK(second.arguments.at("seed").as_int() == 2);
  CHECK(second.arguments.at("stages") == task_named(program, "first").arguments.at("stages"));
  CHECK(second.arguments.at("flow") == task_named(program, "first").arguments.at("flow"));
  // Of checkpoint each attribute is taken by itself; stages are taken as a whole or not at all.
  CHECK(second.policy.at("checkpoint").at("keep").as_int() == 3);
  CHECK(second.policy.at("checkpoint").at("every_s").as_double() == Approx(10.0));
  CHECK(third.arguments.at("seed").as_int() == 2);
  REQUIRE(third.arguments.at("stages").as_list().size() == 1);
  CHECK(third.arguments.at("stages").as_list()[0].at("name").as_string() == "other");
  CHECK(third.arguments.at("stages").as_list()[0].at("batch").as_int() == 16);
  CHECK(third.policy.at("checkpoint").at("keep").as_int() == 3);
}

TEST_CASE("extends says the same as writing the attributes out", "[modules]") {
  const std::string stage = "stage main { loss = reverse_kl; steps = 50 }";
  const auto out = compile_right(kTraining + "train bg { " + kOwn + "; " + stage + " }\nsample draws { model = bg; count = 100; batch = 500; seed = 3 }\n");
  const auto built = compile_right(kTraining + "train bg extends std.train { " + kOwn + "; " + stage + " }\nsample draws extends std.sample { model = bg; count = 100; seed = 3 }\n");
  CHECK(keys(out) == keys(built));
  CHECK(task_named(built, "bg").policy.at("retry").at("attempts").as_int() == 3);
}

TEST_CASE("a member of a family extends a member of another", "[modules]") {
  const std::string families = "bgw 1\naxis size : int = [64, 216]\nlet few = 20\n" + kMw + kCold +
                               "lattice ice[n in size] { kind = diamond_cubic; atoms = n; density = 0.0336 /angstrom^3 }\n"
                               "system water[n in size] { potential = mw; lattice = ice[n]; mass = 18.015 g/mol }\n"
                               "base phonons[k in size] { kind = scha; system = water[k]; ensemble = cold; samples = few * k }\n";
  const auto program = compile_right(families + "base again[n in size] extends phonons[n] { relax_sites = false }\nbase one extends phonons[216] { samples = 10 }\n");
  CHECK(task_named(program, "again[216]").arguments.at("samples").as_int() == 4320);
  CHECK_FALSE(task_named(program, "again[216]").arguments.at("relax_sites").as_bool());
  CHECK(task_named(program, "one").arguments.at("system") == task_named(program, "phonons[216]").arguments.at("system"));
  CHECK(id_of(families + "base again[n in size] extends phonons { relax_sites = false }\n") == "E0211");
  CHECK(id_of(families + "base again extends phonons[*] { relax_sites = false }\n") == "E0211");
}

TEST_CASE("a block extends one of its kind, and not itself", "[modules]") {
  CHECK(id_of(kTraining + "train odd extends ours { seed = 3 }\n") == "E0221");
  CHECK(id_of(kTraining + "train odd extends nobody { seed = 3 }\n") == "E0207");
  CHECK(id_of("bgw 1\nensemble a extends b { kind = nvt; temperature = 1 K }\nensemble b extends c { kind = nvt; temperature = 1 K }\n"
              "ensemble c extends a { kind = nvt; temperature = 1 K }\n") == "E0210");
  CHECK(id_of("bgw 1\nensemble a extends a { kind = nvt; temperature = 1 K }\n") == "E0210");
}

TEST_CASE("an incomplete block of another file is there to be extended", "[modules]") {
  const Files files{{"lib.bgw", "bgw 1\nlet often = 10 s\ntrain careful { stage main { loss = reverse_kl; steps = 70 }; checkpoint { every = often } }\n"}};
  const auto program = compile_right("bgw 1\nimport \"lib.bgw\" as lib\n" + kTraining.substr(6) + "train bg extends lib.careful { " + kOwn + " }\n", files);
  CHECK(task_named(program, "bg").arguments.at("stages").as_list()[0].at("steps").as_int() == 70);
  CHECK(task_named(program, "bg").policy.at("checkpoint").at("every_s").as_double() == Approx(10.0));
}

TEST_CASE("two blocks of one kind and name are one mistake", "[modules]") {
  const auto compiled = compile_text(kWhole + "ensemble cold { kind = nvt; temperature = 250 K }\n");
  REQUIRE(compiled.diagnostics.size() == 1);
  CHECK(compiled.diagnostics[0].id == "E0206");
}

TEST_CASE("a name that is that of a unit is one mistake", "[modules]") {
  const std::vector<std::string> wrong{kWhole + "let s = water\nbase again { kind = phonon; system = s; ensemble = cold }\n",
                                       kWhole + "axis g : int = [1, 2]\nbase again[i in g] { kind = phonon; system = water; ensemble = cold }\n",
                                       "bgw 1\nparam K : temperature = 3\nensemble e { kind = nvt; temperature = K }\n"};
  for (const std::string& text : wrong) {
    const auto compiled = compile_text(text);
    INFO(compiled.said);
    REQUIRE(compiled.diagnostics.size() == 1);
    CHECK(compiled.diagnostics[0].id == "E0213");
  }
}

// ---------- stages and neighbours ----------

TEST_CASE("a stage whose `when` is false is not in the task, and prev of the first is none", "[modules]") {
  const auto program = compile_right("bgw 1\naxis size : int = [64, 216]\n" + kMw + kCold +
                                     "lattice ice[n in size] { kind = diamond_cubic; atoms = n; density = 0.0336 /angstrom^3 }\n"
                                     "system water[n in size] { potential = mw; lattice = ice[n]; mass = 18.015 g/mol }\n"
                                     "base phonons[n in size] { kind = scha; system = water[n]; ensemble = cold }\nflow ours { type = mode_split }\n"
                                     "train bg[n in size] { system = water[n]; ensemble = cold; base = phonons[n]; flow = ours; seed = derive(1, n); warm_start = bg[prev(n)]\n"
                                     "  stage pretrain { when = first(n); loss = reverse_kl; steps = 10 }\n"
                                     "  stage main { loss = reverse_kl; steps = if last(n) then 30 else 20 } }\n");
  const plan::TaskSpec &small = task_named(program, "bg[64]"), &large = task_named(program, "bg[216]");
  const auto stages = [](const plan::TaskSpec& task) {
    std::string names;
    for (const Value& stage : task.arguments.at("stages").as_list()) {
      CHECK(stage.find("when") == nullptr);
      names += stage.at("name").as_string() + " " + std::to_string(stage.at("steps").as_int()) + "; ";
    }
    return names;
  };
  CHECK(stages(small) == "pretrain 10; main 20; ");
  CHECK(stages(large) == "main 30; ");
  CHECK_FALSE(small.arguments.has("warm_start"));
  CHECK(large.arguments.at("warm_start").at("task").as_string() == "warm_start");
  CHECK(small.later.empty());
  CHECK(large.later.empty());
}

// ---------- fits ----------

namespace {

const std::string kSizes = "bgw 1\naxis size : int = [64, 216, 512]\n" + kMw + kCold +
                           "lattice ice[n in size] { kind = diamond_cubic; atoms = n; density = 0.0336 /angstrom^3 }\n"
                           "system water[n in size] { potential = mw; lattice = ice[n]; mass = 18.015 g/mol }\n"
                           "base phonons[n in size] { kind = scha; system = water[n]; ensemble = cold }\n"
                           "reference ref[n in size] { system = water[n]; ensemble = cold; path = base_to_target(phonons[n], states = 3)\n"
                           "  sampler = hmc(chains = 16, steps = 64); seed = derive(1, n) }\n";

const std::map<std::string, double> kAnswers{{"ref[64]", -25.1631}, {"ref[216]", -25.0823}, {"ref[512]", -25.0611}};

/// A parameter of a fit to these answers.
double fitted(const std::string& model, const std::string& parameter) {
  const auto program = compile_right(kSizes + "table t { column c { value = fit(ref[*].per_particle, model = \"" + model + "\")." + parameter + " } }\n");
  const plan::TaskSpec& table = task_named(program, "t");
  return evaluated(table.arguments.at("rows").as_list()[0].at("cells").as_list()[0], table, program, kAnswers);
}

/// Straight line through y against x by hand: slope and the value at zero.
struct Line { double intercept, slope; };
Line line(const std::function<double(double)>& x_of, const std::function<double(double)>& offset) {
  const double sizes[] = {64, 216, 512};
  double xm = 0, ym = 0, xy = 0, xx = 0;
  const auto y_of = [&](double n) { return kAnswers.at("ref[" + std::to_string(static_cast<int>(n)) + "]") - offset(n); };
  for (const double n : sizes) {
    xm += x_of(n) / 3;
    ym += y_of(n) / 3;
  }
  for (const double n : sizes) {
    xy += (x_of(n) - xm) * (y_of(n) - ym);
    xx += (x_of(n) - xm) * (x_of(n) - xm);
  }
  return {ym - xy / xx * xm, xy / xx};
}

}  // namespace

TEST_CASE("a fit is least squares against the index", "[modules]") {
  const auto none = [](double) { return 0.0; };
  const Line inverse = line([](double n) { return 1 / n; }, none);
  CHECK(fitted("a + b/n", "a") == Approx(inverse.intercept).epsilon(1e-12));
  CHECK(fitted("a + b/n", "b") == Approx(inverse.slope).epsilon(1e-10));
  const Line logarithmic = line([](double n) { return std::log(n) / n; }, none);
  CHECK(fitted("f + g*log(n)/n", "g") == Approx(logarithmic.slope).epsilon(1e-10));
  // What stands without a parameter is taken off the results first.
  const Line shifted = line([](double n) { return n; }, [](double n) { return 3 * std::sqrt(n); });
  CHECK(fitted("a + b*n + 3*sqrt(n)", "a") == Approx(shifted.intercept).epsilon(1e-12));
  CHECK(fitted("a + b*n + 3*sqrt(n)", "b") == Approx(shifted.slope).epsilon(1e-10));
  // One parameter is the mean; three go through all points.
  CHECK(fitted("m + 0*n", "m") == Approx((-25.1631 - 25.0823 - 25.0611) / 3).epsilon(1e-14));
  const double a = fitted("a + b/n + c/n^2", "a"), b = fitted("a + b/n + c/n^2", "b"), c = fitted("a + b/n + c/n^2", "c");
  CHECK(a + b / 216 + c / (216.0 * 216.0) == Approx(-25.0823).epsilon(1e-11));
}

TEST_CASE("a fit that cannot be made is told", "[modules]") {
  const auto id = [](const std::string& call) { return id_of(kSizes + "let f = " + call + "\n"); };
  CHECK(id("fit(ref[*].per_particle, model = \"a^2 + b/n\")") == "E0220");
  CHECK(id("fit(ref[*].per_particle, model = \"a + b\")") == "E0220");
  CHECK(id("fit(ref[*].per_particle, model = \"a + b/n + c/n^2 + d*n\")") == "E0220");
  CHECK(id("fit(ref[*].per_particle, model = \"a*n + b*n\")") == "E0220");
  CHECK(id("fit(ref[*].per_particle, model = \"a + log(n - 64)*b\")") == "E0220");
  CHECK(id("fit(ref[*].per_particle, model = \"a +\")") == "E0220");
  CHECK(id("fit(ref[64].per_particle, model = \"a + b/n\")") == "E0220");
  CHECK(id("fit(model = \"a + b/n\")") == "E0220");
  CHECK(id("fit(ref[*].per_particle, model = \"a + b/n\").c") == "E0215");
}

// ---------- states ----------

namespace {

const std::string kBand = "bgw 1\n" + kMw + "lattice ice { kind = diamond_cubic; atoms = 64; density = 0.033 /angstrom^3 .. 0.034 /angstrom^3 }\n" + kWater +
                          "ensemble band { kind = nvt; temperature = 150 K .. 250 K }\nbase phonons { kind = scha; system = water; ensemble = band }\n";

}  // namespace

TEST_CASE("an interval where a number is expected stays one", "[modules]") {
  const auto program = compile_right(kBand + "potential soft { style = stillinger_weber; epsilon = 6.189 kcal/mol; sigma = 2.3925 angstrom; lambda = 18 .. 25 }\n"
                                             "system other { potential = soft; lattice = ice }\nbase more { kind = phonon; system = other; ensemble = band }\n");
  const Value& arguments = task_named(program, "more").arguments;
  CHECK(arguments.at("ensemble").at("temperature") == Value(Map{{"interval", schema::List{150.0, 250.0}}}));
  CHECK(arguments.at("system").at("lattice").at("density") == Value(Map{{"interval", schema::List{0.033, 0.034}}}));
  CHECK(arguments.at("system").at("potential").at("lambda") == Value(Map{{"interval", schema::List{18.0, 25.0}}}));
  CHECK(task_named(program, "phonons").later.empty());
}

TEST_CASE("at() is the block with that number written in it", "[modules]") {
  const std::string fixed = "bgw 1\n" + kMw + "lattice ice { kind = diamond_cubic; atoms = 64; density = 0.0336 /angstrom^3 }\n" + kWater + kCold + kPhonons +
                            "reference ref { system = water; ensemble = cold; path = base_to_target(phonons, states = 3); sampler = hmc(chains = 16, steps = 64); seed = 1 }\n";
  const std::string open = kBand + "let rho = 0.0336 /angstrom^3\n"
                                   "reference ref { system = at(water, density = rho); ensemble = at(band, temperature = 200 K)\n"
                                   "  path = base_to_target(at(phonons, temperature = 200 K, density = rho), states = 3); sampler = hmc(chains = 16, steps = 64); seed = 1 }\n";
  const auto program = compile_right(open), whole = compile_right(fixed);
  const plan::TaskSpec &ref = task_named(program, "ref"), &written = task_named(whole, "ref");
  CHECK(ref.arguments == written.arguments);
  CHECK(ref.key == written.key);
  CHECK(ref.later.empty());
  for (const plan::TaskInput& input : ref.inputs) CHECK(program.plan.tasks[input.task].later.empty());
  // The lattice alone, and a state of a state.
  const std::string again = kBand + "system other { potential = mw; lattice = at(ice, density = 0.0336 /angstrom^3); mass = 18.015 g/mol }\n"
                                    "base b { kind = scha; system = other; ensemble = at(at(band, temperature = 160 K), temperature = 200 K) }\n";
  const auto nested = compile_right(again);
  CHECK(task_named(nested, "b").key == task_named(whole, "phonons").key);
}

TEST_CASE("at() fixes what a block has", "[modules]") {
  const auto id = [](const std::string& at) { return id_of(kBand + "base b { kind = scha; system = water; ensemble = " + at + " }\n"); };
  CHECK(id("at(band, density = 0.0336 /angstrom^3)") == "E0202");
  CHECK(id("at(band, temprature = 200 K)") == "E0202");
  CHECK(id("at(band, temperature = 1 eV)") == "E0301");
  CHECK(id("at(band, temperature = 0 K)") == "E0307");
  CHECK(id("at(200 K, temperature = 200 K)") == "E0303");
  CHECK(id("at()") == "E0217");
  CHECK(id("at(phonons, temperature = 200 K)") == "E0303");
}

// ---------- lj ----------

namespace {

const std::string kArgon = "bgw 1\npotential argon { style = lennard_jones; epsilon = 0.0104 eV; sigma = 3.4 angstrom; cutoff = 2.1 lj }\n"
                           "lattice fcc { kind = fcc; atoms = 108; density = 1.1 lj }\n"
                           "system crystal { potential = argon; lattice = fcc; mass = 39.948 g/mol }\n"
                           "ensemble warm { kind = nvt; temperature = 0.5 lj }\n";

}  // namespace

TEST_CASE("lj takes the scales of a physical Lennard-Jones potential", "[modules]") {
  const auto program = compile_right(kArgon + "base phonons { kind = scha; system = crystal; ensemble = warm }\n"
                                              "ensemble pressed { kind = npt; temperature = 40 K; pressure = 10 lj }\n"
                                              "md run { system = crystal; ensemble = at(pressed, pressure = 2 * 5 lj); integrator = langevin(friction = 0.5 lj)\n"
                                              "  timestep = 0.001 lj; equilibrate = 2 lj; produce = 2 ps; every = 0.1 lj; seed = 1 }\n");
  const Value& base = task_named(program, "phonons").arguments;
  CHECK(base.at("system").at("potential").at("cutoff").as_double() == Approx(2.1 * 3.4).epsilon(1e-14));
  CHECK(base.at("system").at("potential").at("epsilon").as_double() == 0.0104);
  CHECK(base.at("system").at("lattice").at("density").as_double() == Approx(1.1 / (3.4 * 3.4 * 3.4)).epsilon(1e-14));
  CHECK(base.at("ensemble").at("temperature").as_double() == Approx(0.5 * 0.0104 / kBoltzmann).epsilon(1e-12));
  const Value& md = task_named(program, "run").arguments;
  const double time = 3.4 * std::sqrt(39.948 * kAtomicUnit / 0.0104);  // fs, about 2.1 ps
  CHECK(md.at("timestep").as_double() == Approx(0.001 * time).epsilon(1e-8));
  CHECK(md.at("equilibrate").as_double() == Approx(2 * time).epsilon(1e-8));
  CHECK(md.at("produce").as_double() == Approx(2000.0).epsilon(1e-14));
  CHECK(md.at("integrator").at("friction").as_double() == Approx(0.5 / time).epsilon(1e-8));
  CHECK(md.at("ensemble").at("pressure").as_double() == Approx(10 * 0.0104 / (3.4 * 3.4 * 3.4)).epsilon(1e-13));
  CHECK(md.at("ensemble").at("temperature").as_double() == 40.0);
}

TEST_CASE("one ensemble in lj is another temperature for each potential", "[modules]") {
  const auto program = compile_right(kArgon + "potential krypton { style = lennard_jones; epsilon = 0.0140 eV; sigma = 3.65 angstrom; cutoff = 2.1 lj }\n"
                                              "system other { potential = krypton; lattice = fcc; mass = 83.798 g/mol }\n"
                                              "base light { kind = scha; system = crystal; ensemble = warm }\nbase heavy { kind = scha; system = other; ensemble = warm }\n");
  CHECK(task_named(program, "light").arguments.at("ensemble").at("temperature").as_double() == Approx(0.5 * 0.0104 / kBoltzmann).epsilon(1e-12));
  CHECK(task_named(program, "heavy").arguments.at("ensemble").at("temperature").as_double() == Approx(0.5 * 0.0140 / kBoltzmann).epsilon(1e-12));
  CHECK(task_named(program, "heavy").arguments.at("system").at("lattice").at("density").as_double() == Approx(1.1 / std::pow(3.65, 3)).epsilon(1e-14));
}

TEST_CASE("stages, lists and intervals in lj are bound too", "[modules]") {
  const auto program = compile_right(kArgon + "ensemble band { kind = nvt; temperature = 0.3 lj .. 0.6 lj }\nbase phonons { kind = scha; system = crystal; ensemble = band }\n"
                                              "flow f { type = mode_split; condition_on = [temperature] }\n"
                                              "train bg { system = crystal; ensemble = band; base = phonons; flow = f; seed = 1\n"
                                              "  stage a { loss = reverse_kl; steps = 10; temperature = [0.6 lj, 0.4 lj] }\n"
                                              "  stage b { loss = reverse_kl; steps = 10; temperature = 0.3 lj .. 0.6 lj } }\n");
  const Value& train = task_named(program, "bg").arguments;
  const double kelvin = 0.0104 / kBoltzmann;
  CHECK(train.at("ensemble").at("temperature").at("interval").as_list()[1].as_double() == Approx(0.6 * kelvin).epsilon(1e-12));
  CHECK(train.at("stages").as_list()[0].at("temperature").as_list()[1].as_double() == Approx(0.4 * kelvin).epsilon(1e-12));
  CHECK(train.at("stages").as_list()[1].at("temperature").at("interval").as_list()[0].as_double() == Approx(0.3 * kelvin).epsilon(1e-12));
}

TEST_CASE("a state of results in lj is bound to the potential they are of", "[modules]") {
  const std::string training = "ensemble band { kind = nvt; temperature = 0.3 lj .. 0.6 lj }\nbase phonons { kind = scha; system = crystal; ensemble = band }\n"
                               "flow f { type = mode_split; condition_on = [temperature] }\n"
                               "train bg { system = crystal; ensemble = band; base = phonons; flow = f; seed = 1; stage main { loss = reverse_kl; steps = 10 } }\n"
                               "estimate F { method = lfep; model = bg; temperature = linspace(0.3 lj, 0.6 lj, 4); count = 100 }\n"
                               "sample draws { model = at(bg, temperature = 0.4 lj); count = 10; seed = 1 }\n";
  const std::string at = "table t { column f { value = F.at(temperature = 0.4 lj).per_particle } }\n";
  const auto state = [](const lowering::Program& program) {
    return task_named(program, "t").arguments.at("rows").as_list()[0].at("cells").as_list()[0].at("at").at("temperature").as_double();
  };
  const auto program = compile_right(kArgon + training + at);
  CHECK(state(program) == Approx(0.4 * 0.0104 / kBoltzmann).epsilon(1e-12));
  CHECK(task_named(program, "draws").arguments.at("model").at("temperature").as_double() == Approx(0.4 * 0.0104 / kBoltzmann).epsilon(1e-12));
  const std::string pure = "bgw 1\npotential pair { style = lennard_jones; cutoff = 2.1 lj }\nlattice fcc { kind = fcc; atoms = 108; density = 1.1 lj }\n"
                           "system crystal { potential = pair; lattice = fcc }\n";
  CHECK(state(compile_right(pure + training + at)) == Approx(0.4 / kBoltzmann).epsilon(1e-12));
  CHECK(id_of(pure + training + "table t { column f { value = F.at(temperature = 40 K).per_particle } }\n") == "E0304");
}

TEST_CASE("a result in physical units is not counted in lj", "[modules]") {
  CHECK(id_of(kArgon + "base phonons { kind = scha; system = crystal; ensemble = warm }\ntable t { column w { value = phonons.rms_displacement / 1 lj } }\n") == "E0304");
  CHECK(id_of(kArgon + "base phonons { kind = scha; system = crystal; ensemble = warm }\ntable t { column w { value = phonons.rms_displacement / 3.4 angstrom } }\n").empty());
}

TEST_CASE("a potential without scales counts in lj alone", "[modules]") {
  const std::string reduced = "bgw 1\npotential pair { style = lennard_jones; cutoff = 2.1 lj }\nlattice fcc { kind = fcc; atoms = 108; density = 1.28 lj }\n"
                              "system crystal { potential = pair; lattice = fcc }\nensemble warm { kind = nvt; temperature = 2 lj }\n"
                              "ensemble kelvin { kind = nvt; temperature = 100 K }\n";
  const auto program = compile_right(reduced + "base phonons { kind = scha; system = crystal; ensemble = warm }\n");
  const Value& base = task_named(program, "phonons").arguments;
  CHECK(base.at("system").at("potential").at("sigma").as_double() == 1.0);
  CHECK(base.at("system").at("lattice").at("density").as_double() == 1.28);
  CHECK(base.at("ensemble").at("temperature").as_double() == Approx(2.0 / kBoltzmann).epsilon(1e-12));
  CHECK(id_of(reduced + "base phonons { kind = scha; system = crystal; ensemble = kelvin }\n") == "E0304");
  CHECK(id_of(reduced + "system heavy { potential = pair; lattice = fcc; mass = 18 g/mol }\nbase b { kind = scha; system = heavy; ensemble = warm }\n") == "E0304");
  CHECK(id_of(reduced + "let both = 1 lj + 1 K\n") == "E0304");
  CHECK(id_of(reduced + "require 1 lj < 1 K\n") == "E0304");
}

TEST_CASE("lj without scales of its own is refused", "[modules]") {
  CHECK(id_of("bgw 1\n" + kMw + "lattice ice { kind = diamond_cubic; atoms = 64; density = 0.5 lj }\n" + kWater + kCold + kPhonons) == "E0304");
  CHECK(id_of("bgw 1\n" + kMw + kIce + kWater + "ensemble cold { kind = nvt; temperature = 0.5 lj }\n" + kPhonons) == "E0304");
  CHECK(id_of("bgw 1\npotential half { style = lennard_jones; epsilon = 0.0104 eV; sigma = 1 lj; cutoff = 2.1 lj }\n") == "E0304");
  const std::string massless = "bgw 1\npotential argon { style = lennard_jones; epsilon = 0.0104 eV; sigma = 3.4 angstrom; cutoff = 2.1 lj }\n"
                               "lattice fcc { kind = fcc; atoms = 108; density = 1.1 lj }\nsystem crystal { potential = argon; lattice = fcc }\nensemble warm { kind = nvt; temperature = 0.5 lj }\n";
  CHECK(id_of(massless + "md run { system = crystal; ensemble = warm; integrator = langevin(friction = 1 /ps); timestep = 0.001 lj\n"
                         "  equilibrate = 1 ps; produce = 2 ps; every = 1 ps; seed = 1 }\n") == "E0407");
}

TEST_CASE("a number in lj beside a result is of its kind, in the scales of its potential", "[modules]") {
  const std::string pure = "bgw 1\npotential pair { style = lennard_jones; cutoff = 2.1 lj }\nlattice fcc { kind = fcc; atoms = 108; density = 1.1 lj }\n"
                           "system crystal { potential = pair; lattice = fcc }\nensemble warm { kind = nvt; temperature = 0.5 lj }\n";
  const std::string asked = "base phonons { kind = scha; system = crystal; ensemble = warm }\n"
                            "expect small { value = mean([phonons.rms_displacement, phonons.rms_displacement]); reference = 0.1 lj; tolerance = 0.05 lj }\n"
                            "require phonons.rms_displacement < 1 lj\n";
  const auto length = [&](const std::string& crystal, double unit) {
    const auto program = compile_right(crystal + asked);
    for (const plan::CheckSpec& check : program.plan.checks) {
      if (check.kind == "require") {
        CHECK(check.arguments.at("condition").at("args").as_list()[1].at("value").as_double() == Approx(unit).epsilon(1e-14));
      } else {
        CHECK(check.arguments.at("reference").at("value").as_double() == Approx(0.1 * unit).epsilon(1e-14));
        CHECK(check.arguments.at("tolerance").as_double() == Approx(0.05 * unit).epsilon(1e-14));
      }
    }
    CHECK(program.plan.checks.size() == 2);
  };
  length(pure, 1.0);
  length(kArgon, 3.4);
  const std::string base = "base phonons { kind = scha; system = crystal; ensemble = warm }\n";
  CHECK(id_of(kArgon + base + "table t { column w { value = mean([phonons.rms_displacement, phonons.rms_displacement]) / 1 lj } }\n") == "E0304");
  CHECK(id_of(kWhole + "require phonons.rms_displacement < 1 lj\n") == "E0304");
  CHECK(id_of(kWhole + "expect small { value = phonons.rms_displacement; reference = 0.1 lj; sigmas = 3 }\n") == "E0301");
}

// ---------- what stands around does not change what is meant ----------
TEST_CASE("a unit is a unit also where a block is asked for, whatever the order of blocks", "[modules]") {
  const std::string head = "bgw 1\n" + kMw + kIce + kCold;
  const std::string inner = "system water { let m = 18.015 g/mol; potential = mw; lattice = ice; mass = m }\n";
  CHECK(keys(compile_right(head + kPhonons + inner)) == keys(compile_right(head + inner + kPhonons)));
  const std::string chosen = "let eps = 6.189 kcal/mol\nbase p { kind = scha; ensemble = cold; system = if eps > 6 kcal/mol then water else heavy }\n"
                             "system heavy { potential = mw; lattice = ice; mass = 20 g/mol }\n";
  CHECK(keys(compile_right(head + chosen + kWater)) == keys(compile_right("bgw 1\n" + kMw + kIce + kWater + kCold + kPhonons)));
  const Files library{{"w.bgw", "axis d : density = [0.0336 /angstrom^3]\n" + kMw + "lattice ice[r in d] { kind = diamond_cubic; atoms = 64; density = r }\n"
                                "system water { potential = mw; lattice = ice[0.0336 /angstrom^3]; mass = 18.015 g/mol }\n"}};
  CHECK(keys(compile_right("bgw 1\nimport \"w.bgw\"\n" + kCold + "base p { kind = scha; system = w.water; ensemble = cold }\n", library)) == keys(compile_right(kWhole)));
}

TEST_CASE("a table sees its lets and what it extends", "[modules]") {
  const auto cell = [](const std::string& text, const Files& files = {}) {
    const lowering::Program program = compile_right("bgw 1\n" + text, files);
    const plan::TaskSpec& table = program.plan.tasks.back();
    return table.arguments.at("rows").as_list().back().at("cells").as_list().at(0).at("value").as_int();
  };
  CHECK(cell("axis size : int = [1, 2]\ntable t1[n in size] { let k = 2 * n; column a { value = k } }\n") == 4);
  CHECK(cell("axis size : int = [1, 2]\ntable t1[n in size] { column a { value = n } }\ntable t2[m in size] extends t1[m] { }\ntarget default = [t2]\n") == 2);
  CHECK(cell("import \"l.bgw\" as l\nlet k = 5\ntable t extends l.t { }\n", {{"l.bgw", "let k = 3\ntable t { column a { value = 2 * k } }\n"}}) == 6);
  CHECK(cell("axis task : int = [0, 100_000]\ntable t[task in task] { column a { value = task } }\n") == 100'000);
}

TEST_CASE("extends takes a member that there is", "[modules]") {
  const std::string head = "bgw 1\naxis size : int = [1, 2]\n" + kMw + kIce + kWater + kCold +
                           "base p[n in size] { kind = scha; system = water; ensemble = cold; samples = if first(n) then 100 else 200 }\n";
  CHECK(id_of(head + "base q extends p[77] { }\n") == "E0209");
  const lowering::Program program = compile_right(head + "base q extends p[2] { relax_sites = false }\n");
  CHECK(task_named(program, "q").arguments.at("samples").as_int() == 200);
}

TEST_CASE("a state in lj is not that of the same number in physical units", "[modules]") {
  const std::string head = "bgw 1\npotential ar { style = lennard_jones; epsilon = 0.0104 eV; sigma = 1.1 angstrom; cutoff = 2.5 angstrom }\n"
                           "lattice l { kind = fcc; atoms = 256; density = 0.5 lj .. 1.5 lj }\nensemble c { kind = nvt; temperature = 0.4 lj }\n";
  const auto with = [&](const std::string& density) {
    return "potential = ar; mass = 39.9 g/mol; lattice = at(l, density = " + density + ") }\n";
  };
  const lowering::Program program = compile_right(head + "system aa { " + with("1 lj") + "system bb { " + with("1 /angstrom^3") +
                                                  "base pa { kind = scha; system = aa; ensemble = c }\nbase pb { kind = scha; system = bb; ensemble = c }\n");
  const auto density = [&](const std::string& name) { return task_named(program, name).arguments.at("system").at("lattice").at("density").as_double(); };
  CHECK_THAT(density("pa"), Catch::Matchers::WithinRel(1.0 / (1.1 * 1.1 * 1.1), 1e-12));
  CHECK(density("pb") == 1.0);
  CHECK(id_of(head + "system aa { potential = ar; mass = 39.9 g/mol; lattice = at(l, density = 1.1 lj, density = 1.2 lj) }\n") == "E0205");
}

TEST_CASE("at() gives a block nothing that it cannot have when written out", "[modules]") {
  const std::string head = "bgw 1\n" + kMw + kIce + kWater + kCold;
  CHECK(id_of(head + "base p { kind = scha; system = at(water, c_over_a = 1.1); ensemble = cold }\n") == "E0417");
  CHECK(id_of(head + "base p { kind = scha; system = water; ensemble = at(cold, pressure = 1 GPa) }\n") == "E0202");
  CHECK(id_of(kArgon + "base p { kind = scha; system = at(crystal, lambda = 3); ensemble = warm }\n") == "E0202");
}

TEST_CASE("numbers beside results carry the unit that these have", "[modules]") {
  const auto program = compile_right(kWhole + "expect near { value = phonons.rms_displacement; reference = 1 nm; tolerance = 0.1 angstrom }\n");
  CHECK(program.plan.checks.at(0).arguments.at("reference") == Value(Map{{"op", "const"}, {"value", 10.0}, {"unit", "angstrom"}}));
}

TEST_CASE("conditions and numbers over results do not stand for each other", "[modules]") {
  CHECK(id_of(kWhole + "require not phonons.bound\n") == "E0303");
  CHECK(id_of(kWhole + "require phonons.bound < 1 and phonons.bound\n") == "E0303");
  CHECK(id_of(kWhole + "require (phonons.bound < 1) + 1 > 0\n") == "E0303");
  CHECK(id_of(kWhole + "require -(phonons.bound < 1)\n") == "E0303");
  CHECK(id_of(kWhole + "require 2 ^ phonons.rms_displacement < 3\n") == "E0308");
  CHECK(id_of(kWhole + "require not (phonons.bound < -30 or phonons.bound > 0)\n").empty());
}

TEST_CASE("seeds hang on values alone, and on what they are, not on how they are written", "[modules]") {
  CHECK(id_of(kWhole + "let root = derive(1, [phonons.bound])\n") == "E0303");
  const auto seed = [](const std::string& axis) {
    const auto program = compile_right(kWhole + "axis x : float = " + axis + "\nflow f { type = mode_split }\n"
                                       "train t[n in x] { system = water; ensemble = cold; base = phonons; flow = f; seed = derive(1, n)\n  stage main { loss = reverse_kl; steps = 5 } }\n");
    return task_named(program, "t[2]").arguments.at("seed").as_int();
  };
  CHECK(seed("[1, 2]") == seed("[1.0, 2.0]"));
}

TEST_CASE("value and reference of an expect are of one kind also where one is taken over", "[modules]") {
  const std::string head = kWhole + "expect near { value = phonons.rms_displacement; reference = 0.1 angstrom; tolerance = 1 angstrom }\n";
  CHECK(id_of(head + "expect far extends near { reference = 3 K }\n") == "E0301");
}

TEST_CASE("ranges end at the largest int, and functions may hold comprehensions", "[modules]") {
  compile_right("require len(9_223_372_036_854_775_800 .. 9_223_372_036_854_775_807) == 8\nrequire len(1 .. 3 step 9_223_372_036_854_775_807) == 1\n");
  compile_right("fn f(a: int) -> int = sum([n for n in 1 .. a])\n");
}

TEST_CASE("a param from outside may change between lj and physical units", "[modules]") {
  const std::string text = "bgw 1\nparam eps : energy = 1 lj\nparam sig : length = 1 lj\n"
                           "potential pair { style = lennard_jones; epsilon = eps; sigma = sig; cutoff = 2.1 lj }\n"
                           "lattice fcc { kind = fcc; atoms = 108; density = 1.1 lj }\nsystem crystal { potential = pair; lattice = fcc }\n"
                           "ensemble warm { kind = nvt; temperature = 0.5 lj }\nbase phonons { kind = scha; system = crystal; ensemble = warm }\n";
  const auto temperature = [&](const semantics::Overrides& overrides) {
    const auto program = compile_right(text, {}, overrides);
    return task_named(program, "phonons").arguments.at("ensemble").at("temperature").as_double();
  };
  CHECK(temperature({}) == Approx(0.5 / kBoltzmann).epsilon(1e-12));
  CHECK(temperature({{"eps", "0.0104eV"}, {"sig", "3.4angstrom"}}) == Approx(0.5 * 0.0104 / kBoltzmann).epsilon(1e-12));
}

TEST_CASE("the unit of a column is one of its numbers", "[modules]") {
  const auto id_with = [](const std::string& unit) {
    return id_of(kWhole + "table t { column c { value = phonons.rms_displacement; unit = \"" + unit + "\" } }\n");
  };
  CHECK(id_with("angstrom").empty());
  CHECK(id_with("nm").empty());
  CHECK(id_with("K") == "E0301");
  CHECK(id_with("furlong") == "E0207");
  CHECK(id_of(kWhole + "table t { column c { value = phonons.bound; unit = \"kT\" } }\n").empty());
  CHECK(id_of(kWhole + "table t { column c { value = phonons.bound; unit = \"eV\" } }\n") == "E0301");
}
