// A crystal on a grid of states whose neighbours share their samples: the map, the estimator and the task.
#include <ATen/Parallel.h>

#include <cmath>

#include "compiler/units/unit_table.h"
#include "runtime/estimators/bar.h"
#include "runtime/estimators/joint_bar.h"
#include "runtime/foundation/errors.h"
#include "runtime/physics/mapped_modes.h"
#include "runtime/tasks/conditional_base.h"
#include "runtime/tasks/free_energy_results.h"
#include "runtime/tensor/array.h"
#include "runtime/tensor/random_stream.h"
#include "tests/support/mapped_desk.h"

namespace {

using namespace bgw;
using namespace bgw::test;
using units::kBoltzmann;  // eV/K

/// beta F / N of a crystal of springs at a state, from another: modes grow with the root of T, only V / N knows of the density.
double harmonic(double known, double t0, double rho0, double t, double rho, double atoms) {
  return known - 1.5 * (atoms - 1) / atoms * std::log(t / t0) + std::log(rho / rho0) / atoms;
}

/// Normal distributions on a line: samples of N(mean, width), works between them by the map x -> mean' + (width' / width)^power (x - mean).
struct Line {
  std::vector<double> mean, width;
  double power = 0;
  Tensor energy(std::size_t k, const Tensor& x) const { return 0.5 * ((x - mean[k]) / width[k]).square(); }
  Tensor work(std::size_t from, std::size_t to, const Tensor& x) const {
    const double ratio = std::pow(width[to] / width[from], power);
    return energy(to, mean[to] + ratio * (x - mean[from])) - energy(from, x) - std::log(ratio);
  }
  double free_energy(std::size_t k) const { return -std::log(width[k]); }
};

/// Normal distributions one after the other, and the last beside the first where they are a ring; chains of `length` samples that are
/// one draw each where `frozen`.
estimators::JointBarResult compared(const Line& line, std::int64_t chains, std::int64_t length, std::uint8_t seed, bool frozen, bool ring, std::int64_t noise = 0,
                                     std::int64_t number = 0) {
  const tensor::RandomStream stream(key(seed), "ring");
  const std::size_t count = line.mean.size();
  const Tensor chain = at::arange(chains, at::kLong).repeat_interleave(length);
  std::vector<Tensor> x;
  std::vector<estimators::StateSamples> states;
  for (std::size_t k = 0; k < count; ++k) {
    const Tensor z = stream.normal(static_cast<std::int64_t>(k), 0, chains, length);
    x.push_back(line.mean[k] + line.width[k] * (frozen ? z.slice(1, 0, 1).expand({chains, length}) : z).reshape({-1}));
    const Tensor others = stream.normal(static_cast<std::int64_t>(count + k), 0, chains * length, noise);
    states.push_back({chain, at::cat({x.back().unsqueeze(1), others}, 1)});
  }
  std::vector<estimators::StatePair> pairs;
  for (std::size_t k = 0; k + (ring ? 0 : 1) < count; ++k) {
    const std::size_t next = (k + 1) % count;
    pairs.push_back({static_cast<std::int64_t>(k), static_cast<std::int64_t>(next), line.work(k, next, x[k]), line.work(next, k, x[next]), number});
  }
  return estimators::joint_bar(states, pairs);
}

}  // namespace

TEST_CASE("one pair is Bennett's acceptance ratio, and a tree of pairs is their sums", "[mapped]") {
  const tensor::RandomStream stream(key(1), "x");
  const Tensor forward = stream.normal(0, 0, 1, 300).reshape({-1}) + 1.3, reverse = stream.normal(1, 0, 1, 200).reshape({-1}) - 0.3;
  const std::vector<estimators::StateSamples> states{{at::arange(300, at::kLong), forward.unsqueeze(1)}, {at::arange(200, at::kLong), reverse.unsqueeze(1)}};
  const estimators::JointBarResult found = estimators::joint_bar(states, {{0, 1, forward, reverse}});
  estimators::BarOptions options;
  options.bootstrap = 400;
  const estimators::BarResult bar = estimators::bar(forward, estimators::single_samples(300), reverse, estimators::single_samples(200), key(2), options);
  CHECK(found.free_energies[1].item<double>() == Approx(bar.delta_f.value).epsilon(1e-12));
  CHECK(found.overlaps[0].item<double>() == Approx(bar.overlap).epsilon(1e-12));
  CHECK(std::sqrt(found.covariance[1][1].item<double>()) == Approx(bar.delta_f.sigma).epsilon(0.2));
  CHECK(found.difference_errors[0].item<double>() == Approx(std::sqrt(found.covariance[1][1].item<double>())).epsilon(1e-9));
  CHECK(found.closures[0].item<double>() == 0.0);
  CHECK(found.means[0][0].item<double>() == Approx(forward.mean().item<double>()));

  const std::vector<estimators::StateSamples> three{states[0], states[1], states[0]};
  const estimators::JointBarResult tree = estimators::joint_bar(three, {{0, 1, forward, reverse}, {2, 1, forward, reverse}});
  CHECK(tree.free_energies[1].item<double>() == Approx(bar.delta_f.value).epsilon(1e-12));
  CHECK(std::abs(tree.free_energies[2].item<double>()) < 1e-12);
  CHECK(at::equal(tree.closures, at::zeros({2}, at::kDouble)));
}

TEST_CASE("free energies around a ring are those of the distributions, and errors are the scatter over seeds", "[mapped]") {
  const Line line{{0.0, 0.4, 0.9, 0.5}, {1.0, 1.3, 1.6, 1.2}, 0.5};
  constexpr int kSeeds = 60;
  for (const bool frozen : {false, true}) {
    INFO(frozen);
    Tensor squares = at::zeros({7}, at::kDouble);  // of free energies 1 to 3 and means
    double closure = 0, correlation = 0, claimed = 0;
    for (int seed = 0; seed < kSeeds; ++seed) {
      const estimators::JointBarResult found = compared(line, 48, 4, static_cast<std::uint8_t>(seed), frozen, true);
      const Tensor sigma = found.covariance.diagonal().sqrt();
      Tensor misses = at::zeros({7}, at::kDouble);
      for (std::int64_t k = 1; k < 4; ++k) {
        misses[k - 1] = (found.free_energies[k] - (line.free_energy(static_cast<std::size_t>(k)) - line.free_energy(0))) / sigma[k];
      }
      for (std::int64_t k = 0; k < 4; ++k) misses[3 + k] = (found.means[k][0] - line.mean[static_cast<std::size_t>(k)]) / sigma[4 + k];
      squares += misses.square() / kSeeds;
      closure += found.closures.square().mean().item<double>() / kSeeds;
      correlation += (misses[1] * misses[5]).item<double>() / kSeeds;
      claimed += (found.covariance[2][6] / (sigma[2] * sigma[6])).item<double>() / kSeeds;
    }
    // Mean squares of 60 numbers of variance one scatter by 0.18.
    const auto s = squares.accessor<double, 1>();
    for (std::int64_t i = 0; i < 7; ++i) {
      INFO(i << ": " << s[i]);
      CHECK(s[i] > 0.3);
      CHECK(s[i] < 1.73);
    }
    CHECK(closure > 0.3);
    CHECK(closure < 1.73);
    CHECK(std::abs(correlation - claimed) < 4.0 / std::sqrt(static_cast<double>(kSeeds)));
  }
}

TEST_CASE("what pairs of one state have in common adds up along a line of states", "[mapped]") {
  Line line;  // whose samples push the pairs on both sides of their state the same way
  for (int k = 0; k < 12; ++k) {
    line.mean.push_back(0.0);
    line.width.push_back(std::pow(1.15, k));
  }
  constexpr int kSeeds = 100;
  for (const std::int64_t chains : {8, 32}) {
    double squares = 0, alone = 0;
    for (int seed = 0; seed < kSeeds; ++seed) {
      const estimators::JointBarResult found = compared(line, chains, 6, static_cast<std::uint8_t>(seed), true, false, 4);
      const estimators::JointBarResult apart = compared(line, chains, 6, static_cast<std::uint8_t>(seed), true, false, 4, -1);
      const double miss = found.free_energies[11].item<double>() - (line.free_energy(11) - line.free_energy(0));
      squares += miss * miss / found.covariance[11][11].item<double>() / kSeeds;
      alone += apart.covariance[11][11].item<double>() / found.covariance[11][11].item<double>() / kSeeds;
      CHECK(apart.covariance[1][1].item<double>() == Approx(found.covariance[1][1].item<double>()));
    }
    INFO(chains << ": " << squares << ", " << alone);  // the error of the first is 0.14
    CHECK(squares > 0.5);
    CHECK(squares < 1.56);
    CHECK(alone < (chains == 8 ? 0.9 : 0.97));  // pairs that know nothing of each other claim too little of their sum
  }
}

TEST_CASE("a pair without overlap is named with what to do, and a loop that does not close is told", "[mapped]") {
  const Tensor apart = at::full({40}, 60.0, at::kDouble) + tensor::RandomStream(key(3), "x").normal(0, 0, 1, 40).reshape({-1});
  const Tensor chain = at::arange(40, at::kLong), none = at::zeros({40, 0}, at::kDouble), never = at::full({40}, INFINITY, at::kDouble);
  const std::vector<estimators::StateSamples> two{{chain, none}, {chain, none}};
  estimators::JointBarOptions options;
  options.names = {"300 K", "900 K"};
  options.remedies = {"list another `temperature` between them"};
  for (const Tensor& works : {apart, never}) {
    CHECK_THROWS_WITH(estimators::joint_bar(two, {{0, 1, works, works}}, options),
                      Catch::Contains("300 K and at 900 K hardly overlap") && Catch::Contains("list another `temperature` between them"));
  }
  CHECK_THROWS_AS(estimators::joint_bar({two[0], two[1], two[0]}, {{0, 1, apart - 60.0, apart - 60.0}}), ShapeError);
  CHECK_THROWS_AS(estimators::joint_bar(two, {{0, 0, apart, apart}}), ShapeError);

  // Three states, one of which has seen a well that the others have not: its two pairs disagree by a constant.
  const tensor::RandomStream stream(key(4), "x");
  const auto noise = [&](std::int64_t i) { return 0.3 * stream.normal(i, 0, 1, 40).reshape({-1}); };
  const std::vector<estimators::StateSamples> three{two[0], two[0], two[0]};
  const estimators::JointBarResult torn = estimators::joint_bar(three, {{0, 1, noise(0), noise(1)}, {1, 2, noise(2), noise(3)}, {0, 2, 1.0 + noise(4), noise(5) - 1.0}});
  CHECK(torn.closures.abs().max().item<double>() > 6.0);
}

TEST_CASE("the map of two Gaussians carries one to the other, is smooth where modes cross, and comes back", "[mapped]") {
  MappedDesk desk;
  const Value system = at_density(ice(8), between(0.031, 0.036));
  const plan::TaskSpec spec = desk.base(system, between(150.0, 250.0), "scha");
  const tasks::ConditionalBase base(spec, desk.run(spec));
  const tasks::Ground a = base.at({160.0, 0.0315}), b = base.at({240.0, 0.0355});
  const Tensor y = tensor::RandomStream(key(5), "y").normal(0, 0, 6, a.target->dimension());
  const Tensor there = physics::mapped_modes(a.target->modes(), b.target->modes(), y);
  CHECK(at::allclose(there.square().sum(1), y.square().sum(1), 1e-12, 0.0));
  CHECK(at::allclose(physics::mapped_modes(b.target->modes(), a.target->modes(), there), y, 1e-11, 1e-11));
  CHECK(at::allclose(physics::mapped_modes(a.target->modes(), a.target->modes(), y), y, 1e-11, 1e-11));

  // The same by symmetric roots of dense covariances: u' = C'^(1/2) C^(-1/2) u on fields without a common shift.
  const auto root = [](const tasks::Ground& ground, double power) {
    const Tensor m = ground.target->displacements(at::eye(ground.target->dimension(), at::kDouble)).reshape({ground.target->dimension(), -1});
    const auto [values, vectors] = at::linalg_eigh(at::mm(m.t(), m));
    const Tensor scaled = at::where(values > 1e-10, values.clamp_min(1e-10).pow(power), at::zeros_like(values));
    return at::mm(vectors * scaled, vectors.t());
  };
  const Tensor u = a.target->displacements(y).reshape({6, -1});
  const Tensor mapped = at::mm(u, at::mm(root(b, 0.5), root(a, -0.5)).t());
  CHECK(at::allclose(b.target->displacements(there).reshape({6, -1}), mapped, 1e-8, 1e-9));

  // A small change of the state is a small change of the configuration.
  const tasks::Ground near = base.at({160.01, 0.0315});
  const Tensor moved = near.target->displacements(physics::mapped_modes(a.target->modes(), near.target->modes(), y));
  CHECK((moved.reshape({6, -1}) - u).abs().max().item<double>() < 1e-3 * u.abs().max().item<double>());
}

TEST_CASE("a harmonic crystal has its free energies at all states, without scatter of the work where its Gaussian fits", "[mapped]") {
  MappedDesk desk;
  const Value system = at_density(springs(), between(1.2, 1.36));
  const plan::TaskSpec plain = desk.base(at_density(springs(), 1.28), 100.0);
  const double known = number(desk.run(plain), "harmonic");
  // Cold enough that no atom comes near the end of its basin, where the crystal ends.
  const std::vector<double> temperatures{75.0, 150.0, 300.0}, densities{1.2, 1.28, 1.36};
  const plan::TaskSpec anchor = desk.told(at_density(springs(), 1.28), 150.0, harmonic(known, 100.0, 1.28, 150.0, 1.28, 32), 1e-4);
  for (const bool fits : {true, false}) {
    INFO(fits);
    // Independent atoms of one width fit at no state, and the maps between them are exact for none.
    const plan::TaskSpec base = desk.base(system, between(75.0, 300.0), fits ? "phonon" : "einstein_crystal");
    desk.run(base);
    const artifacts::Artifact& found = desk.run(desk.grid(base, {{"temperature", List{75.0, 150.0, 300.0}}, {"density", List{1.2, 1.28, 1.36}}}, {anchor}, 16, 64));
    const Tensor states = numbers(found, "states/numbers").view({9, 5}), table = numbers(found, "states/table");
    const Tensor sigma = numbers(found, "states/covariance").diagonal().sqrt().view({9, 5});
    for (std::int64_t k = 0; k < 9; ++k) {
      const double t = temperatures[static_cast<std::size_t>(k / 3)], rho = densities[static_cast<std::size_t>(k % 3)], kt = kBoltzmann * t;
      INFO(t << " K, " << rho);
      const double exact = harmonic(known, 100.0, 1.28, t, rho, 32);
      if (fits) CHECK(std::abs(value(found, "per_particle")[k].item<double>() - exact) < 1e-9);
      if (fits) CHECK(error(found, "per_particle")[k].item<double>() == Approx(1e-4).epsilon(1e-6));
      CHECK(states[k][0].item<double>() == Approx(kt * value(found, "per_particle")[k].item<double>()).epsilon(1e-12));
      const auto within = [&](std::int64_t i, double wanted) {
        INFO(i << ": " << states[k][i].item<double>() << " +- " << sigma[k][i].item<double>() << ", exact " << wanted);
        CHECK(std::abs(states[k][i].item<double>() - wanted) < 4.0 * sigma[k][i].item<double>());
      };
      if (!fits) within(0, kt * exact);
      within(1, kt * 1.5 * 31 / 32);
      for (std::int64_t i = 2; i < 5; ++i) within(i, kt * rho / 32);  // (N kT - (N - 1) kT) / V
      CHECK(table[k][0].item<double>() == t);
      CHECK(table[k][1].item<double>() == Approx(1 / rho));
      CHECK(table[k][2].item<double>() == Approx(1.0));
    }
    CHECK(number(found, "states") == 9.0);
    CHECK(found.find_result("consistency") == nullptr);
    CHECK((number(found, "overlap") > 1.0 - 1e-9) == fits);
    CHECK((number(found, "largest_error") < 1.0001e-4) == fits);
  }
}

TEST_CASE("a grid of ice agrees with references at its states, and its slopes are pressures and energies", "[mapped]") {
  MappedDesk desk;
  const Value system = at_density(ice(8), between(0.0325, 0.0345));
  const std::vector<double> temperatures{180.0, 220.0, 260.0}, densities{0.0325, 0.0335, 0.0345};
  const plan::TaskSpec base = desk.base(system, between(180.0, 260.0), "scha");
  desk.run(base);
  std::vector<plan::TaskSpec> direct;
  for (const double t : temperatures) {
    for (const double rho : densities) {
      const Value here = at_density(ice(8), rho);
      const plan::TaskSpec modes = desk.base(here, t, "scha");
      desk.run(modes);
      direct.push_back(desk.direct(here, t, modes, 160, static_cast<int>(direct.size())));
      desk.run(direct.back());
    }
  }
  const Map lists{{"temperature", List{180.0, 220.0, 260.0}}, {"density", List{0.0325, 0.0335, 0.0345}}};
  const artifacts::Artifact& found = desk.run(desk.grid(base, lists, {direct[0], direct[8]}, 16, 160));
  const artifacts::Artifact* alone[9];
  for (std::size_t k = 0; k < 9; ++k) alone[k] = desk.store.objects.at(direct[k].key).artifact.get();
  for (std::int64_t k = 0; k < 9; ++k) {
    for (const char* name : {"per_particle", "mean_energy", "pressure_xx", "pressure_yy", "pressure_zz", "pressure"}) {
      const double mine = value(found, name)[k].item<double>(), claimed = error(found, name)[k].item<double>();
      const artifacts::Artifact& other = *alone[static_cast<std::size_t>(k)];
      INFO(k << " " << name << ": " << mine << " +- " << claimed << ", alone " << number(other, name) << " +- " << sigma(other, name));
      CHECK(std::abs(mine - number(other, name)) < 4.0 * std::hypot(claimed, sigma(other, name)));
    }
    CHECK(value(found, "left_basin")[k].item<double>() < 3.0);
  }
  CHECK(number(found, "consistency") < 4.0);
  CHECK(number(found, "closure") < 4.5);
  CHECK(number(found, "overlap") > 0.5);

  // Differences of neighbours are better known than those of references by themselves.
  const auto c = numbers(found, "free_energy_covariance");
  const double difference = std::sqrt((c[4][4] + c[3][3] - 2 * c[4][3]).item<double>());
  CHECK(difference < 0.5 * std::hypot(sigma(*alone[3], "per_particle"), sigma(*alone[4], "per_particle")));

  // Simpson's rule along both coordinates; all numbers have one covariance.
  const Tensor values = numbers(found, "states/numbers"), covariance = numbers(found, "states/covariance");
  const auto law = [&](const Tensor& combination, double quadrature) {
    const double apart = at::dot(combination, values).item<double>(), sigma_of = std::sqrt(at::dot(combination, at::mv(covariance, combination)).item<double>());
    INFO(apart << " +- " << sigma_of);
    CHECK(std::abs(apart) < 4.0 * sigma_of + quadrature);
    CHECK(quadrature < sigma_of);
  };
  for (std::size_t i = 0; i < 3; ++i) {
    Tensor along = at::zeros({45}, at::kDouble), over = at::zeros({45}, at::kDouble);
    const auto state = [](std::size_t t, std::size_t r) { return static_cast<std::int64_t>(5 * (3 * t + r)); };
    // F(v2) - F(v0) = -int p dv = int p v dln(rho): the logarithms are even to 1e-3, the rule is that of uneven steps.
    const double h0 = std::log(densities[1] / densities[0]), h1 = std::log(densities[2] / densities[1]), sum = h0 + h1;
    const double weights[3] = {sum / 6 * (2 - h1 / h0), sum * sum * sum / (6 * h0 * h1), sum / 6 * (2 - h0 / h1)};
    along[state(i, 2)] = 1.0;
    along[state(i, 0)] = -1.0;
    for (std::size_t r = 0; r < 3; ++r) {
      for (std::int64_t d = 2; d < 5; ++d) along[state(i, r) + d] = -weights[r] / densities[r] / 3.0;
    }
    law(along, 2e-6);
    // beta F (2) - beta F (0) = int u dbeta + 3/2 ln, with the ideal part that U / N of a classical crystal nearly is: U beta = 3/2 + c T.
    const double b[3] = {1 / (kBoltzmann * temperatures[0]), 1 / (kBoltzmann * temperatures[1]), 1 / (kBoltzmann * temperatures[2])};
    const double g0 = b[1] - b[0], g1 = b[2] - b[1], all = g0 + g1;
    const double rule[3] = {all / 6 * (2 - g1 / g0), all * all * all / (6 * g0 * g1), all / 6 * (2 - g0 / g1)};
    over[state(2, i)] = b[2];
    over[state(0, i)] = -b[0];
    double ideal = 1.5 * 7 / 8 * std::log(b[2] / b[0]);
    for (std::size_t t = 0; t < 3; ++t) {
      over[state(t, i) + 1] = -rule[t];
      ideal -= rule[t] * 1.5 * 7 / 8 / b[t];
    }
    const double apart = at::dot(over, values).item<double>() - ideal, spread = std::sqrt(at::dot(over, at::mv(covariance, over)).item<double>());
    INFO(apart << " +- " << spread);
    CHECK(std::abs(apart) < 4.0 * spread);
  }

  // Anchors that cannot both be true are told, and by how much.
  const plan::TaskSpec off = desk.told(at_density(ice(8), 0.0345), 260.0, number(*alone[8], "per_particle") + 0.1, 0.002, "off");
  const artifacts::Artifact& torn = desk.run(desk.grid(base, lists, {direct[0], off}, 16, 16));
  CHECK(number(torn, "consistency") > 8.0);
  CHECK(error(torn, "per_particle")[4].item<double>() > 0.01);
  const artifacts::Artifact& whole = desk.run(desk.grid(base, lists, {direct[0]}, 16, 16));
  CHECK(whole.find_result("consistency") == nullptr);
  CHECK(error(torn, "pressure")[4].item<double>() < 1.5 * error(whole, "pressure")[4].item<double>());
  CHECK(number(torn, "largest_difference_error") < 3.0 * number(whole, "largest_difference_error"));
  CHECK_THAT(torn.find_result("consistency")->convention, Catch::Contains("at temperature = 180 K, density = 0.0325") && Catch::Contains("THEY DISAGREE"));
}

TEST_CASE("errors of a grid are the scatter over seeds", "[mapped]") {
  MappedDesk desk;
  const Value system = at_density(ice(8), between(0.0315, 0.0355));
  const plan::TaskSpec base = desk.base(system, between(160.0, 280.0), "scha");
  desk.run(base);
  const plan::TaskSpec anchor = desk.told(at_density(ice(8), 0.0315), 160.0, -30.0, 1e-9);
  constexpr int kSeeds = 24;
  std::vector<Tensor> values, variances;
  for (int seed = 0; seed < kSeeds; ++seed) {
    const artifacts::Artifact& found = desk.run(desk.grid(base, {{"temperature", List{160.0, 280.0}}, {"density", List{0.0315, 0.0355}}}, {anchor}, 12, 24, 100 + seed));
    values.push_back(numbers(found, "states/numbers").view({4, 5}));
    variances.push_back(numbers(found, "states/covariance").diagonal().view({4, 5}));
  }
  const Tensor scatter = at::stack(values).var(0), claimed = at::stack(variances).mean(0), ratio = scatter / claimed;
  INFO(ratio);
  // Each of 24 numbers scatters by 0.3 of itself; free energies but that of the anchor, energies and pressures.
  const Tensor free = ratio.select(1, 0).slice(0, 1), means = ratio.slice(1, 1);
  CHECK(free.max().item<double>() < 1 + 4 * 0.295);
  CHECK(means.max().item<double>() < 1 + 4 * 0.295);
  CHECK(free.mean().item<double>() > 0.5);
  CHECK(means.mean().item<double>() > 0.6);
  CHECK(means.mean().item<double>() < 1.5);
}

TEST_CASE("a grid that is stopped after every move ends with the same bits, on any number of threads", "[mapped]") {
  MappedDesk desk;
  const Value system = at_density(ice(8), between(0.0325, 0.0345));
  const plan::TaskSpec base = desk.base(system, between(180.0, 220.0));
  desk.run(base);
  const plan::TaskSpec of = desk.grid(base, {{"temperature", List{180.0, 220.0}}, {"density", List{0.0325, 0.0345}}}, {desk.told(at_density(ice(8), 0.0325), 180.0, -25.0, 0.01)}, 6, 8);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const artifacts::Artifact whole = desk.run(of);
  at::set_num_threads(2);
  int stops = 0;
  CHECK(same_bits(run_in_steps(desk.store, of, stops), whole));
  at::set_num_threads(threads);
  CHECK(stops == 4 * (8 / 4 + 8) + 1);  // moves of the states, and the analysis
  CHECK(whole.find_result("overlap")->convention.find("temperature") != std::string::npos);
  CHECK(whole.array("pairs").integers == std::vector<std::int64_t>{0, 2, 1, 3, 0, 1, 2, 3});
}

TEST_CASE("grids that melt, that have gaps, and anchors that say nothing are refused with what to do", "[mapped]") {
  MappedDesk desk;
  const Value system = at_density(ice(8), between(0.0325, 0.0345));
  const plan::TaskSpec base = desk.base(system, between(180.0, 2000.0));
  desk.run(base);
  const auto attempt = [&](const plan::TaskSpec& of) {
    MemoryContext context(desk.store, of);
    tasks::registry().at("reference")(context);
  };
  const Value here = at_density(ice(8), 0.0325);
  const plan::TaskSpec anchor = desk.told(here, 180.0, -25.0, 0.01);
  CHECK_THROWS_WITH(attempt(desk.grid(base, {{"temperature", List{180.0, 2000.0}}, {"density", 0.0325}}, {anchor}, 8, 200)),
                    Catch::Contains("the crystal melts or leaves its structure: at temperature = 2000 K, density = 0.0325 /angstrom^3"));
  CHECK_THROWS_WITH(attempt(desk.grid(base, {{"temperature", List{180.0, 220.0}}, {"density", 0.04}}, {anchor}, 4, 8)), Catch::Contains("lies outside the range of modes"));
  CHECK_THROWS_WITH(attempt(desk.grid(base, {{"temperature", List{180.0, 220.0}}}, {anchor}, 4, 8)), Catch::Contains("does not say at which density"));
  CHECK_THROWS_WITH(attempt(desk.grid(base, {{"temperature", List{190.0, 220.0}}, {"density", 0.0325}}, {anchor}, 4, 8)), Catch::Contains("anchor `told` is at temperature = 180 K") && Catch::Contains("no state of the grid"));
  CHECK_THROWS_WITH(attempt(desk.grid(base, {{"temperature", List{180.0, 220.0}}, {"density", 0.0325}}, {anchor}, 1, 4)), Catch::Contains("errors of the grid are not known"));

  plan::TaskSpec silent = desk.told(here, 180.0, -25.0, 0.01, "silent");
  artifacts::Artifact without = *desk.store.objects.at(silent.key).artifact;
  without.results[0].sigma.reset();
  desk.keep(silent, without);
  const Map lists{{"temperature", List{180.0, 220.0}}, {"density", 0.0325}};
  CHECK_THROWS_WITH(attempt(desk.grid(base, lists, {silent}, 4, 8)), Catch::Contains("anchor `silent` has no error"));
  without.results[0].convention = "another";
  desk.keep(silent, without);
  CHECK_THROWS_WITH(attempt(desk.grid(base, lists, {silent}, 4, 8)), Catch::Contains("another convention"));
}
