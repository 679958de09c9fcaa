#include "runtime/flows/generate.h"

namespace bgw::flows {
namespace {

Tensor log_weight(const ModeSplitFlow& flow, const Tensor& energy, const Tensor& z, const Tensor& parameters) {
  const Tensor reduced = flow.target().beta() * (energy - flow.target().static_energy());
  return 0.5 * z.square().sum(1) + flow.log_determinant(parameters) - reduced;
}

}  // namespace

Draws generate(const ModeSplitFlow& flow, const Tensor& z, const Tensor& parameters) {
  const at::NoGradGuard no_grad;
  const Tensor displacements = flow.target().displacements(flow.forward(z, parameters));
  const Tensor energy = flow.target().model().energy(displacements);
  return {displacements, energy, log_weight(flow, energy, z, parameters)};
}

Tensor log_weight_of(const ModeSplitFlow& flow, const Tensor& displacements, const Tensor& parameters) {
  const at::NoGradGuard no_grad;
  const Tensor z = flow.inverse(flow.target().whiten(displacements), parameters);
  return log_weight(flow, flow.target().model().energy(displacements), z, parameters);
}

}  // namespace bgw::flows
