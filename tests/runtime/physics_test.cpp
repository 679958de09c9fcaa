#include "tests/support/catch.h"

#include <ATen/Parallel.h>

#include <chrono>
#include <cmath>
#include <iostream>
#include <limits>
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

/// u_i = amplitude sin(1.7 i + 0.3) over the flattened coordinates: the displacements of the golden numbers.
Tensor golden_displacements(std::int64_t atoms, double amplitude) {
  return (amplitude * at::sin(at::arange(3 * atoms, at::kDouble) * 1.7 + 0.3)).reshape({1, atoms, 3});
}

std::vector<Vector3> positions(const schema::Value& system, const Tensor& u) {
  std::vector<Vector3> x = physics::make_crystal(system).sites;
  const Tensor flat = u.reshape({-1}).contiguous();
  for (std::size_t i = 0; i < x.size(); ++i) {
    for (std::size_t d = 0; d < 3; ++d) x[i][d] += flat.data_ptr<double>()[3 * i + d];
  }
  return x;
}

KernelEnergyModel kernel_model(const schema::Value& system, kernels::Variant variant, Images images = Images::all) {
  const crystal::Crystal crystal = physics::make_crystal(system);
  return KernelEnergyModel(make_potential(system.at("potential")), crystal.sites, crystal.cell, images,
                           kernels::kernels(variant));
}

schema::Value dense_bcc() {
  return schema::Map{{"potential", stillinger_weber_value(6.189, 2.3925, 21.0)},
                     {"lattice", lattice_value("bcc", 54, 0.042263)},
                     {"minimum_image", "strict"}};
}

struct Golden {
  const char* name;
  schema::Value system;
  double amplitude, at_rest, displaced, g0, g1, g2, sum_of_squares;
};

}  // namespace

TEST_CASE("energies and gradients are those of the published comparison with an independent code") {
  const std::vector<Golden> table{
      {"mW cubic 64", water("diamond_cubic", 64), .1, -792.19104691, -770.71084815, 0.1488225, 1.3179213, 0.1574172,
       2698.108359},
      {"mW hexagonal 64", water("ice_ih", 64), .1, -792.19104691, -774.09625177, 4.1297136, 0.6357783, -2.8448992,
       1980.692002},
      {"mW cubic 216", water("diamond_cubic", 216), .1, -2673.64478334, -2606.43634754, 4.3357218, 3.2932442,
       -4.6141005, 8262.070120},
      {"LJ fcc 256", lennard_jones(256), .03, -1613.62597012, -1407.07864186, 17.5123598, 21.2386428, -2.2210960,
       670793.172840},
      {"silicon 64", silicon(64, std::cbrt(8.0 / 0.0499)), .1, -6400.37749506, -6177.82559938, 1.2543171, 13.4473787,
       2.4449842, 298186.896768},
      {"bcc 54", dense_bcc(), .1, -589.61996373, -572.61906894, -0.8496742, 1.0911263, -5.3224644, 2682.393903}};
  for (const Golden& golden : table) {
    INFO(golden.name);
    const auto model = make_energy_model(golden.system);
    const std::int64_t n = model->particles();
    CHECK(model->energy(at::zeros({1, n, 3}, at::kDouble)).item<double>() ==
          Approx(golden.at_rest).margin(6e-9).epsilon(0));
    const EnergyAndGradient found = model->energy_and_gradient(golden_displacements(n, golden.amplitude));
    CHECK(found.energy.item<double>() == Approx(golden.displaced).margin(6e-9).epsilon(0));
    const double* g = found.gradient.data_ptr<double>();
    CHECK(g[0] == Approx(golden.g0).margin(6e-8).epsilon(0));
    CHECK(g[1] == Approx(golden.g1).margin(6e-8).epsilon(0));
    CHECK(g[2] == Approx(golden.g2).margin(6e-8).epsilon(0));
    CHECK((found.gradient * found.gradient).sum().item<double>() ==
          Approx(golden.sum_of_squares).margin(6e-7).epsilon(0));
  }
  const auto large = make_energy_model(lennard_jones(500));
  CHECK(large->energy(at::zeros({1, 500, 3}, at::kDouble)).item<double>() ==
        Approx(-3151.61322289).margin(6e-9).epsilon(0));
}

TEST_CASE("forces are minus the slope of the energy") {
  for (const schema::Value& system : {water("ice_ih", 64), dense_bcc(), lennard_jones(256)}) {
    const auto model = make_energy_model(system);
    const std::int64_t n = model->particles();
    const bool pair = n == 256;
    const Tensor u = random_displacements(1, n, pair ? 0.02 : 0.1);
    const Tensor expected = difference_gradient(*model, u, pair ? 2e-6 : 1e-5);
    const Tensor found = model->energy_and_gradient(u).gradient[0];
    CHECK(largest(found - expected) < 2e-7 * std::max(1.0, largest(expected)));
  }
}

TEST_CASE("the Hessian-vector product is the slope of the gradient and the Hessian times the vector") {
  for (const schema::Value& system : {water("ice_ih", 64), silicon(64, 5.4309), dense_bcc(), lennard_jones(256)}) {
    const auto model = make_energy_model(system);
    const std::int64_t n = model->particles();
    // The force of the truncated pair jumps at the cutoff: small displacements keep every pair on its side of it.
    const double width = n == 256 ? 0.003 : 0.1;
    const Tensor u = random_displacements(11, n, width);
    const Tensor v = random_displacements(11, n, 1.0, "vector");
    const GradientAndProduct found = model->gradient_and_product(u, v);
    const double h = 1e-4 * width;
    const Tensor slope =
        (model->energy_and_gradient(u + h * v).gradient - model->energy_and_gradient(u - h * v).gradient) / (2 * h);
    INFO(system.at("lattice").at("kind").as_string());
    CHECK(largest(found.product - slope) < 1e-6 * largest(slope));
    CHECK(largest(found.gradient - model->energy_and_gradient(u).gradient) < 1e-12 * largest(found.gradient));
    Tensor by_hessian = at::zeros_like(v);
    for (std::int64_t b = 0; b < 11; ++b)
      by_hessian[b] = at::mv(model->hessian_sum(u.slice(0, b, b + 1)), v[b].reshape({-1})).reshape({n, 3});
    CHECK(largest(found.product - by_hessian) < 1e-11 * largest(by_hessian));
  }
}

TEST_CASE("the summed Hessian is the sum of the Hessians") {
  for (const schema::Value& system : {water("diamond_cubic", 64), lennard_jones(256)}) {
    const auto model = make_energy_model(system);
    const Tensor u = random_displacements(10, model->particles(), model->particles() == 256 ? 0.02 : 0.1);
    Tensor sum = at::zeros({3 * model->particles(), 3 * model->particles()}, at::kDouble);
    for (std::int64_t b = 0; b < 10; ++b) sum += model->hessian_sum(u.slice(0, b, b + 1));
    CHECK(largest(model->hessian_sum(u) - sum) < 1e-12 * largest(sum));
    CHECK(largest(sum - sum.t()) == 0.0);
  }
}

TEST_CASE("a translation of the whole crystal changes nothing") {
  const auto model = make_energy_model(water("ice_ih", 64));
  const Tensor u = random_displacements(3, 64, 0.1);
  const Tensor moved = u + at::tensor({5.3, -1.7, 0.4}, at::kDouble);
  CHECK(largest(model->energy(moved) - model->energy(u)) < 1e-9);
  CHECK(largest(model->energy_and_gradient(u).gradient.sum(1)) < 1e-11);
  CHECK(largest(model->hessian_sum(u).reshape({192, 64, 3}).sum(1)) < 1e-10);
}

TEST_CASE("a configuration's numbers do not depend on the batch around it") {
  for (const schema::Value& system : {water("diamond_cubic", 64), lennard_jones(256)}) {
    const auto model = make_energy_model(system);
    const Tensor u = random_displacements(21, model->particles(), model->particles() == 256 ? 0.03 : 0.12);
    const Tensor v = random_displacements(21, model->particles(), 1.0, "vector");
    const EnergyAndGradient all = model->energy_and_gradient(u);
    const GradientAndProduct products = model->gradient_and_product(u, v);
    for (const std::int64_t b : {0, 9, 20}) {
      const EnergyAndGradient one = model->energy_and_gradient(u.slice(0, b, b + 1));
      CHECK(at::equal(one.energy[0], all.energy[b]));
      CHECK(at::equal(one.gradient[0], all.gradient[b]));
      CHECK(at::equal(model->energy(u.slice(0, b, b + 1))[0], all.energy[b]));
      CHECK(at::equal(model->gradient_and_product(u.slice(0, b, b + 1), v.slice(0, b, b + 1)).product[0],
                      products.product[b]));
    }
  }
}

TEST_CASE("the number of threads changes no bit") {
  const auto model = make_energy_model(water("diamond_cubic", 64));
  const Tensor u = random_displacements(40, 64, 0.1);
  at::set_num_threads(1);
  const EnergyAndGradient one = model->energy_and_gradient(u);
  const Tensor hessian = model->hessian_sum(u);
  at::set_num_threads(2);
  CHECK(at::equal(model->energy_and_gradient(u).gradient, one.gradient));
  CHECK(at::equal(model->hessian_sum(u), hessian));
  at::set_num_threads(1);
}

TEST_CASE("kernels of every processor family give the same bits") {
  for (const schema::Value& system : {water("ice_ih", 64), lennard_jones(256)}) {
    const KernelEnergyModel plain = kernel_model(system, kernels::Variant::plain);
    const Tensor u = random_displacements(9, plain.particles(), plain.particles() == 256 ? 0.03 : 0.1);
    const Tensor v = random_displacements(9, plain.particles(), 1.0, "vector");
    for (const kernels::Variant variant : {kernels::Variant::avx2, kernels::Variant::avx512}) {
      if (!kernels::is_available(variant)) continue;
      const KernelEnergyModel model = kernel_model(system, variant);
      CHECK(at::equal(model.energy(u), plain.energy(u)));
      CHECK(at::equal(model.energy_and_gradient(u).gradient, plain.energy_and_gradient(u).gradient));
      CHECK(at::equal(model.gradient_and_product(u, v).product, plain.gradient_and_product(u, v).product));
      CHECK(at::equal(model.hessian_sum(u), plain.hessian_sum(u)));
    }
  }
}

TEST_CASE("the kernels' exponential is that of the standard library to an ulp or so") {
  double worst = 0;
  for (int i = 0; i < 200000; ++i) {
    alignas(64) double x[kernels::kLanes];
    alignas(64) double y[kernels::kLanes];
    for (int l = 0; l < kernels::kLanes; ++l) x[l] = -700.0 * std::pow((i + l / 8.0) / 200000.0, 3);
    kernels::kernels().exponential(x, y);
    for (int l = 0; l < kernels::kLanes; ++l) worst = std::max(worst, std::abs(y[l] / std::exp(x[l]) - 1.0));
  }
  CHECK(worst < 1.2 * std::numeric_limits<double>::epsilon());
  alignas(64) double x[kernels::kLanes] = {
      0.0, -0.0, -1e-300, -709.0, -1e6, -1e300, -std::numeric_limits<double>::infinity(), std::nan("")};
  alignas(64) double y[kernels::kLanes];
  kernels::kernels().exponential(x, y);
  CHECK((y[0] == 1.0 && y[1] == 1.0 && y[2] == 1.0));
  CHECK((y[3] == 0.0 && y[4] == 0.0 && y[5] == 0.0 && y[6] == 0.0));
  CHECK(std::isnan(y[7]));
}

TEST_CASE("a configuration that outgrows the neighbour list is as exact as any other") {
  const schema::Value system = water("diamond_cubic", 64);
  const crystal::Cell cell = physics::make_crystal(system).cell;
  const KernelEnergyModel model = kernel_model(system, kernels::Variant::plain);
  Tensor u = random_displacements(10, 64, 0.1);
  u[3] = random_displacements(1, 64, 1.5, "wild")[0];      // nothing of the lattice is left
  u[7][5] += at::tensor({25.0, -3.0, 40.0}, at::kDouble);  // one molecule several cells away
  const Tensor v = random_displacements(10, 64, 1.0, "vector");
  const EnergyAndGradient found = model.energy_and_gradient(u);
  CHECK(model.outgrown() == 2);
  for (const std::int64_t b : {0, 3, 7}) {
    const double expected = reference_energy({}, positions(system, u[b]), cell, false);
    CHECK(found.energy[b].item<double>() == Approx(expected).epsilon(1e-11));
  }
  const Tensor calm = model.energy_and_gradient(random_displacements(10, 64, 0.1)).gradient;
  for (const std::int64_t b : {0, 2, 4, 6, 9}) CHECK(at::equal(found.gradient[b], calm[b]));
  const Tensor one = u.slice(0, 7, 8);
  CHECK(largest(difference_gradient(model, one, 1e-6) - found.gradient[7]) < 1e-6 * largest(found.gradient[7]));
  const Tensor product = model.gradient_and_product(u, v).product[7].reshape({-1});
  const Tensor by_hessian = at::mv(model.hessian_sum(one), v[7].reshape({-1}));
  CHECK(largest(product - by_hessian) < 1e-11 * largest(product));
}

TEST_CASE("displacements beyond the coarse bound stay on the list while no watched pair comes inside the cutoff") {
  const schema::Value system = lennard_jones(256);
  const KernelEnergyModel model = kernel_model(system, kernels::Variant::plain);
  Tensor u = random_displacements(16, 256, 0.06);
  u[11][17][0] += 0.5;  // pushes one atom far enough that pairs enter
  const Tensor energies = model.energy(u);
  CHECK(model.outgrown() >= 1);
  CHECK(model.outgrown() < 8);
  const crystal::Cell cell = physics::make_crystal(system).cell;
  for (const std::int64_t b : {0, 5, 11}) {
    CHECK(energies[b].item<double>() ==
          Approx(reference_lennard_jones(2.7, positions(system, u[b]), cell, true)).epsilon(1e-11));
  }
}

TEST_CASE("in a triclinic cell all images count") {
  const Cell cell{{{{7.0, 0.0, 0.0}, {2.1, 6.5, 0.0}, {-1.3, 1.7, 7.4}}}};
  const std::vector<Vector3> x{{0.1, 0.2, 0.3}, {2.2, 1.9, 1.7}, {4.0, 4.4, 0.9},
                               {1.1, 4.8, 3.9}, {5.2, 2.0, 5.0}, {-3.0, 9.0, 1.0}};
  const auto model =
      make_energy_model(schema::Map{{"potential", stillinger_weber_value(6.189, 2.3925, 23.15)}}, x, cell);
  CHECK(model->energy(at::zeros({1, 6, 3}, at::kDouble)).item<double>() ==
        Approx(reference_energy({}, x, cell, false)).epsilon(1e-12));
}

TEST_CASE("cells smaller than twice the cutoff take the nearest image of each pair when asked to") {
  const schema::Value eight = water("diamond_cubic", 8);
  const crystal::Cell cell = physics::make_crystal(eight).cell;
  const auto model = make_energy_model(eight);
  CHECK(model->energy(at::zeros({1, 8, 3}, at::kDouble)).item<double>() == Approx(-792.19104691 / 8).epsilon(1e-10));
  const Tensor u = random_displacements(6, 8, 0.25);
  const Tensor energies = model->energy(u);
  for (std::int64_t b = 0; b < 6; ++b) {
    CHECK(energies[b].item<double>() ==
          Approx(reference_energy({}, positions(eight, u[b]), cell, true)).epsilon(1e-12));
  }
  CHECK(largest(difference_gradient(*model, u.slice(0, 0, 1), 1e-6) - model->energy_and_gradient(u).gradient[0]) <
        1e-6);

  const schema::Value small = lennard_jones(32);
  const Tensor w = random_displacements(1, 32, 0.03);
  CHECK(make_energy_model(small)->energy(w).item<double>() ==
        Approx(reference_lennard_jones(2.7, positions(small, w), physics::make_crystal(small).cell, true))
            .epsilon(1e-12));
}

TEST_CASE("a strict cell smaller than twice the cutoff is refused with the way out") {
  schema::Map system = water("diamond_cubic", 8).as_map();
  system["minimum_image"] = "strict";
  CHECK_THROWS_AS(make_energy_model(schema::Value(system)), InputError);
}

TEST_CASE("overlapping atoms and displacements that are not numbers give no finite energy and no crash") {
  for (const schema::Value& system : {water("diamond_cubic", 64), lennard_jones(256)}) {
    const auto model = make_energy_model(system);
    const std::int64_t n = model->particles();
    const std::vector<Vector3> sites = physics::make_crystal(system).sites;
    Tensor u = random_displacements(3, n, 0.01);
    for (std::size_t d = 0; d < 3; ++d)
      u[0][1][static_cast<std::int64_t>(d)] = u[0][0][static_cast<std::int64_t>(d)] + sites[0][d] - sites[1][d];
    u[1][2][0] = std::numeric_limits<double>::quiet_NaN();
    const EnergyAndGradient found = model->energy_and_gradient(u);
    const double overlap = found.energy[0].item<double>();
    CHECK((!std::isfinite(overlap) || overlap > 1e6));
    CHECK_FALSE(std::isfinite(found.energy[1].item<double>()));
    CHECK(std::isfinite(found.energy[2].item<double>()));
    u[1][2][0] = 1e300;
    CHECK_FALSE(std::isfinite(model->energy(u)[1].item<double>()));
  }
}

TEST_CASE("lambda scales the three-body part alone and the tail adds its integral") {
  const auto energy = [](schema::Value potential) {
    schema::Map system = water("diamond_cubic", 64).as_map();
    system["potential"] = std::move(potential);
    const auto model = make_energy_model(schema::Value(system));
    return model->energy(golden_displacements(64, 0.1)).item<double>();
  };
  const double none = energy(stillinger_weber_value(6.189, 2.3925, 0.0));
  const double half = energy(stillinger_weber_value(6.189, 2.3925, 10.0));
  CHECK(energy(stillinger_weber_value(6.189, 2.3925, 20.0)) - half == Approx(half - none).epsilon(1e-12));

  schema::Map with_tail = lennard_jones(256).as_map();
  schema::Map potential = with_tail["potential"].as_map();
  potential["shift"] = false;
  with_tail["potential"] = potential;
  const Tensor u = at::zeros({1, 256, 3}, at::kDouble);
  const double truncated = make_energy_model(schema::Value(with_tail))->energy(u).item<double>();
  potential["tail"] = true;
  with_tail["potential"] = potential;
  // 2 pi rho integral of 4 (r^-12 - r^-6) r^2 beyond 2.7
  const double expected = 256 * 2 * M_PI * 1.28 * 4 * (std::pow(2.7, -9) / 9 - std::pow(2.7, -3) / 3);
  CHECK(make_energy_model(schema::Value(with_tail))->energy(u).item<double>() - truncated ==
        Approx(expected).epsilon(1e-9));
}

TEST_CASE("mW ice at ordinary temperatures lives on 28 neighbours") {
  const KernelEnergyModel model = kernel_model(water("diamond_cubic", 64), kernels::Variant::plain);
  CHECK(model.list().entries() == 64 * 28);
  model.energy(random_displacements(200, 64, 0.092));
  CHECK(model.outgrown() == 0);
}

TEST_CASE("calls are counted by kind") {
  const auto model = make_energy_model(water("diamond_cubic", 8));
  const Tensor u = random_displacements(5, 8, 0.05);
  model->energy(u);
  model->energy_and_gradient(u.slice(0, 0, 2));
  model->gradient_and_product(u, u);
  model->hessian_sum(u.slice(0, 0, 3));
  CHECK((model->calls().energy == 5 && model->calls().gradient == 2 && model->calls().hessian == 8));
}

TEST_CASE("wrong shapes are refused at the door") {
  const auto model = make_energy_model(water("diamond_cubic", 8));
  CHECK_THROWS_AS(model->energy(at::zeros({8, 3}, at::kDouble)), ShapeError);
  CHECK_THROWS_AS(model->energy(at::zeros({1, 8, 3}, at::kFloat)), ShapeError);
  CHECK_THROWS_AS(model->gradient_and_product(at::zeros({1, 8, 3}, at::kDouble), at::zeros({2, 8, 3}, at::kDouble)),
                  ShapeError);
}

TEST_CASE("temperatures are CODATA's, and the length of a potential is its sigma") {
  CHECK(1.0 / inverse_temperature(schema::Map{{"temperature", 200.0}}) == Approx(200 * 8.617333262145e-5).epsilon(1e-12));
  CHECK(length_scale(water("diamond_cubic", 8)) == 2.3925);
}

TEST_CASE("speed", "[.][bench]") {
  at::set_num_threads(1);
  const auto time = [](const char* what, std::int64_t count, const auto& work) {
    work();
    double best = 1e9;
    for (int i = 0; i < 5; ++i) {
      const auto start = std::chrono::steady_clock::now();
      work();
      best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    std::cout << what << ": " << best / static_cast<double>(count) * 1e6 << " us per configuration\n";
  };
  const std::vector<std::pair<const char*, schema::Value>> systems{
      {"mW 64", water("diamond_cubic", 64)}, {"mW 216", water("diamond_cubic", 216)}, {"LJ 256", lennard_jones(256)}};
  for (const auto& [name, system] : systems) {
    const double width = std::string(name) == "LJ 256" ? 0.028 : 0.092;
    for (const kernels::Variant variant : {kernels::Variant::plain, kernels::Variant::avx2, kernels::Variant::avx512}) {
      if (!kernels::is_available(variant)) continue;
      const KernelEnergyModel model = kernel_model(system, variant);
      const Tensor u = random_displacements(128, model.particles(), width);
      const Tensor v = random_displacements(128, model.particles(), 1.0, "vector");
      std::cout << name << " variant " << static_cast<int>(variant) << ", entries " << model.list().entries() << "\n";
      time("  energy", 128, [&] { model.energy(u); });
      time("  energy and gradient", 128, [&] { model.energy_and_gradient(u); });
      time("  product", 128, [&] { model.gradient_and_product(u, v); });
      time("  hessian_sum", 128, [&] { model.hessian_sum(u); });
      std::cout << "  outgrown " << model.outgrown() << "\n";
    }
  }
}
