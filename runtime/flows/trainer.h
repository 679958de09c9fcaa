#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "compiler/plan/plan.h"
#include "runtime/flows/adam.h"
#include "runtime/flows/learning_rate.h"
#include "runtime/flows/reverse_kl.h"

namespace bgw::flows {

/// One stretch of training.
struct Stage {
  std::string name = "main";
  KlGradient gradient = KlGradient::path;
  std::int64_t steps = 60;
  std::int64_t batch = 16;
  LearningRate learning_rate;
};

/// One line a step.
struct TrainingHistory {
  std::vector<double> loss;  // mean of -log_weight over the batch, kT
  std::vector<double> ess;   // running effective sample size as a fraction, over the latest log weights
};

/// All that training is, between two steps: continuing from it gives the numbers that an uninterrupted run gives,
/// bit by bit.
struct TrainingState {
  Tensor parameters;          // [P]
  AdamMoments moments;        // carried through all stages
  std::int64_t stage = 0;     // index of the stage of the next step; the number of stages when done
  std::int64_t step = 0;      // of the next step, within its stage
  std::int64_t total = 0;     // steps taken in all stages
  Tensor latest_log_weights;  // [<= 256], for the running ESS
  TrainingHistory history;
};

TrainingState start_training(const Tensor& parameters);

/// The state as named arrays, for a checkpoint: parameters, moments/first, moments/second, latest_log_weights
/// (float64), counters (int64), history/loss, history/ess.
std::map<std::string, Tensor> to_named_tensors(const TrainingState& state);
/// @throws std::out_of_range when a name is missing
TrainingState training_state_from(const std::map<std::string, Tensor>& named);

/// The loss of a batch: latent numbers [B, m] and parameters [P] to a SampleLoss.
using LossFunction = std::function<SampleLoss(const Stage& stage, const Tensor& latent, const Tensor& parameters)>;

/// Trains from `state` to the end of the last stage. Latent numbers are those of (stream key, total step, sample), and
/// sums over a batch run in sample order, so neither micro-batches nor restarts change a number.
/// @param dimension    width of the latent numbers, m
/// @param micro_batch  samples evaluated at once; 0: the whole batch. An interlude (foundation/interlude.h) comes before
///                     each of several, with the state as it was before the step
/// @param on_step      called after each step; what it throws ends the training
/// @throws NumericalError naming stage, step and value when a loss or gradient is not finite; the state then is that
///         before the step
void train(const LossFunction& loss, std::int64_t dimension, const std::vector<Stage>& stages,
           const plan::Key& stream_key, std::int64_t micro_batch, TrainingState& state,
           const std::function<void(const TrainingState&)>& on_step);

/// Reverse KL of a mode-split flow, with the gradient that the stage names.
LossFunction reverse_kl_of(const ModeSplitFlow& flow);

}  // namespace bgw::flows
