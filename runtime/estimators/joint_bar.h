#pragma once

#include <string>
#include <vector>

#include "runtime/tensor/tensor.h"

namespace bgw::estimators {

/// Samples of one state, chain after chain, each in the order of time.
struct StateSamples {
  Tensor chain;        // [n], int64
  Tensor observables;  // [n, k], numbers whose means in the state are wanted; k may be 0
};

/// Two states whose samples are compared: works of the samples of each in the other, kT. A work is infinite where the other state
/// has no density.
struct StatePair {
  std::int64_t from = 0, to = 0;
  Tensor forward;  // [samples of from]
  Tensor reverse;  // [samples of to]
  std::int64_t line = -1;  // of states one after the other, such as those along one coordinate, of which it is a link; none
};

struct JointBarOptions {
  double least_overlap = 0.01;       // of a pair; below it there is no answer
  std::vector<std::string> names{};  // of the states, for messages; their numbers when there are none
  std::vector<std::string> remedies{};  // of the pairs: what to do where they do not overlap
};

struct JointBarResult {
  Tensor free_energies;      // [K], kT, the first is zero
  Tensor means;              // [K, k]
  Tensor covariance;         // [K + K k, K + K k], of the free energies and then of the means, state after state
  Tensor differences;        // [E], of each pair by itself
  Tensor difference_errors;  // [E]
  Tensor overlaps;           // [E], 0 none, 1 the same distribution
  Tensor closures;           // [E], standard errors by which a pair by itself misses the free energies of all; 0 for one in no loop
};

/// Free energies of K states of which some pairs can be compared, such as the neighbours on a grid, and means in each. The logarithms
/// of the two-sided likelihoods of all pairs are summed, each a function of the difference of two free energies, and the sum is made
/// largest: a pair by itself gives Bennett's acceptance ratio, loops of pairs are closed with the weight of what each pair tells. It
/// is a convex problem of K numbers. MBAR over all states would be the best estimate, and needs each sample in every state.
///
/// Chains of different states know nothing of each other, while all pairs of a state have its samples. The covariance is therefore a
/// sum over states, each the scatter of what blocks of its chains do to the pairs and means of that state, to first order. These are few
/// numbers, which as few blocks tell; their correlations are shrunk nevertheless (shrinkage.h), and what pushes both links of a line at a state
/// the same way, which adds up along it, against what does not. A bootstrap of everything at once would
/// see correlations between states where there are none.
/// @throws ShapeError for shapes that do not fit, or pairs that do not connect the states; NumericalError naming two states that do not
///         overlap, or where the equations do not converge
/// @source Bennett, J. Comput. Phys. 22, 245 (1976); sums of likelihoods: Lindsay, Contemp. Math. 80, 221 (1988)
JointBarResult joint_bar(const std::vector<StateSamples>& states, const std::vector<StatePair>& pairs, const JointBarOptions& options = {});

}  // namespace bgw::estimators
