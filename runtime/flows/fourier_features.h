#pragma once

#include <cstdint>

#include "runtime/tensor/tensor.h"

namespace bgw::flows {

/// Where the waves of features begin and after which length they come again.
struct FourierRange {
  double lower = 0;
  double period = 1;
};

/// Waves of coordinates, cos(n w (y - lower)) and sin(n w (y - lower)) with w = 2 pi / period and n = 1..frequencies:
/// smooth in the coordinates, the same for those that differ by a period. Gradients flow through.
/// @param y  [..., columns]
/// @return   [..., 2 columns frequencies] of the same type: all cosines, then all sines, each by columns and then by n
Tensor fourier_features(const Tensor& y, const FourierRange& range, std::int64_t frequencies);

}  // namespace bgw::flows
