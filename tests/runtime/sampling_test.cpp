#include "tests/support/catch.h"

#include <cmath>
#include <utility>

#include "runtime/estimators/mbar.h"
#include "runtime/estimators/statistical_inefficiency.h"
#include "runtime/foundation/errors.h"
#include "runtime/physics/free_energy.h"
#include "runtime/physics/make_energy_model.h"
#include "runtime/physics/phonon.h"
#include "runtime/sampling/hmc.h"
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
