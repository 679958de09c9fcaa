#include "tests/support/catch.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "runtime/foundation/errors.h"
#include "runtime/physics/kernel_energy_model.h"
#include "runtime/physics/make_energy_model.h"
#include "tests/shared/energy_checks.h"
#include "tests/shared/reference_energy.h"
#include "tests/shared/systems.h"

using namespace bgw;
using namespace bgw::physics;
using namespace bgw::testing;

namespace {

/// Stretched along one edge, pressed along another, sheared and turned: nothing of a special form.
Tensor skew(double scale = 1.0) {
  return at::tensor({1.03, 0.02, -0.01, 0.04, 0.98, 0.03, -0.02, 0.01, 1.02}, at::kDouble).reshape({1, 3, 3}) * scale;
}

Tensor identity(std::int64_t batch) { return at::eye(3, at::kDouble).unsqueeze(0).repeat({batch, 1, 1}); }

schema::Value with_tail(std::int64_t atoms) {
  schema::Map system = lennard_jones(atoms).as_map();
  schema::Map potential = system["potential"].as_map();
  potential["shift"] = false;
  potential["tail"] = true;
  system["potential"] = potential;
  return system;
}

/// Systems with a displacement width at which no pair of a truncated potential stands at the cutoff.
std::vector<std::pair<schema::Value, double>> systems() {
  return {{water("ice_ih", 64), 0.1},
          {silicon(64, 5.4309), 0.1},
          {lennard_jones(256), 0.003},
          {with_tail(256), 0.003},
          {water("diamond_cubic", 8), 0.1}};
}

/// The model whose sites are those of the deformed crystal, and its displacements.
std::unique_ptr<EnergyModel> model_in_deformed_cell(const schema::Value& system, const Tensor& f) {
  crystal::Matrix3 matrix{};
  for (std::size_t i = 0; i < 9; ++i) matrix[i / 3][i % 3] = f.contiguous().data_ptr<double>()[i];
  const crystal::Crystal crystal = physics::make_crystal(system);
  std::vector<Vector3> sites;
  for (const Vector3& site : crystal.sites) sites.push_back(crystal::product(matrix, site));
  return make_energy_model(system, sites, crystal.cell.deformed(matrix));
}

std::string refusal(const EnergyModel& model, const Tensor& f) {
  try {
    model.energy_gradient_and_strain(at::zeros({f.size(0), model.particles(), 3}, at::kDouble), f);
  } catch (const NumericalError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a deformed crystal has the energy and forces of a model built in the deformed cell") {
  for (const auto& [system, width] : systems()) {
    const auto model = make_energy_model(system);
    const std::int64_t n = model->particles();
    if (n == 8) continue;  // nearest images of a triclinic cell are another test
    const Tensor u = random_displacements(3, n, width);
    const Tensor f = skew().repeat({3, 1, 1});
    const auto there = model_in_deformed_cell(system, skew());
    const EnergyAndGradient expected = there->energy_and_gradient(at::matmul(u, skew()[0].t()));
    const EnergyGradientStrain found = model->energy_gradient_and_strain(u, f);
    CHECK(largest(found.energy - expected.energy) < 1e-12 * largest(expected.energy));
    CHECK(at::equal(model->energy(u, f), found.energy));
    const Tensor pulled_back = at::matmul(expected.gradient, skew()[0]);
    CHECK(largest(found.gradient - pulled_back) < 1e-12 * std::max(largest(pulled_back), 1.0));
  }
}

TEST_CASE("without deformation the deformed numbers are the undeformed ones to the last bit") {
  for (const auto& [system, width] : systems()) {
    const auto model = make_energy_model(system);
    if (model->particles() == 8) continue;  // each configuration has a list of its own there
    const Tensor u = random_displacements(9, model->particles(), width);
    const EnergyGradientStrain found = model->energy_gradient_and_strain(u, identity(9));
    const EnergyAndGradient expected = model->energy_and_gradient(u);
    CHECK(at::equal(found.energy, expected.energy));
    CHECK(at::equal(found.gradient, expected.gradient));
    CHECK(at::equal(model->energy(u, identity(9)), expected.energy));
  }
}

TEST_CASE("the strain gradient is the slope of the energy with the strain, and symmetric") {
  for (const auto& [system, width] : systems()) {
    if (system.at("potential").bool_or("tail", false)) continue;  // its pressure is another test
    const auto model = make_energy_model(system);
    const std::int64_t n = model->particles();
    const bool truncated = n == 256;
    const Tensor f =
        n == 8 ? at::diag(at::tensor({1.02, 0.99, 1.01}, at::kDouble)).unsqueeze(0) : skew(truncated ? 1.002 : 1.0);
    const Tensor u = random_displacements(1, n, width);
    const EnergyGradientStrain found = model->energy_gradient_and_strain(u, f);
    CHECK(at::equal(found.strain_gradient, found.strain_gradient.transpose(1, 2)));
    const double h = truncated ? 1e-6 : 1e-5;
    for (std::int64_t a = 0; a < 3; ++a) {
      for (std::int64_t b = a; b < 3; ++b) {
        if (n == 8 && a != b) continue;  // a sheared cell is triclinic
        Tensor strain = at::zeros({3, 3}, at::kDouble);
        strain[a][b] += 0.5;
        strain[b][a] += 0.5;
        const Tensor one = at::eye(3, at::kDouble);
        const Tensor up = at::matmul(one + h * strain, f), down = at::matmul(one - h * strain, f);
        const double slope = ((model->energy(u, up) - model->energy(u, down)) / (2 * h)).item<double>();
        CHECK(found.strain_gradient[0][a][b].item<double>() ==
              Approx(slope).epsilon(1e-6).margin(1e-6 * largest(found.strain_gradient)));
      }
    }
    const Tensor step = 1e-5 * random_displacements(1, n, 1.0, "direction") * width;
    const double slope = ((model->energy(u + step, f) - model->energy(u - step, f)) / 2).item<double>();
    CHECK((found.gradient * step).sum().item<double>() ==
          Approx(slope).epsilon(1e-5).margin(1e-9 * largest(found.energy)));
  }
}

TEST_CASE("the virial of pairs is their radial sum") {
  // P = (N kT - trace / 3) / V, and for the truncated pair the trace is the sum of r du/dr over pairs.
  const schema::Value system = lennard_jones(256);
  const crystal::Crystal crystal = physics::make_crystal(system);
  double sum = 0;
  for (std::size_t i = 0; i < crystal.sites.size(); ++i) {
    for (const Vector3& d : separations(crystal.sites, crystal.cell, i, 2.7, true)) {
      const double r = std::sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]);
      sum += 0.5 * (-48.0 * std::pow(r, -12) + 24.0 * std::pow(r, -6));
    }
  }
  const auto found =
      make_energy_model(system)->energy_gradient_and_strain(at::zeros({1, 256, 3}, at::kDouble), identity(1));
  for (std::int64_t a = 0; a < 3; ++a)
    CHECK(found.strain_gradient[0][a][a].item<double>() == Approx(sum / 3).epsilon(1e-12));
  CHECK(std::abs(found.strain_gradient[0][0][1].item<double>()) < 1e-10 * std::abs(sum));
}

TEST_CASE("deformations that the list does not hold are as exact as any other, whatever stands beside them") {
  const schema::Value system = water("diamond_cubic", 64);
  const crystal::Crystal crystal = physics::make_crystal(system);
  const KernelEnergyModel model(make_potential(system.at("potential")), crystal.sites, crystal.cell, Images::all);
  const Tensor u = random_displacements(10, 64, 0.08);
  Tensor f = skew().repeat({10, 1, 1});
  f[4] *= 0.7;       // pressed until the next shells come in
  f[6] *= 1.3;       // pulled until nothing but the list is left
  f[8][0][1] = 0.9;  // sheared by a whole angle
  const EnergyGradientStrain found = model.energy_gradient_and_strain(u, f);
  CHECK(model.outgrown() == 2);
  for (const std::int64_t b : {0, 4, 6, 8}) {
    const Tensor alone = f.slice(0, b, b + 1);
    const Tensor placed = at::matmul(u.slice(0, b, b + 1), alone[0].t());
    const auto there = model_in_deformed_cell(system, alone);
    CHECK(found.energy[b].item<double>() == Approx(there->energy(placed).item<double>()).epsilon(1e-12));
    const EnergyGradientStrain single = model.energy_gradient_and_strain(u.slice(0, b, b + 1), alone);
    CHECK(at::equal(single.strain_gradient[0], found.strain_gradient[b]));
    CHECK(at::equal(single.gradient[0], found.gradient[b]));
    CHECK(at::equal(model.energy(u, f)[b], found.energy[b]));
  }
}

TEST_CASE("the deformed kernels of every processor family give the same bits") {
  for (const auto& [system, width] : systems()) {
    const crystal::Crystal crystal = physics::make_crystal(system);
    if (crystal.sites.size() == 8) continue;
    const auto model = [&](kernels::Variant variant) {
      return KernelEnergyModel(make_potential(system.at("potential")), crystal.sites, crystal.cell, Images::all,
                               kernels::kernels(variant));
    };
    const Tensor u = random_displacements(9, static_cast<std::int64_t>(crystal.sites.size()), width);
    const Tensor f = skew().repeat({9, 1, 1});
    const EnergyGradientStrain plain = model(kernels::Variant::plain).energy_gradient_and_strain(u, f);
    for (const kernels::Variant variant : {kernels::Variant::avx2, kernels::Variant::avx512}) {
      if (!kernels::is_available(variant)) continue;
      const EnergyGradientStrain wide = model(variant).energy_gradient_and_strain(u, f);
      CHECK(at::equal(wide.energy, plain.energy));
      CHECK(at::equal(wide.gradient, plain.gradient));
      CHECK(at::equal(wide.strain_gradient, plain.strain_gradient));
    }
  }
}

TEST_CASE("deformations that leave no crystal are refused with their number") {
  const auto model = make_energy_model(water("diamond_cubic", 64));
  CHECK_THROWS_AS(model->energy(at::zeros({2, 64, 3}, at::kDouble), identity(1)), ShapeError);
  Tensor inside_out = identity(2);
  inside_out[1][2][2] = -1.0;
  CHECK(refusal(*model, inside_out) == "deformation 1 of the batch takes the cell to -1 times its volume");
  Tensor lost = identity(2);
  lost[0][1][1] = std::numeric_limits<double>::quiet_NaN();
  CHECK(refusal(*model, lost) == "deformation 0 of the batch takes the cell to nan times its volume");
  Tensor flat = identity(2);
  flat[0][0][0] = 1e-4;
  CHECK(refusal(*model, flat).find("too thin for a cutoff of 4.3065: its faces are as near as 0.00124") !=
        std::string::npos);
}
