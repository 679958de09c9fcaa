#include "runtime/estimators/mbar_equations.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "runtime/estimators/bar.h"
#include "runtime/foundation/errors.h"

namespace bgw::estimators::equations {
namespace {

std::vector<std::int64_t> first_samples(const Tensor& counts, std::int64_t states, std::int64_t samples) {
  const Tensor dense = counts.to(at::kLong).contiguous();
  std::vector<std::int64_t> first = {0};
  for (std::int64_t k = 0; k < dense.numel(); ++k) {
    if (dense.data_ptr<std::int64_t>()[k] < 1) throw ShapeError(fmt::format("mbar: state {} has no samples", k));
    first.push_back(first.back() + dense.data_ptr<std::int64_t>()[k]);
  }
  if (dense.numel() != states || first.back() != samples) {
    throw ShapeError(fmt::format("mbar: energies for {} states and {} samples, but counts for {} and {}", states,
                                 samples, dense.numel(), first.back()));
  }
  return first;
}

/// Differences u_to - u_from of the samples of `from`.
Numbers works(const double* u, const Problem& p, std::int64_t from, std::int64_t to) {
  Numbers result;
  for (std::int64_t n = p.first[static_cast<std::size_t>(from)]; n < p.first[static_cast<std::size_t>(from + 1)]; ++n) {
    result.push_back(u[to * p.samples + n] - u[from * p.samples + n]);
  }
  return result;
}

Numbers chain_of_two_state_solutions(const double* u, const Problem& p) {
  Numbers f = {0.0};
  for (std::int64_t k = 0; k + 1 < p.states; ++k) {
    const Numbers forward = works(u, p, k, k + 1);
    const Numbers reverse = works(u, p, k + 1, k);
    f.push_back(f.back() + bar_root(forward, Numbers(forward.size(), 1.0), reverse, Numbers(reverse.size(), 1.0)));
  }
  return f;
}

Numbers boltzmann_factors(const double* u, const Problem& p) {
  const auto states = static_cast<std::size_t>(p.states);
  Numbers factors(static_cast<std::size_t>(p.samples) * states);
  for (std::int64_t n = 0; n < p.samples; ++n) {
    double* row = &factors[static_cast<std::size_t>(n) * states];
    for (std::size_t k = 0; k < states; ++k) row[k] = p.guess[k] - u[static_cast<std::int64_t>(k) * p.samples + n];
    const double top = *std::max_element(row, row + states);
    for (std::size_t k = 0; k < states; ++k) row[k] = std::exp(row[k] - top);
  }
  return factors;
}

/// A sample has a density in its own state; in others it may have none, which is an energy of infinity.
void refuse_unlikely(const Tensor& u, const Problem& p) {
  Tensor bad = u.isfinite().logical_or(u.isposinf()).logical_not();
  for (std::int64_t k = 0; k < p.states; ++k) {
    const std::int64_t begin = p.first[static_cast<std::size_t>(k)], end = p.first[static_cast<std::size_t>(k + 1)];
    bad[k].slice(0, begin, end).copy_(u[k].slice(0, begin, end).isfinite().logical_not());
  }
  if (!bad.any().item<bool>()) return;
  const Tensor place = bad.nonzero()[0];
  throw NumericalError(fmt::format("mbar: the energy of sample {} in state {} is not finite",
                                   place[1].item<std::int64_t>(), place[0].item<std::int64_t>()));
}

}  // namespace

Problem make_problem(const Tensor& reduced_energies, const Tensor& counts) {
  if (reduced_energies.dim() != 2 || reduced_energies.size(0) < 2) {
    throw ShapeError("mbar: needs the energies of every sample in at least two states");
  }
  const Tensor dense = reduced_energies.to(at::kDouble).contiguous();
  Problem p;
  p.states = dense.size(0);
  p.samples = dense.size(1);
  p.first = first_samples(counts, p.states, p.samples);
  refuse_unlikely(dense, p);
  p.guess = chain_of_two_state_solutions(dense.data_ptr<double>(), p);
  p.factors = boltzmann_factors(dense.data_ptr<double>(), p);
  return p;
}

Numbers state_counts(const Problem& p, const Numbers& counts) {
  Numbers result(static_cast<std::size_t>(p.states), 0.0);
  for (std::size_t k = 0; k < result.size(); ++k) {
    for (std::int64_t n = p.first[k]; n < p.first[k + 1]; ++n) result[k] += counts[static_cast<std::size_t>(n)];
  }
  return result;
}

namespace {

Sums sums_at(const Problem& p, const Numbers& counts, const Numbers& in_state, const Numbers& shift) {
  const auto states = static_cast<std::size_t>(p.states);
  Numbers scale(states), w(states);
  for (std::size_t k = 0; k < states; ++k) scale[k] = std::exp(shift[k]);
  Sums sums{Numbers(states, 0.0), Numbers(states * states, 0.0), 0.0};
  for (std::size_t n = 0; n < counts.size(); ++n) {
    if (counts[n] == 0.0) continue;
    const double* row = &p.factors[n * states];
    double denominator = 0;
    for (std::size_t k = 0; k < states; ++k) denominator += in_state[k] * (w[k] = scale[k] * row[k]);
    for (std::size_t k = 0; k < states; ++k) w[k] /= denominator;
    for (std::size_t k = 0; k < states; ++k) {
      sums.weight[k] += counts[n] * w[k];
      for (std::size_t j = 0; j <= k; ++j) sums.product[k * states + j] += counts[n] * w[k] * w[j];
    }
  }
  for (std::size_t k = 0; k < states; ++k) {
    for (std::size_t j = 0; j < k; ++j) sums.product[j * states + k] = sums.product[k * states + j];
    sums.residual = std::max(sums.residual, std::abs(sums.weight[k] - 1.0));
  }
  return sums;
}

/// Matrix of Newton's equations of states 1 .. K-1, diag(s) - P N with rows times the counts, so that it is symmetric.
Tensor newton_matrix(const Sums& sums, const Numbers& in_state) {
  const auto states = static_cast<std::int64_t>(in_state.size());
  const Tensor n = at::tensor(at::ArrayRef<double>(in_state), at::kDouble);
  const Tensor s = at::tensor(at::ArrayRef<double>(sums.weight), at::kDouble);
  const Tensor product = at::tensor(at::ArrayRef<double>(sums.product), at::kDouble).view({states, states});
  const Tensor matrix = at::diag(n * s) - n.unsqueeze(1) * product * n;
  return matrix.slice(0, 1, states).slice(1, 1, states);
}

/// Newton's step of the free energies of states 1 .. K-1, from (diag(s) - P N) step = 1 - s. Not finite where the matrix
/// is singular.
Numbers newton_step(const Sums& sums, const Numbers& in_state) {
  const auto states = static_cast<std::int64_t>(in_state.size());
  const Tensor n = at::tensor(at::ArrayRef<double>(in_state), at::kDouble);
  const Tensor s = at::tensor(at::ArrayRef<double>(sums.weight), at::kDouble);
  const auto [inverse, singular] = at::linalg_inv_ex(newton_matrix(sums, in_state));
  const Tensor step = at::mv(inverse, (n * (1.0 - s)).slice(0, 1, states));
  Numbers result(in_state.size(), 0.0);
  for (std::int64_t k = 1; k < states; ++k) {
    result[static_cast<std::size_t>(k)] =
        singular.item<int>() == 0 ? step[k - 1].item<double>() : std::numeric_limits<double>::quiet_NaN();
  }
  return result;
}

Numbers self_consistent_step(const Sums& sums) {
  Numbers step;
  for (const double s : sums.weight) step.push_back(std::log(sums.weight[0] / s));
  return step;
}

Numbers plus(const Numbers& a, const Numbers& b) {
  Numbers sum(a.size());
  std::transform(a.begin(), a.end(), b.begin(), sum.begin(), std::plus<>());
  return sum;
}

/// sum_n c_n W_nk alone, one at the solution.
Numbers weights_at(const Problem& p, const Numbers& counts, const Numbers& in_state, const Numbers& shift) {
  const auto states = static_cast<std::size_t>(p.states);
  Numbers scale(states), weight(states, 0.0);
  for (std::size_t k = 0; k < states; ++k) scale[k] = std::exp(shift[k]);
  for (std::size_t n = 0; n < counts.size(); ++n) {
    if (counts[n] == 0.0) continue;
    const double* row = &p.factors[n * states];
    double denominator = 0;
    for (std::size_t k = 0; k < states; ++k) denominator += in_state[k] * scale[k] * row[k];
    const double share = counts[n] / denominator;
    for (std::size_t k = 0; k < states; ++k) weight[k] += share * scale[k] * row[k];
  }
  return weight;
}

constexpr std::int64_t kMostIterations = 2000;

}  // namespace

Solution solve(const Problem& p, const Numbers& counts, const Numbers& start, double tolerance) {
  const Numbers in_state = state_counts(p, counts);
  Solution now{start, sums_at(p, counts, in_state, start), 0};
  while (now.iterations < kMostIterations && now.sums.residual > 1e-14) {
    now.iterations += 1;
    const Numbers newton = plus(now.shift, newton_step(now.sums, in_state));
    Sums sums = sums_at(p, counts, in_state, newton);
    if (sums.residual < now.sums.residual) {  // false for numbers that are not finite
      now.shift = newton;
      now.sums = std::move(sums);
      continue;
    }
    if (now.sums.residual <= tolerance) break;  // rounding is all that is left
    now.shift = plus(now.shift, self_consistent_step(now.sums));
    now.sums = sums_at(p, counts, in_state, now.shift);
  }
  if (!(now.sums.residual <= tolerance)) {
    throw NumericalError(
        fmt::format("mbar: no convergence: the residual is {:.2g} after {} iterations, {:.0e} is asked for",
                    now.sums.residual, now.iterations, tolerance));
  }
  return now;
}

Tensor free_energies(const Problem& p, const Solution& solution) {
  const Numbers f = plus(p.guess, solution.shift);
  return at::tensor(at::ArrayRef<double>(f), at::kDouble);
}

Overlap overlap_of(const Problem& p, const Sums& sums) {
  Overlap result;
  const Tensor n =
      at::tensor(at::ArrayRef<double>(state_counts(p, Numbers(static_cast<std::size_t>(p.samples), 1.0))), at::kDouble);
  const Tensor product = at::tensor(at::ArrayRef<double>(sums.product), at::kDouble).view({p.states, p.states});
  result.matrix = product * n;
  const Tensor symmetric = product * n.sqrt() * n.sqrt().unsqueeze(1);
  result.eigenvalue_gap = 1.0 - at::linalg_eigvalsh(symmetric)[p.states - 2].item<double>();
  const Tensor up = result.matrix.diagonal(1);
  const Tensor down = result.matrix.diagonal(-1);
  result.least = at::minimum(up, down).min().item<double>();
  return result;
}

void refuse_gaps(const Overlap& result, double least) {
  if (result.least >= least) return;
  const Tensor neighbours = at::minimum(result.matrix.diagonal(1), result.matrix.diagonal(-1));
  const std::int64_t k = neighbours.argmin().item<std::int64_t>();
  throw NumericalError(fmt::format("mbar: states {} and {} do not overlap: {:.2g}, below {:.2g}; use more states", k,
                                   k + 1, result.least, least));
}

NearbySolver::NearbySolver(const Problem& p, const Solution& whole, double tolerance)
    : problem_(p), whole_(whole), tolerance_(tolerance) {
  const Numbers n = state_counts(p, Numbers(static_cast<std::size_t>(p.samples), 1.0));
  const auto [inverse, singular] = at::linalg_inv_ex(newton_matrix(whole.sums, n));
  if (singular.item<int>() == 0) inverse_ = inverse;
}

Numbers NearbySolver::solve_for(const Numbers& counts) const {
  constexpr double kEnough = 1e-7;
  const Numbers in_state = state_counts(problem_, counts);
  Numbers shift = whole_.shift;
  double before = std::numeric_limits<double>::infinity();
  for (int iteration = 0; inverse_.defined() && iteration < 30; ++iteration) {
    const Numbers weight = weights_at(problem_, counts, in_state, shift);
    double residual = 0;
    for (const double s : weight) residual = std::max(residual, std::abs(s - 1.0));
    if (residual <= kEnough) return shift;
    if (!(residual < before)) break;
    before = residual;
    shift = plus(shift, step_of(weight, in_state));
  }
  return solve(problem_, counts, whole_.shift, tolerance_).shift;
}

Numbers NearbySolver::step_of(const Numbers& weight, const Numbers& in_state) const {
  Tensor gradient = at::empty({problem_.states - 1}, at::kDouble);
  for (std::size_t k = 1; k < weight.size(); ++k)
    gradient.data_ptr<double>()[k - 1] = in_state[k] * (1.0 - weight[k]);
  const Tensor step = at::mv(inverse_, gradient);
  Numbers result(weight.size(), 0.0);
  for (std::size_t k = 1; k < weight.size(); ++k) result[k] = step.data_ptr<double>()[k - 1];
  return result;
}

}  // namespace bgw::estimators::equations
