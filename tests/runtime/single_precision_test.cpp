// Forces in float32: the kernels beside those of float64, and the mode-split flow that is made of them.
#include "tests/support/catch.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numbers>

#include "runtime/flows/mode_split_generator.h"
#include "runtime/flows/training_loss.h"
#include "runtime/foundation/errors.h"
#include "runtime/physics/kernel_energy_model.h"
#include "runtime/physics/make_energy_model.h"
#include "runtime/physics/phonon.h"
#include "runtime/physics/single_modes.h"
#include "runtime/tasks/make_flow.h"
#include "runtime/tensor/random_stream.h"
#include "tests/shared/systems.h"
#include "tests/support/anharmonic_toy.h"
#include "tests/support/flow_numbers.h"

using namespace bgw;
using namespace bgw::flows;
using tests::key;
using tests::largest;
using tests::normal;
namespace kernels = bgw::physics::kernels;

namespace {

double apart(const Tensor& a, const Tensor& b) { return ((a - b).norm() / b.norm()).item<double>(); }

/// A crystal on its phonons, with an energy that has kernels.
struct Crystal {
  Crystal(schema::Value value, double inverse_temperature, const physics::PotentialForm& form = {})
      : system(std::move(value)), beta(inverse_temperature), lattice(physics::make_crystal(system)) {
    const auto exact = physics::make_energy_model(system, lattice.sites, lattice.cell);
    base = physics::phonon_base(*exact, lattice, beta, false);
    model = physics::make_energy_model(system, lattice.sites, lattice.cell, form);
    target = std::make_unique<physics::WhitenedTarget>(*model, base.modes, beta, base.static_energy);
  }
  const physics::KernelEnergyModel& kernel_model() const {
    return dynamic_cast<const physics::KernelEnergyModel&>(*model);
  }
  std::int64_t modes() const { return target->dimension(); }

  schema::Value system;
  double beta;
  crystal::Crystal lattice;
  physics::GaussianBase base;
  std::unique_ptr<physics::EnergyModel> model;
  std::unique_ptr<physics::WhitenedTarget> target;
};

Crystal ice(std::int64_t particles = 64) { return {testing::water("diamond_cubic", particles), testing::kWaterBeta}; }
Crystal argon() { return {testing::lennard_jones(256), 4.0}; }

/// Softened forces of the twelve neighbours.
physics::PotentialForm near() {
  physics::PotentialForm form;
  form.linearize_below = 0.9;
  form.neighbours_within = 1.2;
  return form;
}

ModeSplitSpec single(std::int64_t splits, std::int64_t look_ahead, GainForm gains = GainForm::constant) {
  return {splits, look_ahead, 3, gains, at::kFloat};
}

struct Both {
  Tensor gradient, product;
};

/// M^T dU/du and M^T (d2U/du2) M w at M v in float32, in blocks.
Both in_float32(const physics::SingleModes& modes, const Tensor& v, const Tensor& w) {
  std::vector<Tensor> gradients, products;
  for (std::int64_t first = 0; first < v.size(0); first += physics::SingleModes::kRows) {
    const std::int64_t rows = std::min(physics::SingleModes::kRows, v.size(0) - first);
    const auto found = modes.gradient_and_product(modes.field(v.narrow(0, first, rows).contiguous()),
                                                  modes.field(w.narrow(0, first, rows).contiguous()), rows);
    gradients.push_back(found.gradient);
    products.push_back(found.product);
  }
  return {at::cat(gradients), at::cat(products)};
}

Both in_float64(const Crystal& c, const Tensor& v, const Tensor& w) {
  const auto& modes = c.target->modes();
  const auto found = c.model->gradient_and_product(modes.displacements(v), modes.displacements(w));
  return {modes.pull_back(found.gradient), modes.pull_back(found.product)};
}

}  // namespace

TEST_CASE("the float32 exponential is that of the standard library to an ulp or so", "[single]") {
  constexpr int kLanes = kernels::kSingleLanes;
  double worst = 0;
  for (int i = 0; i < 20000; ++i) {
    alignas(64) float x[kLanes];
    alignas(64) float y[kLanes];
    for (int l = 0; l < kLanes; ++l) x[l] = static_cast<float>(-86.9 * std::pow((i + l / 16.0) / 20000.0, 3));
    kernels::single_kernels().exponential(x, y);
    for (int l = 0; l < kLanes; ++l)
      worst = std::max(worst, std::abs(static_cast<double>(y[l]) / std::exp(static_cast<double>(x[l])) - 1.0));
  }
  CHECK(worst < 1.2 * static_cast<double>(std::numeric_limits<float>::epsilon()));
  alignas(64) float x[kLanes] = {0.0F, -0.0F, -1e-30F, -88.0F, -1e6F, -1e38F, -std::numeric_limits<float>::infinity(), std::nanf("")};
  alignas(64) float y[kLanes];
  kernels::single_kernels().exponential(x, y);
  CHECK((y[0] == 1.0F && y[1] == 1.0F && y[2] == 1.0F));
  CHECK((y[3] == 0.0F && y[4] == 0.0F && y[5] == 0.0F && y[6] == 0.0F));
  CHECK(std::isnan(y[7]));
}

// Sites are known to 2e-7 angstrom in float32, two millionth of a displacement, and sums of some hundred terms add to that.
TEST_CASE("float32 gradients and products are those of float64 to a few millionths", "[single]") {
  struct Case {
    const char* name;
    Crystal crystal;
  };
  std::vector<Case> cases;
  cases.push_back({"mW, cubic", ice()});
  cases.push_back({"mW, hexagonal", {testing::water("ice_ih", 64), testing::kWaterBeta}});
  cases.push_back({"mW, nearest images", ice(8)});
  cases.push_back({"silicon", {testing::silicon(64, 5.4443), 1.0 / (testing::kBoltzmannKcal * 1000.0)}});
  cases.push_back({"Lennard-Jones", argon()});
  cases.push_back({"Lennard-Jones, nearest images", {testing::lennard_jones(108), 8.0}});
  cases.push_back({"Lennard-Jones, softened", {testing::lennard_jones(256), 4.0, near()}});
  for (const Case& c : cases) {
    const Tensor v = normal(21, c.crystal.modes()), w = normal(21, c.crystal.modes(), 2);
    const physics::SingleModes modes(c.crystal.target->modes(), c.crystal.kernel_model());
    const Both found = in_float32(modes, v, w), exact = in_float64(c.crystal, v, w);
    INFO(c.name);
    CHECK(apart(found.gradient, exact.gradient) < 1e-5);
    CHECK(apart(found.product, exact.product) < 1e-5);
    CHECK(apart(found.gradient, exact.gradient) > 1e-8);
  }
}

TEST_CASE("float32 kernels of every processor family give the same bits", "[single]") {
  std::vector<Crystal> crystals;
  crystals.push_back(ice());
  crystals.push_back(argon());
  crystals.push_back({testing::lennard_jones(256), 4.0, near()});
  for (const Crystal& c : crystals) {
    const Tensor v = normal(21, c.modes()), w = normal(21, c.modes(), 2);
    const auto by = [&](kernels::Variant variant) {
      const physics::SingleModes modes(c.target->modes(), c.kernel_model(), kernels::single_kernels(variant),
                                       kernels::single_mode_kernels(variant));
      return in_float32(modes, v, w);
    };
    const Both plain = by(kernels::Variant::plain);
    for (const kernels::Variant variant : {kernels::Variant::avx2, kernels::Variant::avx512}) {
      if (!kernels::is_available(variant)) continue;
      const Both other = by(variant);
      CHECK(at::equal(other.gradient, plain.gradient));
      CHECK(at::equal(other.product, plain.product));
    }
  }
}

TEST_CASE("the gradient that comes with a product has the bits of that which comes alone", "[single]") {
  for (const bool water : {true, false}) {
    const Crystal c = water ? ice() : argon();
    const physics::SingleModes modes(c.target->modes(), c.kernel_model());
    const Tensor field = modes.field(normal(16, c.modes()));
    const Tensor along = modes.field(normal(16, c.modes(), 2));
    CHECK(at::equal(modes.gradient(field, 16), modes.gradient_and_product(field, along, 16).gradient));
  }
}

TEST_CASE("a row that outgrows the list gets its gradient in float64, its neighbours keep theirs", "[single]") {
  const Crystal c = ice();
  const physics::SingleModes modes(c.target->modes(), c.kernel_model());
  Tensor v = normal(9, c.modes());
  const Tensor w = normal(9, c.modes(), 2);
  const Both before = in_float32(modes, v, w);
  CHECK(c.model->calls().hessian == 0);
  v[4].mul_(6.0);
  const Both found = in_float32(modes, v, w), exact = in_float64(c, v, w);
  CHECK(modes.calls().hessian == 2 * 9 - 1);
  CHECK(c.kernel_model().outgrown() >= 1);
  CHECK(apart(found.gradient[4], exact.gradient[4]) < 1e-5);
  CHECK(apart(found.product[4], exact.product[4]) < 1e-5);
  for (const std::int64_t row : {0, 3, 5, 8}) {
    CHECK(at::equal(found.gradient[row], before.gradient[row]));
    CHECK(at::equal(found.product[row], before.product[row]));
  }
  v[4].fill_(std::nan(""));
  CHECK(in_float32(modes, v, w).gradient[4].isnan().all().item<bool>());
}

TEST_CASE("the inverse of a float32 flow meets the states of the forward pass bit by bit", "[single]") {
  const Crystal c = ice();
  const ModeSplitFlow flow(*c.target, single(6, 2));
  const Tensor z = normal(200, flow.dimension());
  const Tensor y = flow.forward(z, flow.start());
  CHECK(largest(y - z) > 0.1);
  const Tensor back = flow.inverse(y, flow.start());
  CHECK(largest(back - z) < 1e-11);
  CHECK(at::equal(flow.forward(back, flow.start()), y));
}

TEST_CASE("draws of a float32 flow have the weights that the inverse finds for them", "[single]") {
  const auto check = [](const Crystal& c, const physics::EnergyModel* guide) {
    const ModeSplitFlow flow(*c.target, single(5, 3, GainForm::polynomial), guide);
    const Draws draws = flow.generate(normal(70, flow.dimension()), flow.start());
    CHECK(largest(flow.log_weight_of(draws.displacements, flow.start()) - draws.log_weight) < 1e-8);
    CHECK(at::equal(draws.energy, c.model->energy(draws.displacements)));
  };
  check(ice(), nullptr);
  const Crystal c = argon();
  const auto guide = physics::make_energy_model(c.system, c.lattice.sites, c.lattice.cell, near());
  check(c, guide.get());
}

TEST_CASE("a float32 flow is the float64 flow but for its last digits", "[single]") {
  const Crystal c = ice();
  const ModeSplitFlow by32(*c.target, single(16, 4)), by64(*c.target, {16, 4, 3});
  const Tensor z = normal(64, by32.dimension());
  const Tensor p = by32.start();
  const Draws a = by32.generate(z, p), b = by64.generate(z, p);
  CHECK(largest(a.displacements - b.displacements) < 1e-5);
  CHECK(largest(a.log_weight - b.log_weight) < 5e-4);
  CHECK_FALSE(at::equal(a.log_weight, b.log_weight));

  for (const KlGradient kind : {KlGradient::path, KlGradient::total}) {
    const SampleLoss la = by32.reverse_kl(kind, z, p), lb = by64.reverse_kl(kind, z, p);
    CHECK(at::equal(la.log_weight, a.log_weight));  // training sees the flow that draws
    CHECK(apart(la.gradient, lb.gradient) < 1e-3);
  }
  CHECK(apart(by32.forward_kl(b.displacements, p).gradient, by64.forward_kl(b.displacements, p).gradient) < 1e-3);
  const LatentValue va = by32.latent_work(z, p), vb = by64.latent_work(z, p);
  CHECK(at::equal(va.work, -a.log_weight));
  CHECK(apart(va.gradient, vb.gradient) < 1e-4);
}

TEST_CASE("a sample of a float32 flow does not depend on its batch or on the threads", "[single]") {
  const Crystal c = ice();
  const ModeSplitFlow flow(*c.target, single(4, 2));
  const Tensor z = normal(37, flow.dimension());
  const Tensor p = flow.start();
  const Draws all = flow.generate(z, p);
  const SampleLoss loss = flow.reverse_kl(KlGradient::path, z, p);
  for (const auto& [first, count] : {std::pair{0, 1}, std::pair{5, 20}, std::pair{36, 1}}) {
    CHECK(at::equal(flow.generate(z.narrow(0, first, count), p).log_weight, all.log_weight.narrow(0, first, count)));
    CHECK(at::equal(flow.reverse_kl(KlGradient::path, z.narrow(0, first, count), p).gradient,
                    loss.gradient.narrow(0, first, count)));
  }
  const int threads = at::get_num_threads();
  at::set_num_threads(threads == 1 ? 2 : 1);
  CHECK(at::equal(flow.generate(z, p).displacements, all.displacements));
  CHECK(at::equal(flow.reverse_kl(KlGradient::path, z, p).gradient, loss.gradient));
  at::set_num_threads(threads);
}

TEST_CASE("a training of float32 forces that is stopped after every step ends where one in one go does", "[single]") {
  const Crystal c = ice(8);
  const auto flow = std::make_shared<const ModeSplitGenerator>(*c.target, single(4, 2));
  const std::vector<Stage> stages{{"main", 6, 8, {LearningRate::Kind::one_cycle, 0.02}}};
  const LossFunction loss = training_loss(Objective{flow, KlGradient::path, 0.0, {}}, key(9));
  TrainingState whole = start_training(flow->start({}));
  train(loss, stages, flow->chunk(), flow->latent_dimension(), whole, {});

  struct Stop {};
  TrainingState state = start_training(flow->start({}));
  int stops = 0;
  while (state.stage == 0) {
    std::map<std::string, Tensor> saved;
    try {
      train(loss, stages, flow->chunk(), flow->latent_dimension(), state, [&](const TrainingState& now) {
        saved = to_named_tensors(now);
        throw Stop{};
      });
    } catch (const Stop&) {
      ++stops;
      state = training_state_from(saved);
    }
  }
  CHECK(stops == 6);
  CHECK_FALSE(at::equal(whole.parameters, flow->start({})));
  CHECK(at::equal(state.parameters, whole.parameters));
}

// Published: beta F / N = -25.16311 (Wirnsberger et al. 2022).
TEST_CASE("64 atoms of ice have their published free energy by a float32 flow", "[single]") {
  const Crystal c = ice();
  const auto flow = std::make_shared<const ModeSplitGenerator>(*c.target, single(16, 4));
  TrainingState state = start_training(flow->start({}));
  train(training_loss(Objective{flow, KlGradient::path, 0.0, {}}, key(1)), {{"main", 24, 16, {LearningRate::Kind::one_cycle, 0.02}}},
        flow->chunk(), flow->latent_dimension(), state, {});
  constexpr double kSamples = 2048, kAtoms = 64;
  const Tensor w = flow->generate(normal(2048, flow->latent_dimension(), 80), state.parameters).log_weight;
  const Tensor weight = (w - w.max()).exp();
  const double ess = (weight.sum().square() / weight.square().sum()).item<double>() / kSamples;
  const double log_zc = physics::log_partition(c.base) + w.logsumexp(0).item<double>() - std::log(kSamples);
  const double value = -(log_zc + std::log(kAtoms / testing::kWaterDensity) + 0.5 * std::log(kAtoms) -
                         3.0 * kAtoms * std::log(2.3925)) / kAtoms;
  INFO("ess " << ess << ", beta F / N " << value);
  CHECK(ess > 0.25);
  CHECK(value == Approx(-25.16311).margin(4.0 * std::sqrt((1.0 - ess) / ess / kSamples) / kAtoms));
}

TEST_CASE("calls in float32 are counted with those of the flow", "[single]") {
  const Crystal c = ice(8);
  const ModeSplitGenerator flow(*c.target, single(6, 4));
  flow.generate(normal(3, flow.latent_dimension()), flow.start({}));
  CHECK(flow.other_calls().gradient + c.model->calls().gradient == 3 * flow.calls_per_sample());
  CHECK(c.model->calls().energy == 3);
}

TEST_CASE("the precision of a training is that of its forces", "[single]") {
  Crystal c = ice(8);
  tasks::Ground ground;
  ground.system = c.system;
  ground.base = c.base;
  const Tensor z = normal(3, c.modes());
  const auto weights = [&](const schema::Map& more) {
    schema::Map arguments{{"flow", schema::Map{{"type", "mode_split"}, {"splits", 4}, {"look_ahead", 4}}}, {"seed", 3}};
    arguments.insert(more.begin(), more.end());
    const auto flow = tasks::make_flow(arguments, ground, *c.target);
    return flow->generate(z, flow->start({})).log_weight;
  };
  const Tensor plain = weights({}), by64 = weights({{"precision", "float64"}}), by32 = weights({{"precision", "float32"}});
  CHECK(at::equal(plain, by64));
  CHECK_FALSE(at::equal(by32, by64));
  CHECK(largest(by32 - by64) < 1e-3);
}

TEST_CASE("an energy without float32 kernels is refused for a float32 flow", "[single]") {
  const tests::SpringRing ring(4, {1.0, 0.25, 0.05, 0.0});
  const physics::WhitenedTarget target(ring, std::get<0>(tests::harmonic_modes(ring, 1.3)), 1.3, 0.0);
  CHECK_THROWS_WITH(ModeSplitFlow(target, single(4, 2)), Catch::Contains("precision = float64"));
}
