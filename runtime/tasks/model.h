#pragma once

#include <memory>

#include "runtime/flows/generator.h"
#include "runtime/sampling/basin.h"
#include "runtime/tasks/ground.h"
#include "runtime/tasks/ledger.h"
#include "runtime/tasks/make_flow.h"

namespace bgw::tasks {

/// What a sample task draws from: a trained flow on its ground, or the Gaussian base itself, which is the flow that
/// moves nothing. Not movable: the flow refers to the ground's target.
class Model {
 public:
  /// The Gaussian alone.
  explicit Model(Ground ground);
  /// @param train_arguments  of the training whose parameters these are
  Model(Ground ground, const schema::Value& train_arguments, const artifacts::Artifact& training);
  /// A flow over ranges at one state.
  /// @param parameters  of the flow on this ground
  /// @param common      what it has in common with other states
  Model(Ground ground, const schema::Value& train_arguments, Tensor parameters, const Common& common);
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  const Ground& ground() const { return ground_; }
  const flows::Generator& flow() const { return *flow_; }
  const Tensor& parameters() const { return parameters_; }
  /// All calls so far, those of energies of the flow's own among them.
  physics::CallCount calls() const { return ground_.model->calls() + flow_->other_calls(); }
  std::int64_t latent_dimension() const { return flow_->latent_dimension(); }
  std::int64_t auxiliary_dimension() const { return flow_->auxiliary_dimension(); }
  /// Samples of one call, so that a request to stop is met in time: whole chunks of the flow.
  std::int64_t at_once() const;

  /// Pushes standard normal z [B, latent_dimension] to configurations, with their log weights (flows/generator.h). Chunks
  /// of the flow run side by side. A configuration outside of the basin of the crystal weighs nothing: its log weight is minus
  /// infinity.
  flows::Draws generate(const Tensor& z) const;
  /// The log weight of given configurations, [B, N, 3] from the sites of the base, completed by auxiliary standard
  /// normal numbers [B, auxiliary_dimension]. [B]
  Tensor log_weight_of(const Tensor& displacements, const Tensor& auxiliary) const;
  /// Which configurations, [B, N, 3] from the sites of the base, are outside of the basin of the crystal: bool [B]. One that
  /// is no number is not, it must not pass for one.
  Tensor left_basin(const Tensor& displacements) const;

 private:
  Ground ground_;
  sampling::Basin basin_;
  std::unique_ptr<flows::Generator> flow_;
  Tensor parameters_;
};

/// The model a sample task draws from: its base, or the flow of its `model` on the base it was trained on, after `at` at one
/// state of its ranges, after `transfer` on another base. Also finds the model behind finished samples.
/// @param sample_spec  specification of a sample task: the running one or that of an input
std::unique_ptr<Model> load_model(engine::TaskContext& context, const plan::TaskSpec& sample_spec);

}  // namespace bgw::tasks
