#pragma once

#include <memory>
#include <vector>

#include "runtime/flows/conditional_parameters.h"
#include "runtime/flows/generator.h"
#include "runtime/flows/local_force.h"
#include "runtime/tasks/conditional_base.h"

namespace bgw::tasks {

/// A flow over ranges, on a base over ranges: at each state the same flow with parameters of its own, which are polynomials of
/// the coordinates of the state. What the network of a learned force gives is scaled by the inverse temperature.
class ConditionalFlow {
 public:
  /// @throws InputError for flows that are functions of no state
  ConditionalFlow(ConditionalBase base, schema::Value train_arguments);

  const Conditions& conditions() const { return base_.conditions(); }
  const schema::Value& train_arguments() const { return train_arguments_; }
  const flows::ConditionalParameters& parameters() const { return *parameters_; }
  const flows::ParameterLayout& layout() const { return parameters_->layout(); }

  Ground ground(const StateValues& values) const { return base_.at(values); }
  /// The flow on a ground at a state.
  std::unique_ptr<flows::Generator> on(const Ground& ground) const;
  /// The network of a learned force, null where there is none. It is that of the middle at all states: an atom sees the same
  /// neighbours everywhere.
  const std::shared_ptr<const flows::LocalForce>& learned() const { return learned_; }
  /// theta at a state, from Theta.
  Tensor at_state(const Tensor& parameters, const StateValues& values) const;
  /// dL/dTheta from dL/dtheta.
  Tensor gradient(const Tensor& of_one_state, const StateValues& values) const;

  /// The flow in the middle of the ranges: what all states have in common is asked of it.
  const flows::Generator& middle() const { return *flow_; }
  const Ground& middle_ground() const { return ground_; }

 private:
  double scale(const StateValues& values) const;

  ConditionalBase base_;
  schema::Value train_arguments_;
  Ground ground_;  // in the middle
  std::shared_ptr<const flows::LocalForce> learned_;
  std::unique_ptr<flows::Generator> flow_;
  std::unique_ptr<flows::ConditionalParameters> parameters_;
};

}  // namespace bgw::tasks
