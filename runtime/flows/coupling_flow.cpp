#include "runtime/flows/coupling_flow.h"

#include <utility>

namespace bgw::flows {
namespace {

Tensor no_log_det(const Tensor& samples) { return at::zeros({samples.size(0)}, at::kDouble); }

}  // namespace

CouplingFlow::CouplingFlow(std::unique_ptr<Ends> ends, StepChain steps, ParameterLayout layout, at::ScalarType type,
                           std::int64_t chunk)
    : ends_(std::move(ends)), steps_(std::move(steps)), layout_(std::move(layout)), type_(type), chunk_(chunk) {}

Draws CouplingFlow::generate(const Tensor& latent, const Tensor& parameters) const {
  const at::NoGradGuard no_grad;
  Tensor log_det = no_log_det(latent);
  const Tensor first = ends_->state_of_latent(latent);
  const Tensor last = steps_.forward(first, parameters, log_det);
  const TargetValue value = ends_->log_target(last, false);
  return {ends_->displacements(last), value.energy, value.log_density - ends_->log_base(first) + log_det};
}

Tensor CouplingFlow::log_weight_of(const Tensor& displacements, const Tensor& auxiliary,
                                   const Tensor& parameters) const {
  const at::NoGradGuard no_grad;
  Tensor log_det = no_log_det(displacements);
  const Tensor last = ends_->state_of(displacements, auxiliary);
  const Tensor first = steps_.inverse(last, parameters, log_det);
  return ends_->log_target(last, false).log_density - ends_->log_base(first) - log_det;
}

// Total: L = -ln p(f(z)) - ln det. Path: L = ln q(x) - ln p(x) at x = f(z), where the parameters count through x alone,
// so that what is pulled back is the difference of two scores, which vanishes where model and crystal agree.
SampleLoss CouplingFlow::reverse_kl(KlGradient gradient, const Tensor& latent, const Tensor& parameters) const {
  const at::NoGradGuard no_grad;
  Tensor log_det = no_log_det(latent);
  const std::vector<Tensor> states = steps_.states(ends_->state_of_latent(latent), parameters, log_det);
  const TargetValue value = ends_->log_target(states.back(), true);
  const Tensor log_base = ends_->log_base(states.front());
  Tensor sum = at::zeros_like(parameters);
  if (gradient == KlGradient::total) {
    steps_.pull_back(states, parameters, -value.gradient, -1.0, &sum);
  } else {
    const Tensor score = steps_.carry_score(states, parameters, ends_->base_score(states.front()), nullptr);
    steps_.pull_back(states, parameters, score - value.gradient, 0.0, &sum);
  }
  return {value.log_density - log_base + log_det, sum.unsqueeze(0)};
}

SampleLoss CouplingFlow::forward_kl(const Tensor& displacements, const Tensor& auxiliary,
                                    const Tensor& parameters) const {
  const at::NoGradGuard no_grad;
  Tensor log_det = no_log_det(displacements);
  const Tensor last = ends_->state_of(displacements, auxiliary);
  std::vector<Tensor> states = steps_.states_before(last, parameters, log_det);
  Tensor log_weight = ends_->log_base(states.front()) + log_det - ends_->log_target(last, false).log_density;
  const Tensor inside = log_weight.isneginf().logical_not().nonzero().squeeze(1);
  const std::int64_t outside = log_weight.size(0) - inside.size(0);
  Tensor sum = at::zeros_like(parameters);
  if (outside > 0) {
    log_weight = log_weight.index_select(0, inside);
    for (Tensor& state : states) state = state.index_select(0, inside);
  }
  if (inside.size(0) > 0) steps_.carry_score(states, parameters, ends_->base_score(states.front()), &sum);
  return {log_weight, -sum.unsqueeze(0), outside};
}

LatentValue CouplingFlow::latent_work(const Tensor& latent, const Tensor& parameters) const {
  const at::NoGradGuard no_grad;
  Tensor log_det = no_log_det(latent);
  const std::vector<Tensor> states = steps_.states(ends_->state_of_latent(latent), parameters, log_det);
  const TargetValue value = ends_->log_target(states.back(), true);
  const Tensor work = ends_->log_base(states.front()) - value.log_density - log_det;
  const Tensor first_bar = steps_.pull_back(states, parameters, -value.gradient, -1.0, nullptr);
  const Tensor gradient = ends_->pull_back_to_latent(latent, first_bar + ends_->base_score(states.front()));
  const Tensor largest = ends_->displacements(states.back()).square().sum(2).amax(1).sqrt();
  return {work, gradient, largest};
}

}  // namespace bgw::flows
