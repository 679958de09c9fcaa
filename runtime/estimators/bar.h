#pragma once

#include "runtime/estimators/bootstrap.h"
#include "runtime/estimators/numbers.h"

namespace bgw::estimators {

struct BarOptions {
  std::int64_t bootstrap = 200;
  double least_overlap = 1e-3;  // below it there is no answer
};

struct BarResult {
  Estimate delta_f;    // free energy of 1 minus that of 0, kT
  double overlap = 0;  // 0 none, 1 the same distribution: (1/n0 + 1/n1) sum p0 p1 with a sample's responsibilities p
  std::vector<double> replicates;  // of delta_f
};

/// Draws the replicates of state 0's side.
tensor::RandomStream bar_forward_stream(const plan::Key& stream_key);

/// Root of the two-sided equation, to machine precision. Counts say how often each number occurs.
/// @param forward  u1 - u0 on samples of state 0, kT
/// @param reverse  u0 - u1 on samples of state 1, kT
/// @throws NumericalError where no work of one side is finite
double bar_root(const std::vector<double>& forward, const std::vector<double>& forward_counts,
                const std::vector<double>& reverse, const std::vector<double>& reverse_counts);

/// Bennett's acceptance ratio: the free energy difference of two states from samples of both, with the standard error
/// of a bootstrap over each side's blocks. For a flow, state 0 is the model and state 1 the target: forward =
/// -log_weight of draws, reverse = log_weight of reference configurations. A work is infinite where the other state has no
/// density: such a sample counts in the number of its side and nowhere else.
/// @throws NumericalError when a number is neither finite nor infinity, when the states do not overlap, or when too few works
///                        are finite to know the error
/// @source Bennett, J. Comput. Phys. 22, 245 (1976); Shirts et al., Phys. Rev. Lett. 91, 140601 (2003)
BarResult bar(const Tensor& forward, const Blocks& forward_blocks, const Tensor& reverse, const Blocks& reverse_blocks,
              const plan::Key& stream_key, const BarOptions& options = {});

}  // namespace bgw::estimators
