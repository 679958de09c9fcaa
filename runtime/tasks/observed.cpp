#include "runtime/tasks/observed.h"

#include <algorithm>
#include <cmath>

#include "runtime/estimators/lfep.h"
#include "runtime/foundation/errors.h"
#include "runtime/physics/make_energy_model.h"
#include "runtime/tasks/ledger.h"
#include "runtime/tasks/pace.h"
#include "runtime/tensor/array.h"

namespace bgw::tasks {
namespace {

Tensor array_or_none(const artifacts::Artifact& artifact, const char* name) {
  return artifact.arrays.contains(name) ? tensor::to_tensor(artifact.array(name)) : Tensor();
}

std::unique_ptr<physics::EnergyModel> model_of(const schema::Value& system, const Observed& samples) {
  std::vector<crystal::Vector3> sites;
  const double* x = samples.sites.data_ptr<double>();
  for (std::int64_t i = 0; i < samples.atoms(); ++i) sites.push_back({x[3 * i], x[3 * i + 1], x[3 * i + 2]});
  crystal::Cell cell;
  for (std::size_t i = 0; i < 9; ++i) cell.vectors[i / 3][i % 3] = samples.cell.data_ptr<double>()[i];
  return physics::make_energy_model(system, sites, cell);
}

/// One number of each configuration, so many at once that a request to stop is met soon.
template <class Numbers>
Tensor in_parts(engine::TaskContext& context, const Observed& samples, const char* phase, Numbers numbers) {
  const std::int64_t at_once = configurations_at_once(samples.atoms());
  std::vector<Tensor> parts;
  for (std::int64_t first = 0; first < samples.count(); first += at_once) {
    const std::int64_t end = std::min(first + at_once, samples.count());
    parts.push_back(numbers(samples.displacements.slice(0, first, end), samples.deformation.defined() ? samples.deformation.slice(0, first, end) : Tensor()));
    context.report({phase, end, samples.count(), {}});
    if (context.stop_requested()) throw Stopped();
  }
  return at::cat(parts);
}

/// What may be slow along a chain, [n, k]: how far the atoms are, and where they are known the energy and the volume.
Tensor slow_quantities(const Observed& samples) {
  std::vector<Tensor> columns = {samples.displacements.square().sum({1, 2})};
  if (const Tensor energy = array_or_none(*samples.artifact, "energy"); energy.defined()) columns.push_back(energy);
  if (samples.deformation.defined()) columns.push_back(samples.volumes());
  return at::stack(columns, 1);
}

}  // namespace

Tensor Observed::volumes() const {
  const Tensor volume = at::linalg_det(cell).abs();
  return deformation.defined() ? volume * at::linalg_det(deformation).abs() : volume.expand({count()}).contiguous();
}

Tensor weights_of(engine::TaskContext& context, const artifacts::Artifact& samples) {
  if (!context.arguments().bool_or("weighted", false)) return {};
  if (!samples.arrays.contains("log_weight")) throw InputError("these samples carry no weights: leave `weighted = true` out");
  return estimators::normalised_weights(tensor::to_tensor(samples.array("log_weight")));
}

Observed observed(engine::TaskContext& context) {
  Observed samples;
  samples.artifact = context.input("of");
  samples.weights = weights_of(context, *samples.artifact);
  samples.displacements = tensor::to_tensor(samples.artifact->array("displacements"));
  samples.sites = tensor::to_tensor(samples.artifact->array("sites"));
  samples.cell = tensor::to_tensor(samples.artifact->array("cell"));
  samples.deformation = array_or_none(*samples.artifact, "deformation");
  const Tensor chain = array_or_none(*samples.artifact, "chain");
  samples.blocks = chain.defined() ? estimators::chain_blocks(chain, slow_quantities(samples)) : estimators::single_samples(samples.count());
  return samples;
}

Tensor energies_of(engine::TaskContext& context, const Observed& samples, artifacts::Cost& cost) {
  if (const Tensor carried = array_or_none(*samples.artifact, "energy"); carried.defined()) return carried;
  const auto model = model_of(context.arguments().at("system"), samples);
  const Tensor energies = in_parts(context, samples, "energies", [&](const Tensor& u, const Tensor& deformation) {
    return deformation.defined() ? model->energy(u, deformation) : model->energy(u);
  });
  cost = cost_of(model->calls());
  return energies;
}

Tensor mapped_energies_of(engine::TaskContext& context, const Observed& samples, double temperature_energy, artifacts::Cost& cost) {
  const auto model = model_of(context.arguments().at("system"), samples);
  const double motion = 1.5 * static_cast<double>(samples.atoms() - 1) * temperature_energy;
  const Tensor energies = in_parts(context, samples, "energies", [&](const Tensor& u, const Tensor& deformation) {
    const Tensor inner = u - u.mean(1, true);
    if (!deformation.defined()) {
      const physics::EnergyAndGradient found = model->energy_and_gradient(u);
      return found.energy - 0.5 * (found.gradient * inner).sum({1, 2}) + motion;
    }
    const physics::EnergyGradientStrain found = model->energy_gradient_and_strain(u, deformation);
    return found.energy - 0.5 * (found.gradient * inner).sum({1, 2}) + motion;
  });
  cost = cost_of(model->calls());
  return energies;
}

Tensor virials_of(engine::TaskContext& context, const Observed& samples, artifacts::Cost& cost) {
  const auto model = model_of(context.arguments().at("system"), samples);
  const Tensor virials = in_parts(context, samples, "virials", [&](const Tensor& u, const Tensor& deformation) {
    const Tensor f = deformation.defined() ? deformation : at::eye(3, at::kDouble).expand({u.size(0), 3, 3}).contiguous();
    return model->energy_gradient_and_strain(u, f).strain_gradient.diagonal(0, 1, 2).sum(1);
  });
  cost = cost_of(model->calls());
  return virials;
}

artifacts::Result result_from(const std::string& name, const estimators::Estimate& estimate, const std::string& unit, std::int64_t n,
                              const std::string& convention) {
  artifacts::Result result{name, estimate.value, {}, unit, n, convention};
  if (std::isfinite(estimate.sigma)) result.sigma = estimate.sigma;
  return result;
}

}  // namespace bgw::tasks
