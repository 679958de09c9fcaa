#include "runtime/sampling/force_field.h"

namespace bgw::sampling {

ForceFieldValue CrystalForceField::evaluate(const Tensor& displacements) const {
  const physics::EnergyAndGradient value = model_.energy_and_gradient(displacements);
  return {value.energy, value.gradient, at::zeros_like(value.energy)};
}

ForceFieldValue EinsteinMixture::evaluate(const Tensor& displacements) const {
  const physics::EnergyAndGradient value = model_.energy_and_gradient(displacements);
  const Tensor einstein = 0.5 * spring_ * displacements.square().sum(2).sum(1);
  const Tensor coupling = value.energy - einstein;
  return {einstein + lambda_ * coupling, (1.0 - lambda_) * spring_ * displacements + lambda_ * value.gradient,
          coupling};
}

}  // namespace bgw::sampling
