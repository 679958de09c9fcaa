#pragma once

#include <cstdint>

#include "runtime/tensor/tensor.h"

namespace bgw::estimators {

/// A quantity over the time between two configurations.
struct TimeCurve {
  Tensor time;   // [points], fs
  Tensor value;  // [points]
};

/// Mean squared displacement of an atom between two configurations of a chain, over all pairs that far apart in time,
/// without the motion of all atoms together; up to half the shortest chain.
/// @param displacements  [n, N, 3], of equal steps in time within a chain
/// @param time           [n], fs
/// @param chain          [n], int64; samples of a chain are adjacent and in the order of time
/// @param points         times at most, evenly spaced from the step of the trajectory on
/// @throws ShapeError for other shapes; InputError when a chain is too short or its steps are uneven
TimeCurve msd_over_time(const Tensor& displacements, const Tensor& time, const Tensor& chain, std::int64_t points);

}  // namespace bgw::estimators
