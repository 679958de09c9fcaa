#pragma once

#include <memory>

#include "runtime/crystal/lattice.h"
#include "runtime/flows/generator.h"
#include "runtime/flows/local_force.h"
#include "runtime/tasks/ground.h"

namespace bgw::tasks {

/// What a flow has from the middle of its ranges at all states, and from its training in all uses.
struct Common {
  std::shared_ptr<const flows::LocalForce> learned;    // network in the place of forces; null: that of the ground's crystal
  std::shared_ptr<const crystal::Crystal> nearest;     // whose nearest sites are neighbours; null: those of the ground's crystal
  std::int64_t batch = 0;                              // samples that it is given at once where they are few; 0: any number
};

/// The flow that a train task's arguments describe, on a crystal.
/// @param train_arguments  flow, seed and precision
/// @param target           the ground's own, or that of a stage of training: the same crystal at another temperature or
///                         with another form of its energy
/// @throws InputError when the flow does not fit the base or the lattice
std::unique_ptr<flows::Generator> make_flow(const schema::Value& train_arguments, const Ground& ground,
                                            const physics::WhitenedTarget& target, const Common& common = {});
/// The network in place of the crystal's forces, null where the flow has none. It knows the neighbours of a site, and takes the
/// symmetry of the crystal to find.
std::shared_ptr<const flows::LocalForce> learned_force_of(const schema::Value& train_arguments, const Ground& ground);

/// What a training should not begin with, though a trained flow may be moved to it.
/// @throws InputError with what to write instead
void check_for_training(const schema::Value& train_arguments, const Ground& ground);

/// The parameters of a finished training as the flow has them.
/// @throws InputError naming all differences when they are those of another architecture
Tensor parameters_of(const artifacts::Artifact& training, const flows::Generator& flow);
/// The same of parameters that stand as a layout says. @param like  [P], of the type they shall have
Tensor parameters_of(const artifacts::Artifact& training, const flows::ParameterLayout& layout, const Tensor& like);
/// The other way: arrays parameters/<name>.
void add_parameters(artifacts::Artifact& artifact, const flows::ParameterLayout& layout, const Tensor& parameters);

}  // namespace bgw::tasks
