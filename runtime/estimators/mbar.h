#pragma once

#include "runtime/estimators/bootstrap.h"
#include "runtime/estimators/numbers.h"

namespace bgw::estimators {

struct MbarOptions {
  std::int64_t bootstrap = 100;
  double least_overlap = 0.01;  // between neighbouring states; below it there is no answer
  double tolerance = 1e-10;     // of the residual
  Tensor observables{};         // [samples of the last state, k], of which the means in that state are wanted; or undefined
};

struct MbarResult {
  Tensor free_energies;       // [K], kT, the first is zero
  Tensor covariance;          // [K, K], of the free energies, by bootstrap over blocks within each state
  Tensor means;               // [k], of the observables over the samples of the last state
  Tensor joint_covariance;    // [K + k, K + k], of free energies and means, by the same replicates
  Tensor overlap_matrix;      // [K, K], N_j sum_n W_ni W_nj: rows sum to one
  double least_overlap = 0;   // smallest element between neighbours in the ladder
  double eigenvalue_gap = 0;  // 1 - second largest eigenvalue of the overlap matrix; 0: the ladder falls apart
  double residual = 0;        // largest |sum_n W_ni - 1|
  std::int64_t iterations = 0;

  /// Free energy of state j minus that of state i, with its standard error, not a number where it is unknown.
  Estimate difference(std::int64_t i, std::int64_t j) const;
};

/// The free energies of K states from samples of all of them: the solution of
/// f_i = -ln sum_n e^{-u_in} / sum_j N_j e^{f_j - u_jn}. Newton's iteration on the convex objective, from the chain of
/// two-state solutions between neighbours; where a step does not shorten the residual, a self-consistent one is taken.
/// @param reduced_energies  [K, n], energy of every sample in every state, kT, up to a constant per sample; infinity where a
///                          state other than the sample's own has no density
/// @param samples           [K], int64, samples of each state, at least one; samples lie in the order of the states
/// @param chain             [n], int64, the chain of each sample; chains do not cross states
/// @throws NumericalError when a number is not finite, the iteration does not converge (with the residual), or
///         neighbours do not overlap (naming them)
/// @source Shirts and Chodera, J. Chem. Phys. 129, 124105 (2008); overlap: Klimovich, Shirts, Mobley, JCAMD 29, 397
/// (2015)
MbarResult mbar(const Tensor& reduced_energies, const Tensor& samples, const Tensor& chain, const plan::Key& stream_key,
                const MbarOptions& options = {});

}  // namespace bgw::estimators
