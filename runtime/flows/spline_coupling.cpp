#include "runtime/flows/spline_coupling.h"

namespace bgw::flows {
Tensor part_of(const Tensor& state, const StatePart& part) {
  return state.narrow(part.dimension, part.begin, part.length);
}

Tensor with_part(const Tensor& state, const StatePart& part, const Tensor& numbers) {
  Tensor result = state.clone();
  part_of(result, part).copy_(numbers);
  return result;
}

Tensor sum_of_sample(const Tensor& numbers) { return numbers.flatten(1).sum(1); }

namespace {

/// A leaf to derive with respect to.
Tensor leaf_of(const Tensor& numbers) { return numbers.detach().clone().requires_grad_(true); }

}  // namespace

Tensor SplineCoupling::own(const Tensor& flat) const {
  return flat.narrow(0, offset_, conditioner_->layout().size());
}

RationalQuadraticSpline SplineCoupling::spline(const Tensor& part, const Tensor& own) const {
  return {conditioner_->raw(part, own).to(at::kDouble), range_.lower, range_.upper, range_.ends};
}

Tensor SplineCoupling::forward(const Tensor& x, const Tensor& parameters, Tensor& log_det) const {
  const SplineValue moved = spline(part_of(x, given_), own(parameters)).forward(part_of(x, moved_));
  log_det = log_det + sum_of_sample(moved.log_derivative);
  return with_part(x, moved_, moved.value);
}

Tensor SplineCoupling::inverse(const Tensor& y, const Tensor& parameters, Tensor& log_det) const {
  const SplineValue moved = spline(part_of(y, given_), own(parameters)).inverse(part_of(y, moved_));
  log_det = log_det + sum_of_sample(moved.log_derivative);
  return with_part(y, moved_, moved.value);
}

Tensor SplineCoupling::pull_back(const Tensor& x, const Tensor& parameters, const Tensor& y_bar, double log_det_bar,
                                 Tensor* gradient) const {
  const at::AutoGradMode with_grad(true);
  const Tensor given = leaf_of(part_of(x, given_));
  const Tensor moved = leaf_of(part_of(x, moved_));
  const Tensor weights = gradient == nullptr ? own(parameters) : leaf_of(own(parameters));
  const SplineValue value = spline(given, weights).forward(moved);
  const Tensor loss =
      (part_of(y_bar, moved_) * value.value).sum() + log_det_bar * value.log_derivative.sum();
  std::vector<Tensor> leaves{given, moved};
  if (gradient != nullptr) leaves.push_back(weights);
  const auto bars = torch::autograd::grad({loss}, leaves);
  if (gradient != nullptr) own(*gradient).add_(bars[2]);
  const at::NoGradGuard no_grad;
  return with_part(with_part(y_bar, moved_, bars[1]), given_, part_of(y_bar, given_) + bars[0]);
}

// The moved part is transformed number by number, so its score is divided by the slope. What this score makes of the
// given part, through the network, is taken off again: y moves when the given part does.
Tensor SplineCoupling::carry_score(const Tensor& x, const Tensor& parameters, const Tensor& score,
                                   Tensor* gradient) const {
  const at::AutoGradMode with_grad(true);
  const Tensor given = leaf_of(part_of(x, given_));
  const Tensor moved = leaf_of(part_of(x, moved_));
  const Tensor weights = gradient == nullptr ? own(parameters) : leaf_of(own(parameters));
  const SplineValue value = spline(given, weights).forward(moved);
  const Tensor log_det = value.log_derivative.sum();
  const Tensor bent = torch::autograd::grad({log_det}, {moved}, {}, true)[0];
  const Tensor carried = ((part_of(score, moved_) - bent) / value.log_derivative.exp()).detach();
  std::vector<Tensor> leaves{given};
  if (gradient != nullptr) leaves.push_back(weights);
  const auto bars = torch::autograd::grad({-(carried * value.value).sum() - log_det}, leaves);
  if (gradient != nullptr) own(*gradient).add_(bars[1]);
  const at::NoGradGuard no_grad;
  return with_part(with_part(score, moved_, carried), given_, part_of(score, given_) + bars[0]);
}

}  // namespace bgw::flows
