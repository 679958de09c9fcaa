#include "runtime/flows/reverse_kl.h"

#include "runtime/flows/differentiable_operations.h"

namespace bgw::flows {

SampleLoss reverse_kl(const ModeSplitFlow& flow, KlGradient gradient, const Tensor& z, const Tensor& parameters) {
  const at::AutoGradMode with_grad(true);
  const Tensor fixed = parameters.detach();
  // A copy of the parameters for each sample: the gradient of a sample then knows nothing of its batch.
  Tensor own = fixed.unsqueeze(0).expand({z.size(0), fixed.size(0)}).clone();
  own.requires_grad_(true);

  const Tensor y = flow.forward(z, own);
  const Tensor energy = reduced_energy(flow.target(), field_of_modes(flow.target().modes(), y));
  const Tensor loss = gradient == KlGradient::path ? energy - 0.5 * flow.inverse(y, fixed).square().sum(1)
                                                   : energy - flow.log_determinant(own);
  const Tensor per_sample = torch::autograd::grad({loss.sum()}, {own}).at(0);

  const Tensor log_model_and_energy = 0.5 * z.square().sum(1) - energy.detach();
  return {log_model_and_energy + flow.log_determinant(fixed), per_sample.detach()};
}

}  // namespace bgw::flows
