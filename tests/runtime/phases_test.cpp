// Free-energy surfaces, their Legendre transform and where two phases meet, on crystals whose free energy is known.
#include "tests/support/catch.h"

#include <cmath>

#include "compiler/units/unit_table.h"
#include "runtime/foundation/errors.h"
#include "runtime/phases/coexistence.h"
#include "tests/support/toy_crystal.h"

using namespace bgw;
using namespace bgw::phases;
using namespace bgw::test;

namespace {

const std::vector<double> kTemperatures{300, 600, 900}, kVolumes{16, 18, 20, 22}, kSkews{-0.05, 0.05};
const SurfaceDegrees kDegrees{1, 2, 2, 3};

}  // namespace

TEST_CASE("errors of linear functions follow exactly, those of smooth ones closely", "[phases]") {
  const Tensor covariance = at::tensor({4.0, 1.0, 1.0, 9.0}, at::TensorOptions().dtype(at::kDouble)).view({2, 2});
  const JointNormal numbers{{1.0, 2.0}, covariance};
  const JointNormal linear = propagate([](const std::vector<double>& x) { return std::vector<double>{x[0] - x[1], 3 * x[0]}; }, numbers);
  CHECK(linear.mean == std::vector<double>{-1.0, 3.0});
  CHECK(linear.sigma(0) == Approx(std::sqrt(4.0 + 9.0 - 2.0)).epsilon(1e-12));
  CHECK(linear.sigma(1) == Approx(6.0).epsilon(1e-12));
  CHECK(linear.covariance[0][1].item<double>() == Approx(3 * (4.0 - 1.0)).epsilon(1e-12));
  const JointNormal small{{1.0}, 1e-8 * at::ones({1, 1}, at::kDouble)};
  CHECK(propagate([](const std::vector<double>& x) { return std::vector<double>{std::exp(x[0])}; }, small).sigma(0) == Approx(1e-4 * std::exp(1.0)).epsilon(1e-6));
  CHECK_THROWS_AS(propagate([](const std::vector<double>& x) { return std::vector<double>{std::log(x[0] - 1.0)}; }, small), NumericalError);
}

TEST_CASE("rows of derivatives are differences of rows", "[phases]") {
  const Polynomial polynomial({{"x", 1.0, 3.0}, {"y", -1.0, 0.5}}, {3, 2}, 4);
  CHECK(polynomial.size() == 11);  // 4 * 3 products less x^3 y^2
  const double h = 1e-5;
  const std::vector<double> at{1.7, 0.2};
  const auto check = [&](const Polynomial::Powers& lower, std::size_t d) {
    Polynomial::Powers higher = lower;
    ++higher[d];
    std::vector<double> above = at, below = at;
    above[d] += h;
    below[d] -= h;
    const std::vector<double> row = polynomial.row(at, higher), up = polynomial.row(above, lower), down = polynomial.row(below, lower);
    for (std::size_t k = 0; k < row.size(); ++k) CHECK(row[k] == Approx((up[k] - down[k]) / (2 * h)).margin(1e-8));
  };
  check({0, 0}, 0);
  check({0, 0}, 1);
  check({1, 0}, 0);
  check({1, 0}, 1);
  CHECK(polynomial.holds({1.0, 0.5}));
  CHECK_FALSE(polynomial.holds({1.0, 0.51}));
}

TEST_CASE("a surface through exact data is the free energy everywhere", "[phases]") {
  const Toy toy;
  const Surface surface(measure(toy, kTemperatures, kVolumes, kSkews), BoxFreedom::a_eq_b, kDegrees);
  const std::vector<double>& c = surface.coefficients().mean;
  CHECK(surface.chi_square() < 1e-8);
  CHECK(surface.widening() == 1.0);
  for (const double t : {350.0, 777.0}) {
    const std::vector<double> box = surface.box_variables({t, 17.3, 0.57, 1.0});
    CHECK(surface.free_energy(t, box, c) == Approx(toy.free_energy(t, 17.3, 0.57)).margin(1e-8));
    CHECK(surface.energy(t, box, c) == Approx(toy.internal_energy(t, 17.3, 0.57)).margin(1e-8));
    CHECK(surface.gradient(t, box, c)[0] == Approx(toy.by_volume(t, 17.3, 0.57)).margin(1e-7));
    CHECK(surface.gradient(t, box, c)[1] == Approx(toy.by_ratio(17.3, 0.57)).margin(1e-7));
  }
}

TEST_CASE("one temperature has a surface of its own, with its own energies", "[phases]") {
  const Toy toy;
  const Surface surface(measure(toy, {600}, kVolumes, {-0.05, 0.0, 0.05}), BoxFreedom::a_eq_b, kDegrees);
  CHECK_FALSE(surface.over_temperatures());
  const GibbsResult at = gibbs_state(surface, surface.coefficients().mean, 600, 0.02);
  REQUIRE(at.search == GibbsSearch::found);
  const double v = at.state.box.volume;
  CHECK(at.state.entropy == Approx((toy.internal_energy(600, v, toy.best_ratio(v)) - toy.free_energy(600, v, toy.best_ratio(v))) / 600).margin(1e-9));
  const Surface along(measure(toy, {600}, kVolumes, {0.0}), BoxFreedom::a_eq_b, SurfaceDegrees{0, 2, 1, 2});  // one shape at each volume
  CHECK(along.energy(600, along.box_variables({600, 17, toy.best_ratio(17), 1}), along.coefficients().mean) == Approx(toy.internal_energy(600, 17, toy.best_ratio(17))).margin(1e-6));
}

TEST_CASE("the slopes of the Gibbs energy are volume and entropy", "[phases]") {
  const Toy toy;
  const Surface surface(measure(toy, kTemperatures, kVolumes, kSkews), BoxFreedom::a_eq_b, kDegrees);
  const std::vector<double>& c = surface.coefficients().mean;
  const auto g = [&](double t, double p) { return gibbs_state(surface, c, t, p).state; };
  for (const double t : {400.0, 650.0, 850.0}) {
    for (const double p : {-0.01, 0.03, 0.08}) {
      const GibbsState at = g(t, p);
      const double dp = 1e-5, dt = 1e-2;
      CHECK((g(t, p + dp).gibbs - g(t, p - dp).gibbs) / (2 * dp) == Approx(at.box.volume).epsilon(1e-7));
      CHECK((g(t + dt, p).gibbs - g(t - dt, p).gibbs) / (2 * dt) == Approx(-at.entropy).epsilon(1e-7));
      CHECK(-at.box.volume * 2 * dp / (g(t, p + dp).box.volume - g(t, p - dp).box.volume) == Approx(at.bulk_modulus).epsilon(1e-6));
      CHECK(at.box.c_over_a == Approx(toy.best_ratio(at.box.volume)).epsilon(1e-8));
      CHECK(at.enthalpy - t * at.entropy == Approx(at.gibbs).epsilon(1e-12));
    }
  }
}

TEST_CASE("volume fluctuations are those of the integral over the volume", "[phases]") {
  const Toy toy;
  const Surface surface(measure(toy, kTemperatures, kVolumes, kSkews), BoxFreedom::a_eq_b, kDegrees);
  const double t = 600, p = 0.02;
  const std::int64_t atoms = 1000;
  const GibbsState at = gibbs_state(surface, surface.coefficients().mean, t, p).state;
  const double beta = 1 / (units::kBoltzmann * t), n = static_cast<double>(atoms);
  double sum = 0;
  const double width = 1e-3;  // of v; integral over V = n v in units of the volume of an atom
  for (double v = 18; v < 22; v += width) {
    const double g = toy.free_energy(t, v, toy.best_ratio(v)) + p * v;
    sum += std::exp(-beta * n * (g - at.gibbs)) * n * width / at.box.volume;
  }
  CHECK(volume_fluctuations(at, atoms) == Approx(-std::log(sum) / (beta * n)).epsilon(2e-3));
}

TEST_CASE("the point where two phases meet is where their Gibbs energies do", "[phases]") {
  const Toy a, b = dense();
  const Surface one(measure(a, kTemperatures, kVolumes, kSkews), BoxFreedom::a_eq_b, kDegrees);
  const Surface other(measure(b, kTemperatures, {13, 14.5, 16, 17.5}, kSkews), BoxFreedom::a_eq_b, kDegrees);
  const std::vector<double>&ca = one.coefficients().mean, &cb = other.coefficients().mean;
  const auto found = crossings(one, ca, other, cb, 600, 0.0, 0.12);
  REQUIRE(found.size() == 1);
  // min over v of the toys themselves, on a fine grid
  const auto gibbs = [](const Toy& toy, double t, double p) {
    double lowest = 1e9;
    for (double v = 12; v < 24; v += 1e-4) lowest = std::min(lowest, toy.free_energy(t, v, toy.best_ratio(v)) + p * v);
    return lowest;
  };
  CHECK(gibbs(a, 600, found[0].pressure) == Approx(gibbs(b, 600, found[0].pressure)).margin(1e-7));
  const auto line = follow(found[0], one, ca, other, cb, {600, 650, 700, 750});
  REQUIRE(line.size() == 4);
  const auto below = crossing_near(one, ca, other, cb, 649.9, line[1].pressure), above = crossing_near(one, ca, other, cb, 650.1, line[1].pressure);
  REQUIRE((below && above));
  CHECK((above->pressure - below->pressure) / 0.2 == Approx(line[1].slope).epsilon(1e-5));
  CHECK(crossings(one, ca, other, cb, 600, 0.0, 0.5 * found[0].pressure).empty());
}

TEST_CASE("under one pressure two phases meet at the temperature of the line, with the error of the line across it", "[phases]") {
  const Surface one(measure(Toy{}, kTemperatures, kVolumes, kSkews), BoxFreedom::a_eq_b, kDegrees);
  const Surface other(measure(dense(), kTemperatures, {13, 14.5, 16, 17.5}, kSkews), BoxFreedom::a_eq_b, kDegrees);
  const std::vector<double>&ca = one.coefficients().mean, &cb = other.coefficients().mean;
  const Crossing line = crossings(one, ca, other, cb, 650, 0.0, 0.12).at(0);
  const auto found = crossings_under(one, ca, other, cb, line.pressure);
  REQUIRE(found.size() == 1);
  CHECK(found[0].a.temperature == Approx(650).epsilon(1e-8));
  CHECK(found[0].pressure == line.pressure);
  const JointNormal joint = independent({one.coefficients(), other.coefficients()});
  const CoexistencePoint across = with_errors(line, one, other, joint);
  CHECK(temperature_error(found[0], one, other, joint) == Approx(across.pressure_sigma / std::abs(line.slope)).epsilon(1e-3));
  CHECK(crossings_under(one, ca, other, cb, 0.5 * line.pressure).empty());

  const Surface isotherm(measure(Toy{}, {600}, kVolumes, kSkews), BoxFreedom::a_eq_b, kDegrees);
  CHECK(crossings_under(isotherm, isotherm.coefficients().mean, other, cb, line.pressure).empty());
}

TEST_CASE("claimed errors of coexistence points are their scatter", "[phases]") {
  std::vector<double> deviations, slopes;
  const Surface exact_a(measure(Toy{}, kTemperatures, kVolumes, kSkews), BoxFreedom::a_eq_b, kDegrees);
  const Surface exact_b(measure(dense(), kTemperatures, {13, 14.5, 16, 17.5}, kSkews), BoxFreedom::a_eq_b, kDegrees);
  const Crossing truth = crossings(exact_a, exact_a.coefficients().mean, exact_b, exact_b.coefficients().mean, 600, 0, 0.12).at(0);
  double chi_square = 0, freedom = 0;
  constexpr int kSeeds = 100;
  for (int seed = 0; seed < kSeeds; ++seed) {
    const Surface a(measure(Toy{}, kTemperatures, kVolumes, kSkews, 2 * seed, 1), BoxFreedom::a_eq_b, kDegrees);
    const Surface b(measure(dense(), kTemperatures, {13, 14.5, 16, 17.5}, kSkews, 2 * seed + 1, 1), BoxFreedom::a_eq_b, kDegrees);
    chi_square += a.chi_square() + b.chi_square();
    freedom += a.freedom() + b.freedom();
    const auto found = crossing_near(a, a.coefficients().mean, b, b.coefficients().mean, 600, truth.pressure);
    REQUIRE(found);
    const CoexistencePoint point = with_errors(*found, a, b, independent({a.coefficients(), b.coefficients()}));
    deviations.push_back((found->pressure - truth.pressure) / point.pressure_sigma);
    slopes.push_back((found->slope - truth.slope) / point.slope_sigma);
    CHECK(point.gibbs_sigma == Approx(point.pressure_sigma * std::abs(found->b.box.volume - found->a.box.volume)).epsilon(1e-3));
  }
  CHECK(std::abs(chi_square / freedom - 1) < 4 * std::sqrt(2 / freedom));
  for (const std::vector<double>& scatter : {deviations, slopes}) {
    double mean = 0, square = 0;
    for (const double d : scatter) {
      mean += d / kSeeds;
      square += d * d / kSeeds;
    }
    CHECK(std::abs(mean) < 4 / std::sqrt(kSeeds));
    CHECK(std::sqrt(square) < 1 + 4 / std::sqrt(2.0 * kSeeds));
    CHECK(std::sqrt(square) > 1 - 4 / std::sqrt(2.0 * kSeeds) - 0.05);  // widened surfaces claim a little more
  }
}

TEST_CASE("three phases meet where their lines do", "[phases]") {
  Toy third = dense();
  third.energy = -4.17;
  third.volume = 18.0;
  third.entropy = 3.2e-4;
  const Surface a(measure(Toy{}, kTemperatures, kVolumes, kSkews), BoxFreedom::a_eq_b, kDegrees);
  const Surface b(measure(dense(), kTemperatures, {13, 14.5, 16, 17.5}, kSkews), BoxFreedom::a_eq_b, kDegrees);
  const Surface c(measure(third, kTemperatures, {15, 16.5, 18, 19.5}, kSkews), BoxFreedom::a_eq_b, kDegrees);
  const JointNormal joint = independent({a.coefficients(), b.coefficients(), c.coefficients()});
  const auto point = triple_point({&a, &b, &c}, joint, 600, 0.05);
  REQUIRE(point);
  const auto g = [&](const Surface& s) { return gibbs_state(s, s.coefficients().mean, point->temperature, point->pressure).state.gibbs; };
  CHECK(g(a) == Approx(g(b)).margin(1e-10));
  CHECK(g(a) == Approx(g(c)).margin(1e-10));
  CHECK(point->temperature_sigma > 0);
  CHECK_FALSE(triple_point({&a, &b, &c}, joint, 600, 5.0));
}

TEST_CASE("boxes of one shape and of three free edges have surfaces too", "[phases]") {
  // f = k/2 (x - a)^2 + g/2 (y - b - t x)^2 + h/2 (z - c)^2 of x = ln v, y = ln c/a, z = ln b/a.
  const auto numbers_at = [](double v, double c_over_a, double b_over_a) {
    const double x = std::log(v) - 3.0, y = std::log(c_over_a) + 0.5 - 0.3 * x, z = std::log(b_over_a) - 0.02;
    const double f = 6 * x * x + 3 * y * y + 2 * z * z, fx = 12 * x - 0.3 * 6 * y, fy = 6 * y, fz = 4 * z;
    // dF / d ln edge = -v p of that edge
    const double p = -fx / v;
    // ln v = ln a + ln b + ln c, ln c/a = ln c - ln a, ln b/a = ln b - ln a
    const double pxx = -(fx - fy - fz) / v, pyy = -(fx + fz) / v, pzz = -(fx + fy) / v;
    CHECK((pxx + pyy + pzz) / 3 == Approx(p).epsilon(1e-12));
    return std::vector<double>{f, f + 0.1, pxx, pyy, pzz};
  };
  Measurements three, one;
  std::vector<JointNormal> of_three, of_one;
  for (const double v : {18.0, 20.0, 22.0}) {
    for (const double c_over_a : {0.57, 0.62}) {
      for (const double b_over_a : {1.0, 1.05}) {
        three.states.push_back({600, v, c_over_a, b_over_a});
        of_three.push_back({numbers_at(v, c_over_a, b_over_a), covariance_of_state()});
      }
    }
    one.states.push_back({600, v, 0.6, 1.0});
    of_one.push_back({numbers_at(v, 0.6, 1.0), covariance_of_state()});
  }
  three.numbers = independent(of_three);
  one.numbers = independent(of_one);
  const Surface free(three, BoxFreedom::orthorhombic, {0, 2, 2, 2}), fixed(one, BoxFreedom::isotropic, {0, 2, 2, 2});
  CHECK(free.chi_square() < 1e-8);
  CHECK(fixed.chi_square() < 1e-8);
  const GibbsResult at = gibbs_state(free, free.coefficients().mean, 600, 0.0);
  REQUIRE(at.search == GibbsSearch::found);
  CHECK(at.state.box.volume == Approx(std::exp(3.0)).epsilon(1e-9));
  CHECK(at.state.box.c_over_a == Approx(std::exp(-0.5)).epsilon(1e-9));
  CHECK(at.state.box.b_over_a == Approx(std::exp(0.02)).epsilon(1e-9));
  CHECK(gibbs_state(free, free.coefficients().mean, 700, 0.0).search == GibbsSearch::outside);  // it knows one temperature
  CHECK_THROWS_AS(Surface(three, BoxFreedom::isotropic, SurfaceDegrees{0, 2, 2, 2}), InputError);
  CHECK_THROWS_AS(Surface(three, BoxFreedom::a_eq_b, SurfaceDegrees{0, 2, 2, 2}), InputError);
}

TEST_CASE("what has no Gibbs state is said", "[phases]") {
  const Surface surface(measure(Toy{}, kTemperatures, kVolumes, kSkews), BoxFreedom::a_eq_b, kDegrees);
  const GibbsResult far = gibbs_state(surface, surface.coefficients().mean, 600, 1.0);
  CHECK(far.search == GibbsSearch::outside);
  CHECK(far.variable == 0);
  Toy soft;
  soft.shape_stiffness = -1.0;
  const Surface unstable(measure(soft, kTemperatures, kVolumes, kSkews), BoxFreedom::a_eq_b, kDegrees);
  CHECK(gibbs_state(unstable, unstable.coefficients().mean, 600, 0.02).search != GibbsSearch::found);
  CHECK_THROWS_AS(Surface(measure(Toy{}, {600}, {18, 20}, kSkews), BoxFreedom::a_eq_b, SurfaceDegrees{1, 9, 9, 18}), InputError);
  CHECK_THROWS_AS(Surface(measure(Toy{}, kTemperatures, {20}, kSkews), BoxFreedom::a_eq_b, kDegrees), InputError);
  CHECK_THROWS_AS(Surface(Measurements{}, BoxFreedom::isotropic, kDegrees), InputError);
}

TEST_CASE("a surface that misses its data says so in its errors", "[phases]") {
  Measurements measured = measure(Toy{}, kTemperatures, kVolumes, kSkews, 3, 1);
  const double before = Surface(measured, BoxFreedom::a_eq_b, kDegrees).coefficients().sigma(0);
  for (std::size_t k = 0; k < measured.states.size(); ++k) measured.numbers.mean[5 * k] += (k % 2 == 0 ? 1 : -1) * 2e-4;
  const Surface wide(measured, BoxFreedom::a_eq_b, kDegrees);
  CHECK(wide.widening() > 3);
  CHECK(wide.coefficients().sigma(0) > 3 * before);
}
