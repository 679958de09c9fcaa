#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "runtime/crystal/lattice.h"
#include "runtime/estimators/averages.h"
#include "runtime/estimators/bond_order.h"
#include "runtime/estimators/rdf.h"
#include "runtime/estimators/time_curve.h"
#include "runtime/foundation/errors.h"
#include "tests/support/catch.h"

namespace {

using namespace bgw;
using namespace bgw::estimators;

plan::Key key(std::uint8_t first) {
  plan::Key result;
  result.bytes[0] = first;
  return result;
}

struct Lattice {
  Tensor sites, cell;
};

Lattice lattice(const char* name, std::int64_t atoms, double density) {
  const crystal::LatticeKind& kind = *crystal::find_lattice(name);
  const crystal::Crystal made = crystal::make_crystal(kind, *crystal::repeats_for(kind, atoms), density);
  Lattice result{at::empty({atoms, 3}, at::kDouble), at::empty({3, 3}, at::kDouble)};
  for (std::int64_t i = 0; i < atoms; ++i) {
    for (std::int64_t d = 0; d < 3; ++d) result.sites.data_ptr<double>()[3 * i + d] = made.sites[static_cast<std::size_t>(i)][static_cast<std::size_t>(d)];
  }
  for (std::int64_t i = 0; i < 9; ++i) result.cell.data_ptr<double>()[i] = made.cell.vectors[static_cast<std::size_t>(i / 3)][static_cast<std::size_t>(i % 3)];
  return result;
}

/// A rotation about an axis that no lattice has.
Tensor rotation() {
  const Tensor generator = at::tensor({0.0, 0.7, -0.4, -0.7, 0.0, 0.9, 0.4, -0.9, 0.0}, at::kDouble).view({3, 3});
  return at::matrix_exp(generator);
}

constexpr double kWater = 0.033567184;

Tensor still(const Lattice& crystal) { return at::zeros({1, crystal.sites.size(0), 3}, at::kDouble); }

}  // namespace

TEST_CASE("a weighted mean is that of repeated samples, and its error covers the mean of many sets", "[averages]") {
  const Tensor x = at::tensor({1.0, 5.0, 2.0}, at::kDouble), w = at::tensor({2.0, 1.0, 3.0}, at::kDouble);
  const auto first = [](const double* means) { return means[0]; };
  const tensor::RandomStream stream(key(1), "bootstrap");
  CHECK(weighted_means(x, w, single_samples(3), stream).of(first).value == Approx(13.0 / 6.0));

  // 200 sets of 60 numbers of unit variance in 20 blocks of three equal ones: the error is 1 / sqrt 20.
  const Tensor noise = tensor::RandomStream(key(2), "x").normal(0, 0, 200, 20).repeat_interleave(3, 1);
  Blocks blocks{{}, 20};
  for (std::int64_t i = 0; i < 60; ++i) blocks.of_sample.push_back(i / 3);
  int inside = 0;
  double sum = 0;
  for (std::int64_t set = 0; set < 200; ++set) {
    const Estimate mean = weighted_means(noise[set], {}, blocks, tensor::RandomStream(key(3), "bootstrap")).of(first);
    inside += std::abs(mean.value) < mean.sigma ? 1 : 0;
    sum += mean.sigma;
  }
  CHECK(sum / 200 == Approx(1 / std::sqrt(20.0)).epsilon(0.05));
  CHECK(std::abs(inside - 0.683 * 200) < 4 * std::sqrt(200 * 0.683 * 0.317));
}

TEST_CASE("a function of means has the error of its derivative", "[averages]") {
  const Tensor x = tensor::RandomStream(key(4), "x").normal(0, 0, 4000, 1).view({4000});
  const Means moments = weighted_means(at::stack({x, x.square()}, 1), {}, single_samples(4000), tensor::RandomStream(key(5), "bootstrap"));
  const Estimate variance = moments.of([](const double* m) { return m[1] - m[0] * m[0]; });
  CHECK(variance.sigma == Approx(std::sqrt(2.0 / 4000)).epsilon(0.2));
  CHECK(std::abs(variance.value - 1.0) < 4 * variance.sigma);
}

TEST_CASE("one block tells nothing of its error, and wrong numbers are refused", "[averages]") {
  const tensor::RandomStream stream(key(6), "bootstrap");
  const auto first = [](const double* means) { return means[0]; };
  CHECK(std::isnan(weighted_means(at::ones({4}, at::kDouble), {}, Blocks{{0, 0, 0, 0}, 1}, stream).of(first).sigma));
  CHECK_THROWS_AS(weighted_means(at::full({4}, NAN, at::kDouble), {}, single_samples(4), stream), NumericalError);
  CHECK_THROWS_AS(weighted_means(at::ones({4}, at::kDouble), at::zeros({4}, at::kDouble), single_samples(4), stream), NumericalError);
  CHECK_THROWS_AS(weighted_means(at::ones({4}, at::kDouble), at::ones({3}, at::kDouble), single_samples(4), stream), ShapeError);
}

TEST_CASE("a histogram integrates to one and has the shape of its distribution", "[averages]") {
  const Tensor x = tensor::RandomStream(key(7), "x").uniform(0, 0, 5000, 2);
  const Tensor triangular = x.sum(1);  // density 1 - |x - 1| on 0 .. 2
  for (const Tensor& weights : {Tensor(), triangular}) {
    const Histogram drawn = histogram(triangular, weights, single_samples(5000), 20, tensor::RandomStream(key(8), "bootstrap"));
    const double width = (drawn.centre[1] - drawn.centre[0]).item<double>();
    CHECK(drawn.density.sum().item<double>() * width == Approx(1.0));
    Tensor expected = 1.0 - (drawn.centre - 1.0).abs();
    if (weights.defined()) expected = expected * drawn.centre;  // the mean of x is one
    const Tensor inner = at::arange(1, 19, at::kLong);
    CHECK(((drawn.density - expected) / drawn.sigma).index_select(0, inner).abs().max().item<double>() < 4.5);
  }
  CHECK(histogram(at::full({3}, 2.0, at::kDouble), {}, single_samples(3), 3, tensor::RandomStream(key(9), "b")).density[1].item<double>() == Approx(3.0));
}

TEST_CASE("the averaged bond order of ice in its two shells is the published one", "[bond_order]") {
  const Lattice cubic = lattice("diamond_cubic", 216, kWater), hexagonal = lattice("ice_ih", 216, kWater);
  const double cut = two_shell_cutoff(cubic.sites, cubic.cell);
  CHECK((cut > 4.5 && cut < 5.2));
  CHECK(two_shell_cutoff(hexagonal.sites, hexagonal.cell) == Approx(cut).epsilon(0.02));
  const Tensor of_cubic = averaged_bond_order(still(cubic), cubic.sites, cubic.cell, {}, 6, cut);
  const Tensor of_hexagonal = averaged_bond_order(still(hexagonal), hexagonal.sites, hexagonal.cell, {}, 6, cut);
  CHECK(of_cubic.min().item<double>() == Approx(0.2738).margin(1e-4));
  CHECK(of_cubic.max().item<double>() == Approx(0.2738).margin(1e-4));
  for (std::int64_t i = 0; i < 216; ++i) {
    const double q = of_hexagonal[0][i].item<double>();
    CHECK(std::min(std::abs(q - 0.2315), std::abs(q - 0.1782)) < 1e-4);
  }
  CHECK(averaged_bond_order(still(cubic), cubic.sites, cubic.cell, {}, 6, 3.2).mean().item<double>() == Approx(0.6285).margin(1e-4));
}

TEST_CASE("the bond order of a face-centred cubic crystal is that of the literature at any degree", "[bond_order]") {
  const Lattice fcc = lattice("fcc", 108, 1.0);
  const double cut = 1.2 * std::pow(2.0, 1.0 / 6.0);  // between the first shell and the second
  CHECK(averaged_bond_order(still(fcc), fcc.sites, fcc.cell, {}, 4, cut)[0][5].item<double>() == Approx(0.19094).margin(1e-5));
  CHECK(averaged_bond_order(still(fcc), fcc.sites, fcc.cell, {}, 6, cut)[0][5].item<double>() == Approx(0.57452).margin(1e-5));
  CHECK_THROWS_AS(averaged_bond_order(still(fcc), fcc.sites, fcc.cell, {}, 5, cut), InputError);
}

TEST_CASE("bond order does not change with rotation, the size of the box, or threads", "[bond_order]") {
  const Lattice small = lattice("diamond_cubic", 8, kWater), large = lattice("diamond_cubic", 64, kWater);
  // Eight atoms have their neighbours among images.
  CHECK(averaged_bond_order(still(small), small.sites, small.cell, {}, 6, 4.85)[0][3].item<double>() == Approx(0.2738).margin(1e-4));
  const Tensor u = 0.2 * tensor::RandomStream(key(10), "u").normal(0, 0, 3, 192).view({3, 64, 3});
  const Tensor orders = averaged_bond_order(u, large.sites, large.cell, {}, 6, 4.85);
  const Tensor turn = rotation();
  const Tensor turned = averaged_bond_order(at::matmul(u, turn), at::matmul(large.sites, turn), at::matmul(large.cell, turn), {}, 6, 4.85);
  CHECK((orders - turned).abs().max().item<double>() < 1e-12);
  const Tensor deformed = averaged_bond_order(u, large.sites, large.cell, turn.t().expand({3, 3, 3}).contiguous(), 6, 4.85);
  CHECK((orders - deformed).abs().max().item<double>() < 1e-12);
  const int threads = at::get_num_threads();
  at::set_num_threads(threads == 1 ? 2 : 1);
  CHECK(at::equal(orders, averaged_bond_order(u, large.sites, large.cell, {}, 6, 4.85)));
  at::set_num_threads(threads);
}

TEST_CASE("a deformed cell has the radial distribution of the same crystal made so", "[rdf]") {
  const Lattice ice = lattice("diamond_cubic", 64, kWater);
  const Tensor u = 0.2 * tensor::RandomStream(key(11), "u").normal(0, 0, 2, 192).view({2, 64, 3});
  const Tensor stretch = at::tensor({1.1, 0.05, 0.0, 0.05, 0.95, -0.1, 0.0, -0.1, 1.02}, at::kDouble).view({3, 3});
  const RadialDistribution deformed = radial_distribution(u, ice.sites, ice.cell, {}, 50, stretch.expand({2, 3, 3}).contiguous());
  const RadialDistribution made = radial_distribution(at::matmul(u, stretch.t()), at::matmul(ice.sites, stretch.t()), at::matmul(ice.cell, stretch.t()), {}, 50);
  CHECK((deformed.r - made.r).abs().max().item<double>() < 1e-12);
  CHECK((deformed.g - made.g).abs().max().item<double>() < 1e-9);
}

TEST_CASE("atoms that move steadily apart have a quadratic mean squared displacement, chain by chain", "[msd]") {
  // Two chains of 6 and 8 configurations, two atoms with opposite velocities; a common drift does not count.
  const double velocity = 0.03;
  Tensor u = at::zeros({14, 2, 3}, at::kDouble), time = at::zeros({14}, at::kDouble);
  Tensor chain = at::zeros({14}, at::kLong);
  for (std::int64_t i = 0; i < 14; ++i) {
    const double t = 5.0 * static_cast<double>(i < 6 ? i : i - 6);
    time[i] = t;
    chain[i] = i < 6 ? 0 : 1;
    u[i][0][0] = velocity * t + 7.0 * t;
    u[i][1][0] = -velocity * t + 7.0 * t;
  }
  const TimeCurve curve = msd_over_time(u, time, chain, 100);
  REQUIRE(curve.time.size(0) == 3);
  for (std::int64_t p = 0; p < 3; ++p) {
    const double t = 5.0 * static_cast<double>(p + 1);
    CHECK(curve.time[p].item<double>() == t);
    CHECK(curve.value[p].item<double>() == Approx(velocity * velocity * t * t));
  }
  time[3] = 15.5;
  CHECK_THROWS_AS(msd_over_time(u, time, chain, 100), InputError);
}
