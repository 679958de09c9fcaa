#include "runtime/flows/trainer.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "runtime/foundation/errors.h"
#include "runtime/foundation/interlude.h"

namespace bgw::flows {
namespace {

constexpr std::int64_t kLatest = 256;    // log weights behind the running ESS
constexpr std::int64_t kEnough = 1024;   // log weights behind the decision to stop
constexpr std::int64_t kGiveUp = 10;     // steps in a row that were not finite
constexpr std::int64_t kWindow = 16;     // steps whose mean loss is compared with that of the first ones
constexpr double kFarFromStart = 10.0;   // kT for each degree of freedom

/// Sum over rows, one after the other: a tree would depend on how the rows were batched.
Tensor sum_in_order(const Tensor& rows) {
  Tensor sum = rows[0].clone();
  for (std::int64_t r = 1; r < rows.size(0); ++r) sum += rows[r];
  return sum;
}

/// Log weights of a batch and the sum of the gradients of its samples, one after the other.
struct BatchLoss {
  Tensor log_weight;  // [B]
  Tensor gradient;    // [P]
  std::int64_t outside = 0;
};

void add_in_order(Tensor& sum, const Tensor& rows) {
  if (sum.defined()) {
    for (std::int64_t r = 0; r < rows.size(0); ++r) sum += rows[r];
  } else {
    sum = sum_in_order(rows);
  }
}

/// The portions of a step side by side, as many at once as there are threads. Gradients are summed as they come in, since
/// those of all portions together may not fit the memory.
BatchLoss evaluate(const LossFunction& loss, const Stage& stage, std::int64_t chunk, const TrainingState& state) {
  const std::int64_t portions = (stage.batch + chunk - 1) / chunk;
  const std::int64_t threads = at::get_num_threads();
  std::vector<Tensor> weights;
  BatchLoss sum;
  for (std::int64_t begin = 0; begin < portions; begin += threads) {
    if (portions > 1) interlude();
    const std::int64_t end = std::min(begin + threads, portions);
    std::vector<SampleLoss> parts(static_cast<std::size_t>(end - begin));
    at::parallel_for(begin, end, 1, [&](std::int64_t from, std::int64_t to) {
      for (std::int64_t p = from; p < to; ++p) {
        const std::int64_t first = p * chunk;
        const Portion portion{state.stage, state.step, state.total, first, std::min(chunk, stage.batch - first)};
        parts[static_cast<std::size_t>(p - begin)] = loss(portion, state.parameters);
      }
    });
    for (const SampleLoss& part : parts) {
      weights.push_back(part.log_weight);
      add_in_order(sum.gradient, part.gradient);
      sum.outside += part.outside;
    }
  }
  sum.log_weight = at::cat(weights);
  return sum;
}

/// The first number that is not finite, if there is one.
std::optional<double> not_finite(const Tensor& numbers) {
  const Tensor bad = numbers.isfinite().logical_not();
  if (!bad.any().item<bool>()) return std::nullopt;
  return numbers.masked_select(bad)[0].item<double>();
}

double mean_of(const std::vector<double>& numbers, std::size_t begin, std::size_t count) {
  double sum = 0;
  for (std::size_t i = begin; i < begin + count; ++i) sum += numbers[i];
  return sum / static_cast<double>(count);
}

double effective_fraction(const Tensor& log_weights) {
  const Tensor w = (log_weights - log_weights.max()).exp();
  return (w.sum().square() / w.square().sum()).item<double>() / static_cast<double>(w.size(0));
}

Tensor latest(const Tensor& numbers, std::int64_t count) {
  return numbers.slice(0, std::max<std::int64_t>(0, numbers.size(0) - count), numbers.size(0));
}

void remember(const Stage& stage, const Tensor& log_weights, TrainingState& state) {
  state.latest_log_weights = latest(at::cat({state.latest_log_weights, log_weights}), kEnough).clone();
  const double mean_log_weight =
      sum_in_order(log_weights.unsqueeze(1)).item<double>() / static_cast<double>(log_weights.size(0));
  state.history.loss.push_back(-mean_log_weight);
  state.history.ess.push_back(stage.weighs ? effective_fraction(latest(state.latest_log_weights, kLatest)) : 0.0);
}

/// A step that cannot be taken: an occasional one is left out, a row of them ends the training.
void leave_out(const char* what, double value, const Stage& stage, TrainingState& state) {
  state.skipped += 1;
  state.in_a_row += 1;
  if (state.in_a_row < kGiveUp) return;
  throw NumericalError(fmt::format(
      "training: the {} has not been finite for {} steps, the last of them step {} of stage {}: {}; a smaller "
      "`learning_rate`, a `grad_clip`, or `linearize_below` may help",
      what, kGiveUp, state.step, stage.name, value));
}

void refuse_explosion(const Stage& stage, std::int64_t dimension, const TrainingState& state) {
  const std::int64_t taken = std::ssize(state.history.loss);
  if (taken - state.lines < 2 * kWindow) return;
  const double first = mean_of(state.history.loss, static_cast<std::size_t>(state.lines), kWindow);
  const double now = mean_of(state.history.loss, static_cast<std::size_t>(taken - kWindow), kWindow);
  if (now <= first + kFarFromStart * static_cast<double>(dimension)) return;
  throw NumericalError(
      fmt::format("training: the loss of stage {} exploded, from {:.6g} kT in its first {} steps to {:.6g} kT at step {}; "
                  "a smaller `learning_rate` or a `grad_clip` may help",
                  stage.name, first, kWindow, now, state.step));
}

Tensor clipped(const Tensor& gradient, const std::optional<double>& largest) {
  if (!largest) return gradient;
  // One after the other: a sum of many numbers that threads share would depend on how many they are.
  const Tensor numbers = gradient.to(at::kDouble).contiguous();
  const double* g = numbers.data_ptr<double>();
  const double norm = std::sqrt(std::inner_product(g, g + numbers.numel(), g, 0.0));
  return norm > *largest ? gradient * (*largest / norm) : gradient;
}

/// An average that forgets: a plain mean in the first steps, later one with a memory of 1 / (1 - decay) steps. A parameter that
/// does not move is its own average to the last bit.
void average_in(TrainingState& state, double decay) {
  const double now = static_cast<double>(state.step);
  const double keep = std::min(decay, now / (now + 1.0));
  state.average = state.average + (1.0 - keep) * (state.parameters - state.average);
}

/// The parameters with those of a range from another vector.
Tensor replaced(const Tensor& parameters, const Tensor& others, const ParameterRange& range) {
  Tensor result = parameters.clone();
  result.narrow(0, range.first, range.count).copy_(others.narrow(0, range.first, range.count));
  return result;
}

void take_step(const LossFunction& loss, const Stage& stage, std::int64_t chunk, std::int64_t dimension,
               TrainingState& state) {
  const BatchLoss value = evaluate(loss, stage, chunk, state);
  const Tensor gradient = value.gradient / static_cast<double>(stage.batch);
  state.outside += value.outside;
  const bool nothing = value.log_weight.size(0) == 0;  // all of the data are where the model has no density
  const auto bad_loss = nothing ? std::optional<double>(-INFINITY) : not_finite(value.log_weight);
  const auto bad_gradient = not_finite(gradient);
  if (bad_loss || bad_gradient) {
    leave_out(bad_loss ? "loss" : "gradient", bad_loss ? -*bad_loss : *bad_gradient, stage, state);
  } else {
    state.in_a_row = 0;
    const double rate = stage.learning_rate.at(state.step, stage.steps);
    const Tensor moved =
        adam_step(state.parameters, clipped(gradient, stage.largest_gradient), rate, state.moments, stage.adam);
    state.parameters = stage.moves ? replaced(state.parameters, moved, *stage.moves) : moved;
    remember(stage, value.log_weight, state);
  }
  if (stage.averaging > 0) average_in(state, stage.averaging);
  state.step += 1;
  state.total += 1;
  refuse_explosion(stage, dimension, state);
}

/// The part of the stage that a step belongs to.
std::int64_t stretch_of(const Stage& stage, std::int64_t step) { return step * stage.stretches / stage.steps; }

bool may_stop(const Stage& stage, const TrainingState& state) {
  if (stretch_of(stage, state.step) + 1 < stage.stretches) return false;
  if (state.latest_log_weights.size(0) < kEnough || !(stage.stop.ess || stage.stop.error)) return false;
  const double fraction = effective_fraction(state.latest_log_weights);
  if (stage.stop.ess && fraction < *stage.stop.ess) return false;
  return !stage.stop.error || std::sqrt((1.0 / fraction - 1.0) / static_cast<double>(kEnough)) <= *stage.stop.error;
}

void end_stage(const Stage& stage, TrainingState& state) {
  if (std::ssize(state.history.loss) == state.lines) {
    throw NumericalError(fmt::format("training: no step of stage {} was finite; a smaller `learning_rate`, a `grad_clip`, or "
                                     "`linearize_below` may help",
                                     stage.name));
  }
  if (stage.averaging > 0) state.parameters = state.average;
  state.stage += 1;
  state.step = 0;
}

/// The weights of one target say nothing of the next; those of the last one are kept.
void begin_stretch(TrainingState& state) { state.latest_log_weights = at::empty({0}, at::kDouble); }

/// Where other parameters move than in the stage before, its moments are of no use, and the new ones begin with theirs.
void begin_stage(const std::vector<Stage>& stages, TrainingState& state) {
  const auto s = static_cast<std::size_t>(state.stage);
  if (s > 0 && stages[s].moves != stages[s - 1].moves) state.moments = no_moments(state.parameters);
  state.lines = std::ssize(state.history.loss);
  state.average = state.parameters.clone();
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
  state.average = state.parameters.clone();
  state.moments = no_moments(parameters);
  state.latest_log_weights = at::empty({0}, at::kDouble);
  return state;
}

std::map<std::string, Tensor> to_named_tensors(const TrainingState& state) {
  return {{"parameters", state.parameters},
          {"average", state.average},
          {"moments/first", state.moments.first},
          {"moments/second", state.moments.second},
          {"latest_log_weights", state.latest_log_weights},
          {"counters", at::tensor({state.stage, state.step, state.total, state.moments.steps, state.skipped,
                                   state.in_a_row, state.lines, state.outside},
                                  at::kLong)},
          {"history/loss", as_tensor(state.history.loss)},
          {"history/ess", as_tensor(state.history.ess)}};
}

TrainingState training_state_from(const std::map<std::string, Tensor>& named, at::ScalarType type) {
  const Tensor counters = named.at("counters").to(at::kLong).contiguous();
  const std::int64_t* c = counters.data_ptr<std::int64_t>();
  const auto copy = [&](const char* name) { return named.at(name).to(type, false, true); };
  TrainingState state;
  state.parameters = copy("parameters");
  state.average = copy("average");
  state.moments = {copy("moments/first"), copy("moments/second"), c[3]};
  state.stage = c[0];
  state.step = c[1];
  state.total = c[2];
  state.skipped = c[4];
  state.in_a_row = c[5];
  state.lines = c[6];
  state.outside = c[7];
  state.latest_log_weights = named.at("latest_log_weights").clone();
  state.history = {as_vector(named.at("history/loss")), as_vector(named.at("history/ess"))};
  return state;
}

void train(const LossFunction& loss, const std::vector<Stage>& stages, std::int64_t chunk, std::int64_t dimension,
           TrainingState& state, const std::function<void(const TrainingState&)>& on_step) {
  while (state.stage < static_cast<std::int64_t>(stages.size())) {
    const Stage& stage = stages[static_cast<std::size_t>(state.stage)];
    if (state.step >= stage.steps) {
      end_stage(stage, state);
      continue;
    }
    if (state.step == 0) begin_stage(stages, state);
    if (state.step == 0 || stretch_of(stage, state.step) != stretch_of(stage, state.step - 1)) begin_stretch(state);
    if (state.step > 0 && may_stop(stage, state)) {
      end_stage(stage, state);
      continue;
    }
    take_step(loss, stage, chunk, dimension, state);
    if (on_step) on_step(state);
  }
}

}  // namespace bgw::flows
