#include "tests/support/catch.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>

#include "runtime/foundation/errors.h"
#include "runtime/physics/force_constant_transfer.h"
#include "runtime/physics/free_energy.h"
#include "runtime/physics/gaussian_base.h"
#include "runtime/physics/make_energy_model.h"
#include "runtime/physics/phonon.h"
#include "runtime/physics/potential.h"
#include "runtime/physics/scha.h"
#include "tests/shared/systems.h"

using namespace bgw;
using namespace bgw::physics;
using namespace bgw::testing;

namespace {

GaussianBase phonons(const schema::Value& system, double beta) {
  return phonon_base(*make_energy_model(system), physics::make_crystal(system), beta, false);
}

constexpr double kElectronvolt = 8.617333262145e-5;  // eV/K

/// The silicon of the harmonic table: epsilon in eV and cos0 = -1/3. (50.003 kcal/mol would be 2.5e-3 kT lower at 300
/// K.)
schema::Value silicon_in_ev(double edge) {
  schema::Map system = silicon(216, edge).as_map();
  schema::Map potential = stillinger_weber_value(2.1683, 2.0951, 21.0).as_map();
  potential["cos0"] = -1.0 / 3.0;
  system["potential"] = potential;
  return system;
}

struct Fit {
  SchaState state;
  SchaResult result;
  double bound, sigma;  // of beta F / N
};

Fit fit(const schema::Value& system, double beta, const SchaOptions& options) {
  const auto model = make_energy_model(system);
  const crystal::Crystal crystal = physics::make_crystal(system);
  const Scha scha(*model, crystal, beta, options, tensor::RandomStream(plan::Key{}, "scha"));
  SchaState state = scha.start();
  while (!scha.is_finished(state)) scha.step(state);
  const SchaResult result = scha.finish(state);
  const auto n = static_cast<double>(model->particles());
  return {
      state, result,
      free_energy_per_particle(result.log_zc_bound, model->particles(), crystal.cell.volume(), length_scale(system)),
      result.log_zc_sigma / n};
}

}  // namespace

TEST_CASE("harmonic free energies are the exact ones of the tables") {
  struct Row {
    const char* name;
    schema::Value system;
    double beta, expected;
  };
  const std::vector<Row> rows{{"cubic ice 64", water("diamond_cubic", 64), kWaterBeta, -25.08874},
                              {"cubic ice 216", water("diamond_cubic", 216), kWaterBeta, -25.00548},
                              {"hexagonal ice 64", water("ice_ih", 64), kWaterBeta, -25.11018},
                              {"hexagonal ice 216", water("ice_ih", 216), kWaterBeta, -25.01125},
                              {"silicon 300 K", silicon_in_ev(5.4309), 1.0 / (kElectronvolt * 300.0), -159.15999},
                              {"silicon 1000 K", silicon_in_ev(5.4443), 1.0 / (kElectronvolt * 1000.0), -43.54349},
                              {"Lennard-Jones 256", lennard_jones(256), 0.5, 2.98481}};
  for (const Row& row : rows) {
    INFO(row.name);
    CHECK(free_energy_per_particle(phonons(row.system, row.beta), length_scale(row.system)) ==
          Approx(row.expected).margin(6e-6).epsilon(0));
  }
}

TEST_CASE("harmonic free energies of the large boxes") {
  CHECK(free_energy_per_particle(phonons(water("diamond_cubic", 512), kWaterBeta), 2.3925) ==
        Approx(-24.98404).margin(6e-6).epsilon(0));
  CHECK(free_energy_per_particle(phonons(water("ice_ih", 512), kWaterBeta), 2.3925) ==
        Approx(-24.98575).margin(6e-6).epsilon(0));
  CHECK(free_energy_per_particle(phonons(lennard_jones(500), 0.5), 1.0) == Approx(2.99968).margin(6e-6).epsilon(0));
}

TEST_CASE("the free energy of independent oscillators is analytic") {
  // N = 2, all three modes of stiffness k: Zc = (2 pi / k)^(3/2) exp(-beta U0)
  const double k = 7.0;
  const double log_zc = 1.5 * std::log(2 * M_PI / k) + 0.25;
  CHECK(free_energy_per_particle(log_zc, 2, 11.0, 1.3) ==
        Approx(-(log_zc + std::log(11.0) + 0.5 * std::log(2.0)) / 2 + 3 * std::log(1.3)));
}

TEST_CASE("an Einstein crystal has the free energy of the published closed form") {
  // mW N = 64, spread 0.2 angstrom: f_EC = 4.505639 (method.md 2.4)
  const double log_zc = 1.5 * 63 * std::log(2 * M_PI * 0.04);
  CHECK(free_energy_per_particle(log_zc, 64, 64 / kWaterDensity, 2.3925) == Approx(4.505639).margin(1e-6).epsilon(0));
}

TEST_CASE("latents and displacements are inverse, and blind to translations") {
  const GaussianBase base = phonons(water("diamond_cubic", 64), kWaterBeta);
  const Tensor y = tensor::RandomStream(plan::Key{}, "y").normal(0, 0, 5, 189);
  const Tensor u = displacements_from_latents(base, y);
  CHECK(u.sizes() == at::IntArrayRef({5, 64, 3}));
  CHECK(u.mean(1).abs().max().item<double>() < 1e-13);
  CHECK((latents_from_displacements(base, u + 0.7) - y).abs().max().item<double>() < 1e-10);
  CHECK_THROWS_AS(displacements_from_latents(base, y.slice(1, 0, 5)), ShapeError);
}

TEST_CASE("to second order the energy is that of the Gaussian") {
  const schema::Value system = water("ice_ih", 64);
  const auto model = make_energy_model(system);
  const GaussianBase base = phonons(system, kWaterBeta);
  const Tensor y = 1e-3 * tensor::RandomStream(plan::Key{}, "y").normal(0, 0, 4, 189);
  const Tensor u = displacements_from_latents(base, y);
  const Tensor rise = kWaterBeta * (0.5 * (model->energy(u) + model->energy(-u)) - base.static_energy);
  CHECK((rise / (0.5 * (y * y).sum(1)) - 1.0).abs().max().item<double>() < 1e-5);
}

TEST_CASE("a base comes back from its artifact") {
  const GaussianBase base = phonons(water("diamond_cubic", 64), kWaterBeta);
  artifacts::Artifact artifact;
  add_to(artifact, base);
  const GaussianBase back = gaussian_base_from(artifact);
  CHECK(at::equal(back.modes->numbers(), base.modes->numbers()));
  CHECK(at::equal(displacements_from_latents(back, at::eye(189, at::kDouble)),
                  displacements_from_latents(base, at::eye(189, at::kDouble))));
  CHECK(at::equal(back.force_constants, base.force_constants));
  CHECK(at::equal(back.sites, base.sites));
  CHECK(log_partition(back) == log_partition(base));
  CHECK(free_energy_per_particle(back, 2.3925) == free_energy_per_particle(base, 2.3925));
}

TEST_CASE("rms displacements are those of the tables") {
  CHECK(rms_displacement(phonons(water("diamond_cubic", 64), kWaterBeta)) == Approx(0.149).margin(6e-4));
  CHECK(rms_displacement(phonons(water("diamond_cubic", 216), kWaterBeta)) == Approx(0.159).margin(6e-4));
  CHECK(rms_displacement(phonons(lennard_jones(256), 0.5)) == Approx(0.0578).margin(6e-5));
}

TEST_CASE("relaxing finds the perfect lattice again") {
  const schema::Value system = water("ice_ih", 64);
  const crystal::Crystal perfect = physics::make_crystal(system);
  crystal::Crystal crooked = perfect;
  const Tensor u = 0.05 * tensor::RandomStream(plan::Key{}, "crooked").normal(0, 0, 64, 3);
  for (std::int64_t i = 0; i < 64; ++i) {
    for (std::int64_t d = 0; d < 3; ++d)
      crooked.sites[static_cast<std::size_t>(i)][static_cast<std::size_t>(d)] += u[i][d].item<double>();
  }
  const auto model = make_energy_model(system, crooked.sites, crooked.cell);
  const GaussianBase relaxed = phonon_base(*model, crooked, kWaterBeta, true);
  const GaussianBase expected = phonons(system, kWaterBeta);
  CHECK(relaxed.static_energy == Approx(expected.static_energy).epsilon(1e-12));
  CHECK(free_energy_per_particle(relaxed, 2.3925) == Approx(free_energy_per_particle(expected, 2.3925)).epsilon(1e-9));
}

TEST_CASE("imaginary modes end the harmonic base with their number and a way out") {
  // mW on a bcc lattice of ice density is no minimum.
  const schema::Value system = schema::Map{{"potential", stillinger_weber_value(6.189, 2.3925, 23.15)},
                                           {"lattice", lattice_value("bcc", 128, kWaterDensity)}};
  try {
    phonons(system, kWaterBeta);
    FAIL("the lattice was taken for stable");
  } catch (const NumericalError& error) {
    CHECK(std::string(error.what()).find("imaginary") != std::string::npos);
    CHECK(std::string(error.what()).find("scha") != std::string::npos);
    CHECK(std::string(error.what()).find("at the wave vector (") != std::string::npos);
  }
}

TEST_CASE("averaging over translations keeps an invariant matrix and repeats itself on any other") {
  const schema::Value system = water("ice_ih", 64);
  const crystal::Crystal crystal = physics::make_crystal(system);
  const TranslationGroup group = translations_of(crystal.sites, crystal.cell);
  const auto model = make_energy_model(system);
  const Tensor hessian = model->hessian_sum(at::zeros({1, 64, 3}, at::kDouble));
  CHECK((unfolded({group, folded(hessian, group)}) - hessian).abs().max().item<double>() < 1e-10);
  const Tensor other = tensor::RandomStream(plan::Key{}, "m").normal(0, 0, 192, 192);
  const Tensor once = unfolded({group, folded(other, group)});
  CHECK((unfolded({group, folded(once, group)}) - once).abs().max().item<double>() < 1e-14);
  CHECK(once.trace().item<double>() == Approx(other.trace().item<double>()));
  CHECK(once.sum().item<double>() == Approx(other.sum().item<double>()));
}

TEST_CASE("Hessians added up by translations are the whole ones, averaged") {
  for (const schema::Value& system : {water("ice_ih", 64), lennard_jones(108), water("diamond_cubic", 64)}) {
    const crystal::Crystal crystal = physics::make_crystal(system);
    const auto n = static_cast<std::int64_t>(crystal.sites.size());
    const TranslationGroup group = translations_of(crystal.sites, crystal.cell);
    const auto model = make_energy_model(system);
    const Tensor u = 0.05 * tensor::RandomStream(plan::Key{}, "u").normal(0, 0, 9, 3 * n).reshape({9, n, 3});
    const Tensor expected = folded(model->hessian_sum(u), group);
    const Tensor found = model->folded_hessian_sum(u, group);
    CHECK((found - expected).abs().max().item<double>() < 1e-11 * expected.abs().max().item<double>());
    const Tensor alone = model->folded_hessian_sum(u.slice(0, 0, 1), group);
    const Tensor whole = folded(model->hessian_sum(u.slice(0, 0, 1)), group);
    CHECK((alone - whole).abs().max().item<double>() < 1e-11 * whole.abs().max().item<double>());
  }
}

TEST_CASE("self-consistent phonons reach the variational bound of the tables") {
  const Fit ice = fit(water("diamond_cubic", 64), kWaterBeta, {256, 8192, 16, true});
  CHECK(ice.state.converged);
  CHECK(ice.sigma < 2e-4);
  CHECK(std::abs(ice.bound - -25.14502) < 3 * ice.sigma + 2e-5);
  CHECK(rms_displacement(ice.result.base) == Approx(0.160).margin(6e-4));
  CHECK(ice.result.base.static_energy == Approx(-792.19104691).epsilon(1e-9));
  CHECK(free_energy_per_particle(ice.result.log_zc_harmonic.value(), 64, 64 / kWaterDensity, 2.3925) ==
        Approx(-25.08874).margin(6e-6).epsilon(0));

  const Fit solid = fit(lennard_jones(256), 0.5, {64, 512, 16, true});
  CHECK(solid.state.converged);
  CHECK(std::abs(solid.bound - 3.25594) < 4 * solid.sigma);
  CHECK(rms_displacement(solid.result.base) == Approx(0.0489).margin(2e-4));
}

TEST_CASE("the bound lies above the exact free energy and below the harmonic approximation's own bound") {
  const Fit hexagonal = fit(water("ice_ih", 64), kWaterBeta, {256, 2048, 16, true});
  CHECK(hexagonal.bound > -25.18671);
  CHECK(hexagonal.bound < -25.18671 + 0.0183 + 5e-4);  // KL per atom of the tables
}

TEST_CASE("self-consistent phonons go on from a saved state as if nothing had happened") {
  const schema::Value system = water("diamond_cubic", 64);
  const auto model = make_energy_model(system);
  const crystal::Crystal crystal = physics::make_crystal(system);
  const tensor::RandomStream stream(plan::Key{}, "scha");
  const Scha scha(*model, crystal, kWaterBeta, {32, 64, 16, true}, stream);
  SchaState whole = scha.start();
  scha.step(whole);
  artifacts::Artifact checkpoint;
  add_to(checkpoint, whole);
  SchaState saved = scha_state_from(checkpoint);
  scha.step(whole);
  Scha(*model, crystal, kWaterBeta, {32, 64, 16, true}, stream).step(saved);
  CHECK(at::equal(saved.stiffness, whole.stiffness));
  CHECK(saved.change == whole.change);
}

TEST_CASE("modes do not hang on the last bit of the matrix, degenerate or not") {
  const schema::Value system = water("diamond_cubic", 64);
  const crystal::Crystal crystal = physics::make_crystal(system);
  const TranslationGroup group = translations_of(crystal.sites, crystal.cell);
  const ForceConstants constants =
      mean_force_constants(*make_energy_model(system), group, at::zeros({1, 64, 3}, at::kDouble));
  const Tensor noise = tensor::RandomStream(plan::Key{}, "rounding").normal(0, 0, 1, constants.blocks.numel());
  const double size = constants.blocks.abs().max().item<double>();
  const ForceConstants other =
      exchange_symmetric({group, constants.blocks + 1e-13 * size * noise.reshape(constants.blocks.sizes())});
  const auto base = [&](const ForceConstants& c) {
    return make_gaussian_base(spectrum_of(c), c.blocks, sites_tensor(crystal), crystal.cell, 0.0, 1.0);
  };
  const GaussianBase one = base(constants);
  const GaussianBase shaken = base(other);
  const Tensor eye = at::eye(189, at::kDouble);
  const Tensor m = displacements_from_latents(one, eye).reshape({189, 192}).t();
  const Tensor n = displacements_from_latents(shaken, eye).reshape({189, 192}).t();
  CHECK((m - n).abs().max().item<double>() < 1e-6 * m.abs().max().item<double>());
  // They still are modes: orthonormal, and the matrix is diagonal in them.
  const Tensor q = m * one.stiffness.sqrt();
  CHECK((q.t().matmul(q) - eye).abs().max().item<double>() < 1e-12);
  const Tensor diagonal = q.t().matmul(unfolded(constants)).matmul(q);
  CHECK((diagonal - at::diag(one.stiffness)).abs().max().item<double>() <
        1e-7 * one.stiffness.max().item<double>());
}

TEST_CASE("M M^T is the inverse of the stiffness among all that moves no centre of mass") {
  for (const schema::Value& system : {water("ice_ih", 64), water("diamond_cubic", 64)}) {
    const auto model = make_energy_model(system);
    const GaussianBase base = phonons(system, kWaterBeta);
    const Tensor m = displacements_from_latents(base, at::eye(189, at::kDouble)).reshape({189, 192}).t();
    const Tensor k = kWaterBeta * model->hessian_sum(at::zeros({1, 64, 3}, at::kDouble));
    const Tensor sigma = at::linalg_pinv(k, 1e-10, true);
    CHECK((m.matmul(m.t()) - sigma).abs().max().item<double>() < 1e-9 * sigma.abs().max().item<double>());
  }
}

TEST_CASE("in a triclinic box of odd repeats the waves are those of the dense matrix") {
  // The primitive cell of diamond, 3 x 3 x 5 times, sheared a little: no rotation is left but the inversion.
  const double h = 3.1;
  const crystal::Cell primitive{{{{0.05, h, h}, {h, 0.02, h}, {h, h, 0.0}}}};
  crystal::Crystal crystal;
  crystal.repeats = {3, 3, 5};
  for (std::size_t k = 0; k < 3; ++k) {
    for (std::size_t d = 0; d < 3; ++d) crystal.cell.vectors[k][d] = primitive.vectors[k][d] * crystal.repeats[k];
  }
  for (int cell = 0; cell < 45; ++cell) {
    for (const double place : {0.0, 0.25}) {
      crystal.sites.push_back(primitive.cartesian({cell / 15 + place, cell / 5 % 3 + place, cell % 5 + place}));
      crystal.basis_index.push_back(place > 0 ? 1 : 0);
    }
  }
  const auto model = make_energy_model(water("diamond_cubic", 64), crystal.sites, crystal.cell);
  const GaussianBase base = phonon_base(*model, crystal, kWaterBeta, true);
  CHECK(base.modes->group().basis == 2);
  CHECK(symmetry_of(crystal).rotations.size() == 2);
  const Tensor m = displacements_from_latents(base, at::eye(267, at::kDouble)).reshape({267, 270}).t();
  const Tensor shift = (base.sites - sites_tensor(crystal)).unsqueeze(0);
  CHECK(model->energy_and_gradient(shift).gradient.abs().max().item<double>() < 1e-9);
  const Tensor sigma = at::linalg_pinv(kWaterBeta * model->hessian_sum(shift), 1e-10, true);
  CHECK((m.matmul(m.t()) - sigma).abs().max().item<double>() < 1e-9 * sigma.abs().max().item<double>());
}

namespace {

/// Two atoms that are pulled apart and never held.
class Pulled final : public EnergyModel {
 public:
  std::int64_t particles() const override { return 2; }
  Tensor energy(const Tensor& u) const override { return (u * force_).sum({1, 2}); }
  EnergyAndGradient energy_and_gradient(const Tensor& u) const override { return {energy(u), force_.expand(u.sizes())}; }
  GradientAndProduct gradient_and_product(const Tensor& u, const Tensor&) const override {
    return {force_.expand(u.sizes()), at::zeros_like(u)};
  }
  Tensor hessian_sum(const Tensor&) const override { return at::zeros({6, 6}, at::kDouble); }
  CallCount calls() const override { return {}; }

 private:
  Tensor force_ = at::tensor({1.0, 1.0, 1.0, -1.0, -1.0, -1.0}, at::kDouble).reshape({2, 3});
};

}  // namespace

TEST_CASE("sites that do not relax end the base with the force that is left") {
  crystal::Crystal crystal;
  crystal.cell = crystal::Cell::orthorhombic(2, 2, 2);
  crystal.sites = {{0, 0, 0}, {0.6, 0.6, 0.6}};
  crystal.basis_index = {0, 1};
  try {
    phonon_base(Pulled(), crystal, 1.0, true);
    FAIL("the sites were taken for relaxed");
  } catch (const NumericalError& error) {
    CHECK(std::string(error.what()).find("a force of 1 is left") != std::string::npos);
  }
}

TEST_CASE("independent oscillators have the width they were given and the published free energy") {
  const schema::Value system = water("diamond_cubic", 64);
  const crystal::Crystal crystal = physics::make_crystal(system);
  const TranslationGroup group = translations_of(crystal.sites, crystal.cell);
  const GaussianBase base =
      einstein_base(group, sites_tensor(crystal), crystal.cell, 0.0, kWaterBeta, 0.2);
  CHECK(free_energy_per_particle(base, 2.3925) == Approx(4.505639).margin(1e-6).epsilon(0));
  const Tensor m = displacements_from_latents(base, at::eye(189, at::kDouble)).reshape({189, 192}).t();
  const Tensor centre = at::eye(3, at::kDouble).repeat({64, 64}) / 64.0;
  const Tensor sigma = 0.04 * (at::eye(192, at::kDouble) - centre);
  CHECK((m.matmul(m.t()) - sigma).abs().max().item<double>() < 1e-14);
  const Tensor k = kWaterBeta * unfolded({group, base.force_constants});
  CHECK((k.matmul(sigma) - (at::eye(192, at::kDouble) - centre)).abs().max().item<double>() < 1e-13);
}

TEST_CASE("rotations leave the force constants of the perfect lattice alone and average what is noisy") {
  for (const auto& [system, rotations] :
       {std::pair{water("diamond_cubic", 64), 48}, std::pair{water("ice_ih", 64), 8}, std::pair{lennard_jones(108), 48}}) {
    const crystal::Crystal crystal = physics::make_crystal(system);
    const auto n = static_cast<std::int64_t>(crystal.sites.size());
    const CrystalSymmetry symmetry = symmetry_of(crystal);
    CHECK(static_cast<int>(symmetry.rotations.size()) == rotations);
    const auto model = make_energy_model(system);
    const ForceConstants constants =
        mean_force_constants(*model, symmetry.translations, at::zeros({1, n, 3}, at::kDouble));
    const double size = constants.blocks.abs().max().item<double>();
    CHECK((symmetry.average(constants).blocks - constants.blocks).abs().max().item<double>() < 1e-9 * size);
    const Tensor u = 0.02 * tensor::RandomStream(plan::Key{}, "u").normal(0, 0, 2, 3 * n).reshape({2, n, 3});
    const ForceConstants noisy = mean_force_constants(*model, symmetry.translations, u);
    const ForceConstants once = symmetry.average(noisy);
    const ForceConstants twice = symmetry.average(once);
    CHECK((once.blocks - noisy.blocks).abs().max().item<double>() > 1e-6 * size);
    CHECK((once.blocks - twice.blocks).abs().max().item<double>() < 1e-9 * size);
    CHECK((exchange_symmetric(once).blocks - once.blocks).abs().max().item<double>() < 1e-9 * size);
    // The energy does not know what has been rotated: U(R u) = U(u) for the field carried along.
    const PointOperation& operation = symmetry.rotations.back();
    Tensor image = at::empty({n}, at::kLong);
    std::copy(operation.image.begin(), operation.image.end(), image.data_ptr<std::int64_t>());
    const Tensor carried = at::zeros_like(u).index_copy(1, image, u.matmul(operation.rotation.t()));
    CHECK((model->energy(carried) - model->energy(u)).abs().max().item<double>() <
          1e-9 * model->energy(u).abs().max().item<double>());
  }
}

TEST_CASE("force constants of a small box give the phonons of a large one") {
  // Those of the Stillinger-Weber water end at 8.61 angstrom, within half of the box of 216; in that of 64 they overlap.
  struct Row {
    const char* kind;
    std::int64_t from, to;
    double expected;
  };
  for (const Row& row : {Row{"diamond_cubic", 216, 512, -24.98404}, Row{"diamond_cubic", 216, 64, -25.08874},
                         Row{"ice_ih", 512, 64, -25.11018}, Row{"ice_ih", 512, 216, -25.01125}}) {
    INFO(row.kind << " " << row.from << " to " << row.to);
    const schema::Value from = water(row.kind, row.from), to = water(row.kind, row.to);
    const crystal::Crystal source = physics::make_crystal(from), target = physics::make_crystal(to);
    const TransferredConstants found = transferred_constants(phonons(from, kWaterBeta), source, target);
    const auto model = make_energy_model(to);
    const GaussianBase base = phonon_base(*model, target, kWaterBeta, found.constants, found.shift);
    CHECK(free_energy_per_particle(base, 2.3925) == Approx(row.expected).margin(6e-6).epsilon(0));
    const Tensor own = phonons(to, kWaterBeta).force_constants;
    CHECK((base.force_constants - own).abs().max().item<double>() < 1e-9 * own.abs().max().item<double>());
  }
}

TEST_CASE("entries on the boundary of the smaller box are shared, and rotations do not see the sharing") {
  const schema::Value from = water("diamond_cubic", 64), to = water("diamond_cubic", 216);
  const crystal::Crystal target = physics::make_crystal(to);
  const TransferredConstants found =
      transferred_constants(phonons(from, kWaterBeta), physics::make_crystal(from), target);
  const CrystalSymmetry symmetry = symmetry_of(target);
  const double size = found.constants.blocks.abs().max().item<double>();
  CHECK((symmetry.average(found.constants).blocks - found.constants.blocks).abs().max().item<double>() < 1e-9 * size);
  CHECK(found.constants.blocks.sum({2, 3}).abs().max().item<double>() < 1e-9 * size);  // no force from a shift
}

TEST_CASE("force constants of another crystal are refused") {
  const schema::Value ice = water("diamond_cubic", 64);
  const GaussianBase base = phonons(ice, kWaterBeta);
  const crystal::Crystal source = physics::make_crystal(ice);
  CHECK_THROWS_AS(transferred_constants(base, source, physics::make_crystal(water("ice_ih", 64))), InputError);
  CHECK_THROWS_AS(transferred_constants(base, source, physics::make_crystal(silicon(64, 5.43))), InputError);
}

TEST_CASE("the waves of an unstable lattice are told in units of its cell") {
  const schema::Value system = water("diamond_cubic", 64);
  const crystal::Crystal crystal = physics::make_crystal(system);
  const TranslationGroup group = translations_of(crystal.sites, crystal.cell);
  int at_x = 0, at_l = 0, whole = 0;
  for (const WaveVector& wave : wave_vectors(group.periods)) {
    if (!wave.real) continue;
    const std::string told = in_reciprocal_units(wave, group, crystal);
    whole += told == "(0, 0, 0)" ? 1 : 0;
    at_x += told == "(1, 0, 0)" || told == "(0, 1, 0)" || told == "(0, 0, 1)" || told == "(-1, 0, 0)" ||
                    told == "(0, -1, 0)" || told == "(0, 0, -1)"
                ? 1
                : 0;
    at_l += std::count(told.begin(), told.end(), '5') == 3 ? 1 : 0;
  }
  // k = -k in the Brillouin zone of a face-centred lattice: its centre, three points X, four points L.
  CHECK(whole == 1);
  CHECK(at_x == 3);
  CHECK(at_l == 4);
}

TEST_CASE("self-consistent phonons of a few configurations of a large crystal are as good as of many of a small one") {
  const Fit few = fit(water("diamond_cubic", 216), kWaterBeta, {16, 256, 16, true});
  CHECK(few.state.converged);
  CHECK(few.result.floored_modes == 0);
  CHECK(few.result.imaginary_modes == 0);
  CHECK(std::abs(few.bound - (-25.08236 + 0.0186)) < 4 * few.sigma + 5e-4);  // KL per atom of the tables
  CHECK(rms_displacement(few.result.base) == Approx(0.171).margin(6e-4));
}

TEST_CASE("self-consistent phonons take a lattice that has imaginary modes") {
  // bcc at this density is held up by heat alone, if at all: what matters is a proper Gaussian and an honest bound.
  const schema::Value system = schema::Map{{"potential", stillinger_weber_value(6.189, 2.3925, 18.0)},
                                           {"lattice", lattice_value("bcc", 128, 0.042263)}};
  const Fit found = fit(system, kWaterBeta, {32, 64, 4, true});
  CHECK(found.result.base.stiffness.min().item<double>() > 0.0);
  CHECK(std::isfinite(found.bound));
  CHECK(found.result.imaginary_modes > 0);

  // Silicon is not held up: its Gaussian ends at a tenth of the distance of atoms, and says so.
  const schema::Value fallen = schema::Map{{"potential", stillinger_weber_value(50.003, 2.0951, 21.0)},
                                           {"lattice", lattice_value("bcc", 128, 0.068)}};
  const Fit stiffened = fit(fallen, 1.0 / (kBoltzmannKcal * 1000.0), {16, 64, 8, true});
  CHECK(stiffened.result.floored_modes > 0);
  CHECK(rms_displacement(stiffened.result.base) < 0.101 * std::cbrt(1.0 / 0.068));
  CHECK(std::isfinite(stiffened.bound));
  CHECK_FALSE(found.result.log_zc_harmonic.has_value());
}

TEST_CASE("scha times", "[.][bench]") {
  at::set_num_threads(1);
  for (const auto& [name, system, beta] :
       {std::tuple{"mW 64", water("diamond_cubic", 64), kWaterBeta},
        std::tuple{"mW hex 64", water("ice_ih", 64), kWaterBeta},
        std::tuple{"mW 216", water("diamond_cubic", 216), kWaterBeta}, std::tuple{"LJ 256", lennard_jones(256), 0.5}}) {
    auto start = std::chrono::steady_clock::now();
    const auto seconds = [&] {
      return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    const GaussianBase harmonic = phonons(system, beta);
    std::cout << name << " phonon " << seconds() << " s, rms " << rms_displacement(harmonic) << "\n";
    start = std::chrono::steady_clock::now();
    const Fit found = fit(system, beta, {});
    std::cout << name << " scha " << seconds() << " s, iterations " << found.state.iteration << " change "
              << found.state.change << " noise " << found.state.noise << " mixing " << found.state.mixing << "; bound "
              << found.bound << " +- " << found.sigma << ", rms " << rms_displacement(found.result.base) << ", lowest "
              << found.result.base.stiffness.min().item<double>() << ", shift "
              << found.state.shift.abs().max().item<double>() << "\n";
  }
}
