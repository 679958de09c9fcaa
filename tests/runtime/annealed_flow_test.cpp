// Annealing from a flow's density to the crystal, in the latent space of the flow.
#include "tests/support/catch.h"

#include <ATen/Parallel.h>

#include <cmath>

#include "runtime/estimators/lfep.h"
#include "runtime/flows/generator_target.h"
#include "runtime/flows/mode_split_generator.h"
#include "runtime/sampling/ais.h"
#include "runtime/tensor/random_stream.h"
#include "tests/support/anharmonic_toy.h"

using namespace bgw;
using namespace bgw::sampling;

namespace {

plan::Key key(std::uint8_t number) {
  plan::Key result;
  result.bytes[0] = number;
  return result;
}

Tensor latent(std::int64_t samples, std::int64_t dimension) {
  return tensor::RandomStream(key(1), "latent").normal(0, 0, samples, dimension);
}

/// A ring that is so anharmonic that its Gaussian hits it badly, and a short flow better but not well.
struct Ring {
  tests::SpringRing model{8, {1.0, 0.2, 0.05, 0.0}};
  physics::WhitenedTarget target{model, std::get<0>(tests::harmonic_modes(model, 1.0)), 1.0, 0.0};
  flows::ModeSplitGenerator flow{target, {8, 4, 5}};
  Tensor parameters = flow.start(key(0));
};

AisState annealed(const physics::LatentTarget& target, const AisOptions& options, std::uint8_t seed) {
  AisState state;
  run_ais(target, options, key(seed), state, {});
  return state;
}

estimators::Estimate free_energy(const Tensor& log_weight) {
  return estimators::lfep(log_weight, tensor::RandomStream(key(3), "bootstrap"), 100);
}

}  // namespace

TEST_CASE("from the flow that moves nothing, annealing is that from the Gaussian, number by number", "[ais]") {
  const Ring ring;
  const flows::GaussianGenerator gaussian(ring.target);
  const flows::GeneratorTarget through(gaussian, gaussian.start(key(0)));
  AisOptions options;
  options.trajectories = 40;
  const AisState direct = annealed(ring.target, options, 2), other = annealed(through, options, 2);
  CHECK(at::equal(direct.done_log_weight, other.done_log_weight));
  CHECK(at::equal(direct.done_positions, other.done_positions));
  const auto a = ring.target.configurations(direct.done_positions, direct.done_work);
  const auto b = through.configurations(other.done_positions, other.done_work);
  CHECK(at::equal(a.displacements, b.displacements));
  CHECK((a.energy - b.energy).abs().max().item<double>() < 1e-12);
}

TEST_CASE("the work of latent numbers is minus the log weight of their configuration, and its gradient that of differences", "[ais]") {
  const Ring ring;
  const flows::GeneratorTarget target(ring.flow, ring.parameters);
  const Tensor z = latent(5, target.dimension());
  const physics::WhitenedValue value = target.evaluate(z);
  const flows::Draws draws = ring.flow.generate(z, ring.parameters);
  CHECK((value.work + draws.log_weight).abs().max().item<double>() < 1e-12);
  CHECK((value.largest_displacement - draws.displacements.square().sum(2).amax(1).sqrt()).abs().max().item<double>() < 1e-12);
  const double step = 1e-5;
  Tensor differences = at::empty_like(z);
  for (std::int64_t j = 0; j < z.size(1); ++j) {
    Tensor shift = at::zeros({1, z.size(1)}, at::kDouble);
    shift[0][j] = step;
    differences.select(1, j).copy_((target.evaluate(z + shift).work - target.evaluate(z - shift).work) / (2.0 * step));
  }
  CHECK((value.gradient - differences).abs().max().item<double>() < 1e-7);
}

TEST_CASE("a batch beyond the flow's chunk gives each row the numbers that it has alone, on any number of threads", "[ais]") {
  const Ring ring;
  const flows::GeneratorTarget target(ring.flow, ring.parameters);
  const std::int64_t many = ring.flow.chunk() + 3;
  const Tensor z = latent(many, target.dimension());
  const physics::WhitenedValue all = target.evaluate(z);
  REQUIRE(all.work.size(0) == many);
  for (const std::int64_t row : {std::int64_t{0}, many - 1}) {
    const physics::WhitenedValue alone = target.evaluate(z.slice(0, row, row + 1));
    CHECK(at::equal(alone.work, all.work.slice(0, row, row + 1)));
    CHECK(at::equal(alone.gradient, all.gradient.slice(0, row, row + 1)));
  }
  const int threads = at::get_num_threads();
  for (const int others : {1, 3}) {
    at::set_num_threads(others);
    const physics::WhitenedValue again = target.evaluate(z);
    CHECK(at::equal(again.gradient, all.gradient));
    CHECK(at::equal(target.configurations(z, again.work).energy, ring.flow.generate(z, ring.parameters).energy));
  }
  at::set_num_threads(threads);
}

TEST_CASE("annealing from a flow has the free energy of annealing from the Gaussian, and better weights than the flow's own draws", "[ais]") {
  const Ring ring;
  const flows::GeneratorTarget through(ring.flow, ring.parameters);
  AisOptions options;
  options.trajectories = 600;
  options.variance_aim = 0.1;
  const AisState from_flow = annealed(through, options, 4), from_gaussian = annealed(ring.target, options, 5);
  const Tensor drawn = ring.flow.generate(latent(4000, through.dimension()), ring.parameters).log_weight;
  const estimators::Estimate a = free_energy(from_flow.done_log_weight), b = free_energy(from_gaussian.done_log_weight), c = free_energy(drawn);
  CHECK(std::abs(a.value - b.value) < 4.0 * std::hypot(a.sigma, b.sigma));
  CHECK(std::abs(a.value - c.value) < 4.0 * std::hypot(a.sigma, c.sigma));
  CHECK(a.sigma < 0.05);
  CHECK(estimators::ess_fraction(from_flow.done_log_weight) > estimators::ess_fraction(drawn) + 0.1);
}

TEST_CASE("trajectories added to finished ones are those of a longer run, also where a portion was cut short", "[ais]") {
  const Ring ring;
  AisOptions few, many;
  few.trajectories = 7;
  many.trajectories = 19;
  AisState grown = annealed(ring.target, few, 6);
  run_ais(ring.target, many, key(6), grown, {});
  const AisState whole = annealed(ring.target, many, 6);
  CHECK(at::equal(grown.done_log_weight, whole.done_log_weight));
  CHECK(at::equal(grown.done_positions, whole.done_positions));
  CHECK(grown.accepted == whole.accepted);
  CHECK(grown.tried == whole.tried);
}
