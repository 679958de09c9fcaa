#pragma once

#include <vector>

#include "runtime/estimators/numbers.h"

namespace bgw::estimators {

/// An absolute value of one of several numbers, measured independently of them and of the other anchors.
struct Anchor {
  std::int64_t index = 0;
  Estimate value;
};

/// Two anchors against the difference that the numbers themselves have.
struct Disagreement {
  double sigmas = 0;  // standard errors
  std::size_t first = 0, second = 0;
};

struct Anchored {
  Tensor values;                            // [n]
  Tensor covariance;                        // [n, n]
  std::vector<Disagreement> disagreements;  // of every pair of anchors
  double chi_square = 0;                    // of the anchors but the first, each against what was known before it
};

/// Numbers of which the first `floating` are known up to one common constant, tied to absolute values of some of them:
/// generalised least squares of numbers and anchors together. The rest are numbers of their own, which move as far as their
/// errors go with those of the first.
/// @param values      [n]
/// @param covariance  [n, n], of the values as they are
/// @throws ShapeError without an anchor or for one that is not among the floating, NumericalError for an anchor without an
///         error
Anchored anchored(const Tensor& values, const Tensor& covariance, std::int64_t floating, const std::vector<Anchor>& anchors);

}  // namespace bgw::estimators
