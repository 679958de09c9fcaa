#pragma once

#include <memory>
#include <vector>

#include "runtime/flows/conditional_parameters.h"
#include "runtime/flows/generator.h"
#include "runtime/tasks/conditional_base.h"
#include "runtime/tasks/make_flow.h"

namespace bgw::tasks {

/// A flow over ranges, on a base over ranges: at each state the same flow with parameters of its own, which are polynomials of
/// the coordinates of the state. What the network of a learned force gives is scaled by the inverse temperature.
///
/// Of the networks of couplings and of attention the biases follow the state, and the matrices are the same everywhere. Coordinates of
/// the state among the features of atoms, as published, are a bias of the first layer that is linear in them; here they are scaled to
/// their ranges, of second order, and reach all layers. Neighbours, lengths by which a network sees and splines reach are those of the
/// middle, edge vectors those of the state.
class ConditionalFlow {
 public:
  static constexpr std::int64_t kSamplesOfAState = 8;  // in training

  /// @throws InputError for a flow that does not fit the base or the lattice
  ConditionalFlow(ConditionalBase base, const schema::Value& train_arguments);

  const Conditions& conditions() const { return base_.conditions(); }
  /// Of the training, its system and ensemble in the middle of the ranges.
  const schema::Value& train_arguments() const { return train_arguments_; }
  const flows::ConditionalParameters& parameters() const { return *parameters_; }
  const flows::ParameterLayout& layout() const { return parameters_->layout(); }

  Ground ground(const StateValues& values) const { return base_.at(values); }
  /// The flow on a ground at a state, for as many samples at once as share one in training.
  std::unique_ptr<flows::Generator> on(const Ground& ground) const;
  /// Networks and neighbours of the middle, those of all states: an atom sees the same neighbours everywhere.
  const Common& common() const { return common_; }
  /// The same on another crystal, at one state of the ranges.
  Common common_on(const Ground& there) const;
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
  Common common_;
  std::unique_ptr<flows::Generator> flow_;
  std::unique_ptr<flows::ConditionalParameters> parameters_;
};

}  // namespace bgw::tasks
