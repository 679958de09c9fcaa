#pragma once

#include "runtime/flows/spline_coupling.h"

namespace bgw::flows {

/// What the derivatives of splines become.
struct SplineDerivatives {
  Tensor moved;  // like x
  Tensor raw;    // like the raw numbers, dL/draw
};

// The splines of rational_quadratic_spline.h, number by number in one loop and with written-out derivatives. Knots are
// summed up to the bin of the number, and only that bin's slopes are computed.

/// @param raw  [..., 3 K + 1], float32 or float64
/// @param x    [...], float64
SplineValue direct_spline_forward(const Tensor& raw, const SplineRange& range, const Tensor& x);
SplineValue direct_spline_inverse(const Tensor& raw, const SplineRange& range, const Tensor& y);
/// dL/dx and dL/draw from dL/dy and dL/d ln(dy/dx), one number for all.
SplineDerivatives direct_spline_pull_back(const Tensor& raw, const SplineRange& range, const Tensor& x,
                                          const Tensor& y_bar, double log_derivative_bar);
/// d ln q/dy from d ln q/dx, and the gradient of ln q(y) at fixed y with respect to raw, for ln q(y) = ln q(x) - ln(dy/dx).
SplineDerivatives direct_spline_carry_score(const Tensor& raw, const SplineRange& range, const Tensor& x,
                                            const Tensor& score);

/// SplineCoupling on these splines: the same map, faster. The derivatives of the network are those of autograd.
class DirectSplineCoupling : public Step {
 public:
  DirectSplineCoupling(std::shared_ptr<const Conditioner> conditioner, std::int64_t offset, StatePart given,
                       StatePart moved, SplineRange range)
      : conditioner_(std::move(conditioner)), offset_(offset), given_(given), moved_(moved), range_(range) {}

  Tensor forward(const Tensor& x, const Tensor& parameters, Tensor& log_det) const override;
  Tensor inverse(const Tensor& y, const Tensor& parameters, Tensor& log_det) const override;
  Tensor pull_back(const Tensor& x, const Tensor& parameters, const Tensor& y_bar, double log_det_bar,
                   Tensor* gradient) const override;
  Tensor carry_score(const Tensor& x, const Tensor& parameters, const Tensor& score, Tensor* gradient) const override;

 private:
  template <class Derivatives>
  Tensor derive(const Derivatives& derivatives, const Tensor& x, const Tensor& parameters, const Tensor& bar,
                Tensor* gradient) const;
  Tensor own(const Tensor& flat) const { return flat.narrow(0, offset_, conditioner_->layout().size()); }

  std::shared_ptr<const Conditioner> conditioner_;
  std::int64_t offset_;
  StatePart given_, moved_;
  SplineRange range_;
};

}  // namespace bgw::flows
