#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runtime/flows/adam.h"
#include "runtime/flows/generator.h"
#include "runtime/flows/learning_rate.h"

namespace bgw::flows {

/// When a stage may end before its steps are done. Both look at the latest log weights, once there are enough of them.
struct StopWhen {
  std::optional<double> ess = {};    // effective fraction of the training samples, at least
  std::optional<double> error = {};  // standard error that these samples give to ln Z, kT, at most
};

/// One stretch of training.
struct Stage {
  std::string name = "main";
  std::int64_t steps = 60;
  std::int64_t batch = 16;
  LearningRate learning_rate = {};
  AdamOptions adam = {};
  std::optional<double> largest_gradient = {};  // longer ones are shortened to it, before Adam
  double averaging = 0;  // memory of the mean over steps whose value a stage ends with; 0: it ends with its last step
  StopWhen stop = {};
  std::int64_t stretches = 1;  // equal parts of the steps with targets of their own; a stage stops in the last one only
  std::optional<ParameterRange> moves = {};  // parameters that change, all when absent; Adam forgets where they become others
  bool weighs = true;  // log weights are those of samples: not so where a force is matched, whose errors have no ESS
};

/// One line a step.
struct TrainingHistory {
  std::vector<double> loss;  // mean of -log_weight over the batch, kT
  std::vector<double> ess;   // running effective sample size as a fraction, over the latest log weights; 0 where there are none
};

/// All that training is, between two steps: continuing from it gives the numbers that an uninterrupted run gives,
/// bit by bit.
struct TrainingState {
  Tensor parameters;          // [P], in the precision of the flow
  AdamMoments moments;        // carried through all stages
  Tensor average;             // [P], of the parameters over the steps of this stage
  std::int64_t stage = 0;     // index of the stage of the next step; the number of stages when done
  std::int64_t step = 0;      // of the next step, within its stage
  std::int64_t total = 0;     // steps taken in all stages
  std::int64_t skipped = 0;   // steps that were left out because a number was not finite
  std::int64_t in_a_row = 0;  // the latest of them
  std::int64_t lines = 0;     // of the history when this stage began
  std::int64_t outside = 0;   // samples of the crystal that were left out because the model has no density there
  Tensor latest_log_weights;  // [<= 1024], for the running ESS; of this stretch alone
  TrainingHistory history;
};

TrainingState start_training(const Tensor& parameters);

/// The state as named arrays, for a checkpoint: parameters, average, moments/first, moments/second, latest_log_weights,
/// counters (int64), history/loss, history/ess.
std::map<std::string, Tensor> to_named_tensors(const TrainingState& state);
/// @param type  of the parameters
/// @throws std::out_of_range when a name is missing
TrainingState training_state_from(const std::map<std::string, Tensor>& named, at::ScalarType type = at::kDouble);

/// A piece of a step's batch: samples first .. first + count - 1.
struct Portion {
  std::int64_t stage = 0;
  std::int64_t step = 0;   // within the stage
  std::int64_t total = 0;  // in all stages; numbers the randoms
  std::int64_t first = 0;
  std::int64_t count = 0;
};

/// The loss of a portion at parameters [P]. Called from several threads at once.
using LossFunction = std::function<SampleLoss(const Portion& portion, const Tensor& parameters)>;

/// Trains from `state` to the end of the last stage. A batch is taken in portions of `chunk` samples, side by side, and
/// sums run in the order of the portions, so that neither threads nor restarts change a number.
///
/// A step whose loss or gradient is not finite is left out: the parameters stay and the next batch is tried.
/// An interlude (foundation/interlude.h) comes between portions, with the state as it was before the step.
/// @param on_step  called after each step; what it throws ends the training
/// @throws NumericalError naming stage, step and value when ten steps in a row are not finite, when a stage ends without
///         a step that was, or when the loss has left where it began by more than ten kT for each of `dimension` degrees
///         of freedom
void train(const LossFunction& loss, const std::vector<Stage>& stages, std::int64_t chunk, std::int64_t dimension,
           TrainingState& state, const std::function<void(const TrainingState&)>& on_step);

}  // namespace bgw::flows
