#pragma once

#include <functional>
#include <vector>

#include "runtime/engine/task.h"
#include "runtime/tasks/model.h"

namespace bgw::tasks {

/// Log weights of given configurations under a model, by its inverse, in steps with checkpoints: of the data of a two-sided
/// estimate, and where auxiliary copies are averaged over, of the samples too. Goes on from the task's checkpoint.
class InversePasses {
 public:
  InversePasses(engine::TaskContext& context, const Model& model);

  /// Marginal log weights of samples of the model, from the joint ones that they came with and `fresh` further copies each
  /// (estimators/marginal.h).
  /// @param displacements [n, N, 3]
  /// @param log_weight    [n]
  Tensor of_samples(const Tensor& displacements, const Tensor& log_weight, std::int64_t fresh);
  /// Log weights of samples of the crystal, with that many copies of which all are fresh: one for joint weights.
  Tensor of_data(const Tensor& displacements, std::int64_t copies);

  /// For a checkpoint: the log weights so far.
  artifacts::Artifact state() const;
  /// Of all attempts.
  physics::CallCount calls() const;

 private:
  using Columns = std::function<void(std::int64_t begin, std::int64_t end, std::vector<Tensor>& columns)>;
  Tensor run(const char* phase, std::vector<Tensor>& done, std::int64_t samples, const Columns& columns);

  engine::TaskContext& context_;
  const Model& model_;
  std::vector<Tensor> samples_, data_;
  physics::CallCount before_;
};

}  // namespace bgw::tasks
