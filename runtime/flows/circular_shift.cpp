#include "runtime/flows/circular_shift.h"

namespace bgw::flows {

Tensor wrapped_to_unit(const Tensor& x) {
  const Tensor inside = x - x.floor();
  // A small negative number ends at one exactly, which is zero on the circle. What is no number stays none.
  return at::where(inside >= 1.0, at::zeros_like(inside), inside);
}

Tensor CircularShift::forward(const Tensor& x, const Tensor& parameters, Tensor& /*log_det*/) const {
  return wrapped_to_unit(x + shift(parameters)).roll(-turns_, 2);
}

Tensor CircularShift::inverse(const Tensor& y, const Tensor& parameters, Tensor& /*log_det*/) const {
  return wrapped_to_unit(y.roll(turns_, 2) - shift(parameters));
}

Tensor CircularShift::pull_back(const Tensor& /*x*/, const Tensor& /*parameters*/, const Tensor& y_bar,
                                double /*log_det_bar*/, Tensor* gradient) const {
  const Tensor x_bar = y_bar.roll(turns_, 2);
  if (gradient != nullptr) gradient->narrow(0, offset_, 3).add_(x_bar.flatten(0, 1).sum(0));
  return x_bar;
}

// At fixed y, x moves against the shift.
Tensor CircularShift::carry_score(const Tensor& /*x*/, const Tensor& /*parameters*/, const Tensor& score,
                                  Tensor* gradient) const {
  if (gradient != nullptr) gradient->narrow(0, offset_, 3).sub_(score.flatten(0, 1).sum(0));
  return score.roll(-turns_, 2);
}

}  // namespace bgw::flows
