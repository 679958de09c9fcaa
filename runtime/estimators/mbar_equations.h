#pragma once

#include <cstdint>
#include <vector>

#include "runtime/tensor/tensor.h"

// The equations of MBAR and their solution, for the estimators that use them: mbar.h, joint_mbar.h.
namespace bgw::estimators::equations {

using Numbers = std::vector<double>;

/// The samples, state by state, and their energies. Energies are kept as Boltzmann factors relative to a first guess
/// of the free energies and to the largest of each sample, so that iterations need no exponentials and cannot overflow.
struct Problem {
  std::int64_t states = 0;
  std::int64_t samples = 0;
  std::vector<std::int64_t> first;  // first[k] .. first[k+1]-1 are the samples of state k
  Numbers guess;                    // [K]
  Numbers factors;                  // [n][K], e^{guess_k - u_kn} over the largest of the sample
};

/// @param reduced_energies  [K, n], kT; infinity where a state other than the sample's own has no density
/// @param counts            [K], int64, samples of each state; samples lie in the order of the states
/// @throws ShapeError for other shapes, NumericalError when a number is not finite
Problem make_problem(const Tensor& reduced_energies, const Tensor& counts);

/// Sums over samples at free energies guess + shift.
struct Sums {
  Numbers weight;   // [K], sum_n c_n W_nk, one at the solution
  Numbers product;  // [K][K], sum_n c_n W_nj W_nk
  double residual = 0;
};

struct Solution {
  Numbers shift;  // [K], free energies relative to the guess
  Sums sums;
  std::int64_t iterations = 0;
};

/// From `start` by Newton's steps and, where one does not shorten the residual, self-consistent ones.
/// @param counts  [n], how often each sample counts
/// @throws NumericalError where the residual stays above the tolerance
Solution solve(const Problem& p, const Numbers& counts, const Numbers& start, double tolerance);

/// Free energies, the first zero.
Tensor free_energies(const Problem& p, const Solution& solution);

/// How neighbouring states share their samples.
struct Overlap {
  Tensor matrix;             // [K, K], N_j sum_n W_ni W_nj: rows sum to one
  double least = 0;          // smallest element between neighbours
  double eigenvalue_gap = 0; // 1 - second largest eigenvalue; 0: the states fall apart
};
Overlap overlap_of(const Problem& p, const Sums& sums);
/// @throws NumericalError naming the neighbours that share less than `least`
void refuse_gaps(const Overlap& overlap, double least);

/// The solution for resampled counts, near that of all samples, by steps with the matrix of the latter: it costs n K in
/// place of n K^2 an iteration. Replicates need no more digits than an error has.
class NearbySolver {
 public:
  NearbySolver(const Problem& p, const Solution& whole, double tolerance);
  /// Free energies relative to the guess.
  Numbers solve_for(const Numbers& counts) const;

 private:
  Numbers step_of(const Numbers& weight, const Numbers& in_state) const;

  const Problem& problem_;
  const Solution& whole_;
  double tolerance_;
  Tensor inverse_;  // undefined where the matrix is singular
};

/// Number of samples of each state when sample n counts c_n times.
Numbers state_counts(const Problem& p, const Numbers& counts);

}  // namespace bgw::estimators::equations
