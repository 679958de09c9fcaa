#pragma once

#include <memory>

#include "runtime/flows/trainer.h"

namespace bgw::flows {

/// Configurations for forward KL, [count, N, 3] from the sites of the base.
using DataSource = std::function<Tensor(const Portion& portion)>;

/// Fields with the true force on them, for force matching.
using LabelSource = std::function<LabelledFields(const Portion& portion)>;

/// What a stretch of training makes small: (1 - forward_share) KL(model | crystal) + forward_share KL(crystal | model).
struct Objective {
  std::shared_ptr<const Generator> generator;  // on the crystal as it is in this stretch
  KlGradient gradient = KlGradient::path;
  double forward_share = 0;
  DataSource data;  // needed where forward_share > 0
  LabelSource labels = {};  // given, the objective is force matching, which has no share of the two divergences
};

/// The objective of a step.
using Schedule = std::function<const Objective&(std::int64_t stage, std::int64_t step)>;

/// The loss of all flows. Latent and auxiliary numbers are those of (stream key, total step, sample). What is remembered
/// of a step are the weights of samples from the model, or, for forward KL alone, of the data under the model; of force
/// matching minus the losses.
LossFunction training_loss(Schedule schedule, const plan::Key& stream_key);

/// Rows of [n, N, 3] at random, with repetition.
DataSource rows_of(const Tensor& displacements, const plan::Key& stream_key);

/// A training with one objective.
LossFunction training_loss(const Objective& objective, const plan::Key& stream_key);

}  // namespace bgw::flows
