#include "tests/support/catch.h"

#include <cmath>
#include <vector>

#include "runtime/foundation/errors.h"
#include "runtime/physics/make_energy_model.h"
#include "runtime/sampling/box.h"
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
  CHECK(std::log(at::linalg_det(slanted).item<double>()) == Approx(log_volume_ratio(BoxShape::triclinic, six).item<double>()));
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
    return at::matmul(at::matrix_exp(a - a.t()), deformation_of(BoxShape::triclinic, p.narrow(0, 3, 6).unsqueeze(0))[0]);
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
      CHECK(gradient[k].item<double>() == Approx((enthalpy(q + step) - enthalpy(q - step)) / 2e-5).epsilon(1e-6).margin(1e-6));
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

TEST_CASE("a crystal that pressure cannot hold is refused", "[box]") {
  const schema::Value system = testing::silicon(64, 5.43);
  const auto model = physics::make_energy_model(system);
  const double volume = physics::make_crystal(system).cell.volume();
  CHECK_THROWS_WITH(relaxed_box(*model, BoxShape::isotropic, -30.0, volume), Catch::Contains("no box has the least enthalpy"));
}
