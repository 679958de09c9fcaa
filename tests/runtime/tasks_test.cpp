#include "runtime/tasks/tasks.h"

#include <numeric>

#include "runtime/engine/extension.h"
#include "runtime/estimators/lfep.h"
#include "runtime/foundation/errors.h"
#include "runtime/store/hdf5_file.h"
#include "runtime/tasks/energy_request.h"
#include "runtime/tasks/ground.h"
#include "runtime/tensor/array.h"
#include "runtime/tensor/random_stream.h"
#include "tests/shared/systems.h"
#include "tests/support/catch.h"
#include "tests/support/task_desk.h"

namespace {

using namespace bgw;
using schema::List;
using schema::Map;
using schema::Value;

constexpr double kElectronvolt = 0.043364104241800934;  // of a kcal/mol

/// Cubic ice of 64 molecules at 200 K, as the compiler hands it to tasks: eV, angstrom, and a mass in eV fs^2/angstrom^2.
Value ice() {
  Map system = testing::water("diamond_cubic", 64).as_map();
  system["potential"] = testing::stillinger_weber_value(6.189 * kElectronvolt, 2.3925, 23.15);
  system["mass"] = 18.015 * 103.64269652680505;
  return system;
}

Value task(const std::string& role) { return Map{{"task", role}}; }

/// Base, flow, samples, reference and estimate of one small crystal.
class Study : public test::TaskDesk {
 public:
  static plan::TaskSpec spec(const std::string& kind, Map arguments, const std::map<std::string, plan::Key>& inputs = {}) {
    return TaskDesk::spec(kind, kind, std::move(arguments), inputs);
  }

  /// The artifact of the same task when it is stopped at the end of every step and started again. An analysis that was
  /// stopped in its middle is made anew, and then left alone.
  artifacts::Artifact run_in_steps(const plan::TaskSpec& task_spec, int& stops) {
    test::MemoryContext context(store, task_spec);
    context.stop = true;
    for (stops = 0;; ++stops) {
      const int steps = context.reports;
      try {
        return tasks::registry().at(task_spec.kind)(context);
      } catch (const Stopped&) {
        REQUIRE(context.saved == stops + 1);
        context.stop = context.reports > steps;
      }
    }
  }

  /// The artifact of a task that goes on from the end of a shorter one.
  artifacts::Artifact run_on_from(const plan::TaskSpec& shorter, const plan::TaskSpec& task_spec) {
    test::MemoryContext first(store, shorter), second(store, task_spec);
    const artifacts::Artifact end = tasks::registry().at(shorter.kind)(first);
    second.save_checkpoint(first.kept ? *first.kept : end);
    return tasks::registry().at(task_spec.kind)(second);
  }

  plan::TaskSpec base(const std::string& kind = "phonon") {
    return spec("base", {{"kind", kind}, {"system", ice()}, {"ensemble", Map{{"kind", "nvt"}, {"temperature", 200.0}}},
                         {"relax_sites", true}, {"samples", 32}});
  }
  static Value stage(const std::string& name, int steps, Value learning_rate) {
    return Map{{"name", name}, {"loss", Map{{"call", "reverse_kl"}, {"gradient", "path"}}}, {"steps", steps}, {"batch", 4},
               {"learning_rate", std::move(learning_rate)}};
  }
  plan::TaskSpec training(const plan::TaskSpec& on, const List& stages) {
    return spec("train", {{"flow", Map{{"type", "mode_split"}, {"splits", 4}, {"look_ahead", 4}}}, {"seed", 42},
                          {"stages", stages}, {"base", task("base")}}, {{"base", on.key}});
  }
  plan::TaskSpec training(const plan::TaskSpec& on) { return training(on, {stage("main", 4, one_cycle())}); }
  static Value one_cycle() { return Map{{"call", "one_cycle"}, {"peak", 0.02}}; }
  plan::TaskSpec drawing(const plan::TaskSpec& model, int count = 300) {
    return spec("sample", {{"model", task("model")}, {"count", count}, {"batch", 70}, {"seed", 1}}, {{"model", model.key}});
  }
  plan::TaskSpec chains(const plan::TaskSpec& on, int steps = 16) {
    return spec("reference", {{"method", "mbar"}, {"path", Map{{"call", "base_to_target"}, {"base", task("path.base")}, {"states", 3}}},
                              {"sampler", Map{{"call", "hmc"}, {"chains", 8}, {"steps", steps}}}, {"seed", 2}},
                {{"path.base", on.key}});
  }
  plan::TaskSpec moving(Map ensemble, const std::map<std::string, plan::Key>& inputs = {}) {
    return spec("md", {{"system", ice()}, {"ensemble", std::move(ensemble)}, {"integrator", Map{{"call", "langevin"}, {"friction", 0.01}}},
                       {"timestep", 4.0}, {"equilibrate", 400.0}, {"produce", 2400.0}, {"every", 40.0}, {"replicas", 4}, {"seed", 5},
                       {"start", inputs.empty() ? Value() : task("start")}}, inputs);
  }
  plan::TaskSpec annealing(const plan::TaskSpec& on, int trajectories = 24) {
    return spec("reference", {{"method", "ais"}, {"path", Map{{"call", "base_to_target"}, {"base", task("path.base")}, {"states", "auto"}}},
                              {"sampler", Map{{"call", "hmc"}, {"chains", trajectories}, {"steps", 1}}}, {"seed", 3}},
                {{"path.base", on.key}});
  }
  plan::TaskSpec from_springs(const std::string& method, Value system, double spring, Value states, int chains, int steps) {
    return spec("reference", {{"method", method}, {"system", std::move(system)}, {"ensemble", Map{{"kind", "nvt"}, {"temperature", 200.0}}},
                              {"path", Map{{"call", "einstein_crystal"}, {"spring", spring}, {"states", std::move(states)}}},
                              {"sampler", Map{{"call", "hmc"}, {"chains", chains}, {"steps", steps}}}, {"seed", 4}});
  }
  plan::TaskSpec one_sided(const std::string& method, const plan::TaskSpec& samples) {
    return spec("estimate", {{"method", method}, {"samples", task("samples")}, {"bootstrap", 50}}, {{"samples", samples.key}});
  }
  plan::TaskSpec two_sided(const std::string& method, const plan::TaskSpec& samples, const plan::TaskSpec& data) {
    return spec("estimate", {{"method", method}, {"samples", task("samples")}, {"data", task("data")}, {"bootstrap", 50}},
                {{"samples", samples.key}, {"data", data.key}});
  }
  plan::TaskSpec estimating(const plan::TaskSpec& samples, const plan::TaskSpec& data) {
    return two_sided("bar", samples, data);
  }
};

void check_equal(const artifacts::Artifact& a, const artifacts::Artifact& b) {
  REQUIRE(a.arrays.size() == b.arrays.size());
  for (const auto& [name, array] : a.arrays) {
    INFO(name);
    CHECK(array.shape == b.array(name).shape);
    CHECK(array.doubles == b.array(name).doubles);
    CHECK(array.integers == b.array(name).integers);
  }
  REQUIRE(a.results.size() == b.results.size());
  for (std::size_t i = 0; i < a.results.size(); ++i) {
    INFO(a.results[i].name);
    CHECK(a.results[i].value == b.results[i].value);
    CHECK(a.results[i].sigma == b.results[i].sigma);
  }
  CHECK(a.cost.gradient_calls == b.cost.gradient_calls);
  CHECK(a.cost.hessian_calls == b.cost.hessian_calls);
}

double result_of(const artifacts::Artifact& artifact, const std::string& name) {
  const artifacts::Result* result = artifact.find_result(name);
  REQUIRE(result);
  return result->value;
}

}  // namespace

TEST_CASE("the whole chain of tasks gives the published free energy of ice two ways", "[tasks]") {
  Study study;
  const auto base = study.base("scha"), training = study.training(base), drawing = study.drawing(training),
             chains = study.chains(base, 128), estimating = study.estimating(drawing, chains);
  study.run(base);
  const auto& trained = study.run(training);
  const std::vector<double>& losses = trained.array("history/loss").doubles;  // four steps, all of them recent
  CHECK(result_of(trained, "loss") == Approx(std::accumulate(losses.begin(), losses.end(), 0.0) / 4));
  const auto& draws = study.run(drawing);
  const auto& reference = study.run(chains);
  const auto& estimate = study.run(estimating);

  const auto sigmas_off = [](const artifacts::Artifact& artifact) {
    const artifacts::Result* f = artifact.find_result("per_particle");
    REQUIRE(f);
    REQUIRE(*f->sigma > 0);
    return std::abs(f->value + 25.16311) / *f->sigma;
  };
  CHECK(sigmas_off(estimate) < 4);
  CHECK(sigmas_off(reference) < 4);
  CHECK(*estimate.find_result("per_particle")->sigma < 1e-3);
  CHECK(result_of(draws, "ess") > 0.5);
  CHECK(result_of(estimate, "overlap") > 0.8);
  // The true de Broglie wavelength shifts the free energy by a constant of the state point, -6.3219 for mW at 200 K.
  CHECK(result_of(estimate, "absolute") - result_of(estimate, "per_particle") == Approx(-6.3219).margin(1e-4));
  const artifacts::Result* energy = reference.find_result("mean_energy");  // published: -752.185(7) kcal/mol
  CHECK(std::abs(energy->value / kElectronvolt + 752.185 / 64) < 4 * *energy->sigma / kElectronvolt);
  CHECK(*energy->sigma / kElectronvolt < 0.6 / 64);
}

TEST_CASE("a task stopped after every step makes the artifact of an uninterrupted one, bit by bit", "[tasks]") {
  Study study;
  const auto base = study.base("scha"), training = study.training(base), drawing = study.drawing(training),
             chains = study.chains(base), estimating = study.estimating(drawing, chains), gaussian = study.drawing(base),
             annealing = study.annealing(base), both = study.two_sided("mbar", gaussian, chains);
  const auto dynamics = study.moving(Map{{"kind", "npt"}, {"temperature", 200.0}, {"pressure", 0.001}, {"box", "triclinic"}});
  for (const plan::TaskSpec* spec : {&base, &training, &drawing, &chains, &estimating, &gaussian, &annealing, &both, &dynamics}) {
    INFO(spec->kind);
    const artifacts::Artifact& whole = study.run(*spec);
    int stops = 0;
    const artifacts::Artifact pieces = study.run_in_steps(*spec, stops);
    CHECK(stops >= 2);
    check_equal(whole, pieces);
  }
}

TEST_CASE("dynamics of ice has the energy, temperature and heat capacity of its chains", "[tasks]") {
  Study study;
  const auto base = study.base(), chains = study.chains(base, 64);
  study.run(base);
  const artifacts::Artifact& reference = study.run(chains);
  const artifacts::Artifact& dynamics = study.run(study.moving(Map{{"kind", "nvt"}, {"temperature", 200.0}}, {{"start", chains.key}}));
  const artifacts::Result &energy = *dynamics.find_result("mean_energy"), &other = *reference.find_result("mean_energy");
  CHECK(std::abs(energy.value - other.value) < 4 * std::hypot(*energy.sigma, *other.sigma));
  CHECK(*energy.sigma < 0.2 * 200.0 / 11604.5);  // of kT
  const artifacts::Result& temperature = *dynamics.find_result("mean_temperature");
  CHECK(std::abs(temperature.value - 200.0) < 4 * *temperature.sigma);
  const artifacts::Result& heat = *dynamics.find_result("heat_capacity");
  CHECK(std::abs(heat.value - 3.0) < 4 * *heat.sigma);  // harmonic
  CHECK(result_of(dynamics, "density") == Approx(testing::kWaterDensity));
  CHECK(result_of(dynamics, "left_basin") == 0.0);
  CHECK(result_of(dynamics, "lindemann") == Approx(result_of(reference, "lindemann")).epsilon(0.1));
  CHECK(dynamics.array("displacements").shape == std::vector<std::int64_t>{240, 64, 3});
  CHECK(dynamics.array("time").doubles.at(61) == 80.0);
  CHECK(dynamics.array("chain").integers.at(61) == 1);
}

TEST_CASE("dynamics of a crystal that melts is refused with the number that broke the limit", "[tasks]") {
  Study study;
  const auto hot = study.moving(Map{{"kind", "nvt"}, {"temperature", 1500.0}});
  test::MemoryContext context(study.store, hot);
  CHECK_THROWS_WITH(tasks::molecular_dynamics(context), Catch::Contains("melts or leaves its structure") && Catch::Contains("the limit is 1.342"));
}

TEST_CASE("the Gaussian base is a model: every estimate on its samples gives the published free energy of ice", "[tasks]") {
  Study study;
  const auto base = study.base("scha"), drawing = study.drawing(base, 2000), chains = study.chains(base, 64);
  study.run(base);
  study.run(drawing);
  study.run(chains);
  const auto near = [](const artifacts::Artifact& artifact, const char* name) {
    const artifacts::Result* f = artifact.find_result(name);
    REQUIRE(f);
    INFO(name << " " << f->value << " +- " << *f->sigma);
    CHECK(std::abs(f->value + 25.16311) < 4 * *f->sigma);
    CHECK(*f->sigma < 2e-3);
  };
  const auto& average = study.run(study.one_sided("lfep", drawing));
  const auto& cumulant = study.run(study.one_sided("cumulant", drawing));
  for (const char* name : {"per_particle", "lfep", "cumulant"}) near(average, name);
  near(cumulant, "per_particle");
  CHECK(result_of(average, "per_particle") == result_of(cumulant, "lfep"));
  CHECK(result_of(cumulant, "per_particle") == result_of(average, "cumulant"));
  const auto& quality = study.run(study.one_sided("ess", drawing));
  CHECK(quality.find_result("per_particle") == nullptr);
  CHECK(*quality.find_result("ess")->sigma > 0);
  CHECK(result_of(quality, "ess") == result_of(average, "ess"));
  const auto& bar = study.run(study.two_sided("bar", drawing, chains));
  const auto& mbar = study.run(study.two_sided("mbar", drawing, chains));
  near(bar, "per_particle");
  near(bar, "reverse");
  CHECK(result_of(mbar, "per_particle") == Approx(result_of(bar, "per_particle")).epsilon(0).margin(1e-11));
  CHECK(result_of(mbar, "overlap") == Approx(result_of(bar, "overlap")));
  CHECK(result_of(mbar, "residual") < 1e-10);
}

TEST_CASE("annealing gives the published free energy of ice in all conventions", "[tasks]") {
  Study study;
  const auto base = study.base("phonon"), annealing = study.annealing(base, 200);
  study.run(base);
  const auto& reference = study.run(annealing);
  for (const char* name : {"per_particle", "cumulant"}) {
    const artifacts::Result* f = reference.find_result(name);
    CHECK(std::abs(f->value + 25.16311) < 4 * *f->sigma);
    CHECK(*f->sigma < 2e-3);
  }
  const double value = result_of(reference, "per_particle");
  CHECK(result_of(reference, "absolute") - value == Approx(-6.3219).margin(1e-4));
  CHECK(result_of(reference, "calphy") - result_of(reference, "absolute") == Approx(-std::log(64.0) / 64));
  CHECK(result_of(reference, "all_sublattices") - value == Approx(-std::log(2.0) / 64));
  CHECK(result_of(reference, "energy_per_particle") == Approx(value * 200 * 8.617333262145e-5).epsilon(1e-9));
  for (const char* name : {"per_particle", "absolute", "calphy", "all_sublattices", "energy_per_particle"})
    CHECK(!reference.find_result(name)->convention.empty());
  CHECK(result_of(reference, "ess") > 0.2);
  CHECK(result_of(reference, "states") == static_cast<double>(reference.array("lambda").size()));
  CHECK(reference.array("log_weight").size() == 200);
  CHECK(reference.cost.gradient_calls > 200 * (reference.array("lambda").size() - 2));
  const artifacts::Result* energy = reference.find_result("mean_energy");
  CHECK(std::abs(energy->value / kElectronvolt + 752.185 / 64) < 4 * *energy->sigma / kElectronvolt);
}

TEST_CASE("an Einstein crystal has the free energy of its formula", "[tasks]") {
  const double kt = 200.0 * 8.617333262145e-5;  // eV
  const double width = 0.2;
  const tasks::Ground ground = tasks::make_einstein_ground(ice(), Map{{"kind", "nvt"}, {"temperature", 200.0}}, kt / (width * width));
  // method.md 2.4: f_EC = 4.505639 for mW, N = 64, s = 0.2 angstrom; the static energy comes on top.
  CHECK(ground.free_energy(0.0) - ground.base.beta * ground.base.static_energy / 64 == Approx(4.505639).margin(1e-6));
  CHECK(ground.base.static_energy / kElectronvolt == Approx(-792.19104691));
  const Tensor y = tensor::RandomStream(plan::Key{}, "y").normal(0, 0, 4, ground.target->dimension());
  const Tensor u = ground.target->displacements(y);
  CHECK((u.square().sum({1, 2}) / (width * width) - y.square().sum(1)).abs().max().item<double>() < 1e-9);
  CHECK(u.sum(1).abs().max().item<double>() < 1e-10);
}

TEST_CASE("from atoms on springs to the crystal, by chains and by annealing", "[tasks]") {
  Study study;
  Map small = ice().as_map();
  small["lattice"] = testing::lattice_value("diamond_cubic", 8, testing::kWaterDensity);
  small["minimum_image"] = "compatible";
  const double spring = 20 * kElectronvolt;
  const auto chains = study.from_springs("mbar", small, spring, 8, 24, 40);
  const auto trajectories = study.from_springs("ais", small, spring, "auto", 200, 1);
  for (const auto& spec : {chains, trajectories}) {
    const artifacts::Result* f = study.run(spec).find_result("per_particle");  // method.md 2.5: -25.8655(5)
    INFO(f->value << " +- " << *f->sigma);
    CHECK(std::abs(f->value + 25.8655) < 4 * std::hypot(*f->sigma, 5e-4));
    CHECK(*f->sigma < 2e-2);
  }
}

TEST_CASE("from atoms on springs to the crystal, by dynamics", "[tasks]") {
  Study study;
  Map small = ice().as_map();
  small["lattice"] = testing::lattice_value("diamond_cubic", 8, testing::kWaterDensity);
  small["minimum_image"] = "compatible";
  auto dynamics = study.from_springs("mbar", small, 20 * kElectronvolt, 8, 1, 4).arguments.as_map();
  dynamics["sampler"] = Map{{"call", "langevin"}, {"friction", 2e-3}, {"timestep", 2.0}};
  dynamics["equilibrate"] = 1000.0;
  dynamics["produce"] = 6000.0;
  const auto& reference = study.run(study.spec("reference", dynamics));
  const artifacts::Result* f = reference.find_result("per_particle");
  INFO(f->value << " +- " << *f->sigma);
  CHECK(std::abs(f->value + 25.8655) < 4 * *f->sigma);
  CHECK(*f->sigma < 0.05);
  CHECK(reference.array("chain").size() == 1000);
  const artifacts::Result* energy = reference.find_result("mean_energy");  // method.md 2.5: <U> = -94.638 kcal/mol
  CHECK(std::abs(energy->value / kElectronvolt + 94.638 / 8) < 4 * *energy->sigma / kElectronvolt);
}

TEST_CASE("data that are no samples of chains are refused by two-sided estimates", "[tasks]") {
  Study study;
  const auto base = study.base(), drawing = study.drawing(base, 20), annealing = study.annealing(base, 4);
  study.run(base);
  study.run(drawing);
  study.run(annealing);
  const auto estimating = study.two_sided("bar", drawing, annealing);
  test::MemoryContext context(study.store, estimating);
  CHECK_THROWS_WITH(tasks::estimate(context), Catch::Contains("carry weights"));
}

TEST_CASE("a request to stop is met within an analysis, after the state before it is saved", "[tasks]") {
  Study study;
  const auto base = study.base(), training = study.training(base), drawing = study.drawing(training), chains = study.chains(base),
             estimating = study.estimating(drawing, chains);
  for (const plan::TaskSpec* spec : {&base, &training, &drawing, &chains}) study.run(*spec);
  for (const plan::TaskSpec* spec : {&drawing, &chains, &estimating}) {
    INFO(spec->kind);
    int stops = 0;
    study.run_in_steps(*spec, stops);
    test::MemoryContext context(study.store, *spec);
    context.ask_after = stops - 1;  // as many steps as it has
    CHECK_THROWS_AS(tasks::registry().at(spec->kind)(context), Stopped);
    CHECK(context.reports == stops - 1);
    CHECK(context.saved == 1);
  }
  const auto curve = study.spec("rdf", {{"of", task("of")}, {"weighted", false}, {"bins", 10}}, {{"of", chains.key}});
  test::MemoryContext context(study.store, curve);
  context.stop = true;
  CHECK_THROWS_AS(tasks::radial_distribution(context), Stopped);
}

TEST_CASE("samples and a training that go on from finished work make the result of a fresh run, byte for byte", "[tasks]") {
  Study study;
  const auto base = study.base();
  study.run(base);
  const auto stages = [&](int steps) { return List{Study::stage("warm", 2, Study::one_cycle()), Study::stage("main", steps, 0.01)}; };
  const auto training = study.training(base, stages(3));
  auto longer_training = study.training(base, stages(7));
  longer_training.stream_key = training.stream_key;  // as the compiler gives it to all lengths
  study.run(training);
  const auto drawing = study.drawing(training, 100);  // ends within a batch
  auto longer_drawing = study.drawing(training, 260);
  longer_drawing.stream_key = drawing.stream_key;
  for (const auto& [shorter, longer] : {std::pair(training, longer_training), {drawing, longer_drawing}}) {
    INFO(longer.kind);
    REQUIRE(engine::extension_of(shorter, longer).has_value());
    const std::string fresh = store::encode_hdf5(study.run(longer));
    CHECK(store::encode_hdf5(study.run_on_from(shorter, longer)) == fresh);
  }
}

TEST_CASE("a training keeps its state for longer ones where its schedule does not know its length", "[tasks]") {
  Study study;
  const auto base = study.base();
  study.run(base);
  for (const auto& [rate, kept] : {std::pair(Value(0.01), true), {Study::one_cycle(), false}}) {
    test::MemoryContext context(study.store, study.training(base, {Study::stage("main", 2, rate)}));
    tasks::train(context);
    CHECK(context.kept.has_value() == kept);
  }
}

TEST_CASE("stages of every loss, schedule and memory train, stop and go on, byte for byte", "[tasks]") {
  Study study;
  const auto base = study.base("scha"), chains = study.chains(base), first = study.training(base);
  for (const plan::TaskSpec* spec : {&base, &chains, &first}) study.run(*spec);
  const auto with = [](Value stage, const Map& changes) {
    Map members = stage.as_map();
    for (const auto& [name, value] : changes) members.insert_or_assign(name, value);
    return Value(members);
  };
  const Value plain = Study::stage("main", 3, 0.01);
  const Map cold{{"kind", "nvt"}, {"temperature", 200.0}};
  const Value harmonic = Map{{"call", "harmonic"}, {"system", ice()}, {"ensemble", cold}};
  const Value decay = Map{{"call", "decay"}, {"rate", 0.02}, {"at", List{1, 2}}, {"factor", 0.5}};
  const Value mixed = Map{{"call", "mixed"}, {"alpha", 0.4}, {"gradient", "total"}};
  const List stages{with(plain, {{"name", "pretrain"}, {"loss", Map{{"call", "forward_kl"}}}, {"data", harmonic}}),
                    with(plain, {{"name", "learn"}, {"loss", Map{{"call", "forward_kl"}}}, {"data", task("stages.1.data")}}),
                    with(plain, {{"name", "both"}, {"loss", mixed}, {"data", task("stages.2.data")}, {"learning_rate", decay}}),
                    with(plain, {{"name", "anneal"}, {"steps", 4}, {"temperature", List{300.0, 200.0}}, {"linearize_below", 1.2}}),
                    with(plain, {{"grad_clip", 0.5}, {"average", 0.9}, {"optimizer", Map{{"call", "adam"}, {"first", 0.8}, {"second", 0.999}}}})};
  plan::TaskSpec training = study.training(base, stages);
  training.arguments = with(training.arguments, {{"warm_start", task("warm_start")}});
  for (const char* role : {"stages.1.data", "stages.2.data"}) training.inputs.push_back({role, chains.key, 0});
  training.inputs.push_back({"warm_start", first.key, 0});

  const artifacts::Artifact whole = study.run(training);
  CHECK(whole.array("history/loss").shape == std::vector<std::int64_t>{16});
  CHECK(result_of(whole, "a") != result_of(*study.store.objects.at(first.key).artifact, "a"));
  int stops = 0;
  CHECK(store::encode_hdf5(study.run_in_steps(training, stops)) == store::encode_hdf5(whole));
  CHECK(stops >= 10);
}

TEST_CASE("parameters of another architecture are refused by name", "[tasks]") {
  Study study;
  const auto base = study.base(), training = study.training(base), drawing = study.drawing(training, 4);
  study.run(base);
  artifacts::Artifact other = study.run(training);
  other.arrays.erase("parameters/h");
  other.arrays["parameters/s0"].shape = {1, 1};
  other.arrays["parameters/weight"] = {{1}, {0.0}, {}, ""};
  study.store.objects[training.key] = {training, std::make_shared<const artifacts::Artifact>(other)};
  CHECK_THROWS_WITH(study.run(drawing), Catch::Contains("3 differences: no h, s0 of sizes [1, 1] in place of [1], a stray weight"));
}

TEST_CASE("a crystal in reduced units has the published harmonic free energy at its reduced temperature", "[tasks]") {
  Study study;
  const double temperature = 2 / 8.617333262145e-5;  // as the compiler hands on `2 lj`
  const auto base = study.spec("base", {{"kind", "phonon"}, {"system", testing::lennard_jones(256)},
                                        {"ensemble", Map{{"kind", "nvt"}, {"temperature", temperature}}}, {"relax_sites", false}});
  CHECK(result_of(study.run(base), "harmonic") == Approx(2.98481).margin(2e-5));
}

TEST_CASE("a flow trained on one crystal serves another of the same kind", "[tasks]") {
  Study study;
  const auto base = study.base("phonon"), training = study.training(base);
  study.run(base);
  study.run(training);
  auto other = study.base("phonon");
  Map arguments = other.arguments.as_map();
  Map system = ice().as_map();
  system["lattice"] = testing::lattice_value("ice_ih", 64, testing::kWaterDensity);
  arguments["system"] = system;
  other = study.spec("base", arguments);
  study.run(other);
  const auto drawing = study.spec("sample", {{"model", Map{{"call", "transfer"}, {"model", task("model.model")}, {"base", task("model.base")}, {"to", system}}},
                                             {"count", 64}, {"batch", 64}, {"seed", 1}},
                                  {{"model.model", training.key}, {"model.base", other.key}});
  const auto& draws = study.run(drawing);
  CHECK(draws.array("sites").doubles == study.store.objects.at(other.key).artifact->array("sites").doubles);
  CHECK(result_of(draws, "ess") > 0.1);
}

TEST_CASE("the error from the crystal's side knows that the samples of a chain are correlated", "[tasks]") {
  Study study;
  const auto base = study.base(), training = study.training(base), drawing = study.drawing(training), chains = study.chains(base);
  for (const plan::TaskSpec* spec : {&base, &training, &drawing, &chains}) study.run(*spec);
  // Every chain stands still at its first configuration: its 16 samples are worth one.
  artifacts::Artifact still = *study.store.objects.at(chains.key).artifact;
  std::vector<double>& u = still.arrays.at("displacements").doubles;
  const std::size_t width = 3 * 64;
  for (std::size_t row = 0; row < u.size() / width; ++row) {
    std::copy_n(u.begin() + static_cast<std::ptrdiff_t>(row / 16 * 16 * width), width, u.begin() + static_cast<std::ptrdiff_t>(row * width));
  }
  study.store.objects[chains.key].artifact = std::make_shared<const artifacts::Artifact>(still);
  const auto estimating = study.estimating(drawing, chains);
  const auto& estimate = study.run(estimating);
  const Tensor work = tensor::to_tensor(estimate.array("work_reverse"));
  const auto by_sample = estimators::lfep(work, tensor::RandomStream(plan::Key{}, "test"));
  CHECK(*estimate.find_result("reverse")->sigma * 64 > 2.5 * by_sample.sigma);
  const auto& histogram = study.run(
      study.spec("work_histogram", {{"of", task("of")}, {"side", "reverse"}, {"bins", 20}}, {{"of", estimating.key}}));
  const double naive = work.std().item<double>() / std::sqrt(static_cast<double>(work.numel()));
  CHECK(*histogram.find_result("mean")->sigma > 2.5 * naive);
}

TEST_CASE("configurations count from the sites they were recorded on, whatever sites the model has", "[tasks]") {
  Study study;
  const auto base = study.base(), training = study.training(base), drawing = study.drawing(training), chains = study.chains(base);
  for (const plan::TaskSpec* spec : {&base, &training, &drawing, &chains}) study.run(*spec);
  const double here = result_of(study.run(study.estimating(drawing, chains)), "per_particle");
  artifacts::Artifact elsewhere = *study.store.objects.at(chains.key).artifact;
  std::vector<double>& sites = elsewhere.arrays.at("sites").doubles;
  std::vector<double>& u = elsewhere.arrays.at("displacements").doubles;
  const auto moved = [](std::size_t i) { return 0.1 * std::sin(static_cast<double>(i)) + 0.2; };
  for (std::size_t i = 0; i < sites.size(); ++i) sites[i] += moved(i);
  for (std::size_t i = 0; i < u.size(); ++i) u[i] -= moved(i % sites.size());
  study.store.objects[chains.key].artifact = std::make_shared<const artifacts::Artifact>(elsewhere);
  CHECK(result_of(study.run(study.estimating(drawing, chains)), "per_particle") == Approx(here).margin(1e-10).epsilon(0));
}

TEST_CASE("the radial distribution of samples has the neighbours of ice", "[tasks]") {
  Study study;
  const auto base = study.base(), chains = study.chains(base);
  study.run(base);
  study.run(chains);
  const auto& curve = study.run(study.spec("rdf", {{"of", task("of")}, {"weighted", false}, {"bins", 100}}, {{"of", chains.key}}));
  const auto& g = curve.array("g").doubles;
  const auto peak = static_cast<std::size_t>(std::max_element(g.begin(), g.end()) - g.begin());
  CHECK(curve.array("r").doubles[peak] == Approx(2.7).margin(0.15));
  test::MemoryContext weighted(study.store, study.spec("rdf", {{"of", task("of")}, {"weighted", true}, {"bins", 100}}, {{"of", chains.key}}));
  CHECK_THROWS_AS(tasks::radial_distribution(weighted), InputError);
}

TEST_CASE("averages over chains are those of their energies, virials and displacements", "[tasks]") {
  Study study;
  const auto base = study.base(), chains = study.chains(base);
  study.run(base);
  const artifacts::Artifact reference = study.run(chains);
  const Map state{{"of", task("of")}, {"weighted", false}, {"system", ice()}, {"ensemble", Map{{"kind", "nvt"}, {"temperature", 200.0}}}};
  const auto average = [&](const std::string& kind, Map more = {}) {
    Map arguments = state;
    for (auto& [name, value] : more) arguments[name] = value;
    return study.run(study.spec(kind, arguments, {{"of", chains.key}}));
  };
  const double beta = 1.0 / (8.617333262145e-5 * 200.0);

  const artifacts::Artifact energy = average("mean_energy"), mapped = average("mean_energy", {{"mapped", true}});
  CHECK(result_of(energy, "value") == Approx(result_of(reference, "mean_energy")).epsilon(1e-9));
  const double sigma = *energy.find_result("value")->sigma, less = *mapped.find_result("value")->sigma;
  CHECK(std::abs(result_of(mapped, "value") - result_of(energy, "value")) < 4 * sigma);
  CHECK(less < 0.5 * sigma);

  const artifacts::Artifact histogram = average("energy_histogram", {{"bins", 20}});
  CHECK(result_of(histogram, "mean") == Approx(beta * result_of(energy, "value")).epsilon(1e-9));
  const auto& x = histogram.array("x").doubles;
  CHECK(std::accumulate(histogram.array("y").doubles.begin(), histogram.array("y").doubles.end(), 0.0) * (x[1] - x[0]) == Approx(1.0));

  const artifacts::Artifact capacity = average("heat_capacity");
  CHECK(std::abs(result_of(capacity, "value") - 3.0) < 5 * *capacity.find_result("value")->sigma);
  CHECK(result_of(average("mean_density"), "value") == Approx(testing::kWaterDensity).epsilon(1e-12));
  const double spread = result_of(average("msd"), "value"), rms = result_of(*study.store.objects.at(base.key).artifact, "rms_displacement");
  CHECK(spread == Approx(3 * rms * rms).epsilon(0.3));  // of three components, and beyond the harmonic one
  const double order = result_of(average("q6", {{"cutoff", nullptr}}), "value");
  CHECK((order > 0.22 && order < 0.2738));  // motion takes order away

  // The energies that the chains carry are those of their configurations.
  artifacts::Artifact bare = reference;
  bare.arrays.erase("energy");
  study.store.objects[chains.key].artifact = std::make_shared<const artifacts::Artifact>(bare);
  CHECK(result_of(average("mean_energy"), "value") == Approx(result_of(energy, "value")).epsilon(1e-12));
}

TEST_CASE("the mean pressure is minus the derivative of the energy by volume, and that of the motion", "[tasks]") {
  Study study;
  const auto base = study.base(), chains = study.chains(base, 2);
  study.run(base);
  artifacts::Artifact still = study.run(chains);
  still.arrays.erase("energy");  // it moves without them
  std::vector<double>& u = still.arrays.at("displacements").doubles;
  for (std::size_t i = 0; i < u.size(); ++i) u[i] = 0.1 * std::sin(0.7 * static_cast<double>(i % 192));
  study.store.objects[chains.key].artifact = std::make_shared<const artifacts::Artifact>(still);
  const Map arguments{{"of", task("of")}, {"weighted", false}, {"system", ice()}, {"ensemble", Map{{"kind", "nvt"}, {"temperature", 200.0}}}};
  const artifacts::Artifact pressure = study.run(study.spec("mean_pressure", arguments, {{"of", chains.key}}));

  const auto energy_at = [&](double stretch) {
    artifacts::Artifact deformed = still;
    const std::int64_t count = still.array("chain").shape[0];
    std::vector<double> f;
    for (std::int64_t n = 0; n < count; ++n) f.insert(f.end(), {stretch, 0, 0, 0, stretch, 0, 0, 0, stretch});
    deformed.arrays["deformation"] = {{count, 3, 3}, f, {}, ""};
    study.store.objects[chains.key].artifact = std::make_shared<const artifacts::Artifact>(deformed);
    const auto spec = study.spec("mean_energy", arguments, {{"of", chains.key}});
    return 64 * result_of(study.run(spec), "value");
  };
  const double volume = 64 / testing::kWaterDensity, step = 1e-4;
  const auto volume_at = [&](double stretch) { return volume * stretch * stretch * stretch; };
  const double slope = (energy_at(1 + step) - energy_at(1 - step)) / (volume_at(1 + step) - volume_at(1 - step));
  CHECK(result_of(pressure, "value") == Approx(64 * 8.617333262145e-5 * 200.0 / volume - slope).epsilon(1e-5));
}

TEST_CASE("with stress a reference knows the slopes of its free energy", "[tasks]") {
  Study study;
  const auto reference_at = [&](double density) {
    Map system = ice().as_map();
    system["lattice"] = testing::lattice_value("diamond_cubic", 64, density);
    const auto base = study.spec("base", {{"kind", "scha"}, {"system", system}, {"ensemble", Map{{"kind", "nvt"}, {"temperature", 200.0}}},
                                          {"relax_sites", true}, {"samples", 64}});
    study.run(base);
    const auto chains = study.spec("reference", {{"method", "mbar"}, {"path", Map{{"call", "base_to_target"}, {"base", task("path.base")}, {"states", 2}}},
                                                 {"sampler", Map{{"call", "hmc"}, {"chains", 16}, {"steps", 64}}}, {"seed", 2}, {"stress", true}},
                                   {{"path.base", base.key}});
    study.run(chains);
    return chains;
  };
  const auto found = [&](const plan::TaskSpec& of) -> const artifacts::Artifact& { return *study.store.objects.at(of.key).artifact; };
  const auto middle = reference_at(testing::kWaterDensity);
  const artifacts::Artifact& reference = found(middle);
  const std::vector<double>&numbers = reference.array("state/numbers").doubles, &covariance = reference.array("state/covariance").doubles;
  REQUIRE(numbers.size() == 5);
  CHECK(numbers[0] == Approx(result_of(reference, "energy_per_particle")).epsilon(1e-12));
  CHECK(numbers[1] == Approx(result_of(reference, "mean_energy")).epsilon(1e-12));
  CHECK((numbers[2] + numbers[3] + numbers[4]) / 3 == Approx(result_of(reference, "pressure")).epsilon(1e-12));
  CHECK(std::sqrt(covariance[0]) == Approx(*reference.find_result("energy_per_particle")->sigma).epsilon(1e-9));

  const Map arguments{{"of", task("of")}, {"weighted", false}, {"system", ice()}, {"ensemble", Map{{"kind", "nvt"}, {"temperature", 200.0}}}};
  const artifacts::Artifact pressure = study.run(study.spec("mean_pressure", arguments, {{"of", middle.key}}));
  CHECK(result_of(reference, "pressure") == Approx(result_of(pressure, "value")).epsilon(1e-9));

  const double step = 0.005 * testing::kWaterDensity;
  const artifacts::Artifact &thin = found(reference_at(testing::kWaterDensity - step)), &dense = found(reference_at(testing::kWaterDensity + step));
  const double width = 1 / (testing::kWaterDensity - step) - 1 / (testing::kWaterDensity + step);
  const auto *f = thin.find_result("energy_per_particle"), *g = dense.find_result("energy_per_particle"), *p = reference.find_result("pressure");
  const double slope = (g->value - f->value) / width;
  CHECK(std::abs(p->value - slope) < 4 * std::sqrt((*f->sigma * *f->sigma + *g->sigma * *g->sigma) / (width * width) + *p->sigma * *p->sigma));
}

TEST_CASE("a base takes the force constants of another box and says so", "[tasks]") {
  Study study;
  const auto box = [&](const std::string& kind, std::int64_t atoms, const std::map<std::string, plan::Key>& inputs) {
    Map system = ice().as_map();
    system["lattice"] = testing::lattice_value("diamond_cubic", atoms, testing::kWaterDensity);
    Map arguments{{"kind", kind}, {"system", system}, {"ensemble", Map{{"kind", "nvt"}, {"temperature", 200.0}}}, {"samples", 16}};
    if (!inputs.empty()) arguments.emplace("force_constants", task("force_constants"));
    return study.spec("base", arguments, inputs);
  };
  const auto phonons = box("phonon", 216, {}), far = box("phonon", 512, {{"force_constants", phonons.key}});
  study.run(phonons);
  const artifacts::Artifact& found = study.run(far);
  CHECK(result_of(found, "harmonic") == Approx(-24.98404).margin(6e-4));  // kB of CODATA
  CHECK(found.cost.hessian_calls == 0);
  CHECK(found.find_result("harmonic")->convention.find("force constants of the crystal of 216 atoms") != std::string::npos);
  const auto fitted = box("scha", 64, {}), taken = box("scha", 216, {{"force_constants", fitted.key}});
  study.run(fitted);
  const artifacts::Artifact& scha = study.run(taken);
  CHECK(result_of(scha, "iterations") == 0.0);
  CHECK(result_of(scha, "floored_modes") == 0.0);
  CHECK(result_of(scha, "bound") > -25.0824);
  CHECK(result_of(scha, "bound") < -25.0824 + 0.03);
}

TEST_CASE("the base of independent atoms has its closed form", "[tasks]") {
  Study study;
  const auto einstein = study.spec("base", {{"kind", "einstein_crystal"}, {"system", ice()}, {"width", 0.2},
                                            {"ensemble", Map{{"kind", "nvt"}, {"temperature", 200.0}}}});
  const artifacts::Artifact& base = study.run(einstein);
  // beta U0 / N = -31.144181 and f_EC = 4.505639 (method.md 2.4, 2.5), at the kB of the tables
  CHECK(result_of(base, "harmonic") == Approx(-31.144181 * 0.0019872067 / 0.00198720426 + 4.505639).margin(2e-5));
  CHECK(result_of(base, "rms_displacement") == Approx(0.2 * std::sqrt(63.0 / 64.0)));
  CHECK(result_of(base, "lowest_mode") == Approx(25.0));
  CHECK(result_of(base, "highest_mode") == Approx(25.0));
}

TEST_CASE("what this version cannot do is refused by name", "[tasks]") {
  Study study;
  auto base = study.base("wishful");
  test::MemoryContext context(study.store, base);
  CHECK_THROWS_AS(tasks::base(context), InputError);
}

TEST_CASE("the energy of a structure is that of its potential, forces are minus its slope", "[tasks]") {
  const double edge = 12.4;
  List positions;
  for (int i = 0; i < 3; ++i) positions.push_back(List{2.6 * i + 0.1 * i * i, 0.3 * i, 0.1});
  const List cell{List{edge, 0.0, 0.0}, List{0.0, edge, 0.0}, List{0.0, 0.0, edge}};
  const auto ask = [&](const List& in_cell, const List& at) {
    const Value structure = Map{{"cell", in_cell}, {"positions", at}};
    return tasks::answer_energy_request(Map{{"system", ice()}, {"structures", List{structure, structure}}, {"forces", true}, {"stress", true}}).at("structures").as_list().at(1);
  };
  const auto energy_at = [&](double shift) {
    List shifted = positions;
    shifted[1] = List{2.7 + shift, 0.3, 0.1};
    return ask(cell, shifted).at("energy").as_double();
  };
  const Value answer = ask(cell, positions);
  CHECK(answer.at("energy").as_double() == energy_at(0));
  const double slope = (energy_at(1e-5) - energy_at(-1e-5)) / 2e-5;
  CHECK(answer.at("forces").as_list()[1].as_list()[0].as_double() == Approx(-slope).epsilon(1e-6));
  // No atom sees another's image here, so that the stress is the virial of the forces by the volume.
  double virial = 0;
  for (std::size_t i = 0; i < 3; ++i) virial -= answer.at("forces").as_list()[i].as_list()[0].as_double() * positions[i].as_list()[0].as_double();
  CHECK(answer.at("stress").as_list()[0].as_list()[0].as_double() == Approx(virial / (edge * edge * edge)).epsilon(1e-10));

  CHECK_THROWS_AS(ask(List{List{edge, 0.0, 0.0}, List{edge, 0.0, 0.0}, List{0.0, 0.0, edge}}, positions), InputError);
  CHECK_THROWS_AS(ask(List{List{edge, 0.0, 0.0}, List{0.0, 1e-4, 0.0}, List{0.0, 0.0, edge}}, positions), InputError);
  CHECK_THROWS_AS(ask(cell, List{List{0.0, 0.0, 0.0}, List{1e300, 0.0, 0.0}}), InputError);
  try {
    ask(cell, List{List{0.0, 0.0, 0.0}, List{5.0, 1.0, 1.0}, List{0.0, 0.0, 0.0}});
    FAIL("two atoms stood on one another");
  } catch (const InputError& error) {
    CHECK(std::string(error.what()) == "the energy is not finite: atoms 1 and 3 are 0 angstrom apart");
  }
}
