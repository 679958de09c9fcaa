#include "runtime/estimators/joint_mbar.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "runtime/estimators/bootstrap.h"
#include "runtime/estimators/mbar_equations.h"
#include "runtime/estimators/shrinkage.h"
#include "runtime/foundation/errors.h"

namespace bgw::estimators {
namespace {

using equations::Numbers;
using equations::Problem;

void check_shapes(const Tensor& reduced_energies, const Tensor& observables, const Tensor& chain) {
  if (reduced_energies.dim() != 2 || observables.dim() != 2 || chain.dim() != 1) {
    throw ShapeError("joint_mbar: needs energies [K, K S], observables [K S, k] and chains [S]");
  }
  const std::int64_t samples = reduced_energies.size(0) * chain.size(0);
  if (reduced_energies.size(1) != samples || observables.size(0) != samples) {
    throw ShapeError("joint_mbar: energies, observables and chains differ in their samples");
  }
}

void refuse_gaps(const equations::Overlap& overlap, const JointMbarOptions& options) {
  if (static_cast<std::int64_t>(options.names.size()) != overlap.matrix.size(0)) return equations::refuse_gaps(overlap, options.least_overlap);
  if (overlap.least >= options.least_overlap) return;
  const auto k = static_cast<std::size_t>(at::minimum(overlap.matrix.diagonal(1), overlap.matrix.diagonal(-1)).argmin().item<std::int64_t>());
  throw NumericalError(fmt::format("samples at {} and {} hardly overlap: {:.2g}, below {:.2g}; put more temperatures between them", options.names[k], options.names[k + 1],
                                   overlap.least, options.least_overlap));
}

/// Means of the observables in every state, [K, k] row after row.
Numbers means_at(const Problem& p, const Numbers& counts, const Numbers& shift, const Tensor& observables) {
  const auto states = static_cast<std::size_t>(p.states);
  const auto width = static_cast<std::size_t>(observables.size(1));
  const Numbers in_state = equations::state_counts(p, counts);
  Numbers scale(states), w(states), total(states, 0.0), means(states * width, 0.0);
  for (std::size_t k = 0; k < states; ++k) scale[k] = std::exp(shift[k]);
  const double* x = observables.data_ptr<double>();
  for (std::size_t n = 0; n < counts.size(); ++n, x += width) {
    if (counts[n] == 0.0) continue;
    const double* row = &p.factors[n * states];
    double denominator = 0;
    for (std::size_t k = 0; k < states; ++k) denominator += in_state[k] * (w[k] = scale[k] * row[k]);
    const double share = counts[n] / denominator;
    for (std::size_t k = 0; k < states; ++k) {
      const double weight = share * w[k];
      total[k] += weight;
      for (std::size_t i = 0; i < width; ++i) means[k * width + i] += weight * x[i];
    }
  }
  for (std::size_t k = 0; k < states; ++k) {
    for (std::size_t i = 0; i < width; ++i) means[k * width + i] /= total[k];
  }
  return means;
}

/// Energies of each state's own samples and the observables, [S, …]: whose correlation along the chains counts.
Tensor series_of(const Tensor& reduced_energies, const Tensor& observables, std::int64_t slices) {
  const std::int64_t states = reduced_energies.size(0);
  const Tensor own = reduced_energies.view({states, states, slices}).diagonal(0, 0, 1);  // [S, K]
  const Tensor others = observables.view({states, slices, observables.size(1)}).transpose(0, 1).reshape({slices, -1});
  return bounded(at::cat({own, others}, 1));
}

/// From free energies relative to the first state and means to differences of neighbours and means, and back.
Tensor neighbour_differences(std::int64_t states, std::int64_t rest) {
  Tensor matrix = at::zeros({states - 1 + rest, states + rest}, at::kDouble);
  auto m = matrix.accessor<double, 2>();
  for (std::int64_t k = 0; k + 1 < states; ++k) {
    m[k][k] = -1.0;
    m[k][k + 1] = 1.0;
  }
  for (std::int64_t i = 0; i < rest; ++i) m[states - 1 + i][states + i] = 1.0;
  return matrix;
}

Tensor sums_of_differences(std::int64_t states, std::int64_t rest) {
  Tensor matrix = at::zeros({states + rest, states - 1 + rest}, at::kDouble);
  auto m = matrix.accessor<double, 2>();
  for (std::int64_t k = 1; k < states; ++k) {
    for (std::int64_t j = 0; j < k; ++j) m[k][j] = 1.0;
  }
  for (std::int64_t i = 0; i < rest; ++i) m[states + i][states - 1 + i] = 1.0;
  return matrix;
}

/// Cosines along the ladder, of the differences of neighbours and of each observable, orthonormal, [n, n]. Errors of neighbouring
/// temperatures go the same way, and a sum over many is as wrong as they are together; what depends on the distance of two
/// temperatures alone is diagonal in these waves.
Tensor waves_along(std::int64_t states, std::int64_t observables) {
  const std::int64_t n = states - 1 + states * observables;
  Tensor waves = at::zeros({n, n}, at::kDouble);
  auto w = waves.accessor<double, 2>();
  const auto add = [&](std::int64_t first, std::int64_t stride, std::int64_t count) {
    for (std::int64_t m = 0; m < count; ++m) {
      const double norm = std::sqrt((m == 0 ? 1.0 : 2.0) / static_cast<double>(count));
      const double turn = std::numbers::pi * static_cast<double>(m) / static_cast<double>(count);
      for (std::int64_t k = 0; k < count; ++k) w[first + stride * m][first + stride * k] = norm * std::cos(turn * (static_cast<double>(k) + 0.5));
    }
  };
  add(0, 1, states - 1);
  for (std::int64_t i = 0; i < observables; ++i) add(states - 1 + i, observables, states);
  return waves;
}

/// @param replicates  [bootstrap, K + rest]
Tensor covariance_of(const Tensor& replicates, std::int64_t states, std::int64_t blocks) {
  const std::int64_t rest = replicates.size(1) - states;
  const Tensor local = at::mm(replicates, neighbour_differences(states, rest).t());
  const Tensor centred = local - local.mean(0, true);
  const double factor = few_blocks_factor(blocks);
  const Tensor covariance = at::mm(centred.t(), centred) * (factor * factor / static_cast<double>(replicates.size(0) - 1));
  const std::int64_t degrees = std::min(blocks, replicates.size(0)) - 1;
  const Tensor sums = sums_of_differences(states, rest);
  return at::mm(sums, at::mm(degrees < 1 ? covariance : shrunk_between(covariance, waves_along(states, rest / states), degrees), sums.t()));
}

}  // namespace

JointMbarResult joint_mbar(const Tensor& reduced_energies, const Tensor& observables, const Tensor& chain,
                           const plan::Key& stream_key, const JointMbarOptions& options) {
  check_shapes(reduced_energies, observables, chain);
  if (options.bootstrap < 2) throw ShapeError("joint_mbar: needs at least two resamplings");
  const Tensor energies = reduced_energies.to(at::kDouble).contiguous();
  const Tensor wanted = observables.to(at::kDouble).contiguous();
  const std::int64_t states = energies.size(0), slices = chain.size(0);
  const Problem p = equations::make_problem(energies, at::full({states}, slices, at::kLong));
  const Numbers once(static_cast<std::size_t>(p.samples), 1.0);
  const equations::Solution solution = equations::solve(p, once, Numbers(static_cast<std::size_t>(states), 0.0), options.tolerance);
  const equations::Overlap overlap = equations::overlap_of(p, solution.sums);
  refuse_gaps(overlap, options);

  JointMbarResult result;
  result.free_energies = equations::free_energies(p, solution);
  result.overlap_matrix = overlap.matrix;
  result.least_overlap = overlap.least;
  result.eigenvalue_gap = overlap.eigenvalue_gap;
  result.residual = solution.sums.residual;
  const Numbers means = means_at(p, once, solution.shift, wanted);
  result.means = at::tensor(at::ArrayRef<double>(means), at::kDouble).view({states, wanted.size(1)});

  const Blocks blocks = chain_blocks(chain, series_of(energies, wanted, slices));
  result.blocks = blocks.count;
  const tensor::RandomStream stream(stream_key, "joint_mbar");
  const equations::NearbySolver nearby(p, solution, options.tolerance);
  Tensor replicates = at::empty({options.bootstrap, states + result.means.numel()}, at::kDouble);
  for (std::int64_t r = 0; r < options.bootstrap; ++r) {
    const Numbers of_slice = resampled_counts(blocks, stream, r);
    Numbers counts;
    counts.reserve(once.size());
    for (std::int64_t k = 0; k < states; ++k) counts.insert(counts.end(), of_slice.begin(), of_slice.end());
    const Numbers shift = nearby.solve_for(counts);
    const Numbers resampled = means_at(p, counts, shift, wanted);
    double* row = replicates.data_ptr<double>() + r * replicates.size(1);
    std::copy(resampled.begin(), resampled.end(), std::copy(shift.begin(), shift.end(), row));
  }
  result.covariance = covariance_of(replicates, states, blocks.count);
  return result;
}

}  // namespace bgw::estimators
