#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "runtime/artifacts/artifact.h"
#include "runtime/engine/task.h"
#include "runtime/estimators/anchored.h"
#include "runtime/tensor/tensor.h"

// States whose free energies are known up to one constant, and the references that tell it: what ladders of temperatures and grids
// of states have in common.
namespace bgw::tasks {

/// A reference that tells the absolute free energy of a state.
struct NamedAnchor {
  std::string name;
  estimators::Anchor anchor;
};

/// The anchors of the task's path, in its order.
/// @param whole     "ladder", in messages
/// @param state_of  the state at which a reference stands; throws where it is none
/// @throws InputError for a free energy of another convention or without an error
std::vector<NamedAnchor> anchors_of(engine::TaskContext& context, const std::string& whole, const std::function<std::int64_t(const plan::TaskSpec&)>& state_of);

/// The same without their names.
std::vector<estimators::Anchor> plain(const std::vector<NamedAnchor>& anchors);

/// Adds `consistency`: how far the two anchors that are furthest apart are, and which they are.
/// @param shown  a state in words
void add_consistency(artifacts::Artifact& artifact, const std::string& whole, const estimators::Anchored& tie, const std::vector<NamedAnchor>& anchors,
                     const std::function<std::string(std::int64_t)>& shown);

/// F / N, U / N (eV) and the pressures along x, y and z (eV/angstrom^3) of K states, for a fit.
struct StateNumbers {
  Tensor values;      // [5 K]
  Tensor covariance;  // [5 K, 5 K]
};

/// @param tie      beta F / N of all states, and then of each U / N, eV, and three virials
/// @param betas    [K], 1/eV
/// @param motions  [K], N kT / V, eV/angstrom^3
StateNumbers state_numbers(const estimators::Anchored& tie, const std::vector<double>& betas, const std::vector<double>& motions);

}  // namespace bgw::tasks
