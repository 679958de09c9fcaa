#include "tests/support/catch.h"

#include <cmath>
#include <functional>
#include <limits>

#include "runtime/foundation/errors.h"
#include "runtime/physics/whitened_target.h"
#include "runtime/sampling/basin.h"
#include "runtime/sampling/force_field.h"
#include "runtime/sampling/hmc.h"
#include "runtime/sampling/langevin.h"
#include "tests/support/anharmonic_toy.h"

using namespace bgw;
using namespace bgw::sampling;

namespace {

plan::Key key(std::uint8_t number) {
  plan::Key result;
  result.bytes[0] = number;
  return result;
}

Tensor at_rest(std::int64_t replicas, std::int64_t particles) {
  return at::zeros({replicas, particles, 3}, at::kDouble);
}

/// Mean over the replicas and its standard error from their scatter.
struct Mean {
  double value, error;
};

Mean mean_of(const Tensor& per_replica) {
  return {per_replica.mean().item<double>(),
          per_replica.std().item<double>() / std::sqrt(static_cast<double>(per_replica.numel()))};
}

void check_equals(const Tensor& per_replica, double exact) {
  const Mean mean = mean_of(per_replica);
  INFO("mean " << mean.value << " +- " << mean.error << ", exact " << exact);
  CHECK(std::abs(mean.value - exact) < 4.0 * mean.error);
}

/// Average over `steps` steps of what `measure` says of the state, [R].
Tensor average(const Langevin& dynamics, LangevinState& state, int steps,
               const std::function<Tensor(const LangevinState&)>& measure) {
  Tensor sum = at::zeros_like(state.energy);
  for (int i = 0; i < steps; ++i) {
    dynamics.step(state);
    sum += measure(state);
  }
  return sum / steps;
}

}  // namespace

TEST_CASE("a basin ends where a neighbour begins and where no crystal is left", "[basin]") {
  const Basin basin(2.0);
  Tensor u = at_rest(4, 50);
  u[1][7][2] = 0.99 * 50.0 / 49.0;  // 0.99 from its site when the centre of mass is taken off
  u[2][7][2] = 1.01 * 50.0 / 49.0;
  u[3].select(1, 0).copy_(0.45 * (1.0 - 2.0 * (at::arange(50, at::kDouble).remainder(2))));
  const Excursion excursion = basin.excursion(u);
  CHECK(excursion.furthest[1].item<double>() == Approx(0.99));
  CHECK(excursion.lindemann[3].item<double>() == Approx(0.225));
  const Tensor inside = basin.holds(excursion);
  CHECK(inside[0].item<bool>());
  CHECK(inside[1].item<bool>());
  CHECK_FALSE(inside[2].item<bool>());
  CHECK_FALSE(inside[3].item<bool>());
}

TEST_CASE("a uniform shift does not leave the basin, what is not a number does", "[basin]") {
  const Basin basin(2.0);
  Tensor u = at::full({2, 8, 3}, 5.0, at::kDouble);
  u[1][3][0] = std::numeric_limits<double>::quiet_NaN();
  const Tensor inside = basin.holds(basin.excursion(u));
  CHECK(inside[0].item<bool>());
  CHECK_FALSE(inside[1].item<bool>());
}

TEST_CASE("between Einstein crystal and crystal energies are linear in lambda and forces are minus their gradient",
          "[langevin]") {
  const tests::SpringRing ring(4, {1.3, 0.2, 0.05, 0.0});
  const Tensor u = 0.3 * at::sin(at::arange(24, at::kDouble)).view({2, 4, 3});
  const ForceFieldValue einstein = EinsteinMixture(ring, 2.0, 0.0).evaluate(u);
  const ForceFieldValue crystal = EinsteinMixture(ring, 2.0, 1.0).evaluate(u);
  const ForceFieldValue between = EinsteinMixture(ring, 2.0, 0.3).evaluate(u);
  CHECK(at::allclose(einstein.energy, u.square().sum(2).sum(1), 1e-14));
  CHECK(at::allclose(crystal.energy, ring.energy(u), 1e-14));
  CHECK(at::allclose(between.energy, einstein.energy + 0.3 * between.coupling, 1e-13));
  CHECK(at::allclose(between.coupling, crystal.energy - einstein.energy, 1e-13));
  const Tensor direction = at::cos(at::arange(24, at::kDouble)).view({2, 4, 3});
  const double h = 1e-5;
  const EinsteinMixture mixture(ring, 2.0, 0.3);
  const Tensor slope =
      (mixture.evaluate(u + h * direction).energy - mixture.evaluate(u - h * direction).energy) / (2 * h);
  CHECK(at::allclose((between.gradient * direction).sum(2).sum(1), slope, 1e-8));
}

// w^2 dt^2 / 4 is 0.32 in two of the three modes of the ring and 0.64 in the third.
TEST_CASE("a harmonic crystal has its exact variances at a long time step", "[langevin]") {
  const tests::SpringRing ring(4, {1.0, 0.0, 0.0, 0.0});
  const CrystalForceField forces(ring);
  const double kt = 0.5, mass = 1.0;
  const Langevin dynamics(forces, {kt, mass, 0.8, 0.4}, key(1), "harmonic");
  LangevinState state = dynamics.start(at_rest(200, 4));
  for (int i = 0; i < 50; ++i) dynamics.step(state);
  Tensor end_of_step = at::zeros({200}, at::kDouble), halfway = end_of_step.clone();
  const int steps = 300;
  const Tensor energy = average(dynamics, state, steps, [&](const LangevinState& now) {
    end_of_step += 0.5 * mass * now.velocities.square().sum(2).sum(1) / steps;
    halfway += dynamics.kinetic_temperature(now) / steps;
    return now.energy;
  });
  check_equals(energy, 4.5 * kt);
  check_equals(halfway, kt);
  check_equals(end_of_step, 4.5 * kt * (1.0 - (0.32 + 0.32 + 0.64) / 3.0));
  CHECK(mean_of(energy).error < 0.02 * kt);
}

TEST_CASE("an Einstein crystal without centre-of-mass motion has the variance of its spring", "[langevin]") {
  const tests::SpringRing ring(5, {1.0, 0.0, 0.0, 0.0});
  const EinsteinMixture einstein(ring, 2.5, 0.0);
  const double kt = 0.7;
  const Langevin dynamics(einstein, {kt, 2.0, 0.3, 0.5}, key(2), "einstein");
  LangevinState state = dynamics.start(at_rest(150, 5));
  for (int i = 0; i < 60; ++i) dynamics.step(state);
  const Tensor square = average(dynamics, state, 300,
                                [](const LangevinState& now) { return now.displacements.square().mean(2).mean(1); });
  check_equals(square, kt / 2.5 * 4.0 / 5.0);
  CHECK(state.displacements.mean(1).abs().max().item<double>() < 1e-13);
}

TEST_CASE("an anharmonic crystal is sampled as hybrid Monte Carlo samples it", "[langevin]") {
  const tests::SpringRing ring(4, {1.0, 0.3, 0.3, 0.0});
  const double kt = 0.5;
  const physics::WhitenedTarget target(ring, std::get<0>(tests::harmonic_modes(ring, 1.0 / kt)), 1.0 / kt, 0.0);
  const Hmc hmc(target, 1.0, {}, key(3), "hmc");
  HmcState chains = hmc.start(400);
  Tensor monte_carlo = at::zeros({400}, at::kDouble);
  for (int i = 0; i < 20; ++i) hmc.move(chains);
  for (int i = 0; i < 60; ++i) {
    hmc.move(chains);
    monte_carlo += ring.energy(target.displacements(chains.positions)) / 60.0;
  }
  const CrystalForceField forces(ring);
  const Langevin dynamics(forces, {kt, 1.0, 0.1, 0.5}, key(3), "langevin");
  LangevinState state = dynamics.start(at_rest(200, 4));
  for (int i = 0; i < 150; ++i) dynamics.step(state);
  const Mean molecular = mean_of(average(dynamics, state, 1000, [](const LangevinState& now) { return now.energy; }));
  const Mean exact = mean_of(monte_carlo);
  CHECK(std::abs(exact.value - 4.5 * kt) > 0.1 * kt);  // the harmonic value is another
  CHECK(std::abs(molecular.value - exact.value) < 4.0 * std::hypot(molecular.error, exact.error));
  CHECK(std::hypot(molecular.error, exact.error) < 0.03 * kt);
}

TEST_CASE("dynamics goes on bit by bit, whatever replicas are beside it", "[langevin]") {
  const tests::SpringRing ring(5, {1.0, 0.2, 0.05, 0.0});
  const CrystalForceField forces(ring);
  const Langevin dynamics(forces, {0.3, 1.0, 0.2, 0.3}, key(4), "again");
  LangevinState many = dynamics.start(at_rest(7, 5)), few = dynamics.start(at_rest(2, 5));
  for (int i = 0; i < 5; ++i) dynamics.step(many);
  LangevinState resumed = langevin_state_from(to_named_tensors(many));
  for (int i = 0; i < 5; ++i) {
    dynamics.step(many);
    dynamics.step(resumed);
  }
  for (int i = 0; i < 10; ++i) dynamics.step(few);
  for (const auto& [name, value] : to_named_tensors(many)) CHECK(at::equal(to_named_tensors(resumed).at(name), value));
  CHECK(at::equal(few.displacements, many.displacements.narrow(0, 0, 2)));
  CHECK(at::equal(few.velocities, many.velocities.narrow(0, 0, 2)));
}

TEST_CASE("dynamics that has no answer says why", "[langevin]") {
  const tests::SpringRing falling(3, {1.0, 0.0, -5.0, 0.0});
  const CrystalForceField forces(falling);
  CHECK_THROWS_AS(Langevin(forces, {0.1, 1.0, 0.0, 1.0}, key(5), "none"), InputError);
  const Langevin dynamics(forces, {5.0, 1.0, 0.5, 0.1}, key(5), "falling");
  const auto run = [&] {
    LangevinState state = dynamics.start(at_rest(3, 3));
    for (int i = 0; i < 5000; ++i) dynamics.step(state);
  };
  CHECK_THROWS_WITH(run(), Catch::Contains("replica") && Catch::Contains("not finite after step"));
}
