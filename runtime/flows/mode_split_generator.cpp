#include "runtime/flows/mode_split_generator.h"

#include <algorithm>
#include <utility>

namespace bgw::flows {
namespace {

// About a third of a second of a flow with sixteen splits.
std::int64_t samples_at_once(std::int64_t particles) {
  constexpr std::int64_t kAtoms = 16'384;
  return std::max<std::int64_t>(1, kAtoms / particles);
}

Tensor no_gradient(std::int64_t samples) { return at::zeros({samples, 0}, at::kDouble); }

}  // namespace

ModeSplitGenerator::ModeSplitGenerator(const physics::WhitenedTarget& target, const ModeSplitSpec& spec,
                                       std::unique_ptr<const physics::EnergyModel> guide,
                                       std::shared_ptr<const LocalForce> learned)
    : guide_(std::move(guide)), learned_(std::move(learned)), flow_(target, spec, guide_.get(), learned_.get()) {}

// Of float32 forces whole blocks, for an even number of threads.
std::int64_t ModeSplitGenerator::chunk() const {
  const std::int64_t samples = samples_at_once(flow_.target().particles());
  const std::int64_t blocks = 2 * flow_.rows_at_once();
  return flow_.is_single() ? (samples + blocks - 1) / blocks * blocks : samples;
}

physics::CallCount ModeSplitGenerator::other_calls() const {
  const physics::CallCount calls = flow_.other_calls();
  if (guide_ == nullptr) return calls;
  const physics::CallCount of_guide = guide_->calls();
  return {calls.energy + of_guide.energy, calls.gradient + of_guide.gradient, calls.hessian + of_guide.hessian};
}

Draws ModeSplitGenerator::generate(const Tensor& latent, const Tensor& parameters) const {
  return flow_.generate(latent, parameters);
}

Tensor ModeSplitGenerator::log_weight_of(const Tensor& displacements, const Tensor&, const Tensor& parameters) const {
  return flow_.log_weight_of(displacements, parameters);
}

SampleLoss ModeSplitGenerator::reverse_kl(KlGradient gradient, const Tensor& latent, const Tensor& parameters) const {
  return flow_.reverse_kl(gradient, latent, parameters);
}

SampleLoss ModeSplitGenerator::forward_kl(const Tensor& displacements, const Tensor&, const Tensor& parameters) const {
  return flow_.forward_kl(displacements, parameters);
}

LatentValue ModeSplitGenerator::latent_work(const Tensor& latent, const Tensor& parameters) const {
  return flow_.latent_work(latent, parameters);
}

std::int64_t GaussianGenerator::chunk() const { return samples_at_once(target_.particles()); }

Draws GaussianGenerator::generate(const Tensor& latent, const Tensor&) const {
  const Tensor displacements = target_.displacements(latent);
  const Tensor energy = target_.model().energy(displacements);
  return {displacements, energy, -target_.work_from_energy(energy, latent)};
}

Tensor GaussianGenerator::log_weight_of(const Tensor& displacements, const Tensor&, const Tensor&) const {
  return -target_.work_from_energy(target_.model().energy(displacements), target_.whiten(displacements));
}

SampleLoss GaussianGenerator::reverse_kl(KlGradient, const Tensor& latent, const Tensor& parameters) const {
  return {generate(latent, parameters).log_weight, no_gradient(latent.size(0))};
}

SampleLoss GaussianGenerator::forward_kl(const Tensor& displacements, const Tensor& auxiliary,
                                         const Tensor& parameters) const {
  return {-log_weight_of(displacements, auxiliary, parameters), no_gradient(displacements.size(0))};
}

LatentValue GaussianGenerator::latent_work(const Tensor& latent, const Tensor&) const {
  const physics::WhitenedValue value = target_.evaluate(latent);
  return {value.work, value.gradient, value.largest_displacement};
}

}  // namespace bgw::flows
