#include "runtime/estimators/rdf.h"
#include "runtime/tasks/observed.h"
#include "runtime/tasks/pace.h"
#include "runtime/tasks/tasks.h"
#include "runtime/tensor/array.h"

namespace bgw::tasks {

artifacts::Artifact radial_distribution(engine::TaskContext& context) {
  const Observed samples = observed(context);
  const Listening listening = stop_in_interludes(context);
  const auto curve = estimators::radial_distribution(samples.displacements, samples.sites, samples.cell, samples.weights,
                                                     context.arguments().at("bins").as_int(), samples.deformation);
  artifacts::Artifact artifact;
  artifact.arrays["r"] = tensor::to_array(curve.r, "angstrom");
  artifact.arrays["g"] = tensor::to_array(curve.g);
  artifact.results.push_back(
      {"configurations", static_cast<double>(samples.count()), {}, "", {}, ""});
  return artifact;
}

}  // namespace bgw::tasks
