#pragma once

#include "runtime/tensor/tensor.h"

namespace bgw::estimators {

/// Log weights of configurations x alone, from those of x completed by several auxiliary copies a_k: where a flow has the
/// density q(x, a) and the crystal p(x) p(a | x), the density of the flow at x is the mean over a from p(a | x) of
/// q(x, a) / p(a | x), and
///
///     q^ = 1/(K+1) sum_k q(x, a_k) / p(a_k | x),      log weight = ln p(x) - ln q^ = -ln mean_k exp(-log_weight_k).
///
/// Of a sample of the flow, a_0 must be the copy that came with it and the others fresh draws of p(a | x): then the mean
/// of exp(log weight) is that of the crystal without bias for every K, since (x, a_0 .. a_K) with a hidden place of the flow's
/// own copy is a sample of an extended space. K = 0 is the joint weight; more copies bring the variance down to that of x alone.
/// With fresh copies only, as often done, it is biased. Of a sample of the crystal all K + 1 are fresh, which makes it a sample of
/// the same extended space: works of both sides belong together in a two-sided estimate when K is the same.
/// @param log_weight  [n, K + 1], of each sample with each copy
/// @return            [n]
/// @throws ShapeError unless there are two dimensions and a copy
/// @source Andrieu and Roberts, Ann. Stat. 37, 697 (2009) (pseudo-marginal); Burda, Grosse, Salakhutdinov, ICLR 2016
Tensor marginal_log_weight(const Tensor& log_weight);

}  // namespace bgw::estimators
