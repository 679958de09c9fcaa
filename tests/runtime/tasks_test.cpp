#include "runtime/tasks/tasks.h"

#include <numeric>

#include "compiler/plan/preimage.h"
#include "compiler/plan/sha256.h"
#include "runtime/engine/extension.h"
#include "runtime/estimators/lfep.h"
#include "runtime/foundation/errors.h"
#include "runtime/store/hdf5_file.h"
#include "runtime/tasks/energy_request.h"
#include "runtime/tensor/array.h"
#include "runtime/tensor/random_stream.h"
#include "tests/shared/systems.h"
#include "tests/support/catch.h"
#include "tests/support/memory_context.h"

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
class Study {
 public:
  plan::TaskSpec spec(const std::string& kind, Map arguments, const std::map<std::string, plan::Key>& inputs = {}) {
    plan::TaskSpec result;
    result.name = result.kind = kind;
    for (const auto& [role, key] : inputs) result.inputs.push_back({role, key, 0});
    result.arguments = std::move(arguments);
    result.key = result.stream_key = plan::sha256(plan::preimage(result));
    return result;
  }

  /// The artifact of a task that is never interrupted; later tasks find it.
  const artifacts::Artifact& run(const plan::TaskSpec& task_spec) {
    test::MemoryContext context(store, task_spec);
    auto artifact = std::make_shared<const artifacts::Artifact>(tasks::registry().at(task_spec.kind)(context));
    store.objects[task_spec.key] = {task_spec, artifact};
    return *artifact;
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
  plan::TaskSpec estimating(const plan::TaskSpec& samples, const plan::TaskSpec& data) {
    return spec("estimate", {{"method", "bar"}, {"samples", task("samples")}, {"data", task("data")}, {"bootstrap", 50}},
                {{"samples", samples.key}, {"data", data.key}});
  }

  test::MemoryStore store;
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
             chains = study.chains(base), estimating = study.estimating(drawing, chains);
  for (const plan::TaskSpec* spec : {&base, &training, &drawing, &chains, &estimating}) {
    INFO(spec->kind);
    const artifacts::Artifact& whole = study.run(*spec);
    int stops = 0;
    const artifacts::Artifact pieces = study.run_in_steps(*spec, stops);
    CHECK(stops >= 2);
    check_equal(whole, pieces);
  }
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
  const auto& estimate = study.run(study.estimating(drawing, chains));
  const Tensor work = tensor::to_tensor(estimate.array("work_reverse"));
  const auto by_sample = estimators::lfep(work, tensor::RandomStream(plan::Key{}, "test"));
  CHECK(*estimate.find_result("reverse")->sigma * 64 > 2.5 * by_sample.sigma);
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
  Map request{{"system", ice()}, {"cell", List{List{edge, 0.0, 0.0}, List{0.0, edge, 0.0}, List{0.0, 0.0, edge}}},
              {"positions", positions}, {"forces", true}};
  const auto energy_at = [&](double shift) {
    Map moved = request;
    List shifted = positions;
    shifted[1] = List{2.7 + shift, 0.3, 0.1};
    moved["positions"] = shifted;
    return tasks::answer_energy_request(moved).at("energy").as_double();
  };
  const Value answer = tasks::answer_energy_request(request);
  CHECK(answer.at("energy").as_double() == energy_at(0));
  const double slope = (energy_at(1e-5) - energy_at(-1e-5)) / 2e-5;
  CHECK(answer.at("forces").as_list()[1].as_list()[0].as_double() == Approx(-slope).epsilon(1e-6));

  Map flat = request;
  flat["cell"] = List{List{edge, 0.0, 0.0}, List{edge, 0.0, 0.0}, List{0.0, 0.0, edge}};
  CHECK_THROWS_AS(tasks::answer_energy_request(flat), InputError);
  Map thin = request;
  thin["cell"] = List{List{edge, 0.0, 0.0}, List{0.0, 1e-4, 0.0}, List{0.0, 0.0, edge}};
  CHECK_THROWS_AS(tasks::answer_energy_request(thin), InputError);
  Map nowhere = request;
  nowhere["positions"] = List{List{0.0, 0.0, 0.0}, List{1e300, 0.0, 0.0}};
  CHECK_THROWS_AS(tasks::answer_energy_request(nowhere), InputError);
  Map overlapping = request;
  overlapping["positions"] = List{List{0.0, 0.0, 0.0}, List{0.0, 0.0, 0.0}};
  CHECK_THROWS_AS(tasks::answer_energy_request(overlapping), InputError);
}
