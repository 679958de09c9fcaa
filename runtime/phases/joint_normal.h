#pragma once

#include <functional>
#include <vector>

#include "runtime/tensor/tensor.h"

namespace bgw::phases {

/// Numbers that are known together: their values, and the covariance of their errors.
struct JointNormal {
  std::vector<double> mean;  // [n]
  Tensor covariance;         // [n, n], float64

  std::size_t size() const { return mean.size(); }
  double sigma(std::size_t i) const;
};

/// Numbers of several origins that know nothing of each other, one after the other.
JointNormal independent(const std::vector<JointNormal>& parts);

/// Numbers made of others. Each principal axis of the covariance is followed by one standard error to both sides; half the
/// difference is that axis' share of the error. Exact for linear functions, and of a smooth one it takes in how it
/// bends over the range of the errors.
/// @param function  finite at all of those points, always of the same length
/// @throws NumericalError when a result is not finite
JointNormal propagate(const std::function<std::vector<double>(const std::vector<double>&)>& function,
                      const JointNormal& numbers);

}  // namespace bgw::phases
