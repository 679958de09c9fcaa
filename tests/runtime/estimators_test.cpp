#include "tests/support/catch.h"

#include <ATen/Parallel.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "runtime/estimators/jackknife.h"
#include "runtime/estimators/bar.h"
#include "runtime/estimators/lfep.h"
#include "runtime/estimators/mbar.h"
#include "runtime/estimators/rdf.h"
#include "runtime/estimators/statistical_inefficiency.h"
#include "runtime/foundation/errors.h"

using namespace bgw;
using namespace bgw::estimators;

namespace {

plan::Key key(int number) {
  plan::Key result;
  result.bytes[0] = static_cast<std::uint8_t>(number);
  result.bytes[1] = static_cast<std::uint8_t>(number >> 8);
  return result;
}

tensor::RandomStream stream(int number) { return {key(number), "bootstrap"}; }

Tensor normal(std::int64_t n, int seed, const char* purpose = "x") {
  return tensor::RandomStream(key(seed), purpose).normal(0, 0, n, 1).view({n});
}

/// Unnormalised Gaussians e^{-u} with u = (x - centre)^2 / (2 width^2): free energy -ln(width sqrt(2 pi)).
struct Gaussian {
  double centre, width;
  Tensor energy(const Tensor& x) const { return (x - centre).square() / (2.0 * width * width); }
  Tensor draw(std::int64_t n, int seed, const char* purpose) const { return centre + width * normal(n, seed, purpose); }
  double free_energy() const { return -std::log(width * std::sqrt(2.0 * std::numbers::pi)); }
};

const Gaussian kModel{0.0, 1.0};
const Gaussian kTarget{0.6, 0.8};

/// Log weights of draws of the model, relative to the unnormalised model.
Tensor log_weights(std::int64_t n, int seed) {
  const Tensor x = kModel.draw(n, seed, "model");
  return kModel.energy(x) - kTarget.energy(x);
}

const double kExact = kTarget.free_energy() - kModel.free_energy();

/// Root mean square of (value - exact) / sigma over seeds: one for honest errors.
template <typename Make>
double error_ratio(int seeds, double exact, const Make& make) {
  double sum = 0;
  for (int seed = 1; seed <= seeds; ++seed) {
    const Estimate e = make(seed);
    CHECK(std::abs(e.value - exact) < 4.0 * e.sigma);
    sum += (e.value - exact) * (e.value - exact) / (e.sigma * e.sigma);
  }
  return std::sqrt(sum / seeds);
}

BarResult bar_of_gaussians(std::int64_t n_forward, std::int64_t n_reverse, int seed) {
  const Tensor x = kModel.draw(n_forward, seed, "model");
  const Tensor y = kTarget.draw(n_reverse, seed, "target");
  return bar(kTarget.energy(x) - kModel.energy(x), single_samples(n_forward), kModel.energy(y) - kTarget.energy(y),
             single_samples(n_reverse), key(seed), {100, 1e-3});
}

struct Ladder {
  Tensor energies, samples, chain;
};

/// States between the two Gaussians, samples in chains of 25.
Ladder ladder(const std::vector<Gaussian>& states, std::int64_t n, int seed) {
  std::vector<Tensor> x;
  for (std::size_t k = 0; k < states.size(); ++k)
    x.push_back(states[k].draw(n, seed, ("state" + std::to_string(k)).c_str()));
  const Tensor all = at::cat(x);
  std::vector<Tensor> rows;
  for (const Gaussian& g : states) rows.push_back(g.energy(all));
  return {at::stack(rows), at::full({static_cast<std::int64_t>(states.size())}, n, at::kLong),
          at::arange(all.numel(), at::kLong).floor_divide(25)};
}

}  // namespace

TEST_CASE("equal weights are all effective, and one large weight is alone", "[weights]") {
  const WeightSummary equal = summarise(at::full({40}, -700.0, at::kDouble));
  CHECK(equal.ess_fraction == Approx(1.0));
  CHECK(equal.largest_weight == Approx(1.0 / 40));
  CHECK(equal.variance == Approx(0.0).margin(1e-12));
  Tensor w = at::zeros({50}, at::kDouble);
  w[7] = 800.0;
  const WeightSummary alone = summarise(w);
  CHECK(alone.ess_fraction == Approx(1.0 / 50));
  CHECK(alone.largest_weight == Approx(1.0));
}

TEST_CASE("Gaussian log weights have the effective fraction exp(-variance)", "[weights]") {
  const double sigma = 0.6;
  const WeightSummary s = summarise(sigma * normal(200000, 3));
  CHECK(s.variance == Approx(sigma * sigma).epsilon(0.02));
  CHECK(s.ess_fraction == Approx(std::exp(-sigma * sigma)).epsilon(0.02));
  CHECK(normalised_weights(log_weights(100, 1)).sum().item<double>() == Approx(1.0));
}

TEST_CASE("lfep finds the free energy of Gaussians with an honest error", "[lfep]") {
  const double ratio =
      error_ratio(60, kExact, [](int seed) { return lfep(log_weights(1500, seed), stream(seed), 100); });
  CHECK(ratio > 0.75);
  CHECK(ratio < 1.3);
}

TEST_CASE("the second cumulant is exact for Gaussian work", "[lfep]") {
  // Equal widths make the log weight linear in x: Gaussian, with the exact value minus mean minus half the variance.
  const Gaussian shifted{0.7, 1.0};
  const double ratio = error_ratio(40, 0.0, [&](int seed) {
    const Tensor x = kModel.draw(1500, seed, "model");
    return second_cumulant(kModel.energy(x) - shifted.energy(x), stream(seed), 100);
  });
  CHECK(ratio > 0.7);
  CHECK(ratio < 1.35);
}

TEST_CASE("a weight that is not finite is refused by its number", "[weights]") {
  Tensor w = at::zeros({5}, at::kDouble);
  w[3] = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_WITH(lfep(w, stream(1)), Catch::Contains("log weight number 3 is not finite"));
  CHECK_THROWS_AS(summarise(at::zeros({0}, at::kDouble)), ShapeError);
}

TEST_CASE("the effective fraction comes with its error", "[weights]") {
  const double sigma = 0.6;  // Gaussian log weights: exp(-sigma^2)
  const double ratio = error_ratio(40, std::exp(-sigma * sigma), [&](int seed) {
    return effective_fraction(sigma * normal(2000, seed), stream(seed), 100);
  });
  CHECK(ratio > 0.7);
  CHECK(ratio < 1.35);
}

TEST_CASE("the second cumulant of correlated weights has the error of their blocks", "[lfep]") {
  const Tensor w = log_weights(400, 3).repeat_interleave(10);
  const Blocks blocks = chain_blocks(at::arange(4000, at::kLong).floor_divide(10), w);
  const double by_block = second_cumulant(w, blocks, stream(1)).sigma;
  CHECK(by_block / second_cumulant(w, stream(1)).sigma > 2.0);
}

TEST_CASE("bar finds the free energy of Gaussians with an honest error", "[bar]") {
  const double ratio = error_ratio(60, kExact, [](int seed) { return bar_of_gaussians(600, 300, seed).delta_f; });
  CHECK(ratio > 0.75);
  CHECK(ratio < 1.3);
}

TEST_CASE("bar satisfies its own equation to machine precision and changes sign with the states", "[bar]") {
  const Tensor x = kModel.draw(400, 1, "model");
  const Tensor y = kTarget.draw(300, 1, "target");
  const std::vector<double> f = numbers_of(kTarget.energy(x) - kModel.energy(x), "f");
  const std::vector<double> r = numbers_of(kModel.energy(y) - kTarget.energy(y), "r");
  const std::vector<double> ones_f(f.size(), 1.0), ones_r(r.size(), 1.0);
  const double df = bar_root(f, ones_f, r, ones_r);
  const double offset = std::log(400.0 / 300.0);
  double left = 0, right = 0;
  for (const double w : f) left += fermi(offset + w - df);
  for (const double w : r) right += fermi(-offset + w + df);
  CHECK(left == Approx(right).epsilon(1e-12));
  CHECK(bar_root(r, ones_r, f, ones_f) == Approx(-df).epsilon(1e-13));
}

TEST_CASE("bar of one sample a side, and of works far from zero, still has its root", "[bar]") {
  CHECK(bar_root({3.0}, {1.0}, {-1.0}, {1.0}) == Approx(2.0));
  CHECK(bar_root({5000.0, 5001.0}, {1.0, 1.0}, {-4999.0, -4998.0}, {1.0, 1.0}) == Approx(4999.75).margin(1.0));
}

TEST_CASE("identical states overlap fully, distant ones are refused", "[bar]") {
  const Tensor zero = at::zeros({50}, at::kDouble);
  CHECK(bar(zero, single_samples(50), zero, single_samples(50), key(1)).overlap == Approx(1.0));
  const Gaussian far{40.0, 1.0};
  const Tensor x = kModel.draw(100, 1, "model"), y = far.draw(100, 1, "target");
  CHECK_THROWS_WITH(bar(far.energy(x) - kModel.energy(x), single_samples(100), kModel.energy(y) - far.energy(y),
                        single_samples(100), key(1)),
                    Catch::Contains("do not overlap"));
}

TEST_CASE("an error by chains sees the correlation that an error by samples does not", "[bootstrap]") {
  // Every number stands ten times in its chain: the error is that of a tenth of the samples, sqrt 10 times larger.
  const Tensor x = kModel.draw(100, 1, "model").repeat_interleave(10);
  const Tensor y = kTarget.draw(100, 1, "target").repeat_interleave(10);
  const Tensor f = kTarget.energy(x) - kModel.energy(x), r = kModel.energy(y) - kTarget.energy(y);
  const Blocks chains = chain_blocks(at::arange(1000, at::kLong).floor_divide(10), f);
  const double by_chain = bar(f, chains, r, chains, key(2)).delta_f.sigma;
  const double by_sample = bar(f, single_samples(1000), r, single_samples(1000), key(2)).delta_f.sigma;
  CHECK(by_chain / by_sample > 2.0);
}

TEST_CASE("one block tells nothing about its error", "[bootstrap]") {
  const Tensor one = at::tensor({0.5}, at::kDouble);
  CHECK(lfep(one, stream(1)).value == -0.5);
  CHECK(std::isnan(lfep(one, stream(1)).sigma));
  const Tensor two = at::arange(2, at::kLong);
  CHECK(std::isnan(mbar(at::zeros({2, 2}, at::kDouble), at::ones({2}, at::kLong), two, key(1)).difference(0, 1).sigma));
  CHECK(lfep(at::tensor({0.5, 0.5}, at::kDouble), stream(1)).sigma == 0.0);
}

TEST_CASE("few chains are cut into stretches that do not know of each other", "[bootstrap]") {
  const Tensor two = at::arange(2, at::kLong).repeat_interleave(800);
  const Tensor noise = normal(1600, 11);
  const Blocks independent = chain_blocks(two, noise);
  CHECK(independent.count == 32);
  CHECK(independent.of_sample[49] == 0);
  CHECK(independent.of_sample[50] == 1);
  CHECK(independent.of_sample[800] == 16);
  // Every number stands twenty times: its inefficiency is twenty, a block holds at least a hundred samples.
  const Blocks correlated = chain_blocks(two, normal(80, 12).repeat_interleave(20));
  CHECK(correlated.count <= 16);
  CHECK(correlated.count >= 8);
  // Of several quantities the slowest decides.
  CHECK(chain_blocks(two, at::stack({noise, normal(80, 12).repeat_interleave(20)}, 1)).count == correlated.count);
  CHECK(chain_blocks(at::arange(200, at::kLong), normal(200, 13)).count == 200);
  CHECK(chain_blocks(at::zeros({3}, at::kLong), normal(3, 14)).count == 1);  // too short to be cut
}

TEST_CASE("errors from few blocks are those of Student's distribution", "[bootstrap]") {
  const auto student = [](std::int64_t blocks) {
    const double n = static_cast<double>(blocks);
    return few_blocks_factor(blocks) * std::sqrt((n - 1) / n);
  };
  // Quantiles at 0.8413447 for 1, 2, 7 and 31 degrees of freedom: tan(pi (p - 1/2)) for one, tables for the others.
  CHECK(student(2) == Approx(std::tan(std::numbers::pi * 0.3413447)).epsilon(0.02));
  CHECK(student(3) == Approx(1.3213).epsilon(1e-3));
  CHECK(student(8) == Approx(1.0767).epsilon(1e-3));
  CHECK(student(32) == Approx(1.0164).epsilon(1e-3));
}

TEST_CASE("resampling keeps the number of blocks and repeats itself for a replicate", "[bootstrap]") {
  const Blocks blocks = single_samples(100);
  const std::vector<double> counts = resampled_counts(blocks, stream(1), 5);
  double sum = 0;
  for (const double c : counts) sum += c;
  CHECK(sum == 100.0);
  CHECK(counts == resampled_counts(blocks, stream(1), 5));
  CHECK(counts != resampled_counts(blocks, stream(1), 6));
}

TEST_CASE("mbar of two states is bar", "[mbar]") {
  const Ladder two = ladder({kModel, kTarget}, 500, 1);
  const MbarResult result = mbar(two.energies, two.samples, two.chain, key(1), {10, 0.01, 1e-10});
  const Tensor u = two.energies;
  const std::vector<double> f = numbers_of((u[1] - u[0]).slice(0, 0, 500), "f");
  const std::vector<double> r = numbers_of((u[0] - u[1]).slice(0, 500, 1000), "r");
  const double df = bar_root(f, std::vector<double>(500, 1.0), r, std::vector<double>(500, 1.0));
  CHECK(std::abs(result.difference(0, 1).value - df) < 1e-10);
  CHECK(result.residual < 1e-10);
}

TEST_CASE("mbar finds the free energies of a ladder with honest errors", "[mbar]") {
  const std::vector<Gaussian> states = {{0, 1}, {1.2, 0.9}, {2.4, 0.8}, {3.0, 0.5}};
  for (const std::int64_t j : {1, 3}) {
    const double exact = states[static_cast<std::size_t>(j)].free_energy() - states[0].free_energy();
    const double ratio = error_ratio(40, exact, [&](int seed) {
      const Ladder l = ladder(states, 400, seed);
      return mbar(l.energies, l.samples, l.chain, key(seed), {60, 0.01, 1e-10}).difference(0, j);
    });
    CHECK(ratio > 0.7);
    CHECK(ratio < 1.35);
  }
}

TEST_CASE("means of the last state are bound to its free energy as both scatter", "[mbar]") {
  // With u = x^2 / 2 + a x in the last state, f and <x> both know where its samples lie.
  const std::vector<Gaussian> states = {{0, 1}, {1.2, 0.9}};
  constexpr int kSeeds = 60;
  double cross = 0, claimed = 0, spread_of_mean = 0, claimed_mean = 0;
  const double exact = states[1].free_energy() - states[0].free_energy();
  for (int seed = 0; seed < kSeeds; ++seed) {
    const Ladder l = ladder(states, 400, seed);
    const Tensor observable = l.energies[1].slice(0, 400, 800) - l.energies[0].slice(0, 400, 800);
    MbarOptions options;
    options.observables = observable.unsqueeze(1);
    const MbarResult result = mbar(l.energies, l.samples, l.chain, key(seed), options);
    CHECK(result.means[0].item<double>() == Approx(observable.mean().item<double>()));
    CHECK(result.joint_covariance[1][1].item<double>() == Approx(result.covariance[1][1].item<double>()));
    // <u1 - u0> of x ~ N(1.2, 0.9^2): u0 = x^2 / 2, u1 = (x - 1.2)^2 / (2 0.81)
    const double mean = 0.5 - 0.5 * (0.81 + 1.44);
    const double df = result.difference(0, 1).value - exact, dm = result.means[0].item<double>() - mean;
    cross += df * dm / kSeeds;
    spread_of_mean += dm * dm / kSeeds;
    claimed += result.joint_covariance[1][2].item<double>() / kSeeds;
    claimed_mean += result.joint_covariance[2][2].item<double>() / kSeeds;
  }
  CHECK(claimed > 0);
  CHECK(cross == Approx(claimed).epsilon(0.75));  // a covariance from 60 seeds is known to a fifth of its root
  CHECK(std::sqrt(spread_of_mean / claimed_mean) == Approx(1.0).margin(4 / std::sqrt(2.0 * kSeeds)));
}

TEST_CASE("mbar solves its equations and does not mind an energy that all states share", "[mbar]") {
  Ladder l = ladder({{0, 1}, {1.0, 0.9}, {2.0, 1.3}}, 300, 2);
  const MbarResult result = mbar(l.energies, l.samples, l.chain, key(1), {5, 0.01, 1e-10});
  const Tensor f = result.free_energies;
  const Tensor denominator = (l.samples.to(at::kDouble).log().unsqueeze(1) + f.unsqueeze(1) - l.energies).logsumexp(0);
  const Tensor again = -(-l.energies - denominator).logsumexp(1);
  CHECK((again - again[0] - f).abs().max().item<double>() < 1e-9);
  CHECK((result.overlap_matrix.sum(1) - 1.0).abs().max().item<double>() < 1e-9);
  CHECK(result.eigenvalue_gap > 0.1);

  const MbarResult shifted = mbar(l.energies + 3000.0 * normal(900, 5), l.samples, l.chain, key(1), {5, 0.01, 1e-10});
  CHECK((shifted.free_energies - f).abs().max().item<double>() < 1e-9);
  CHECK(shifted.difference(0, 2).sigma == Approx(result.difference(0, 2).sigma).epsilon(1e-6));
}

TEST_CASE("mbar names the neighbours that do not overlap", "[mbar]") {
  const Ladder gap = ladder({{0, 1}, {1, 1}, {30, 1}, {31, 1}}, 100, 1);
  CHECK_THROWS_WITH(mbar(gap.energies, gap.samples, gap.chain, key(1)),
                    Catch::Contains("states 1 and 2 do not overlap"));
}

TEST_CASE("mbar refuses energies that are not finite and states without samples", "[mbar]") {
  Ladder l = ladder({{0, 1}, {1, 1}}, 50, 1);
  CHECK_THROWS_AS(mbar(l.energies, at::tensor({100, 0}, at::kLong), l.chain, key(1)), ShapeError);
  l.energies[1][60] = std::numeric_limits<double>::infinity();
  CHECK_THROWS_WITH(mbar(l.energies, l.samples, l.chain, key(1)),
                    Catch::Contains("sample 60 in state 1 is not finite"));
}

TEST_CASE("the statistical inefficiency of an autoregressive chain is (1 + a) / (1 - a)", "[chains]") {
  const double a = 0.7;
  const Tensor noise = tensor::RandomStream(key(4), "noise").normal(0, 0, 20, 4000);
  std::vector<Tensor> columns = {noise.select(1, 0) / std::sqrt(1 - a * a)};
  for (std::int64_t t = 1; t < 4000; ++t) columns.push_back(a * columns.back() + noise.select(1, t));
  CHECK(statistical_inefficiency(at::stack(columns, 1)) == Approx((1 + a) / (1 - a)).epsilon(0.08));
  CHECK(statistical_inefficiency(noise) == Approx(1.0).margin(0.05));
  CHECK(statistical_inefficiency(at::ones({2, 9}, at::kDouble)) == 1.0);
}

TEST_CASE("a jackknife over blocks knows the error of correlated means, also of chains of unequal length", "[chains]") {
  const double a = 0.7;
  const Tensor noise = tensor::RandomStream(key(8), "noise").normal(0, 0, 10, 4000);
  std::vector<Tensor> columns = {noise.select(1, 0) / std::sqrt(1 - a * a)};
  for (std::int64_t t = 1; t < 4000; ++t) columns.push_back(a * columns.back() + noise.select(1, t));
  const Tensor all = at::stack(columns, 1);
  std::vector<Tensor> chains, rows;
  std::int64_t samples = 0;
  for (std::int64_t c = 0; c < 10; ++c) {
    chains.push_back(all[c].slice(0, 0, 4000 - 150 * c));
    rows.push_back(at::stack({chains.back(), chains.back().square()}, 1));
    samples += chains.back().numel();
  }
  const std::int64_t block = block_length(chains);
  CHECK(block == Approx(5 * (1 + a) / (1 - a)).epsilon(0.15));
  for (const std::int64_t few : {1, 3}) {  // of a replica that left its crystal early
    std::vector<Tensor> with_short = chains;
    with_short.push_back(all[0].slice(0, 0, few));
    CHECK(block_length(with_short) == block);
  }
  CHECK(block_length({at::ones({1}, at::kDouble), at::ones({1}, at::kDouble)}) == 1);
  const Estimate mean = jackknife(rows, block, [](const std::vector<double>& means) { return means[0]; });
  CHECK(mean.sigma == Approx(1 / (1 - a) / std::sqrt(samples)).epsilon(0.15));
  CHECK(std::abs(mean.value) < 4 * mean.sigma);
  const Estimate variance = jackknife(rows, block, [](const std::vector<double>& means) { return means[1] - means[0] * means[0]; });
  CHECK(std::abs(variance.value - 1 / (1 - a * a)) < 4 * variance.sigma);
  CHECK(variance.sigma < 0.1);
  CHECK(std::isnan(jackknife({rows[0]}, 4000, [](const std::vector<double>& means) { return means[0]; }).sigma));
  CHECK_THROWS_AS(jackknife({}, 1, [](const std::vector<double>&) { return 0.0; }), ShapeError);
}

TEST_CASE("the radial distribution of an ideal gas is one, in any cell", "[rdf]") {
  const Tensor orthorhombic = at::diag(at::tensor({5.0, 6.0, 7.0}, at::kDouble));
  const Tensor skewed = at::tensor({5.0, 0.0, 0.0, 1.5, 6.0, 0.0, 0.5, -1.0, 7.0}, at::kDouble).view({3, 3});
  for (const Tensor& cell : {orthorhombic, skewed}) {
    const Tensor fractional = tensor::RandomStream(key(5), "gas").uniform(0, 0, 3000, 36).view({3000, 12, 3});
    const RadialDistribution rdf =
        radial_distribution(at::matmul(fractional, cell), at::zeros({12, 3}, at::kDouble), cell, Tensor(), 10);
    // Beyond the innermost shells every bin has thousands of pairs.
    CHECK((rdf.g.slice(0, 3, 10) - 1.0).abs().max().item<double>() < 0.06);
    CHECK(rdf.r[0].item<double>() == Approx(0.05 * rdf.r[9].item<double>() / 0.95));
  }
}

TEST_CASE("the radial distribution of a crystal has its shells", "[rdf]") {
  std::vector<double> sites;
  for (int i = 0; i < 64; ++i) {
    for (const int c : {i / 16, i / 4 % 4, i % 4}) sites.push_back(c + 0.3);
  }
  const Tensor cell = 4.0 * at::eye(3, at::kDouble);
  const Tensor simple_cubic = at::tensor(at::ArrayRef<double>(sites), at::kDouble).view({64, 3});
  const RadialDistribution rdf =
      radial_distribution(at::zeros({2, 64, 3}, at::kDouble), simple_cubic, cell, Tensor(), 47);
  const Tensor shell = ((rdf.g > 0) * (rdf.r < 1.9)).nonzero().view({-1});
  REQUIRE(shell.numel() == 3);  // 1, sqrt 2, sqrt 3; the next, 2, is the radius
  // Neighbours back from the histogram: g times shell volume times (N - 1) / V, on the bin with the shell's distance.
  const double width = 2.0 / 47;
  const double expected[] = {6, 12, 8};
  const double distance[] = {1.0, std::sqrt(2.0), std::sqrt(3.0)};
  for (std::int64_t k = 0; k < 3; ++k) {
    const std::int64_t bin = shell[k].item<std::int64_t>();
    const double low = static_cast<double>(bin) * width, high = low + width;
    CHECK((low <= distance[k] && distance[k] < high));
    const double volume = 4.0 * std::numbers::pi / 3.0 * (high * high * high - low * low * low);
    CHECK(rdf.g[bin].item<double>() * volume * 63.0 / 64.0 == Approx(expected[k]));
  }
}

TEST_CASE("weights of a radial distribution select configurations, and threads change nothing", "[rdf]") {
  const Tensor cell = 3.0 * at::eye(3, at::kDouble);
  const Tensor sites = at::zeros({6, 3}, at::kDouble);
  const Tensor u = tensor::RandomStream(key(6), "u").normal(0, 0, 40, 18).view({40, 6, 3});
  Tensor weights = at::zeros({40}, at::kDouble);
  weights[11] = 5.0;
  const RadialDistribution one = radial_distribution(u, sites, cell, weights, 30);
  const RadialDistribution alone = radial_distribution(u.slice(0, 11, 12), sites, cell, Tensor(), 30);
  CHECK((one.g - alone.g).abs().max().item<double>() < 1e-12);

  const Tensor uneven = tensor::RandomStream(key(7), "w").uniform(0, 0, 40, 1).view({40});
  const RadialDistribution first = radial_distribution(u, sites, cell, uneven, 30);
  const int threads = at::get_num_threads();
  at::set_num_threads(threads == 1 ? 2 : 1);
  CHECK(at::equal(first.g, radial_distribution(u, sites, cell, uneven, 30).g));
  at::set_num_threads(threads);
}
