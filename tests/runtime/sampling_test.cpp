#include "tests/support/catch.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "runtime/estimators/lfep.h"
#include "runtime/estimators/mbar.h"
#include "runtime/estimators/statistical_inefficiency.h"
#include "runtime/foundation/errors.h"
#include "runtime/physics/free_energy.h"
#include "runtime/physics/make_energy_model.h"
#include "runtime/physics/phonon.h"
#include "runtime/physics/whitened_target.h"
#include "runtime/sampling/ais.h"
#include "runtime/sampling/einstein_dynamics.h"
#include "runtime/sampling/hmc.h"
#include "runtime/sampling/kick_plan.h"
#include "runtime/sampling/staged_reference.h"
#include "runtime/tensor/random_stream.h"
#include "tests/shared/systems.h"
#include "tests/support/anharmonic_toy.h"

using namespace bgw;
using namespace bgw::sampling;

namespace {

plan::Key key(std::uint8_t number) {
  plan::Key result;
  result.bytes[0] = number;
  return result;
}

Tensor unit_modes() { return at::eye(3, at::kDouble); }

/// One atom in (x^2 + y^2 + z^2) / 2 + cubic x^3 + quartic x^4: its x alone is anharmonic.
class Well : public physics::EnergyModel {
 public:
  Well(double cubic, double quartic) : cubic_(cubic), quartic_(quartic) {}
  std::int64_t particles() const override { return 1; }
  Tensor energy(const Tensor& u) const override {
    const Tensor x = u.select(2, 0).select(1, 0);
    return 0.5 * u.square().sum(2).sum(1) + cubic_ * x.pow(3) + quartic_ * x.pow(4);
  }
  physics::EnergyAndGradient energy_and_gradient(const Tensor& u) const override {
    Tensor gradient = u.clone();
    gradient.select(2, 0) += 3.0 * cubic_ * u.select(2, 0).square() + 4.0 * quartic_ * u.select(2, 0).pow(3);
    return {energy(u), gradient};
  }
  physics::GradientAndProduct gradient_and_product(const Tensor&, const Tensor&) const override {
    throw std::logic_error("samplers need no second derivative");
  }
  Tensor hessian_sum(const Tensor&) const override { throw std::logic_error("samplers need no second derivative"); }
  physics::CallCount calls() const override { return {}; }

 private:
  double cubic_, quartic_;
};

/// Mean of f(x) under exp(-x^2/2 - lambda (cubic x^3 + quartic x^4)), by quadrature.
template <typename F>
double exact_mean(double lambda, double cubic, double quartic, const F& f) {
  double weight = 0, sum = 0;
  for (double x = -8; x < 8; x += 1e-3) {
    const double w = std::exp(-0.5 * x * x - lambda * (cubic * x * x * x + quartic * x * x * x * x));
    weight += w;
    sum += w * f(x);
  }
  return sum / weight;
}

/// Mean over all chains and its standard error from their scatter.
std::pair<double, double> mean_and_error(const Tensor& per_chain) {
  return {per_chain.mean().item<double>(),
          per_chain.std().item<double>() / std::sqrt(static_cast<double>(per_chain.numel()))};
}

bool same(const std::map<std::string, Tensor>& a, const std::map<std::string, Tensor>& b) {
  if (a.size() != b.size()) return false;
  for (const auto& [name, value] : a) {
    if (!at::equal(b.at(name), value)) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("a harmonic crystal is sampled without rejection at any step", "[hmc]") {
  const tests::SpringRing ring(4, {1.7, 0.0, 0.0, 0.0});
  const physics::WhitenedTarget target(ring, std::get<0>(tests::harmonic_modes(ring, 2.0)), 2.0, 0.0);
  HmcOptions options;
  options.first_angle = 1.0;
  const Hmc hmc(target, 1.0, options, key(1), "test");
  HmcState state = hmc.start(200);
  for (int i = 0; i < 30; ++i) hmc.move(state);
  CHECK(state.acceptance() == 1.0);
  CHECK(state.tried == 6000);
  CHECK(state.positions.mean().item<double>() == Approx(0.0).margin(4.0 / std::sqrt(1800.0)));
  CHECK(state.positions.var().item<double>() == Approx(1.0).margin(4.0 * std::sqrt(2.0 / 1800.0)));
}

TEST_CASE("a quadratic remainder has the variance of its stiffness at every lambda", "[hmc]") {
  // Modes of a ring with k = 1, energies of one with k = 2.5: u_l = (1 + 1.5 l) |y|^2 / 2.
  const tests::SpringRing soft(4, {1.0, 0.0, 0.0, 0.0}), stiff(4, {2.5, 0.0, 0.0, 0.0});
  const physics::WhitenedTarget target(stiff, std::get<0>(tests::harmonic_modes(soft, 1.0)), 1.0, 0.0);
  for (const double lambda : {0.3, 1.0}) {
    const Hmc hmc(target, lambda, {}, key(2), "test");
    HmcState state = hmc.start(300);
    for (int i = 0; i < 20; ++i) hmc.move(state);
    Tensor square = at::zeros({300}, at::kDouble);
    for (int i = 0; i < 40; ++i) {
      hmc.move(state);
      square += state.positions.square().mean(1) / 40.0;
    }
    const auto [mean, error] = mean_and_error(square);
    CHECK(std::abs(mean - 1.0 / (1.0 + 1.5 * lambda)) < 4.0 * error);
    CHECK(error < 0.02);
  }
}

TEST_CASE("an anharmonic well is sampled as quadrature says", "[hmc]") {
  const double cubic = 0.12, quartic = 0.08;
  const Well well(cubic, quartic);
  const physics::WhitenedTarget target(well, unit_modes(), 1.0, 0.0);
  for (const double lambda : {0.5, 1.0}) {
    HmcOptions options;
    options.first_angle = 0.9;  // large steps, so that a wrong acceptance would show
    const Hmc hmc(target, lambda, options, key(3), "well");
    HmcState state = hmc.start(1000);
    for (int i = 0; i < 20; ++i) hmc.move(state);
    state.tried = state.accepted = 0;
    Tensor first = at::zeros({1000}, at::kDouble), second = first.clone(), work = first.clone();
    for (int i = 0; i < 150; ++i) {
      hmc.move(state);
      const Tensor x = state.positions.select(1, 0);
      first += x / 150.0;
      second += x.square() / 150.0;
      work += state.work / 150.0;
    }
    CHECK(state.acceptance() < 0.99);
    const auto compare = [&](const Tensor& measured, double exact) {
      const auto [mean, error] = mean_and_error(measured);
      CHECK(std::abs(mean - exact) < 4.0 * error);
    };
    compare(first, exact_mean(lambda, cubic, quartic, [](double x) { return x; }));
    compare(second, exact_mean(lambda, cubic, quartic, [](double x) { return x * x; }));
    compare(work,
            exact_mean(lambda, cubic, quartic, [&](double x) { return cubic * x * x * x + quartic * x * x * x * x; }));
  }
}

// Otherwise a move with the momentum turned round is not its own inverse, and Metropolis samples something else.
TEST_CASE("the kicks of a move read the same backwards and make one whole", "[hmc]") {
  for (std::int64_t rotations = 1; rotations <= 28; ++rotations) {
    const KickPlan plan = kick_plan(rotations);
    INFO(rotations << " rotations");
    REQUIRE(static_cast<std::int64_t>(plan.turns.size()) == rotations);
    REQUIRE(plan.kicks.size() == plan.turns.size() + 1);
    double turns = 0, kicks = 0;
    for (std::size_t k = 0; k < plan.turns.size(); ++k) {
      CHECK(plan.turns[k] > 0);
      CHECK(plan.turns[k] == Approx(plan.turns[plan.turns.size() - 1 - k]).epsilon(1e-13));
      turns += plan.turns[k];
    }
    for (std::size_t k = 0; k < plan.kicks.size(); ++k) {
      CHECK(plan.kicks[k] == Approx(plan.kicks[plan.kicks.size() - 1 - k]).epsilon(1e-13));
      kicks += plan.kicks[k];
    }
    CHECK(turns == Approx(1.0).epsilon(1e-13));
    CHECK(kicks == Approx(1.0).epsilon(1e-13));
  }
  CHECK(kick_plan(2).kicks[1] == Approx(2.0 / 3.0));  // Simpson's rule
}

namespace {

/// Twenty atoms, each coordinate y in a well of its own, y^2 / 2 + rest(y): moves of many coordinates are refused often.
class Wells : public physics::EnergyModel {
 public:
  static constexpr std::int64_t kAtoms = 20;
  template <class Number>
  static Number rest(const Number& y) {
    return y * y * (0.45 + 0.35 * y * y);
  }
  std::int64_t particles() const override { return kAtoms; }
  Tensor energy(const Tensor& u) const override { return (0.5 * u * u + rest(u)).sum(2).sum(1); }
  physics::EnergyAndGradient energy_and_gradient(const Tensor& u) const override {
    return {energy(u), u * (1.9 + 1.4 * u * u)};
  }
  physics::GradientAndProduct gradient_and_product(const Tensor&, const Tensor&) const override {
    throw std::logic_error("samplers need no second derivative");
  }
  Tensor hessian_sum(const Tensor&) const override { throw std::logic_error("samplers need no second derivative"); }
  physics::CallCount calls() const override { return {}; }
};

}  // namespace

TEST_CASE("moves of five and of seven rotations, which no equal panels make, sample without bias", "[hmc]") {
  const Wells wells;
  const std::int64_t m = 3 * Wells::kAtoms;
  const physics::WhitenedTarget target(wells, at::eye(m, at::kDouble), 1.0, 0.0);
  double weight = 0, sum = 0;
  for (double y = -6; y < 6; y += 1e-3) {
    const double w = std::exp(-0.5 * y * y - Wells::rest(y));
    weight += w;
    sum += w * Wells::rest(y);
  }
  for (const int rotations : {5, 7}) {
    HmcOptions options;
    options.first_angle = options.turn / rotations;
    const Hmc hmc(target, 1.0, options, key(13), "wells");
    HmcState state = hmc.start(400);
    for (int i = 0; i < 40; ++i) hmc.move(state);
    state.tried = state.accepted = 0;
    Tensor work = at::zeros({400}, at::kDouble);
    for (int i = 0; i < 200; ++i) {
      hmc.move(state);
      work += state.work / 200.0;
    }
    CHECK(state.acceptance() < 0.98);
    const auto [mean, error] = mean_and_error(work);
    CHECK(error < 0.05);
    CHECK(std::abs(mean - static_cast<double>(m) * sum / weight) < 4.0 * error);
  }
}

TEST_CASE("adaptation brings the acceptance to its aim and stays within its bounds", "[hmc]") {
  const Well well(0.0, 0.6);
  const physics::WhitenedTarget target(well, unit_modes(), 1.0, 0.0);
  HmcOptions options;
  options.first_angle = 0.06;
  options.largest_angle = 3.0;
  const Hmc hmc(target, 1.0, options, key(4), "adapt");
  HmcState state = hmc.start(400);
  for (int i = 0; i < 150; ++i) hmc.move_and_adapt(state);
  CHECK(state.angle > 0.2);
  state.tried = state.accepted = 0;
  for (int i = 0; i < 50; ++i) hmc.move(state);
  CHECK(state.acceptance() == Approx(0.85).margin(0.05));

  const Well harmonic(0.0, 0.0);
  const physics::WhitenedTarget easy(harmonic, unit_modes(), 1.0, 0.0);
  const Hmc bounded(easy, 1.0, {}, key(4), "adapt");
  HmcState free = bounded.start(2);
  for (int i = 0; i < 60; ++i) bounded.move_and_adapt(free);
  CHECK(free.angle == 1.4);
}

TEST_CASE("a chain does not depend on the chains beside it", "[hmc]") {
  const tests::SpringRing ring(5, {1.0, 0.2, 0.05, 0.0});
  const physics::WhitenedTarget target(ring, std::get<0>(tests::harmonic_modes(ring, 1.0)), 1.0, 0.0);
  const Hmc hmc(target, 1.0, {}, key(5), "beside");
  HmcState few = hmc.start(3), many = hmc.start(40);
  for (int i = 0; i < 10; ++i) {
    hmc.move(few);
    hmc.move(many);
  }
  CHECK(at::equal(few.positions, many.positions.narrow(0, 0, 3)));
}

TEST_CASE("chains of a base that is far too soft find down within a few moves", "[hmc]") {
  const tests::SpringRing stiff(6, {1.0, 0.0, 0.5, 0.0}), soft(6, {0.01, 0.0, 0.0, 0.0});
  const physics::WhitenedTarget target(stiff, std::get<0>(tests::harmonic_modes(soft, 1.0)), 1.0, 0.0);
  CHECK(target.work(tensor::RandomStream(key(12), "draws").normal(0, 0, 64, 15)).mean().item<double>() > 1e4);
  const Hmc hmc(target, 1.0, {}, key(12), "soft");
  HmcState state = hmc.start(64);
  CHECK(state.work.max().item<double>() < 1.0);
  for (int i = 0; i < 40; ++i) hmc.move_and_adapt(state);
  for (int i = 0; i < 40; ++i) hmc.move(state);
  const double reduced = (state.work + 0.5 * state.positions.square().sum(1)).mean().item<double>();
  CHECK(reduced > 5.0);  // beta U of fifteen degrees of freedom, between quadratic and quartic
  CHECK(reduced < 7.5);
}

TEST_CASE("a trajectory without a finite energy is rejected", "[hmc]") {
  const Well falling(-40.0, 0.0);  // unbounded below: long steps overflow
  const physics::WhitenedTarget target(falling, unit_modes(), 1.0, 0.0);
  HmcOptions options;
  options.turn = 60 * options.first_angle;
  const Hmc hmc(target, 1.0, options, key(6), "falling");
  HmcState state = hmc.start(50);
  for (int i = 0; i < 3; ++i) hmc.move(state);
  CHECK(state.positions.isfinite().all().item<bool>());
  CHECK(state.acceptance() < 1.0);
}

TEST_CASE("the ladder records the mean work of every state", "[staged]") {
  const double cubic = 0.1, quartic = 0.06;
  const Well well(cubic, quartic);
  const physics::WhitenedTarget target(well, unit_modes(), 1.0, 0.0);
  StagedOptions options;
  options.chains = 400;
  options.steps = 60;
  StagedState state = start_staged(target, options);
  run_staged(target, options, key(7), state, {});
  REQUIRE(state.state == 3);
  for (std::int64_t k = 0; k < 3; ++k) {
    const double lambda = 0.5 * static_cast<double>(k);
    const auto [mean, error] = mean_and_error(state.work[k].mean(1));
    CHECK(std::abs(mean - exact_mean(lambda, cubic, quartic, [&](double x) {
                     return cubic * x * x * x + quartic * x * x * x * x;
                   })) < 4.0 * error);
    CHECK(state.summaries[static_cast<std::size_t>(k)].lambda == lambda);
  }
  CHECK(state.summaries[0].acceptance == 1.0);
  CHECK(state.summaries[2].acceptance > 0.7);
  const Tensor furthest = state.target_positions.square().sum(2).max().sqrt();
  CHECK(state.summaries[2].largest_displacement == Approx(furthest.item<double>()));
}

TEST_CASE("target samples are those whose work was recorded", "[staged]") {
  const tests::SpringRing ring(3, {1.0, 0.2, 0.05, 0.0});
  const physics::WhitenedTarget target(ring, std::get<0>(tests::harmonic_modes(ring, 1.0)), 1.0, 0.0);
  StagedOptions options;
  options.chains = 4;
  options.steps = 5;
  StagedState state = start_staged(target, options);
  run_staged(target, options, key(8), state, {});
  const Tensor work = target.work(state.target_positions.reshape({20, -1})).view({5, 4}).t();
  CHECK((work - state.work[2]).abs().max().item<double>() < 1e-12);
}

TEST_CASE("a ladder interrupted after any move continues bit by bit", "[staged]") {
  const tests::SpringRing ring(3, {1.0, 0.2, 0.05, 0.0});
  const physics::WhitenedTarget target(ring, std::get<0>(tests::harmonic_modes(ring, 1.0)), 1.0, 0.0);
  StagedOptions options;
  options.chains = 3;
  options.steps = 9;
  StagedState whole = start_staged(target, options);
  std::vector<std::map<std::string, Tensor>> checkpoints;
  run_staged(target, options, key(9), whole, [&](const StagedState& s) {
    std::map<std::string, Tensor> copy;
    for (const auto& [name, value] : to_named_tensors(s)) copy[name] = value.clone();
    checkpoints.push_back(copy);
  });
  REQUIRE(checkpoints.size() == 9 + 2 * (9 + 2));
  for (const auto& checkpoint : checkpoints) {
    StagedState resumed = staged_state_from(checkpoint);
    run_staged(target, options, key(9), resumed, {});
    CHECK(same(to_named_tensors(resumed), to_named_tensors(whole)));
  }
}

TEST_CASE("reduced energies are lambda times the recorded work, sample by counted sample", "[staged]") {
  StagedState state;
  state.work = at::arange(12, at::kDouble).view({3, 2, 2});
  state.counted = at::full({3, 2}, 2, at::kLong);
  const Tensor u = reduced_energies(state);
  REQUIRE(u.sizes() == at::IntArrayRef({3, 12}));
  CHECK(u[0].abs().max().item<double>() == 0.0);
  CHECK(u[1][7].item<double>() == 3.5);
  CHECK(chain_of_samples(state)[7].item<std::int64_t>() == 3);

  state.counted[1][0] = 1;  // its second sample, 5, is not counted
  state.counted[2][1] = 0;
  CHECK(at::equal(2.0 * reduced_energies(state)[1], at::tensor({0, 1, 2, 3, 4, 6, 7, 8, 9}, at::kDouble)));
  CHECK(at::equal(chain_of_samples(state), at::tensor({0, 0, 1, 1, 2, 3, 3, 4, 4}, at::kLong)));
  CHECK(at::equal(samples_of_states(state), at::tensor({4, 3, 2}, at::kLong)));
  CHECK(chains_that_left(state) == 2);
}

TEST_CASE("a chain is counted until it first leaves the basin", "[staged]") {
  const tests::SpringRing ring(3, {1.0, 0.2, 0.05, 0.0});
  const physics::WhitenedTarget target(ring, std::get<0>(tests::harmonic_modes(ring, 1.0)), 1.0, 0.0);
  StagedOptions options;
  options.chains = 60;
  options.steps = 25;
  options.basin = Basin(7.2);
  StagedState state = start_staged(target, options);
  run_staged(target, options, key(10), state, {});
  const Tensor u = target.displacements(state.target_positions.reshape({25 * 60, -1}));
  const Tensor inside = options.basin->holds(options.basin->excursion(u)).view({25, 60}).to(at::kLong);
  CHECK(at::equal(state.counted[2], inside.cumprod(0).sum(0)));
  CHECK(state.counted[0].eq(25).all().item<bool>());  // the Gaussian is everywhere
  CHECK(chains_that_left(state) > 0);
  CHECK(chains_that_left(state) < 30);
  CHECK(state.summaries[2].largest_displacement <= 3.6);
  const Tensor kept = counted_samples(state)[2].t();
  const Tensor ratios = options.basin->excursion(u).lindemann.view({25, 60}).masked_select(kept);
  CHECK(state.summaries[2].lindemann == Approx(ratios.square().mean().sqrt().item<double>()));
}

TEST_CASE("a crystal that most chains leave is refused with the number that broke the limit", "[staged]") {
  const tests::SpringRing ring(3, {1.0, 0.2, 0.05, 0.0});
  const physics::WhitenedTarget target(ring, std::get<0>(tests::harmonic_modes(ring, 1.0)), 1.0, 0.0);
  StagedOptions options;
  options.basin = Basin(1.0);
  StagedState state = start_staged(target, options);
  CHECK_THROWS_WITH(run_staged(target, options, key(11), state, {}),
                    Catch::Contains("melts or leaves its structure: in state 2 of 3") &&
                        Catch::Contains("the limit is 0.5 (half the distance of nearest neighbours)"));
}

TEST_CASE("a ladder that cannot be climbed is refused", "[staged]") {
  const Well well(0.0, 0.0);
  const physics::WhitenedTarget target(well, unit_modes(), 1.0, 0.0);
  StagedOptions one_state;
  one_state.states = 1;
  CHECK_THROWS_AS(start_staged(target, one_state), InputError);
  StagedOptions no_steps;
  no_steps.steps = 0;
  CHECK_THROWS_AS(start_staged(target, no_steps), InputError);
}

namespace {

AisState annealed(const physics::WhitenedTarget& target, const AisOptions& options, std::uint8_t seed) {
  AisState state;
  run_ais(target, options, key(seed), state, {});
  return state;
}

}  // namespace

TEST_CASE("annealing finds the free energy of a well with an honest error", "[ais]") {
  const double cubic = 0.25, quartic = 0.15;
  const Well well(cubic, quartic);
  const physics::WhitenedTarget target(well, unit_modes(), 1.0, 0.0);
  // ln Z / Z_Gaussian = ln <e^{-D}> in the Gaussian.
  const double exact = std::log(exact_mean(
      0.0, 0.0, 0.0, [&](double x) { return std::exp(-cubic * x * x * x - quartic * x * x * x * x); }));
  double sum = 0;
  for (std::uint8_t seed = 1; seed <= 30; ++seed) {
    AisOptions options;
    options.trajectories = 300;
    options.states = seed % 2 == 0 ? 0 : 6;
    const AisState state = annealed(target, options, seed);
    const estimators::Estimate f =
        estimators::lfep(state.done_log_weight, tensor::RandomStream(key(seed), "bootstrap"), 100);
    CHECK(std::abs(-f.value - exact) < 4.0 * f.sigma);
    sum += (f.value + exact) * (f.value + exact) / (f.sigma * f.sigma);
  }
  CHECK(std::sqrt(sum / 30) > 0.65);
  CHECK(std::sqrt(sum / 30) < 1.4);
}

TEST_CASE("the ends of annealed trajectories are those of the crystal, by their weights", "[ais]") {
  const double cubic = 0.25, quartic = 0.15;
  const Well well(cubic, quartic);
  const physics::WhitenedTarget target(well, unit_modes(), 1.0, 0.0);
  AisOptions options;
  options.trajectories = 6000;
  options.states = 4;
  const AisState state = annealed(target, options, 11);
  REQUIRE(state.done() == 6000);
  const Tensor weight = estimators::normalised_weights(state.done_log_weight);
  for (const int power : {1, 2}) {
    const Tensor x = state.done_positions.select(1, 0).pow(power);
    const double mean = (weight * x).sum().item<double>();
    const double error = (weight * (x - mean)).square().sum().sqrt().item<double>();
    CHECK(std::abs(mean - exact_mean(1.0, cubic, quartic, [&](double y) { return std::pow(y, power); })) < 4.0 * error);
  }
  CHECK((target.work(state.done_positions) - state.done_work).abs().max().item<double>() < 1e-12);
}

TEST_CASE("a harmonic crystal needs no states between, and its weights are equal", "[ais]") {
  const tests::SpringRing ring(4, {1.7, 0.0, 0.0, 0.0});
  const physics::WhitenedTarget target(ring, std::get<0>(tests::harmonic_modes(ring, 2.0)), 2.0, 0.0);
  AisOptions options;
  options.trajectories = 5;
  const AisState state = annealed(target, options, 1);
  CHECK(state.ladder.lambda == std::vector<double>{0.0, 1.0});
  CHECK(state.done_log_weight.abs().max().item<double>() < 1e-12);
}

TEST_CASE("the pilot makes the ladder as fine as the weights need it", "[ais]") {
  const tests::SpringRing ring(12, {1.0, 0.5, 0.12, 0.0});
  const physics::WhitenedTarget target(ring, std::get<0>(tests::harmonic_modes(ring, 1.0)), 1.0, 0.0);
  AisOptions options;
  options.trajectories = 400;
  options.states = 2;
  CHECK(annealed(target, options, 2).done_log_weight.var().item<double>() > 2.0);
  options.states = 0;
  const AisState state = annealed(target, options, 2);
  CHECK(state.ladder.states() > 5);
  CHECK(state.done_log_weight.var().item<double>() < 1.6);
  CHECK(state.acceptance() > 0.5);
}

TEST_CASE("the next state keeps the conditional effective fraction", "[ais]") {
  const Tensor work = tensor::RandomStream(key(1), "work").normal(0, 0, 100'000, 1).view({100'000}) * 3.0;
  const Tensor none = at::zeros({100'000}, at::kDouble);
  // Gaussian work of variance v keeps exp(-v step^2).
  CHECK(next_lambda(none, work, 0.0, 0.95) == Approx(std::sqrt(-std::log(0.95)) / 3.0).epsilon(0.01));
  CHECK(next_lambda(none, work, 0.5, 0.95) == Approx(0.5 + std::sqrt(-std::log(0.95)) / 3.0).epsilon(0.01));
  CHECK(next_lambda(none, work, 0.99, 0.95) == 1.0);
  CHECK(next_lambda(none, 1e-9 * work, 0.0, 0.95) == 1.0);
}

TEST_CASE("a refined ladder has the ends, the order and the spacing of its own", "[ais]") {
  const AisLadder ladder{{0.0, 0.1, 0.4, 1.0}, {1.0, 0.8, 0.6, 0.5}};
  const AisLadder same = refined(ladder, 4);
  CHECK(same.lambda == ladder.lambda);
  CHECK(same.angle == ladder.angle);
  const AisLadder finer = refined(ladder, 7);
  CHECK(finer.lambda[1] == Approx(0.05));
  CHECK(finer.lambda[5] == Approx(0.7));
  CHECK(finer.angle[5] == Approx(0.55));
  CHECK(std::is_sorted(finer.lambda.begin(), finer.lambda.end()));
  CHECK(refined(ladder, 2).lambda == std::vector<double>{0.0, 1.0});
}

TEST_CASE("more trajectories begin with those of fewer", "[ais]") {
  const tests::SpringRing ring(5, {1.0, 0.3, 0.08, 0.0});
  const physics::WhitenedTarget target(ring, std::get<0>(tests::harmonic_modes(ring, 1.0)), 1.0, 0.0);
  AisOptions few, many;
  few.trajectories = 7;
  many.trajectories = ais_portion(target.dimension()) + 3;
  const AisState a = annealed(target, few, 3), b = annealed(target, many, 3);
  CHECK(at::equal(a.done_log_weight, b.done_log_weight.narrow(0, 0, 7)));
  CHECK(b.done() == many.trajectories);
}

TEST_CASE("an annealing interrupted after any move continues bit by bit", "[ais]") {
  const tests::SpringRing ring(3, {1.0, 0.5, 0.1, 0.0});
  const physics::WhitenedTarget target(ring, std::get<0>(tests::harmonic_modes(ring, 1.0)), 1.0, 0.0);
  AisOptions options;
  options.trajectories = 6;
  options.moves = 2;
  options.conditional_ess = 0.98;
  AisState whole;
  std::vector<std::map<std::string, Tensor>> checkpoints;
  run_ais(target, options, key(9), whole, [&](const AisState& s) {
    std::map<std::string, Tensor> copy;
    for (const auto& [name, value] : to_named_tensors(s)) copy[name] = value.clone();
    checkpoints.push_back(copy);
  });
  REQUIRE(checkpoints.size() > 8);
  for (const auto& checkpoint : checkpoints) {
    AisState resumed = ais_state_from(checkpoint);
    run_ais(target, options, key(9), resumed, {});
    CHECK(same(to_named_tensors(resumed), to_named_tensors(whole)));
  }
}

TEST_CASE("an annealing that cannot be made is refused, and one whose base is none of the crystal says so", "[ais]") {
  const Well well(0.0, 0.0);
  const physics::WhitenedTarget target(well, unit_modes(), 1.0, 0.0);
  AisState state;
  AisOptions one;
  one.states = 1;
  CHECK_THROWS_AS(run_ais(target, one, key(1), state, {}), InputError);
  AisOptions none;
  none.trajectories = 0;
  CHECK_THROWS_AS(run_ais(target, none, key(1), state, {}), InputError);

  const Well steep(0.0, 4e6);
  const physics::WhitenedTarget far(steep, unit_modes(), 1.0, 0.0);
  AisOptions short_ladder;
  short_ladder.most_states = 5;
  CHECK_THROWS_WITH(run_ais(far, short_ladder, key(1), state, {}), Catch::Contains("5 states lead from the Gaussian no further"));
}

namespace {

EinsteinDynamicsOptions dynamics(std::int64_t produce) {
  EinsteinDynamicsOptions options;
  options.states = 4;
  options.spring = 1.5;
  options.equilibrate = 100;
  options.produce = produce;
  options.every = 4;
  options.langevin = {0.5, 1.0, 0.25, 1.0};
  return options;
}

EinsteinDynamicsState run(const physics::EnergyModel& model, const EinsteinDynamicsOptions& options, const Basin& basin) {
  EinsteinDynamicsState state = start_einstein_dynamics(model, options);
  run_einstein_dynamics(model, options, basin, key(12), state, {});
  return state;
}

}  // namespace

TEST_CASE("dynamics from an Einstein crystal to a harmonic one has its free energy", "[einstein]") {
  const tests::SpringRing ring(4, {1.7, 0.0, 0.0, 0.0});
  const EinsteinDynamicsOptions options = dynamics(8000);
  const EinsteinDynamicsState state = run(ring, options, Basin(20.0));
  const double beta = 1.0 / options.langevin.kt;
  const Tensor lambda = at::arange(4, at::kDouble) / 3.0;
  const Tensor work = beta * state.coupling.reshape({1, -1});
  const estimators::Estimate rise =
      estimators::mbar(lambda.unsqueeze(1) * work, at::full({4}, options.records(), at::kLong),
                       at::arange(4, at::kLong).repeat_interleave(options.records()), key(1))
          .difference(0, 3);
  // Of 3N - 3 modes with stiffness kappa, in place of the spring's.
  const Tensor kappa = std::get<1>(tests::harmonic_modes(ring, beta));
  REQUIRE(kappa.numel() == 9);
  const double exact = 0.5 * (kappa / (beta * options.spring)).log().sum().item<double>();
  INFO(rise.value << " +- " << rise.sigma << ", exact " << exact);
  CHECK(std::abs(rise.value - exact) < 4.0 * rise.sigma);
  CHECK(rise.sigma < 0.1);
  const Tensor energy = ring.energy(state.displacements);
  const Tensor einstein = 0.5 * options.spring * state.displacements.square().sum({1, 2});
  CHECK((energy - einstein - state.coupling[-1]).abs().max().item<double>() < 1e-10);
}

TEST_CASE("dynamics of a ladder interrupted after any step continues bit by bit, and a melting one is refused", "[einstein]") {
  const tests::SpringRing ring(3, {1.0, 0.2, 0.05, 0.0});
  EinsteinDynamicsOptions options = dynamics(16);
  options.equilibrate = 3;
  const Basin basin(20.0);
  EinsteinDynamicsState whole = start_einstein_dynamics(ring, options);
  std::vector<std::map<std::string, Tensor>> checkpoints;
  run_einstein_dynamics(ring, options, basin, key(2), whole, [&](const EinsteinDynamicsState& s) {
    std::map<std::string, Tensor> copy;
    for (const auto& [name, value] : to_named_tensors(s)) copy[name] = value.clone();
    checkpoints.push_back(copy);
  });
  REQUIRE(checkpoints.size() == 19);
  for (const auto& checkpoint : checkpoints) {
    EinsteinDynamicsState resumed = einstein_dynamics_state_from(checkpoint);
    run_einstein_dynamics(ring, options, basin, key(2), resumed, {});
    CHECK(same(to_named_tensors(resumed), to_named_tensors(whole)));
  }
  CHECK_THROWS_WITH(run(ring, options, Basin(0.1)), Catch::Contains("leaves its structure: in state"));
  options.produce = 3;
  CHECK_THROWS_AS(start_einstein_dynamics(ring, options), InputError);
}

// Published: beta F / N = -25.16311 (64 atoms), -25.08235 (216).
TEST_CASE("the ladder on ice gives the published free energies", "[.crystal]") {
  for (const auto& [particles, published] : {std::pair<std::int64_t, double>{64, -25.16311}, {216, -25.08235}}) {
    const schema::Value system = testing::water("diamond_cubic", particles);
    const crystal::Crystal crystal = physics::make_crystal(system);
    const auto model = physics::make_energy_model(system);
    const physics::GaussianBase base = physics::phonon_base(*model, crystal, testing::kWaterBeta, false);
    const physics::WhitenedTarget target(*model, base.modes, base.beta, base.static_energy);
    StagedOptions options;
    options.steps = particles == 64 ? 64 : 40;
    StagedState state = start_staged(target, options);
    run_staged(target, options, key(1), state, {});
    const estimators::MbarResult result =
        estimators::mbar(reduced_energies(state), samples_of_states(state), chain_of_samples(state), key(1), {});
    const estimators::Estimate ratio = result.difference(0, options.states - 1);
    const double value = physics::free_energy_per_particle(physics::log_partition(base) - ratio.value, particles,
                                                           crystal.cell.volume(), 2.3925);
    const double sigma = ratio.sigma / static_cast<double>(particles);
    for (const StateSummary& s : state.summaries) {
      UNSCOPED_INFO("lambda " << s.lambda << ": acceptance " << s.acceptance << ", angle " << s.angle
                              << ", largest displacement " << s.largest_displacement);
    }
    UNSCOPED_INFO(particles << " atoms: " << value << " +- " << sigma << ", least overlap " << result.least_overlap
                            << ", inefficiency of the crystal's chains "
                            << estimators::statistical_inefficiency(state.work[options.states - 1])
                            << ", gradient calls " << model->calls().gradient);
    CHECK(std::abs(value - published) < 4.0 * sigma);
    CHECK(sigma < 1.5e-3);
  }
}
