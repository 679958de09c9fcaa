#include "tests/support/catch.h"

#include <ATen/Parallel.h>

#include <chrono>
#include <cmath>
#include <iostream>
#include <numbers>

#include "runtime/foundation/errors.h"
#include "runtime/physics/make_energy_model.h"
#include "runtime/physics/mode_transform.h"
#include "runtime/physics/phonon.h"
#include "runtime/physics/whitened_target.h"
#include "runtime/tensor/random_stream.h"
#include "tests/shared/systems.h"
#include "tests/support/anharmonic_toy.h"

using namespace bgw;
using namespace bgw::physics;
using namespace bgw::testing;
using crystal::Vector3;

namespace {

Tensor normal(std::int64_t rows, std::int64_t width, const char* purpose = "x") {
  return tensor::RandomStream(plan::Key{}, purpose).normal(0, 0, rows, width);
}

double largest(const Tensor& x) { return x.abs().max().item<double>(); }

TranslationGroup group_of(const crystal::Crystal& crystal) { return translations_of(crystal.sites, crystal.cell); }

/// Cells in a grid of the given periods, places in order.
TranslationGroup grid(const std::array<std::int64_t, 3>& periods, std::int64_t basis) {
  std::vector<std::int64_t> atoms(static_cast<std::size_t>(periods[0] * periods[1] * periods[2] * basis));
  for (std::size_t i = 0; i < atoms.size(); ++i) atoms[i] = static_cast<std::int64_t>(i);
  return translation_group(periods, atoms);
}

/// Blocks of any numbers, so that nothing hides behind a symmetry.
std::vector<Tensor> random_blocks(const TranslationGroup& group) {
  std::vector<Tensor> blocks;
  const std::int64_t w = 3 * group.basis;
  const Tensor re = normal(static_cast<std::int64_t>(wave_vectors(group.periods).size()), w * w, "re");
  const Tensor im = normal(re.size(0), w * w, "im");
  for (const WaveVector& wave : wave_vectors(group.periods)) {
    const auto n = static_cast<std::int64_t>(blocks.size());
    const Tensor real = re[n].reshape({w, w});
    blocks.push_back(wave.real ? real : at::complex(real, im[n].reshape({w, w})));
  }
  return blocks;
}

/// M as its definition says, [3N, m]: wave by wave, with a cosine for each entry.
Tensor plain_matrix(const TranslationGroup& group, const std::vector<Tensor>& blocks) {
  const std::vector<WaveVector> waves = wave_vectors(group.periods);
  std::vector<Tensor> columns;
  for (std::size_t n = 0; n < waves.size(); ++n) {
    Tensor phase = at::empty({group.particles()}, at::kComplexDouble);
    for (std::int64_t i = 0; i < group.particles(); ++i) {
      const std::int64_t g = group.cell_of[static_cast<std::size_t>(i)];
      const double turns =
          static_cast<double>(waves[n].index[0] * (g / (group.periods[1] * group.periods[2]))) / static_cast<double>(group.periods[0]) +
          static_cast<double>(waves[n].index[1] * (g / group.periods[2] % group.periods[1])) / static_cast<double>(group.periods[1]) +
          static_cast<double>(waves[n].index[2] * (g % group.periods[2])) / static_cast<double>(group.periods[2]);
      phase[i] = c10::complex<double>(std::cos(2 * M_PI * turns), std::sin(2 * M_PI * turns));
    }
    Tensor basis = at::empty({group.particles()}, at::kLong);
    std::copy(group.basis_of.begin(), group.basis_of.end(), basis.data_ptr<std::int64_t>());
    const std::int64_t count = blocks[n].size(1);
    const Tensor of_basis = blocks[n].to(at::kComplexDouble).reshape({group.basis, 3, count});
    const Tensor field = (of_basis.index_select(0, basis) * phase.reshape({-1, 1, 1})).reshape({-1, count}) /
                         std::sqrt(static_cast<double>(group.cells()));
    if (waves[n].real) {
      columns.push_back(at::real(field));
    } else {
      columns.push_back(at::stack({std::sqrt(2.0) * at::real(field), -std::sqrt(2.0) * at::imag(field)}, 2)
                            .reshape({-1, 2 * count}));
    }
  }
  return at::cat(columns, 1);
}

/// A crystal from a cell, its basis (fractional) and repeats.
crystal::Crystal repeated(const crystal::Matrix3& vectors, const std::vector<Vector3>& basis,
                          const std::array<int, 3>& repeats) {
  const crystal::Cell cell{vectors};
  crystal::Crystal crystal;
  crystal.repeats = repeats;
  for (std::size_t k = 0; k < 3; ++k) {
    for (std::size_t d = 0; d < 3; ++d) crystal.cell.vectors[k][d] = vectors[k][d] * repeats[k];
  }
  for (int x = 0; x < repeats[0]; ++x) {
    for (int y = 0; y < repeats[1]; ++y) {
      for (int z = 0; z < repeats[2]; ++z) {
        for (std::size_t b = 0; b < basis.size(); ++b) {
          crystal.sites.push_back(cell.cartesian({x + basis[b][0], y + basis[b][1], z + basis[b][2]}));
          crystal.basis_index.push_back(static_cast<int>(b));
        }
      }
    }
  }
  return crystal;
}

crystal::Crystal triclinic() {
  return repeated({{{3.0, 0.2, -0.1}, {0.7, 2.8, 0.3}, {-0.4, 0.5, 3.1}}}, {{0.1, 0.2, 0.3}, {0.6, 0.55, 0.7}}, {3, 5, 2});
}

}  // namespace

TEST_CASE("every translation of a crystal is found, whatever its cell is called", "[modes]") {
  struct Row {
    const char* name;
    crystal::Crystal crystal;
    std::int64_t basis;
  };
  const auto built_in = [](const char* kind, std::int64_t atoms) {
    return physics::make_crystal(schema::Map{{"potential", stillinger_weber_value(6.189, 2.3925, 23.15)},
                                             {"lattice", lattice_value(kind, atoms, kWaterDensity)}});
  };
  const std::vector<Row> rows{{"diamond 8", built_in("diamond_cubic", 8), 2},
                              {"diamond 216", built_in("diamond_cubic", 216), 2},
                              {"ice Ih 64", built_in("ice_ih", 64), 4},
                              {"fcc 108", built_in("fcc", 108), 1},
                              {"bcc 54", built_in("bcc", 54), 1},
                              {"triclinic", triclinic(), 2},
                              {"one atom in five cells", repeated({{{2, 0, 0}, {0, 2, 0}, {0, 0, 2}}}, {{0, 0, 0}}, {1, 5, 1}), 1}};
  for (const Row& row : rows) {
    INFO(row.name);
    const TranslationGroup group = group_of(row.crystal);
    CHECK(group.basis == row.basis);
    CHECK(group.cells() * group.basis == static_cast<std::int64_t>(row.crystal.sites.size()));
    for (std::size_t i = 0; i < row.crystal.sites.size(); ++i) {
      // The next cell along each step holds the same basis atom, one step away.
      const std::int64_t g = group.cell_of[i];
      for (std::size_t axis = 0; axis < 3; ++axis) {
        std::array<std::int64_t, 3> index{g / (group.periods[1] * group.periods[2]),
                                          g / group.periods[2] % group.periods[1], g % group.periods[2]};
        index[axis] = (index[axis] + 1) % group.periods[axis];
        const std::int64_t next = (index[0] * group.periods[1] + index[1]) * group.periods[2] + index[2];
        const auto j = static_cast<std::size_t>(
            group.atoms[static_cast<std::size_t>(next * group.basis + group.basis_of[i])]);
        Vector3 s{};
        for (std::size_t d = 0; d < 3; ++d)
          s[d] = row.crystal.sites[j][d] - row.crystal.sites[i][d] - group.steps[axis][d];
        s = row.crystal.cell.fractional(s);
        for (const double x : s) CHECK(std::abs(x - std::nearbyint(x)) < 1e-9);
      }
    }
  }
}

TEST_CASE("the translations of cubic diamond take axes of one and two cell edges", "[modes]") {
  std::array<std::int64_t, 3> periods =
      group_of(physics::make_crystal(water("diamond_cubic", 1728))).periods;
  CHECK(periods == std::array<std::int64_t, 3>{6, 12, 12});
}

TEST_CASE("a crystal without symmetry is one cell", "[modes]") {
  crystal::Crystal crystal = physics::make_crystal(water("diamond_cubic", 64));
  crystal.sites[5][1] += 0.01;
  const TranslationGroup group = group_of(crystal);
  CHECK(group.cells() == 1);
  CHECK(group.basis == 64);
}

TEST_CASE("of each pair of wave vectors one is kept", "[modes]") {
  for (const auto& periods : {std::array<std::int64_t, 3>{1, 1, 1}, {2, 4, 4}, {3, 5, 7}, {1, 2, 9}, {4, 1, 1}}) {
    std::int64_t modes = 0;
    for (const WaveVector& wave : wave_vectors(periods)) modes += wave.real ? 1 : 2;
    CHECK(modes == periods[0] * periods[1] * periods[2]);
  }
}

TEST_CASE("the mode transform is its definition, for axes of any length", "[modes]") {
  std::vector<TranslationGroup> groups{group_of(physics::make_crystal(water("ice_ih", 64))), group_of(triclinic()),
                                       group_of(repeated(triclinic().cell.vectors, {{0.1, 0.2, 0.3}, {0.5, 0.8, 0.6}}, {1, 1, 1}))};
  for (const auto& periods : {std::array<std::int64_t, 3>{1, 1, 1}, {2, 3, 1}, {3, 2, 2}, {1, 1, 40}, {1, 48, 1}, {34, 1, 2}, {1, 1, 37}, {1, 19, 1}, {5, 1, 45}})
    groups.push_back(grid(periods, 1));
  for (const TranslationGroup& group : groups) {
    INFO(group.periods[0] << " x " << group.periods[1] << " x " << group.periods[2]);
    const std::vector<Tensor> blocks = random_blocks(group);
    const ModeTransform transform(group, blocks);
    const std::int64_t m = transform.dimension();
    REQUIRE(m == 3 * group.particles());
    const Tensor plain = plain_matrix(group, blocks);
    const Tensor found = transform.displacements(at::eye(m, at::kDouble)).reshape({m, m}).t();
    CHECK(largest(found - plain) < 1e-13 * largest(plain) * static_cast<double>(group.cells() + 10));
    const Tensor g = normal(11, m, "g");
    CHECK(largest(transform.pull_back(g) - g.matmul(plain)) < 1e-12 * static_cast<double>(group.cells() + 10));
    CHECK(largest(transform.squared_norms() - plain.square().sum(0)) < 1e-12 * static_cast<double>(group.cells() + 10));
  }
}

TEST_CASE("a row of the mode transform has the same bits in any batch, on any threads and processor", "[modes]") {
  const TranslationGroup group = group_of(physics::make_crystal(water("ice_ih", 216)));
  const std::vector<Tensor> blocks = random_blocks(group);
  const ModeTransform transform(group, blocks);
  const Tensor y = normal(21, transform.dimension(), "y");
  const Tensor g = normal(21, transform.dimension(), "g");
  const Tensor u = transform.displacements(y);
  const Tensor w = transform.pull_back(g);
  CHECK(at::equal(transform.displacements(y.slice(0, 5, 7)), u.slice(0, 5, 7)));
  CHECK(at::equal(transform.pull_back(g.slice(0, 18, 21)), w.slice(0, 18, 21)));
  const int threads = at::get_num_threads();
  at::set_num_threads(threads == 1 ? 2 : 1);
  CHECK(at::equal(transform.displacements(y), u));
  CHECK(at::equal(transform.pull_back(g), w));
  at::set_num_threads(threads);
  for (const kernels::Variant variant : {kernels::Variant::plain, kernels::Variant::avx2, kernels::Variant::avx512}) {
    if (!kernels::is_available(variant)) continue;
    const ModeTransform other(group, blocks, kernels::mode_kernels(variant));
    CHECK(at::equal(other.displacements(y), u));
    CHECK(at::equal(other.pull_back(g), w));
  }
}

TEST_CASE("what does not fit a mode transform is refused", "[modes]") {
  const TranslationGroup group = grid({1, 2, 3}, 2);
  std::vector<Tensor> blocks = random_blocks(group);
  const ModeTransform transform(group, blocks);
  CHECK_THROWS_AS(transform.displacements(normal(2, 35)), ShapeError);
  CHECK_THROWS_AS(transform.pull_back(normal(2, 35)), ShapeError);
  blocks.pop_back();
  CHECK_THROWS_AS(ModeTransform(group, blocks), ShapeError);
  CHECK_THROWS_AS(translation_group({1, 2, 3}, {0, 1, 2, 3, 4}), InputError);
  CHECK_THROWS_AS(translation_group({1, 2, 1}, {0, 0}), InputError);
}

TEST_CASE("for a quadratic energy nothing is left over by the Gaussian of its waves", "[modes]") {
  // A closed chain: the springs have the translations of a row of cells.
  const std::int64_t n = 9;
  const tests::SpringRing ring(n, {1.7, 0.0, 0.0, 0.0});
  const crystal::Crystal row = repeated({{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}}, {{0, 0, 0}}, {static_cast<int>(n), 1, 1});
  const GaussianBase base = phonon_base(ring, row, 2.0, true);
  CHECK(base.modes->group().cells() == n);
  const WhitenedTarget target(ring, base.modes, base.beta, base.static_energy);
  const Tensor y = normal(13, 3 * n - 3, "y");
  CHECK(largest(target.work(y)) < 1e-12);
  CHECK(largest(target.evaluate(y).gradient) < 1e-12);
  CHECK(largest(target.whiten(target.displacements(y) + 0.3) - y) < 1e-13);
  // kappa = beta k (2 - 2 cos q), three times each
  Tensor expected = at::empty({n - 1}, at::kDouble);
  for (std::int64_t k = 1; k < n; ++k)
    expected[k - 1] = 2.0 * 1.7 * (2.0 - 2.0 * std::cos(2 * M_PI * static_cast<double>(k) / static_cast<double>(n)));
  CHECK(largest(std::get<0>(base.stiffness.sort()) - std::get<0>(expected.repeat_interleave(3).sort())) < 1e-13);
}

TEST_CASE("mode transform times", "[.][bench]") {
  at::set_num_threads(1);
  for (const std::int64_t atoms : {64, 216, 512, 1728}) {
    const crystal::Crystal crystal = physics::make_crystal(water("diamond_cubic", atoms));
    const TranslationGroup group = group_of(crystal);
    const ModeTransform transform(group, random_blocks(group));
    const Tensor y = normal(16, transform.dimension(), "y");
    const Tensor dense = atoms <= 512 ? normal(transform.dimension(), 3 * atoms, "m") : Tensor();
    const auto best = [&](const auto& work) {
      double least = 1e9;
      for (int round = 0; round < 15; ++round) {
        const auto start = std::chrono::steady_clock::now();
        work();
        least = std::min(least, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
      }
      return least * 1e6 / 16;
    };
    const double forth = best([&] { transform.displacements(y); });
    const double back = best([&] { transform.pull_back(y); });
    const double product = dense.defined() ? best([&] { at::mm(y, dense); }) : 0.0;
    std::cout << atoms << " atoms, us a row: u = M y " << forth << ", M^T g " << back << ", dense product " << product
              << "\n";
  }
}
