#include "tests/support/catch.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>

#include "compiler/plan/preimage.h"
#include "compiler/plan/sha256.h"
#include "compiler/units/unit_table.h"
#include "runtime/estimators/reweighted.h"
#include "runtime/flows/conditional_parameters.h"
#include "runtime/foundation/errors.h"
#include "runtime/physics/base_family.h"
#include "runtime/store/hdf5_file.h"
#include "runtime/tasks/conditional_flow.h"
#include "runtime/tasks/conditional_training.h"
#include "runtime/tasks/make_flow.h"
#include "runtime/tasks/tasks.h"
#include "runtime/tensor/array.h"
#include "tests/shared/systems.h"
#include "tests/support/flow_numbers.h"
#include "tests/support/over_ranges.h"
#include "tests/support/task_desk.h"

// Flows over ranges of states: their bases, their parameters, and the tasks that train and ask them.

namespace {

using namespace bgw;
using namespace bgw::tasks;
using schema::List;
using schema::Map;
using schema::Value;
using test::between;
using test::kElectronvolt;
using test::with;
using tests::largest;

/// Silicon of 64 atoms in diamond, at a density or over a range of them.
Value silicon(Value density) {
  Map lattice = testing::lattice_value("diamond_cubic", 64, 0.05).as_map();
  lattice["density"] = std::move(density);
  return Map{{"potential", testing::stillinger_weber_value(50.003 * kElectronvolt, 2.0951, 21.0)}, {"lattice", std::move(lattice)}, {"minimum_image", "strict"}};
}

Value at_temperature(Value temperature) { return Map{{"kind", "nvt"}, {"temperature", std::move(temperature)}}; }

/// Atoms of fcc on springs: nothing is left to learn.
Value springs() {
  Map lattice = testing::lattice_value("fcc", 32, 0.05).as_map();
  lattice["density"] = between(0.045, 0.055);
  return Map{{"potential", Map{{"style", "harmonic"}, {"spring", 2.0}, {"cutoff", 3.4}}}, {"lattice", std::move(lattice)}, {"minimum_image", "compatible"}};
}

Value task(const std::string& role) { return Map{{"task", role}}; }

class Study : public test::TaskDesk {
 public:
  static plan::TaskSpec spec(const std::string& kind, Map arguments, const std::map<std::string, plan::Key>& inputs = {}) {
    return TaskDesk::spec(kind, kind, std::move(arguments), inputs);
  }
  artifacts::Artifact run_in_steps(const plan::TaskSpec& task_spec, int& stops) { return test::run_in_steps(store, task_spec, stops); }

  static plan::TaskSpec base(Value system, Value ensemble, const std::string& kind = "phonon") {
    return spec("base", {{"kind", kind}, {"system", std::move(system)}, {"ensemble", std::move(ensemble)}, {"relax_sites", true}, {"samples", 16}});
  }
  static Value stage(int steps, int batch = 16) {
    return Map{{"name", "main"}, {"loss", Map{{"call", "reverse_kl"}, {"gradient", "path"}}}, {"steps", steps}, {"batch", batch}, {"learning_rate", 0.01}};
  }
  static plan::TaskSpec training(const plan::TaskSpec& on, List stages, int splits = 2) {
    return spec("train", {{"flow", Map{{"type", "mode_split"}, {"splits", splits}, {"look_ahead", 2}}}, {"seed", 42}, {"stages", std::move(stages)}, {"base", task("base")}},
                {{"base", on.key}});
  }
  static plan::TaskSpec grid(const plan::TaskSpec& model, Map axes, int count) {
    axes.insert({{"method", "lfep"}, {"model", task("model")}, {"count", count}, {"bootstrap", 100}, {"seed", 5}, {"stress", true}});
    return spec("estimate", std::move(axes), {{"model", model.key}});
  }
};

double result(const artifacts::Artifact& artifact, const std::string& name) {
  const artifacts::Result* found = artifact.find_result(name);
  INFO(name);
  REQUIRE(found != nullptr);
  return found->value;
}

double at_row(const artifacts::Artifact& artifact, const std::string& name, std::size_t row, const char* which = "value") {
  return artifact.array("grid/" + name + "/" + which).doubles.at(row);
}

/// Contents but for what they cost, of which a task that is started again may count a few calls more.
std::string contents(artifacts::Artifact artifact) {
  artifact.cost = {};
  return store::encode_hdf5(artifact);
}

const Value kDensities = between(0.0525, 0.0585), kTemperatures = between(300.0, 900.0);

}  // namespace

TEST_CASE("open numbers become coordinates from -1 to 1, densities by their logarithm", "[conditional]") {
  const Conditions conditions(silicon(kDensities), at_temperature(kTemperatures));
  REQUIRE(conditions.axes().size() == 2);
  CHECK(conditions.axes()[0].name == "temperature");
  CHECK(conditions.axes()[1].name == "density");
  CHECK(conditions.coordinates({300.0, 0.0585})[0] == Approx(-1.0));
  CHECK(conditions.coordinates({300.0, 0.0585})[1] == Approx(1.0));
  const std::vector<double> x = conditions.coordinates({600.0, std::sqrt(0.0525 * 0.0585)});
  CHECK(std::abs(x[0]) < 1e-12);
  CHECK(std::abs(x[1]) < 1e-12);
  const StateValues values{420.0, 0.0551};
  const StateValues back = conditions.values(conditions.coordinates(values));
  CHECK(back[0] == Approx(values[0]).epsilon(1e-13));
  CHECK(back[1] == Approx(values[1]).epsilon(1e-13));
  CHECK(conditions.system(values).at("lattice").at("density").as_double() == values[1]);
  CHECK(conditions.ensemble(values).at("temperature").as_double() == values[0]);
  CHECK(conditions.values_in(conditions.system(values), conditions.ensemble(values)) == values);
  CHECK(conditions.in_words(values) == "temperature = 420 K, density = 0.0551 /angstrom^3");
  CHECK_THROWS_WITH(conditions.expect_inside({250.0, 0.055}, "bg"), Catch::Contains("temperature = 250 K lies outside the range of bg, 300 K .. 900 K"));
  CHECK(Conditions(silicon(0.055), at_temperature(300.0)).empty());
}

TEST_CASE("shapes and three-body strengths are open as well, and the crystal of a state has them", "[conditional]") {
  Map lattice = testing::lattice_value("beta_tin", 64, 0.061).as_map();
  lattice["c_over_a"] = between(0.56, 0.62);
  lattice["b_over_a"] = between(1.0, 1.05);
  const Value system = with(with(silicon(0.061), "lattice", lattice), "potential", with(silicon(0.061).at("potential"), "lambda", between(19.0, 22.0)));
  plan::TaskSpec spec = Study::base(system, at_temperature(600.0), "einstein_crystal");
  spec.arguments = with(spec.arguments, "width", 0.1);
  Study study;
  const ConditionalBase base(spec, study.run(spec));
  std::vector<std::string> names;
  for (const Conditions::Axis& axis : base.conditions().axes()) names.push_back(axis.name);
  CHECK(names == std::vector<std::string>{"c_over_a", "b_over_a", "lambda"});
  const Ground ground = base.at({0.6, 1.02, 20.0});
  const auto& box = ground.base.cell.vectors;
  const auto repeats = system.at("lattice").at("repeats").as_list();
  const auto edge = [&](std::size_t d) { return box[d][d] / static_cast<double>(repeats[d].as_int()); };
  CHECK(edge(2) / edge(0) == Approx(0.6).epsilon(1e-12));
  CHECK(edge(1) / edge(0) == Approx(1.02).epsilon(1e-12));
  CHECK(64 / ground.base.cell.volume() == Approx(0.061).epsilon(1e-12));
  CHECK(ground.system.at("potential").at("lambda").as_double() == 20.0);
  // More three-body energy where the angles are not those of diamond.
  CHECK(base.at({0.6, 1.02, 21.0}).base.static_energy > ground.base.static_energy);
}

TEST_CASE("a family of bases is a polynomial through its nodes", "[conditional]") {
  physics::BaseFamily family;
  family.axes = 2;
  family.nodes = 3;
  const auto grid = physics::node_grid(2, 3);
  REQUIRE(grid.size() == 9);
  std::vector<Tensor> constants, shift;
  const auto parabola = [](double x, double y) { return 1.0 + 0.5 * x - 0.3 * y + 0.2 * x * y + 0.1 * x * x - 0.4 * y * y * x * x; };
  for (const auto& at : grid) {
    constants.push_back(at::full({1, 3, 1, 1, 3}, parabola(at[0], at[1]), at::kDouble));
    shift.push_back(at::full({1, 3}, at[1], at::kDouble));
  }
  family.constants = at::stack(constants);
  family.shift = at::stack(shift);
  for (std::size_t k = 0; k < grid.size(); ++k) {
    CHECK(largest(physics::interpolated(family, grid[k]).constants.blocks - constants[k]) < 1e-14);
  }
  const physics::FamilyMember between = physics::interpolated(family, {0.35, -0.8});
  CHECK(between.constants.blocks.flatten()[0].item<double>() == Approx(parabola(0.35, -0.8)).epsilon(1e-13));
  CHECK(between.shift[0][2].item<double>() == Approx(-0.8).epsilon(1e-13));
  CHECK_THROWS_AS(physics::interpolated(family, {0.1}), ShapeError);
}

TEST_CASE("parameters over ranges are linear in what is trained, and their gradient is the transpose", "[conditional]") {
  flows::ParameterLayout one;
  one.add("a", {2});
  one.add("kept", {3});
  one.add("out", {2});
  const flows::ConditionalParameters parameters(one, 2, [](const std::string& name) {
    return name == "kept" ? flows::Dependence::none : name == "out" ? flows::Dependence::scaled : flows::Dependence::polynomial;
  });
  CHECK(parameters.terms() == 6);
  CHECK(parameters.layout().size() == 6 * 2 + 3 + 6 * 2);
  const Tensor theta = tests::normal(1, 7)[0], all = tests::normal(1, parameters.layout().size(), 2)[0], g = tests::normal(3, 7, 3);
  const std::vector<double> x{0.3, -0.6};
  Tensor expected = theta.clone();
  expected.narrow(0, 5, 2).mul_(1.7);
  CHECK(largest(parameters.at_state(parameters.constant(theta), x, 1.7) - expected) < 1e-15);
  const Tensor along = at::mv(g, parameters.at_state(all, x, 1.7));
  CHECK(largest(at::mv(parameters.gradient(g, x, 1.7), all) - along) < 1e-12);
  CHECK(parameters.range({2, 3}) == flows::ParameterRange{12, 3});
  CHECK(parameters.range({0, 2}) == flows::ParameterRange{0, 12});
  // The terms by hand.
  const double phi[] = {1, 0.3, -0.6, 2 * 0.09 - 1, -0.18, 2 * 0.36 - 1};
  double first = 0;
  for (int t = 0; t < 6; ++t) first += phi[t] * all[2 * t].item<double>();
  CHECK(parameters.at_state(all, x)[0].item<double>() == Approx(first).epsilon(1e-13));
}

TEST_CASE("a base over ranges is the base of one state at its nodes and close to it between", "[conditional]") {
  for (const char* kind : {"phonon", "scha"}) {
    INFO(kind);
    Study study;
    const auto wide = Study::base(silicon(kDensities), at_temperature(kTemperatures), kind);
    const artifacts::Artifact& fitted = study.run(wide);
    CHECK(result(fitted, "nodes") == 9);
    const ConditionalBase base(wide, fitted);
    const auto one = [&](const StateValues& values) {
      // With the random numbers of the family, so that both are the same iteration.
      plan::TaskSpec at_state = Study::base(base.conditions().system(values), base.conditions().ensemble(values), kind);
      at_state.stream_key = wide.stream_key;
      return physics::gaussian_base_from(study.run(at_state));
    };
    const StateValues node = base.conditions().values(physics::node_grid(2, 3)[5]);
    const Ground there = base.at(node);
    const physics::GaussianBase same = one(node);
    CHECK(largest(there.base.stiffness / same.stiffness - 1) < 1e-9);
    CHECK(there.base.static_energy == Approx(same.static_energy).epsilon(1e-12));
    const StateValues inside{470.0, 0.0541};
    CHECK(largest(base.at(inside).base.stiffness / one(inside).stiffness - 1) < 3e-3);
    CHECK_THROWS_WITH(base.at({470.0, 0.06}), Catch::Contains("density = 0.06 /angstrom^3 lies outside"));
  }
}

TEST_CASE("a base that fails at a node says at which", "[conditional]") {
  Study study;
  // Flat beta-tin without `delta` is no minimum.
  Map lattice = testing::lattice_value("beta_tin", 64, 0.061).as_map();
  lattice["c_over_a"] = between(0.49, 0.52);
  plan::TaskSpec soft = Study::base(with(silicon(0.061), "lattice", lattice), at_temperature(600.0));
  soft.arguments = with(soft.arguments, "relax_sites", false);
  CHECK_THROWS_WITH(study.run(soft), Catch::Contains("a node of its ranges, c_over_a = 0.49") && Catch::Contains("imaginary") && Catch::Contains("kind = scha"));
}

TEST_CASE("at each state a flow over ranges is a bijection with the Jacobian it says", "[conditional]") {
  Study study;
  const auto base = Study::base(springs(), at_temperature(kTemperatures));
  study.run(base);
  const auto train = Study::training(base, {Study::stage(1)}, 3);
  const ConditionalFlow flow(ConditionalBase(base, study.run(base)), train.arguments);
  // Away from the start, so that states differ: springs are harmonic, and a field amplified by h leaves what is removed.
  Tensor parameters = flow.parameters().constant(flow.middle().start({}));
  parameters = parameters + 0.05 * tests::normal(1, parameters.size(0), 9)[0];
  CHECK(largest(flow.at_state(parameters, {320.0, 0.046}) - flow.at_state(parameters, {880.0, 0.054})) > 0.02);
  for (const StateValues& values : {StateValues{320.0, 0.046}, StateValues{600.0, 0.05}, StateValues{880.0, 0.054}}) {
    const Ground ground = flow.ground(values);
    const auto generator = make_flow(flow.train_arguments(), ground, *ground.target);
    const Tensor theta = flow.at_state(parameters, values);
    const std::int64_t m = generator->latent_dimension();
    const Tensor z = tests::normal(4, m, 3);
    const flows::Draws draws = generator->generate(z, theta);
    CHECK(largest(generator->log_weight_of(draws.displacements, at::empty({4, 0}, at::kDouble), theta) - draws.log_weight) < 1e-9);
    constexpr double h = 1e-4;
    const Tensor steps = h * at::eye(m, at::kDouble);
    const auto modes = [&](const Tensor& latent) { return ground.target->whiten(generator->generate(latent, theta).displacements); };
    const Tensor jacobian = (modes(z[0] + steps) - modes(z[0] - steps)) / (2 * h);
    const double log_det = at::log(at::abs(at::linalg_det(jacobian))).item<double>();
    const double work = ground.base.beta * (draws.energy[0].item<double>() - ground.base.static_energy) - 0.5 * z[0].square().sum().item<double>();
    CHECK(draws.log_weight[0].item<double>() == Approx(log_det - work).margin(1e-6));
  }
}

TEST_CASE("with the parameters of one state a flow over ranges is the flow of that state", "[conditional]") {
  Study study;
  const auto wide = Study::base(silicon(kDensities), at_temperature(kTemperatures));
  const ConditionalFlow flow(ConditionalBase(wide, study.run(wide)), Study::training(wide, {Study::stage(1)}).arguments);
  const StateValues node = flow.conditions().values(physics::node_grid(2, 3)[2]);
  const auto own = Study::base(flow.conditions().system(node), flow.conditions().ensemble(node));
  const Ground alone = make_ground(own, study.run(own)), there = flow.ground(node);
  const auto plain = make_flow(flow.train_arguments(), alone, *alone.target);
  const auto conditional = make_flow(flow.train_arguments(), there, *there.target);
  const Tensor theta = plain->start({});
  CHECK(at::equal(flow.at_state(flow.parameters().constant(theta), node), theta));
  const Tensor z = tests::normal(8, plain->latent_dimension());
  const flows::Draws a = plain->generate(z, theta), b = conditional->generate(z, flow.at_state(flow.parameters().constant(theta), node));
  CHECK(largest(a.displacements - b.displacements) < 1e-7);
  CHECK(largest(a.log_weight - b.log_weight) < 1e-7);
}

TEST_CASE("training over ranges moves the terms of the gains and not what is constant", "[conditional]") {
  Study study;
  const auto base = Study::base(silicon(kDensities), at_temperature(kTemperatures));
  study.run(base);
  Map flow{{"type", "mode_split"}, {"splits", 2}, {"look_ahead", 2}, {"gains", "polynomial"}};
  plan::TaskSpec train = Study::training(base, {with(Study::stage(3), "temperature", between(600.0, 900.0)), with(Study::stage(2), "density", List{0.053, 0.058})});
  train.arguments = with(train.arguments, "flow", flow);
  const artifacts::Artifact& trained = study.run(train);
  CHECK(trained.array("parameters/a").shape == std::vector<std::int64_t>{6, 7});
  CHECK(trained.array("parameters/stiffness").shape == std::vector<std::int64_t>{1, 4});
  const Tensor a = tensor::to_tensor(trained.array("parameters/a"));
  CHECK(a.slice(0, 1).abs().min().item<double>() > 0);
  CHECK(result(trained, "ess") > 0.3);
  CHECK(trained.array("history/loss").shape[0] == 5);
  // Without the constants of states the loss is a divergence: neither negative nor large.
  for (const double loss : trained.array("history/loss").doubles) CHECK((loss > 0 && loss < 5));
}

TEST_CASE("what cannot be trained over ranges is refused", "[conditional]") {
  Study study;
  const auto base = Study::base(springs(), at_temperature(kTemperatures));
  study.run(base);
  const auto data = Study::training(base, {with(Study::stage(1), "loss", Map{{"call", "forward_kl"}})});
  CHECK_THROWS_WITH(study.run(data), Catch::Contains("learns by forward_kl") && Catch::Contains("reverse_kl"));
  plan::TaskSpec network = Study::training(base, {Study::stage(1)});
  network.arguments = with(network.arguments, "flow", Map{{"type", "global_attention"}, {"layers", 1}, {"embedding", 4}, {"bins", 4}, {"conditioner", Map{{"layers", 1}, {"heads", 1}, {"frequencies", 2}}}});
  CHECK_THROWS_WITH(study.run(network), Catch::Contains("atoms that move alike") && Catch::Contains("einstein_crystal"));
}

TEST_CASE("free energies of springs are exact over the whole grid", "[conditional]") {
  Study study;
  const auto base = Study::base(springs(), at_temperature(kTemperatures));
  study.run(base);
  // What the flow begins with beyond the Gaussian is its widening.
  const auto train = Study::training(base, {with(Study::stage(40), "learning_rate", 0.002)});
  study.run(train);
  const List temperatures{320.0, 600.0, 880.0}, densities{0.046, 0.054};
  const artifacts::Artifact& grid = study.run(Study::grid(train, {{"temperature", temperatures}, {"density", densities}}, 200));
  CHECK(result(grid, "states") == 6);
  CHECK(result(grid, "least_ess") > 0.9);
  const std::vector<double>& tails = grid.array("grid/pareto_k/value").doubles;
  CHECK(result(grid, "largest_pareto_k") == *std::max_element(tails.begin(), tails.end()));
  CHECK(grid.array("states/table").shape == std::vector<std::int64_t>{6, 4});
  CHECK(grid.array("states/covariance").shape == std::vector<std::int64_t>{30, 30});
  const Conditions conditions(springs(), at_temperature(kTemperatures));
  for (std::size_t row = 0; row < 6; ++row) {
    const StateValues values{temperatures[row / 2].as_double(), densities[row % 2].as_double()};
    INFO(conditions.in_words(values));
    CHECK(grid.array("grid/coordinates").doubles[2 * row] == values[0]);
    CHECK(grid.array("states/table").doubles[4 * row] == values[0]);
    CHECK(grid.array("states/table").doubles[4 * row + 1] == Approx(1 / values[1]).epsilon(1e-12));
    CHECK(grid.array("states/table").doubles[4 * row + 2] == Approx(1.0));
    const artifacts::Artifact& exact = study.run(Study::base(conditions.system(values), conditions.ensemble(values)));
    const double sigma = at_row(grid, "per_particle", row, "sigma");
    CHECK(sigma < 1e-3);
    CHECK(std::abs(at_row(grid, "per_particle", row) - result(exact, "harmonic")) < 4 * sigma + 1e-9);
    // Equipartition: 3 (N - 1) / 2 kT of all atoms, above the energy of the lattice at rest.
    const double kt = units::kBoltzmann * values[0], rest = exact.array("static_energy").doubles[0] / 32;
    CHECK(std::abs(at_row(grid, "mean_energy", row) - rest - 1.5 * kt * 31 / 32) < 4 * at_row(grid, "mean_energy", row, "sigma"));
    CHECK(grid.array("states/numbers").doubles[5 * row] == Approx(at_row(grid, "per_particle", row) * kt).epsilon(1e-10));
    CHECK(std::sqrt(grid.array("states/covariance").doubles[31 * 5 * row]) == Approx(sigma * kt).epsilon(1e-9));
  }
}

TEST_CASE("a grid of silicon agrees with plain draws, with draws at one state and with chains", "[conditional]") {
  Study study;
  const auto base = Study::base(silicon(kDensities), at_temperature(kTemperatures));
  study.run(base);
  const auto train = Study::training(base, {Study::stage(20)});
  study.run(train);
  const StateValues values{500.0, 0.0545};
  const artifacts::Artifact& grid = study.run(Study::grid(train, {{"temperature", 500.0}, {"density", List{0.0545}}}, 400));
  const Conditions conditions(silicon(kDensities), at_temperature(kTemperatures));
  const auto own = Study::base(conditions.system(values), conditions.ensemble(values));
  study.run(own);
  const double f = at_row(grid, "per_particle", 0), s = at_row(grid, "per_particle", 0, "sigma");
  const auto agrees = [&](const artifacts::Artifact& other) {
    const artifacts::Result& theirs = *other.find_result("per_particle");
    CHECK(std::abs(f - theirs.value) < 4 * std::hypot(s, theirs.sigma.value()));
  };
  agrees(study.run(Study::spec("sample", {{"model", task("model")}, {"count", 800}, {"batch", 100}, {"seed", 1}}, {{"model", own.key}})));
  const artifacts::Artifact& drawn = study.run(Study::spec(
      "sample", {{"model", Map{{"call", "at"}, {"model", task("model.model")}, {"temperature", 500.0}, {"density", 0.0545}}}, {"count", 400}, {"batch", 100}, {"seed", 2}}, {{"model.model", train.key}}));
  agrees(drawn);
  CHECK(result(drawn, "ess") == Approx(at_row(grid, "ess", 0)).margin(0.1));
  const auto chains = Study::spec("reference", {{"method", "mbar"}, {"path", Map{{"call", "base_to_target"}, {"base", task("path.base")}, {"states", 3}}},
                                                {"sampler", Map{{"call", "hmc"}, {"chains", 16}, {"steps", 32}}}, {"seed", 2}, {"stress", true}}, {{"path.base", own.key}});
  const artifacts::Artifact& reference = study.run(chains);
  agrees(reference);
  for (std::size_t i = 1; i < 5; ++i) {  // energy and pressures
    INFO(i);
    const double variance = grid.array("states/covariance").doubles[6 * i] + reference.array("state/covariance").doubles[6 * i];
    CHECK(std::abs(grid.array("states/numbers").doubles[i] - reference.array("state/numbers").doubles[i]) < 4 * std::sqrt(variance));
  }
}

TEST_CASE("a flow over ranges is transferred to a larger crystal at a state inside", "[conditional]") {
  Study study;
  const auto base = Study::base(silicon(0.0545), at_temperature(kTemperatures));
  study.run(base);
  const auto train = Study::training(base, {Study::stage(4)});
  study.run(train);
  const Map lattice{{"kind", "diamond_cubic"}, {"atoms", 128}, {"density", 0.0545}, {"repeats", List{2, 2, 4}}};
  const Value larger = with(silicon(0.0545), "lattice", lattice);
  const auto draw = [&](double temperature) {
    const auto there = Study::base(larger, at_temperature(temperature));
    study.run(there);
    return Study::spec("sample", {{"model", Map{{"call", "transfer"}, {"model", task("model.model")}, {"to", larger}, {"base", task("model.base")}}}, {"count", 64}, {"batch", 32}, {"seed", 2}},
                       {{"model.model", train.key}, {"model.base", there.key}});
  };
  CHECK(result(study.run(draw(400.0)), "ess") > 0.3);
  CHECK_THROWS_WITH(study.run(draw(950.0)), Catch::Contains("temperature = 950 K lies outside the range of train"));
}

TEST_CASE("tasks over ranges go on from where they were stopped, bit for bit", "[conditional]") {
  Study study;
  int stops = 0;
  const auto base = Study::base(silicon(kDensities), at_temperature(500.0), "scha");
  const artifacts::Artifact& whole_base = study.run(base);
  CHECK(contents(study.run_in_steps(base, stops)) == contents(whole_base));
  CHECK(stops > 6);
  const auto train = Study::training(base, {Study::stage(4, 8)});
  const artifacts::Artifact& trained = study.run(train);
  CHECK(contents(study.run_in_steps(train, stops)) == contents(trained));
  CHECK(stops >= 4);
  const auto estimate = Study::grid(train, {{"density", List{0.053, 0.055, 0.058}}}, 300);
  const artifacts::Artifact& whole = study.run(estimate);
  const artifacts::Artifact resumed = study.run_in_steps(estimate, stops);
  CHECK(contents(resumed) == contents(whole));
  CHECK(resumed.cost.energy_call_equivalents() == whole.cost.energy_call_equivalents());
  CHECK(stops >= 3);
}

TEST_CASE("a base that is stopped within its first node keeps what it knows of the static lattice", "[conditional]") {
  Study study;
  // Flat beta-tin without `delta` is no minimum.
  Map lattice = testing::lattice_value("beta_tin", 64, 0.061).as_map();
  lattice["c_over_a"] = between(0.49, 0.52);
  const auto base = Study::base(with(silicon(0.061), "lattice", lattice), at_temperature(600.0), "scha");
  const artifacts::Artifact& whole = study.run(base);
  CHECK(result(whole, "imaginary_modes") > 0);
  int stops = 0;
  CHECK(contents(study.run_in_steps(base, stops)) == contents(whole));
  CHECK(stops > 3);
}

TEST_CASE("a state without a number that the training leaves open is refused", "[conditional]") {
  Map lattice = testing::lattice_value("beta_tin", 64, 0.061).as_map();
  const Value plain = with(silicon(0.061), "lattice", lattice);
  lattice["c_over_a"] = between(0.49, 0.52);
  const Conditions conditions(with(silicon(0.061), "lattice", lattice), at_temperature(600.0));
  CHECK_THROWS_WITH(conditions.values_in(plain, at_temperature(600.0)), Catch::Contains("no `c_over_a` in its lattice") && Catch::Contains("write one value"));
}

TEST_CASE("a learned force over ranges is learned from labels at many states", "[conditional]") {
  Study study;
  const auto base = Study::base(silicon(kDensities), at_temperature(kTemperatures));
  study.run(base);
  Value matching = with(with(Study::stage(40, 16), "name", "force"), "loss", Map{{"call", "force_matching"}, {"labels", 64}, {"smallest", 0.75}, {"largest", 1.1}});
  plan::TaskSpec train = Study::training(base, {matching, Study::stage(4)});
  train.arguments = with(train.arguments, "flow", Map{{"type", "mode_split"}, {"splits", 2}, {"look_ahead", 2}, {"force", Map{{"call", "learned"}, {"neighbours", 4}, {"hidden", 8}}}});
  const artifacts::Artifact& trained = study.run(train);
  // 64 labels at two states, learned from again and again, and then one gradient a draw.
  CHECK(trained.cost.gradient_calls > 4 * 16 + 48);
  CHECK(trained.cost.gradient_calls <= 4 * 16 + 64);
  const std::vector<double>& loss = trained.array("history/loss").doubles;
  CHECK(loss[39] < 0.8 * loss[0]);
  int stops = 0;
  CHECK(contents(study.run_in_steps(train, stops)) == contents(trained));
  const artifacts::Artifact& grid = study.run(Study::grid(train, {{"temperature", List{400.0, 800.0}}, {"density", 0.055}}, 100));
  CHECK(result(grid, "least_ess") > 0.05);
  CHECK(result(grid, "calls_per_state") < 2.1 * 100);  // an energy and a virial a draw
}

TEST_CASE("labels are those of the states that a stage is at", "[conditional]") {
  Study study;
  const auto base = Study::base(silicon(kDensities), at_temperature(600.0));
  study.run(base);
  Map matching = with(Study::stage(10, 8), "loss", Map{{"call", "force_matching"}, {"labels", 4}, {"smallest", 0.75}, {"largest", 1.1}}).as_map();
  matching["density"] = List{0.053, 0.058};
  plan::TaskSpec train = Study::training(base, {matching});
  train.arguments = with(train.arguments, "flow", Map{{"type", "mode_split"}, {"splits", 2}, {"look_ahead", 2}, {"force", Map{{"call", "learned"}, {"neighbours", 4}, {"hidden", 8}}}});
  test::MemoryContext context(study.store, train);
  const at::AutoGradMode gradients(true);
  const ConditionalTraining training(context);
  const auto known = [&](int state) { return training.known_labels().at("labels/" + std::to_string(state) + "/numbers").sum().item<std::int64_t>(); };
  for (std::int64_t step = 0; step < 5; ++step) training.loss({0, step, step, 0, 8}, training.start());
  CHECK(known(0) == 2);
  CHECK(known(1) == 0);
  for (std::int64_t step = 5; step < 10; ++step) training.loss({0, step, step, 0, 8}, training.start());
  CHECK(known(1) == 2);
  matching["density"] = List{0.053, 0.054, 0.055, 0.056, 0.058};
  train.arguments = with(train.arguments, "stages", List{matching});
  test::MemoryContext few(study.store, train);
  CHECK_THROWS_WITH(ConditionalTraining(few), Catch::Contains("4 labels for 5 stretches"));
}

TEST_CASE("a grid outside of the training, or of a model of one state, is refused", "[conditional]") {
  Study study;
  const auto base = Study::base(springs(), at_temperature(kTemperatures));
  study.run(base);
  const auto train = Study::training(base, {Study::stage(1)});
  study.run(train);
  CHECK_THROWS_WITH(study.run(Study::grid(train, {{"temperature", List{600.0, 1000.0}}, {"density", 0.05}}, 10)), Catch::Contains("temperature = 1000 K lies outside the range of train"));
  CHECK_THROWS_WITH(study.run(Study::grid(train, {{"temperature", 600.0}}, 10)), Catch::Contains("does not say at which density"));
  const auto plain = Study::base(silicon(0.055), at_temperature(500.0));
  study.run(plain);
  const auto one_state = Study::training(plain, {Study::stage(1)});
  study.run(one_state);
  CHECK_THROWS_WITH(study.run(Study::grid(one_state, {{"temperature", 600.0}}, 10)), Catch::Contains("was trained at one state"));
}

TEST_CASE("a state at which no weight is left is named", "[conditional]") {
  Study study;
  const auto base = Study::base(silicon(kDensities), at_temperature(500.0));
  study.run(base);
  const auto train = Study::training(base, {Study::stage(1)});
  const ConditionalFlow flow(ConditionalBase(base, *study.store.objects.at(base.key).artifact), train.arguments);
  auto parameters = std::make_shared<artifacts::Artifact>();
  // A flow that does nothing but widen the crystal until it is none.
  add_parameters(*parameters, flow.layout(), flow.parameters().constant(at::tensor({0.0, 0.0, 0.0, 0.0, 1.5}, at::kDouble)));
  study.store.objects[train.key] = {train, parameters};
  CHECK_THROWS_WITH(study.run(Study::grid(train, {{"density", List{0.055}}}, 40)), Catch::Contains("at density = 0.055 /angstrom^3: the model does not draw the crystal: all of 40 draws"));
}

TEST_CASE("reweighting gives the free energy and the means of a Gaussian with their covariance", "[conditional]") {
  // Draws of N(0, 1) for the target N(m, 1): ln mean w = 0 with w = exp(m x - m^2/2), the mean of x is m.
  constexpr double m = 0.4;
  constexpr std::int64_t n = 4000;
  const Tensor x = tests::normal(n, 1);
  const Tensor log_weight = (m * x - m * m / 2).view({n});
  const tensor::RandomStream stream(tests::key(4), "bootstrap");
  const estimators::Reweighted all = estimators::reweighted(log_weight, at::cat({x, x.square()}, 1), stream, 400);
  const double variance = (std::exp(m * m) - 1) / n;
  CHECK(all.covariance[0][0].item<double>() == Approx(variance).epsilon(0.25));
  CHECK(std::abs(all.log_mean) < 4 * std::sqrt(variance));
  CHECK(std::abs(all.means[0].item<double>() - m) < 4 * std::sqrt(all.covariance[1][1].item<double>()));
  CHECK(std::abs(all.means[1].item<double>() - 1 - m * m) < 4 * std::sqrt(all.covariance[2][2].item<double>()));
  // n Cov(ln mean w, <x>) = E[(w - 1) w (x - m)] = (2 m - m) exp(m^2): both grow with draws far to the right.
  CHECK(all.covariance[0][1].item<double>() * n == Approx(m * std::exp(m * m)).epsilon(0.3));
  // Draws of no weight count among the draws alone.
  const Tensor with_lost = at::cat({log_weight, at::full({n}, -INFINITY, at::kDouble)});
  const Tensor rows = at::cat({at::cat({x, x.square()}, 1), at::full({n, 2}, NAN, at::kDouble)});
  const estimators::Reweighted half = estimators::reweighted(with_lost, rows, stream, 50);
  CHECK(half.log_mean == Approx(all.log_mean - std::log(2.0)).epsilon(1e-10));
  CHECK(half.means[0].item<double>() == Approx(all.means[0].item<double>()).epsilon(1e-12));
  CHECK_THROWS_AS(estimators::reweighted(log_weight, x.slice(0, 0, 3), stream), ShapeError);
}
