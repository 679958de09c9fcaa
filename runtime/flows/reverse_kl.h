#pragma once

#include "runtime/flows/mode_split.h"

namespace bgw::flows {

/// How the gradient of the reverse Kullback-Leibler divergence is taken. Both have the same mean.
enum class KlGradient {
  path,  // through the sample only, dropping the score, whose mean is zero: no noise at the optimum, costs an inverse
  total  // of beta U(f(z)) - ln |df/dz|, as it stands
};

/// A batch's share of a loss, sample by sample.
struct SampleLoss {
  Tensor log_weight;  // [B], ln target - ln model, up to the constant of the base; the loss is -log_weight
  Tensor gradient;    // [B, P], dloss/dparameters
};

/// Reverse KL of the flow against exp(-beta U), per sample: beta (U(x) - U0) - |z|^2 / 2 - m s0 with x = M f(z).
/// The path gradient is that of beta U(x) - |z'|^2 / 2 with z' = f^{-1}(x) at parameters held fixed.
/// @param z           [B, m] standard normal
/// @param parameters  [5]
/// @source Roeder, Wu, Duvenaud, NeurIPS 2017; Vaitl, Nicoli, Nakajima, Kessel, ICML 2022 (path gradients of flows)
SampleLoss reverse_kl(const ModeSplitFlow& flow, KlGradient gradient, const Tensor& z, const Tensor& parameters);

}  // namespace bgw::flows
