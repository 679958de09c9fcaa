#include "runtime/sampling/adaptation.h"

#include <cmath>
#include <numeric>

namespace bgw::sampling {

double adaptation_factor(std::int64_t n, const Tensor& probability, double aim) {
  constexpr double kGain = 2.0;
  constexpr double kDecay = 0.6;  // in (1/2, 1]
  // One after the other, so that the mean does not depend on threads.
  const Tensor flat = probability.contiguous();
  const double* x = flat.data_ptr<double>();
  const double mean = std::accumulate(x, x + flat.numel(), 0.0) / static_cast<double>(flat.numel());
  return std::exp(kGain * std::pow(static_cast<double>(n), -kDecay) * (mean - aim));
}

}  // namespace bgw::sampling
