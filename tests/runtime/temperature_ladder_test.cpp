// Crystals at several temperatures at once: the sampler, what its samples are made into, and the task.
#include <ATen/Parallel.h>

#include <cmath>
#include <functional>

#include "compiler/units/unit_table.h"
#include "runtime/estimators/anchored.h"
#include "runtime/estimators/drift.h"
#include "runtime/estimators/joint_mbar.h"
#include "runtime/estimators/mbar.h"
#include "runtime/estimators/shrinkage.h"
#include "runtime/foundation/errors.h"
#include "runtime/sampling/temperature_ladder.h"
#include "runtime/tasks/free_energy_results.h"
#include "runtime/tensor/array.h"
#include "runtime/tensor/random_stream.h"
#include "tests/support/ice_study.h"
#include "tests/support/anchored_desk.h"

namespace {

using namespace bgw;
using namespace bgw::test;

plan::Key key(std::uint8_t number) {
  plan::Key result;
  result.bytes[0] = number;
  return result;
}

Tensor numbers(const artifacts::Artifact& artifact, const std::string& name) { return tensor::to_tensor(artifact.array(name)); }

/// e(x, z) = 3 (x^2 / 4 - 1)^2 + 0.25 x + z^2 / 2: two wells, one lower than the other, between which a cold chain hardly goes.
double double_well(double x) { return 3.0 * (0.25 * x * x - 1.0) * (0.25 * x * x - 1.0) + 0.25 * x; }

class DoubleWell : public physics::LatentTarget {
 public:
  std::int64_t dimension() const override { return 2; }
  physics::WhitenedValue evaluate(const Tensor& y) const override {
    const Tensor x = y.select(1, 0), well = 0.25 * x.square() - 1.0;
    Tensor gradient = at::zeros_like(y);
    gradient.select(1, 0).copy_(3.0 * well * x + 0.25 - x);
    return {3.0 * well.square() + 0.25 * x - 0.5 * x.square(), gradient, x.abs()};
  }
  physics::Configurations configurations(const Tensor& y, const Tensor& work) const override {
    return {at::cat({y, at::zeros({y.size(0), 1}, at::kDouble)}, 1).unsqueeze(1), work + 0.5 * y.square().sum(1)};
  }
};

/// Sums over x and z of f exp(-s e), by quadrature.
double weighed(double scale, const std::function<double(double x, double e)>& f) {
  double sum = 0;
  for (double x = -6; x < 6; x += 0.02) {
    for (double z = 0.01; z < 8; z += 0.02) {
      const double e = double_well(x) + 0.5 * z * z;
      sum += 2 * f(x, e) * std::exp(-scale * e);
    }
  }
  return sum * 0.02 * 0.02;
}

double exact_mean(double scale, const std::function<double(double x, double e)>& f) {
  return weighed(scale, f) / weighed(scale, [](double, double) { return 1.0; });
}

const std::vector<double> kScales{3.0, 2.0, 1.3, 0.85, 0.5};

sampling::LadderOptions wells(std::int64_t chains, std::int64_t steps) {
  sampling::LadderOptions options;
  options.scales = kScales;
  options.chains = chains;
  options.steps = steps;
  options.observables = 1;
  options.observe = [](const Tensor& displacements) { return displacements.select(2, 0); };  // x
  return options;
}

sampling::LadderState run(const physics::LatentTarget& target, const sampling::LadderOptions& options, std::uint8_t seed) {
  sampling::LadderState state = sampling::start_ladder(target, options);
  sampling::run_ladder(target, options, key(seed), state, {});
  return state;
}

/// Mean over everything and its standard error by the scatter of independent chains, of [C, S].
void check_mean(const Tensor& measured, double exact) {
  const Tensor by_chain = measured.to(at::kDouble).mean(1);
  const double error = by_chain.std().item<double>() / std::sqrt(static_cast<double>(by_chain.numel()));
  INFO(by_chain.mean().item<double>() << " +- " << error << ", exact " << exact);
  CHECK(std::abs(by_chain.mean().item<double>() - exact) < 4.0 * error);
}

class Desk : public AnchoredDesk {
 public:
  static Value at_temperature(double t) { return Map{{"kind", "nvt"}, {"temperature", t}}; }
  plan::TaskSpec base(const Value& system, double t, const char* kind = "phonon") {
    return spec("base", "modes", {{"kind", kind}, {"system", system}, {"ensemble", at_temperature(t)}, {"relax_sites", true}, {"samples", 64}});
  }
  plan::TaskSpec ladder(const Value& system, double t, const plan::TaskSpec& on, std::vector<double> temperatures, const std::vector<plan::TaskSpec>& anchors, int chains, int steps,
                        const char* call = "replica_exchange", int seed = 7) {
    std::map<std::string, plan::Key> inputs{{"path.base", on.key}};
    List tasks, rungs;
    for (std::size_t i = 0; i < anchors.size(); ++i) {
      const std::string role = "path.anchors." + std::to_string(i);
      tasks.push_back(task(role));
      inputs[role] = anchors[i].key;
    }
    for (const double rung : temperatures) rungs.push_back(rung);
    return spec("reference", "ladder",
                {{"method", "mbar"}, {"system", system}, {"ensemble", at_temperature(t)}, {"seed", seed}, {"stress", true},
                 {"path", Map{{"call", call}, {"base", task("path.base")}, {"temperatures", rungs}, {"anchors", tasks}}},
                 {"sampler", Map{{"call", "hmc"}, {"chains", chains}, {"steps", steps}}}},
                inputs);
  }
};

/// Springs between nearest neighbours of fcc: everything of it is known.
Value springs() {
  return Map{{"potential", Map{{"style", "harmonic"}, {"spring", 3.7}, {"cutoff", 1.2}}}, {"lattice", testing::lattice_value("fcc", 32, 1.28)}, {"minimum_image", "strict"}};
}

using units::kBoltzmann;  // eV/K

/// beta F / N of a harmonic crystal at another temperature: its modes grow with the root of it, its energy at rest is zero.
double harmonic_free_energy(double known, double at, double wanted, double atoms) { return known - 1.5 * (atoms - 1) / atoms * std::log(wanted / at); }

bool same_bits(const artifacts::Artifact& a, const artifacts::Artifact& b) {
  if (a.arrays.size() != b.arrays.size() || a.results.size() != b.results.size()) return false;
  for (const auto& [name, array] : a.arrays) {
    if (array.doubles != b.array(name).doubles || array.integers != b.array(name).integers) return false;
  }
  for (const artifacts::Result& result : a.results) {
    const artifacts::Result* other = b.find_result(result.name);
    if (other == nullptr || other->value != result.value || other->sigma != result.sigma || other->convention != result.convention) return false;
  }
  return a.cost.gradient_calls == b.cost.gradient_calls && a.cost.energy_calls == b.cost.energy_calls;
}

}  // namespace

TEST_CASE("every temperature of a ladder has its own distribution, and exchange brings both wells to the cold end", "[ladder]") {
  const DoubleWell target;
  const sampling::LadderState state = run(target, wells(96, 240), 1);
  for (std::size_t k = 0; k < kScales.size(); ++k) {
    INFO("scale " << kScales[k]);
    const auto i = static_cast<std::int64_t>(k);
    const Tensor e = state.energy[i], x = state.observed[i].select(2, 0);
    check_mean(e, exact_mean(kScales[k], [](double, double energy) { return energy; }));
    check_mean(e.square(), exact_mean(kScales[k], [](double, double energy) { return energy * energy; }));
    check_mean(x > 0.0, exact_mean(kScales[k], [](double at, double) { return at > 0 ? 1.0 : 0.0; }));
    for (const double level : {0.0, 0.5, 1.5}) {
      check_mean(e < level, exact_mean(kScales[k], [level](double, double energy) { return energy < level ? 1.0 : 0.0; }));
    }
  }
  CHECK(state.exchange_rates().min().item<double>() > 0.3);
  CHECK(state.round_trips.min().item<std::int64_t>() > 0);

  // Without exchange a cold chain stays where it began.
  sampling::LadderOptions alone = wells(96, 240);
  alone.exchange = false;
  const sampling::LadderState stuck = run(target, alone, 1);
  const auto changes = [](const sampling::LadderState& of) {
    const Tensor right = of.observed[0].select(2, 0) > 0.0;
    return (right.slice(1, 1) != right.slice(1, 0, -1)).sum().item<std::int64_t>();
  };
  CHECK(changes(state) > 3 * changes(stuck));
  CHECK(stuck.round_trips.sum().item<std::int64_t>() == 0);
}

TEST_CASE("free energies over a ladder are those of quadrature, and the integral of the energy over beta", "[ladder]") {
  const DoubleWell target;
  const sampling::LadderOptions options = wells(48, 300);
  const sampling::LadderState state = run(target, options, 2);
  const Tensor e = state.energy.reshape({-1, 1});
  const estimators::JointMbarResult mbar =
      estimators::joint_mbar(sampling::reduced_energies(state, options), at::cat({e, e.square()}, 1), sampling::chain_of_slices(state), key(3));
  const auto f = mbar.free_energies.accessor<double, 1>();
  const auto mean = mbar.means.accessor<double, 2>();
  const auto c = mbar.covariance.accessor<double, 2>();
  const auto log_sum = [](double scale) { return -std::log(weighed(scale, [](double, double) { return 1.0; })); };
  for (std::int64_t k = 0; k < 5; ++k) {
    const double scale = kScales[static_cast<std::size_t>(k)];
    INFO("scale " << scale);
    if (k > 0) CHECK(std::abs(f[k] - (log_sum(scale) - log_sum(kScales[0]))) < 4.0 * std::sqrt(c[k][k]));
    CHECK(std::abs(mean[k][0] - exact_mean(scale, [](double, double energy) { return energy; })) < 4.0 * std::sqrt(c[5 + 2 * k][5 + 2 * k]));
  }
  CHECK(std::sqrt(c[4][4]) < 0.05);
  // f' = <e>: the integral of a cubic through the means and their slopes, which are minus the variances.
  for (std::int64_t k = 1; k < 5; ++k) {
    const double h = kScales[static_cast<std::size_t>(k)] - kScales[static_cast<std::size_t>(k) - 1];
    const auto slope = [&](std::int64_t i) { return mean[i][0] * mean[i][0] - mean[i][1]; };
    const double integral = 0.5 * h * (mean[k - 1][0] + mean[k][0]) + h * h / 12.0 * (slope(k - 1) - slope(k));
    const auto exact_slope = [](double scale) {
      const double first = exact_mean(scale, [](double, double energy) { return energy; });
      return first * first - exact_mean(scale, [](double, double energy) { return energy * energy; });
    };
    const double a = kScales[static_cast<std::size_t>(k) - 1], b = kScales[static_cast<std::size_t>(k)];
    const double quadrature_error = std::abs(0.5 * h * (exact_mean(a, [](double, double energy) { return energy; }) + exact_mean(b, [](double, double energy) { return energy; })) +
                                             h * h / 12.0 * (exact_slope(a) - exact_slope(b)) - (log_sum(b) - log_sum(a)));
    // The same samples tell both sides, so that they differ by less than their errors.
    const double error = std::sqrt(c[k][k] + c[k - 1][k - 1] - 2 * c[k][k - 1]);
    CHECK(std::abs(integral - (f[k] - f[k - 1])) < quadrature_error + error);
  }
}

TEST_CASE("what states know of each other is in the errors of a ladder", "[ladder]") {
  // The samples of all states of a slice are one draw on different scales: f_k = (d/2) ln s_k.
  const std::vector<double> scales{1.0, 0.8, 0.64, 0.51};
  const std::int64_t chains = 40, steps = 4, d = 6;
  const auto rungs = static_cast<std::int64_t>(scales.size());
  const Tensor s = at::tensor(at::ArrayRef<double>(scales), at::kDouble);
  const Tensor chain = at::arange(chains, at::kLong).repeat_interleave(steps);
  double squares = 0, unaware = 0, claimed = 0;
  constexpr int kSeeds = 60;
  Tensor means = at::zeros({kSeeds, 2}, at::kDouble);
  for (int seed = 0; seed < kSeeds; ++seed) {
    const Tensor e = 0.5 * tensor::RandomStream(key(static_cast<std::uint8_t>(seed)), "z").normal(0, 0, chains * steps, d).square().sum(1);
    const Tensor own = (e.unsqueeze(0) / s.unsqueeze(1)).reshape({-1});
    const Tensor energies = at::outer(s, own);
    estimators::JointMbarOptions options;
    options.bootstrap = 60;
    const estimators::JointMbarResult found = estimators::joint_mbar(energies, own.unsqueeze(1), chain, key(99), options);
    const auto c = found.covariance.accessor<double, 2>();
    const double error = found.free_energies[rungs - 1].item<double>() - 0.5 * d * std::log(scales.back());
    squares += error * error / c[rungs - 1][rungs - 1] / kSeeds;
    estimators::MbarOptions apart;
    apart.bootstrap = 60;
    const estimators::MbarResult other = estimators::mbar(energies, at::full({rungs}, chains * steps, at::kLong), at::arange(rungs * chains, at::kLong).repeat_interleave(steps), key(98), apart);
    CHECK(at::equal(other.free_energies, found.free_energies));
    unaware += error * error / std::pow(other.difference(0, rungs - 1).sigma, 2) / kSeeds;
    const std::int64_t a = rungs, b = rungs + rungs - 1;
    claimed += c[a][b] / std::sqrt(c[a][a] * c[b][b]) / kSeeds;
    means[seed].copy_(at::stack({found.means[0][0], found.means[rungs - 1][0]}));
  }
  CHECK(squares > 0.6);
  CHECK(squares < 1.6);
  CHECK(unaware > 2.0 * squares);
  const Tensor scatter = means - means.mean(0, true);
  const double measured = ((scatter.select(1, 0) * scatter.select(1, 1)).sum() / (scatter.select(1, 0).square().sum() * scatter.select(1, 1).square().sum()).sqrt()).item<double>();
  CHECK(claimed == Approx(measured).margin(0.3));
}

TEST_CASE("few replicates do not make a covariance that claims to know combinations exactly", "[ladder]") {
  const Tensor draws = tensor::RandomStream(key(5), "x").normal(0, 0, 10, 30);
  const Tensor centred = draws - draws.mean(0, true);
  const Tensor covariance = at::mm(centred.t(), centred) / 9.0;
  CHECK(at::linalg_eigvalsh(covariance)[0].item<double>() < 1e-12);
  const Tensor shrunk = estimators::shrunk_covariance(covariance, 9);
  CHECK(at::linalg_eigvalsh(shrunk)[0].item<double>() > 0.1);
  CHECK(at::allclose(shrunk.diagonal(), covariance.diagonal(), 1e-14, 0.0));
  // Correlations that are known stay.
  const Tensor tied = at::full({4, 4}, 0.9, at::kDouble) + 0.1 * at::eye(4, at::kDouble);
  CHECK(estimators::shrunk_covariance(tied, 1000)[0][1].item<double>() == Approx(0.9).epsilon(1e-3));
  CHECK(at::equal(estimators::shrunk_covariance(at::zeros({3, 3}, at::kDouble), 5), at::zeros({3, 3}, at::kDouble)));
}

TEST_CASE("chains that creep are told from chains that are stationary", "[ladder]") {
  double squares = 0, rise = 0;
  for (std::uint8_t seed = 0; seed < 100; ++seed) {
    const Tensor still = tensor::RandomStream(key(seed), "x").normal(0, 0, 12, 40);
    squares += std::pow(*estimators::drift(still), 2) / 100.0;
    const Tensor rising = still + at::arange(40, at::kDouble) / 40.0;
    rise += (*estimators::drift(rising) - *estimators::drift(still)) / 100.0;
  }
  CHECK(squares == Approx(1.0).epsilon(0.5));
  CHECK(rise == Approx(0.5 / std::sqrt(2.0 / 240.0)).epsilon(0.2));  // half the rise, over its error
  CHECK_FALSE(estimators::drift(at::ones({1, 40}, at::kDouble)));
  CHECK_FALSE(estimators::drift(at::ones({4, 40}, at::kDouble)));
}

TEST_CASE("anchors and a ladder are combined by least squares, and their disagreement is told in standard errors", "[ladder]") {
  const Tensor root = tensor::RandomStream(key(6), "root").normal(0, 0, 6, 6);
  const Tensor covariance = at::mm(root, root.t()) + at::eye(6, at::kDouble);
  const Tensor values = at::tensor({0.3, 1.1, 2.4, 3.9, -1.0, 5.0}, at::kDouble);
  const std::vector<estimators::Anchor> anchors{{0, {10.0, 0.7}}, {3, {16.0, 0.4}}, {1, {11.0, 1.5}}};
  const estimators::Anchored found = estimators::anchored(values, covariance, 4, anchors);

  // The same by its normal equations: unknown numbers and constant, the first four measured with the constant added.
  Tensor design = at::zeros({9, 7}, at::kDouble), measured = at::zeros({9}, at::kDouble), weight = at::zeros({9, 9}, at::kDouble);
  for (std::int64_t i = 0; i < 6; ++i) {
    design[i][i] = 1.0;
    if (i < 4) design[i][6] = 1.0;
    measured[i] = values[i];
  }
  weight.slice(0, 0, 6).slice(1, 0, 6).copy_(at::linalg_inv(covariance));
  for (std::int64_t a = 0; a < 3; ++a) {
    const estimators::Anchor& anchor = anchors[static_cast<std::size_t>(a)];
    design[6 + a][anchor.index] = 1.0;
    measured[6 + a] = anchor.value.value;
    weight[6 + a][6 + a] = 1.0 / (anchor.value.sigma * anchor.value.sigma);
  }
  const Tensor inverse = at::linalg_inv(at::mm(design.t(), at::mm(weight, design)));
  const Tensor solution = at::mv(inverse, at::mv(design.t(), at::mv(weight, measured)));
  CHECK(at::allclose(found.values, solution.slice(0, 0, 6), 1e-9, 1e-9));
  CHECK(at::allclose(found.covariance, inverse.slice(0, 0, 6).slice(1, 0, 6), 1e-9, 1e-9));

  REQUIRE(found.disagreements.size() == 3);
  const auto c = covariance.accessor<double, 2>();
  CHECK(found.disagreements[0].sigmas == Approx(std::abs(6.0 - 3.6) / std::sqrt(0.49 + 0.16 + c[0][0] + c[3][3] - 2 * c[0][3])));
  CHECK_THROWS_AS(estimators::anchored(values, covariance, 4, {}), ShapeError);
  CHECK_THROWS_AS(estimators::anchored(values, covariance, 4, {{4, {1.0, 0.1}}}), ShapeError);
  CHECK_THROWS_AS(estimators::anchored(values, covariance, 4, {{0, {1.0, 0.0}}}), NumericalError);
}

TEST_CASE("a ladder of a harmonic crystal has its free energies and pressures at every temperature", "[ladder]") {
  Desk desk;
  const plan::TaskSpec base = desk.base(springs(), 450.0);
  const double known = number(desk.run(base), "harmonic");
  const plan::TaskSpec anchor = desk.told(springs(), 600.0, harmonic_free_energy(known, 450.0, 600.0, 32), 1e-7);
  const std::vector<double> temperatures{300.0, 360.0, 430.0, 510.0, 600.0, 700.0};
  for (const char* call : {"replica_exchange", "temperature_ladder"}) {
    INFO(call);
    const artifacts::Artifact& found = desk.run(desk.ladder(springs(), 430.0, base, temperatures, {anchor}, 16, 200, call));
    const Tensor states = numbers(found, "states/numbers").view({6, 5}), table = numbers(found, "states/table");
    const Tensor sigma = numbers(found, "states/covariance").diagonal().sqrt().view({6, 5});
    for (std::int64_t k = 0; k < 6; ++k) {
      const double t = temperatures[static_cast<std::size_t>(k)], kt = kBoltzmann * t;
      INFO(t << " K");
      const auto within = [&](std::int64_t i, double exact) {
        const double measured = states[k][i].item<double>(), error = sigma[k][i].item<double>();
        INFO(i << ": " << measured << " +- " << error << ", exact " << exact);
        CHECK(std::abs(measured - exact) < 4.0 * error + 1e-7 * std::abs(exact));
        CHECK(error < 0.05 * kt);
      };
      within(0, kt * harmonic_free_energy(known, 450.0, t, 32));
      within(1, kt * 1.5 * 31 / 32);
      for (std::int64_t i = 2; i < 5; ++i) within(i, kt * 1.28 / 32);  // (N kT - (N - 1) kT) / V
      CHECK(table[k][0].item<double>() == t);
      CHECK(table[k][1].item<double>() == Approx(1 / 1.28));
      CHECK(table[k][2].item<double>() == Approx(1.0));
      CHECK(table[k][3].item<double>() == Approx(1.0));
    }
    CHECK(number(found, "per_particle") * kBoltzmann * 430.0 == Approx(states[2][0].item<double>()).epsilon(1e-12));
    CHECK(number(found, "mean_energy") == Approx(states[2][1].item<double>()).epsilon(1e-12));
    CHECK(number(found, "pressure_zz") == Approx(states[2][4].item<double>()).epsilon(1e-12));
    CHECK(at::equal(numbers(found, "state/numbers"), states[2]));
    CHECK(at::linalg_eigvalsh(numbers(found, "states/covariance"))[0].item<double>() > 0.0);
    CHECK(number(found, "left_basin") == 0.0);
    CHECK(std::abs(number(found, "drift")) < 4.0);
    CHECK((found.find_result("exchange") != nullptr) == (std::string(call) == "replica_exchange"));
    CHECK(found.find_result("consistency") == nullptr);
  }
}

TEST_CASE("a ladder of ice agrees with references at each of its temperatures", "[ladder]") {
  Desk desk;
  const Value system = ice(8);
  const plan::TaskSpec base = desk.base(system, 200.0, "scha");
  desk.run(base);
  std::map<double, plan::TaskSpec> direct;
  for (const double t : {180.0, 220.0, 270.0}) {
    const plan::TaskSpec modes = desk.base(system, t, "scha");
    desk.run(modes);
    direct.emplace(t, desk.direct(system, t, modes, 240, static_cast<int>(t)));
    desk.run(direct.at(t));
  }
  const artifacts::Artifact& found = desk.run(desk.ladder(system, 220.0, base, {180.0, 200.0, 220.0, 245.0, 270.0}, {direct.at(180.0), direct.at(270.0)}, 16, 240));
  const artifacts::Artifact& alone = *desk.store.objects.at(direct.at(220.0).key).artifact;
  for (const char* name : {"per_particle", "mean_energy", "pressure_xx", "pressure_yy", "pressure_zz", "pressure"}) {
    INFO(name << ": " << number(found, name) << " +- " << sigma(found, name) << ", alone " << number(alone, name) << " +- " << sigma(alone, name));
    CHECK(std::abs(number(found, name) - number(alone, name)) < 4.0 * std::hypot(sigma(found, name), sigma(alone, name)));
  }
  CHECK(sigma(found, "per_particle") < 0.003);
  CHECK(number(found, "consistency") < 4.0);
  CHECK_THAT(found.find_result("consistency")->convention, !Catch::Contains("DISAGREE"));
  // Two anchors tell more than the better of them.
  const double best = std::min(sigma(*desk.store.objects.at(direct.at(180.0).key).artifact, "per_particle"), sigma(*desk.store.objects.at(direct.at(270.0).key).artifact, "per_particle"));
  CHECK(tensor::to_tensor(found.array("free_energy_errors"))[0].item<double>() < 1.1 * best);

  // Anchors that cannot both be true are told, and by how much.
  const plan::TaskSpec off = desk.told(system, 270.0, number(*desk.store.objects.at(direct.at(270.0).key).artifact, "per_particle") + 0.1, 0.002, "off");
  const artifacts::Artifact& torn = desk.run(desk.ladder(system, 220.0, base, {180.0, 200.0, 220.0, 245.0, 270.0}, {direct.at(180.0), off}, 16, 40));
  CHECK(number(torn, "consistency") > 8.0);
  CHECK_THAT(torn.find_result("consistency")->convention, Catch::Contains("at 180 K and 270 K") && Catch::Contains("THEY DISAGREE"));
}

TEST_CASE("a ladder that is stopped after every move ends with the same bits, on any number of threads", "[ladder]") {
  Desk desk;
  const plan::TaskSpec base = desk.base(ice(8), 200.0);
  desk.run(base);
  const plan::TaskSpec of = desk.ladder(ice(8), 200.0, base, {180.0, 200.0, 225.0}, {desk.told(ice(8), 200.0, -25.0, 0.01)}, 6, 12);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const artifacts::Artifact whole = desk.run(of);
  at::set_num_threads(2);
  int stops = 0;
  CHECK(same_bits(run_in_steps(desk.store, of, stops), whole));
  at::set_num_threads(threads);
  CHECK(stops == 3 * (12 / 4 + 12) + 1);  // moves of rungs, and the analysis
}

TEST_CASE("a ladder with gaps, one that melts and anchors that say nothing are refused with what to do", "[ladder]") {
  Desk desk;
  const plan::TaskSpec base = desk.base(springs(), 450.0);
  const double known = number(desk.run(base), "harmonic");
  const plan::TaskSpec anchor = desk.told(springs(), 300.0, harmonic_free_energy(known, 450.0, 300.0, 32), 1e-4);
  const auto attempt = [&](const plan::TaskSpec& of) {
    MemoryContext context(desk.store, of);
    tasks::registry().at("reference")(context);
  };
  CHECK_THROWS_WITH(attempt(desk.ladder(springs(), 300.0, base, {300.0, 900.0}, {anchor}, 16, 60)),
                    Catch::Contains("300 K and 900 K hardly change places") && Catch::Contains("write about `temperatures = 6`"));
  CHECK_THROWS_WITH(attempt(desk.ladder(springs(), 300.0, base, {300.0, 900.0}, {anchor}, 16, 60, "temperature_ladder")),
                    Catch::Contains("300 K and 900 K hardly overlap") && Catch::Contains("more temperatures"));
  const artifacts::Artifact& mended = desk.run(desk.ladder(springs(), 300.0, base, {300.0, 373.7, 465.5, 580.0, 722.5, 900.0}, {anchor}, 16, 60));
  CHECK(number(mended, "exchange") > 0.1);
  CHECK_THAT(mended.find_result("round_trips")->convention, Catch::Contains("hardly been renewed"));

  const plan::TaskSpec icy = desk.base(ice(8), 200.0);
  desk.run(icy);
  const plan::TaskSpec cold = desk.told(ice(8), 200.0, -25.0, 0.01);
  CHECK_THROWS_WITH(attempt(desk.ladder(ice(8), 200.0, icy, {200.0, 300.0, 450.0, 700.0, 1100.0, 1700.0}, {cold}, 8, 200, "temperature_ladder")),
                    Catch::Contains("the crystal melts or leaves its structure at") && Catch::Contains("let the ladder end below"));

  plan::TaskSpec silent = desk.told(ice(8), 200.0, -25.0, 0.01, "silent");
  artifacts::Artifact without = *desk.store.objects.at(silent.key).artifact;
  without.results[0].sigma.reset();
  desk.keep(silent, without);
  CHECK_THROWS_WITH(attempt(desk.ladder(ice(8), 200.0, icy, {200.0, 220.0}, {silent}, 4, 8)), Catch::Contains("anchor `silent` has no error"));
  without.results[0].convention = "another";
  desk.keep(silent, without);
  CHECK_THROWS_WITH(attempt(desk.ladder(ice(8), 200.0, icy, {200.0, 220.0}, {silent}, 4, 8)), Catch::Contains("another convention"));
  CHECK_THROWS_WITH(attempt(desk.ladder(ice(8), 200.0, icy, {180.0, 220.0}, {cold}, 4, 8)), Catch::Contains("no rung at 200 K"));
}
