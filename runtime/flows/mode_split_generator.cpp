#include "runtime/flows/mode_split_generator.h"

#include <algorithm>

#include "runtime/flows/differentiable_operations.h"
#include "runtime/flows/generate.h"
#include "runtime/flows/reverse_kl.h"

namespace bgw::flows {
namespace {

// About a third of a second of a flow with sixteen splits.
std::int64_t samples_at_once(std::int64_t particles) {
  constexpr std::int64_t kAtoms = 16'384;
  return std::max<std::int64_t>(1, kAtoms / particles);
}

/// A copy of the parameters for each sample: the gradient of a sample then knows nothing of its batch.
Tensor own_copies(const Tensor& parameters, std::int64_t samples) {
  const Tensor fixed = parameters.detach();
  Tensor own = fixed.unsqueeze(0).expand({samples, fixed.size(0)}).clone();
  return own.requires_grad_(true);
}

Tensor no_gradient(std::int64_t samples) { return at::zeros({samples, 0}, at::kDouble); }

}  // namespace

ModeSplitGenerator::ModeSplitGenerator(const physics::WhitenedTarget& target, const ModeSplitSpec& spec)
    : flow_(target, spec) {
  for (const char* name : kModeSplitParameters) layout_.add(name, {1});
}

Tensor ModeSplitGenerator::start(const plan::Key&) const { return mode_split_start(); }

std::int64_t ModeSplitGenerator::chunk() const { return samples_at_once(flow_.target().particles()); }

Draws ModeSplitGenerator::generate(const Tensor& latent, const Tensor& parameters) const {
  return flows::generate(flow_, latent, parameters);
}

Tensor ModeSplitGenerator::log_weight_of(const Tensor& displacements, const Tensor&, const Tensor& parameters) const {
  return flows::log_weight_of(flow_, displacements, parameters);
}

SampleLoss ModeSplitGenerator::reverse_kl(KlGradient gradient, const Tensor& latent, const Tensor& parameters) const {
  return flows::reverse_kl(flow_, gradient, latent, parameters);
}

// -ln q = |z|^2 / 2 + m s0 up to a constant, at z = f^{-1}(y).
SampleLoss ModeSplitGenerator::forward_kl(const Tensor& displacements, const Tensor&, const Tensor& parameters) const {
  const at::AutoGradMode with_grad(true);
  const Tensor own = own_copies(parameters, displacements.size(0));
  const Tensor z = flow_.inverse(target().whiten(displacements), own);
  const Tensor minus_log_model = 0.5 * z.square().sum(1) + flow_.log_determinant(own);
  const Tensor gradient = torch::autograd::grad({minus_log_model.sum()}, {own}).at(0);
  const Tensor reduced = target().beta() * (target().model().energy(displacements) - target().static_energy());
  return {reduced - minus_log_model.detach(), gradient.detach()};
}

LatentValue ModeSplitGenerator::latent_work(const Tensor& latent, const Tensor& parameters) const {
  const at::AutoGradMode with_grad(true);
  Tensor z = latent.detach().clone();
  z.requires_grad_(true);
  const Tensor fixed = parameters.detach();
  const Tensor field = field_of_modes(target().modes(), flow_.forward(z, fixed));
  const Tensor energy = reduced_energy(target(), field);
  const Tensor gradient = torch::autograd::grad({energy.sum()}, {z}).at(0);
  const Tensor work = energy.detach() - 0.5 * latent.square().sum(1) - flow_.log_determinant(fixed);
  const Tensor atoms = field.detach().view({latent.size(0), -1, 3});
  return {work, gradient.detach() - latent, atoms.square().sum(2).amax(1).sqrt()};
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
