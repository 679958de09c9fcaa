// What a grid of mapped states says of its errors, and what it refuses to say.
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "compiler/units/unit_table.h"
#include "runtime/estimators/joint_bar.h"
#include "runtime/foundation/errors.h"
#include "runtime/inline_tasks/expression.h"
#include "runtime/inline_tasks/grid_numbers.h"
#include "runtime/physics/energy_model.h"
#include "runtime/physics/whitened_target.h"
#include "runtime/sampling/basin.h"
#include "runtime/sampling/mapped_states.h"
#include "runtime/tasks/grid_results.h"
#include "runtime/tensor/random_stream.h"
#include "tests/support/mapped_desk.h"

namespace {

using namespace bgw;
using namespace bgw::test;
using inline_tasks::Estimate;

/// The numbers of one grid under the role "grid", all that an expression of these tests reads.
class ResultsOfGrid : public inline_tasks::Results {
 public:
  explicit ResultsOfGrid(const artifacts::Artifact& artifact) : numbers_(std::make_shared<artifacts::Artifact>(artifact), "grid") {}
  inline_tasks::StateNumber number_at(const std::string&, const std::string& name, const Value& state) const override { return numbers_.at(name, state); }
  std::string identity(const std::string& role) const override { return role; }
  artifacts::Result number(const std::string&, const std::string& name) const override { throw InputError(name); }
  std::vector<artifacts::Result> numbers(const std::string&, const std::string& name) const override { throw InputError(name); }
  inline_tasks::Field field(const std::string&, const std::string& name) const override { throw InputError(name); }
  std::string called(const std::string&, const std::string& name, const Map&) const override { throw InputError(name); }
  inline_tasks::Curve curve(const std::string&, const std::string& name) const override { throw InputError(name); }

 private:
  inline_tasks::GridNumbers numbers_;
};

Value state(double temperature, double density, const char* name) {
  return Map{{"op", "attribute"}, {"task", "grid"}, {"name", name}, {"at", Map{{"temperature", temperature}, {"density", density}}}};
}
Value subtract(Value a, Value b) { return Map{{"op", "subtract"}, {"args", List{std::move(a), std::move(b)}}}; }
Value mean(List items) { return Map{{"op", "call"}, {"name", "mean"}, {"args", std::move(items)}}; }

/// A crystal as an energy of springs to the sites, and an energy that it has instead.
class ToSites : public physics::EnergyModel {
 public:
  explicit ToSites(double spring, std::optional<double> always = {}) : spring_(spring), always_(always) {}
  std::int64_t particles() const override { return 4; }
  Tensor energy(const Tensor& u) const override {
    const Tensor value = 0.5 * spring_ * u.square().sum({1, 2});
    return always_ ? at::full_like(value, *always_) : value;
  }
  physics::EnergyAndGradient energy_and_gradient(const Tensor& u) const override { return {0.5 * spring_ * u.square().sum({1, 2}), spring_ * u}; }
  physics::GradientAndProduct gradient_and_product(const Tensor& u, const Tensor& vectors) const override { return {spring_ * u, spring_ * vectors}; }
  Tensor hessian_sum(const Tensor& u) const override { return spring_ * static_cast<double>(u.size(0)) * at::eye(12, at::kDouble); }
  physics::CallCount calls() const override { return {}; }

 private:
  double spring_;
  std::optional<double> always_;
};

/// Samples at a state whose neighbour always has one energy, in a basin of some size. @return what was carried there
Tensor carried(double energy, double nearest_neighbour) {
  constexpr double kSpring = 2500.0;
  const ToSites here(kSpring), there(kSpring, energy);
  const Tensor modes = at::eye(12, at::kDouble) / std::sqrt(kSpring);
  const physics::WhitenedTarget cold(here, modes, 1.0, 0.0), warm(there, modes, 1.0, 0.0);
  sampling::MappedCrystals crystals;
  crystals.targets = {&cold, &warm};
  crystals.basins = {sampling::Basin(1.0), sampling::Basin(nearest_neighbour)};
  crystals.names = {"300 K", "600 K"};
  crystals.pairs = {{0, 1}};
  sampling::MappedOptions options;
  options.chains = 3;
  options.steps = 4;
  sampling::MappedState state = sampling::start_mapped(crystals, options);
  const auto first = [&](const sampling::MappedState& now) {
    if (now.state == 1) throw std::out_of_range("the first state is done");
  };
  try {
    sampling::run_mapped(crystals, options, key(1), state, first);
  } catch (const std::out_of_range&) {
  }
  return state.forward[0];
}

const Map kFour{{"temperature", List{180.0, 220.0}}, {"density", List{0.0325, 0.0345}}};

}  // namespace

TEST_CASE("a covariance is its factor times itself, also where numbers repeat each other", "[grid_errors]") {
  const auto product = [](const std::vector<std::vector<double>>& rows, std::size_t i, std::size_t j) {
    double sum = 0;
    for (std::size_t k = 0; k < rows[i].size(); ++k) sum += rows[i][k] * rows[j][k];
    return sum;
  };
  const std::vector<double> full{4, 2, 0.6, 2, 5, 1, 0.6, 1, 3};
  const std::vector<double> repeating{1, 1, 0, 1, 1, 0, 0, 0, 0};  // the second is the first, the third is exact
  for (const auto& covariance : {full, repeating}) {
    const auto rows = inline_tasks::covariance_factor(covariance, 3);
    REQUIRE(rows.size() == 3);
    CHECK(rows[0].size() == (covariance == full ? 3U : 1U));
    for (std::size_t i = 0; i < 3; ++i) {
      for (std::size_t j = 0; j < 3; ++j) CHECK(product(rows, i, j) == Approx(covariance[3 * i + j]).margin(1e-15));
    }
  }
  CHECK_THROWS_AS(inline_tasks::covariance_factor(full, 2), ShapeError);
}

TEST_CASE("differences and means of free energies of one grid have its covariance, other numbers of it are independent", "[grid_errors]") {
  MappedDesk desk;
  const Value system = with(at_density(ice(8), between(0.0325, 0.0345)), "mass", 0.00187);
  const plan::TaskSpec base = desk.base(system, between(180.0, 220.0));
  desk.run(base);
  const plan::TaskSpec anchor = desk.told(at_density(with(ice(8), "mass", 0.00187), 0.0325), 180.0, -25.0, 0.01);
  artifacts::Artifact grid = desk.run(desk.grid(base, kFour, {anchor}, 8, 16));
  const Tensor c = numbers(grid, "free_energy_covariance");
  const auto covariance = [&](std::int64_t i, std::int64_t j) { return c[i][j].item<double>(); };
  const auto sigma = [](const ResultsOfGrid& results, const Value& expression) { return *inline_tasks::evaluate(expression, results).estimate().sigma(); };
  const auto apart = [&](const char* name) { return subtract(state(180.0, 0.0345, name), state(220.0, 0.0325, name)); };  // states 1 and 2
  const ResultsOfGrid mapped(grid);
  const double sharp = std::sqrt(covariance(1, 1) + covariance(2, 2) - 2 * covariance(1, 2)), blunt = std::sqrt(covariance(1, 1) + covariance(2, 2));
  REQUIRE(sharp < 0.5 * blunt);
  for (const char* name : {"per_particle", "all_sublattices", "absolute", "calphy"}) {
    INFO(name);
    CHECK(sigma(mapped, apart(name)) == Approx(sharp).epsilon(1e-9));
    CHECK(sigma(mapped, state(220.0, 0.0325, name)) == Approx(std::sqrt(covariance(2, 2))).epsilon(1e-12));
    CHECK(sigma(mapped, mean({state(180.0, 0.0345, name), state(220.0, 0.0325, name)})) == Approx(0.5 * std::sqrt(covariance(1, 1) + covariance(2, 2) + 2 * covariance(1, 2))).epsilon(1e-9));
    CHECK(sigma(mapped, subtract(state(220.0, 0.0325, name), state(220.0, 0.0325 * (1 + 1e-13), "per_particle"))) < 1e-12);
  }
  const double cold = units::kBoltzmann * 180.0, warm = units::kBoltzmann * 220.0;
  CHECK(sigma(mapped, apart("energy_per_particle")) ==
        Approx(std::sqrt(cold * cold * covariance(1, 1) + warm * warm * covariance(2, 2) - 2 * cold * warm * covariance(1, 2))).epsilon(1e-9));
  const Tensor energies = error(grid, "mean_energy");
  CHECK(sigma(mapped, apart("mean_energy")) == Approx(std::hypot(energies[1].item<double>(), energies[2].item<double>())));
  CHECK(sigma(mapped, subtract(state(220.0, 0.0325, "mean_energy"), state(220.0, 0.0325 * (1 + 1e-13), "mean_energy"))) == 0.0);
  CHECK_THROWS_WITH(mapped.number_at("grid", "per_particle", Map{{"temperature", 200.0}}), Catch::Contains("has no state"));

  grid.arrays.erase("free_energy_covariance");  // as states of a flow, each of which has draws of its own
  CHECK(sigma(ResultsOfGrid(grid), apart("per_particle")) == Approx(blunt).epsilon(1e-9));
  grid.arrays.erase("grid/coordinates");
  CHECK_THROWS_WITH(ResultsOfGrid(grid), Catch::Contains("is of one state"));
}

TEST_CASE("a state that creeps is named, wherever it stands, and no other gets its warning", "[grid_errors]") {
  MappedDesk desk;
  const plan::TaskSpec base = desk.base(at_density(ice(8), between(0.0325, 0.0345)), between(180.0, 220.0));
  desk.run(base);
  const plan::TaskSpec of = desk.grid(base, kFour, {desk.told(at_density(ice(8), 0.0325), 180.0, -25.0, 0.01)}, 8, 16);
  const artifacts::Artifact whole = desk.run(of);
  const Tensor drifts = value(whole, "drift");
  CHECK(number(whole, "largest_drift") == drifts.abs().max().item<double>());
  CHECK_THAT(whole.find_result("largest_drift")->convention, !Catch::Contains("THEY CREEP"));

  // All that was sampled, of which the energies of one state are made to rise.
  MemoryContext context(desk.store, of);
  const int moves = 4 * (16 / 4 + 16);
  for (context.stop = true; context.reports < moves;) {
    try {
      tasks::registry().at("reference")(context);
    } catch (const Stopped&) {
    }
  }
  artifacts::Artifact sampled = *context.load_checkpoint();
  const Tensor energy = tensor::to_tensor(sampled.array("energy")).clone();
  energy[1] += at::arange(16, at::kDouble);
  sampled.arrays["energy"] = tensor::to_array(energy);
  MemoryContext again(desk.store, of);
  again.save_checkpoint(sampled);
  const artifacts::Artifact creeping = tasks::registry().at("reference")(again);
  CHECK(number(creeping, "largest_drift") == value(creeping, "drift")[1].item<double>());
  CHECK_THAT(creeping.find_result("largest_drift")->convention, Catch::Contains("temperature = 180 K, density = 0.0345") && Catch::Contains("THEY CREEP"));
  CHECK(creeping.attributes.at("conventions") == whole.attributes.at("conventions"));
  CHECK(value(creeping, "drift")[3].item<double>() == drifts[3].item<double>());
}

TEST_CASE("where no loops check the differences, anchors that disagree widen them too", "[grid_errors]") {
  MappedDesk desk;
  const plan::TaskSpec base = desk.base(at_density(ice(8), between(0.0325, 0.0345)), between(180.0, 260.0));
  desk.run(base);
  const Map line{{"temperature", List{180.0, 220.0, 260.0}}, {"density", 0.0335}};
  const Value here = at_density(ice(8), 0.0335);
  const plan::TaskSpec low = desk.told(here, 180.0, -25.0, 0.002, "low");
  const artifacts::Artifact whole = desk.run(desk.grid(base, line, {low}, 8, 16));
  const double top = value(whole, "per_particle")[2].item<double>();
  const artifacts::Artifact torn = desk.run(desk.grid(base, line, {low, desk.told(here, 260.0, top + 0.1, 0.002, "high")}, 8, 16));
  CHECK(whole.find_result("closure") == nullptr);
  CHECK(number(torn, "consistency") > 8.0);
  CHECK(number(torn, "largest_difference_error") > 5.0 * number(whole, "largest_difference_error"));
  CHECK(error(torn, "pressure")[1].item<double>() > 5.0 * error(whole, "pressure")[1].item<double>());
}

TEST_CASE("a grid in a box of other angles has no table, and a surface says why it takes none", "[grid_errors]") {
  MappedDesk desk;
  const double half = 0.5 * std::cbrt(4.0 / 1.28);
  const Value rhombohedral = Map{{"kind", "file"},
                                 {"cell", List{List{0.0, half, half}, List{half, 0.0, half}, List{half, half, 0.0}}},
                                 {"sites", List{List{0.0, 0.0, 0.0}}},
                                 {"repeats", List{3, 3, 3}},
                                 {"atoms", 27},
                                 {"density", 1.28}};
  const Value system = with(springs(), "lattice", rhombohedral);
  const plan::TaskSpec base = desk.base(system, between(75.0, 150.0));
  desk.run(base);
  const plan::TaskSpec of = desk.grid(base, {{"temperature", List{75.0, 100.0, 150.0}}}, {desk.told(system, 75.0, -3.0, 0.01)}, 8, 16);
  const artifacts::Artifact grid = desk.run(of);
  CHECK(grid.arrays.contains("grid/pressure/value"));
  CHECK_FALSE(grid.arrays.contains("states/table"));
  const plan::TaskSpec surface = desk.spec("surface", "G",
                                           {{"box", "isotropic"}, {"over", "isotherms"}, {"temperature_degree", 1}, {"volume_degree", 0}, {"shape_degree", 0}, {"states", List{task("states.0")}}},
                                           {{"states.0", of.key}});
  CHECK_THROWS_WITH(desk.run(surface), Catch::Contains("boxes of right angles, the lattice of grid has others"));
  CHECK(tasks::has_right_angles(crystal::Cell{{{{3.0, 1e-12, 0.0}, {0.0, 4.0, 0.0}, {-1e-12, 0.0, 5.0}}}}));  // as files round
  CHECK_FALSE(tasks::has_right_angles(crystal::Cell{{{{3.0, 1e-6, 0.0}, {0.0, 4.0, 0.0}, {0.0, 0.0, 5.0}}}}));
}

TEST_CASE("a carried configuration may be infinitely high, and of no other energy that is not a number", "[grid_errors]") {
  constexpr double kInfinity = std::numeric_limits<double>::infinity(), kNone = std::numeric_limits<double>::quiet_NaN();
  CHECK(carried(0.25, 1.0).isfinite().all().item<bool>());
  CHECK(carried(kInfinity, 1.0).isposinf().all().item<bool>());
  CHECK(carried(kNone, 1e-6).isposinf().all().item<bool>());  // nothing is inside of so small a basin
  for (const double wrong : {kNone, -kInfinity}) {
    CHECK_THROWS_WITH(carried(wrong, 1.0), Catch::Contains("at 300 K is not finite when it is carried to 600 K"));
    CHECK_THROWS_AS(carried(wrong, 1.0), NumericalError);
  }
}

TEST_CASE("free energies of hundreds of states in a row converge, although their sums are rounded", "[grid_errors]") {
  constexpr std::int64_t kStates = 400, kSamples = 2000;
  // Each sample counts nearly whole and tells next to nothing: sums of thousands beside curvatures of one.
  constexpr double kDepth = -8.0, kSpread = 0.5;
  const tensor::RandomStream stream(key(2), "works");
  const Tensor chain = at::arange(kSamples, at::kLong);
  std::vector<estimators::StateSamples> states;
  std::vector<estimators::StatePair> pairs;
  for (std::int64_t k = 0; k < kStates; ++k) states.push_back({chain, at::zeros({kSamples, 0}, at::kDouble)});
  for (std::int64_t k = 0; k + 1 < kStates; ++k) {
    const auto works = [&](std::int64_t side) { return kDepth + kSpread * stream.normal(k, side * kSamples, kSamples, 1).reshape({-1}); };
    pairs.push_back({k, k + 1, works(0), works(1), 0});
  }
  estimators::JointBarOptions options;
  options.least_overlap = 0.0;
  const estimators::JointBarResult found = estimators::joint_bar(states, pairs, options);
  CHECK(found.overlaps.max().item<double>() < 0.01);
  const Tensor steps = found.free_energies.slice(0, 1) - found.free_energies.slice(0, 0, kStates - 1);
  CHECK(at::allclose(steps, found.differences, 0.0, 1e-8));  // a tree: each pair by itself
  CHECK(std::abs(found.free_energies[kStates - 1].item<double>()) < 5.0 * std::sqrt(found.covariance[kStates - 1][kStates - 1].item<double>()));
}

TEST_CASE("thirty states with their pressures have the same bits on any number of threads", "[grid_errors]") {
  MappedDesk desk;
  const plan::TaskSpec base = desk.base(at_density(ice(8), between(0.0325, 0.0345)), between(180.0, 230.0));
  desk.run(base);
  const Map lists{{"temperature", List{180.0, 190.0, 200.0, 210.0, 220.0, 230.0}}, {"density", List{0.0325, 0.033, 0.0335, 0.034, 0.0345}}};
  const plan::TaskSpec of = desk.grid(base, lists, {desk.told(at_density(ice(8), 0.0325), 180.0, -25.0, 0.01)}, 4, 4);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const artifacts::Artifact one = desk.run(of);
  for (const int several : {2, 3}) {
    at::set_num_threads(several);
    CHECK(same_bits(desk.run(of), one));
  }
  at::set_num_threads(threads);
  CHECK(number(one, "states") == 30.0);
}
