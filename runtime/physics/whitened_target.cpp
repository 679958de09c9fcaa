#include "runtime/physics/whitened_target.h"

#include <string>

#include "runtime/foundation/errors.h"

namespace bgw::physics {

WhitenedTarget::WhitenedTarget(const EnergyModel& model, std::shared_ptr<const ModeTransform> modes, double beta,
                               double static_energy)
    : model_(model), modes_(std::move(modes)), beta_(beta), static_energy_(static_energy) {
  if (modes_->particles() != model.particles()) {
    throw ShapeError("whitened target: the modes have " + std::to_string(3 * modes_->particles()) +
                     " rows, the crystal has " + std::to_string(3 * model.particles()) + " coordinates");
  }
}

WhitenedTarget::WhitenedTarget(const EnergyModel& model, const Tensor& modes, double beta, double static_energy)
    : WhitenedTarget(model, std::make_shared<ModeTransform>(modes), beta, static_energy) {}

Tensor WhitenedTarget::displacements(const Tensor& y) const { return modes_->displacements(y); }

Tensor WhitenedTarget::whiten(const Tensor& displacements) const {
  return modes_->pull_back(displacements) / modes_->squared_norms();
}

Tensor WhitenedTarget::work_from_energy(const Tensor& energy, const Tensor& y) const {
  return beta_ * (energy - static_energy_) - 0.5 * y.square().sum(1);
}

Tensor WhitenedTarget::work(const Tensor& y) const { return work_from_energy(model_.energy(displacements(y)), y); }

WhitenedValue WhitenedTarget::evaluate(const Tensor& y) const {
  const Tensor u = displacements(y);
  const EnergyAndGradient value = model_.energy_and_gradient(u);
  return {work_from_energy(value.energy, y), beta_ * modes_->pull_back(value.gradient) - y, u.square().sum(2).amax(1).sqrt()};
}

Configurations WhitenedTarget::configurations(const Tensor& y, const Tensor& work) const {
  const Tensor reduced = work + 0.5 * y.square().sum(1);  // beta (U - U0)
  return {displacements(y), reduced / beta_ + static_energy_};
}

}  // namespace bgw::physics
