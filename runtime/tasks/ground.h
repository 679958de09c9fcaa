#pragma once

#include <memory>

#include "compiler/plan/plan.h"
#include "runtime/artifacts/artifact.h"
#include "runtime/engine/task.h"
#include "runtime/physics/energy_model.h"
#include "runtime/physics/gaussian_base.h"
#include "runtime/physics/whitened_target.h"

namespace bgw::tasks {

/// A crystal on its Gaussian base, ready to be sampled: what every heavy task after `base` starts from.
struct Ground {
  schema::Value system;
  schema::Value ensemble;
  physics::GaussianBase base;
  std::unique_ptr<physics::EnergyModel> model;  // around the sites of the base
  std::unique_ptr<physics::WhitenedTarget> target;

  std::int64_t particles() const { return model->particles(); }
  std::vector<crystal::Vector3> site_vectors() const;  // of the base
  /// beta F / N (convention of physics/free_energy.h) of the ensemble whose ln(Z / Z_Gaussian) is `log_ratio`.
  double free_energy(double log_ratio) const;
};

/// @param base_spec  specification of the base task, for its system and ensemble
Ground make_ground(const plan::TaskSpec& base_spec, const artifacts::Artifact& base);
/// A crystal at a state on a Gaussian whose static energy is computed here: one call of the ground's model.
Ground make_ground(const schema::Value& system, const schema::Value& ensemble, physics::GaussianBase base);
/// The same crystal on another Gaussian: that of independent atoms on springs, around the sites of the ideal lattice.
/// @param spring  eV/angstrom^2; the energy is (spring / 2) sum_i |u_i|^2
Ground make_einstein_ground(const schema::Value& system, const schema::Value& ensemble, double spring);

/// Key of the input with that role; throws std::logic_error for an unknown one.
const plan::Key& input_key(const plan::TaskSpec& spec, const std::string& role);

/// Adds what a reader of configurations needs: `sites` [N, 3] and `cell` [3, 3].
void add_crystal(artifacts::Artifact& artifact, const Tensor& sites, const crystal::Cell& cell);
void add_crystal(artifacts::Artifact& artifact, const Ground& ground);

}  // namespace bgw::tasks
