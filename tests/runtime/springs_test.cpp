#include "tests/support/catch.h"

#include <cmath>
#include <vector>

#include "runtime/foundation/errors.h"
#include "runtime/physics/make_energy_model.h"
#include "tests/shared/energy_checks.h"
#include "tests/shared/systems.h"

using namespace bgw;
using namespace bgw::physics;
using namespace bgw::testing;

namespace {

constexpr double kSpring = 3.7;

schema::Value springs(const char* style, double cutoff = 1.2) {
  return schema::Map{{"potential", schema::Map{{"style", style}, {"spring", kSpring}, {"cutoff", cutoff}}},
                     {"lattice", lattice_value("fcc", 32, 1.28)}};
}

Tensor bent() {
  return at::tensor({1.03, 0.02, -0.01, 0.04, 0.98, 0.03, -0.02, 0.01, 1.02}, at::kDouble).reshape({1, 3, 3});
}

}  // namespace

TEST_CASE("an einstein crystal costs half a spring for each squared displacement, and nothing for moving as a whole") {
  const auto model = make_energy_model(springs("einstein"));
  const Tensor u = random_displacements(5, 32, 0.1);
  const Tensor free = u - u.mean(1, true);
  CHECK(largest(model->energy(u) - 0.5 * kSpring * free.square().sum(2).sum(1)) < 1e-13);
  CHECK(largest(model->energy(u + 2.5) - model->energy(u)) < 1e-12);
  const Tensor moved =
      at::eye(96, at::kDouble).reshape({32, 3, 32, 3}) - at::eye(3, at::kDouble).reshape({1, 3, 1, 3}) / 32.0;
  CHECK(largest(model->hessian_sum(u.slice(0, 0, 2)) - 2 * kSpring * moved.reshape({96, 96})) < 1e-13);
}

TEST_CASE("a harmonic crystal of nearest neighbours has the frequencies of the textbook") {
  // Central springs of fcc: along [100] the longitudinal wave at the zone's edge has kappa = 8 k, the transverse 4 k.
  const auto model = make_energy_model(springs("harmonic"));
  const crystal::Crystal crystal = physics::make_crystal(springs("harmonic"));
  const double edge = crystal.cell.vectors[0][0] / 2;
  for (const std::int64_t axis : {0, 1}) {
    Tensor wave = at::zeros({1, 32, 3}, at::kDouble);
    for (std::int64_t i = 0; i < 32; ++i)
      wave[0][i][axis] = std::cos(2 * M_PI * crystal.sites[static_cast<std::size_t>(i)][0] / edge);
    const Tensor product = model->gradient_and_product(at::zeros_like(wave), wave).product;
    CHECK(largest(product - (axis == 0 ? 8.0 : 4.0) * kSpring * wave) < 1e-12);
  }
}

TEST_CASE("crystals of springs are exactly quadratic, and their derivatives are those of their energy") {
  for (const char* style : {"einstein", "harmonic"}) {
    INFO(style);
    const auto model = make_energy_model(springs(style));
    const Tensor u = random_displacements(3, 32, 0.2);
    const Tensor h = model->hessian_sum(u.slice(0, 0, 1));
    const Tensor flat = u.reshape({3, 96});
    CHECK(largest(model->energy(u) - 0.5 * (flat * at::mm(flat, h)).sum(1)) < 1e-12 * largest(model->energy(u)));
    CHECK(largest(difference_gradient(*model, u.slice(0, 0, 1), 1e-4) - model->energy_and_gradient(u).gradient[0]) <
          1e-8);
    const Tensor v = random_displacements(3, 32, 1.0, "vector");
    CHECK(largest(model->gradient_and_product(u, v).product.reshape({3, 96}) - at::mm(v.reshape({3, 96}), h)) <
          1e-12 * largest(h));
    CHECK((model->calls().energy > 0 && model->calls().hessian == 4));
  }
}

TEST_CASE("crystals of springs follow a deformation, and rest at their sites in their cell") {
  for (const char* style : {"einstein", "harmonic"}) {
    INFO(style);
    const auto model = make_energy_model(springs(style));
    const Tensor u = random_displacements(1, 32, 0.1);
    const EnergyGradientStrain found = model->energy_gradient_and_strain(u, bent());
    CHECK(largest(found.energy - model->energy(u, bent())) == 0.0);
    const Tensor one = at::eye(3, at::kDouble).unsqueeze(0);
    CHECK(largest(model->energy_gradient_and_strain(u, one).gradient - model->energy_and_gradient(u).gradient) < 1e-13);
    CHECK(largest(model->energy_gradient_and_strain(at::zeros_like(u), one).strain_gradient) == 0.0);
    for (std::int64_t a = 0; a < 3; ++a) {
      for (std::int64_t b = a; b < 3; ++b) {
        Tensor strain = at::zeros({3, 3}, at::kDouble);
        strain[a][b] += 5e-6;
        strain[b][a] += 5e-6;
        const Tensor f = at::eye(3, at::kDouble);
        const double slope =
            ((model->energy(u, at::matmul(f + strain, bent())) - model->energy(u, at::matmul(f - strain, bent()))) /
             2e-5)
                .item<double>();
        CHECK(found.strain_gradient[0][a][b].item<double>() == Approx(slope).epsilon(1e-7).margin(1e-7));
      }
    }
    const Tensor step = 1e-6 * random_displacements(1, 32, 1.0, "step");
    const double slope = ((model->energy(u + step, bent()) - model->energy(u - step, bent())) / 2).item<double>();
    CHECK((found.gradient * step).sum().item<double>() == Approx(slope).epsilon(1e-7));
  }
}

TEST_CASE("springs that tie nothing, and springs without strength, are refused") {
  CHECK_THROWS_AS(make_energy_model(springs("harmonic", 0.9)), InputError);
  schema::Map slack = springs("einstein").as_map();
  slack["potential"] = schema::Map{{"style", "einstein"}, {"spring", -1.0}};
  CHECK_THROWS_AS(make_energy_model(schema::Value(slack)), InputError);
  CHECK(length_scale(springs("harmonic")) == 1.0);
  CHECK_THROWS_AS(make_energy_model(springs("einstein"))->energy(at::zeros({1, 32, 3}, at::kDouble), -bent()),
                  NumericalError);
}
