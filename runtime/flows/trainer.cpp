#include "runtime/flows/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "runtime/foundation/errors.h"
#include "runtime/foundation/interlude.h"
#include "runtime/tensor/random_stream.h"

namespace bgw::flows {
namespace {

constexpr std::int64_t kLatest = 256;  // log weights behind the running ESS

/// Sum over rows, one after the other: a tree would depend on how the rows were batched.
Tensor sum_in_order(const Tensor& rows) {
  Tensor sum = at::zeros({rows.size(1)}, rows.options());
  for (std::int64_t r = 0; r < rows.size(0); ++r) sum += rows[r];
  return sum;
}

SampleLoss evaluate(const LossFunction& loss, const Stage& stage, const Tensor& latent, const Tensor& parameters,
                    std::int64_t micro_batch) {
  if (micro_batch <= 0 || micro_batch >= latent.size(0)) return loss(stage, latent, parameters);
  std::vector<Tensor> weights;
  std::vector<Tensor> gradients;
  for (std::int64_t first = 0; first < latent.size(0); first += micro_batch) {
    interlude();
    const std::int64_t count = std::min(micro_batch, latent.size(0) - first);
    SampleLoss part = loss(stage, latent.narrow(0, first, count), parameters);
    weights.push_back(part.log_weight);
    gradients.push_back(part.gradient);
  }
  return {at::cat(weights), at::cat(gradients)};
}

void refuse_not_finite(const char* what, const Tensor& numbers, const Stage& stage, std::int64_t step) {
  const Tensor bad = numbers.isfinite().logical_not();
  if (!bad.any().item<bool>()) return;
  const double value = numbers.masked_select(bad)[0].item<double>();
  throw NumericalError(
      fmt::format("training: the {} is not finite in step {} of stage {}: {}; a smaller learning rate may help", what,
                  step, stage.name, value));
}

double effective_fraction(const Tensor& log_weights) {
  const Tensor w = (log_weights - log_weights.max()).exp();
  return (w.sum().square() / w.square().sum()).item<double>() / static_cast<double>(w.size(0));
}

void remember(TrainingState& state, const Tensor& log_weights) {
  const Tensor all = at::cat({state.latest_log_weights, log_weights});
  state.latest_log_weights = all.slice(0, std::max<std::int64_t>(0, all.size(0) - kLatest), all.size(0)).clone();
  const double mean_log_weight =
      sum_in_order(log_weights.unsqueeze(1)).item<double>() / static_cast<double>(log_weights.size(0));
  state.history.loss.push_back(-mean_log_weight);
  state.history.ess.push_back(effective_fraction(state.latest_log_weights));
}

void take_step(const LossFunction& loss, const Stage& stage, const Tensor& latent, std::int64_t micro_batch,
               TrainingState& state) {
  const SampleLoss value = evaluate(loss, stage, latent, state.parameters, micro_batch);
  refuse_not_finite("loss", value.log_weight, stage, state.step);
  refuse_not_finite("gradient", value.gradient, stage, state.step);
  const Tensor gradient = sum_in_order(value.gradient) / static_cast<double>(latent.size(0));
  const double rate = stage.learning_rate.at(state.step, stage.steps);
  state.parameters = adam_step(state.parameters, gradient, rate, state.moments);
  remember(state, value.log_weight);
  state.step += 1;
  state.total += 1;
}

Tensor as_tensor(const std::vector<double>& numbers) { return at::tensor(at::ArrayRef<double>(numbers), at::kDouble); }

std::vector<double> as_vector(const Tensor& numbers) {
  const Tensor flat = numbers.to(at::kDouble).contiguous();
  return {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()};
}

}  // namespace

TrainingState start_training(const Tensor& parameters) {
  TrainingState state;
  state.parameters = parameters.detach().clone();
  state.moments = no_moments(parameters);
  state.latest_log_weights = at::empty({0}, at::kDouble);
  return state;
}

std::map<std::string, Tensor> to_named_tensors(const TrainingState& state) {
  return {{"parameters", state.parameters},
          {"moments/first", state.moments.first},
          {"moments/second", state.moments.second},
          {"latest_log_weights", state.latest_log_weights},
          {"counters", at::tensor({state.stage, state.step, state.total, state.moments.steps}, at::kLong)},
          {"history/loss", as_tensor(state.history.loss)},
          {"history/ess", as_tensor(state.history.ess)}};
}

TrainingState training_state_from(const std::map<std::string, Tensor>& named) {
  const Tensor counters = named.at("counters").to(at::kLong).contiguous();
  const std::int64_t* c = counters.data_ptr<std::int64_t>();
  TrainingState state;
  state.parameters = named.at("parameters").clone();
  state.moments = {named.at("moments/first").clone(), named.at("moments/second").clone(), c[3]};
  state.stage = c[0];
  state.step = c[1];
  state.total = c[2];
  state.latest_log_weights = named.at("latest_log_weights").clone();
  state.history = {as_vector(named.at("history/loss")), as_vector(named.at("history/ess"))};
  return state;
}

void train(const LossFunction& loss, std::int64_t dimension, const std::vector<Stage>& stages,
           const plan::Key& stream_key, std::int64_t micro_batch, TrainingState& state,
           const std::function<void(const TrainingState&)>& on_step) {
  const tensor::RandomStream stream(stream_key, "train.latent");
  while (state.stage < static_cast<std::int64_t>(stages.size())) {
    const Stage& stage = stages[static_cast<std::size_t>(state.stage)];
    if (state.step >= stage.steps) {
      state.stage += 1;
      state.step = 0;
      continue;
    }
    take_step(loss, stage, stream.normal(state.total, 0, stage.batch, dimension), micro_batch, state);
    if (on_step) on_step(state);
  }
}

LossFunction reverse_kl_of(const ModeSplitFlow& flow) {
  return [&flow](const Stage& stage, const Tensor& latent, const Tensor& parameters) {
    return reverse_kl(flow, stage.gradient, latent, parameters);
  };
}

}  // namespace bgw::flows
