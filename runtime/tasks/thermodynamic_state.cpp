#include "runtime/tasks/thermodynamic_state.h"

#include <algorithm>
#include <cmath>

#include "runtime/foundation/interlude.h"
#include "runtime/tasks/pace.h"
#include "runtime/tensor/array.h"

namespace bgw::tasks {
namespace {

constexpr const char* kPressureUnit = "eV/angstrom^3";

/// Free energy per atom in eV and the means, from free energies and means of MBAR: [5] of [K + 4].
Tensor combination(const Ground& ground, std::int64_t states) {
  Tensor matrix = at::zeros({5, states + 4}, at::kDouble);
  matrix[0][states - 1] = 1.0 / (ground.base.beta * static_cast<double>(ground.particles()));
  matrix[0][0] = -matrix[0][states - 1];
  for (std::int64_t i = 0; i < 4; ++i) matrix[1 + i][states + i] = 1.0;
  return matrix;
}

artifacts::Result pressure_result(const char* name, double value, double variance, std::int64_t samples, const char* words) {
  artifacts::Result result{name, value, {}, kPressureUnit, samples, words};
  if (std::isfinite(variance)) result.sigma = std::sqrt(variance);
  return result;
}

}  // namespace

Tensor axial_virials(const Ground& ground, const Tensor& displacements) {
  const Tensor undeformed = at::eye(3, at::kDouble).expand({displacements.size(0), 3, 3}).contiguous();
  const Tensor strain = ground.model->energy_gradient_and_strain(displacements, undeformed).strain_gradient;
  return strain.diagonal(0, 1, 2) / ground.base.cell.volume();
}

void add_pressures(artifacts::Artifact& artifact, const Tensor& pressures, const Tensor& covariance, std::int64_t samples) {
  const auto p = pressures.accessor<double, 1>();
  const auto c = covariance.accessor<double, 2>();
  const double variance = covariance.sum().item<double>() / 9.0;
  artifact.results.push_back(pressure_result("pressure", (p[0] + p[1] + p[2]) / 3, variance, samples, "(N kT - virial / 3) / V, classical"));
  artifact.results.push_back(pressure_result("pressure_xx", p[0], c[0][0], samples, "along x"));
  artifact.results.push_back(pressure_result("pressure_yy", p[1], c[1][1], samples, "along y"));
  artifact.results.push_back(pressure_result("pressure_zz", p[2], c[2][2], samples, "along z"));
}

Tensor axial_pressures(engine::TaskContext& context, const Ground& ground, const Tensor& displacements) {
  const double volume = ground.base.cell.volume();
  const double motion = static_cast<double>(ground.particles()) / ground.base.beta;
  const std::int64_t at_once = configurations_at_once(ground.particles());
  std::vector<Tensor> parts;
  for (std::int64_t first = 0; first < displacements.size(0); first += at_once) {
    const Tensor u = displacements.slice(0, first, std::min(first + at_once, displacements.size(0)));
    const Tensor undeformed = at::eye(3, at::kDouble).expand({u.size(0), 3, 3}).contiguous();
    const Tensor strain = ground.model->energy_gradient_and_strain(u, undeformed).strain_gradient;
    parts.push_back((motion - strain.diagonal(0, 1, 2)) / volume);
    context.report({"pressures", first + u.size(0), displacements.size(0), {}});
    interlude();  // whoever listens saves the chains
  }
  return at::cat(parts);
}

Tensor state_observables(engine::TaskContext& context, const Ground& ground, const Tensor& displacements,
                         const Tensor& energies) {
  const Tensor energy = (energies / static_cast<double>(ground.particles())).unsqueeze(1);
  return at::cat({energy, axial_pressures(context, ground, displacements)}, 1);
}

void add_thermodynamic_state(artifacts::Artifact& artifact, const Ground& ground, const estimators::MbarResult& mbar,
                             std::int64_t samples) {
  const std::int64_t states = mbar.free_energies.size(0);
  const double free_energy = ground.free_energy(-mbar.difference(0, states - 1).value) / ground.base.beta;
  const Tensor numbers = at::cat({at::full({1}, free_energy, at::kDouble), mbar.means});
  const Tensor matrix = combination(ground, states);
  const Tensor covariance = at::matmul(matrix, at::matmul(mbar.joint_covariance, matrix.t()));
  artifact.arrays["state/numbers"] = tensor::to_array(numbers);
  artifact.arrays["state/covariance"] = tensor::to_array(covariance);
  add_pressures(artifact, numbers.slice(0, 2, 5), covariance.slice(0, 2, 5).slice(1, 2, 5), samples);
}

}  // namespace bgw::tasks
