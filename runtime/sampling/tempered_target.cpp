#include "runtime/sampling/tempered_target.h"

#include <cmath>

namespace bgw::sampling {

TemperedTarget::TemperedTarget(const physics::LatentTarget& target, double scale)
    : target_(target), scale_(scale), root_(std::sqrt(scale)) {}

physics::WhitenedValue TemperedTarget::evaluate(const Tensor& y) const {
  const physics::WhitenedValue value = target_.evaluate(y / root_);
  return {scale_ * value.work, root_ * value.gradient, value.largest_displacement};
}

physics::Configurations TemperedTarget::configurations(const Tensor& y, const Tensor& work) const {
  return target_.configurations(y / root_, work / scale_);
}

Tensor TemperedTarget::target_energy(const Tensor& y, const Tensor& work) const {
  return (0.5 * y.square().sum(1) + work) / scale_;
}

}  // namespace bgw::sampling
