#include "tests/support/catch.h"

#include <cmath>
#include <functional>
#include <utility>
#include <vector>

#include "runtime/foundation/errors.h"
#include "runtime/physics/make_energy_model.h"
#include "runtime/sampling/box.h"
#include "runtime/sampling/box_moves.h"
#include "runtime/sampling/molecular_dynamics.h"
#include "tests/shared/systems.h"

using namespace bgw;
using namespace bgw::sampling;

namespace {

Tensor coordinates(std::vector<double> q) { return at::tensor(q, at::kDouble).view({1, -1}); }

}  // namespace

TEST_CASE("a box moves as its shape says", "[box]") {
  const Tensor two = deformation_of(BoxShape::a_eq_b, coordinates({0.1, -0.2}))[0];
  CHECK(two[0][0].item<double>() == Approx(std::exp(0.1)));
  CHECK(two[1][1].item<double>() == Approx(std::exp(0.1)));
  CHECK(two[2][2].item<double>() == Approx(std::exp(-0.2)));
  const Tensor six = coordinates({0.1, -0.2, 0.3, 0.01, 0.02, 0.03});
  const Tensor slanted = deformation_of(BoxShape::triclinic, six)[0];
  CHECK(slanted[0][2].item<double>() == 0.02);
  CHECK(slanted[2][0].item<double>() == 0.0);
  CHECK(std::log(at::linalg_det(slanted).item<double>()) ==
        Approx(log_volume_ratio(BoxShape::triclinic, six).item<double>()));
  CHECK(box_shape("triclinic") == BoxShape::triclinic);
  CHECK_THROWS_AS(box_shape("round"), InputError);
  CHECK_THROWS_AS(deformation_of(BoxShape::isotropic, six), ShapeError);
}

// The split of all deformations into rotation and upper triangle: det of the 9 x 9 derivative of Q R by (angles, R).
TEST_CASE("the measure of triclinic boxes is that of all deformations, turned or not", "[box]") {
  const auto whole = [](const Tensor& p) {  // three angles and six coordinates -> F with rotation, [3, 3]
    const Tensor generator = at::zeros({3, 3}, at::kDouble);
    Tensor a = generator;
    a[0][1] = p[0];
    a[0][2] = p[1];
    a[1][2] = p[2];
    return at::matmul(at::matrix_exp(a - a.t()),
                      deformation_of(BoxShape::triclinic, p.narrow(0, 3, 6).unsqueeze(0))[0]);
  };
  const auto log_density = [&](const Tensor& q) {
    const Tensor p = at::cat({at::zeros({3}, at::kDouble), q});
    Tensor jacobian = at::zeros({9, 9}, at::kDouble);
    for (std::int64_t k = 0; k < 9; ++k) {
      Tensor step = at::zeros({9}, at::kDouble);
      step[k] = 1e-5;
      jacobian[k].copy_(((whole(p + step) - whole(p - step)) / 2e-5).reshape({9}));
    }
    const double log_det_f = log_volume_ratio(BoxShape::triclinic, q.unsqueeze(0)).item<double>();
    const int particles = 5;  // V (det F)^-3 dF times (det F)^N
    return std::log(std::abs(at::linalg_det(jacobian).item<double>())) + (particles + 1 - 3) * log_det_f;
  };
  const Tensor q = at::tensor({0.2, -0.1, 0.15, 0.3, -0.2, 0.1}, at::kDouble), origin = at::zeros({6}, at::kDouble);
  const Tensor both = log_measure(BoxShape::triclinic, at::stack({q, origin}), 5);
  CHECK((both[0] - both[1]).item<double>() == Approx(log_density(q) - log_density(origin)).epsilon(1e-7));
}

TEST_CASE("the enthalpy's gradient is its derivative by every coordinate", "[box]") {
  const schema::Value system = testing::silicon(64, 5.5);
  const auto model = physics::make_energy_model(system);
  const double volume = physics::make_crystal(system).cell.volume(), pressure = 0.03;
  const Tensor u = 0.1 * at::sin(1.7 * at::arange(192, at::kDouble)).view({1, 64, 3});
  for (const BoxShape shape : {BoxShape::isotropic, BoxShape::a_eq_b, BoxShape::orthorhombic, BoxShape::triclinic}) {
    const std::int64_t freedom = freedom_of(shape);
    const Tensor q = 0.02 * at::cos(at::arange(freedom, at::kDouble) + 0.4);
    const auto enthalpy = [&](const Tensor& point) {
      const Tensor row = point.unsqueeze(0);
      return model->energy(u, deformation_of(shape, row)).item<double>() +
             pressure * volume * std::exp(log_volume_ratio(shape, row).item<double>());
    };
    const auto value = model->energy_gradient_and_strain(u, deformation_of(shape, q.unsqueeze(0)));
    const Tensor gradient = enthalpy_gradient(shape, q.unsqueeze(0), value.strain_gradient, pressure * volume)[0];
    for (std::int64_t k = 0; k < freedom; ++k) {
      Tensor step = at::zeros_like(q);
      step[k] = 1e-5;
      CHECK(gradient[k].item<double>() ==
            Approx((enthalpy(q + step) - enthalpy(q - step)) / 2e-5).epsilon(1e-6).margin(1e-6));
    }
  }
}

// 5.4309 angstrom at rest: published for this potential, whatever density the lattice came with.
TEST_CASE("a box of the wrong density relaxes to the crystal's own", "[box]") {
  for (const double edge : {5.2, 5.9}) {
    const schema::Value system = testing::silicon(64, edge);
    const auto model = physics::make_energy_model(system);
    const double volume = physics::make_crystal(system).cell.volume();
    for (const BoxShape shape : {BoxShape::isotropic, BoxShape::triclinic}) {
      const Tensor q = relaxed_box(*model, shape, 0.0, volume);
      const Tensor f = deformation_of(shape, q.unsqueeze(0))[0];
      CHECK(edge * f[0][0].item<double>() == Approx(5.4309).epsilon(1e-4));
      CHECK(edge * f[2][2].item<double>() == Approx(5.4309).epsilon(1e-4));
      CHECK((f - at::diag(at::diagonal(f))).abs().max().item<double>() < 1e-6);
    }
  }
}

// The virial of a truncated potential and the pressure of its tail are not the slope of the energy.
TEST_CASE("a box whose pressure is not the slope of its energy relaxes to the pressure", "[box]") {
  schema::Value system = testing::lennard_jones(256);
  schema::Map potential = system.at("potential").as_map();
  potential["shift"] = false;
  potential["tail"] = true;
  schema::Map changed = system.as_map();
  changed["potential"] = potential;
  system = changed;
  const auto model = physics::make_energy_model(system);
  const double volume = physics::make_crystal(system).cell.volume();
  const Tensor sites = at::zeros({1, 256, 3}, at::kDouble);
  for (const auto& [shape, pressure] :
       {std::pair{BoxShape::isotropic, 5.0}, {BoxShape::isotropic, 100.0}, {BoxShape::orthorhombic, 20.0}}) {
    INFO("pressure " << pressure);
    const Tensor q = relaxed_box(*model, shape, pressure, volume).unsqueeze(0);
    const auto value = model->energy_gradient_and_strain(sites, deformation_of(shape, q));
    const double now = volume * std::exp(log_volume_ratio(shape, q).item<double>());
    const Tensor pressures = -value.strain_gradient[0].diagonal() / now;
    CHECK((pressures - pressure).abs().max().item<double>() < 1e-6);
  }
}

TEST_CASE("a crystal that pressure cannot hold is refused", "[box]") {
  const schema::Value system = testing::silicon(64, 5.43);
  const auto model = physics::make_energy_model(system);
  const double volume = physics::make_crystal(system).cell.volume();
  CHECK_THROWS_WITH(relaxed_box(*model, BoxShape::isotropic, -30.0, volume),
                    Catch::Contains("no box has the least enthalpy"));
}

namespace {

plan::Key key(std::uint8_t number) {
  plan::Key result;
  result.bytes[0] = number;
  return result;
}

/// Atoms without energy, or a harmonic crystal that knows nothing of its box, in a box with an energy of its own.
class Toy : public physics::EnergyModel {
 public:
  using OfBox = std::function<Tensor(const Tensor& deformation)>;
  /// @param box     [B, 3, 3] -> [B]
  /// @param strain  its dU/d epsilon, [B, 3, 3] -> [B, 3, 3]
  Toy(std::int64_t particles, double spring, OfBox box, OfBox strain)
      : particles_(particles), spring_(spring), box_(std::move(box)), strain_(std::move(strain)) {}
  std::int64_t particles() const override { return particles_; }
  Tensor energy(const Tensor& u) const override {
    const Tensor inner = u - u.mean(1, true);
    return 0.5 * spring_ * inner.square().sum(2).sum(1);
  }
  physics::EnergyAndGradient energy_and_gradient(const Tensor& u) const override {
    return {energy(u), spring_ * (u - u.mean(1, true))};
  }
  Tensor energy(const Tensor& u, const Tensor& deformation) const override { return energy(u) + box_(deformation); }
  physics::EnergyGradientStrain energy_gradient_and_strain(const Tensor& u, const Tensor& deformation) const override {
    return {energy(u, deformation), energy_and_gradient(u).gradient, strain_(deformation)};
  }
  physics::GradientAndProduct gradient_and_product(const Tensor&, const Tensor&) const override {
    throw std::logic_error("samplers need no second derivative");
  }
  Tensor hessian_sum(const Tensor&) const override { throw std::logic_error("samplers need no second derivative"); }
  physics::CallCount calls() const override { return {}; }

 private:
  std::int64_t particles_;
  double spring_;
  OfBox box_, strain_;
};

void check_mean(const Tensor& per_replica, double exact) {
  const double mean = per_replica.mean().item<double>();
  const double error = per_replica.std().item<double>() / std::sqrt(static_cast<double>(per_replica.numel()));
  INFO("mean " << mean << " +- " << error << ", exact " << exact);
  CHECK(std::abs(mean - exact) < 4.0 * error);
}

}  // namespace

// The volume of an ideal gas has the density V^N e^{-P V / kT}: its mean is (N + 1) kT / P, its variance (N + 1) (kT /
// P)^2.
TEST_CASE("an ideal gas has the volumes of its gamma distribution", "[box]") {
  const std::int64_t particles = 99, replicas = 400;
  const Toy gas(
      particles, 0.0, [](const Tensor& f) { return at::zeros({f.size(0)}, at::kDouble); },
      [](const Tensor& f) { return at::zeros_like(f); });
  const double kt = 0.5, pressure = 1.0, volume = 50.0;
  const BoxMoves moves(gas, {BoxShape::isotropic, pressure, volume, kt}, key(1), "gas");
  BoxState box = moves.start(at::zeros({replicas, 1}, at::kDouble), at::full({1, 1}, 300.0, at::kDouble));
  const Tensor u = at::zeros({replicas, particles, 3}, at::kDouble);
  auto value = gas.energy_gradient_and_strain(u, deformation_of(BoxShape::isotropic, box.coordinates));
  for (int i = 0; i < 30; ++i) moves.move(box, u, value, true);
  Tensor first = at::zeros({replicas}, at::kDouble), second = first.clone();
  const int steps = 100;
  for (int i = 0; i < steps; ++i) {
    moves.move(box, u, value, false);
    const Tensor now = volume * log_volume_ratio(BoxShape::isotropic, box.coordinates).exp();
    first += now / steps;
    second += (now - 50.0).square() / steps;
  }
  check_mean(first, 50.0);
  check_mean(second, 100 * 0.25);
  CHECK(box.acceptance() > 0.7);
}

// The energy depends on F^T F alone and treats all axes alike, so lengths of the three vectors are distributed alike,
// and so are their angles, although the coordinates treat the axes differently.
TEST_CASE("triclinic boxes prefer no axis", "[box]") {
  const std::int64_t particles = 3, replicas = 600;
  const auto metric = [](const Tensor& f) { return at::matmul(f.transpose(1, 2), f); };
  const auto excess = [&](const Tensor& f) { return metric(f) - at::eye(3, at::kDouble); };
  const Toy toy(
      particles, 0.0, [&](const Tensor& f) { return 30.0 * excess(f).square().sum(2).sum(1); },
      [&](const Tensor& f) { return 120.0 * at::matmul(at::matmul(f, excess(f)), f.transpose(1, 2)); });
  const BoxMoves moves(toy, {BoxShape::triclinic, 0.0, 1.0, 1.0}, key(2), "shape");
  const Tensor origin = at::zeros({6}, at::kDouble);
  BoxState box =
      moves.start(at::zeros({replicas, 6}, at::kDouble), box_stiffness(toy, BoxShape::triclinic, 0.0, 1.0, origin));
  const Tensor u = at::zeros({replicas, particles, 3}, at::kDouble);
  auto value = toy.energy_gradient_and_strain(u, deformation_of(BoxShape::triclinic, box.coordinates));
  for (int i = 0; i < 40; ++i) moves.move(box, u, value, true);
  Tensor mean = at::zeros({replicas, 3, 3}, at::kDouble), square = mean.clone();
  const int steps = 200;
  for (int i = 0; i < steps; ++i) {
    moves.move(box, u, value, false);
    const Tensor c = metric(deformation_of(BoxShape::triclinic, box.coordinates));
    mean += c / steps;
    square += c.square() / steps;
  }
  const auto entry = [](const Tensor& of, int i, int j) { return of.select(1, i).select(1, j); };
  check_mean(entry(mean, 0, 0) - entry(mean, 1, 1), 0.0);
  check_mean(entry(mean, 1, 1) - entry(mean, 2, 2), 0.0);
  check_mean(entry(square, 0, 1) - entry(square, 0, 2), 0.0);
  check_mean(entry(square, 0, 1) - entry(square, 1, 2), 0.0);
  for (int j = 1; j < 3; ++j) check_mean(entry(mean, 0, j), 0.0);
  CHECK(entry(square, 0, 1).mean().item<double>() > 0.005);
}

TEST_CASE("dynamics at constant pressure has the exact volume and energy of a harmonic crystal", "[box]") {
  const std::int64_t particles = 8, replicas = 50;
  const double kt = 0.4, stiffness = 6.0, pressure = 0.05, volume = 30.0;
  const Toy toy(
      particles, 2.0, [&](const Tensor& f) { return 0.5 * stiffness * at::linalg_det(f).log().square(); },
      [&](const Tensor& f) {
        return stiffness * at::linalg_det(f).log().view({-1, 1, 1}) * at::eye(3, at::kDouble);
      });
  DynamicsOptions options;
  options.langevin = {kt, 1.0, 0.4, 0.3};
  options.equilibrate = 200;
  options.every = 25;
  options.box = BoxOptions{BoxShape::isotropic, pressure, volume, kt};
  options.box_every = 2;
  const MolecularDynamics md(toy, volume, options, key(3));
  DynamicsState state = md.start(at::zeros({replicas, particles, 3}, at::kDouble), at::zeros({1, 1}, at::kDouble));
  for (int i = 0; i < 1200; ++i) md.step(state);
  REQUIRE(state.frames.size() == 40);

  double weight = 0, density = 0, enthalpy = 0;
  for (double x = -4; x < 4; x += 1e-3) {  // x = ln(V / V0), V^N dV = V^(N+1) dx
    const double v = volume * std::exp(x), u = 0.5 * stiffness * x * x + pressure * (v - volume);
    const double w = std::exp((particles + 1) * x - (u + pressure * volume) / kt);
    weight += w;
    density += w * particles / v;
    enthalpy += w * u;
  }
  const double atoms = 0.5 * (3 * particles - 3) * kt;
  check_mean(series_of(state.frames, Average::density).mean(1), density / weight);
  check_mean(series_of(state.frames, Average::enthalpy).mean(1), enthalpy / weight + atoms);
  check_mean(series_of(state.frames, Average::kinetic_temperature).mean(1), kt);
}

TEST_CASE("a run goes on bit by bit from any step, at constant volume and at constant pressure", "[box]") {
  const schema::Value system = testing::silicon(64, 5.45);
  const auto model = physics::make_energy_model(system);
  const double volume = physics::make_crystal(system).cell.volume();
  DynamicsOptions options;
  options.langevin = {0.6, 6.7e4, 2.0, 0.01};  // kcal/mol
  options.equilibrate = 12;
  options.every = 5;
  options.box_every = 3;
  for (const bool moving : {false, true}) {
    if (moving) options.box = BoxOptions{BoxShape::triclinic, 0.01, volume, 0.6};
    const MolecularDynamics md(*model, volume, options, key(4));
    DynamicsState whole = md.start(at::zeros({2, 64, 3}, at::kDouble));
    for (int i = 0; i < 19; ++i) md.step(whole);
    DynamicsState resumed = dynamics_state_from(to_named_tensors(whole));
    for (int i = 0; i < 9; ++i) {
      md.step(whole);
      md.step(resumed);
    }
    const auto a = to_named_tensors(whole), b = to_named_tensors(resumed);
    REQUIRE(a.size() == b.size());
    for (const auto& [name, value] : a) CHECK(at::equal(b.at(name), value));
    CHECK(whole.frames.size() == 3);
    CHECK(whole.frames[0].deformation.defined() == moving);
  }
}
