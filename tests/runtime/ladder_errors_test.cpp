// Whether the errors that a ladder of many temperatures claims are those it makes, on chains of which everything is known.
#include <cmath>
#include <numeric>

#include "runtime/estimators/joint_mbar.h"
#include "runtime/tensor/random_stream.h"
#include "tests/support/catch.h"

namespace {

using namespace bgw;

plan::Key key(std::uint8_t number) {
  plan::Key result;
  result.bytes[0] = number;
  return result;
}

constexpr std::int64_t kRungs = 21, kModes = 189, kAtoms = 64, kObservables = 4;

/// kT of a rung; the hottest has three times that of the coldest, as a ladder from 300 to 900 K.
double temperature(std::int64_t rung) { return std::pow(3.0, static_cast<double>(rung) / (kRungs - 1)); }

/// A harmonic crystal of 64 atoms whose configurations are renewed slowly and change places; with a gap, it has a second variant too,
/// that much higher, which it takes and leaves seldom.
struct Crystal {
  std::int64_t chains = 8, rounds = 120;
  double memory = 0.9;  // of an amplitude, from one round to the next
  double gap = 0.0;

  double free_energy(std::int64_t rung) const {
    const double t = temperature(rung);
    return -0.5 * kModes * std::log(t) - (gap > 0 ? std::log1p(std::exp(-gap / t)) : 0.0);
  }
  double energy(std::int64_t rung) const {
    const double t = temperature(rung);
    return (0.5 * kModes * t + (gap > 0 ? gap / (1.0 + std::exp(gap / t)) : 0.0)) / kAtoms;
  }
};

/// Chains at all temperatures, [K C] rung after rung.
class Chains {
 public:
  Chains(const Crystal& crystal, std::uint8_t seed)
      : crystal_(crystal), moves_(key(seed), "moves"), hops_(key(seed), "hops"), swaps_(key(seed), "swaps"), variant_(static_cast<std::size_t>(count()), 0.0) {
    std::vector<double> roots;
    for (std::int64_t i = 0; i < count(); ++i) roots.push_back(std::sqrt(at_temperature(i)));
    root_ = at::tensor(at::ArrayRef<double>(roots), at::kDouble).unsqueeze(1);
    amplitudes_ = moves_.normal(0, 0, count(), kModes) * root_;
    const Tensor draws = hops_.uniform(0, 0, count(), 1);
    for (std::int64_t i = 0; i < count() && crystal.gap > 0; ++i) variant(i) = draws.data_ptr<double>()[i] < 1.0 / (1.0 + std::exp(crystal.gap / at_temperature(i))) ? 1.0 : 0.0;
  }

  void step(std::int64_t round) {
    move(round);
    hop(round);
    exchange(round);
  }
  Tensor energies() const { return 0.5 * amplitudes_.square().sum(1) + crystal_.gap * at::tensor(at::ArrayRef<double>(variant_), at::kDouble); }
  /// Three amplitudes, as pressures would be: the variants differ in the first.
  Tensor observed() const {
    Tensor numbers = amplitudes_.slice(1, 0, 3).clone();
    numbers.select(1, 0).add_(3.0 * at::tensor(at::ArrayRef<double>(variant_), at::kDouble));
    return numbers;
  }

 private:
  std::int64_t count() const { return kRungs * crystal_.chains; }
  double at_temperature(std::int64_t i) const { return temperature(i / crystal_.chains); }
  double& variant(std::int64_t i) { return variant_[static_cast<std::size_t>(i)]; }

  void move(std::int64_t round) {
    const double memory = crystal_.memory;
    amplitudes_ = memory * amplitudes_ + std::sqrt(1.0 - memory * memory) * root_ * moves_.normal(round + 1, 0, count(), kModes);
  }
  void hop(std::int64_t round) {
    const Tensor draws = hops_.uniform(round + 1, 0, count(), 2);
    for (std::int64_t i = 0; i < count() && crystal_.gap > 0; ++i) {
      const double* u = draws.data_ptr<double>() + 2 * i;
      if (u[0] < 0.05 && u[1] < std::exp(-crystal_.gap * (1.0 - 2.0 * variant(i)) / at_temperature(i))) variant(i) = 1.0 - variant(i);
    }
  }
  /// As many sweeps over even and odd pairs as there are temperatures.
  void exchange(std::int64_t round) {
    const Tensor energy = energies(), draws = swaps_.uniform(round, 0, count(), kRungs);
    const auto e = energy.accessor<double, 1>();
    const auto u = draws.accessor<double, 2>();
    std::vector<std::int64_t> holds(static_cast<std::size_t>(count()));
    std::iota(holds.begin(), holds.end(), 0);
    for (std::int64_t sweep = 0; sweep < kRungs; ++sweep) {
      for (std::int64_t i = sweep % 2 * crystal_.chains; i + crystal_.chains < count(); ++i) {
        if ((i / crystal_.chains - sweep) % 2 != 0) continue;
        std::int64_t &cold = holds[static_cast<std::size_t>(i)], &hot = holds[static_cast<std::size_t>(i + crystal_.chains)];
        if (u[i][sweep] < std::exp((1.0 / at_temperature(i) - 1.0 / at_temperature(i + crystal_.chains)) * (e[cold] - e[hot]))) std::swap(cold, hot);
      }
    }
    amplitudes_ = amplitudes_.index_select(0, at::tensor(at::ArrayRef<std::int64_t>(holds), at::kLong));
    std::vector<double> moved;
    for (const std::int64_t i : holds) moved.push_back(variant(i));
    variant_ = std::move(moved);
  }

  Crystal crystal_;
  tensor::RandomStream moves_, hops_, swaps_;
  std::vector<double> variant_;
  Tensor root_, amplitudes_;
};

estimators::JointMbarResult estimate(const Crystal& crystal, std::uint8_t seed) {
  Chains chains(crystal, seed);
  std::vector<Tensor> energies, observed;
  for (std::int64_t round = 0; round < crystal.rounds; ++round) {
    chains.step(round);
    energies.push_back(chains.energies());
    observed.push_back(chains.observed());
  }
  const Tensor energy = at::stack(energies, 1).reshape({-1});
  std::vector<double> betas;
  for (std::int64_t k = 0; k < kRungs; ++k) betas.push_back(1.0 / temperature(k));
  const Tensor observables = at::cat({energy.unsqueeze(1) / static_cast<double>(kAtoms), at::stack(observed, 1).reshape({-1, 3})}, 1);
  estimators::JointMbarOptions options;
  options.bootstrap = 100;
  const Tensor chain = at::arange(crystal.chains, at::kLong).repeat_interleave(crystal.rounds);
  return estimators::joint_mbar(at::outer(at::tensor(at::ArrayRef<double>(betas), at::kDouble), energy), observables, chain, key(77), options);
}

/// Errors that were made beside those that were claimed.
class Ratio {
 public:
  void add(double error, double variance) {
    squares_ += error * error;
    claimed_ += std::sqrt(variance);
    ++count_;
  }
  /// Root mean square of the former over the mean of the latter.
  double value() const { return std::sqrt(squares_ / count_) / (claimed_ / count_); }

 private:
  double squares_ = 0, claimed_ = 0, count_ = 0;
};

struct Ratios {
  Ratio ends, from_coldest, neighbours, energies, mean_energy;
  double blocks = 0;
};

Ratios measured(const Crystal& crystal, int seeds) {
  Ratios ratios;
  for (int seed = 0; seed < seeds; ++seed) {
    const estimators::JointMbarResult found = estimate(crystal, static_cast<std::uint8_t>(seed));
    ratios.blocks += static_cast<double>(found.blocks) / seeds;
    const auto f = found.free_energies.accessor<double, 1>();
    const auto mean = found.means.accessor<double, 2>();
    const auto c = found.covariance.accessor<double, 2>();
    const auto error = [&](std::int64_t k) { return f[k] - (crystal.free_energy(k) - crystal.free_energy(0)); };
    const auto place = [](std::int64_t k) { return kRungs + kObservables * k; };
    double off = 0, variance = 0;
    for (std::int64_t k = 0; k < kRungs; ++k) {
      if (k > 0) ratios.from_coldest.add(error(k), c[k][k]);
      if (k > 0) ratios.neighbours.add(error(k) - error(k - 1), c[k][k] + c[k - 1][k - 1] - 2 * c[k][k - 1]);
      ratios.energies.add(mean[k][0] - crystal.energy(k), c[place(k)][place(k)]);
      off += mean[k][0] - crystal.energy(k);
      for (std::int64_t j = 0; j < kRungs; ++j) variance += c[place(k)][place(j)];
    }
    ratios.ends.add(error(kRungs - 1), c[kRungs - 1][kRungs - 1]);
    ratios.mean_energy.add(off, variance);
  }
  return ratios;
}

void check(const Ratios& ratios) {
  INFO(ratios.blocks << " blocks of slices");
  const auto fits = [](const char* what, const Ratio& ratio) {
    INFO("of " << what << ", made over claimed: " << ratio.value());
    CHECK(ratio.value() > 0.75);
    CHECK(ratio.value() < 1.22);
  };
  fits("free energies between the ends", ratios.ends);
  fits("free energies from the coldest", ratios.from_coldest);
  fits("free energies between neighbours", ratios.neighbours);
  fits("energies", ratios.energies);
  fits("the mean of all energies", ratios.mean_energy);
}

}  // namespace

TEST_CASE("a ladder of 21 temperatures makes the errors that it claims, next to each other and from end to end", "[ladder]") {
  check(measured({8, 120, 0.9, 0.0}, 24));
}

TEST_CASE("a ladder of chains that are one block each makes the errors that it claims", "[ladder]") {
  check(measured({8, 40, 0.95, 0.0}, 20));
}

TEST_CASE("a ladder of a crystal with a variant that it seldom takes makes the errors that it claims", "[ladder]") {
  check(measured({8, 100, 0.5, 4.0}, 12));
}
