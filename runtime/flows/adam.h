#pragma once

#include <cstdint>

#include "runtime/tensor/tensor.h"

namespace bgw::flows {

/// Decay of the two moments and the guard against division by zero. The second moment forgets quickly: trainings
/// here take tens of steps.
struct AdamOptions {
  double beta1 = 0.9;
  double beta2 = 0.99;
  double epsilon = 1e-8;
};

/// What Adam remembers between steps.
struct AdamMoments {
  Tensor first;   // like the parameters
  Tensor second;  // like the parameters
  std::int64_t steps = 0;
};

AdamMoments no_moments(const Tensor& parameters);

/// One step of Adam: new parameters, and the moments updated in place.
/// @source Kingma and Ba, ICLR 2015, with bias correction
Tensor adam_step(const Tensor& parameters, const Tensor& gradient, double learning_rate, AdamMoments& moments,
                 const AdamOptions& options = {});

}  // namespace bgw::flows
