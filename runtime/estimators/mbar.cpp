#include "runtime/estimators/mbar.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "runtime/estimators/mbar_equations.h"
#include "runtime/foundation/errors.h"

namespace bgw::estimators {
namespace {

using equations::NearbySolver;
using equations::Numbers;
using equations::Problem;
using equations::Solution;

/// For each sample its least energy in a state other than its own: infinite where no other state has a density.
Numbers reach_of(const Problem& p, const Tensor& energies) {
  Tensor others = energies.to(at::kDouble).clone();
  for (std::int64_t k = 0; k < p.states; ++k) {
    const auto i = static_cast<std::size_t>(k);
    others[k].slice(0, p.first[i], p.first[i + 1]).fill_(INFINITY);
  }
  return numbers_of(std::get<0>(others.min(0)), "energies");
}

/// Samples resampled block by block within each state.
class StateBootstrap {
 public:
  /// @param energies     [K, n]; a resampled state of which no sample has a density elsewhere is drawn again
  /// @param path         [n], energy in the last state less that in the first: its correlation along a chain is what counts
  /// @param observables  [n of the last state, k], which count there too
  StateBootstrap(const Problem& p, const Tensor& energies, const Tensor& path, const Tensor& observables, const Tensor& chain, const plan::Key& stream_key) {
    const Numbers reach = reach_of(p, energies);
    for (std::int64_t k = 0; k < p.states; ++k) {
      const auto i = static_cast<std::size_t>(k);
      reach_.emplace_back(reach.begin() + p.first[i], reach.begin() + p.first[i + 1]);
      Tensor series = path.slice(0, p.first[i], p.first[i + 1]);
      if (k + 1 == p.states && observables.size(1) > 0) series = at::cat({series.unsqueeze(1), observables}, 1);
      blocks_.push_back(chain_blocks(chain.slice(0, p.first[i], p.first[i + 1]), series));
      streams_.emplace_back(stream_key, fmt::format("mbar.{}", k));
    }
  }
  Numbers counts(std::int64_t replicate) const {
    Numbers all;
    for (std::size_t k = 0; k < blocks_.size(); ++k) {
      const Numbers part = resampled_counts(blocks_[k], reach_[k], streams_[k], replicate);
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }
  double factor() const {
    std::int64_t fewest = blocks_.front().count;
    for (const Blocks& b : blocks_) fewest = std::min(fewest, b.count);
    return few_blocks_factor(fewest);
  }

 private:
  std::vector<Blocks> blocks_;
  std::vector<Numbers> reach_;  // of the samples of each state
  std::vector<tensor::RandomStream> streams_;
};

/// Means of the observables over the samples of the last state, sample n of them counting c_n times.
void add_means(const Problem& p, const Tensor& observables, const Numbers& counts, double* means) {
  const std::int64_t width = observables.size(1);
  const double* row = observables.data_ptr<double>();
  double total = 0;
  std::fill(means, means + width, 0.0);
  for (std::int64_t n = p.first[static_cast<std::size_t>(p.states) - 1]; n < p.samples; ++n, row += width) {
    const double count = counts[static_cast<std::size_t>(n)];
    total += count;
    for (std::int64_t i = 0; i < width; ++i) means[i] += count * row[i];
  }
  for (std::int64_t i = 0; i < width; ++i) means[i] /= total;
}

/// Of the free energies, and of the means after them.
Tensor bootstrap_covariance(const Problem& p, const StateBootstrap& resample, const Solution& whole,
                            const Tensor& observables, const MbarOptions& options) {
  const std::int64_t width = p.states + observables.size(1);
  if (options.bootstrap < 2) return at::zeros({width, width}, at::kDouble);
  const NearbySolver nearby(p, whole, options.tolerance);
  Tensor replicates = at::empty({options.bootstrap, width}, at::kDouble);
  for (std::int64_t r = 0; r < options.bootstrap; ++r) {
    const Numbers counts = resample.counts(r);
    const Numbers shift = nearby.solve_for(counts);
    double* row = replicates.data_ptr<double>() + r * width;
    std::copy(shift.begin(), shift.end(), row);
    add_means(p, observables, counts, row + p.states);
  }
  const Tensor centred = replicates - replicates.mean(0, true);
  const double factor = resample.factor();
  return at::mm(centred.t(), centred) * (factor * factor / static_cast<double>(options.bootstrap - 1));
}

/// [n, k] in one piece; k = 0 where none are wanted.
Tensor observables_of(const Problem& p, const Tensor& observables) {
  const std::int64_t n = p.samples - p.first[static_cast<std::size_t>(p.states) - 1];
  if (!observables.defined()) return at::zeros({n, 0}, at::kDouble);
  if (observables.dim() != 2 || observables.size(0) != n) throw ShapeError("mbar: observables are [samples of the last state, k]");
  return observables.to(at::kDouble).contiguous();
}

}  // namespace

Estimate MbarResult::difference(std::int64_t i, std::int64_t j) const {
  const auto at = [](const Tensor& m, std::int64_t a, std::int64_t b) { return m[a][b].item<double>(); };
  const double variance = at(covariance, i, i) + at(covariance, j, j) - 2.0 * at(covariance, i, j);
  return {(free_energies[j] - free_energies[i]).item<double>(), std::sqrt(variance < 0.0 ? 0.0 : variance)};
}

MbarResult mbar(const Tensor& reduced_energies, const Tensor& samples, const Tensor& chain, const plan::Key& stream_key,
                const MbarOptions& options) {
  const Problem p = equations::make_problem(reduced_energies, samples);
  if (chain.dim() != 1 || chain.size(0) != p.samples) throw ShapeError("mbar: needs the chain of each sample");
  const auto states = static_cast<std::size_t>(p.states);
  const Solution solution =
      equations::solve(p, Numbers(static_cast<std::size_t>(p.samples), 1.0), Numbers(states, 0.0), options.tolerance);

  MbarResult result;
  result.free_energies = equations::free_energies(p, solution);
  result.residual = solution.sums.residual;
  result.iterations = solution.iterations;
  const equations::Overlap overlap = equations::overlap_of(p, solution.sums);
  result.overlap_matrix = overlap.matrix;
  result.least_overlap = overlap.least;
  result.eigenvalue_gap = overlap.eigenvalue_gap;
  equations::refuse_gaps(overlap, options.least_overlap);
  const Tensor path = bounded(reduced_energies[-1] - reduced_energies[0]);
  const Tensor observables = observables_of(p, options.observables);
  result.means = at::empty({observables.size(1)}, at::kDouble);
  add_means(p, observables, Numbers(static_cast<std::size_t>(p.samples), 1.0), result.means.data_ptr<double>());
  result.joint_covariance = bootstrap_covariance(p, StateBootstrap(p, reduced_energies, path, observables, chain, stream_key), solution, observables, options);
  result.covariance = result.joint_covariance.slice(0, 0, p.states).slice(1, 0, p.states).contiguous();
  return result;
}

}  // namespace bgw::estimators
