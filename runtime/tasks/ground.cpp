#include "runtime/tasks/ground.h"

#include <cmath>

#include "runtime/physics/free_energy.h"
#include "runtime/physics/make_energy_model.h"
#include "runtime/physics/phonon.h"
#include "runtime/physics/potential.h"
#include "runtime/tensor/array.h"

namespace bgw::tasks {
namespace {

Ground around_sites(const schema::Value& system, const schema::Value& ensemble, physics::GaussianBase base) {
  Ground ground;
  ground.system = system;
  ground.ensemble = ensemble;
  ground.base = std::move(base);
  ground.model = physics::make_energy_model(ground.system, ground.site_vectors(), ground.base.cell);
  return ground;
}

Ground with_target(Ground ground) {
  ground.target = std::make_unique<physics::WhitenedTarget>(*ground.model, ground.base.modes, ground.base.beta,
                                                            ground.base.static_energy);
  return ground;
}

Ground ground_of(const schema::Value& system, const schema::Value& ensemble, physics::GaussianBase base) {
  return with_target(around_sites(system, ensemble, std::move(base)));
}

}  // namespace

std::vector<crystal::Vector3> Ground::site_vectors() const {
  const Tensor dense = base.sites.contiguous();
  const double* x = dense.data_ptr<double>();
  std::vector<crystal::Vector3> result(static_cast<std::size_t>(dense.size(0)));
  for (crystal::Vector3& site : result) {
    site = {x[0], x[1], x[2]};
    x += 3;
  }
  return result;
}

double Ground::free_energy(double log_ratio) const {
  return physics::free_energy_per_particle(physics::log_partition(base) + log_ratio, particles(), base.cell.volume(),
                                           physics::length_scale(system));
}

Ground make_ground(const plan::TaskSpec& base_spec, const artifacts::Artifact& base) {
  return ground_of(base_spec.arguments.at("system"), base_spec.arguments.at("ensemble"),
                   physics::gaussian_base_from(base));
}

Ground make_ground(const schema::Value& system, const schema::Value& ensemble, physics::GaussianBase base) {
  Ground ground = around_sites(system, ensemble, std::move(base));
  ground.base.static_energy = ground.model->energy(at::zeros({1, ground.particles(), 3}, at::kDouble)).item<double>();
  return with_target(std::move(ground));
}

Ground make_einstein_ground(const schema::Value& system, const schema::Value& ensemble, double spring) {
  const crystal::Crystal crystal = physics::make_crystal(system);
  const auto model = physics::make_energy_model(system);
  const double beta = physics::inverse_temperature(ensemble);
  const Tensor sites = physics::sites_tensor(crystal);
  const Tensor lattice = at::zeros({1, sites.size(0), 3}, at::kDouble);
  const double width = 1.0 / std::sqrt(beta * spring);
  return ground_of(system, ensemble,
                   physics::einstein_base(physics::translations_of(crystal.sites, crystal.cell), sites, crystal.cell,
                                          model->energy(lattice).item<double>(), beta, width));
}

const plan::Key& input_key(const plan::TaskSpec& spec, const std::string& role) {
  for (const plan::TaskInput& input : spec.inputs) {
    if (input.role == role) return input.key;
  }
  throw std::logic_error("task " + spec.name + " has no input '" + role + "'");
}

void add_crystal(artifacts::Artifact& artifact, const Tensor& sites, const crystal::Cell& cell) {
  artifact.arrays["sites"] = tensor::to_array(sites, "angstrom");
  artifacts::Array rows{{3, 3}, {}, {}, "angstrom"};
  for (const crystal::Vector3& row : cell.vectors) rows.doubles.insert(rows.doubles.end(), row.begin(), row.end());
  artifact.arrays["cell"] = std::move(rows);
}

void add_crystal(artifacts::Artifact& artifact, const Ground& ground) {
  add_crystal(artifact, ground.base.sites, ground.base.cell);
}

}  // namespace bgw::tasks
