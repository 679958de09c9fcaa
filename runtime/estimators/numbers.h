#pragma once

#include <cmath>
#include <vector>

#include "runtime/tensor/tensor.h"

namespace bgw::estimators {

/// A number and its standard error.
struct Estimate {
  double value = 0;
  double sigma = 0;  // not a number where the samples are too few to tell
};

/// The numbers of a one-dimensional tensor, as float64.
/// @throws ShapeError unless it has one dimension and is not empty; `name` says which
std::vector<double> numbers_of(const Tensor& tensor, const char* name);

/// The same, refusing numbers that are not finite with NumericalError.
std::vector<double> finite_numbers_of(const Tensor& tensor, const char* name);

/// Log weights: finite, or minus infinity for a weight of zero, which a sample has where one of the two sides has no density.
/// @throws NumericalError when one is something else, or when all are zero
std::vector<double> log_weights_of(const Tensor& tensor);
/// Works: finite, or infinity where the other side has no density.
/// @throws NumericalError when one is something else, or when none is finite
std::vector<double> works_of(const Tensor& tensor, const char* name);

/// 1 / (1 + e^x) without overflow.
inline double fermi(double x) { return x > 0 ? std::exp(-x) / (1.0 + std::exp(-x)) : 1.0 / (1.0 + std::exp(x)); }

}  // namespace bgw::estimators
