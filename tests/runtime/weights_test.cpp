// Estimators of the quality of weights, and of weights that auxiliary copies are averaged out of.
#include "tests/support/catch.h"

#include <cmath>
#include <limits>

#include "runtime/estimators/bar.h"
#include "runtime/estimators/consistency.h"
#include "runtime/estimators/lfep.h"
#include "runtime/estimators/marginal.h"
#include "runtime/estimators/pareto.h"
#include "runtime/estimators/work_histogram.h"
#include "runtime/foundation/errors.h"

using namespace bgw;
using namespace bgw::estimators;

namespace {

plan::Key key(int number) {
  plan::Key result;
  result.bytes[0] = static_cast<std::uint8_t>(number);
  return result;
}

tensor::RandomStream stream(int number) { return {key(number), "bootstrap"}; }

Tensor normal(std::int64_t n, int seed, const char* purpose = "x") {
  return tensor::RandomStream(key(seed), purpose).normal(0, 0, n, 1).view({n});
}

/// Log weights whose weights have a Pareto distribution, P(w > x) = x^(-1/k).
Tensor pareto_weights(double k, std::int64_t n, int seed) {
  return -k * tensor::RandomStream(key(seed), "u").uniform(0, 0, n, 1).view({n}).log();
}

/// A flow of x and its auxiliary copy, both numbers, with a crystal of which all is known. The crystal has x ~ N(0.3, 0.8^2)
/// with the weight e^0.4 and a ~ N(x, 0.5^2); the flow has x ~ N(0, 1) and a ~ N(0.8 x + 0.1, 0.6^2). So the density of the
/// flow at x alone is N(0, 1), and ln Z of the crystal 0.4.
struct Augmented {
  static constexpr double kLogPartition = 0.4;
  static Tensor log_normal(const Tensor& x, const Tensor& centre, double width) {
    return -0.5 * ((x - centre) / width).square() - std::log(width) - 0.5 * std::log(2.0 * M_PI);
  }
  static Tensor log_crystal(const Tensor& x) { return log_normal(x, at::full_like(x, 0.3), 0.8) + kLogPartition; }
  /// ln crystal - ln flow of x with a copy.
  static Tensor log_weight(const Tensor& x, const Tensor& a) {
    const Tensor flow = log_normal(x, at::zeros_like(x), 1.0) + log_normal(a, 0.8 * x + 0.1, 0.6);
    return log_crystal(x) + log_normal(a, x, 0.5) - flow;
  }
  static Tensor exact_log_weight(const Tensor& x) { return log_crystal(x) - log_normal(x, at::zeros_like(x), 1.0); }
};

/// Marginal log weights of configurations, the first copy given or drawn, with K fresh ones.
Tensor marginal_weights(const Tensor& x, const Tensor& first_copy, std::int64_t fresh, int seed) {
  std::vector<Tensor> columns{Augmented::log_weight(x, first_copy)};
  for (std::int64_t k = 0; k < fresh; ++k) {
    const Tensor copy = x + 0.5 * normal(x.numel(), seed, ("copy" + std::to_string(k)).c_str());
    columns.push_back(Augmented::log_weight(x, copy));
  }
  return marginal_log_weight(at::stack(columns, 1));
}

Tensor flow_weights(std::int64_t n, std::int64_t fresh, int seed) {
  const Tensor x = normal(n, seed), a = 0.8 * x + 0.1 + 0.6 * normal(n, seed, "a");
  return marginal_weights(x, a, fresh, seed);
}

Tensor crystal_weights(std::int64_t n, std::int64_t fresh, int seed) {
  const Tensor x = 0.3 + 0.8 * normal(n, seed, "crystal"), a = x + 0.5 * normal(n, seed, "crystal.a");
  return marginal_weights(x, a, fresh, seed + 100);
}

}  // namespace

TEST_CASE("the tail of Pareto weights has their shape", "[pareto]") {
  for (const double k : {0.1, 0.4, 0.8, 1.5}) {
    const std::int64_t n = 200'000;
    const double tail = 3.0 * std::sqrt(static_cast<double>(n));
    // (1 + k) / sqrt(tail) is the error of maximum likelihood; the weak prior moves the mean by less than a tenth of it.
    CHECK(std::abs(pareto_k(pareto_weights(k, n, 3)) - k) < 4.0 * (1.0 + k) / std::sqrt(tail));
  }
}

TEST_CASE("weights of a narrow Gaussian have a light tail, those of a wide one a heavy tail", "[pareto]") {
  const Tensor x = normal(20'000, 5);
  CHECK(pareto_k(0.3 * x) < 0.3);
  CHECK(pareto_k(4.0 * x) > 0.8);
  CHECK(pareto_k(-700.0 + 0.3 * x) == Approx(pareto_k(0.3 * x)).epsilon(1e-6));
}

TEST_CASE("equal weights leave no tail, and few weights do not tell", "[pareto]") {
  CHECK(pareto_k(at::full({100}, 7.0, at::kDouble)) == 0.0);
  CHECK(std::isnan(pareto_k(normal(20, 1))));
  CHECK(std::isnan(pareto_k(normal(1, 1))));
  Tensor bad = at::zeros({50}, at::kDouble);
  bad[2] = std::numeric_limits<double>::infinity();
  CHECK_THROWS_WITH(pareto_k(bad), Catch::Contains("log weight number 2 is not finite"));
}

TEST_CASE("marginal weights have the mean of the crystal for any number of copies, and approach those of x alone", "[marginal]") {
  double spread_before = std::numeric_limits<double>::infinity();
  for (const std::int64_t fresh : {0, 4, 32}) {
    const Tensor w = flow_weights(20'000, fresh, 7);
    const Estimate f = lfep(w, stream(1), 100);
    CHECK(std::abs(f.value + Augmented::kLogPartition) < 4.0 * f.sigma);
    const double spread = w.var().item<double>();
    CHECK(spread < spread_before);
    spread_before = spread;
  }
  const Tensor x = normal(20'000, 7);
  CHECK(spread_before == Approx(Augmented::exact_log_weight(x).var().item<double>()).margin(0.06));  // and 1/33 of the noise of one copy
}

TEST_CASE("with fresh copies alone the mean of the marginal weights is biased, which is why the flow's own belongs to it", "[marginal]") {
  const Tensor x = normal(40'000, 8), fresh = x + 0.5 * normal(40'000, 8, "fresh");
  const Estimate f = lfep(marginal_weights(x, fresh, 0, 8), stream(2), 100);
  CHECK(-f.value - Augmented::kLogPartition > 6.0 * f.sigma);
}

TEST_CASE("joint, marginal and two-sided estimates agree", "[marginal]") {
  for (const std::int64_t fresh : {0, 4, 32}) {
    const Tensor model = flow_weights(4000, fresh, 9), crystal = crystal_weights(2000, fresh, 9);
    const BarResult both = bar(-model, single_samples(4000), crystal, single_samples(2000), key(4), {100, 1e-3});
    CHECK(std::abs(both.delta_f.value + Augmented::kLogPartition) < 4.0 * both.delta_f.sigma);
  }
  CHECK_THROWS_AS(marginal_log_weight(at::zeros({3}, at::kDouble)), ShapeError);
}

TEST_CASE("one copy is the joint weight, and equal copies change nothing", "[marginal]") {
  const Tensor w = normal(10, 1);
  CHECK((marginal_log_weight(w.unsqueeze(1)) - w).abs().max().item<double>() < 1e-14);
  CHECK((marginal_log_weight((w - 900.0).unsqueeze(1).expand({10, 6})) - w + 900.0).abs().max().item<double>() < 1e-12);
}

TEST_CASE("work histograms share one grid and integrate to one", "[work]") {
  const Tensor forward = 2.0 + normal(500, 1), reverse = normal(300, 2);
  const WorkHistograms h = work_histograms(forward, reverse, 40);
  const double width = (h.work[1] - h.work[0]).item<double>();
  CHECK(h.work.size(0) == 40);
  CHECK((h.forward.sum() * width).item<double>() == Approx(1.0));
  CHECK((h.reverse.sum() * width).item<double>() == Approx(1.0));
  CHECK((h.forward * h.work).sum().item<double>() * width == Approx(forward.mean().item<double>()).margin(width / 2));
  CHECK((h.reverse * h.work).sum().item<double>() * width == Approx(reverse.mean().item<double>()).margin(width / 2));
  CHECK(h.work[0].item<double>() - width / 2 == Approx(reverse.min().item<double>()));
  CHECK(h.work[39].item<double>() + width / 2 == Approx(forward.max().item<double>()));
}

TEST_CASE("work of one side, and works that are all equal, have a histogram", "[work]") {
  const WorkHistograms h = work_histograms(at::full({9}, -1610.0, at::kDouble), {}, 10);
  CHECK_FALSE(h.reverse.defined());
  CHECK((h.forward.sum() * (h.work[1] - h.work[0])).item<double>() == Approx(1.0));
  CHECK_THROWS_AS(work_histograms(at::full({2}, NAN, at::kDouble), {}), NumericalError);
}

TEST_CASE("estimates of Gaussian weights agree within few standard errors, those of others do not", "[consistency]") {
  const auto compared = [](const Tensor& w) { return consistency(one_sided_replicates(w, single_samples(w.numel()), stream(3)), w.numel()); };
  double squares = 0;
  for (int seed = 1; seed <= 30; ++seed) squares += std::pow(compared(0.7 * normal(2000, seed)).sigmas, 2);
  CHECK(std::sqrt(squares / 30) > 0.6);
  CHECK(std::sqrt(squares / 30) < 1.5);
  const Tensor skewed = -normal(4000, 1).square();
  CHECK(compared(skewed).sigmas > 8.0);
  CHECK(compared(skewed).pair == "lfep and cumulant");
  CHECK(compared(at::full({50}, 3.0, at::kDouble)).sigmas < 1e-3);
}

TEST_CASE("the difference of two estimates has an error of its own, smaller than that of either where they share their samples", "[consistency]") {
  const Replicated a{"a", 1.0, {0.9, 1.1, 0.7, 1.3}}, b{"b", 1.02, {0.92, 1.13, 0.71, 1.32}}, c{"c", 1.1, {1.1, 1.0, 1.2, 1.1}};
  const double spread_of_difference = spread({-0.02, -0.03, -0.01, -0.02}) * few_blocks_factor(40);
  CHECK(consistency({a, b}, 40).sigmas == Approx(0.02 / spread_of_difference));
  CHECK(consistency({a, c, b}, 40).pair == "a and b");
  CHECK_THROWS_AS(consistency({a}, 40), ShapeError);
}

TEST_CASE("the replicates of bar and of one side are those of the same resampled draws", "[consistency]") {
  const Tensor model = flow_weights(300, 0, 2), crystal = crystal_weights(200, 0, 2);
  const BarResult both = bar(-model, single_samples(300), crystal, single_samples(200), key(6), {50, 1e-3});
  const Blocks draws = single_samples(300);
  std::vector<Replicated> estimates = one_sided_replicates(model, draws, bar_forward_stream(key(6)), 50);
  CHECK(estimates[0].value == lfep(model, bar_forward_stream(key(6)), 50).value);
  CHECK(spread(estimates[0].replicates) * few_blocks_factor(300) == Approx(lfep(model, bar_forward_stream(key(6)), 50).sigma));
  REQUIRE(both.replicates.size() == 50);
  double together = 0, mean_a = 0, mean_b = 0;
  for (int r = 0; r < 50; ++r) {
    mean_a += both.replicates[static_cast<std::size_t>(r)] / 50;
    mean_b += estimates[0].replicates[static_cast<std::size_t>(r)] / 50;
  }
  for (int r = 0; r < 50; ++r) together += (both.replicates[static_cast<std::size_t>(r)] - mean_a) * (estimates[0].replicates[static_cast<std::size_t>(r)] - mean_b) / 49;
  CHECK(together / (spread(both.replicates) * spread(estimates[0].replicates)) > 0.4);  // independent ones: 0 +- 0.14
}
