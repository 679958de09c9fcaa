#include "runtime/flows/mode_force.h"

namespace bgw::flows {

// What a gradient, or a product along v, is in the modes, with what a guide leaves out of it at, or along, the modes v.
Tensor GradientForce::answer(const Tensor& found, const Tensor& v) const {
  Tensor result = target_.modes().pull_back(found).mul_(target_.beta());
  if (remainder_) remainder_->add_to(result, v);
  return result;
}

Tensor GradientForce::force(const Tensor& v, const Tensor& field) const {
  return answer(model_.energy_and_gradient(field).gradient, v);
}

ForceAndProduct GradientForce::force_and_product(const Tensor& v, const Tensor& field, const Tensor& w) const {
  const physics::GradientAndProduct found = model_.gradient_and_product(field, this->field(w));
  return {answer(found.gradient, v), answer(found.product, w)};
}

}  // namespace bgw::flows
