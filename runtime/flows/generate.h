#pragma once

#include "runtime/flows/generator.h"
#include "runtime/flows/mode_split.h"

namespace bgw::flows {

/// Pushes standard normal z [B, m] through the flow.
Draws generate(const ModeSplitFlow& flow, const Tensor& z, const Tensor& parameters);

/// The log weight of given configurations, by the inverse flow: the same number as `generate` would give for the z
/// they come from. Uniform shifts of a configuration drop out.
/// @param displacements [B, N, 3], from the sites of the base
/// @return [B]
Tensor log_weight_of(const ModeSplitFlow& flow, const Tensor& displacements, const Tensor& parameters);

}  // namespace bgw::flows
