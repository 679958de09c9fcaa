#include "runtime/catalog/builtin_catalog.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <iterator>

#include <fmt/format.h>

#include "compiler/lowering/compile.h"
#include "runtime/catalog/ladders.h"
#include "runtime/catalog/lattice_checks.h"
#include "runtime/catalog/values.h"
#include "tests/support/catch.h"

using namespace bgw;
using schema::Type;
using schema::TypeKind;
using schema::Value;

namespace {

const schema::Catalog& all_kinds() {
  static const schema::Catalog all = catalog::builtin_catalog();
  return all;
}

std::optional<lowering::Program> compile(const std::string& text, std::string& said, const std::string& path = "program.bgw") {
  source::SourceMap file(path, text);
  source::DiagnosticSink sink;
  // A file of configurations that is there; structures come from the disk.
  const lowering::ImportReader reader = [](const std::string& name, std::string& problem) -> std::optional<std::string> {
    return name == "old.h5" ? std::optional<std::string>("configurations") : source::read_named_file(name, problem);
  };
  auto program = lowering::compile(file, all_kinds(), {}, sink, reader);
  said = source::render(sink.sorted(), file, {});
  return program;
}

/// Compiles without an error or a warning.
lowering::Program clean(const std::string& text) {
  std::string said;
  auto program = compile(text, said);
  INFO(text);
  INFO(said);
  REQUIRE(program);
  CHECK(said.empty());
  return std::move(*program);
}

const plan::TaskSpec& task(const lowering::Program& program, const std::string& name) {
  for (const auto& each : program.plan.tasks) {
    if (each.name == name) return each;
  }
  FAIL("no task " << name);
  std::abort();
}

const std::string kCrystal =
    "bgw 1\npotential mw { style = stillinger_weber; epsilon = 6.189 kcal/mol; sigma = 2.3925 angstrom; lambda = 23.15 }\n"
    "lattice ice { kind = diamond_cubic; atoms = 64; density = 0.033567184 /angstrom^3 }\n"
    "system water { potential = mw; lattice = ice; mass = 18.015 g/mol }\n";
const std::string kCold = "ensemble cold { kind = nvt; temperature = 200 K }\n";
const std::string kBand = "ensemble cold { kind = nvt; temperature = 100 K .. 300 K }\n";
const std::string kBase = "base phonons { kind = scha; system = water; ensemble = cold }\n";
const std::string kFlow = "flow ours { type = mode_split }\n";
const std::string kConditional = "flow ours { type = mode_split; condition_on = [temperature] }\n";
const std::string kTrain = "train bg { system = water; ensemble = cold; base = phonons; flow = ours; seed = 1\n stage main { loss = reverse_kl; steps = 60 } }\n";
const std::string kDraws = "sample draws { model = bg; count = 400; seed = 2 }\n";
const std::string kModel = kCrystal + kCold + kBase + kFlow + kTrain;
const std::string kConditionalModel = kCrystal + kBand + kBase + kConditional + kTrain;
const std::string kChains =
    "md chains { system = water; ensemble = cold; integrator = langevin(friction = 1 /ps); timestep = 2 fs; equilibrate = 1 ps; produce = 10 ps; every = 1 ps; seed = 3 }\n";

/// A block that names everything needs nothing else; the others stand behind what they name.
std::string potential_in(const std::string& body) {
  return "bgw 1\npotential it { " + body + " }\nlattice xtal { kind = fcc; atoms = 500; density = 0.08 /angstrom^3 }\nsystem solid { potential = it; lattice = xtal }\n";
}
std::string lattice_in(const std::string& body) {
  return "bgw 1\npotential mw { style = stillinger_weber; epsilon = 6.189 kcal/mol; sigma = 2.3925 angstrom; lambda = 23.15 }\nlattice it { " + body + " }\n" +
         "system solid { potential = mw; lattice = it }\n";
}

void collect_constructors(const Type& type, std::vector<std::string>& names) {
  if (type.kind == TypeKind::constructor) {
    names.insert(names.end(), type.nouns.begin(), type.nouns.end());
    names.insert(names.end(), type.later.begin(), type.later.end());
  }
  for (const Type& item : type.items) collect_constructors(item, names);
}

void check_attributes(const std::string& owner, const std::vector<schema::Attribute>& attributes) {
  for (const schema::Attribute& attribute : attributes) {
    INFO(owner << "." << attribute.name);
    CHECK_FALSE(attribute.doc.empty());
    CHECK_FALSE((attribute.required && !attribute.otherwise.is_none()));
    CHECK_FALSE((attribute.required && attribute.later));  // a block would never run
    std::vector<std::string> constructors;
    collect_constructors(attribute.type, constructors);
    for (const std::string& name : constructors) CHECK(all_kinds().find_constructor(name) != nullptr);
  }
}

}  // namespace

TEST_CASE("every kind and attribute says what it is, and every constructor it names is there", "[catalog]") {
  for (const std::string& noun : all_kinds().nouns()) {
    const schema::KindSchema& kind = *all_kinds().find_kind(noun);
    INFO(noun);
    CHECK_FALSE(kind.doc.empty());
    check_attributes(noun, kind.attributes);
    for (const auto& nested : kind.nested) check_attributes(noun + "." + nested.kind, nested.attributes);
    for (const auto& result : kind.results) check_attributes(noun + "." + result.name, result.arguments);
    for (const auto& result : kind.results) CHECK_FALSE(result.doc.empty());
  }
  for (const std::string& name : all_kinds().constructor_names()) {
    CHECK_FALSE(all_kinds().find_constructor(name)->doc.empty());
    check_attributes(name, all_kinds().find_constructor(name)->arguments);
  }
}

TEST_CASE("the kinds of the language are all there", "[catalog]") {
  for (const char* noun : {"potential", "lattice", "system", "ensemble", "base", "flow", "train", "sample", "md", "relax", "data", "estimate", "reference",
                           "surface", "phase_diagram", "figure", "table", "expect", "resources"}) {
    INFO(noun);
    CHECK(all_kinds().find_kind(noun) != nullptr);
  }
}

TEST_CASE("every style of potential compiles from its smallest program", "[catalog]") {
  clean(potential_in("style = stillinger_weber; epsilon = 1 eV; sigma = 2 angstrom; lambda = 21"));
  clean(potential_in("style = stillinger_weber; epsilon = 1 eV; sigma = 2 angstrom; lambda = 18 .. 24"));
  clean(potential_in("style = lennard_jones; epsilon = 0.01 eV; sigma = 2.2 angstrom; cutoff = 5 angstrom"));
  clean(potential_in("style = lennard_jones; epsilon = 0.01 eV; sigma = 2.2 angstrom; cutoff = 5 angstrom; switch_from = 4 angstrom"));
  clean(potential_in("style = harmonic; spring = 5 eV/angstrom^2; cutoff = 3 angstrom"));
  clean(potential_in("style = einstein; spring = 5 eV/angstrom^2"));
  clean(potential_in("style = file; path = \"Al.table\"; cutoff = 5 angstrom"));
}

TEST_CASE("every kind of lattice compiles from its smallest program", "[catalog]") {
  for (const char* kind : {"fcc; atoms = 256", "bcc; atoms = 250", "diamond_cubic; atoms = 64", "ice_ih; atoms = 216", "hcp; atoms = 180",
                           "fcc_orthorhombic; atoms = 180", "hcp; atoms = 180; c_over_a = 1.6 .. 1.66", "beta_tin; atoms = 216; c_over_a = 0.55 .. 0.6; delta = 0.06",
                           "beta_tin; atoms = 216; c_over_a = 0.58; b_over_a = 1.05"}) {
    clean(lattice_in(std::string("kind = ") + kind + "; density = 0.033 /angstrom^3"));
  }
  const std::string file = BGW_SOURCE_DIR "/tests/golden/diagnostics/si.vasp";
  clean(lattice_in("kind = file; path = \"" + file + "\"; repeats = [4, 4, 4]"));
  clean(lattice_in("kind = file; path = \"" + file + "\"; repeats = [4, 4, 4]; density = 0.033 /angstrom^3 .. 0.036 /angstrom^3"));
}

TEST_CASE("every ensemble, base and flow compiles from its smallest program", "[catalog]") {
  clean(kCrystal + "ensemble warm { kind = npt; temperature = 300 K; pressure = 0 GPa .. 1 GPa; box = a_eq_b }\nbase free { kind = phonon; system = water; ensemble = at(warm, pressure = 1 GPa) }\n");
  clean(kCrystal + kCold + "base each { kind = einstein_crystal; width = 0.2 angstrom; system = water; ensemble = cold }\n");
  const std::string train = "train bg { system = water; ensemble = cold; base = phonons; flow = ours; seed = 1; stage main { loss = reverse_kl; steps = 60 } }\n";
  for (const char* flow : {"augmented_coupling; layers = 4; bins = 16; embedding = 32; conditioner = gnn(layers = 2, frequencies = 8); aux_width = 0.2 angstrom; neighbours = 16; recompute_neighbours = true",
                           "global_attention; layers = 8; bins = 16; embedding = 256; conditioner = attention(layers = 2, heads = 2)"}) {
    clean(kCrystal + kCold + "base phonons { kind = einstein_crystal; width = 0.2 angstrom; system = water; ensemble = cold }\nflow ours { type = " + flow + " }\n" + train);
  }
}

TEST_CASE("every loss, schedule and path compiles from its smallest program", "[catalog]") {
  const auto stage = [](const std::string& body) {
    clean(kCrystal + kCold + kBase + kFlow + "train bg { system = water; ensemble = cold; base = phonons; flow = ours; seed = 1\n stage main { steps = 60; " + body + " } }\n" +
          kChains + "table t { column e { value = chains.mean_energy } }\n");
  };
  stage("loss = forward_kl; data = harmonic(water, ensemble = cold)");
  stage("loss = mixed(0.5); data = chains; grad_clip = 1e4; linearize_below = 1.2 angstrom");
  stage("loss = reverse_kl; temperature = [600 K, 400 K, 200 K]; learning_rate = decay(7e-5, at = [30, 50])");
  stage("loss = reverse_kl; atoms = [216, 64]; when = true");
  const auto path = [](const std::string& body) { clean(kCrystal + kCold + "reference ref { system = water; ensemble = cold; seed = 3; " + body + " }\n"); };
  path("path = einstein_crystal(spring = 5 kcal/mol/angstrom^2, states = 24); sampler = langevin(timestep = 2 fs, friction = 1 /ps); produce = 1 ns");
  path("path = lambda(from = 0, to = 23.15, states = 8); sampler = hmc(chains = 16, steps = 64)");
  const std::string hot = kBase + "ensemble hot { kind = nvt; temperature = 300 K }\nbase waves { kind = scha; system = water; ensemble = hot }\n" +
                          "reference top { system = water; ensemble = hot; path = base_to_target(waves, states = 3); sampler = hmc(chains = 16, steps = 64); seed = 1 }\n";
  const auto ladder = [&](const std::string& body) {
    return clean(kCrystal + kCold + hot + "reference ref { system = water; ensemble = cold; seed = 3; sampler = hmc(chains = 16, steps = 64); path = " + body + "; stress = true }\ntarget default = [ref]\n");
  };
  ladder("temperature_ladder(phonons, from = 200 K, to = 300 K, temperatures = 8, anchors = [top])");
  const lowering::Program written = ladder("replica_exchange(phonons, temperatures = [100 K, 200 K, 300 K], anchors = [top])");
  CHECK(task(written, "ref").arguments.at("path").at("temperatures").as_list().size() == 3);
}

TEST_CASE("a ladder of temperatures passes its ends, the ensemble and the anchors, and has one key however it is written", "[catalog]") {
  const auto ladder = [](const std::string& body) {
    const std::string text = kCrystal + kCold + "ensemble hot { kind = nvt; temperature = 300 K }\nbase waves { kind = scha; system = water; ensemble = hot }\n" +
                             "reference top { system = water; ensemble = hot; path = base_to_target(waves, states = 3); sampler = hmc(chains = 16, steps = 64); seed = 1 }\n" +
                             "reference ref { system = water; ensemble = cold; seed = 3; sampler = hmc(chains = 16, steps = 64); path = replica_exchange(waves, " + body + ", anchors = [top]) }\n";
    return task(clean(text), "ref");
  };
  const plan::TaskSpec counted = ladder("from = 320 K, to = 180 K, temperatures = 9");
  std::vector<double> temperatures;
  std::string list;
  for (const Value& t : counted.arguments.at("path").at("temperatures").as_list()) temperatures.push_back(t.as_double());
  REQUIRE(temperatures.size() == 9);
  CHECK(temperatures.front() == 180.0);
  CHECK(temperatures.back() == 320.0);
  for (const double fixed : {200.0, 300.0}) CHECK(std::count(temperatures.begin(), temperatures.end(), fixed) == 1);
  for (std::size_t i = 1; i < temperatures.size(); ++i) {
    const double ratio = temperatures[i] / temperatures[i - 1];
    CHECK(ratio > 1.0);
    CHECK(ratio < 1.11);  // of the two short ends; 0.575 / 8 in the mean
    list += fmt::format("{}{:.17g} K", i == 1 ? fmt::format("{:.17g} K, ", temperatures[0]) : ", ", temperatures[i]);
  }
  CHECK(ladder("temperatures = [" + list + "]").key == counted.key);
  CHECK(ladder("from = 180 K, to = 320 K, temperatures = 9").key == counted.key);
  CHECK(ladder("from = 180 K, to = 320 K, temperatures = 10").key != counted.key);
  CHECK(catalog::ladder_through({100.0, 400.0}, 3) == std::vector<double>{100.0, 200.0, 400.0});
}

TEST_CASE("a learned force compiles from its smallest program, in a network's precision, and needs what it needs", "[catalog]") {
  const auto program = [](const std::string& flow, const std::string& rest) {
    return kCrystal + kCold + kBase + "flow dear { type = mode_split; " + flow + " }\ntrain bg { system = water; ensemble = cold; base = phonons; flow = dear; seed = 1; " +
           rest + " }\n";
  };
  const std::string matching = "stage force { loss = force_matching; steps = 60 }";
  const lowering::Program learned = clean(program("force = learned(neighbours = 16)", "precision = float32\n " + matching));
  CHECK(task(learned, "bg").later.empty());
  const Value& force = task(learned, "bg").arguments.at("flow").at("force");
  CHECK(force.at("neighbours").as_int() == 16);
  CHECK(force.at("hidden").as_int() == 128);
  CHECK(task(clean(program("splits = 4", "precision = float32\n stage main { loss = reverse_kl; steps = 60 }")), "bg").later.empty());

  const auto refused = [&](const std::string& flow, const std::string& rest, const std::string& id, const std::string& text) {
    const std::string written = program(flow, rest);
    std::string said;
    INFO(written);
    CHECK_FALSE(compile(written, said));
    CHECK_THAT(said, Catch::Contains(id) && Catch::Contains(text));
  };
  const std::string main = "stage main { loss = reverse_kl; steps = 60 }";
  refused("force = learned(neighbours = 16)", main, "E0428", "never learns the force");
  refused("splits = 4", matching, "E0428", "learns none");
  refused("force = learned(neighbours = 16)", "stage force { loss = force_matching; steps = 60; until_ess = 0.5 }", "E0428", "draws no samples");
  refused("force = learned(neighbours = 16)", "stage force { loss = force_matching(smallest = 2); steps = 60 }", "E0428", "is above its largest");
  refused("force = learned(neighbours = 16)", "stage force { loss = force_matching; steps = 60; data = harmonic(water, ensemble = cold) }", "E0428", "has no use");
  refused("force = learned(neighbours = 12)", matching, "E0435", "close no shell");
  refused("force = learned(neighbours = 16); soften = 0.9", matching, "E0423", "`soften` has no use");
}

TEST_CASE("networks compile over ranges, and one of attention moves within the shapes that its training leaves open", "[catalog]") {
  const auto program = [](const std::string& flow, const std::string& rest) {
    return "bgw 1\npotential mw { style = stillinger_weber; epsilon = 6.189 kcal/mol; sigma = 2.3925 angstrom; lambda = 23.15 }\n"
           "lattice ice { kind = ice_ih; atoms = 64; density = 0.0325 /angstrom^3 .. 0.0345 /angstrom^3; c_over_a = 1.6 .. 1.66 }\n"
           "system water { potential = mw; lattice = ice; mass = 18.015 g/mol }\nensemble cold { kind = nvt; temperature = 150 K .. 250 K }\n"
           "base springs { kind = einstein_crystal; system = water; ensemble = cold; width = 0.15 angstrom }\n"
           "flow network { layers = 2; bins = 8; embedding = 8; condition_on = [temperature, density, c_over_a]; " + flow + " }\n"
           "train bg { system = water; ensemble = cold; base = springs; flow = network; seed = 1; stage main { loss = reverse_kl; steps = 10 } }\n" + rest;
  };
  const std::string one = "temperature = 200 K, density = 0.0335 /angstrom^3, c_over_a = 1.62";
  for (const char* flow : {"type = augmented_coupling; range = 3 angstrom; conditioner = gnn(layers = 1, neighbours = 4)", "type = global_attention; conditioner = attention(layers = 1)"}) {
    const lowering::Program wide = clean(program(flow, "sample draws { model = at(bg, " + one + "); count = 10; seed = 2 }\n"
        "system there { potential = mw; lattice = at(ice, density = 0.0335 /angstrom^3, c_over_a = 1.62); mass = 18.015 g/mol }\n"
        "base held { kind = einstein_crystal; system = there; ensemble = at(cold, temperature = 200 K); width = 0.15 angstrom }\n"
        "sample moved { model = transfer(bg, to = there, base = held); count = 10; seed = 2 }\n"));
    for (const char* name : {"bg", "draws", "moved"}) CHECK(task(wide, name).later.empty());
  }
  std::string said;
  CHECK_FALSE(compile(program("type = augmented_coupling; conditioner = gnn(layers = 1, neighbours = 5)", ""), said));
  CHECK_THAT(said, Catch::Contains("E0435") && Catch::Contains("close no shell"));
}

TEST_CASE("dynamics runs at constant pressure, a base and a reference do not yet", "[catalog]") {
  const std::string pressed = kCrystal + "ensemble cold { kind = npt; temperature = 200 K; pressure = 1 GPa; box = triclinic }\n";
  const lowering::Program moving = clean(pressed + kChains);
  CHECK(task(moving, "chains").later.empty());
  const Value& ensemble = task(moving, "chains").arguments.at("ensemble");
  CHECK(ensemble.at("box").as_string() == "triclinic");
  CHECK(ensemble.at("pressure").as_double() == Approx(1 / 160.2176634));
  const lowering::Program standing = clean(
      pressed + kBase +
      "reference ref { system = water; ensemble = cold; path = base_to_target(phonons, states = 3); sampler = hmc(chains = 8, steps = 8); seed = 1 }\n");
  CHECK(task(standing, "phonons").later == std::vector<std::string>{"`ensemble.kind = npt` of a base"});
  CHECK(task(standing, "ref").later == std::vector<std::string>{"`ensemble.kind = npt` of a reference"});
}

TEST_CASE("every estimator compiles from its smallest program", "[catalog]") {
  for (const char* method : {"lfep", "tfep", "cumulant", "ais", "ess"}) clean(kModel + kDraws + "estimate F { method = " + method + "; samples = draws }\n");
  for (const char* method : {"bar", "lbar", "mbar"}) clean(kModel + kDraws + kChains + "estimate F { method = " + method + "; samples = draws; data = chains }\n");
  clean(kModel + kDraws + "data old { file = \"old.h5\"; format = hdf5; system = water; ensemble = cold; unit = \"nm\" }\nestimate F { method = bar; samples = draws; data = old }\n");
  clean(kModel + "estimate F { method = lfep; model = bg; count = 400 }\n");
  clean(kConditionalModel + "estimate F { method = lfep; model = bg; count = 400; temperature = [100 K, 200 K] }\nexpect e { value = F.at(temperature = 200 K).per_particle; reference = -25; sigmas = 3 }\n");
  clean(kConditionalModel + "sample draws { model = at(bg, temperature = 250 K); count = 400; seed = 2 }\nestimate F { method = lfep; samples = draws }\n");
}

TEST_CASE("annealing from a model takes its trajectories, states and moves, and has them when they are left out", "[catalog]") {
  const lowering::Program program = clean(kModel + kDraws + "estimate F { method = ais; samples = draws }\n"
                                          "estimate G { method = ais; samples = draws; count = 200; states = auto; moves = 1 }\n"
                                          "estimate H { method = ais; samples = draws; count = 50; states = 12; moves = 2 }\n"
                                          "figure works { series f { y = H.work_forward } }\n");
  const Value& left_out = task(program, "F").arguments;
  CHECK(left_out.at("count").as_int() == 200);
  CHECK(left_out.at("states").as_string() == "auto");
  CHECK(left_out.at("moves").as_int() == 1);
  CHECK(task(program, "F").later.empty());
  CHECK(task(program, "H").arguments.at("states").as_int() == 12);
  CHECK(task(program, "F").also_named == std::vector<std::string>{"G"});
  CHECK(task(program, "F").stream_key != task(program, "H").stream_key);
  const Value& drawn = task(program, "works").arguments.at("series").as_list()[0].at("y");
  CHECK(drawn.at("op").as_string() == "curve");
  CHECK(drawn.at("name").as_string() == "work_forward");
}

TEST_CASE("a marginal has its copies when their number is left out", "[catalog]") {
  const std::string model = kCrystal + kCold + kBase + "flow wide { type = augmented_coupling; layers = 2; bins = 8; embedding = 16; conditioner = gnn(layers = 1, frequencies = 4); aux_width = 0.1 angstrom }\n"
                            "train bg { system = water; ensemble = cold; base = phonons; flow = wide; seed = 1; stage main { loss = reverse_kl; steps = 60 } }\n";
  const lowering::Program program = clean(model + kDraws + "estimate F { method = lfep; samples = draws; marginal = true }\n"
                                          "estimate G { method = lfep; samples = draws; marginal = true; aux_draws = 4 }\n");
  CHECK(task(program, "F").arguments.at("aux_draws").as_int() == 32);
  CHECK(task(program, "G").arguments.at("aux_draws").as_int() == 4);
}

TEST_CASE("attributes that nothing runs yet stay out of the arguments of those that leave them out", "[catalog]") {
  const lowering::Program program = clean(kModel + kDraws + "estimate F { method = lfep; samples = draws }\n");
  const auto& estimate = task(program, "F").arguments.as_map();
  for (const char* name : {"model", "temperature", "density", "c_over_a"}) CHECK(estimate.count(name) == 0);
  const auto& trained = task(program, "bg").arguments.as_map();
  CHECK(trained.at("stages").as_list()[0].find("when") == nullptr);
  CHECK(trained.at("stages").as_list()[0].find("density") == nullptr);
  CHECK(trained.at("flow").find("condition_on") == nullptr);
  CHECK(trained.at("system").find("species") == nullptr);
}

TEST_CASE("the mass of a reduced system says nothing, and leaves no trace", "[catalog]") {
  const auto program = [](const char* mass) {
    return clean(std::string("bgw 1\npotential pair { style = lennard_jones; cutoff = 2.1 lj }\nlattice fcc { kind = fcc; atoms = 108; density = 1.28 lj }\n"
                             "system crystal { potential = pair; lattice = fcc") + mass + " }\nensemble warm { kind = nvt; temperature = 2 lj }\n"
                 "base phonons { kind = scha; system = crystal; ensemble = warm }\n");
  };
  const schema::Value with = task(program("; mass = 1 lj"), "phonons").arguments.at("system");
  CHECK_FALSE(with.has("mass"));
  CHECK(with == task(program(""), "phonons").arguments.at("system"));
}

TEST_CASE("a base is sampled like a model, and its samples are estimated from", "[catalog]") {
  const std::string draws = "sample gaussian { model = phonons; count = 400; seed = 2 }\n";
  for (const char* method : {"lfep", "cumulant", "ess"}) clean(kCrystal + kCold + kBase + draws + "estimate F { method = " + method + "; samples = gaussian }\n");
  for (const char* method : {"bar", "mbar"}) {
    const lowering::Program program = clean(kCrystal + kCold + kBase + draws + kChains + "estimate F { method = " + method + "; samples = gaussian; data = chains }\n");
    CHECK(task(program, "gaussian").arguments.at("model").at("task").as_string() == "model");
  }
}

TEST_CASE("an interval keeps both of its ends", "[catalog]") {
  const lowering::Program program = clean(kConditionalModel);
  const Value& temperature = task(program, "bg").arguments.at("ensemble").at("temperature");
  CHECK(temperature.at("interval") == Value(schema::List{100.0, 300.0}));
  CHECK(catalog::range_of(temperature).middle() == 200.0);
}

namespace {

/// How many tasks of each kind a program of the repository has; nothing may be said of it.
std::map<std::string, int> tasks_of_kinds(const std::string& name) {
  const std::filesystem::path path = std::filesystem::path(BGW_SOURCE_DIR) / name;
  std::ifstream in(path, std::ios::binary);
  source::SourceMap file(path.string(), std::string(std::istreambuf_iterator<char>(in), {}));
  source::DiagnosticSink sink;
  const auto program = lowering::compile(file, all_kinds(), {}, sink);
  INFO(source::render(sink.sorted(), file, {}));
  REQUIRE(program);
  CHECK(sink.sorted().empty());
  std::map<std::string, int> counts;
  for (const plan::TaskSpec& each : program->plan.tasks) ++counts[each.kind];
  return counts;
}

}  // namespace

TEST_CASE("what a curve through results is to reach may be in reduced units, as they are", "[catalog]") {
  const std::string text =
      "bgw 1\naxis dense : int = 0 .. 3\n"
      "potential lj { style = lennard_jones; cutoff = 2.2 lj; shift = true }\n"
      "lattice xtal[i in dense] { kind = fcc; atoms = 32; density = 1.1 lj + i * 0.02 lj }\n"
      "system argon[i in dense] { potential = lj; lattice = xtal[i]; minimum_image = compatible }\n"
      "ensemble warm { kind = nvt; temperature = 1 lj }\n"
      "md run[i in dense] { system = argon[i]; ensemble = warm; integrator = langevin(friction = 1 lj); timestep = 0.004 lj; equilibrate = 4 lj; produce = 40 lj; every = 0.1 lj; seed = derive(1, i) }\n"
      "table at { column i { value = crossing([i for i in dense], [run[i].mean_pressure for i in dense], 20 lj) } }\n";
  const lowering::Program program = clean(text);
  const Value& sought = task(program, "at").arguments.at("rows").as_list().at(0).at("cells").as_list().at(0).at("args").as_list().at(2);
  CHECK(sought.at("value").as_double() == 20.0);
  CHECK(sought.at("unit").as_string() == "eV/angstrom^3");
}

TEST_CASE("a constructor whose numbers changed brings its version into the key, others bring none", "[catalog]") {
  const lowering::Program program = clean(kCrystal + kCold + kBase +
                                          "reference hot { system = water; ensemble = cold; path = base_to_target(phonons, states = 3); sampler = hmc(chains = 4, steps = 8); seed = 1 }\n"
                                          "reference ladder { system = water; ensemble = cold; path = replica_exchange(phonons, from = 150 K, to = 200 K, temperatures = 3, anchors = [hot]); "
                                          "sampler = hmc(chains = 4, steps = 8); seed = 2 }\n");
  CHECK_FALSE(task(program, "hot").arguments.at("path").has("version"));
  const schema::ConstructorSchema* ladder = all_kinds().find_constructor("replica_exchange");
  REQUIRE(ladder->version > 1);
  CHECK(task(program, "ladder").arguments.at("path").at("version").as_int() == ladder->version);
}

TEST_CASE("the examples compile without a warning, to the tasks one counts by hand", "[catalog]") {
  using Counts = std::map<std::string, int>;
  // phase 2 x size 3 = 6; with rep 3 = 18; three estimates of each of these.
  CHECK(tasks_of_kinds("examples/paper_mw_ice.bgw") == Counts{{"base", 6}, {"train", 18}, {"sample", 18}, {"md", 6}, {"reference", 6}, {"estimate", 54}, {"figure", 1}, {"table", 1}});
  // Two phases; the anchor has a base of its own for each, at one state.
  CHECK(tasks_of_kinds("examples/silicon_phase_diagram.bgw") == Counts{{"base", 4}, {"train", 2}, {"estimate", 2}, {"reference", 2}, {"surface", 2}, {"phase_diagram", 1}, {"figure", 2}});
  // Twelve states of diamond, thirty-six of beta-tin, twelve cells of it at many temperatures.
  CHECK(tasks_of_kinds("workflows/silicon_phase_diagram.bgw") == Counts{{"base", 48}, {"reference", 60}, {"surface", 2}, {"phase_diagram", 1}, {"figure", 2}, {"table", 1}});
  // Five strengths with four densities of diamond, four with twelve boxes of beta-tin, two with four densities of bcc; silicon once.
  CHECK(tasks_of_kinds("workflows/lambda_sw_map.bgw") == Counts{{"base", 92}, {"reference", 92}, {"surface", 13}, {"phase_diagram", 6}, {"figure", 1}, {"table", 3}});
  // Three cutoffs, two temperatures, four densities; three shapes of hcp.
  CHECK(tasks_of_kinds("workflows/lj_fcc_hcp.bgw") == Counts{{"base", 96}, {"reference", 96}, {"surface", 6}, {"phase_diagram", 3}, {"figure", 2}, {"table", 1}});
  // Two sizes; trajectories at three pressures.
  CHECK(tasks_of_kinds("examples/lj_npt.bgw") == Counts{{"base", 2}, {"train", 2}, {"estimate", 2}, {"md", 6}, {"table", 1}, {"figure", 1}});
  CHECK(tasks_of_kinds("examples/silicon_clathrate.bgw") == Counts{{"base", 2}, {"reference", 2}, {"table", 1}});
  CHECK(tasks_of_kinds("examples/beta_tin_ladder.bgw") == Counts{{"base", 2}, {"reference", 3}, {"table", 1}, {"figure", 2}});
  CHECK(tasks_of_kinds("examples/silicon_grid.bgw") == Counts{{"base", 2}, {"reference", 2}, {"surface", 1}, {"phase_diagram", 1}, {"table", 2}, {"figure", 1}});
  CHECK(tasks_of_kinds("workflows/table1.bgw") == Counts{{"base", 8}, {"reference", 16}, {"table", 2}});
  // Five sizes, two depths, hexagonal ice besides; chains at two sizes.
  CHECK(tasks_of_kinds("workflows/ice_generators.bgw") == Counts{{"base", 6}, {"train", 2}, {"sample", 17}, {"reference", 2}, {"estimate", 2}, {"energy_histogram", 4}, {"rdf", 2}, {"figure", 2}, {"table", 4}});
  CHECK(tasks_of_kinds("workflows/ice_ic_ih.bgw") == Counts{{"base", 22}, {"train", 1}, {"sample", 12}, {"reference", 4}, {"figure", 3}, {"table", 4}});
  CHECK(tasks_of_kinds("workflows/soft_crystals.bgw") == Counts{{"base", 2}, {"train", 2}, {"sample", 2}, {"reference", 1}, {"table", 2}});
  // Diamond at rest, at three pressures and at that of the modulated cell; three structures of four atoms and that cell.
  CHECK(tasks_of_kinds("workflows/silicon_static.bgw") == Counts{{"relax", 9}, {"table", 2}});
  CHECK(tasks_of_kinds("workflows/conditional_silicon.bgw") == Counts{{"base", 11}, {"train", 1}, {"estimate", 1}, {"reference", 10}, {"table", 2}});
  CHECK(tasks_of_kinds("workflows/conditional_ice.bgw") == Counts{{"base", 10}, {"train", 2}, {"sample", 8}, {"estimate", 5}, {"reference", 4}, {"surface", 1}, {"table", 1}});
  CHECK(tasks_of_kinds("workflows/learned_force.bgw") == Counts{{"base", 2}, {"train", 1}, {"sample", 2}, {"table", 2}});
  CHECK(tasks_of_kinds("workflows/paper_mw_small.bgw") == Counts{{"base", 2}, {"train", 3}, {"sample", 3}, {"reference", 2}, {"estimate", 5}, {"table", 2}, {"figure", 2}});
  CHECK(tasks_of_kinds("workflows/paper_mw_64.bgw") == Counts{{"base", 2}, {"train", 1}, {"sample", 2}, {"estimate", 2}, {"figure", 1}, {"table", 1}});
  CHECK(tasks_of_kinds("workflows/methods.bgw") == Counts{{"base", 4}, {"train", 3}, {"sample", 7}, {"estimate", 7}, {"reference", 9}, {"table", 6}, {"figure", 1}});
  CHECK(tasks_of_kinds("workflows/quickstart.bgw") == Counts{{"base", 2}, {"train", 1}, {"sample", 2}, {"reference", 2}, {"estimate", 2}, {"rdf", 2}, {"figure", 1}, {"table", 1}});
}

TEST_CASE("a range holds its ends however they were computed", "[catalog]") {
  const catalog::Range range{0.3, 0.9};
  CHECK(range.holds(0.1 + 0.2));
  CHECK(range.holds(0.9));
  CHECK_FALSE(range.holds(0.91));
  CHECK_FALSE(range.holds(0.29));
  CHECK(catalog::range_of(schema::List{3.0, 1.0, 2.0}).low == 1.0);
}

TEST_CASE("the stiffest mode is that of springs between neighbours", "[catalog]") {
  const schema::Map fcc{{"kind", "fcc"}, {"density", 1.28}, {"atoms", 256}, {"repeats", schema::List{4, 4, 4}}};
  const Value springs = schema::Map{{"lattice", fcc}, {"potential", schema::Map{{"style", "harmonic"}, {"spring", 3.0}, {"cutoff", 1.2}}}};
  CHECK(*catalog::stiffest_mode(springs, 2.0) == Approx(std::sqrt(8.0 * 3.0 / 2.0)));  // of fcc at X
  const Value einstein = schema::Map{{"lattice", fcc}, {"potential", schema::Map{{"style", "einstein"}, {"spring", 3.0}}}};
  CHECK(*catalog::stiffest_mode(einstein, 2.0) == Approx(std::sqrt(1.5)));
  // At the minimum of the pair energy its curvature is 72 / 2^(1/3) epsilon / sigma^2.
  const double density = std::sqrt(2.0) / std::pow(std::pow(2.0, 1.0 / 6.0), 3);
  schema::Map at_minimum = fcc;
  at_minimum["density"] = density;
  const Value lj = schema::Map{{"lattice", at_minimum}, {"potential", schema::Map{{"style", "lennard_jones"}, {"epsilon", 1.0}, {"sigma", 1.0}, {"cutoff", 2.2}}}};
  CHECK(*catalog::stiffest_mode(lj, 1.0) == Approx(std::sqrt(8.0 * 72.0 / std::cbrt(2.0))).epsilon(1e-4));
}
