#include "compiler/lowering/compile.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "compiler/plan/preimage.h"
#include "compiler/plan/sha256.h"
#include "runtime/catalog/builtin_catalog.h"
#include "tests/support/catch.h"

using namespace bgw;
using lowering::Program;

namespace {

const std::filesystem::path kSource = BGW_SOURCE_DIR;

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

const schema::Catalog& catalog() {
  static const schema::Catalog all = catalog::builtin_catalog();
  return all;
}

std::string quickstart() { return read(kSource / "workflows" / "quickstart.bgw"); }

/// The program with every diagnostic as text in `said`.
std::optional<Program> compile(const std::string& text, std::string* said = nullptr, const semantics::Overrides& overrides = {}, const std::string& name = "program.bgw") {
  source::SourceMap file(name, text);
  source::DiagnosticSink sink;
  auto program = lowering::compile(file, catalog(), overrides, sink);
  const std::string rendered = source::render(sink.sorted(), file, {});
  if (said) *said = rendered;
  else if (!program) FAIL(rendered);
  return program;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  if (at == std::string::npos) FAIL("the program has no `" << from << "`");
  return text.replace(at, from.size(), to);
}

std::set<std::string> keys(const Program& program) {
  std::set<std::string> all;
  for (const auto& task : program.plan.tasks) all.insert(task.key.hex());
  return all;
}

/// Names of the tasks of `changed` whose keys `before` does not have.
std::set<std::string> new_tasks(const Program& before, const Program& changed) {
  const auto known = keys(before);
  std::set<std::string> names;
  for (const auto& task : changed.plan.tasks) {
    if (!known.count(task.key.hex())) names.insert(task.name);
  }
  return names;
}

const plan::TaskSpec& task(const Program& program, const std::string& name) {
  for (const auto& each : program.plan.tasks) {
    if (each.name == name) return each;
  }
  FAIL("no task " << name);
  std::abort();
}

/// Compares with a file under tests/golden; BGW_UPDATE_GOLDEN=1 writes it anew.
void check_golden(const std::string& text, const std::filesystem::path& file) {
  if (std::getenv("BGW_UPDATE_GOLDEN")) std::ofstream(file, std::ios::binary) << text;
  INFO(file.filename().string());
  CHECK(text == read(file));
}

std::string printed(const Program& program) {
  std::ostringstream out;
  for (const auto& each : program.plan.tasks) {
    out << each.kind << " " << each.name << (each.placement == plan::Placement::inline_ ? " (inline)" : "") << "\n";
    for (const auto& input : each.inputs) out << "  " << input.role << " <- " << program.plan.tasks[input.task].name << "\n";
    if (each.placement == plan::Placement::child) out << "  " << schema::to_json(each.arguments) << "\n";
    out << "  policy " << schema::to_json(each.policy) << "\n";
  }
  for (const auto& check : program.plan.checks) {
    out << check.kind << " " << check.name << " " << schema::to_json(check.arguments) << "\n";
    for (const auto& input : check.inputs) out << "  " << input.role << " <- " << program.plan.tasks[input.task].name << "\n";
  }
  for (const std::string name : {"default"}) {
    out << "target " << name << ":";
    for (const std::size_t i : program.plan.targets.at(name)) out << " " << program.plan.tasks[i].name;
    for (const std::size_t i : program.plan.target_checks.at(name)) out << " " << program.plan.checks[i].name;
    out << "\n";
  }
  return out.str();
}

}  // namespace

TEST_CASE("the quickstart compiles to the plan written down", "[compile]") {
  const auto program = compile(quickstart());
  CHECK(program->plan.tasks.size() == 13);
  CHECK(program->plan.checks.size() == 2);
  check_golden(printed(*program), kSource / "tests/golden/programs/quickstart.plan");
}

TEST_CASE("every task follows its inputs, and a role is the place where its task stands", "[compile]") {
  const auto program = compile(quickstart());
  for (std::size_t i = 0; i < program->plan.tasks.size(); ++i) {
    for (const auto& input : program->plan.tasks[i].inputs) {
      CHECK(input.task < i);
      CHECK(input.key == program->plan.tasks[input.task].key);
      const schema::Value* place = &program->plan.tasks[i].arguments;
      std::istringstream path(input.role);
      for (std::string part; std::getline(path, part, '.');) {
        place = place->is_list() ? &place->as_list().at(std::stoul(part)) : &place->at(part);
      }
      CHECK(place->at("task").as_string() == input.role);
    }
    CHECK(program->plan.tasks[i].key == plan::sha256(plan::preimage(program->plan.tasks[i])));
  }
}

TEST_CASE("cosmetic edits leave every key", "[compile]") {
  const std::string text = quickstart();
  const auto before = keys(*compile(text));
  CHECK(keys(*compile("# a comment\n" + text)) == before);
  CHECK(keys(*compile(replaced(text, "200 K in", "200.0 K in"))) == before);
  CHECK(keys(*compile(replaced(text, "lambda  = 23.15", "lambda = 23.150"))) == before);
  CHECK(keys(*compile(replaced(text, "every = 10 s; keep = 2", "every = 3 min; keep = 7"))) == before);
  CHECK(keys(*compile(replaced(text, "method = bar", "method = lbar"))) == before);
  CHECK(keys(*compile(replaced(text, "  look_ahead = 4\n", ""))) == before);  // the default written out or not
  CHECK(keys(*compile(replaced(text, "reverse_kl(gradient = path)", "reverse_kl"))) == before);

  std::string renamed = text;
  for (std::size_t at = 0; (at = renamed.find("phonons", at)) != std::string::npos;) renamed.replace(at, 7, "modes");
  CHECK(keys(*compile(renamed)) == before);

  const std::string machine = replaced(text, "checkpoint { every", "uses = small\n  checkpoint { every") +
                              "\nresources small { cpus = 2; memory = 4 GB; walltime = 2 h }\n";
  const auto with_resources = compile(machine);
  CHECK(keys(*with_resources) == before);
  CHECK(task(*with_resources, "bg").policy.at("cpus").as_int() == 2);
  CHECK(task(*with_resources, "bg").policy.at("memory").as_int() == 4'000'000'000);
  CHECK(task(*with_resources, "bg").policy.at("walltime").as_double() == Approx(7200.0));
  CHECK(task(*with_resources, "bg").policy.at("checkpoint").at("every_s").as_double() == Approx(10.0));
}

TEST_CASE("the order of blocks leaves every key", "[compile]") {
  const std::string text = quickstart();
  const std::string flow = "flow ours {\n  type       = mode_split\n  splits     = 16\n  look_ahead = 4\n}\n";
  CHECK(keys(*compile(replaced(text, flow, "") + flow)) == keys(*compile(text)));
}

TEST_CASE("another number of steps reruns the training and what it feeds", "[compile]") {
  const auto before = compile(quickstart());
  const auto after = compile(quickstart(), nullptr, {{"steps", "120"}});
  CHECK(new_tasks(*before, *after) == std::set<std::string>{"bg", "draws[64]", "draws[216]", "F[64]", "F[216]", "rdf(draws[64])", "rdf", "free_energy"});
  // Going on draws the same random numbers first.
  CHECK(task(*before, "bg").stream_key == task(*after, "bg").stream_key);
  CHECK(task(*before, "draws[64]").stream_key == task(*after, "draws[64]").stream_key);
  CHECK(after->plan.overridden.at("steps") == schema::Value(schema::Map{{"old", "60"}, {"new", "120"}}));
}

TEST_CASE("another temperature reruns everything, another estimator only estimates", "[compile]") {
  const auto before = compile(quickstart());
  CHECK(new_tasks(*before, *compile(quickstart(), nullptr, {{"T", "210 K"}})).size() == before->plan.tasks.size());
  const auto estimates = compile(replaced(quickstart(), "data = ref[n].samples }", "data = ref[n].samples; bootstrap = 100 }"));
  CHECK(new_tasks(*before, *estimates) == std::set<std::string>{"F[64]", "F[216]", "free_energy"});
}

TEST_CASE("one more size adds tasks and changes none but the table", "[compile]") {
  const auto before = compile(quickstart());
  const auto after = compile(replaced(quickstart(), "[64, 216]", "[64, 216, 512]"));
  CHECK(new_tasks(*before, *after) == std::set<std::string>{"phonons[512]", "draws[512]", "ref[512]", "F[512]", "free_energy"});
}

TEST_CASE("equal work under two names is one task", "[compile]") {
  const std::string twice = quickstart() + "\nestimate again[n in size] { method = lbar; samples = draws[n].samples; data = ref[n] }\n";
  const auto program = compile(twice);
  CHECK(program->plan.tasks.size() == 13);
  CHECK(task(*program, "F[64]").also_named == std::vector<std::string>{"again[64]"});
  CHECK(lowering::find_instances(*program, "again[64]").tasks == lowering::find_instances(*program, "F[64]").tasks);
}

TEST_CASE("names of the command line find their tasks", "[compile]") {
  const auto program = compile(quickstart());
  CHECK(lowering::find_instances(*program, "F").tasks.size() == 2);
  CHECK(lowering::find_instances(*program, "F[64]").tasks.size() == 1);
  CHECK(lowering::find_instances(*program, "F[*]").tasks == lowering::find_instances(*program, "F").tasks);
  CHECK(lowering::find_instances(*program, "sample.draws[size=64]").tasks == lowering::find_instances(*program, "draws[64]").tasks);
  CHECK(lowering::find_instances(*program, "rdf(draws[64])").tasks.size() == 1);
  CHECK(lowering::find_instances(*program, "published[216]").checks.size() == 1);
  CHECK(lowering::find_instances(*program, "water[64]").values == std::vector<std::string>{"system.water[64]"});
  CHECK(lowering::find_instances(*program, "F[100]").problem == "100 is not in axis `size` (64, 216)");
  CHECK(lowering::find_instances(*program, "F[64,1]").problem == "`F` has 1 index, got 2");
  CHECK(lowering::find_instances(*program, "drwas[64]").problem == "nothing in program.bgw is named `drwas[64]`; did you mean `draws`?");
}

TEST_CASE("a system is kept for the energy command, with the units its author wrote", "[compile]") {
  const auto program = compile(quickstart());
  const schema::Value& water = program->values.at("water[64]");
  CHECK(water.at("potential").at("sigma").as_double() == 2.3925);
  CHECK(water.at("potential").at("epsilon").as_double() == Approx(6.189 * 0.0433641153087705));
  CHECK(water.at("lattice").at("repeats") == schema::Value(schema::List{2, 2, 2}));
  CHECK(program->presentations.at("water[64]").at("energy_unit").as_string() == "kcal/mol");
  CHECK(program->presentations.at("water[64]").at("length_unit").as_string() == "angstrom");
  CHECK(task(*program, "F[64]").presentation.at("energy_unit").as_string() == "kcal/mol");
}

TEST_CASE("a reduced program runs with epsilon, sigma and mass equal to one", "[compile]") {
  const auto program = compile(
      "bgw 1\npotential lj { style = lennard_jones; cutoff = 2.1 lj }\nlattice xtal { kind = fcc; atoms = 108; density = 1.28 lj }\n"
      "system crystal { potential = lj; lattice = xtal }\nensemble cold { kind = nvt; temperature = 2 lj }\n"
      "base phonons { kind = scha; system = crystal; ensemble = cold }\n");
  const auto& base = task(*program, "phonons");
  CHECK(base.arguments.at("system").at("potential").at("epsilon").as_double() == 1.0);
  CHECK(base.arguments.at("ensemble").at("temperature").as_double() * 8.617333262e-5 == Approx(2.0));
  CHECK(base.presentation.at("energy_unit").as_string() == "lj");
  CHECK(program->plan.targets.at("default").size() == 1);
}

TEST_CASE("params given from outside are typed and checked", "[compile]") {
  std::string said;
  CHECK(compile(quickstart(), &said, {{"T", "190K"}}));
  CHECK_FALSE(compile(quickstart(), &said, {{"T", "300K"}}));
  CHECK(said.find("-p T=300K is outside 50 K .. 260 K for param `T`") != std::string::npos);
  CHECK_FALSE(compile(quickstart(), &said, {{"T", "190"}}));
  CHECK(said.find("-p T=190: the unit is missing, did you mean 190 K") != std::string::npos);
  CHECK_FALSE(compile(quickstart(), &said, {{"stepz", "3"}}));
  CHECK(said.find("there is no param `stepz`") != std::string::npos);
  CHECK(said.find("did you mean `steps`?") != std::string::npos);
  CHECK_FALSE(compile(quickstart(), &said, {{"steps", "3.5"}}));
  CHECK(said.find("-p steps=3.5: an int is needed") != std::string::npos);
  CHECK_FALSE(compile(quickstart(), &said, {{"steps", "0"}}));
}

TEST_CASE("a param from outside needs its number, and may be badly encoded", "[compile]") {
  std::string said;
  CHECK_FALSE(compile("bgw 1\nparam T : temperature = 1 K\nensemble e { kind = nvt; temperature = T }\n", &said, {{"T", "K"}}));
  CHECK(said.find("-p T=K: the number is missing") != std::string::npos);
  CHECK(compile("bgw 1\nparam T : temperature = 1 K\nensemble e { kind = nvt; temperature = T }\n", &said, {{"T", "2 K"}}));
  CHECK_FALSE(compile("bgw 1\nparam x : float = 1\nensemble e { kind = nvt; temperature = x * 1 K }\n", &said, {{"x", "5 lj"}}));
  CHECK(said.find("a plain number is needed") != std::string::npos);
  CHECK_FALSE(compile("bgw 1\nparam t : string = \"a\"\nensemble e { kind = nvt; temperature = if t == \"a\" then 1 K else 2 K }\n", &said, {{"t", "\xff"}}));
  CHECK(said.find("this is no UTF-8 text") != std::string::npos);
}

TEST_CASE("a number that does not fit is refused, not replaced", "[compile]") {
  const auto said_of = [](const std::string& temperature) {
    std::string said;
    CHECK_FALSE(compile("bgw 1\nensemble e { kind = nvt; temperature = " + temperature + " }\n", &said));
    return said;
  };
  CHECK(said_of("1e999 K").find("1e999 is too large for a number") != std::string::npos);
  CHECK(said_of("1e308 K * 1e308").find("not a finite number") != std::string::npos);
  CHECK(said_of("1e308 week / 1 s * 1 K").find("1e308 week is too large for a number") != std::string::npos);
  CHECK(said_of("99999999999999999999 * 1 K").find("99999999999999999999 is too large for an int") != std::string::npos);
  CHECK(said_of("-(-9223372036854775807 - 1) * 1 K").find("too large for an int") != std::string::npos);
}

TEST_CASE("ints beyond 2^53 are compared exactly", "[compile]") {
  const auto program = compile("bgw 1\naxis big : int = [9007199254740992, 9007199254740993]\n"
                               "ensemble e[n in big] { kind = nvt; temperature = if n == 9007199254740992 then 1 K else 2 K }\n");
  CHECK(program->values.at("e[9007199254740992]").at("temperature").as_double() == 1.0);
  CHECK(program->values.at("e[9007199254740993]").at("temperature").as_double() == 2.0);
}

TEST_CASE("one number has one key, however it is written", "[compile]") {
  const auto keys_with = [](const std::string& lambda) {
    return keys(*compile(replaced(quickstart(), "lambda  = 23.15", "lambda = " + lambda)));
  };
  CHECK(keys_with("1000") == keys_with("1e3"));
  CHECK(keys_with("0.0") == keys_with("-0.0"));
  CHECK(keys_with("0.0") == keys_with("0"));
}

TEST_CASE("bounds hold where an attribute has several types", "[compile]") {
  std::string said;
  CHECK_FALSE(compile(replaced(quickstart(), "one_cycle(2e-2)", "-1"), &said));
  CHECK(said.find("`stage.learning_rate` is above 0, got -1") != std::string::npos);
  CHECK(compile(replaced(quickstart(), "one_cycle(2e-2)", "1e-2"), &said));
}

TEST_CASE("what this version cannot run is checked and noted, what it always does may be written", "[compile]") {
  const auto later_with = [](const std::string& from, const std::string& to, const std::string& name) {
    const auto program = compile(replaced(quickstart(), from, to));
    const auto& later = task(*program, name).later;
    return later.empty() ? "" : later.front();
  };
  CHECK(later_with("batch = 500", "keep = [energy]", "draws[64]") == "`keep = [energy]`");
  CHECK(later_with("batch = 500", "deterministic = false", "draws[64]") == "`deterministic = false`");
  CHECK(later_with("keep = 2", "on_signal = false", "bg") == "`on_signal = false`");
  CHECK(later_with("keep = 2", "on_signal = true", "bg").empty());
  const auto said_with = [](const std::string& from, const std::string& to) {
    std::string said;
    compile(replaced(quickstart(), from, to), &said);
    return said;
  };
  CHECK(said_with("batch = 500", "keep = [positions, energy, log_prob]").empty());
  CHECK(said_with("figure rdf {", "figure rdf {\n size = [300]").find("two ints, width and height, got 1") != std::string::npos);
  CHECK(said_with("rdf(ref[64].samples)", "rdf(ref[64].samples, weighted = true)").find("the samples of `ref[64]` carry no weights") != std::string::npos);
  CHECK(said_with("[free_energy, rdf", "[free_energy[99], rdf").find("error[E0211]") != std::string::npos);
}

TEST_CASE("a potential or lattice that nothing can compute is refused", "[compile]") {
  const auto said_with = [](const std::string& from, const std::string& to) {
    std::string said;
    CHECK_FALSE(compile(replaced(quickstart(), from, to), &said));
    return said;
  };
  CHECK(said_with("lambda  = 23.15", "lambda = 23.15; a = -1").find("`potential.a` is above 0") != std::string::npos);
  CHECK(said_with("lambda  = 23.15", "lambda = 23.15; p = 2.5").find("the power `p` of potential `mw` is a whole number, got 2.5") != std::string::npos);
  CHECK(said_with("lambda  = 23.15", "lambda = 23.15; q = 65").find("error[E0307]") != std::string::npos);
  CHECK(said_with("atoms   = n", "repeats = [10000, 10000, 10000]").find("limit 10 000 000") != std::string::npos);
  CHECK(said_with("atoms   = n", "repeats = [10000, 10000, 10000, 10000, 10000, 10000]").find("three positive ints") != std::string::npos);
}

TEST_CASE("memory and times of the machine go with a crystal in any units", "[compile]") {
  const std::string text = "bgw 1\npotential lj { style = lennard_jones; cutoff = 2.1 lj }\nlattice xtal { kind = fcc; atoms = 108; density = 1.28 lj }\n"
                           "system crystal { potential = lj; lattice = xtal }\nensemble cold { kind = nvt; temperature = 2 lj }\n"
                           "resources large { cpus = 2; memory = 4 GB; walltime = 2 h }\n"
                           "base phonons { kind = scha; system = crystal; ensemble = cold; uses = large }\n";
  const auto program = compile(text);
  CHECK(task(*program, "phonons").policy.at("memory").as_double() == 4e9);
  CHECK(task(*program, "phonons").policy.at("walltime").as_double() == Approx(7200));
  std::string said;
  CHECK_FALSE(compile(replaced(text, "4 GB", "4 lj"), &said));
  CHECK(said.find("a number in lj units given where a memory is expected") != std::string::npos);
  CHECK_FALSE(compile(replaced(text, "2 h", "2 lj"), &said));
}

TEST_CASE("a program that grows without end is refused", "[compile]") {
  const auto said_of = [](const std::string& program) {
    std::string said;
    CHECK_FALSE(compile(program, &said));
    CHECK(said.find("error[") == said.rfind("error["));  // one cause, one error
    return said;
  };
  std::string functions = "bgw 1\nfn f0(x: float) -> float = x + 1\n", lists = "bgw 1\nlet l0 = [1]\n", results = quickstart() + "let e0 = F[64].per_particle\n";
  for (int i = 1; i <= 40; ++i) {
    functions += "fn f" + std::to_string(i) + "(x: float) -> float = f" + std::to_string(i - 1) + "(x) + f" + std::to_string(i - 1) + "(x)\n";
    lists += "let l" + std::to_string(i) + " = [l" + std::to_string(i - 1) + ", l" + std::to_string(i - 1) + "]\n";
    results += "let e" + std::to_string(i) + " = e" + std::to_string(i - 1) + " + e" + std::to_string(i - 1) + "\n";
  }
  CHECK(said_of(functions + "ensemble e { kind = nvt; temperature = f40(1.0) * 1 K }\n").find("error[E0410]") != std::string::npos);
  CHECK(compile(lists + "ensemble e { kind = nvt; temperature = len(l40) * 1 K }\n"));  // shared, never gone through
  CHECK(said_of(lists + "ensemble e { kind = nvt; temperature = derive(1, l40) * 1 K }\n").find("error[E0410]") != std::string::npos);
  CHECK(said_of(results).find("error[E0410]") != std::string::npos);
  CHECK(said_of("bgw 1\naxis a : int = 1 .. 1000\naxis b : int = 1 .. 1000\nfigure f { series s[i in a, j in b] { y = i } }\n").find("error[E0410]") != std::string::npos);
  CHECK(said_of("bgw 1\naxis a : int = 1 .. 1000\nensemble e[i in a, j in a, k in a] { kind = nvt; temperature = 1 K }\n").find("error[E0410]") != std::string::npos);
}

TEST_CASE("values are computed where they are written", "[compile]") {
  const auto program = compile(
      "bgw 1\naxis size : int = 1 .. 2\nlet t = { one: 100 K, two: 200 K }\nfn twice(x: temperature) -> temperature = 2 * x\n"
      "let grid = [twice(x) for x in linspace(100 K, 300 K, 3) if x < 250 K]\n"
      "ensemble a[n in size] { kind = nvt; temperature = if first(n) then t.one else grid[2] + prev(n) * 1 K }\n"
      "ensemble b { kind = nvt; temperature = kB * 300 K / kB + sqrt(4) * 1 K + len(grid) * 1 mK }\n"
      "ensemble c { kind = nvt; temperature = max(10 K, sum([1 K, 2 K])) + abs(-3) * 1 K ^ 1 }\n");
  CHECK(program->values.at("a[1]").at("temperature").as_double() == 100.0);
  CHECK(program->values.at("a[2]").at("temperature").as_double() == 401.0);
  CHECK(program->values.at("b").at("temperature").as_double() == Approx(302.002));
  CHECK(program->values.at("c").at("temperature").as_double() == 13.0);
}

TEST_CASE("derive gives a seed to each use, and the same one each time", "[compile]") {
  const auto program = compile(quickstart());
  const auto seed = [&](const char* name) { return task(*program, name).arguments.at("seed").as_int(); };
  CHECK(seed("draws[64]") != seed("draws[216]"));
  const std::string digits = plan::sha256("[42,64]").hex().substr(0, 16);
  CHECK(seed("draws[64]") == static_cast<std::int64_t>(std::stoull(digits, nullptr, 16) >> 1));
}

TEST_CASE("a program with a piece missing still compiles or is told why", "[compile]") {
  const std::string text = quickstart();
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    for (const std::string& damaged : {text.substr(0, begin) + text.substr(end), text.substr(0, (begin + end) / 2),
                                       text.substr(0, begin) + text.substr((begin + end) / 2)}) {
      std::string said;
      const bool compiled = compile(damaged, &said).has_value();
      INFO(damaged);
      CHECK((compiled || said.find("error[") != std::string::npos));
    }
    begin = end + 1;
  }
}

namespace {

const std::filesystem::path kWrong = kSource / "tests/golden/diagnostics";

std::optional<std::string> read_companion(const std::string& path, std::string& problem) {
  if (std::filesystem::is_regular_file(kWrong / path)) return read(kWrong / path);
  problem = "cannot read " + path + ": there is no such file";
  return std::nullopt;
}

/// What `# -p T=300 K` in the first line of a program gives from outside.
semantics::Overrides overrides_of(const std::string& text) {
  const std::string line = text.substr(0, text.find('\n'));
  const std::size_t equals = line.find('=');
  if (!line.starts_with("# -p ") || equals == std::string::npos) return {};
  return {{line.substr(5, equals - 5), {line.substr(equals + 1)}}};
}

/// What is told of a program, in the order of the source.
std::vector<source::Diagnostic> told_of(source::SourceMap& sources, bool& compiled) {
  source::DiagnosticSink sink;
  const std::string text(sources.main().text());
  compiled = lowering::compile(sources, catalog(), overrides_of(text), sink, read_companion).has_value();
  return sink.sorted();
}

std::vector<std::filesystem::path> wrong_programs() {
  std::vector<std::filesystem::path> programs;
  for (const auto& entry : std::filesystem::directory_iterator(kWrong)) {
    if (entry.path().extension() == ".bgw") programs.push_back(entry.path());
  }
  std::sort(programs.begin(), programs.end());
  return programs;
}

}  // namespace

TEST_CASE("wrong programs are told what is wrong, where, and what to write", "[compile]") {
  for (const auto& path : wrong_programs()) {
    const std::string name = path.filename().string();
    INFO(name);
    source::SourceMap sources(name, read(path));
    bool compiled = false;
    const std::vector<source::Diagnostic> told = told_of(sources, compiled);
    CHECK(compiled == (name[0] == 'W'));
    REQUIRE_FALSE(told.empty());
    CHECK(told.front().id == name.substr(0, name.find('_')));
    for (const source::Diagnostic& diagnostic : told) {
      INFO(diagnostic.message);
      CHECK((!diagnostic.helps.empty() || !diagnostic.notes.empty()));
    }
    check_golden(source::render(told, sources, {}), std::filesystem::path(path).replace_extension(".expected"));
    check_golden(source::render_json(told, sources) + "\n", std::filesystem::path(path).replace_extension(".json"));
  }
}

namespace {

/// What a help says to write in the place of what is underlined, "" when it says something else.
std::string replacement(const source::Diagnostic& diagnostic) {
  static const std::set<std::string> kWriteInPlace{"E0106", "E0211", "E0303", "E0307"};
  const std::string help = diagnostic.helps.empty() ? "" : diagnostic.helps.front();
  const std::size_t first = help.find('`'), last = help.rfind('`');
  if (first == last || std::count(help.begin(), help.end(), '`') != 2) return "";
  const std::string before = help.substr(0, first), after = help.substr(last + 1), text = help.substr(first + 1, last - first - 1);
  if (before == "did you mean " && after == "?" && diagnostic.id != "E0216") return text;
  return before == "write " && after.empty() && kWriteInPlace.count(diagnostic.id) ? text : "";
}

}  // namespace

TEST_CASE("what a help proposes mends the mistake", "[compile]") {
  int tried = 0;
  for (const auto& path : wrong_programs()) {
    source::SourceMap sources(path.filename().string(), read(path));
    bool compiled = false;
    for (const source::Diagnostic& diagnostic : told_of(sources, compiled)) {
      const std::string proposed = replacement(diagnostic);
      if (proposed.empty() || &sources.file_at(diagnostic.range.begin) != &sources.main()) continue;
      ++tried;
      std::string text = read(path);
      text.replace(diagnostic.range.begin, diagnostic.range.end - diagnostic.range.begin, proposed);
      source::SourceMap mended(path.filename().string(), text);
      for (const source::Diagnostic& left : told_of(mended, compiled)) {
        INFO(path.filename().string() << ": " << proposed << " leaves: " << left.message);
        CHECK((left.id != diagnostic.id || left.message != diagnostic.message || left.range.begin != diagnostic.range.begin));
      }
    }
  }
  CHECK(tried >= 50);
}

TEST_CASE("every diagnostic has a program that shows it", "[compile]") {
  const std::vector<std::string> ids = {
#define BGW_DIAGNOSTIC(id, title) #id,
#include "compiler/source/diagnostic_ids.def"
#undef BGW_DIAGNOSTIC
  };
  std::set<std::string> shown;
  for (const auto& path : wrong_programs()) shown.insert(path.stem().string().substr(0, 5));
  for (const std::string& id : ids) {
    INFO(id);
    CHECK(shown.count(id) == 1);
  }
  CHECK(wrong_programs().size() >= 100);
}
