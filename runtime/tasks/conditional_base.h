#pragma once

#include "runtime/engine/task.h"
#include "runtime/physics/base_family.h"
#include "runtime/tasks/conditions.h"
#include "runtime/tasks/ground.h"

namespace bgw::tasks {

/// A base over ranges: a Gaussian at every state inside.
class ConditionalBase {
 public:
  /// @param base_spec  of a base task whose system or ensemble holds intervals
  ConditionalBase(const plan::TaskSpec& base_spec, const artifacts::Artifact& base);

  const Conditions& conditions() const { return conditions_; }
  /// The crystal on its Gaussian at a state, at the price of one energy, of the sites.
  /// @throws InputError outside of the ranges; NumericalError naming the state where the base is `phonon` and modes are imaginary
  Ground at(const StateValues& values) const;

 private:
  std::string name_, kind_;
  double width_ = 0;  // of an einstein_crystal, which needs no nodes
  Conditions conditions_;
  physics::BaseFamily family_;
};

/// True for arguments whose system or ensemble leaves a number open.
bool is_conditional(const schema::Value& arguments);

/// The base task over ranges: force constants and sites at the nodes.
artifacts::Artifact conditional_base(engine::TaskContext& context);

}  // namespace bgw::tasks
