#include "runtime/flows/mode_force.h"

#include <utility>

#include "runtime/foundation/errors.h"

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

namespace {

const physics::KernelEnergyModel& with_kernels(const physics::EnergyModel& model) {
  const auto* found = dynamic_cast<const physics::KernelEnergyModel*>(&model);
  if (found == nullptr)
    throw InputError("mode_split: this potential has no forces in float32; write `precision = float64` in the training");
  return *found;
}

}  // namespace

SingleGradientForce::SingleGradientForce(const physics::WhitenedTarget& target, const physics::EnergyModel& model,
                                         std::optional<LinearRemainder> remainder)
    : beta_(target.beta()), modes_(target.modes(), with_kernels(model)), remainder_(std::move(remainder)) {}

Tensor SingleGradientForce::answer(Tensor found, const Tensor& v) const {
  found.mul_(beta_);
  if (remainder_) remainder_->add_to(found, v);
  return found;
}

Tensor SingleGradientForce::force(const Tensor& v, const Tensor& field) const {
  return answer(modes_.gradient(field, v.size(0)), v);
}

ForceAndProduct SingleGradientForce::force_and_product(const Tensor& v, const Tensor& field, const Tensor& w) const {
  const physics::SingleModes::Answer found = modes_.gradient_and_product(field, this->field(w), v.size(0));
  return {answer(found.gradient, v), answer(found.product, w)};
}

Tensor LearnedModeForce::force(const Tensor& v, const Tensor& field) const {
  Tensor found = at::empty_like(field);
  for (std::int64_t r = 0; r < field.size(0); ++r) {
    found.narrow(0, r, 1).copy_(LocalForce::Pass(learned_, networks_, field.narrow(0, r, 1)).force());
  }
  return target_.modes().pull_back(found).add_(v);
}

ForceAndProduct LearnedModeForce::force_and_product(const Tensor& v, const Tensor& field, const Tensor& w) const {
  Tensor found = at::empty_like(field), back = this->field(w);
  for (std::int64_t r = 0; r < field.size(0); ++r) {
    const LocalForce::Pass pass(learned_, networks_, field.narrow(0, r, 1));
    found.narrow(0, r, 1).copy_(pass.force());
    back.narrow(0, r, 1).copy_(pass.turned_back(back.narrow(0, r, 1)));
  }
  return {target_.modes().pull_back(found).add_(v), target_.modes().pull_back(back).add_(w)};
}

}  // namespace bgw::flows
