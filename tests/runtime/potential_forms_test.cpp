#include "tests/support/catch.h"

#include <cmath>
#include <functional>
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

schema::Map pair_potential(double cutoff) {
  return schema::Map{{"style", "lennard_jones"}, {"epsilon", 1.3}, {"sigma", 0.9}, {"cutoff", cutoff}};
}

schema::Map switched_potential() {
  schema::Map potential = pair_potential(2.2);
  potential["switch_from"] = 1.7;
  return potential;
}

schema::Map shifted_potential() {
  schema::Map potential = pair_potential(2.4);
  potential["shift"] = true;
  return potential;
}

struct Pair {
  double energy, slope;
};

/// Energy and slope of two atoms alone, by the kernels.
Pair pair_at(const schema::Map& potential, const PotentialForm& form, double r) {
  const KernelEnergyModel model(make_potential(potential, form), {{0, 0, 0}, {r, 0, 0}}, Cell::orthorhombic(40, 40, 40),
                                Images::all);
  const EnergyAndGradient found = model.energy_and_gradient(at::zeros({1, 2, 3}, at::kDouble));
  return {found.energy.item<double>(), found.gradient[0][1][0].item<double>()};
}

double lennard_jones_at(double r) {
  const double s6 = std::pow(0.9 / r, 6);
  return 4 * 1.3 * s6 * (s6 - 1);
}

double soft(double lambda, double r) {
  const double g = 0.5 * (1 - lambda) * (1 - lambda) + std::pow(r / 0.9, 6);
  return 4 * 1.3 * lambda * (1 / (g * g) - 1 / g);
}

double switched(double r) {
  const double x = std::max(0.0, (r - 1.7) / 0.5);
  return lennard_jones_at(r) * (1 - 10 * std::pow(x, 3) + 15 * std::pow(x, 4) - 6 * std::pow(x, 5));
}

/// A small crystal under a form of its potential: what the laws of derivatives are checked on.
std::unique_ptr<EnergyModel> crystal_model(const schema::Map& potential, const PotentialForm& form) {
  const schema::Value system = schema::Map{{"potential", potential}, {"lattice", lattice_value("fcc", 108, 1.6)}};
  const crystal::Crystal crystal = physics::make_crystal(system);
  return make_energy_model(system, crystal.sites, crystal.cell, form);
}

PotentialForm soft_core(double lambda) {
  PotentialForm form;
  form.soft_core_lambda = lambda;
  return form;
}

PotentialForm linear_below(double r) {
  PotentialForm form;
  form.linearize_below = r;
  return form;
}

}  // namespace

TEST_CASE("a switched pair is the product of energy and quintic, and ends smoothly") {
  for (const double r : {0.85, 1.0, 1.69, 1.71, 1.9, 2.15, 2.1999, 2.3}) {
    const Pair found = pair_at(switched_potential(), {}, r);
    const double expected = r < 2.2 ? switched(r) : 0.0;
    CHECK(found.energy == Approx(expected).epsilon(1e-12).margin(1e-14));
    const double slope = r < 2.2 ? (switched(r + 1e-6) - switched(r - 1e-6)) / 2e-6 : 0.0;
    CHECK(found.slope == Approx(slope).epsilon(1e-7).margin(1e-8));
  }
  CHECK(std::abs(pair_at(switched_potential(), {}, 2.2 - 1e-5).slope) < 1e-8);
}

TEST_CASE("the soft core is the formula of the paper, shifted by its own value at the cutoff") {
  for (const double lambda : {0.0, 0.25, 0.8, 1.0}) {
    for (const double r : {0.05, 0.5, 0.9, 1.3, 2.3}) {
      CHECK(pair_at(pair_potential(2.4), soft_core(lambda), r).energy ==
            Approx(soft(lambda, r)).epsilon(1e-11).margin(1e-13));
      const Pair found = pair_at(shifted_potential(), soft_core(lambda), r);
      CHECK(found.energy == Approx(soft(lambda, r) - soft(lambda, 2.4)).epsilon(1e-11).margin(1e-13));
      const double slope = (soft(lambda, r * (1 + 1e-6)) - soft(lambda, r * (1 - 1e-6))) / (2e-6 * r);
      CHECK(found.slope == Approx(slope).epsilon(1e-6).margin(1e-7));
    }
  }
}

TEST_CASE("linearised pairs follow the tangent, then stay constant; longer ones are untouched") {
  schema::Map water_potential = stillinger_weber_value(6.189, 2.3925, 23.15).as_map();
  for (const schema::Map& potential : {shifted_potential(), switched_potential(), water_potential}) {
    const double below = training_form(potential).linearize_below;
    const Pair there = pair_at(potential, {}, below);
    const PotentialForm form = training_form(potential);
    for (const double r : {0.011, 0.3 * below, 0.999 * below}) {
      const Pair found = pair_at(potential, form, r);
      CHECK(found.slope == Approx(there.slope).epsilon(1e-11));
      CHECK(found.energy == Approx(there.energy + there.slope * (r - below)).epsilon(1e-11));
    }
    CHECK(pair_at(potential, form, 1.1 * below).energy ==
          Approx(pair_at(potential, {}, 1.1 * below).energy).epsilon(1e-13));
    const Pair nearest = pair_at(potential, form, 0.002);
    CHECK(nearest.energy == Approx(there.energy + there.slope * (0.01 - below)).epsilon(1e-11));
    CHECK(nearest.slope == 0.0);
  }
  CHECK(training_form(water_potential).linearize_below == Approx(0.5 * 2.3925));
  CHECK(training_form(pair_potential(2.4)).linearize_below == Approx(0.8 * 0.9));
}

TEST_CASE("the three-body part of a linearised potential is that of the potential") {
  schema::Map with = stillinger_weber_value(6.189, 2.3925, 23.15).as_map(), without = with;
  without["lambda"] = 0.0;
  const std::vector<Vector3> x{{0, 0, 0}, {1.0, 0.1, 0}, {-0.2, 2.4, 0.3}, {0.4, 0.2, 2.8}};
  const auto energy = [&](const schema::Map& potential, const PotentialForm& form) {
    const KernelEnergyModel model(make_potential(potential, form), x, Cell::orthorhombic(30, 30, 30), Images::all);
    return model.energy(at::zeros({1, 4, 3}, at::kDouble)).item<double>();
  };
  const PotentialForm form = training_form(with);
  CHECK(energy(with, form) - energy(without, form) == Approx(energy(with, {}) - energy(without, {})).epsilon(1e-10));
  CHECK(energy(with, form) < energy(with, {}) - 1.0);  // one pair is nearer than the tangent begins
}

TEST_CASE("every form has the forces, strain gradient and Hessian of its energy") {
  const std::vector<std::pair<schema::Map, PotentialForm>> forms{{switched_potential(), {}},
                                                                 {shifted_potential(), soft_core(0.4)},
                                                                 {switched_potential(), soft_core(0.7)},
                                                                 {switched_potential(), linear_below(0.95)}};
  for (const auto& [potential, form] : forms) {
    const auto model = crystal_model(potential, form);
    const bool jumps = potential.count("shift") > 0;
    const Tensor u = random_displacements(2, 108, jumps ? 0.002 : 0.05);
    const Tensor one = u.slice(0, 0, 1);
    const Tensor expected = difference_gradient(*model, one, 1e-6);
    const EnergyAndGradient found = model->energy_and_gradient(u);
    CHECK(largest(found.gradient[0] - expected) < 1e-6 * std::max(1.0, largest(expected)));
    const Tensor v = random_displacements(2, 108, 1.0, "vector");
    const double h = 1e-6;
    const Tensor slope =
        (model->energy_and_gradient(u + h * v).gradient - model->energy_and_gradient(u - h * v).gradient) / (2 * h);
    const Tensor product = model->gradient_and_product(u, v).product;
    CHECK(largest(product - slope) < 1e-6 * largest(slope));
    CHECK(largest(at::mv(model->hessian_sum(one), v[0].reshape({-1})) - product[0].reshape({-1})) <
          1e-11 * largest(product));
    const Tensor f = at::eye(3, at::kDouble).unsqueeze(0).repeat({2, 1, 1});
    Tensor up = f.clone(), down = f.clone();
    up.select(1, 0).select(1, 0) += h;
    down.select(1, 0).select(1, 0) -= h;
    const EnergyGradientStrain strained = model->energy_gradient_and_strain(u, f);
    CHECK(at::equal(strained.gradient, found.gradient));
    CHECK(largest(strained.strain_gradient.select(1, 0).select(1, 0) -
                  (model->energy(u, up) - model->energy(u, down)) / (2 * h)) <
          1e-5 * largest(strained.strain_gradient));
  }
}

TEST_CASE("the forms give the same bits in the kernels of every processor family") {
  const crystal::Crystal crystal = physics::make_crystal(schema::Map{{"lattice", lattice_value("fcc", 108, 1.6)}});
  const Tensor u = random_displacements(9, 108, 0.05);
  for (const PotentialForm& form : {soft_core(0.3), linear_below(0.95)}) {
    const auto model = [&](kernels::Variant variant) {
      return KernelEnergyModel(make_potential(switched_potential(), form), crystal.sites, crystal.cell, Images::all,
                               kernels::kernels(variant));
    };
    const EnergyAndGradient plain = model(kernels::Variant::plain).energy_and_gradient(u);
    for (const kernels::Variant variant : {kernels::Variant::avx2, kernels::Variant::avx512}) {
      if (!kernels::is_available(variant)) continue;
      const EnergyAndGradient wide = model(variant).energy_and_gradient(u);
      CHECK(at::equal(wide.energy, plain.energy));
      CHECK(at::equal(wide.gradient, plain.gradient));
    }
  }
}

TEST_CASE("the tail goes with the density, and with the soft core") {
  schema::Map potential = pair_potential(2.4);
  schema::Map with_tail = potential;
  with_tail["tail"] = true;
  const Tensor u = random_displacements(1, 108, 0.02);
  const auto tail = [&](double lambda, double stretch) {
    const Tensor f = stretch * at::eye(3, at::kDouble).unsqueeze(0);
    return (crystal_model(with_tail, soft_core(lambda))->energy(u, f) -
            crystal_model(potential, soft_core(lambda))->energy(u, f))
        .item<double>();
  };
  // 2 pi rho integral of 4 epsilon ((sigma/r)^12 - (sigma/r)^6) r^2 beyond the cutoff
  const double s3 = std::pow(0.9 / 2.4, 3);
  const double expected = 108 * 8.0 / 3.0 * M_PI * 1.6 * 1.3 * std::pow(0.9, 3) * (s3 * s3 * s3 / 3 - s3);
  CHECK(tail(1.0, 1.0) == Approx(expected).epsilon(1e-9));
  CHECK(tail(1.0, 1.1) == Approx(expected / std::pow(1.1, 3)).epsilon(1e-9));
  CHECK(tail(0.3, 1.0) == Approx(0.3 * expected).epsilon(1e-9));

  // P V = -(2 pi / 3) N rho integral of r^3 du/dr beyond the cutoff, here in t = 1/r
  const Tensor f = 1.1 * at::eye(3, at::kDouble).unsqueeze(0);
  const Tensor with = crystal_model(with_tail, {})->energy_gradient_and_strain(u, f).strain_gradient;
  const Tensor without = crystal_model(potential, {})->energy_gradient_and_strain(u, f).strain_gradient;
  double integral = 0;
  constexpr int kSteps = 20000;
  for (int i = 0; i < kSteps; ++i) {
    const double t = (i + 0.5) / kSteps / 2.4, r = 1 / t;
    const double slope = 4 * 1.3 * (-12 * std::pow(0.9 * t, 12) + 6 * std::pow(0.9 * t, 6)) * t;
    integral += r * r * r * slope * r * r / kSteps / 2.4;
  }
  const double virial = -2 * M_PI / 3 * 108 * 1.6 / std::pow(1.1, 3) * integral;
  CHECK(largest(with - without + virial * at::eye(3, at::kDouble)) < 1e-6 * std::abs(virial));
}

TEST_CASE("forms that a potential has not are refused") {
  CHECK_THROWS_AS(make_potential(stillinger_weber_value(1, 1, 21), soft_core(0.5)), InputError);
  CHECK_THROWS_AS(make_potential(pair_potential(2.4), soft_core(1.5)), InputError);
  CHECK_THROWS_AS(make_potential(pair_potential(2.4), linear_below(2.5)), InputError);
  schema::Map both = switched_potential();
  both["tail"] = true;
  CHECK_THROWS_AS(make_potential(both), InputError);
  both["tail"] = false;
  both["switch_from"] = 2.3;
  CHECK_THROWS_AS(make_potential(both), InputError);
}

TEST_CASE("in a small triclinic cell the nearest image of each pair counts, whichever vectors describe the cell") {
  // The same lattice by long vectors: only a reduced cell finds the nearest image by rounding.
  const Cell reduced{{{{5.4, 0.2, 0.1}, {1.9, 5.6, -0.3}, {-1.7, 1.6, 5.9}}}};
  Cell skewed = reduced;
  for (std::size_t d = 0; d < 3; ++d) {
    skewed.vectors[1][d] += 2 * reduced.vectors[0][d];
    skewed.vectors[2][d] += reduced.vectors[1][d] - 3 * reduced.vectors[0][d];
  }
  const std::vector<Vector3> x{{0.1, 0.2, 0.3}, {2.2, 1.9, 1.7}, {4.0, 4.4, 0.9}, {1.1, 4.8, 3.9}, {5.2, 2.0, 5.0}};
  const schema::Value system = schema::Map{
      {"potential",
       schema::Map{{"style", "lennard_jones"}, {"cutoff", 3.2}, {"shift", true}, {"sigma", 1.0}, {"epsilon", 1.0}}},
      {"minimum_image", "compatible"}};
  double expected = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    for (std::size_t j = i + 1; j < x.size(); ++j) {
      double least = INFINITY;
      for (int image = 0; image < 1331; ++image) {
        const Vector3 shift = reduced.cartesian({image % 11 - 5.0, image / 11 % 11 - 5.0, image / 121 - 5.0});
        double square = 0;
        for (std::size_t d = 0; d < 3; ++d) square += std::pow(x[j][d] - x[i][d] + shift[d], 2);
        least = std::min(least, square);
      }
      if (least < 3.2 * 3.2)
        expected += 4 * (std::pow(least, -6) - std::pow(least, -3)) - 4 * (std::pow(3.2, -12) - std::pow(3.2, -6));
    }
  }
  const Tensor rest = at::zeros({1, 5, 3}, at::kDouble);
  const auto model = make_energy_model(system, x, skewed);
  CHECK(model->energy(rest).item<double>() == Approx(expected).epsilon(1e-12));
  CHECK(make_energy_model(system, x, reduced)->energy(rest).item<double>() == Approx(expected).epsilon(1e-12));
  CHECK(largest(difference_gradient(*model, rest, 1e-6) - model->energy_and_gradient(rest).gradient[0]) < 1e-6);
  const Tensor v = random_displacements(1, 5, 1.0, "vector");
  CHECK(largest(at::mv(model->hessian_sum(rest), v.reshape({-1})) -
                model->gradient_and_product(rest, v).product.reshape({-1})) < 1e-9);
  const Tensor f = at::tensor({1.01, 0.02, 0.0, 0.0, 0.99, 0.01, 0.01, 0.0, 1.0}, at::kDouble).reshape({1, 3, 3});
  const EnergyGradientStrain strained = model->energy_gradient_and_strain(rest, f);
  CHECK(strained.energy.item<double>() == model->energy(rest, f).item<double>());
  const Tensor strain = at::diag(at::tensor({0.0, 1e-6, 0.0}, at::kDouble)), one = at::eye(3, at::kDouble);
  const double slope =
      ((model->energy(rest, at::matmul(one + strain, f)) - model->energy(rest, at::matmul(one - strain, f))) / 2e-6)
          .item<double>();
  CHECK(strained.strain_gradient[0][1][1].item<double>() == Approx(slope).epsilon(1e-6).margin(1e-7));
}
