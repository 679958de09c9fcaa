#include "runtime/physics/energy_model.h"

#include <stdexcept>

namespace bgw::physics {

Tensor EnergyModel::energy(const Tensor&, const Tensor&) const { throw std::logic_error("this energy has no cell that could be deformed"); }

EnergyGradientStrain EnergyModel::energy_gradient_and_strain(const Tensor&, const Tensor&) const {
  throw std::logic_error("this energy has no cell that could be deformed");
}

}  // namespace bgw::physics
