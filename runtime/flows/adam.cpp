#include "runtime/flows/adam.h"

#include <cmath>

namespace bgw::flows {

AdamMoments no_moments(const Tensor& parameters) { return {at::zeros_like(parameters), at::zeros_like(parameters), 0}; }

Tensor adam_step(const Tensor& parameters, const Tensor& gradient, double learning_rate, AdamMoments& moments,
                 const AdamOptions& options) {
  const at::NoGradGuard no_grad;
  moments.steps += 1;
  moments.first = options.beta1 * moments.first + (1.0 - options.beta1) * gradient;
  moments.second = options.beta2 * moments.second + (1.0 - options.beta2) * gradient.square();
  const double n = static_cast<double>(moments.steps);
  const Tensor mean = moments.first / (1.0 - std::pow(options.beta1, n));
  const Tensor spread = (moments.second / (1.0 - std::pow(options.beta2, n))).sqrt();
  return parameters - learning_rate * mean / (spread + options.epsilon);
}

}  // namespace bgw::flows
