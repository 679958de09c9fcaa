#pragma once

#include "runtime/flows/spline_coupling.h"
#include "runtime/flows/step.h"

namespace bgw::flows {

/// Two copies of the atoms share one uniform translation: of the mean of rows `cleared` nothing is left in them, since
/// it is taken off all rows. Comes where the mean of `cleared` is free and that of `other` is zero; where it leaves, it
/// is the other way round. Between these subspaces, in orthonormal coordinates, its determinant is (-1)^3.
/// @source Schebek, Noe, Rogal, Nat. Commun. 17, 5010 (2026)
class MeanExchange : public Step {
 public:
  /// @param cleared, other  parts of the rows, of the same length
  MeanExchange(StatePart cleared, StatePart other) : cleared_(cleared), other_(other) {}

  Tensor forward(const Tensor& x, const Tensor& parameters, Tensor& log_det) const override;
  Tensor inverse(const Tensor& y, const Tensor& parameters, Tensor& log_det) const override;
  Tensor pull_back(const Tensor& x, const Tensor& parameters, const Tensor& y_bar, double log_det_bar,
                   Tensor* gradient) const override;
  Tensor carry_score(const Tensor& x, const Tensor& parameters, const Tensor& score, Tensor* gradient) const override;

 private:
  StatePart cleared_, other_;
};

}  // namespace bgw::flows
