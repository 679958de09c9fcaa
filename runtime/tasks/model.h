#pragma once

#include <memory>

#include "runtime/flows/generate.h"
#include "runtime/tasks/ground.h"

namespace bgw::tasks {

/// What a sample task draws from: a trained flow on its ground, or the Gaussian base itself, which is the flow that
/// moves nothing. Not movable: the flow refers to the ground's target.
class Model {
 public:
  explicit Model(Ground ground) : ground_(std::move(ground)) {}
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  /// Upon the Gaussian from now on.
  void set_flow(std::unique_ptr<flows::ModeSplitFlow> flow, const Tensor& parameters);

  const Ground& ground() const { return ground_; }
  std::int64_t dimension() const { return ground_.target->dimension(); }
  /// Pushes standard normal z [B, m] to configurations, with their log weights (flows/generate.h).
  flows::Draws generate(const Tensor& z) const;
  /// The log weight of given configurations, [B, N, 3] from the sites of the base -> [B].
  Tensor log_weight_of(const Tensor& displacements) const;

 private:
  Ground ground_;
  std::unique_ptr<flows::ModeSplitFlow> flow_;  // none: the Gaussian
  Tensor parameters_;
};

/// The model a sample task draws from: its base, or the flow of its `model` on the base it was trained on or, after
/// `transfer`, on another. Also finds the model behind finished samples.
/// @param sample_spec  specification of a sample task: the running one or that of an input
std::unique_ptr<Model> load_model(engine::TaskContext& context, const plan::TaskSpec& sample_spec);

}  // namespace bgw::tasks
