#include "runtime/physics/energy_model.h"

#include <stdexcept>

#include "runtime/physics/force_constants.h"

namespace bgw::physics {

Tensor EnergyModel::energy(const Tensor&, const Tensor&) const {
  throw std::logic_error("this energy has no cell that could be deformed");
}

EnergyGradientStrain EnergyModel::energy_gradient_and_strain(const Tensor&, const Tensor&) const {
  throw std::logic_error("this energy has no cell that could be deformed");
}

Tensor EnergyModel::folded_hessian_sum(const Tensor& displacements, const TranslationGroup& group) const {
  return folded(hessian_sum(displacements), group);
}

}  // namespace bgw::physics
