#include "tests/support/catch.h"

#include <ATen/Parallel.h>

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/flows/augmented_flow.h"
#include "runtime/flows/edge_periods.h"
#include "runtime/foundation/errors.h"
#include "runtime/physics/free_energy.h"
#include "runtime/physics/gaussian_base.h"
#include "runtime/physics/make_energy_model.h"
#include "runtime/physics/phonon.h"
#include "runtime/physics/scha.h"
#include "runtime/tensor/random_stream.h"
#include "tests/shared/systems.h"
#include "tests/support/flow_numbers.h"

using namespace bgw;
using namespace bgw::flows;
using tests::key;
using tests::largest;
using tests::normal;

namespace {

/// A crystal on a Gaussian.
struct Ground {
  Ground(const schema::Value& system, double inverse_temperature, double width)
      : crystal(physics::make_crystal(system)), model(physics::make_energy_model(system)), beta(inverse_temperature) {
    const Tensor sites = physics::sites_tensor(crystal);
    const double energy = model->energy(at::zeros({1, sites.size(0), 3}, at::kDouble)).item<double>();
    base = physics::einstein_base(physics::translations_of(crystal.sites, crystal.cell), sites, crystal.cell, energy,
                                  beta, width);
  }
  void soften() {
    physics::SchaOptions options;
    options.samples = 1024;
    const physics::Scha iteration(*model, crystal, beta, options, tensor::RandomStream(key(5), "scha"));
    physics::SchaState state = iteration.start();
    while (!iteration.is_finished(state)) iteration.step(state);
    base = iteration.finish(state).base;
  }
  physics::WhitenedTarget target() const { return {*model, base.modes, beta, base.static_energy}; }
  std::int64_t particles() const { return model->particles(); }

  crystal::Crystal crystal;
  std::unique_ptr<physics::EnergyModel> model;
  double beta;
  physics::GaussianBase base;
};

Ground ice(std::int64_t atoms) { return {testing::water("diamond_cubic", atoms), testing::kWaterBeta, 0.2}; }

/// A small flow whose map is smooth: edges belong to the sites.
AugmentedSpec small_spec() {
  AugmentedSpec spec;
  spec.layers = 2;
  spec.network.embedding = 6;
  spec.network.frequencies = 3;
  spec.network.bins = 8;
  spec.range = 1.3;  // below the largest displacements of the tests: their identity tails take part
  spec.precision = at::kDouble;
  return spec;
}

/// Far from the start values, so that no term hides behind a small one.
Tensor far_from_start(const CouplingFlow& flow, std::uint8_t seed = 3) {
  const Tensor start = flow.start(key(seed));
  return start + 0.07 * normal(1, start.size(0), seed)[0].to(start.scalar_type());
}

/// A crystal and a flow on it.
struct Case {
  Case(Ground on, const AugmentedSpec& spec)
      : ground(std::move(on)),
        target(ground.target()),
        flow(make_augmented_flow(spec, target, ground.crystal, ground.base.sites)) {}
  std::int64_t rows() const { return 2 * ground.particles(); }
  Tensor latent(std::int64_t samples, std::uint8_t seed = 1) const {
    return normal(samples, flow->latent_dimension(), seed);
  }
  Tensor first(std::int64_t samples, std::uint8_t seed = 1) const {
    return flow->ends().state_of_latent(latent(samples, seed));
  }
  /// Directions in which states may move: x without a mean.
  Tensor direction(std::int64_t samples, std::uint8_t seed) const {
    const Tensor free = normal(samples, 3 * rows(), seed).view({samples, rows(), 3});
    const Tensor x = free.narrow(1, 0, ground.particles());
    return at::cat({x - x.mean(1, true), free.narrow(1, ground.particles(), ground.particles())}, 1);
  }
  /// ln of the density of the model, as booked.
  Tensor log_model(const Tensor& state, const Tensor& parameters) const {
    Tensor log_det = at::zeros({state.size(0)}, at::kDouble);
    const Tensor start = flow->steps().inverse(state, parameters, log_det);
    return flow->ends().log_base(start) + log_det;
  }

  Ground ground;
  physics::WhitenedTarget target;
  std::unique_ptr<CouplingFlow> flow;
};

Case small_case() { return {ice(8), small_spec()}; }

/// Columns span the displacements of 2N rows whose first N have no mean. [6N, 6N - 3]
Tensor allowed_moves(std::int64_t particles) {
  const Tensor ones = at::ones({particles, 1}, at::kDouble) / std::sqrt(static_cast<double>(particles));
  const Tensor relative = std::get<0>(at::linalg_qr(at::cat({ones, at::eye(particles, at::kDouble).slice(1, 1)}, 1)));
  const Tensor x = at::kron(relative.slice(1, 1).contiguous(), at::eye(3, at::kDouble));
  return at::block_diag({x, at::eye(3 * particles, at::kDouble)});
}

struct PublishedSize {
  const char* system;
  std::int64_t embedding, layers, parameters;
};

}  // namespace

TEST_CASE("the networks have as many parameters as those of the publication", "[augmented]") {
  for (const PublishedSize& size :
       {PublishedSize{"tutorial", 32, 4, 408'472}, PublishedSize{"water", 96, 10, 7'972'860},
        PublishedSize{"Lennard-Jones", 96, 8, 6'378'288}}) {
    INFO(size.system);
    GraphNetwork network;
    network.embedding = size.embedding;
    CHECK(2 * size.layers * graph_network_layout(network).size() == size.parameters);
  }
  AugmentedSpec spec;
  const Case tutorial(ice(8), spec);
  CHECK(tutorial.flow->layout().size() == 408'472);
}

TEST_CASE("the published ranges are half the edges of their boxes", "[augmented]") {
  CHECK(published_range(*crystal::find_lattice("diamond_cubic"), testing::kWaterDensity) == Approx(6.2).margin(1e-6));
  CHECK(published_range(*crystal::find_lattice("ice_ih"), testing::kWaterDensity) == Approx(15.187 / 2).margin(5e-4));
  CHECK(published_range(*crystal::find_lattice("fcc"), 1.28) == Approx(2.193014).margin(1e-6));
}

TEST_CASE("Fourier features are waves of their columns, cosines first", "[augmented]") {
  const Tensor y = at::tensor({0.3, -0.7, 1.1, 2.0, 0.1, 0.4}, at::kDouble).view({2, 3});
  const Tensor features = fourier_features(y, {-1.0, 4.0}, 2);
  REQUIRE(features.sizes().vec() == std::vector<std::int64_t>{2, 12});
  const double w = 2.0 * 3.14159265358979323846 / 4.0;
  CHECK(features[0][3].item<double>() == Approx(std::cos(2 * w * (-0.7 + 1.0))));
  CHECK(features[1][6].item<double>() == Approx(std::sin(w * (2.0 + 1.0))));
  CHECK(largest(fourier_features(y + 4.0, {-1.0, 4.0}, 2) - features) < 1e-13);
}

TEST_CASE("at its start the flow is its base", "[augmented]") {
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    AugmentedSpec spec;
    spec.neighbourhood = Neighbourhood::complete;
    spec.precision = type;
    const Case c(ice(8), spec);
    const Tensor z = c.latent(20);
    const Draws draws = c.flow->generate(z, c.flow->start(key(1)));
    const Tensor y = z.narrow(1, 0, c.target.dimension());
    CHECK(largest(draws.displacements - c.target.displacements(y)) < 1e-13);
    CHECK(largest(draws.log_weight + c.target.work(y)) < 1e-9);
  }
}

TEST_CASE("the flow that does nothing gives the free energy of eight waters by perturbation", "[augmented]") {
  Ground ground = ice(8);
  ground.soften();
  const Case c(std::move(ground), small_spec());
  constexpr std::int64_t kBatches = 20, kSamples = 500 * kBatches;
  std::vector<Tensor> log_weights;
  for (std::uint8_t b = 0; b < kBatches; ++b)
    log_weights.push_back(c.flow->generate(c.latent(500, 60 + b), c.flow->start(key(1))).log_weight);
  const Tensor weight = at::cat(log_weights).exp();
  const double log_ratio = weight.mean().log().item<double>();
  const double error = (weight.std() / weight.mean()).item<double>() / std::sqrt(static_cast<double>(kSamples)) / 8.0;
  const double free_energy = physics::free_energy_per_particle(physics::log_partition(c.ground.base) + log_ratio, 8,
                                                               c.ground.crystal.cell.volume(), 2.3925);
  CHECK(std::abs(free_energy + 25.8655) < 3.0 * std::hypot(error, 5e-4 / 2));
  CHECK(error < 1e-3);
}

TEST_CASE("the inverse undoes the augmented flow in both precisions of the networks", "[augmented]") {
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    for (const Neighbourhood neighbourhood :
         {Neighbourhood::of_the_sites, Neighbourhood::complete, Neighbourhood::at_the_moment}) {
      AugmentedSpec spec = small_spec();
      spec.precision = type;
      spec.neighbourhood = neighbourhood;
      spec.neighbours = neighbourhood == Neighbourhood::at_the_moment ? 4 : 16;
      const Case c(ice(8), spec);
      const Tensor parameters = far_from_start(*c.flow);
      REQUIRE(parameters.scalar_type() == type);
      const Tensor x = c.first(16);
      Tensor there = at::zeros({16}, at::kDouble), back = at::zeros({16}, at::kDouble);
      const Tensor y = c.flow->steps().forward(x, parameters, there);
      CHECK(largest(y - x) > 0.1);
      CHECK(largest(y.narrow(1, 0, 8).mean(1)) < 1e-13);
      const double tolerance = type == at::kFloat ? 1e-4 : 1e-9;
      CHECK(largest(c.flow->steps().inverse(y, parameters, back) - x) < tolerance);
      CHECK(largest(there + back) < 100 * tolerance);
    }
  }
}

TEST_CASE("the log weight of a drawn configuration is the one it was drawn with", "[augmented]") {
  const Case c = small_case();
  const Tensor parameters = far_from_start(*c.flow);
  const Tensor z = c.latent(12);
  const Draws draws = c.flow->generate(z, parameters);
  Tensor log_det = at::zeros({12}, at::kDouble);
  const Tensor last = c.flow->steps().forward(c.flow->ends().state_of_latent(z), parameters, log_det);
  const Tensor auxiliary = ((last.narrow(1, 8, 8) - last.narrow(1, 0, 8)) / 0.2).reshape({12, -1});
  CHECK(largest(c.flow->log_weight_of(draws.displacements + 0.3, auxiliary, parameters) - draws.log_weight) < 1e-8);
  CHECK(largest(c.flow->ends().log_target(last, false).log_density - c.log_model(last, parameters) - draws.log_weight) <
        1e-8);
}

TEST_CASE("the log determinant between the subspaces is that of finite differences", "[augmented]") {
  const Case c = small_case();
  const Tensor parameters = far_from_start(*c.flow);
  const Tensor moves = allowed_moves(8);
  const std::int64_t m = moves.size(1);
  const Tensor x = c.first(1).expand({m, -1, -1});
  const Tensor steps = 1e-5 * moves.t().reshape({m, 16, 3});
  Tensor unused = at::zeros({m}, at::kDouble);
  const Tensor forward = c.flow->steps().forward(x + steps, parameters, unused);
  const Tensor jacobian = (forward - c.flow->steps().forward(x - steps, parameters, unused)).reshape({m, -1}) / 2e-5;
  CHECK(largest(at::matmul(jacobian, at::eye(48, at::kDouble) - at::matmul(moves, moves.t()))) < 1e-9);
  const auto [sign, log_abs] = at::linalg_slogdet(at::matmul(jacobian, moves));
  Tensor log_det = at::zeros({1}, at::kDouble);
  c.flow->steps().forward(c.first(1), parameters, log_det);
  CHECK(std::abs(log_det.item<double>()) > 0.5);
  CHECK(log_abs.item<double>() == Approx(log_det.item<double>()).margin(1e-6));
  CHECK(sign.item<double>() == 1.0);  // four exchanges of (-1)^3
}

TEST_CASE("what is pulled back is the derivative in states and parameters", "[augmented]") {
  const Case c = small_case();
  const Tensor parameters = far_from_start(*c.flow);
  const Tensor x = c.first(3);
  const Tensor y_bar = normal(3, 48, 7).view({3, 16, 3});
  const auto loss = [&](const Tensor& state, const Tensor& p) {
    Tensor log_det = at::zeros({3}, at::kDouble);
    const Tensor y = c.flow->steps().forward(state, p, log_det);
    return ((y * y_bar).sum() + 0.7 * log_det.sum()).item<double>();
  };
  Tensor log_det = at::zeros({3}, at::kDouble);
  Tensor gradient = at::zeros_like(parameters);
  const auto states = c.flow->steps().states(x, parameters, log_det);
  const Tensor x_bar = c.flow->steps().pull_back(states, parameters, y_bar, 0.7, &gradient);
  const double h = 1e-6;
  for (const std::uint8_t seed : {21, 22, 23}) {
    const Tensor dx = c.direction(3, seed);
    const double slope = (loss(x + h * dx, parameters) - loss(x - h * dx, parameters)) / (2 * h);
    CHECK((x_bar * dx).sum().item<double>() == Approx(slope).epsilon(1e-5));
    const Tensor dp = normal(1, parameters.size(0), seed)[0];
    const double steepness = (loss(x, parameters + h * dp) - loss(x, parameters - h * dp)) / (2 * h);
    CHECK((gradient * dp).sum().item<double>() == Approx(steepness).epsilon(1e-5));
  }
}

TEST_CASE("the carried score is the slope of the log density, in states and parameters", "[augmented]") {
  const Case c = small_case();
  const Tensor parameters = far_from_start(*c.flow);
  Tensor log_det = at::zeros({3}, at::kDouble);
  const auto states = c.flow->steps().states(c.first(3), parameters, log_det);
  const Tensor y = states.back();
  Tensor gradient = at::zeros_like(parameters);
  const Tensor score =
      c.flow->steps().carry_score(states, parameters, c.flow->ends().base_score(states.front()), &gradient);
  const double h = 1e-6;
  for (const std::uint8_t seed : {31, 32, 33}) {
    const Tensor dy = c.direction(3, seed);
    const Tensor slope = (c.log_model(y + h * dy, parameters) - c.log_model(y - h * dy, parameters)) / (2 * h);
    CHECK(largest((score * dy).flatten(1).sum(1) - slope) < 1e-5 * largest(slope));
    const Tensor dp = normal(1, parameters.size(0), seed)[0];
    const Tensor steepness = (c.log_model(y, parameters + h * dp) - c.log_model(y, parameters - h * dp)) / (2 * h);
    CHECK((gradient * dp).sum().item<double>() == Approx(steepness.sum().item<double>()).epsilon(1e-5));
  }
}

TEST_CASE("total and forward gradients are the derivatives of their losses", "[augmented]") {
  const Case c = small_case();
  const Tensor parameters = far_from_start(*c.flow);
  const Tensor z = c.latent(4);
  const SampleLoss reverse = c.flow->reverse_kl(KlGradient::total, z, parameters);
  CHECK(largest(reverse.log_weight - c.flow->generate(z, parameters).log_weight) < 1e-9);
  const Tensor u = 0.12 * normal(4, 24, 8).view({4, 8, 3});
  const Tensor e = normal(4, 24, 9);
  const SampleLoss forward = c.flow->forward_kl(u, e, parameters);
  CHECK(largest(forward.log_weight + c.flow->log_weight_of(u, e, parameters)) < 1e-9);
  const double h = 1e-6;
  for (const std::uint8_t seed : {41, 42}) {
    const Tensor dp = normal(1, parameters.size(0), seed)[0];
    const auto slope = [&](const auto& log_weight) {
      return -(log_weight(parameters + h * dp) - log_weight(parameters - h * dp)).sum().template item<double>() /
             (2 * h);
    };
    CHECK((reverse.gradient.sum(0) * dp).sum().item<double>() ==
          Approx(slope([&](const Tensor& p) { return c.flow->generate(z, p).log_weight; })).epsilon(1e-5));
    // ln target does not move: the log weight has the slope of -ln q.
    CHECK((forward.gradient.sum(0) * dp).sum().item<double>() ==
          Approx(-slope([&](const Tensor& p) { return c.flow->log_weight_of(u, e, p); })).epsilon(1e-5));
  }
}

TEST_CASE("the path gradient is the force on the sample times its velocity, with networks", "[augmented]") {
  const Case c = small_case();
  const Tensor parameters = far_from_start(*c.flow);
  const Tensor z = c.latent(2);
  const Tensor gradient = c.flow->reverse_kl(KlGradient::path, z, parameters).gradient.sum(0);
  const auto last = [&](const Tensor& p) {
    Tensor unused = at::zeros({2}, at::kDouble);
    return c.flow->steps().forward(c.flow->ends().state_of_latent(z), p, unused);
  };
  const auto log_ratio = [&](const Tensor& state) {
    return c.log_model(state, parameters) - c.flow->ends().log_target(state, false).log_density;
  };
  const double h = 1e-6;
  const Tensor y = last(parameters);
  for (const std::uint8_t seed : {51, 52}) {
    const Tensor dp = normal(1, parameters.size(0), seed)[0];
    const Tensor velocity = (last(parameters + h * dp) - last(parameters - h * dp)) / (2 * h);
    const Tensor slope = (log_ratio(y + h * velocity) - log_ratio(y - h * velocity)) / (2 * h);
    CHECK((gradient * dp).sum().item<double>() == Approx(slope.sum().item<double>()).epsilon(2e-5));
  }
}

TEST_CASE("total and path gradients of networks have the same mean", "[augmented]") {
  AugmentedSpec spec = small_spec();
  spec.layers = 1;
  const Case c(ice(8), spec);
  const Tensor parameters = c.flow->start(key(3)) + 0.05 * normal(1, c.flow->layout().size(), 3)[0];
  const Tensor directions = normal(6, parameters.size(0), 4);
  constexpr std::int64_t kBatches = 48, kBatch = 24;
  std::vector<Tensor> differences;
  for (std::uint8_t b = 0; b < kBatches; ++b) {
    const Tensor z = c.latent(kBatch, static_cast<std::uint8_t>(100 + b));
    const Tensor total = c.flow->reverse_kl(KlGradient::total, z, parameters).gradient.sum(0);
    const Tensor path = c.flow->reverse_kl(KlGradient::path, z, parameters).gradient.sum(0);
    differences.push_back(at::mv(directions, total - path));
  }
  const Tensor all = at::stack(differences);
  const Tensor error = all.std(0) / std::sqrt(static_cast<double>(kBatches));
  CHECK((all.mean(0).abs() < 4.0 * error).all().item<bool>());
  CHECK(error.min().item<double>() > 0.0);
}

TEST_CASE("the gradient of the latent work is that of finite differences", "[augmented]") {
  const Case c = small_case();
  const Tensor parameters = far_from_start(*c.flow);
  const Tensor z = c.latent(3);
  const LatentValue value = c.flow->latent_work(z, parameters);
  CHECK(largest(value.work + c.flow->generate(z, parameters).log_weight) < 1e-9);
  const Tensor dz = normal(3, z.size(1), 12);
  const double h = 1e-6;
  const Tensor slope =
      (c.flow->latent_work(z + h * dz, parameters).work - c.flow->latent_work(z - h * dz, parameters).work) / (2 * h);
  CHECK(largest((value.gradient * dz).sum(1) - slope) < 1e-5 * largest(slope));
}

TEST_CASE("equivalent atoms may change places", "[augmented]") {
  AugmentedSpec spec = small_spec();
  for (const Neighbourhood neighbourhood :
       {Neighbourhood::of_the_sites, Neighbourhood::complete, Neighbourhood::at_the_moment}) {
    spec.neighbourhood = neighbourhood;
    const Case c(ice(64), spec);
    const Tensor parameters = far_from_start(*c.flow);
    const Tensor u = 0.15 * normal(2, 192, 5).view({2, 64, 3});
    const Tensor e = normal(2, 192, 6).view({2, 64, 3});
    // All atoms move by one cell along x: those of the cell (0, y, z) to (1, y, z), whose own come to (0, y, z).
    const auto carried = [](const Tensor& field) {
      return field.view({2, 2, 2, 2, 8, 3}).flip({1}).reshape({2, 64, 3});
    };
    const Tensor here = c.flow->log_weight_of(u, e.reshape({2, -1}), parameters);
    const Tensor there = c.flow->log_weight_of(carried(u), carried(e).reshape({2, -1}), parameters);
    CHECK(largest(here - there) < 1e-8);
    const Tensor other = c.flow->log_weight_of(u.flip({1}), e.flip({1}).reshape({2, -1}), parameters);
    CHECK(largest(here - other) > 1e-3);
  }
}

TEST_CASE("a crystal of repeated cells is one cell repeated, with the same parameters", "[augmented]") {
  const AugmentedSpec spec = small_spec();
  const Case one(ice(8), spec), eight(ice(64), spec), many(ice(216), spec);
  const Tensor parameters = far_from_start(*one.flow);
  REQUIRE(one.flow->layout().size() == many.flow->layout().size());
  const Tensor x = one.first(2);
  Tensor log_det = at::zeros({2}, at::kDouble);
  const Tensor y = one.flow->steps().forward(x, parameters, log_det);
  for (const Case* larger : {&eight, &many}) {
    const std::int64_t copies = larger->ground.particles() / 8;
    const auto repeated = [&](const Tensor& state) {
      return state.view({2, 2, 1, 8, 3}).expand({2, 2, copies, 8, 3}).reshape({2, 16 * copies, 3});
    };
    Tensor log_det_of_all = at::zeros({2}, at::kDouble);
    CHECK(largest(larger->flow->steps().forward(repeated(x), parameters, log_det_of_all) - repeated(y)) < 1e-10);
    CHECK(largest(log_det_of_all - static_cast<double>(copies) * log_det) < 1e-8);
  }
}

TEST_CASE("neighbours at the moment are the nearest of all atoms", "[augmented]") {
  const Ground solid{testing::lennard_jones(108), 0.5, 0.05};
  const AtomGraph graph = make_atom_graph(solid.crystal, solid.base.sites, Neighbourhood::at_the_moment, 12);
  const Tensor u = 0.3 * normal(3, 324).view({3, 108, 3});
  const Edges edges = graph.edges(u);
  const double length = solid.crystal.cell.vectors[0][0];
  const Tensor p = solid.base.sites + u;
  Tensor apart = p.unsqueeze(2) - p.unsqueeze(1);
  apart = apart - length * (apart / length).round();
  const Tensor distance = apart.square().sum(3).sqrt() + 1e9 * at::eye(108, at::kDouble);
  const Tensor nearest = std::get<1>(distance.topk(12, 2, false));
  CHECK(at::equal(std::get<0>(nearest.sort(2)), std::get<0>(edges.senders.sort(2))));
  const Tensor senders = edges.senders.flatten(1).unsqueeze(2).expand({-1, -1, 3});
  const Tensor vectors = u.unsqueeze(2) - u.gather(1, senders).view({3, 108, 12, 3}) + edges.offsets;
  CHECK(largest(vectors.square().sum(3).sqrt() - distance.gather(2, edges.senders)) < 1e-12);
}

TEST_CASE("in a crooked box the nearest image is the nearest of all, at the moment too", "[augmented]") {
  const crystal::Matrix3 shear{{{1.0, 0.46, -0.41}, {0.0, 1.0, 0.44}, {0.0, 0.0, 1.0}}};
  crystal::Crystal crooked = crystal::make_crystal(*crystal::find_lattice("fcc"), {2, 2, 2}, 1.28);
  crooked.cell = crooked.cell.deformed(shear);
  for (crystal::Vector3& site : crooked.sites) site = crystal::product(shear, site);
  const Tensor sites = physics::sites_tensor(crooked);
  const std::int64_t n = sites.size(0);
  const Tensor u = 0.1 * normal(2, 3 * n).view({2, n, 3}), p = sites + u;
  std::vector<Tensor> squares;
  for (double a = -3.0; a <= 3.0; ++a) {
    for (double b = -3.0; b <= 3.0; ++b) {
      for (double c = -3.0; c <= 3.0; ++c) {
        const crystal::Vector3 shift = crooked.cell.cartesian({a, b, c});
        squares.push_back((p.unsqueeze(2) - p.unsqueeze(1) + at::tensor({shift[0], shift[1], shift[2]}, at::kDouble)).square().sum(3));
      }
    }
  }
  const Tensor distance = at::stack(squares).amin(0).sqrt();  // [2, n, n]
  const auto lengths = [&](const Edges& edges) {
    const Tensor senders = edges.senders.expand({2, n, -1});
    const Tensor there = u.gather(1, senders.flatten(1).unsqueeze(2).expand({-1, -1, 3})).view({2, n, -1, 3});
    return std::pair((u.unsqueeze(2) - there + edges.offsets).square().sum(3).sqrt(), distance.gather(2, senders));
  };
  const auto [complete, least] = lengths(make_atom_graph(crooked, sites, Neighbourhood::complete, 0).edges(u));
  CHECK(largest(complete - least) < 1e-12);
  const auto [nearest, shortest] = lengths(make_atom_graph(crooked, sites, Neighbourhood::at_the_moment, 12).edges(u));
  CHECK(largest(nearest - shortest) < 1e-12);
  const Tensor others = distance + 1e9 * at::eye(n, at::kDouble);
  CHECK(largest(std::get<0>(nearest.sort(2)) - std::get<0>(others.topk(12, 2, false))) < 1e-12);
}

TEST_CASE("small displacements leave all neighbours where they are", "[augmented]") {
  AugmentedSpec spec = small_spec();
  spec.neighbours = 12;
  spec.aux_width = 0.02;
  const Case fixed(Ground{testing::lennard_jones(108), 0.5, 0.02}, spec);
  spec.neighbourhood = Neighbourhood::at_the_moment;
  const Case found(Ground{testing::lennard_jones(108), 0.5, 0.02}, spec);
  const Tensor parameters = 0.2 * normal(1, fixed.flow->layout().size(), 3)[0];
  const Tensor x = fixed.first(2);
  // One pair of couplings moves atoms by more than their distance, so only the networks of the start are compared.
  const GraphConditioner at_sites(std::make_shared<const AtomGraph>(make_atom_graph(
                                      fixed.ground.crystal, fixed.ground.base.sites, Neighbourhood::of_the_sites, 12)),
                                  spec.network);
  const GraphConditioner at_the_moment(
      std::make_shared<const AtomGraph>(
          make_atom_graph(found.ground.crystal, found.ground.base.sites, Neighbourhood::at_the_moment, 12)),
      spec.network);
  const Tensor part = x.narrow(1, 0, 108);
  const Tensor own = parameters.narrow(0, 0, at_sites.layout().size());
  CHECK(largest(at_sites.raw(part, own) - at_the_moment.raw(part, own)) < 1e-11);
}

TEST_CASE("the network is its equations, written out atom by atom", "[augmented]") {
  const Ground water = ice(64);
  const AtomGraph graph = make_atom_graph(water.crystal, water.base.sites, Neighbourhood::of_the_sites, 4);
  const double length = water.crystal.cell.vectors[0][0];
  GraphNetwork sizes;
  sizes.embedding = 3;
  sizes.layers = 1;
  sizes.frequencies = 2;
  sizes.bins = 2;
  sizes.displacement = {-6.2, 12.4};
  sizes.edge = {-6.2, 12.4};
  const GraphConditioner network(std::make_shared<const AtomGraph>(graph), sizes);
  const ParameterLayout& layout = network.layout();
  const Tensor p = normal(1, layout.size(), 3)[0];
  const Tensor u = 0.2 * normal(1, 192)[0].view({64, 3});
  const auto named = [&](const std::string& name) {
    for (std::size_t i = 0; i < layout.entries().size(); ++i) {
      if (layout.entries()[i].name == name) return layout.view(p, i);
    }
    throw std::logic_error("no parameter " + name);
  };
  const auto linear = [&](const std::string& name, const Tensor& x) {
    return at::mv(named(name + ".weight"), x) + named(name + ".bias");
  };
  const auto pair = [&](const std::string& name, const Tensor& x) {
    const Tensor hidden = linear(name + ".first", x);
    const Tensor bent = 0.5 * hidden * (1.0 + (0.7978845608028654 * (hidden + 0.044715 * hidden.pow(3))).tanh());
    return linear(name + ".second", bent);
  };
  const auto waves = [](const Tensor& x, double lower, double period) {
    return fourier_features(x, {lower, period}, 2);
  };
  const auto node = [&](std::int64_t i) {
    const Tensor fraction = water.base.sites[i] / (0.5 * length);
    return linear("node", at::cat({waves(u[i], -6.2, 12.4), waves(fraction, 0.0, 1.0)}));
  };
  for (const std::int64_t i : {0, 13, 63}) {
    Tensor sum = at::zeros({3}, at::kDouble);
    int neighbours = 0;
    for (std::int64_t j = 0; j < 64; ++j) {
      Tensor apart = water.base.sites[i] - water.base.sites[j];
      apart = apart - length * (apart / length).round();
      if (j == i || apart.norm().item<double>() > 3.0) continue;
      ++neighbours;
      const Tensor edge = linear("edge", waves(apart + u[i] - u[j], -6.2, 12.4));
      sum = sum + pair("message_0", at::cat({node(j), node(i), edge}));
    }
    REQUIRE(neighbours == 4);
    Tensor h = node(i);
    h = h + pair("update_0", at::cat({sum / 2.0, h}));
    h = h + pair("mlp_0", h);
    const Tensor expected = linear("out", h).view({3, 7});
    CHECK(largest(network.raw(u.unsqueeze(0), p)[0][i] - expected) < 1e-11);
  }
}

TEST_CASE("a number of neighbours that does not close a shell is refused, with those that do", "[augmented]") {
  AugmentedSpec spec = small_spec();
  spec.neighbours = 13;
  const auto message = [&](const Ground& ground) -> std::string {
    try {
      const physics::WhitenedTarget target = ground.target();
      make_augmented_flow(spec, target, ground.crystal, ground.base.sites);
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  };
  CHECK(message(ice(64)).find(
            "13 neighbours do not close a shell around every atom of this crystal; counts that do: 4, 16") !=
        std::string::npos);
  CHECK(message({testing::water("ice_ih", 64), testing::kWaterBeta, 0.2}).find("4, 16, 17") != std::string::npos);
  spec.neighbours = 17;
  spec.range = published_range(*crystal::find_lattice("ice_ih"), testing::kWaterDensity);
  CHECK(message({testing::water("ice_ih", 216), testing::kWaterBeta, 0.2}).empty());
  spec.neighbourhood = Neighbourhood::at_the_moment;
  CHECK(message(ice(8)).find("each of 8 atoms can have from 1 to 7 neighbours, not 17") != std::string::npos);
}

TEST_CASE("a range on which neighbours look alike is refused, with one that tells them apart", "[augmented]") {
  const Ground ground = ice(64);
  const physics::WhitenedTarget target = ground.target();
  AugmentedSpec spec = small_spec();
  spec.neighbours = 4;
  // Neighbours stand at +-1.55 angstrom along each axis: with a period of 3.1 all are the same.
  const double period = 0.5 * std::cbrt(8 / testing::kWaterDensity);
  const AtomGraph graph = make_atom_graph(ground.crystal, ground.base.sites, Neighbourhood::of_the_sites, 4);
  CHECK(least_separation(graph, period) < 1e-9);
  CHECK(least_separation(graph, 2 * period / 3) == Approx(0.5).epsilon(1e-9));
  CHECK(std::isinf(least_separation(graph, 2.1 * period)));
  spec.range = 0.5 * period;
  CHECK_THROWS_WITH(check_for_training(spec, ground.crystal, ground.base.sites), Catch::Contains("look alike"));
  CHECK_NOTHROW(make_augmented_flow(spec, target, ground.crystal, ground.base.sites));  // what is trained may be applied
  spec.range = published_range(*crystal::find_lattice("diamond_cubic"), testing::kWaterDensity);
  CHECK_NOTHROW(check_for_training(spec, ground.crystal, ground.base.sites));
  spec.neighbours = 16;
  CHECK_NOTHROW(check_for_training(spec, ground.crystal, ground.base.sites));
}

TEST_CASE("sizes and widths that cannot be are refused", "[augmented]") {
  const Ground ground = ice(8);
  const physics::WhitenedTarget target = ground.target();
  const auto refused = [&](const auto& change) {
    AugmentedSpec spec = small_spec();
    change(spec);
    CHECK_THROWS_AS(make_augmented_flow(spec, target, ground.crystal, ground.base.sites), InputError);
  };
  refused([](AugmentedSpec& spec) { spec.layers = 0; });
  refused([](AugmentedSpec& spec) { spec.aux_width = 0.0; });
  refused([](AugmentedSpec& spec) { spec.range = -1.0; });
  refused([](AugmentedSpec& spec) { spec.network.embedding = 0; });
  refused([](AugmentedSpec& spec) { spec.network.bins = 0; });
  refused([](AugmentedSpec& spec) { spec.neighbours = 0; });
}
