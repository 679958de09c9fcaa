#include <cmath>
#include <numbers>

#include "runtime/estimators/averages.h"
#include "runtime/estimators/bar.h"
#include "runtime/estimators/lfep.h"
#include "runtime/estimators/mbar.h"
#include "runtime/sampling/ais.h"
#include "runtime/sampling/staged_reference.h"
#include "tests/support/catch.h"

// The errors that results claim, against the errors they make: a small crystal whose free energy is known, computed
// with 400 seeds by each estimator, from the samples that tasks would give it. An interval of one standard error should hold
// the truth 68.3 times in 100; from 400 seeds 236 to 310 are four standard deviations of that count.

using namespace bgw;

namespace {

constexpr int kSeeds = 400;
constexpr double kCubic = 0.06, kQuartic = 0.02;
constexpr std::int64_t kAtoms = 4, kDimension = 3 * kAtoms;

plan::Key key(int seed) {
  plan::Key result;
  result.bytes[0] = static_cast<std::uint8_t>(seed);
  result.bytes[1] = static_cast<std::uint8_t>(seed >> 8);
  return result;
}

/// Atoms each in its own well: x^2 / 2 + cubic x^3 + quartic x^4 for every coordinate.
class Wells : public physics::EnergyModel {
 public:
  std::int64_t particles() const override { return kAtoms; }
  Tensor energy(const Tensor& u) const override {
    return (u.square() * (0.5 + u * (kCubic + kQuartic * u))).sum({1, 2});
  }
  physics::EnergyAndGradient energy_and_gradient(const Tensor& u) const override {
    return {energy(u), u * (1.0 + u * (3.0 * kCubic + 4.0 * kQuartic * u))};
  }
  physics::GradientAndProduct gradient_and_product(const Tensor&, const Tensor&) const override {
    throw std::logic_error("estimators need no second derivative");
  }
  Tensor hessian_sum(const Tensor&) const override { throw std::logic_error("estimators need no second derivative"); }
  physics::CallCount calls() const override { return {}; }
};

/// Integral of f(x) e^{-energy of one coordinate}.
template <typename F>
double integral(const F& f) {
  constexpr double kStep = 1e-3;
  double sum = 0;
  for (double x = -9; x < 9; x += kStep) sum += f(x) * std::exp(-x * x * (0.5 + x * (kCubic + kQuartic * x)));
  return kStep * sum;
}

/// ln(Z / Z_Gaussian) for the Gaussian of that width in every coordinate.
double exact_log_ratio(double width) {
  const double one = std::log(integral([](double) { return 1.0; })) - 0.5 * std::log(2.0 * std::numbers::pi) - std::log(width);
  return static_cast<double>(kDimension) * one;
}

/// Counts of intervals that hold the truth.
class Coverage {
 public:
  Coverage(const char* name, double exact) : name_(name), exact_(exact) {}
  void add(const estimators::Estimate& estimate) {
    REQUIRE(estimate.sigma > 0);
    const double deviation = (estimate.value - exact_) / estimate.sigma;
    held_ += std::abs(deviation) <= 1.0;
    squares_ += deviation * deviation;
    seeds_ += 1;
  }
  void check() const {
    REQUIRE(seeds_ == kSeeds);
    INFO(name_ << ": held by " << held_ << " of " << seeds_ << ", rms deviation " << std::sqrt(squares_ / seeds_));
    CHECK(held_ >= 236);
    CHECK(held_ <= 310);
  }

 private:
  const char* name_;
  double exact_;
  int held_ = 0, seeds_ = 0;
  double squares_ = 0;
};

Tensor gaussian_draws(int seed, std::int64_t n) {
  return tensor::RandomStream(key(seed), "draws").normal(0, 0, n, kDimension);
}

sampling::StagedOptions chains(std::int64_t states) {
  sampling::StagedOptions options;
  options.states = states;
  options.chains = 8;
  options.steps = 40;
  return options;
}

sampling::StagedState staged(const physics::WhitenedTarget& target, std::int64_t states, int seed) {
  sampling::StagedState state = sampling::start_staged(target, chains(states));
  sampling::run_staged(target, chains(states), key(seed), state, {});
  return state;
}

estimators::Estimate by_mbar(const sampling::StagedState& state, int seed) {
  const auto mbar = estimators::mbar(sampling::reduced_energies(state), sampling::samples_of_states(state),
                                     sampling::chain_of_samples(state), key(seed));
  return mbar.difference(0, state.work.size(0) - 1);
}

}  // namespace

TEST_CASE("one-sided estimates hold the truth as often as they say", "[coverage]") {
  const Wells wells;
  const physics::WhitenedTarget target(wells, at::eye(kDimension, at::kDouble), 1.0, 0.0);
  Coverage average("lfep", -exact_log_ratio(1.0));
  // The second cumulant is exact for Gaussian weights, those of a crystal with the modes of its base and other sites.
  Coverage cumulant("cumulant", -(0.4 + 0.5));
  for (int seed = 1; seed <= kSeeds; ++seed) {
    const tensor::RandomStream stream(key(seed), "bootstrap");
    average.add(estimators::lfep(-target.work(gaussian_draws(seed, 400)), stream));
    const Tensor log_weight = 0.4 + tensor::RandomStream(key(seed), "weights").normal(0, 0, 400, 1).view({-1});
    cumulant.add(estimators::second_cumulant(log_weight, stream));
  }
  average.check();
  cumulant.check();
}

TEST_CASE("estimates from chains hold the truth as often as they say", "[coverage]") {
  const Wells wells;
  const physics::WhitenedTarget target(wells, at::eye(kDimension, at::kDouble), 1.0, 0.0);
  const double second = integral([](double x) { return x * x; }) / integral([](double) { return 1.0; });
  Coverage bar("bar", -exact_log_ratio(1.0)), mbar("mbar", -exact_log_ratio(1.0)), reverse("lfep of chains", exact_log_ratio(1.0)),
      mean("mean of blocks", second);
  for (int seed = 1; seed <= kSeeds; ++seed) {
    const sampling::StagedState state = staged(target, 3, seed);
    mbar.add(by_mbar(state, seed));
    const Tensor work = state.work[-1].reshape({-1});
    const Tensor chain = at::arange(8, at::kLong).repeat_interleave(40);
    const estimators::Blocks blocks = estimators::chain_blocks(chain, work);
    const Tensor forward = target.work(gaussian_draws(seed, 200));
    bar.add(estimators::bar(forward, estimators::single_samples(200), -work, blocks, key(seed)).delta_f);
    reverse.add(estimators::lfep(work, blocks, tensor::RandomStream(key(seed), "reverse")));
    const Tensor squares = state.target_positions.square().mean(2).t().reshape({-1});
    const estimators::Means means = estimators::weighted_means(squares, Tensor(), estimators::chain_blocks(chain, squares),
                                                               tensor::RandomStream(key(seed), "means"));
    mean.add({means.value[0].item<double>(), means.sigma()[0].item<double>()});
  }
  for (const Coverage& coverage : {bar, mbar, reverse, mean}) coverage.check();
}

TEST_CASE("annealing holds the truth as often as it says", "[coverage]") {
  const Wells wells;
  const physics::WhitenedTarget target(wells, at::eye(kDimension, at::kDouble), 1.0, 0.0);
  Coverage annealing("ais", -exact_log_ratio(1.0));
  for (int seed = 1; seed <= kSeeds; ++seed) {
    sampling::AisOptions options;
    options.trajectories = 100;
    sampling::AisState state;
    sampling::run_ais(target, options, key(seed), state, {});
    annealing.add(estimators::lfep(state.done_log_weight, tensor::RandomStream(key(seed), "bootstrap")));
  }
  annealing.check();
}

TEST_CASE("the path from an Einstein crystal holds the truth as often as it says", "[coverage]") {
  const Wells wells;
  const double width = 0.7;  // springs twice as stiff as the crystal
  const physics::WhitenedTarget target(wells, width * at::eye(kDimension, at::kDouble), 1.0, 0.0);
  Coverage einstein("einstein_crystal", -exact_log_ratio(width));
  for (int seed = 1; seed <= kSeeds; ++seed) einstein.add(by_mbar(staged(target, 4, seed), seed));
  einstein.check();
}
