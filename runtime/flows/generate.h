#pragma once

#include "runtime/flows/mode_split.h"

namespace bgw::flows {

/// Configurations drawn from a flow, with the weights that make them exact.
struct Draws {
  Tensor displacements;  // [B, N, 3]
  Tensor energy;         // [B]
  Tensor log_weight;  // [B], ln target - ln model: -beta (U - U0) + |z|^2 / 2 + m s0. With ln Zc of the Gaussian base,
                      //      ln Zc(target) = sum ln(2 pi / kappa) / 2 - beta U0 + ln mean exp(log_weight)
};

/// Pushes standard normal z [B, m] through the flow.
Draws generate(const ModeSplitFlow& flow, const Tensor& z, const Tensor& parameters);

/// The log weight of given configurations, by the inverse flow: the same number as `generate` would give for the z
/// they come from. Uniform shifts of a configuration drop out.
/// @param displacements [B, N, 3], from the sites of the base
/// @return [B]
Tensor log_weight_of(const ModeSplitFlow& flow, const Tensor& displacements, const Tensor& parameters);

}  // namespace bgw::flows
