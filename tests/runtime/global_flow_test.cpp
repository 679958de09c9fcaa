#include "tests/support/catch.h"

#include <ATen/Parallel.h>

#include <cmath>
#include <memory>
#include <numbers>
#include <utility>

#include "runtime/crystal/lattice.h"
#include "runtime/flows/attention_operations.h"
#include "runtime/flows/circular_shift.h"
#include "runtime/flows/direct_spline.h"
#include "runtime/flows/global_ends.h"
#include "runtime/flows/global_flow.h"
#include "runtime/flows/sample_blocks.h"
#include "runtime/flows/training_loss.h"
#include "runtime/foundation/errors.h"
#include "runtime/physics/gaussian_base.h"
#include "runtime/physics/make_energy_model.h"
#include "runtime/physics/phonon.h"
#include "runtime/physics/quadratic_energy_model.h"
#include "runtime/tensor/random_stream.h"
#include "tests/shared/systems.h"
#include "tests/support/anharmonic_toy.h"
#include "tests/support/flow_numbers.h"

using namespace bgw;
using namespace bgw::flows;
using tests::key;
using tests::largest;
using tests::normal;

namespace {

/// A model seen from an Einstein crystal on the sites of a lattice.
struct Solid {
  Solid(std::unique_ptr<physics::EnergyModel> model_of_sites, const crystal::Crystal& crystal_of_sites, double beta,
        double width)
      : model(std::move(model_of_sites)),
        crystal(crystal_of_sites),
        sites(physics::sites_tensor(crystal)),
        base(physics::einstein_base(physics::translations_of(crystal.sites, crystal.cell), sites, crystal.cell,
                                    model->energy(at::zeros({1, model->particles(), 3}, at::kDouble)).item<double>(),
                                    beta, width)),
        target(*model, base.modes, base.beta, base.static_energy) {}

  std::unique_ptr<CouplingFlow> flow(const GlobalFlowSpec& spec, at::ScalarType type = at::kDouble) const {
    return make_global_flow(spec, target, sites, crystal.cell, type);
  }

  std::unique_ptr<physics::EnergyModel> model;
  crystal::Crystal crystal;
  Tensor sites;
  physics::GaussianBase base;
  physics::WhitenedTarget target;
};

constexpr double kWidth = 0.2;
constexpr double kBallOfIce = 1.342339374;  // angstrom, half of sqrt(3)/4 times 6.2

Solid ice(std::int64_t particles = 8) {
  const schema::Value system = testing::water("diamond_cubic", particles);
  return {physics::make_energy_model(system), physics::make_crystal(system), testing::kWaterBeta, kWidth};
}

/// Four atoms of hcp, whose cell has three different edges, bound as a ring.
Solid ring(double density = 0.5, double width = 0.15) {
  const crystal::Crystal crystal = crystal::make_crystal(*crystal::find_lattice("hcp"), {1, 1, 1}, density);
  return {std::make_unique<tests::SpringRing>(4, tests::SpringRing::Constants{2.0, 0.3, 0.2, 0.0}), crystal, 1.3, width};
}

GlobalFlowSpec small(std::int64_t layers = 2) { return {layers, {8, 2, 2, 3, 5}}; }

/// Parameters apart from the start values, so that no term hides behind a small one.
Tensor bent(const CouplingFlow& flow, double size = 0.1) {
  return flow.start(key(3)).to(at::kDouble) + size * normal(1, flow.layout().size(), 9).squeeze(0);
}

Tensor on_circle(const Tensor& difference) { return difference - difference.round(); }

double log_mean(const Tensor& w) {
  return w.logsumexp(0).item<double>() - std::log(static_cast<double>(w.size(0)));
}

double error_of_log_mean(const Tensor& w) {
  const Tensor weight = (w - w.max()).exp();
  return (weight.std() / weight.mean()).item<double>() / std::sqrt(static_cast<double>(w.size(0)));
}

/// Slope of a function of the parameters along a direction.
template <class F>
Tensor slope(const F& f, const Tensor& at, const Tensor& direction, double h = 1e-5) {
  return (f(at + h * direction) - f(at - h * direction)) / (2 * h);
}

class GivenNumbers : public Conditioner {
 public:
  const ParameterLayout& layout() const override { return layout_; }
  Tensor raw(const Tensor& part, const Tensor& /*parameters*/) const override {
    return at::sin(at::arange(1, 50, at::kDouble)).expand({part.size(0), part.size(1), 1, 49});
  }

 private:
  ParameterLayout layout_;
};

}  // namespace

TEST_CASE("the published networks have the published numbers of parameters", "[global]") {
  const auto count = [](std::int64_t frequencies) {
    return global_flow_layout({24, {256, 2, 2, frequencies, 16}}).size();
  };
  for (const std::int64_t f : {8, 16, 24, 32}) {
    CHECK(count(f) == 24 * (4 * (12 * 256 * 256 + 9 * 256) + 256 * 6 * f + 512 + 147 * 257) + 72);
  }
  CHECK(std::round(static_cast<double>(count(8)) / 1e4) == 7693);
  CHECK(std::round(static_cast<double>(count(16)) / 1e4) == 7723);
  CHECK(std::round(static_cast<double>(count(24)) / 1e4) == 7752);
  CHECK(std::round(static_cast<double>(count(32)) / 1e4) == 7782);
}

// Values of P: the regularised incomplete gamma function P(3/2, r^2/2), to 30 digits.
TEST_CASE("the length of three normal numbers has its known distribution", "[noise]") {
  const std::pair<double, double> below[] = {{0.01, 2.65953541564491295561e-7}, {0.5, 0.0308595957837267295},
                                             {1.0, 0.198748043098799197575},    {1.5, 0.477832810464608685149},
                                             {2.0, 0.738535870050889377797},    {3.0, 0.970709113465111767893}};
  for (const auto& [r, value] : below) {
    CHECK(chi3_below(r) == Approx(value).epsilon(1e-14));
    CHECK(chi3_above(r) == Approx(1.0 - value).epsilon(1e-13));
    CHECK(chi3_density(r) == Approx((chi3_below(r + 1e-6) - chi3_below(r - 1e-6)) / 2e-6).epsilon(1e-8));
  }
  CHECK(chi3_above(6.0) == Approx(7.4883769487954822125e-8).epsilon(1e-13));
  CHECK(chi3_above(6.7) == Approx(9.76439922591404752e-10).epsilon(1e-13));
}

TEST_CASE("truncated noise keeps the order of lengths and their quantiles", "[noise]") {
  for (const double cut : {0.4, 1.2, 1.8, 3.0, 6.7, 60.0}) {
    const TruncatedNoise noise(0.2, 0.2 * cut);
    const Tensor z = normal(40, 9).view({40, 3, 3}) * at::linspace(0.02, 3.0, 40, at::kDouble).view({40, 1, 1});
    const Tensor u = noise.displacements(z);
    const Tensor r = z.square().sum(2).sqrt().flatten();
    const Tensor cut_r = u.square().sum(2).sqrt().flatten() / 0.2;
    CHECK(largest(u / u.norm(2, {2}, true) - z / z.norm(2, {2}, true)) < 1e-14);
    for (std::int64_t i = 0; i < r.size(0); ++i) {
      const double x = r[i].item<double>();
      const double y = cut_r[i].item<double>();
      INFO("cut " << cut << ", r " << x << ", r' " << y);
      CHECK(y <= cut * (1 + 1e-15));
      CHECK(chi3_below(y) == Approx(chi3_below(x) * chi3_below(cut)).epsilon(1e-13));
      // Near the edge the upper tail is the number that counts.
      const double outside = chi3_above(cut) + chi3_below(cut) * chi3_above(x);
      CHECK(chi3_above(y) == Approx(outside).epsilon(1e-12));
    }
    if (cut == 60.0) CHECK(at::equal(u, 0.2 * z));
  }
  CHECK(largest(TruncatedNoise(1.0, 1.0).displacements(at::zeros({1, 1, 3}, at::kDouble))) == 0.0);
}

TEST_CASE("the derivative of truncated noise is that of finite differences, at the origin too", "[noise]") {
  const TruncatedNoise noise(0.2, 0.2 * 1.7);
  Tensor z = normal(6, 6).view({6, 2, 3});
  z[0][0].mul_(1e-3);
  const Tensor bar = normal(6, 6, 2).view({6, 2, 3});
  const Tensor direction = normal(6, 6, 3).view({6, 2, 3});
  const auto value = [&](const Tensor& at) { return (noise.displacements(at) * bar).sum({1, 2}); };
  CHECK(largest(slope(value, z, direction) - (noise.pull_back(z, bar) * direction).sum({1, 2})) < 1e-8);
  const Tensor zero = at::zeros({6, 2, 3}, at::kDouble);
  CHECK(largest(slope(value, zero, direction) - (noise.pull_back(zero, bar) * direction).sum({1, 2})) < 1e-8);
}

TEST_CASE("the density of truncated noise integrates to one and ends at its radius", "[noise]") {
  const double radius = 0.35;
  const TruncatedNoise noise(0.2, radius);
  const std::int64_t n = 4000;
  const Tensor r = (at::arange(0, n, at::kDouble) + 0.5) * (radius / n);
  const Tensor u = at::stack({r, at::zeros_like(r), at::zeros_like(r)}, 1).unsqueeze(1);
  const double integral =
      (noise.log_density(u).exp() * 4.0 * std::numbers::pi * r.square()).sum().item<double>() * radius / n;
  CHECK(integral == Approx(1.0).epsilon(1e-6));
  CHECK(std::isinf(noise.log_density(u.slice(0, n - 1, n) * 1.01).item<double>()));
  const Tensor v = 0.5 * noise.displacements(normal(5, 6).view({5, 2, 3}));
  const Tensor direction = normal(5, 6, 2).view({5, 2, 3});
  const auto value = [&](const Tensor& at) { return noise.log_density(at); };
  CHECK(largest(slope(value, v, direction) - (noise.score(v) * direction).sum({1, 2})) < 1e-6);
}

TEST_CASE("gelu in one loop is that of the library, and so is its derivative", "[attention]") {
  const Tensor x = 4.0 * normal(3, 37);
  const Tensor bar = normal(3, 37, 2);
  for (const auto type : {at::kDouble, at::kFloat}) {
    const at::AutoGradMode with_grad(true);
    const Tensor a = x.to(type).requires_grad_(true), b = x.to(type).requires_grad_(true);
    const Tensor own = tanh_gelu(a), library = at::gelu(b, "tanh");
    const double tolerance = type == at::kDouble ? 1e-13 : 1e-5;
    CHECK(largest(own - library) < tolerance);
    const auto own_bar = torch::autograd::grad({own}, {a}, {bar.to(type)})[0];
    CHECK(largest(own_bar - torch::autograd::grad({library}, {b}, {bar.to(type)})[0]) < tolerance);
  }
  CHECK(tanh_gelu(at::tensor({-90.0, 90.0}, at::kFloat))[1].item<float>() == 90.0F);
}

TEST_CASE("attention in loops is attention by matrix products", "[attention]") {
  const std::int64_t size = 5;
  const Atoms atoms{4, 7, 9};  // two rows of each sample are no atoms
  for (const std::int64_t heads : {1, 2, 3}) {
    const Tensor x = normal(36, 3 * heads * size);
    const Tensor bar = normal(36, heads * size, 2);
    for (const auto type : {at::kDouble, at::kFloat}) {
      const at::AutoGradMode with_grad(true);
      const Tensor a = x.to(type).requires_grad_(true), b = x.to(type).requires_grad_(true);
      const Tensor own = self_attention(a, atoms, heads), library = self_attention_by_products(b, atoms, heads);
      const double tolerance = type == at::kDouble ? 1e-13 : 1e-4;
      CHECK(largest(own - library) < tolerance);
      CHECK(largest(own.view({4, 9, heads * size}).narrow(1, 7, 2)) == 0.0);
      const auto own_bar = torch::autograd::grad({own}, {a}, {bar.to(type)})[0];
      CHECK(largest(own_bar - torch::autograd::grad({library}, {b}, {bar.to(type)})[0]) < tolerance);
    }
  }
  const Tensor many = normal(80, 12);
  CHECK(at::equal(self_attention(many, {2, 40, 40}, 2), self_attention_by_products(many, {2, 40, 40}, 2)));
  CHECK_THROWS_AS(self_attention(many, {2, 40, 40}, 3), ShapeError);
  CHECK_THROWS_AS(self_attention(many, {3, 40, 40}, 2), ShapeError);
}

TEST_CASE("direct splines are those of the library's operations, derivatives included", "[spline]") {
  for (const auto ends : {SplineEnds::circular, SplineEnds::identity}) {
    for (const auto type : {at::kDouble, at::kFloat}) {
      const SplineRange range{-1.5, 2.5, ends};
      // Numbers that lie inside, outside and at the ends.
      Tensor x = 1.3 * normal(1, 60).view({3, 4, 5}) + 0.5;
      x[0][0] = at::tensor({-1.5, 2.5, -1.4999, 2.4999, 7.0}, at::kDouble);
      const Tensor numbers = 1.5 * normal(60, 22, 2).view({3, 4, 5, 22});
      const Tensor bar = normal(1, 60, 3).view({3, 4, 5});
      const Tensor raw = numbers.to(type).requires_grad_(true);
      const Tensor moved = x.clone().requires_grad_(true);
      const at::AutoGradMode with_grad(true);
      const RationalQuadraticSpline spline(raw.to(at::kDouble), range.lower, range.upper, ends);
      const SplineValue plain = spline.forward(moved);
      const SplineValue direct = direct_spline_forward(raw.detach(), range, x);
      CHECK(largest(direct.value - plain.value) < 1e-13);
      CHECK(largest(direct.log_derivative - plain.log_derivative) < 1e-11);
      const SplineValue back = direct_spline_inverse(raw.detach(), range, direct.value);
      CHECK(largest(back.value - x) < 1e-10);
      CHECK(largest(back.log_derivative + direct.log_derivative) < 1e-9);
      const double tolerance = type == at::kDouble ? 1e-9 : 1e-4;

      const SplineDerivatives pulled = direct_spline_pull_back(raw.detach(), range, x, bar, 0.7);
      const auto bars = torch::autograd::grad({(bar * plain.value).sum() + 0.7 * plain.log_derivative.sum()},
                                              {moved, raw}, {}, /*retain_graph=*/true);
      CHECK(largest(pulled.moved - bars[0]) < 1e-9);
      CHECK(largest(pulled.raw - bars[1]) < tolerance);

      const SplineDerivatives carried = direct_spline_carry_score(raw.detach(), range, x, bar);
      const Tensor bent =
          torch::autograd::grad({plain.log_derivative.sum()}, {moved}, {}, /*retain_graph=*/true)[0];
      const Tensor score = ((bar - bent) / plain.log_derivative.exp()).detach();
      CHECK(largest(carried.moved - score) < 1e-8);
      const Tensor of_raw =
          torch::autograd::grad({-(score * plain.value).sum() - plain.log_derivative.sum()}, {raw})[0];
      CHECK(largest((carried.raw - of_raw) / (1.0 + of_raw.abs())) < tolerance);
    }
  }
  CHECK_THROWS_AS(direct_spline_forward(at::zeros({2, 5}, at::kDouble), {0.0, 1.0, SplineEnds::circular},
                                        at::zeros({2}, at::kDouble)),
                  ShapeError);
}

TEST_CASE("a coupling of direct splines is the plain coupling", "[spline]") {
  const auto network = std::make_shared<AttentionConditioner>(AttentionSpec{8, 2, 2, 3, 5}, 2, 1);
  const StatePart given{2, 1, 2}, moved{2, 0, 1};
  const SplineRange range{0.0, 1.0, SplineEnds::circular};
  const SplineCoupling plain(network, 0, given, moved, range);
  const DirectSplineCoupling direct(network, 0, given, moved, range);
  const Tensor p = 0.3 * normal(1, network->layout().size()).squeeze(0);
  const Tensor x = tensor::RandomStream(key(1), "state").uniform(0, 0, 4, 15).view({4, 5, 3});
  const Tensor bar = normal(4, 15, 3).view({4, 5, 3});
  Tensor of_plain = at::zeros({4}, at::kDouble), of_direct = at::zeros({4}, at::kDouble);
  const Tensor y = plain.forward(x, p, of_plain);
  CHECK(largest(direct.forward(x, p, of_direct) - y) < 1e-13);
  CHECK(largest(of_direct - of_plain) < 1e-11);
  CHECK(largest(direct.inverse(y, p, of_direct) - x) < 1e-11);
  CHECK(largest(of_direct) < 1e-10);
  Tensor g = at::zeros_like(p), h = at::zeros_like(p);
  CHECK(largest(plain.pull_back(x, p, bar, -1.0, &g) - direct.pull_back(x, p, bar, -1.0, &h)) < 1e-9);
  CHECK(largest(g - h) < 1e-9);
  CHECK(largest(plain.carry_score(x, p, bar, &g) - direct.carry_score(x, p, bar, &h)) < 1e-9);
  CHECK(largest(g - h) < 1e-9);
  CHECK(largest(direct.carry_score(x, p, bar, nullptr) - plain.carry_score(x, p, bar, nullptr)) < 1e-9);
}

TEST_CASE("wrapping keeps the half-open unit interval", "[global]") {
  const Tensor x = at::tensor({-1e-20, -0.25, 0.0, 0.75, 1.0, 2.5}, at::kDouble);
  CHECK(largest(wrapped_to_unit(x) - at::tensor({0.0, 0.75, 0.0, 0.75, 0.0, 0.5}, at::kDouble)) < 1e-15);
}

TEST_CASE("a flow of no training is the truncated noise around the sites", "[global]") {
  const Solid solid = ice();
  for (const auto type : {at::kFloat, at::kDouble}) {
    const auto flow = solid.flow(small(3), type);
    REQUIRE(flow->latent_dimension() == 21);
    const Tensor z = normal(9, 21);
    const Draws draws = flow->generate(z, flow->start(key(1)));
    // By hand; the normal numbers reach nowhere near the edge of the balls, where truncation would bend them.
    const Tensor relative = kWidth * z.view({9, 7, 3});
    const Tensor all = at::cat({at::zeros({9, 1, 3}, at::kDouble), relative}, 1);
    const Tensor u = all - all.mean(1, true);
    CHECK(largest(draws.displacements - u) < 1e-6);
    const Tensor energy = solid.model->energy(draws.displacements);
    CHECK(largest(draws.energy - energy) < 1e-9);
    const Tensor work = testing::kWaterBeta * (energy - solid.base.static_energy) - 0.5 * z.square().sum(1);
    const double constant = -1.5 * std::log(8.0) + 7.0 * std::log(chi3_below(kBallOfIce / kWidth));
    CHECK(largest(draws.log_weight - (constant - work)) < 1e-5);
  }
}

TEST_CASE("the inverse flow finds the weights of its draws, whatever the uniform shift", "[global]") {
  for (const Solid& solid : {ring(), ice()}) {
    for (const std::int64_t layers : {1, 2, 3}) {
      const auto flow = solid.flow(small(layers));
      const Tensor p = bent(*flow);
      const Tensor z = normal(20, flow->latent_dimension());
      const Draws draws = flow->generate(z, p);
      const Tensor again = flow->log_weight_of(draws.displacements + 0.3, at::empty({20, 0}, at::kDouble), p);
      CHECK(largest(again / draws.log_weight - 1.0) < 1e-9);
      Tensor there = at::zeros({20}, at::kDouble), back = at::zeros({20}, at::kDouble);
      const Tensor x = flow->ends().state_of_latent(z);
      const Tensor y = flow->steps().forward(x, p, there);
      CHECK(largest(on_circle(flow->steps().inverse(y, p, back) - x)) < 1e-10);
      CHECK(largest(there + back) < 1e-9);
    }
  }
}

TEST_CASE("a flow of float32 networks inverts to their precision", "[global]") {
  const Solid solid = ice();
  const auto flow = solid.flow({3, {16, 2, 2, 8, 16}}, at::kFloat);
  const Tensor p = bent(*flow).to(at::kFloat);
  const Draws draws = flow->generate(normal(20, 21), p);
  const Tensor again = flow->log_weight_of(draws.displacements, at::empty({20, 0}, at::kDouble), p);
  CHECK(largest(again / draws.log_weight - 1.0) < 1e-4);
  const auto same = solid.flow({3, {16, 2, 2, 8, 16}}, at::kDouble);
  CHECK(largest(same->generate(normal(20, 21), p.to(at::kDouble)).log_weight / draws.log_weight - 1.0) < 1e-3);
}

TEST_CASE("the log determinant of the flow is that of its finite differences", "[global]") {
  for (const Solid& solid : {ring(), ice()}) {
    const auto flow = solid.flow(small(2));
    const Tensor p = bent(*flow);
    const std::int64_t n = flow->latent_dimension();
    const Tensor x = flow->ends().state_of_latent(normal(1, n));
    const double h = 1e-6;
    const Tensor steps = h * at::eye(n, at::kDouble).view({n, n / 3, 3});
    Tensor unused = at::zeros({n}, at::kDouble);
    const Tensor change = flow->steps().forward(x + steps, p, unused) - flow->steps().forward(x - steps, p, unused);
    const Tensor jacobian = on_circle(change).view({n, n}) / (2 * h);
    Tensor log_det = at::zeros({1}, at::kDouble);
    flow->steps().forward(x, p, log_det);
    CHECK(std::get<1>(at::linalg_slogdet(jacobian)).item<double>() == Approx(log_det.item<double>()).margin(1e-5));
    CHECK(std::abs(log_det.item<double>()) > 0.1);
  }
}

TEST_CASE("noise and its state have the densities that log_base books", "[global]") {
  const Solid solid = ring();
  const GlobalEnds ends(solid.target, solid.sites, solid.crystal.cell);
  const Tensor z = normal(4, 9);
  const Tensor x = ends.state_of_latent(z);
  // ln q0 = ln N(z) - ln |dv/dz|, v in units of length.
  const double h = 1e-6;
  const Tensor steps = h * at::eye(9, at::kDouble);
  const double log_volume = std::log(solid.crystal.cell.volume());
  for (std::int64_t b = 0; b < 4; ++b) {
    const Tensor change = ends.state_of_latent(z[b] + steps) - ends.state_of_latent(z[b] - steps);
    const double log_det =
        std::get<1>(at::linalg_slogdet(on_circle(change).view({9, 9}) / (2 * h))).item<double>() + 3.0 * log_volume;
    const double log_normal = -0.5 * z[b].square().sum().item<double>() - 4.5 * std::log(2.0 * std::numbers::pi);
    CHECK(ends.log_base(x)[b].item<double>() == Approx(log_normal - log_det).margin(1e-6));
  }
  const Tensor direction = normal(4, 9, 5).view({4, 3, 3});
  const auto base = [&](const Tensor& at) { return ends.log_base(at); };
  CHECK(largest(slope(base, x, direction, 1e-6) - (ends.base_score(x) * direction).sum({1, 2})) < 1e-5);
  const auto density = [&](const Tensor& at) { return ends.log_target(at, false).log_density; };
  const Tensor gradient = ends.log_target(x, true).gradient;
  CHECK(largest(slope(density, x, direction, 1e-6) - (gradient * direction).sum({1, 2})) < 1e-5);
}

TEST_CASE("states are configurations, and configurations states", "[global]") {
  const Solid solid = ice();
  const GlobalEnds ends(solid.target, solid.sites, solid.crystal.cell);
  const Tensor x = ends.state_of_latent(normal(5, 21));
  CHECK(x.min().item<double>() >= 0.0);
  CHECK(x.max().item<double>() < 1.0);
  const Tensor u = ends.displacements(x);
  CHECK(largest(u.mean(1)) < 1e-14);
  CHECK(largest(on_circle(ends.state_of(u + 0.7, {}) - x)) < 1e-14);
}

TEST_CASE("the gradient of the latent work is that of finite differences", "[global]") {
  for (const Solid& solid : {ring(), ice()}) {
    const auto flow = solid.flow(small(2));
    const Tensor p = bent(*flow);
    const Tensor z = normal(6, flow->latent_dimension());
    const LatentValue value = flow->latent_work(z, p);
    CHECK(largest(value.work + flow->generate(z, p).log_weight) < 1e-8 * largest(value.work));
    const Tensor direction = normal(6, flow->latent_dimension(), 2);
    const auto work = [&](const Tensor& at) { return -flow->generate(at, p).log_weight; };
    const Tensor difference = slope(work, z, direction, 1e-6) - (value.gradient * direction).sum(1);
    CHECK(largest(difference) < 1e-6 * largest(value.gradient) + 1e-5);
  }
}

TEST_CASE("the total gradient is the derivative of the loss", "[global]") {
  const Solid solid = ring();
  const auto flow = solid.flow(small(2));
  const Tensor p = bent(*flow);
  const Tensor z = normal(5, 9);
  const SampleLoss loss = flow->reverse_kl(KlGradient::total, z, p);
  CHECK(largest(loss.log_weight - flow->generate(z, p).log_weight) < 1e-9);
  for (const std::uint8_t seed : {2, 3, 4}) {
    const Tensor direction = normal(1, p.size(0), seed).squeeze(0);
    const auto value = [&](const Tensor& at) { return -flow->generate(z, at).log_weight.sum(); };
    CHECK((loss.gradient.sum(0) * direction).sum().item<double>() ==
          Approx(slope(value, p, direction, 1e-6).item<double>()).epsilon(1e-6));
  }
}

TEST_CASE("the path gradient is the force on the sample times its velocity", "[global]") {
  const Solid solid = ring();
  const auto flow = solid.flow(small(2));
  const Ends& ends = flow->ends();
  const Tensor p = bent(*flow);
  const Tensor z = normal(1, 9);
  Tensor unused = at::zeros({1}, at::kDouble);
  const auto state_at = [&](const Tensor& at) { return flow->steps().forward(ends.state_of_latent(z), at, unused); };
  const Tensor y = state_at(p);
  const auto log_ratio = [&](const Tensor& at_y) {
    Tensor log_det = at::zeros({at_y.size(0)}, at::kDouble);
    const Tensor x = flow->steps().inverse(at_y, p, log_det);
    return ends.log_base(x) + log_det - ends.log_target(at_y, false).log_density;
  };
  const double h = 1e-6;
  const Tensor steps = h * at::eye(9, at::kDouble).view({9, 3, 3});
  const Tensor force = (log_ratio(y + steps) - log_ratio(y - steps)) / (2 * h);
  const Tensor gradient = flow->reverse_kl(KlGradient::path, z, p).gradient.sum(0);
  for (const std::uint8_t seed : {2, 3, 4}) {
    const Tensor direction = normal(1, p.size(0), seed).squeeze(0);
    const Tensor velocity = on_circle(state_at(p + h * direction) - state_at(p - h * direction)).flatten() / (2 * h);
    CHECK((gradient * direction).sum().item<double>() ==
          Approx((force * velocity).sum().item<double>()).epsilon(1e-4));
  }
}

TEST_CASE("path and total gradient have the same mean", "[global]") {
  const Solid solid = ring();
  const auto flow = solid.flow(small(1));
  const Tensor p = bent(*flow);
  const Tensor direction = normal(1, p.size(0), 2).squeeze(0);
  const std::int64_t groups = 64;
  Tensor difference = at::zeros({groups}, at::kDouble);
  for (std::int64_t g = 0; g < groups; ++g) {
    const Tensor z = tensor::RandomStream(key(5), "test").normal(g, 0, 32, 9);
    const Tensor path = flow->reverse_kl(KlGradient::path, z, p).gradient.sum(0);
    const Tensor total = flow->reverse_kl(KlGradient::total, z, p).gradient.sum(0);
    difference[g] = ((path - total) * direction).sum();
  }
  const double error = difference.std().item<double>() / std::sqrt(static_cast<double>(groups));
  CHECK(std::abs(difference.mean().item<double>()) < 4.0 * error);
}

TEST_CASE("the gradient of the forward loss is that of finite differences", "[global]") {
  const Solid solid = ring();
  const auto flow = solid.flow(small(2));
  const Tensor p = bent(*flow, 0.03);
  const Tensor none = at::empty({5, 0}, at::kDouble);
  const Tensor u = 0.05 * normal(5, 12).view({5, 4, 3});
  const SampleLoss loss = flow->forward_kl(u, none, p);
  CHECK(largest(loss.log_weight + flow->log_weight_of(u, none, p)) < 1e-9);
  for (const std::uint8_t seed : {2, 3}) {
    const Tensor direction = normal(1, p.size(0), seed).squeeze(0);
    const auto value = [&](const Tensor& at) { return flow->log_weight_of(u, none, at).sum(); };
    CHECK((loss.gradient.sum(0) * direction).sum().item<double>() ==
          Approx(slope(value, p, direction).item<double>()).epsilon(1e-6));
  }
}

TEST_CASE("configurations where the flow has no density are left out of the forward loss, and counted", "[global]") {
  const Solid solid = ring();
  const std::shared_ptr<const CouplingFlow> flow = solid.flow(small(2));
  const Tensor p = bent(*flow, 0.03);
  Tensor u = 0.05 * normal(5, 12).view({5, 4, 3});
  u[2][1] += 0.6;  // along a diagonal: further than half the distance of two sites, 0.71, in any image
  const Tensor rest = at::cat({u.slice(0, 0, 2), u.slice(0, 3, 5)});
  const auto none = [](std::int64_t rows) { return at::empty({rows, 0}, at::kDouble); };
  const SampleLoss loss = flow->forward_kl(u, none(5), p), alone = flow->forward_kl(rest, none(4), p);
  CHECK(loss.outside == 1);
  CHECK(alone.outside == 0);
  CHECK(at::equal(loss.log_weight, alone.log_weight));
  CHECK(at::equal(loss.gradient, alone.gradient));

  Objective objective{flow, KlGradient::path, 1.0, [&](const Portion&) { return u; }};
  // Nothing stands in for what is left out: a portion's sum must not depend on how the batch was cut.
  CHECK(at::equal(training_loss(objective, key(2))({0, 0, 0, 0, 5}, p).gradient, alone.gradient));
  Stage stage;
  stage.steps = 3;
  stage.batch = 5;
  TrainingState state = start_training(p);
  train(training_loss(objective, key(2)), {stage}, 5, flow->latent_dimension(), state, {});
  CHECK(state.outside == 3);
  CHECK(state.skipped == 0);
  CHECK(state.latest_log_weights.size(0) == 12);
  CHECK(training_state_from(to_named_tensors(state), at::kDouble).outside == 3);
}

TEST_CASE("permuted atoms come out permuted, with the same Jacobian", "[global]") {
  const Solid solid = ice();
  const auto flow = solid.flow(small(3));
  const Tensor p = bent(*flow);
  const Tensor x = flow->ends().state_of_latent(normal(4, 21));
  const Tensor order = tensor::RandomStream(key(1), "order").permutation(0, 7);
  Tensor plain = at::zeros({4}, at::kDouble), permuted = at::zeros({4}, at::kDouble);
  const Tensor y = flow->steps().forward(x, p, plain);
  const Tensor of_permuted = flow->steps().forward(x.index_select(1, order), p, permuted);
  CHECK(largest(on_circle(of_permuted - y.index_select(1, order))) < 1e-11);
  CHECK(largest(plain - permuted) < 1e-10);
  // The energy of the crystal is blind to the labels as well.
  const Tensor energy = flow->ends().log_target(x, false).energy;
  CHECK(largest(flow->ends().log_target(x.index_select(1, order), false).energy / energy - 1.0) < 1e-9);
}

TEST_CASE("the flow is continuous where the cell closes", "[global]") {
  const Solid solid = ring();
  const auto flow = solid.flow(small(2));
  const Tensor p = bent(*flow);
  for (std::int64_t axis = 0; axis < 3; ++axis) {
    Tensor x = flow->ends().state_of_latent(normal(1, 9)).expand({2, 3, 3}).clone();
    x.select(2, axis).select(1, 1).copy_(at::tensor({1e-9, 1.0 - 1e-9}, at::kDouble));
    Tensor log_det = at::zeros({2}, at::kDouble);
    const Tensor y = flow->steps().forward(x, p, log_det);
    CHECK(largest(on_circle(y[0] - y[1])) < 1e-6);
    CHECK((log_det[0] - log_det[1]).item<double>() == Approx(0.0).margin(1e-5));
  }
}

TEST_CASE("a coupling on the unit interval has the golden values of its spline", "[global]") {
  const SplineCoupling coupling(std::make_shared<GivenNumbers>(), 0, {2, 0, 2}, {2, 2, 1},
                                {0.0, 1.0, SplineEnds::circular});
  const Tensor x = at::tensor({0.1, 0.2, (5.9 + 6.2) / 12.4}, at::kDouble).view({1, 1, 3});
  Tensor log_det = at::zeros({1}, at::kDouble);
  const Tensor y = coupling.forward(x, at::zeros({0}, at::kDouble), log_det);
  CHECK(y[0][0][2].item<double>() * 12.4 - 6.2 == Approx(5.2490041284).margin(1e-9));
  CHECK(log_det.item<double>() == Approx(0.9723179853).margin(1e-9));
  CHECK(at::equal(y.narrow(2, 0, 2), x.narrow(2, 0, 2)));
}

// Both routes to the free energy of a harmonic crystal from an Einstein crystal: N - 1 atoms relative to the first, and
// all atoms about their mean. They differ in measure by N^(3/2).
TEST_CASE("relative and centred coordinates give the same free energy, the exact one", "[global]") {
  const crystal::Crystal lattice = crystal::make_crystal(*crystal::find_lattice("fcc"), {1, 1, 1}, 1e-3);
  const double beta = 0.8;
  const Solid solid(std::make_unique<tests::SpringRing>(4, tests::SpringRing::Constants{1.5, 0.0, 0.0, 0.0}), lattice,
                    beta, 0.75);
  const Tensor kappa = std::get<1>(tests::harmonic_modes(*solid.model, beta));
  REQUIRE(kappa.size(0) == 9);
  const double exact = 0.5 * (2.0 * std::numbers::pi / kappa).log().sum().item<double>();
  const double of_base = physics::log_partition(solid.base);
  const auto flow = solid.flow(small(1));
  const Tensor relative = flow->generate(normal(40000, 9, 6), flow->start(key(1))).log_weight;
  const Tensor centred = -solid.target.work(normal(40000, 9, 7));
  CHECK(error_of_log_mean(relative) < 0.03);
  CHECK(std::abs(of_base + log_mean(relative) - exact) < 4.0 * error_of_log_mean(relative));
  CHECK(std::abs(of_base + log_mean(centred) - exact) < 4.0 * error_of_log_mean(centred));
}

TEST_CASE("a bent flow gives the exact free energy as well", "[global]") {
  const Solid solid(std::make_unique<physics::EinsteinEnergyModel>(20.0, 4),
                    crystal::make_crystal(*crystal::find_lattice("hcp"), {1, 1, 1}, 0.02), 1.3, 0.2);
  const auto flow = solid.flow(small(2));
  const Tensor w = flow->generate(normal(40000, 9, 6), bent(*flow, 0.01)).log_weight;
  const double exact = 4.5 * std::log(2.0 * std::numbers::pi / (1.3 * 20.0));
  CHECK(error_of_log_mean(w) < 0.1);
  CHECK(std::abs(physics::log_partition(solid.base) + log_mean(w) - exact) < 4.0 * error_of_log_mean(w));
}

TEST_CASE("a sample's numbers do not depend on its batch or on the threads", "[global]") {
  const Solid solid = ice();
  const auto flow = solid.flow({2, {32, 2, 2, 8, 16}}, at::kFloat);
  const Tensor p = bent(*flow).to(at::kFloat);
  const Tensor z = normal(150, 21);
  const Draws all = flow->generate(z, p);
  const LatentValue work = flow->latent_work(z, p);
  for (const auto& [first, count] : {std::pair{0, 1}, std::pair{5, 20}, std::pair{63, 80}, std::pair{149, 1}}) {
    const Tensor rows = z.narrow(0, first, count);
    CHECK(at::equal(flow->generate(rows, p).log_weight, all.log_weight.narrow(0, first, count)));
    CHECK(at::equal(flow->latent_work(rows, p).gradient, work.gradient.narrow(0, first, count)));
  }
  const Tensor path = flow->reverse_kl(KlGradient::path, z, p).gradient;
  const int threads = at::get_num_threads();
  at::set_num_threads(threads == 1 ? 2 : 1);
  CHECK(at::equal(flow->generate(z, p).log_weight, all.log_weight));
  CHECK(at::equal(flow->reverse_kl(KlGradient::path, z, p).gradient, path));
  at::set_num_threads(threads);
}

// Attention among many atoms goes by matrix products, among few by loops.
TEST_CASE("samples of a larger crystal do not depend on their batch", "[global]") {
  const Solid solid = ice(64);
  const auto flow = solid.flow({1, {16, 1, 2, 4, 4}}, at::kFloat);
  const Tensor p = bent(*flow).to(at::kFloat);
  const Tensor z = normal(20, 189);
  const Tensor all = flow->generate(z, p).log_weight;
  CHECK(at::equal(flow->generate(z.narrow(0, 13, 5), p).log_weight, all.narrow(0, 13, 5)));
  CHECK(at::equal(flow->generate(z.narrow(0, 19, 1), p).log_weight, all.narrow(0, 19, 1)));
}

TEST_CASE("training brings the flow nearer to ice, by either gradient", "[global]") {
  const Solid solid = ice();
  const std::shared_ptr<const CouplingFlow> flow = solid.flow({3, {16, 2, 2, 4, 8}}, at::kFloat);
  const auto mean_work = [&](const Tensor& p) {
    return -flow->generate(normal(256, 21, 7), p).log_weight.mean().item<double>();
  };
  for (const KlGradient gradient : {KlGradient::path, KlGradient::total}) {
    TrainingState state = start_training(flow->start(key(1)));
    const double before = mean_work(state.parameters);
    Stage stage;
    stage.steps = 30;
    stage.batch = 64;
    stage.learning_rate = {LearningRate::Kind::constant, 5e-3};
    train(training_loss(Objective{flow, gradient, 0, {}}, key(2)), {stage}, flow->chunk(), flow->latent_dimension(), state,
          {});
    CHECK(mean_work(state.parameters) < before - 4.0);
  }
}

TEST_CASE("global flows that cannot be are refused", "[global]") {
  const Solid solid = ring();
  CHECK_THROWS_AS(solid.flow({0, {8, 2, 2, 3, 5}}), InputError);
  CHECK_THROWS_AS(solid.flow({1, {9, 2, 2, 3, 5}}), InputError);
  CHECK_THROWS_AS(solid.flow({1, {8, 2, 2, 0, 5}}), InputError);
  const auto [modes, kappa] = tests::harmonic_modes(*solid.model, 1.3);
  const physics::WhitenedTarget other(*solid.model, modes, 1.3, 0.0);
  CHECK_THROWS_AS(make_global_flow(small(), other, solid.sites, solid.crystal.cell, at::kDouble), InputError);
  CHECK_THROWS_AS(make_global_flow(small(), solid.target, solid.sites.narrow(0, 0, 3), solid.crystal.cell, at::kDouble),
                  ShapeError);
}
