#pragma once

#include "runtime/flows/generator.h"
#include "runtime/flows/mode_split.h"

namespace bgw::flows {

/// Reverse KL of the flow against exp(-beta U), per sample: beta (U(x) - U0) - |z|^2 / 2 - m s0 with x = M f(z).
/// The path gradient is that of beta U(x) - |z'|^2 / 2 with z' = f^{-1}(x) at parameters held fixed.
/// @param z           [B, m] standard normal
/// @param parameters  [5]
/// @source Roeder, Wu, Duvenaud, NeurIPS 2017; Vaitl, Nicoli, Nakajima, Kessel, ICML 2022 (path gradients of flows)
SampleLoss reverse_kl(const ModeSplitFlow& flow, KlGradient gradient, const Tensor& z, const Tensor& parameters);

}  // namespace bgw::flows
