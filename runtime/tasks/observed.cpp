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
  samples.blocks = chain.defined() ? estimators::chain_blocks(chain) : estimators::single_samples(samples.count());
  return samples;
}

Tensor energies_of(engine::TaskContext& context, const Observed& samples, artifacts::Cost& cost) {
  if (const Tensor carried = array_or_none(*samples.artifact, "energy"); carried.defined()) return carried;
  if (samples.deformation.defined()) throw InputError("these samples of a cell that moves carry no energies");
  const auto model = model_of(context.arguments().at("system"), samples);
  const std::int64_t at_once = configurations_at_once(samples.atoms());
  std::vector<Tensor> parts;
  for (std::int64_t first = 0; first < samples.count(); first += at_once) {
    parts.push_back(model->energy(samples.displacements.slice(0, first, std::min(first + at_once, samples.count()))));
    context.report({"energies", std::min(first + at_once, samples.count()), samples.count(), {}});
    if (context.stop_requested()) throw Stopped();
  }
  cost = cost_of(model->calls());
  return at::cat(parts);
}

artifacts::Result result_from(const std::string& name, const estimators::Estimate& estimate, const std::string& unit, std::int64_t n,
                              const std::string& convention) {
  artifacts::Result result{name, estimate.value, {}, unit, n, convention};
  if (std::isfinite(estimate.sigma)) result.sigma = estimate.sigma;
  return result;
}

}  // namespace bgw::tasks
