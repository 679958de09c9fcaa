#include "runtime/flows/generator_target.h"

#include <algorithm>
#include <vector>

namespace bgw::flows {

physics::WhitenedValue GeneratorTarget::evaluate(const Tensor& y) const {
  std::vector<Tensor> work, gradient, largest;
  for (std::int64_t begin = 0; begin < y.size(0); begin += generator_.chunk()) {
    const std::int64_t end = std::min(begin + generator_.chunk(), y.size(0));
    const LatentValue value = generator_.latent_work(y.slice(0, begin, end), parameters_);
    work.push_back(value.work);
    gradient.push_back(value.gradient);
    largest.push_back(value.largest_displacement);
  }
  return {at::cat(work), at::cat(gradient), at::cat(largest)};
}

physics::Configurations GeneratorTarget::configurations(const Tensor& y, const Tensor&) const {
  std::vector<Tensor> displacements, energy;
  for (std::int64_t begin = 0; begin < y.size(0); begin += generator_.chunk()) {
    const std::int64_t end = std::min(begin + generator_.chunk(), y.size(0));
    const Draws draws = generator_.generate(y.slice(0, begin, end), parameters_);
    displacements.push_back(draws.displacements);
    energy.push_back(draws.energy);
  }
  return {at::cat(displacements), at::cat(energy)};
}

}  // namespace bgw::flows
