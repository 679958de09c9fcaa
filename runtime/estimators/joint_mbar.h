#pragma once

#include <string>
#include <vector>

#include "compiler/plan/plan.h"
#include "runtime/tensor/tensor.h"

namespace bgw::estimators {

struct JointMbarOptions {
  std::int64_t bootstrap = 200;
  double least_overlap = 0.01;  // between neighbouring states; below it there is no answer
  double tolerance = 1e-10;     // of the residual
  std::vector<std::string> names{};  // of the states, for messages; their numbers when there are none
};

struct JointMbarResult {
  Tensor free_energies;       // [K], kT, the first is zero
  Tensor means;               // [K, k], of the observables in each state, from the samples of all
  Tensor covariance;          // [K + K k, K + K k], of the free energies and then of the means, state after state
  Tensor overlap_matrix;      // [K, K]
  double least_overlap = 0;   // smallest element between neighbours
  double eigenvalue_gap = 0;  // 1 - second largest eigenvalue of the overlap matrix
  double residual = 0;        // largest |sum_n W_ni - 1|
  std::int64_t blocks = 0;    // what was resampled
};

/// Free energies of K states, and means in each, from slices: a slice is one sample of every state, of one chain at one time.
/// Slices are resampled whole, in blocks of their chains, so that what the states know of each other, because their chains
/// change places, is in the errors. The replicates are fewer than the numbers, so correlations between waves along the ladder, of the
/// differences of neighbouring states and of the means, are shrunk (shrinkage.h).
/// @param reduced_energies  [K, K S], energy of every sample in every state, kT; samples lie in the order of the states,
///                          in each in the order of `chain`
/// @param observables       [K S, k], functions of the configuration alone; k may be 0
/// @param chain             [S], int64, the chain of each slice, in each chain in the order of time
/// @throws as mbar (mbar.h)
JointMbarResult joint_mbar(const Tensor& reduced_energies, const Tensor& observables, const Tensor& chain,
                           const plan::Key& stream_key, const JointMbarOptions& options = {});

}  // namespace bgw::estimators
